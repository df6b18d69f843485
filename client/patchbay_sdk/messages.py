"""What is sent, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

_TRACE_HEADER: Final = "apigw-requestid"
"""API Gateway adds it to every answer. Errors have the same id in their body."""


@dataclass(frozen=True)
class Request:
    """One request. Its repr shows neither headers nor body, because they hold secrets, and not the
    URL, because some links are secrets too."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)
    timeout_seconds: float = 35.0
    repeatable: bool = False
    """Whether it may be sent again even if the deployment may have done it already."""
    is_deletion: bool = False
    """Whether it only makes something be gone, so that "gone already" is as good."""


@dataclass(frozen=True)
class Response:
    """One answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes = field(default=b"", repr=False)

    @property
    def etag(self) -> str | None:
        """The revision of what was read, for `if_match`."""
        return self.headers.get("etag")

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    @property
    def trace_id(self) -> str | None:
        """The id of the request in the logs of the deployment, if the answer says it."""
        return self.headers.get(_TRACE_HEADER)

    def json(self) -> Any:
        """The body as JSON. Raises `ValueError`."""
        return json_of(self.content)

    @property
    def is_proxied(self) -> bool:
        """Whether it is the answer of a provider, passed on by the proxy."""
        return self.headers.get("patchbay-proxied") == "true"


def json_of(text: str | bytes) -> Any:
    """What a text of JSON says. Raises `ValueError`, also for what could not be sent as JSON."""
    try:
        return json.loads(text, parse_constant=_refused, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("the number is too large")
    return number
