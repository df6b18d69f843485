"""No answer makes a command end with a traceback: whatever a proxy, another program, or another
version answers, there is one sentence, and an exit code that does not blame the user.

The server answers the examples of the API document, each with one value that is of a wrong type, or
missing.
"""

import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

import pytest
from patchbay_cli.exits import Exit

from local.openapi import DOCUMENT
from tests.integration.deployment_folder import edited, write_folder
from tests.unit.cli.conftest import ORGANIZATION_ID, Patchbay
from tests.unit.cli.test_imports import OPENAPI
from tests.unit.cli.test_program import ALL
from tests.unit.sdk.stand_in import KEY, StandIn, answers, fails

pytestmark = pytest.mark.enable_socket

MISSING: Final = object()
TRACE_ID: Final = "Yf3kJh1uFiAEMZg="
ASK_NOBODY: Final = frozenset({"logout", "profiles", "dev", "lint", "completion"})
type Pointer = tuple[str | int, ...]


@dataclass(frozen=True, eq=False)
class Route:
    """An operation of the document, with the example of its answer."""

    method: str
    pattern: re.Pattern[str]
    status: int
    body: Any


@cache
def routes() -> list[Route]:
    found = []
    for path, methods in json.loads(DOCUMENT.read_text())["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json")
                if status.startswith("2") and content:
                    pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
                    body = content["example"]
                    # One page: a list that leads back ends with an error of its own.
                    last: dict[str, Any] = {
                        one: None for one in ("next_cursor", "nextCursor") if one in body
                    }
                    if path.endswith("/browser-sessions/current"):
                        last = {"permissions": ["platform.integration.manage"]}
                    found.append(Route(method.upper(), pattern, int(status), {**body, **last}))
    # A path without parameters is the nearer one.
    return sorted(found, key=lambda route: route.pattern.pattern.count("[^/]+"))


@dataclass
class Documented:
    """Answers as the document shows, but for one value of one route."""

    asked: list[Route] = field(default_factory=list)
    spoiled: tuple[Route, Pointer, Any] | None = None

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        for route in routes():
            if route.method == handler.command and route.pattern.fullmatch(path):
                self.asked.append(route)
                answers(route.status, self._body(route), {"apigw-requestid": TRACE_ID})(handler)
                return
        fails(404, "NOT_FOUND")(handler)

    def _body(self, route: Route) -> Any:
        if self.spoiled is None or self.spoiled[0] is not route:
            return route.body
        _, pointer, value = self.spoiled
        return replaced(route.body, pointer, value)


def replaced(body: Any, pointer: Pointer, value: Any) -> Any:
    if not pointer:
        return None if value is MISSING else value
    copy: Any = dict(body) if isinstance(body, dict) else list(body)
    first, rest = pointer[0], pointer[1:]
    if rest or value is not MISSING:
        copy[first] = replaced(body[first], rest, value)
    else:
        del copy[first]
    return copy


def found(body: Any, pointer: Pointer) -> Any:
    for key in pointer:
        body = body[key]
    return body


def pointers(body: Any, here: Pointer = ()) -> Iterator[Pointer]:
    """Every place of a body. Of a list, the first item."""
    yield here
    items = body.items() if isinstance(body, dict) else enumerate(body[:1])
    for key, value in items:
        if isinstance(value, dict | list):
            yield from pointers(value, (*here, key))
        else:
            yield (*here, key)


def wrong(value: Any) -> Any:
    """A value of another type."""
    return {"a": 5} if isinstance(value, str | int | list | None) else "text"


