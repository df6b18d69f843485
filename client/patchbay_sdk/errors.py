"""What can go wrong, by the `code` of the API.

    PatchbayError
    ├── ApiError                          an answer that is an error; any code without a class
    │   ├── InvalidRequest                VALIDATION_ERROR
    │   │   ├── InvalidJson               INVALID_JSON
    │   │   ├── InvalidCursor             INVALID_CURSOR
    │   │   └── InvalidConfig             CONNECTOR_INVALID_CONFIG
    │   ├── Unauthenticated               UNAUTHENTICATED
    │   ├── PermissionDenied              PERMISSION_DENIED
    │   │   ├── CrossSiteRequest          CROSS_SITE_REQUEST
    │   │   └── CredentialUseDisabled     CREDENTIAL_USE_DISABLED
    │   ├── NotFound                      NOT_FOUND, <THING>_NOT_FOUND
    │   ├── MethodNotAllowed              METHOD_NOT_ALLOWED
    │   ├── Conflict                      CONFLICT
    │   │   ├── IdempotencyConflict       IDEMPOTENCY_CONFLICT
    │   │   ├── SlugTaken                 SLUG_TAKEN
    │   │   ├── PublisherTaken            PUBLISHER_TAKEN
    │   │   ├── PublisherReserved         PUBLISHER_RESERVED
    │   │   ├── VersionExists             VERSION_EXISTS
    │   │   ├── ExternalIdTaken           EXTERNAL_ID_TAKEN
    │   │   ├── InUse                     IN_USE
    │   │   ├── NoBaseUrl                 NO_BASE_URL
    │   │   ├── RotationLimit             ROTATION_LIMIT
    │   │   ├── InstallNotPossible        INSTALL_NOT_POSSIBLE
    │   │   ├── OAuthApplicationUnusable  OAUTH_APPLICATION_UNUSABLE
    │   │   └── QuotaExceeded             QUOTA_EXCEEDED
    │   ├── InstallSessionEnded           INSTALL_SESSION_ENDED
    │   ├── PreconditionFailed            PRECONDITION_FAILED
    │   ├── PayloadTooLarge               PAYLOAD_TOO_LARGE
    │   ├── UnsupportedMediaType          UNSUPPORTED_MEDIA_TYPE
    │   ├── Unprocessable                 any other 422
    │   │   ├── NotPublishable            NOT_PUBLISHABLE
    │   │   ├── SecretReentryRequired     SECRET_REENTRY_REQUIRED
    │   │   ├── AuthorizationRequired     AUTHORIZATION_REQUIRED
    │   │   ├── FailedTest                TEST_FAILED
    │   │   └── CredentialUnusable        CREDENTIAL_UNUSABLE
    │   ├── RateLimited                   RATE_LIMITED
    │   └── ServerError                   any other 5xx
    │       ├── InternalError             INTERNAL_ERROR
    │       ├── TemporarilyUnavailable    TEMPORARILY_UNAVAILABLE
    │       └── ProviderFailed            PROVIDER_FAILED
    │           └── ProviderTimedOut      PROVIDER_TIMED_OUT
    ├── ConnectionFailed                  no answer
    │   └── TimedOut                      no answer in time
    ├── UnexpectedAnswer                  an answer that this version can't read
    │   └── MissingField                  a field that the answer should have, and has not
    ├── InvalidArgument                   what was given can't be sent: nothing was
    └── WebhookInvalid                    a webhook that the deployment did not sign

A code that this version does not know is its nearest class by status: catch `ApiError`, and look at
`code`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timezone
from typing import Any, Final, NamedTuple

from patchbay_sdk.messages import Response

_LONGEST_SECONDS: Final = 31_536_000.0
"""A year: what asks for more patience has no meaning, and no clock to wait by."""


class Problem(NamedTuple):
    """One thing that is wrong with a request: a JSON Pointer to it, and why."""

    pointer: str
    message: str


class PatchbayError(Exception):
    """All that this package raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Other processes get it whole: without this, only the message would be passed on.
        return _revived, (type(self), self.args, self.__dict__)


