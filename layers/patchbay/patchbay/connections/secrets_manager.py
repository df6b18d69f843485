"""Reads secrets of AWS Secrets Manager: by themselves, or each of them once a run.

A run of monitors tests hundreds of connections, many of which may refer to the same secret. Within
`reading_once`, a secret is described once, and its value is read once, for all that ask for it, and
what failed is not tried again. `read_ahead` does so for many secrets side by side, the values 20 by
one call. What is not read by its deadline is left to the tests that need it, so a secret that is
slow delays no other, and no page but the first that has it.

Here nobody is asked who may use a secret: that is judged each time that it is used
(`secret_references`). But the value of one that has no tag for Patchbay is not read at all.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import batched, chain, zip_longest
from typing import Any, Final

from patchbay.platform.aws import Refused, call, client
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.logging import log_exception, logger

PERMITTING: Final = "patchbay:permits:"
"""How the tags begin that permit a use of a secret."""

BATCH: Final = 20
"""What BatchGetSecretValue takes
(https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html)."""

AT_ONCE: Final = 10
"""Calls at once: as many as the client keeps connections."""

AHEAD_SECONDS: Final = 3.0
"""How long a page waits for what is read ahead. Usually it takes 50 ms."""

WAIT_SECONDS: Final = 15.0
"""How long one waits for another that reads the same. A call that hangs ends within 12 s."""

_MISSING: Final = ("ResourceNotFoundException", "InvalidRequestException")
"""It does not exist, or is marked for deletion."""

_CLOSED: Final = ("AccessDeniedException", "DecryptionFailure")
"""Its resource policy or its KMS key forbids reading it."""

_EXPECTED: Final = (*_MISSING, *_CLOSED)


class SecretUnreadable(Exception):
    """A secret does not exist, or may not be read."""

    def __init__(self, *, is_missing: bool) -> None:
        super().__init__()
        self.is_missing = is_missing

    @classmethod
    def for_code(cls, code: str) -> "SecretUnreadable":
        return cls(is_missing=code in _MISSING)


@dataclass(frozen=True, slots=True)
class SecretValue:
    """`text` is None for a secret that is not text."""

    text: str | None = field(repr=False)


type Tags = Mapping[str, str]


class _Left(Exception):
    """The thread that began this reads it no more: another may."""


class _Once[T]:
    """What is asked for by a name, and read once. Threads share it."""

    def __init__(self) -> None:
        self._begun: dict[str, Future[T]] = {}
        self._lock = threading.Lock()

    def get(self, name: str, read: Callable[[str], T]) -> T:
        """Raises what reading it raised, and `TemporarilyUnavailable`."""
        while True:
            for future in self.begin([name]).values():
                self._read(future, name, read)
            try:
                if found := self._begun.get(name):
                    return found.result(timeout=WAIT_SECONDS)
            except _Left:
                continue
            except TimeoutError:
                raise TemporarilyUnavailable from None

    def begin(self, names: Iterable[str]) -> dict[str, Future[T]]:
        """Those that nobody has begun: the caller settles them, or leaves them."""
        with self._lock:
            mine: dict[str, Future[T]] = {
                name: Future() for name in names if name not in self._begun
            }
            self._begun |= mine
        return mine

    def settle(self, future: Future[T], value: T) -> None:
        """It may have been left meanwhile."""
        with self._lock:
            if not future.done():
                future.set_result(value)

    def fail(self, future: Future[T], error: BaseException) -> None:
        with self._lock:
            if not future.done():
                future.set_exception(error)

    def leave(self, mine: Mapping[str, Future[T]]) -> None:
        """Those of `begin` that are not settled."""
        with self._lock:
            for name, future in mine.items():
                if not future.done():
                    del self._begun[name]
                    future.set_exception(_Left())

    def _read(self, future: Future[T], name: str, read: Callable[[str], T]) -> None:
        try:
            self.settle(future, read(name))
        except BaseException as error:
            self.fail(future, error)  # raised where it is asked for


class SecretsOfRun:
    """What a run has read of secrets."""

    def __init__(self) -> None:
        self._tags = _Once[Tags]()
        self._values = _Once[SecretValue]()
        self._reads_batches = True
        self._asked: set[str] = set()

    def tags(self, name: str) -> Tags:
        """Raises `SecretUnreadable`, `InternalError`, and `TemporarilyUnavailable`."""
        return self._tags.get(name, _described)

    def value(self, name: str) -> SecretValue:
        """Raises as `tags`."""
        return self._values.get(name, _read)

    def read_ahead(self, names: Collection[str], seconds: float = AHEAD_SECONDS) -> None:
        """What can't be read fails where it is asked for. Nobody waits for it a second time."""
        until = time.monotonic() + seconds
        names = [name for name in names if name not in self._asked]
        self._asked |= set(names)
        # The descriptions that hang take no threads of the values.
        describing = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="tags")
        reading = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="secrets")
        begun: list[dict[str, Future[SecretValue]]] = []
        try:
            tagged = {name: describing.submit(self._is_tagged, name) for name in _by_turns(names)}
            # Of those that are slow to describe, no value is waited for.
            wait(tagged.values(), timeout=seconds / 2)
            readable = [name for name, one in tagged.items() if one.done() and one.result()]
            if self._reads_batches:
                begun = [
                    self._values.begin(some) for some in batched(readable, BATCH, strict=False)
                ]
            batches = [reading.submit(self._read_batch, mine) for mine in begun if mine]
            wait(batches, timeout=max(0, until - time.monotonic()))
        finally:
            for pool in (describing, reading):
                pool.shutdown(wait=False, cancel_futures=True)
            for mine in begun:
                self._values.leave(mine)

    def _is_tagged(self, name: str) -> bool:
        """Whether it has a tag that permits anything."""
        try:
            return any(tag.startswith(PERMITTING) for tag in self.tags(name))
        except Exception:
            return False

    def _read_batch(self, mine: Mapping[str, Future[SecretValue]]) -> None:
        try:
            answer = _batch(list(mine))
        except Refused as refused:
            # The role, a boundary of it, or the policy of a VPC endpoint does not allow it.
            self._reads_batches = False
            logger.warning("secrets are read one by one", code=refused.code)
            return
        except Exception as error:
            log_exception("secrets not read ahead", error)
            return
        for found in answer.get("SecretValues", ()):
            if future := mine.get(found.get("Name")):
                self._values.settle(future, SecretValue(found.get("SecretString")))
        for failed in answer.get("Errors", ()):
            future = mine.get(failed.get("SecretId"))
            if future and failed.get("ErrorCode") in _EXPECTED:
                self._values.fail(future, SecretUnreadable.for_code(failed["ErrorCode"]))


