"""The whole API in one process: requests go to the handler that declares their route."""

import importlib
import json
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))


class Environment(Mapping[str, str]):
    """The variables of this process that the template gives to one function, and no others."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self.read: set[str] = set()
        """Those that were read so far."""

    def __getitem__(self, name: str) -> str:
        if name not in self.names:
            raise KeyError(name)
        self.read.add(name)
        return os.environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


ENVIRONMENTS: dict[str, Environment] = {}
"""Of each function, while it is deployed."""


def start_cold(*functions: str) -> None:
    """Gives these functions, or all, a new deployment: as in a new process, nothing is cached."""
    for name in functions or FUNCTIONS:
        module: Any = importlib.import_module(name)
        if hasattr(module, "deployment"):
            module.deployment = type(module.deployment)(ENVIRONMENTS[name])


def sample_event(function: str) -> dict[str, Any]:
    """The function's file of `events/`."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{function}.json").read_text())
    return event


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str
    cookies: tuple[str, ...] = ()
    """Each that is set, as the text of its header."""
    body: bytes = b""
    """What the client gets. `text` is the same where it is text."""

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The error's code; an envelope that is not whole fails here."""
        envelope = self.json
        assert envelope["success"] is False
        error = envelope["error"]
        assert set(error) == {
            "code",
            "message",
            "type",
            "status",
            "details",
            "trace_id",
            "timestamp",
        }
        assert error["status"] == self.status
        assert error["type"] == ("client_error" if self.status < 500 else "server_error")
        code: str = error["code"]
        return code

    @property
    def pointers(self) -> list[str]:
        return [pointer for pointer, _ in self.problems]

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Each pointer with its message."""
        errors = self.json["error"]["details"]["errors"]
        return [(problem["pointer"], problem["message"]) for problem in errors]


@dataclass(frozen=True, slots=True)
class Client:
    """Calls with a key, through the authorizer, as API Gateway would."""

    key: str | None
    cookie: str = ""
    """Of a browser that is signed in, on a page of ours."""

    def with_key(self, key: str | None) -> "Client":
        return replace(self, key=key)

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, None, headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.call("POST", path, json.dumps(body, ensure_ascii=False), headers)

    def patch(self, path: str, body: Any, **headers: str) -> Answer:
        return self.call("PATCH", path, json.dumps(body, ensure_ascii=False), headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self.call("DELETE", path, None, headers)

    def call(
        self,
        method: str,
        target: str,
        body: str | bytes | None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """`headers` are spelt as Python names: `if_match` for If-Match. The path of the target is
        as the gateway decodes it; a body of bytes is one that is not text to the gateway."""
        path, _, query = target.partition("?")
        function, route = _route(method, path)
        event = sample_event("docs") | {
            "routeKey": route,
            "rawPath": path,
            "rawQueryString": query,
            "headers": {name.replace("_", "-"): value for name, value in (headers or {}).items()},
        }
        event["requestContext"] |= {
            "routeKey": route,
            "http": event["requestContext"]["http"] | {"method": method, "path": path},
        }
        if self.key is not None:
            event["headers"]["authorization"] = f"Bearer {self.key}"
        if self.cookie:
            event["headers"] |= {"cookie": self.cookie, "sec-fetch-site": "same-origin"}
        if isinstance(body, bytes):
            event |= {"body": b64encode(body).decode(), "isBase64Encoded": True}
        elif body is not None:
            event["body"] = body
        if function != "docs":
            said = importlib.import_module("authorizer").handler(event, None)
            assert said["isAuthorized"] is True
            event["requestContext"]["authorizer"] = {"lambda": said["context"]}
        answer = importlib.import_module(function).handler(event, None)
        flat = {name.lower(): value for name, value in answer["headers"].items()}
        cookies = tuple(answer.get("cookies", ()))
        text = answer["body"] or ""
        raw = b64decode(text) if answer["isBase64Encoded"] else text.encode()
        with suppress(UnicodeError):
            text = raw.decode()
        return Answer(answer["statusCode"], flat, text, cookies, raw)


@cache
def _pattern(declared: str) -> re.Pattern[str]:
    """What the paths of a route look like."""
    pattern = re.sub(r"\\\{\w+\\\+\\\}", ".+", re.escape(declared))
    return re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", pattern), re.DOTALL)


def _route(method: str, path: str) -> tuple[str, str]:
    for name in FUNCTIONS:
        api = getattr(importlib.import_module(name), "api", None)
        # Literal paths come first, as in API Gateway.
        for declared in sorted(api.routes if api else (), key=lambda d: d.path.count("{")):
            if declared.method == method and _pattern(declared.path).fullmatch(path):
                return name, f"{method} {declared.path}"
    return "docs", "$default"
