"""The errors of the document: one response for each status, with an error as the API sends it."""

import json
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from local.openapi_schemas import Json, operations
from patchbay.platform import errors
from patchbay.platform.http import JSON_TYPE, MAX_BODY_BYTES, error_response

_NOW: Final = datetime(2026, 2, 17, 10, tzinfo=UTC)
_TRACE_ID: Final = "Yf3kJh1uFiAEMZg="

_ERRORS: Final = [
    errors.InvalidInput([errors.Problem("/name", "is required")]),
    errors.Unauthenticated(),
    errors.PermissionDenied("platform.integration.manage"),
    errors.NotFound("connection"),
    errors.Conflict("The slug is taken.", "SLUG_TAKEN"),
    errors.SessionEnded("expired"),
    errors.PreconditionFailed(),
    errors.PayloadTooLarge(MAX_BODY_BYTES),
    errors.UnsupportedMediaType("Content-Type", f"must be {JSON_TYPE}", {"Accept": JSON_TYPE}),
    errors.SecretReentryRequired(["/secrets/api_key"], ["host"]),
    errors.RateLimited("Too many requests.", 1),
    errors.InternalError(),
    errors.ProviderFailed("connection_refused", "The connection was refused."),
    errors.ProviderTimedOut("provider_timeout", "The provider did not answer in time."),
    errors.TemporarilyUnavailable(),
]
"""An error of each status."""

_HEADERS: Final = {
    "Accept": "The content types that are taken.",
    "Retry-After": "Seconds to wait before the request is repeated.",
    "WWW-Authenticate": "How to authenticate: with a bearer token.",
}
_MEANINGS: Final = {422: "The request is valid, and can't be carried out as things are"}
"""Of statuses that a route declares by itself."""


def share_failures(document: Json) -> None:
    """One component for each status of an error, which all operations refer to.

    Raises KeyError for a status without an example.
    """
    shared: Json = {}
    examples = {error.status: error for error in _ERRORS}
    for operation in operations(document):
        for status, answer in operation["responses"].items():
            if status < "400":
                continue
            name = re.sub(r"\W", "", HTTPStatus(int(status)).phrase.title())
            if name not in shared:
                shared[name] = _filled(answer, examples[int(status)])
            operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    document["components"]["responses"] = dict(sorted(shared.items()))


def _filled(answer: Json, error: errors.PatchbayError) -> Json:
    sent = error_response(error, _TRACE_ID, _NOW)
    headers = {
        name: {
            "description": _HEADERS[name],
            "schema": {"type": "integer" if name == "Retry-After" else "string"},
            "example": int(value) if name == "Retry-After" else value,
        }
        for name, value in sent.headers.items()
        if name in _HEADERS
    }
    content: dict[str, Any] = {
        "schema": answer["content"][JSON_TYPE]["schema"],
        "example": json.loads(str(sent.body)),
    }
    return {
        "description": _MEANINGS.get(error.status, answer["description"]),
        **({"headers": headers} if headers else {}),
        "content": {JSON_TYPE: content},
    }
