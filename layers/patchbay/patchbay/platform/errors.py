"""The one exception tree, and the one table from an error to its HTTP status.

    PatchbayError
    ├── InvalidInput            400  VALIDATION_ERROR
    │   ├── InvalidJson         400  INVALID_JSON
    │   ├── InvalidCursor       400  INVALID_CURSOR
    │   └── InvalidConfig       400  CONNECTOR_INVALID_CONFIG
    ├── Unauthenticated         401  UNAUTHENTICATED
    ├── PermissionDenied        403  PERMISSION_DENIED
    ├── InstallTokenRequired    403  PERMISSION_DENIED
    ├── OutsideOwnSpace         403  PERMISSION_DENIED
    ├── ReferenceDenied         403  PERMISSION_DENIED
    ├── CrossSiteRequest        403  CROSS_SITE_REQUEST
    ├── CredentialUseDisabled   403  CREDENTIAL_USE_DISABLED
    ├── NotFound                404  NOT_FOUND, <THING>_NOT_FOUND
    │   └── NoSuchRelease       404  RELEASE_NOT_FOUND
    ├── MethodNotAllowed        405  METHOD_NOT_ALLOWED
    ├── Conflict                409  CONFLICT, SLUG_TAKEN, PUBLISHER_TAKEN, PUBLISHER_RESERVED,
    │                                VERSION_EXISTS, IN_USE, EXTERNAL_ID_TAKEN
    │   └── ApplicationUnusable 409  OAUTH_APPLICATION_UNUSABLE
    ├── QuotaExceeded           409  QUOTA_EXCEEDED
    ├── SessionEnded            410  INSTALL_SESSION_ENDED
    ├── PreconditionFailed      412  PRECONDITION_FAILED
    ├── PayloadTooLarge         413  PAYLOAD_TOO_LARGE
    ├── UnsupportedMediaType    415  UNSUPPORTED_MEDIA_TYPE
    ├── NotPublishable          422  NOT_PUBLISHABLE
    ├── SecretReentryRequired   422  SECRET_REENTRY_REQUIRED
    │   └── SecretsLost         422  SECRET_REENTRY_REQUIRED
    ├── AuthorizationRequired   422  AUTHORIZATION_REQUIRED
    ├── FailedTest              422  TEST_FAILED
    ├── CredentialUnusable      422  CREDENTIAL_UNUSABLE
    ├── RateLimited             429  RATE_LIMITED
    ├── InternalError           500  INTERNAL_ERROR
    ├── ProviderFailed          502  PROVIDER_FAILED
    │   └── ProviderTimedOut    504  PROVIDER_TIMED_OUT
    └── TemporarilyUnavailable  503  TEMPORARILY_UNAVAILABLE

An error's message is written for the caller: it never contains a secret, a request body, or the
text of another system.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self


class Problem(NamedTuple):
    """One thing that is wrong with the input.

    `pointer` is a JSON Pointer (RFC 6901) into the request body; a query or path parameter is
    pointed at as `/query/<name>` or `/path/<name>`.
    """

    pointer: str
    message: str


@dataclass(eq=False)
class PatchbayError(Exception):
    """What a caller is sent: a stable `code`, a sentence, and details."""

    status: ClassVar[int] = 500

    message: str
    code: str = "INTERNAL_ERROR"
    details: dict[str, Any] = field(default_factory=dict)
    retry_after_seconds: int | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class InvalidInput(PatchbayError):
    """The request is invalid; each of the `problems` has a JSON Pointer."""

    status = 400
    default_code: ClassVar[str] = "VALIDATION_ERROR"
    default_message: ClassVar[str] = "The request is invalid."

    def __init__(self, problems: Sequence[Problem], message: str | None = None) -> None:
        self.problems = tuple(problems)
        errors = [{"pointer": p.pointer, "message": p.message} for p in self.problems]
        super().__init__(
            message=message or self.default_message,
            code=self.default_code,
            details={"errors": errors} if errors else {},
        )

    @classmethod
    def at(cls, pointer: str, message: str) -> "InvalidInput":
        return cls([Problem(pointer, message)])


class InvalidJson(InvalidInput):
    default_code = "INVALID_JSON"
    default_message = "The request body is not valid JSON."


class InvalidCursor(InvalidInput):
    default_code = "INVALID_CURSOR"
    default_message = "The cursor is not valid for this list, or has expired."

    def __init__(self) -> None:
        super().__init__([Problem("/query/cursor", "start again without a cursor")])


class InvalidConfig(InvalidInput):
    default_code = "CONNECTOR_INVALID_CONFIG"
    default_message = "The connector configuration is invalid."


class Unauthenticated(PatchbayError):
    status = 401

    def __init__(
        self, message: str = "A valid API key is required: Authorization: Bearer pb_..."
    ) -> None:
        super().__init__(message=message, code="UNAUTHENTICATED")

    @classmethod
    def by_install_token(cls) -> Self:
        """For the routes of install sessions."""
        return cls("A valid install token is required: Authorization: Bearer pbi_...")


class PermissionDenied(PatchbayError):
    status = 403

    def __init__(self, permission: str) -> None:
        super().__init__(
            message=f"This needs the permission {permission}.",
            code="PERMISSION_DENIED",
            details={"permission": permission},
        )


class InstallTokenRequired(PatchbayError):
    """An API key, on a route of install sessions."""

    status = 403

    def __init__(self) -> None:
        super().__init__(
            message="This route is for the token of an install session, not for an API key.",
            code="PERMISSION_DENIED",
        )


class OutsideOwnSpace(PatchbayError):
    """The caller has a key of one space, and asks for what is not of a space."""

    status = 403

    def __init__(self, slug: str) -> None:
        super().__init__(
            message=f"Your key is for the space {slug} only, and this is not part of a space.",
            code="PERMISSION_DENIED",
            details={"space": slug},
        )


class ReferenceDenied(PatchbayError):
    """The reference names a secret outside the organization. The message does not say whose, nor
    whether it exists."""

    status = 403

    def __init__(self, message: str) -> None:
        super().__init__(
            message="The reference names a secret outside this organization.",
            code="PERMISSION_DENIED",
            details={"errors": [{"pointer": "/secret_ref", "message": message}]},
        )


class CrossSiteRequest(PatchbayError):
    """A browser sent its session along with what another site asked it for, or does not say that
    it was one of our own pages."""

    status = 403

    def __init__(self) -> None:
        super().__init__(
            message="A request with a session must come from a page of this deployment: "
            "send Sec-Fetch-Site: same-origin, or its own Origin.",
            code="CROSS_SITE_REQUEST",
        )


class CredentialUseDisabled(PatchbayError):
    """Nobody may read or use stored credentials in this deployment."""

    status = 403

    def __init__(self) -> None:
        super().__init__(
            message="The use of stored credentials is switched off in this deployment.",
            code="CREDENTIAL_USE_DISABLED",
        )


class NotFound(PatchbayError):
    """The thing does not exist, or is another tenant's: the caller does not learn which."""

    status = 404

    def __init__(self, thing: str | None = None, hint: str = "") -> None:
        name = thing or "resource"
        code = f"{name.upper().replace(' ', '_')}_NOT_FOUND" if thing else "NOT_FOUND"
        super().__init__(message=f"There is no such {name}{hint}.", code=code)