class ApiError(PatchbayError):
    """The deployment, or something in front of it, answered with an error.

    `code` is None if it is not Patchbay's: a gateway or a proxy answered instead.
    """

    def __init__(self, response: Response, error: Mapping[str, Any]) -> None:
        self.response = response
        self.status = response.status
        self.code = _string(error.get("code"))
        self.message = str(error.get("message") or f"status {response.status}")
        self.type = _string(error.get("type"))
        details = error.get("details")
        self.details: dict[str, Any] = details if isinstance(details, dict) else {}
        self.errors = tuple(_problems(self.details))
        self.trace_id = _string(error.get("trace_id")) or response.trace_id
        self.timestamp = _string(error.get("timestamp"))
        self.retry_after_seconds = retry_after(response)
        super().__init__(self.message)

    @property
    def pointers(self) -> tuple[str, ...]:
        """JSON Pointers to what is wrong: into the body, or /query/<name>, /path/<name>."""
        return tuple(error.pointer for error in self.errors)

    def __str__(self) -> str:
        problems = "".join(f"; {error.pointer} {error.message}" for error in self.errors)
        trace = f", trace {self.trace_id}" if self.trace_id else ""
        return f"{self.code or 'error'}: {self.message}{problems} (status {self.status}{trace})"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class InvalidRequest(ApiError):
    """The request is invalid: `errors` say where and why."""


class InvalidJson(InvalidRequest):
    pass


class InvalidCursor(InvalidRequest):
    """The cursor is of another list, or has expired: begin again without one."""


class InvalidConfig(InvalidRequest):
    """The connector configuration is invalid."""


class Unauthenticated(ApiError):
    """The API key is missing, wrong, expired, or revoked."""


class PermissionDenied(ApiError):
    """The API key does not have the permission, which `details` name."""


class CrossSiteRequest(PermissionDenied):
    pass


class CredentialUseDisabled(PermissionDenied):
    """The operator has switched the use of stored credentials off."""


class NotFound(ApiError):
    """It does not exist, or is another tenant's; `code` says what, as in SOURCE_NOT_FOUND."""


class MethodNotAllowed(ApiError):
    pass


class Conflict(ApiError):
    """It conflicts with the current state."""


class IdempotencyConflict(Conflict):
    """The Idempotency-Key was used for another request."""


class SlugTaken(Conflict):
    pass


class PublisherTaken(Conflict):
    pass


class PublisherReserved(Conflict):
    pass


class VersionExists(Conflict):
    pass


class ExternalIdTaken(Conflict):
    pass


class InUse(Conflict):
    """Something else still needs it."""


class NoBaseUrl(Conflict):
    """The release does not say where its requests go, so there is no proxy."""


class RotationLimit(Conflict):
    pass


class InstallNotPossible(Conflict):
    pass


class OAuthApplicationUnusable(Conflict):
    pass


class QuotaExceeded(Conflict):
    """The organization has as many as it may have: deleting helps, waiting does not."""


class InstallSessionEnded(ApiError):
    """The install session expired, was revoked, or was completed."""


class PreconditionFailed(ApiError):
    """It has changed since `if_match` was read: read it again."""


class PayloadTooLarge(ApiError):
    pass


class UnsupportedMediaType(ApiError):
    pass


class Unprocessable(ApiError):
    pass


class NotPublishable(Unprocessable):
    """The draft can't become a release: `errors` point into the integration."""


class SecretReentryRequired(Unprocessable):
    """The edit changes where stored secrets are sent: enter those that `errors` point to again."""


class AuthorizationRequired(Unprocessable):
    """The account has to be connected at the provider first."""


class FailedTest(Unprocessable):
    """What was to be stored was tested first, and failed: `details["test"]` is the report."""


class CredentialUnusable(Unprocessable):
    """The stored credential can't be used until its owner has acted: see `details`."""


class RateLimited(ApiError):
    """A limit of the deployment; nothing was done. `retry_after_seconds` is how long to wait."""


class ServerError(ApiError):
    pass


class InternalError(ServerError):
    """Give `trace_id` to the operator, whose logs have the cause."""


class TemporarilyUnavailable(ServerError):
    pass


class ProviderFailed(ServerError):
    """The provider gave no answer that the proxy can pass on; it may have done what was asked."""


class ProviderTimedOut(ProviderFailed):
    pass


class ConnectionFailed(PatchbayError):
    """There is no answer. If `sent`, the deployment may have done what it was asked."""

    def __init__(self, message: str = "no answer", *, sent: bool) -> None:
        self.sent = sent
        super().__init__(message)


class TimedOut(ConnectionFailed):
    """There is no answer in time."""

    def __init__(self, message: str = "no answer in time", *, sent: bool) -> None:
        super().__init__(message, sent=sent)


class UnexpectedAnswer(PatchbayError):
    """The answer is not what the API document says: is it Patchbay that answers?

    `pointer` is a JSON Pointer to what can't be read, if it is a part of the answer. `trace_id` is
    that of the request, if the answer says it. The value itself is left out, because it may be a
    secret.
    """

    def __init__(
        self, message: str, *, pointer: str | None = None, trace_id: str | None = None
    ) -> None:
        self.message = message
        self.pointer = pointer
        self.trace_id = trace_id
        super().__init__(message)

    def __str__(self) -> str:
        return f"{self.message} (trace {self.trace_id})" if self.trace_id else self.message


