"""A small client of the Patchbay API, for what the local cloud does through it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from local.problems import Problem

_TIMEOUT_SECONDS = 35


@dataclass(frozen=True)
class Answer:
    """A status and the JSON object that came with it."""

    status: int
    body: dict[str, Any]

    @property
    def problem(self) -> str:
        """What an error's envelope says, with its first detail."""
        error = self.body.get("error", {})
        details = error.get("details", {}).get("errors", [])
        first = f" ({details[0]['pointer']}: {details[0]['message']})" if details else ""
        return f"{self.status} {error.get('code', '')} {error.get('message', '')}{first}"


@dataclass(frozen=True)
class Client:
    """Calls one deployment with one API key."""

    api_url: str
    api_key: str = field(repr=False)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; any status is an answer."""
        address = self.api_url.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        if not address.startswith(("http://", "https://")):
            raise Problem(f"not an address of an API: {self.api_url}")
        request = Request(  # noqa: S310 - the scheme is checked above
            address,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.api_key}",
                "Content-Type": "application/json",
                **(headers or {}),
            },
        )
        try:
            with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
                return Answer(answer.status, _object(answer.read()))
        except HTTPError as error:
            with error:
                return Answer(error.code, _object(error.read()))
        except URLError as error:
            raise Problem(f"{self.api_url} does not answer: {error.reason}") from error


def _object(text: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(text or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