CALLS: Final = {
    "login": ["login --url {url} --api-key-stdin --storage file"],
    "test": ["test con_1", "test src_1", "test dst_1"],
    "health": ["health", "health --all"],
    "connections": ["connections"],
    "install-link": ["install-link acme/crm"],
    "import": ["events import {folder}/e.ndjson --again"],
    "openapi": ["import openapi {folder}/openapi.json --publisher acme --publish"],
    "rotate": [
        "rotate --from {folder}/r.ndjson",
        "rotate --from {folder}/r.ndjson --dry-run",
    ],
    "upgrade": [
        "upgrade --integration acme/crm --to 9.0.0 --yes",
        "upgrade --integration acme/crm --to 9.0.0 --dry-run --all-organizations",
    ],
    "apply": ["apply {folder}/apply --yes --secrets-to {folder}/secrets"],
    "audit": ["audit"],
    "export": ["export {organization}"],
    "erase": ["erase {organization} --confirm {organization}", "erase {organization} --status"],
    "doctor": ["doctor"],
}
"""How each command is called that asks a deployment."""
LIKE: Final = {"nango", "airbyte", "postman"}
"""What they do at a deployment is what `import openapi` does."""
IN_PART: Final = ("rotate", "upgrade", "import", "apply", "doctor")
"""They go on after one answer, and end with 1 if a part is not done."""
EVERY_CALL: Final = [call for calls in CALLS.values() for call in calls]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    secrets = {"source_id": "src_1", "secrets": {"api_key": "new"}}
    (tmp_path / "r.ndjson").write_text(json.dumps(secrets) + "\n")
    (tmp_path / "r.ndjson").chmod(0o600)
    event = {"integration_type": "webhook", "status": "SUCCESS", "occurred_at": "2026-02-17T10:00Z"}
    (tmp_path / "e.ndjson").write_text(json.dumps(event) + "\n")
    (tmp_path / "openapi.json").write_text(json.dumps(OPENAPI))
    as_the_examples(tmp_path / "apply")
    monkeypatch.setenv("CRM_KEY", "the-new-secret")
    monkeypatch.setenv("HOOK", "https://hooks.example.com/services/1")
    return tmp_path


def as_the_examples(folder: Path) -> None:
    """A folder with an integration that is new, and an edit of what the examples have."""
    write_folder(folder, "acme", "acme-production")
    source = {"name": "Our tracker", "integration": "acme/tracker", "variables": {"path": "you"}}
    edited(folder / "organization.json", lambda content: content["sources"][0].update(source))
    # The key of the example may not give these permissions.
    edited(folder / "organization.json", lambda content: content.pop("api_keys"))
    connection = {"name": "Invoices", "source": "Our tracker"}
    condition = {"kind": "connection_down", "connection": "Invoices"}
    rule = {"name": "Too many errors", "condition": condition}
    space = folder / "spaces/acme-production.json"
    edited(space, lambda content: content["connections"][0].update(connection))
    edited(space, lambda content: content["alert_rules"][0].update(rule))


def test_every_command_that_asks_a_deployment_is_here() -> None:
    assert {name for name, _ in ALL} == CALLS.keys() | LIKE | ASK_NOBODY


@pytest.mark.parametrize("call", EVERY_CALL)
def test_whatever_a_deployment_answers_there_is_a_sentence(
    server: StandIn,
    patchbay: Patchbay,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    words = call.format(url=server.url, folder=files, organization=ORGANIZATION_ID).split()

    def ran(documented: Documented, *options: str) -> tuple[int, list[str]]:
        server.does(documented)
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{KEY}\n"))
        done = patchbay(*words, *options)
        return done.code, done.err.splitlines()

    whole = Documented()
    expected, said = ran(whole)
    assert expected in (Exit.DONE, Exit.FAILED, Exit.CHANGES), said
    allowed = {expected, Exit.DONE, Exit.CHANGES, Exit.PLATFORM}
    if words[0] in IN_PART:
        allowed.add(Exit.FAILED)
    if words[0] == "test":
        # A test that failed, and nobody says whose fault it is.
        allowed.add(Exit.UNKNOWN)

    for route in dict.fromkeys(whole.asked):
        for position, pointer in enumerate(pointers(route.body)):
            here = f"{route.method} {route.pattern.pattern} {pointer}"
            # An apply asks much at each run: half of them for one value, and half for the other.
            if words[0] != "apply" or position % 2:
                code, said = ran(Documented(spoiled=(route, pointer, MISSING)), "--json")
                assert code in allowed, (here, said)
                assert all(isinstance(json.loads(line), dict) for line in said), (here, said)
                if words[0] == "apply":
                    continue
            value = wrong(found(route.body, pointer))
            code, said = ran(Documented(spoiled=(route, pointer, value)))
            assert code in allowed, (here, value, said)
            if code == Exit.PLATFORM and words[0] not in IN_PART:
                assert said[0].startswith("patchbay: the answer "), (here, said)
                assert said[1:] == [f"  trace {TRACE_ID}"], (here, said)