class MissingField(UnexpectedAnswer, AttributeError):
    """The answer lacks a field that the API document has: is the deployment of another version?"""


class InvalidArgument(PatchbayError, ValueError):
    """What was given can't be sent, and was not."""


class WebhookInvalid(PatchbayError):
    """The message is not signed with the secret, or is too old."""


BY_CODE: Mapping[str, type[ApiError]] = {
    "VALIDATION_ERROR": InvalidRequest,
    "INVALID_JSON": InvalidJson,
    "INVALID_CURSOR": InvalidCursor,
    "CONNECTOR_INVALID_CONFIG": InvalidConfig,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "CROSS_SITE_REQUEST": CrossSiteRequest,
    "CREDENTIAL_USE_DISABLED": CredentialUseDisabled,
    "NOT_FOUND": NotFound,
    "METHOD_NOT_ALLOWED": MethodNotAllowed,
    "CONFLICT": Conflict,
    "IDEMPOTENCY_CONFLICT": IdempotencyConflict,
    "SLUG_TAKEN": SlugTaken,
    "PUBLISHER_TAKEN": PublisherTaken,
    "PUBLISHER_RESERVED": PublisherReserved,
    "VERSION_EXISTS": VersionExists,
    "EXTERNAL_ID_TAKEN": ExternalIdTaken,
    "IN_USE": InUse,
    "NO_BASE_URL": NoBaseUrl,
    "ROTATION_LIMIT": RotationLimit,
    "INSTALL_NOT_POSSIBLE": InstallNotPossible,
    "OAUTH_APPLICATION_UNUSABLE": OAuthApplicationUnusable,
    "QUOTA_EXCEEDED": QuotaExceeded,
    "INSTALL_SESSION_ENDED": InstallSessionEnded,
    "PRECONDITION_FAILED": PreconditionFailed,
    "PAYLOAD_TOO_LARGE": PayloadTooLarge,
    "UNSUPPORTED_MEDIA_TYPE": UnsupportedMediaType,
    "NOT_PUBLISHABLE": NotPublishable,
    "SECRET_REENTRY_REQUIRED": SecretReentryRequired,
    "AUTHORIZATION_REQUIRED": AuthorizationRequired,
    "TEST_FAILED": FailedTest,
    "CREDENTIAL_UNUSABLE": CredentialUnusable,
    "RATE_LIMITED": RateLimited,
    "INTERNAL_ERROR": InternalError,
    "TEMPORARILY_UNAVAILABLE": TemporarilyUnavailable,
    "PROVIDER_FAILED": ProviderFailed,
    "PROVIDER_TIMED_OUT": ProviderTimedOut,
}
_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    405: MethodNotAllowed,
    409: Conflict,
    410: InstallSessionEnded,
    412: PreconditionFailed,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
    422: Unprocessable,
    429: RateLimited,
}
_NOT_FOUND = "_NOT_FOUND"


def error_of(response: Response) -> ApiError:
    """The error that an answer is."""
    try:
        envelope = response.json()
    except ValueError:
        envelope = None
    error = envelope.get("error") if isinstance(envelope, dict) else None
    if not isinstance(error, dict):
        error = {}
    code = error.get("code")
    by_status = _BY_STATUS.get(response.status, ServerError if response.status >= 500 else ApiError)
    if isinstance(code, str) and code.endswith(_NOT_FOUND):
        return NotFound(response, error)
    return BY_CODE.get(str(code), by_status)(response, error)


def retry_after(response: Response) -> float | None:
    """The seconds of `Retry-After`. A date is one by the clock of who answered, if it says."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_SECONDS)
    until = _seconds_of_date(value)
    if until is None:
        return None
    now = _seconds_of_date(response.headers.get("date", ""))
    seconds = until - (time.time() if now is None else now)
    return min(max(seconds, 0.0), _LONGEST_SECONDS)


def _seconds_of_date(text: str) -> float | None:
    """The seconds since 1970 of a date of HTTP."""
    # Hardly any answer has such a date, and this takes long to import.
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()


def _revived(
    kind: type[PatchbayError], arguments: tuple[Any, ...], state: dict[str, Any]
) -> PatchbayError:
    error = kind.__new__(kind)
    error.args = arguments
    error.__dict__.update(state)
    return error


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _problems(details: Mapping[str, Any]) -> list[Problem]:
    errors = details.get("errors")
    return [
        Problem(str(error.get("pointer", "")), str(error.get("message", "")))
        for error in (errors if isinstance(errors, list) else ())
        if isinstance(error, dict)
    ]