class NoSuchRelease(NotFound):
    """No release is what was asked for; `why` is for the one who asked."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__("release")


class MethodNotAllowed(PatchbayError):
    status = 405

    def __init__(self, allowed: Sequence[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(
            message="This path does not support that method.",
            code="METHOD_NOT_ALLOWED",
            details={"allowed": list(allowed)},
        )


class Conflict(PatchbayError):
    status = 409

    def __init__(self, message: str, code: str = "CONFLICT", **details: Any) -> None:
        super().__init__(message=message, code=code, details=details)


class QuotaExceeded(PatchbayError):
    """The organization has as many things of a kind as it may have; nothing was done.

    It is not a 429: waiting does not help, deleting does.
    """

    status = 409

    def __init__(self, quota: str, limit: int, used: int) -> None:
        super().__init__(
            message=f"The quota {quota} is used up: {used} of {limit}. "
            "Delete what is not needed, or ask the operator for a higher limit.",
            code="QUOTA_EXCEEDED",
            details={"quota": quota, "limit": limit, "used": used},
        )


class SessionEnded(PatchbayError):
    """An install session that expired, was revoked, or was completed; `how` says which.

    The message is for an end user, who has a browser in front of them.
    """

    status = 410
    sentences: ClassVar[Mapping[str, str]] = {
        "expired": "This link has expired. Go back to the app that sent you, and start again.",
        "revoked": "This link was withdrawn. Go back to the app that sent you, and start again.",
        "completed": "This link was used already: what it is for is done.",
    }

    def __init__(self, how: str) -> None:
        super().__init__(
            message=self.sentences[how], code="INSTALL_SESSION_ENDED", details={"status": how}
        )


class ApplicationUnusable(Conflict):
    """The OAuth application of an integration is missing, or its secret may not be sent where it
    would have to be; `reason` says which."""

    def __init__(self, reason: str, message: str, problems: Sequence[Problem] = ()) -> None:
        errors = [{"pointer": p.pointer, "message": p.message} for p in problems]
        more = {"errors": errors} if errors else {}
        super().__init__(message, "OAUTH_APPLICATION_UNUSABLE", reason=reason, **more)


class PreconditionFailed(PatchbayError):
    status = 412

    def __init__(self) -> None:
        super().__init__(
            message="The entity has changed: read it again and repeat with its new ETag.",
            code="PRECONDITION_FAILED",
        )


class PayloadTooLarge(PatchbayError):
    status = 413

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(
            message=f"The request body is larger than {limit_bytes} bytes.",
            code="PAYLOAD_TOO_LARGE",
            details={"limit_bytes": limit_bytes},
        )


class UnsupportedMediaType(PatchbayError):
    """The body is not JSON in UTF-8, or is compressed, by what its headers say.

    `headers` are those of the response, such as Accept for the types that the route takes
    (RFC 9110, section 15.5.16).
    """

    status = 415

    def __init__(self, header: str, message: str, headers: Mapping[str, str]) -> None:
        self.headers = dict(headers)
        super().__init__(
            message="The request body has a type or encoding that this route does not accept.",
            code="UNSUPPORTED_MEDIA_TYPE",
            details={"errors": [{"pointer": f"/headers/{header}", "message": message}]},
        )


class NotPublishable(PatchbayError):
    """The draft can't become a release; `problems` point into the integration."""

    status = 422

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(
            message="The integration can't be published as it is.",
            code="NOT_PUBLISHABLE",
            details={"errors": [{"pointer": p.pointer, "message": p.message} for p in problems]},
        )


