"""A client for the calls that `Table` makes, at a seventh of botocore's CPU.

A request is one JSON document, signed and sent over a connection that is kept. The rules are those
of botocore's standard retries: which failures are repeated, how long to wait, and how much of it a
process may do while DynamoDB is down. A repeated write may be carried out twice, as with botocore:
what reads as no answer may have been applied.

Other than botocore, it

- repeats a call at once, on a new connection, if the kept one turns out to be closed;
- corrects its clock by DynamoDB's if a signature is refused for its time;
- looks for newer credentials if DynamoDB says that they have expired;
- never takes an answer that it can't read for an empty one.
"""

import random
import threading
import time
import zlib
from collections.abc import Mapping
from typing import Any, Final, Protocol

from pydantic_core import from_json, to_json

from patchbay.platform.aws_credentials import CredentialSource
from patchbay.platform.aws_signature import Signer
from patchbay.platform.dynamodb_endpoint import DynamoDBEndpoint
from patchbay.platform.kept_connections import NoAnswer, ServerAnswer, Transport

_VERSION: Final = "DynamoDB_20120810"

_THROTTLED: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "RequestThrottled",
        "SlowDown",
        "PriorRequestNotComplete",
    }
)
_TRANSIENT: Final = frozenset(
    {"RequestTimeout", "RequestTimeoutException", "ReplicatedWriteConflictException"}
)
_TRANSIENT_STATUSES: Final = frozenset({500, 502, 503, 504})
_TOO_MANY_REQUESTS: Final = 429
"""What botocore repeats (its module `retries.standard`, and the traits of DynamoDB's model)."""

_BUSY: Final = (
    _THROTTLED
    | _TRANSIENT
    | {"InternalServerError", "ServiceUnavailable", "TransactionConflictException"}
)
"""What passes by itself. A write that met a transaction is repeated by `Table`, not here."""

_SKEWED: Final = frozenset({"InvalidSignatureException", "RequestTimeTooSkewed", "RequestExpired"})
_EXPIRED: Final = frozenset({"ExpiredTokenException", "ExpiredToken"})
_SKEW_SECONDS: Final = 240
"""AWS takes signatures of five minutes
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html). A refusal for another
reason, with clocks that agree better than this, is not about the time."""

_THROTTLED_PAUSE: Final = 1.0
_TRANSIENT_PAUSE: Final = 0.025
"""The longest pause before the second attempt, in seconds; before the third it is twice that."""
MAX_ASKED_PAUSE: Final = 5.0
"""By how much a pause grows at most because DynamoDB asks for it."""

MAX_ERROR_MESSAGE: Final = 1000