_RUN: Final[ContextVar[SecretsOfRun | None]] = ContextVar("secrets", default=None)


@contextmanager
def reading_once() -> Iterator[None]:
    """Within this block, and the threads and tasks that have its context, a secret is read once."""
    token = _RUN.set(SecretsOfRun())
    try:
        yield
    finally:
        _RUN.reset(token)


def secrets_of_run() -> SecretsOfRun:
    """Those of the block that this is in; outside of one, nothing was read before."""
    return _RUN.get() or SecretsOfRun()


def _described(name: str) -> Tags:
    described = _answer(client("secretsmanager").describe_secret, name)
    if "DeletedDate" in described:
        raise SecretUnreadable(is_missing=True)
    return {tag["Key"]: tag["Value"] for tag in described.get("Tags", ())}


def _read(name: str) -> SecretValue:
    answer = _answer(client("secretsmanager").get_secret_value, name)
    return SecretValue(answer.get("SecretString"))


def _answer(operation: Callable[..., Any], name: str) -> Any:
    try:
        return call(operation, expected=_EXPECTED, SecretId=name)
    except Refused as refused:
        raise SecretUnreadable.for_code(refused.code) from None


def _batch(names: list[str]) -> Any:
    """Raises `Refused` if it is not allowed, `InternalError`, and `TemporarilyUnavailable`."""
    operation = client("secretsmanager").batch_get_secret_value
    return call(operation, expected=("AccessDeniedException",), SecretIdList=names)


def _by_turns(names: Iterable[str]) -> list[str]:
    """The first one of each organization, then the second ones: none fills all places."""
    of_owner: defaultdict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        of_owner[name.split("/")[1]].append(name)
    turns = zip_longest(*of_owner.values())
    return [name for name in chain.from_iterable(turns) if name is not None]