class SecretReentryRequired(PatchbayError):
    """The edit would send stored secrets elsewhere: they must be entered again.

    `pointers` lead to the secrets, or to the reference to them; `changed` are the parts of the
    binding that differ.
    """

    status = 422
    sentence: ClassVar[str] = "This changes where the stored secrets are sent: enter them again."

    def __init__(self, pointers: Sequence[str], changed: Sequence[str]) -> None:
        super().__init__(
            message=self.sentence,
            code="SECRET_REENTRY_REQUIRED",
            details={
                "errors": [
                    {"pointer": pointer, "message": "must be entered again"} for pointer in pointers
                ],
                "changed": list(changed),
            },
        )


class SecretsLost(SecretReentryRequired):
    """The data key of stored secrets was deleted, so they can't be opened.

    `names` are the secrets that must be entered again.
    """

    sentence = (
        "The stored secrets can't be opened any more, because their data key was deleted: "
        "enter them again."
    )

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = tuple(names)
        super().__init__([f"/secrets/{name}" for name in self.names], changed=[])


class AuthorizationRequired(PatchbayError):
    """The account has to be connected at the provider first, or again.

    `reason` is `missing`, or `other_values` if it was connected for other values than these.
    """

    status = 422
    sentences: ClassVar[Mapping[str, str]] = {
        "missing": "Connect your account first.",
        "other_values": "Connect your account again: it was connected for other values.",
    }

    def __init__(self, reason: str) -> None:
        super().__init__(
            message=self.sentences[reason],
            code="AUTHORIZATION_REQUIRED",
            details={"reason": reason},
        )


class FailedTest(PatchbayError):
    """What was to be stored was tested first, and the test failed: nothing was stored.

    `details.test` is the report.
    """

    status = 422

    def __init__(self, report: Mapping[str, Any]) -> None:
        super().__init__(
            message="The test failed: nothing was stored.",
            code="TEST_FAILED",
            details={"test": dict(report)},
        )


class CredentialUnusable(PatchbayError):
    """The stored credential can't be used until its owner has acted.

    `unusable_code` is one of the codes of tests, `action` a required action of connections.
    """

    status = 422

    def __init__(self, pointer: str, message: str, unusable_code: str, action: str) -> None:
        self.unusable_code = unusable_code
        super().__init__(
            message="The credential of this connection can't be used as it is.",
            code="CREDENTIAL_UNUSABLE",
            details={
                "errors": [{"pointer": pointer, "message": message}],
                "code": unusable_code,
                "required_action": action,
            },
        )


class RateLimited(PatchbayError):
    """A limit of this deployment, not of a provider; nothing was done."""

    status = 429

    def __init__(self, message: str, retry_after_seconds: int, **details: Any) -> None:
        super().__init__(
            message=message,
            code="RATE_LIMITED",
            details=details,
            retry_after_seconds=retry_after_seconds,
        )

    @classmethod
    def by_requests(cls, what: str, limit: int, wait_seconds: int) -> Self:
        """For a caller that has made more requests than it may: all of the `limit` are used."""
        return cls(
            f"Too many requests: try again in {wait_seconds} s.",
            wait_seconds,
            quota=f"{what}_per_minute",
            limit=limit,
            used=limit,
        )


class InternalError(PatchbayError):
    """Our fault. The logs have the cause under the trace id; the response does not."""

    status = 500

    def __init__(self) -> None:
        super().__init__(message="Something went wrong on our side.", code="INTERNAL_ERROR")


class ProviderFailed(PatchbayError):
    """A provider gave no answer that can be passed on. It may have done what it was asked.

    `dial_code` is one of the codes of tests.
    """

    status = 502

    def __init__(self, dial_code: str, message: str, code: str = "PROVIDER_FAILED") -> None:
        self.dial_code = dial_code
        super().__init__(message=message, code=code, details={"code": dial_code})


class ProviderTimedOut(ProviderFailed):
    """A provider did not answer in time."""

    status = 504

    def __init__(self, dial_code: str, message: str) -> None:
        super().__init__(dial_code, message, "PROVIDER_TIMED_OUT")


class TemporarilyUnavailable(PatchbayError):
    """A service that we depend on did not respond in time; the request may be repeated."""

    status = 503

    def __init__(self, retry_after_seconds: int = 1) -> None:
        super().__init__(
            message="Temporarily unavailable: repeat the request in a moment.",
            code="TEMPORARILY_UNAVAILABLE",
            retry_after_seconds=retry_after_seconds,
        )