class DynamoDBError(Exception):
    """DynamoDB refused a call: `code` is the name of its error, or the HTTP status without one.

    `details` are the members of the error, which may quote items: they are in no text.
    """

    def __init__(
        self,
        operation: str,
        code: str,
        message: str = "",
        *,
        status: int = 400,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{operation}: {code}: {message}")
        self.code = code
        self.status = status
        self.details = details or {}

    @property
    def is_busy(self) -> bool:
        """Whether the caller can only wait."""
        is_of_server = self.status >= 500 or self.status == _TOO_MANY_REQUESTS
        return is_of_server or self.code in _BUSY


class TableCalls(Protocol):
    """What `Table` needs of a client: requests and answers are those of DynamoDB's JSON.

    Binary values are in base64. Raises `DynamoDBError` and `NoAnswer`.
    """

    def get_item(self, **request: Any) -> Any: ...
    def batch_get_item(self, **request: Any) -> Any: ...
    def query(self, **request: Any) -> Any: ...
    def put_item(self, **request: Any) -> Any: ...
    def update_item(self, **request: Any) -> Any: ...
    def delete_item(self, **request: Any) -> Any: ...
    def transact_write_items(self, **request: Any) -> Any: ...


class DynamoDBClient:
    """As `TableCalls`. Thread-safe, made once a process."""

    def __init__(
        self,
        endpoint: DynamoDBEndpoint,
        credentials: CredentialSource,
        transport: Transport,
        *,
        attempts: int,
        seconds: float,
    ) -> None:
        """No attempt begins later than `seconds` after the call."""
        self._signer = Signer(endpoint.region, endpoint.host, endpoint.path)
        self._credentials = credentials
        self.transport = transport
        self._attempts = attempts
        self._seconds = seconds
        self._quota = RetryQuota()
        self._ahead = 0.0
        """The seconds by which DynamoDB's clock is ahead of ours, once it mattered."""

    def get_item(self, **request: Any) -> Any:
        return self.call("GetItem", request)

    def batch_get_item(self, **request: Any) -> Any:
        return self.call("BatchGetItem", request)

    def query(self, **request: Any) -> Any:
        return self.call("Query", request)

    def put_item(self, **request: Any) -> Any:
        return self.call("PutItem", request)

    def update_item(self, **request: Any) -> Any:
        return self.call("UpdateItem", request)

    def delete_item(self, **request: Any) -> Any:
        return self.call("DeleteItem", request)

    def transact_write_items(self, **request: Any) -> Any:
        return self.call("TransactWriteItems", request)

    def call(self, operation: str, request: Mapping[str, Any]) -> Any:
        """The answer. Raises `DynamoDBError`, or `NoAnswer` after the last attempt."""
        body = to_json(request)
        mended: set[str] = set()
        last_begin = time.monotonic() + self._seconds
        attempt, taken = 1, 0
        while True:
            answer: ServerAnswer | None = None
            failure: DynamoDBError | NoAnswer
            try:
                answer = self._sent(operation, body)
                found = _content(answer)
                if answer.status == 200:
                    self._quota.give_back(taken)
                    return found
                failure = _refusal(operation, answer, found)
            except NoAnswer as error:
                failure = error
            if answer is not None and self._mended(failure, answer, mended):
                continue
            cost = _cost(failure)
            if not cost or attempt == self._attempts:
                raise failure
            pause = _pause(failure, answer, attempt)
            if time.monotonic() + pause > last_begin or not self._quota.take(cost):
                raise failure
            time.sleep(pause)
            attempt, taken = attempt + 1, cost

    def _sent(self, operation: str, body: bytes) -> ServerAnswer:
        credentials = self._credentials.current()
        at = time.time() + self._ahead
        headers = self._signer.headers(f"{_VERSION}.{operation}", body, credentials, at)
        return self.transport.send(headers, body)

    def _mended(
        self, failure: DynamoDBError | NoAnswer, answer: ServerAnswer, mended: set[str]
    ) -> bool:
        """Whether the reason of a refusal is gone, which is tried once for each reason."""
        if not isinstance(failure, DynamoDBError) or failure.code in mended:
            return False
        mended.add(failure.code)
        if failure.code in _EXPIRED:
            return self._credentials.renew()
        return failure.code in _SKEWED and self._is_corrected(answer)

    def _is_corrected(self, answer: ServerAnswer) -> bool:
        """Takes over DynamoDB's clock, if it differs from the one that was signed with."""
        from email.utils import parsedate_to_datetime

        try:
            theirs = parsedate_to_datetime(answer.headers["date"]).timestamp()
        except (KeyError, ValueError):
            return False
        ahead = theirs - time.time()
        if abs(ahead - self._ahead) < _SKEW_SECONDS:
            return False
        self._ahead = ahead
        return True


class RetryQuota:
    """How much of its time a process may spend on repetitions: botocore's standard quota.

    Each takes some, and only successes fill it again: calls fail at once while nothing works.
    """

    CAPACITY: Final = 500
    OF_THROTTLED: Final = 5
    OF_OTHERS: Final = 14

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = self.CAPACITY

    def take(self, cost: int) -> bool:
        with self._lock:
            if cost > self._left:
                return False
            self._left -= cost
            return True

    def give_back(self, taken: int) -> None:
        """After a success, whose last repetition took this much, or 0 if the first call did."""
        if self._left == self.CAPACITY:
            return
        with self._lock:
            self._left = min(self.CAPACITY, self._left + (taken or 1))


def _content(answer: ServerAnswer) -> dict[str, Any]:
    """The members of the answer; none for a failure that isn't written as DynamoDB writes them."""
    checksum = answer.headers.get("x-amz-crc32")
    if checksum is not None and checksum != str(zlib.crc32(answer.body)):
        raise NoAnswer("the checksum of the answer is wrong")
    try:
        content = from_json(answer.body)
    except ValueError:
        content = None
    if isinstance(content, dict):
        return content
    if answer.status == 200:
        raise NoAnswer("the answer is not a JSON object")
    return {}


def _refusal(operation: str, answer: ServerAnswer, content: Mapping[str, Any]) -> DynamoDBError:
    # `com.amazonaws.dynamodb.v20120810#ResourceNotFoundException`, and maybe `:` and a URL
    name = str(content.get("__type", "")).rpartition("#")[2].partition(":")[0]
    message = str(content.get("message", content.get("Message", "")))[:MAX_ERROR_MESSAGE]
    code = name or str(answer.status)
    return DynamoDBError(operation, code, message, status=answer.status, details=content)


def _cost(failure: DynamoDBError | NoAnswer) -> int:
    """What a repetition takes of the quota, 0 for a failure that is not repeated."""
    if _is_throttled(failure):
        return RetryQuota.OF_THROTTLED
    if isinstance(failure, NoAnswer):
        return RetryQuota.OF_OTHERS
    is_transient = failure.code in _TRANSIENT or failure.status in _TRANSIENT_STATUSES
    return RetryQuota.OF_OTHERS if is_transient else 0


def _is_throttled(failure: DynamoDBError | NoAnswer) -> bool:
    return isinstance(failure, DynamoDBError) and (
        failure.code in _THROTTLED or failure.status == _TOO_MANY_REQUESTS
    )


def _pause(failure: DynamoDBError | NoAnswer, answer: ServerAnswer | None, attempt: int) -> float:
    """The seconds before the next attempt: full jitter, and what DynamoDB asks for."""
    longest = _THROTTLED_PAUSE if _is_throttled(failure) else _TRANSIENT_PAUSE
    pause = random.uniform(0, longest * 2 ** (attempt - 1))  # noqa: S311 - spreads load, guards nothing
    asked = answer.headers.get("x-amz-retry-after", "") if answer else ""
    if asked.isascii() and asked.isdigit():
        pause = max(pause, min(int(asked[:9]) / 1000, pause + MAX_ASKED_PAUSE))
    return pause
