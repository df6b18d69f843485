"""Each provider of `catalog/` is played: what a test says of its answers, good and bad.

`catalog_answers/<slug>.json` has the answers, written by hand in the shapes that the provider
documents:

- `credential`: the header that a good key makes. `<name>` is a secret; after `Basic ` stands what
  is sent, before its base64.
- `right`: an answer for each step, to the `request` that it has to be, which the step sends with a
  good credential. `body` is text that the request's own body has.
- `wrong key`: to everything with another credential.
- `missing scope`: to the step `at`, from which on the key may not do more; or a text that says why
  the provider has none.
- `limit` and `outage`: to everything.

`code` of an answer is what the test has to say of it. Databases and mail servers, which have no
HTTP, are played in `tests/unit/checks`.
"""

import asyncio
import base64
import json
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import trustme

from patchbay.checks.report import CheckReport, Step
from patchbay.checks.runner import run
from patchbay.egress import dialing, guard
from patchbay.egress.addresses import Address
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.sockets import AsyncSocket
from patchbay.egress.tls import VERIFIED, new_context
from patchbay.registry.recipes import recipe_of_draft
from tests.unit.checks.doubles import http_response, serving
from tests.unit.registry.test_catalog import ENTRIES, Entry, draft_of, sample_variables

pytestmark = pytest.mark.enable_socket

ANSWERS: Final = Path(__file__).parent / "catalog_answers"
PLAYED: Final = [entry for entry in ENTRIES if all(step["kind"] == "http" for step in entry.steps)]
OWN_PROTOCOL: Final = {"mysql", "postgresql", "redis", "s3", "smtp"}
LIMIT: Final = {"status": 429, "code": "rate_limited"}
OUTAGE: Final = {"status": 503, "code": "provider_error"}

each_provider: Final = pytest.mark.parametrize("entry", PLAYED, ids=[one.slug for one in PLAYED])


@cache
def answers_of(slug: str) -> dict[str, Any]:
    answers: dict[str, Any] = json.loads((ANSWERS / f"{slug}.json").read_text())
    return answers


def secret(name: str, *, is_right: bool = True) -> str:
    return f"{'right' if is_right else 'wrong'}-{name}-0123456789"


@cache
def hosts() -> tuple[str, ...]:
    """The hosts that are played, as the requests of the answers name them."""
    requests = [right["request"] for one in PLAYED for right in answers_of(one.slug)["right"]]
    for one in PLAYED:
        oauth = answers_of(one.slug).get("oauth", {})
        parts = [oauth.get(name) for name in ("exchange", "lookup", "refresh")]
        parts += oauth["revocation"] if isinstance(oauth.get("revocation"), list) else []
        requests += [part["request"] for part in parts if isinstance(part, dict)]
    return tuple(sorted({re.split("[/?]", request)[2] for request in requests}))


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of the server, which has a certificate for every host, and of the client."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts()).configure_cert(server)
    client = new_context(VERIFIED)
    authority.configure_trust(client)
    return server, client


class Loopback:
    """A resolver by which every host is on this machine."""

    async def resolve(self, host: str) -> list[str]:
        assert host in hosts()
        return ["127.0.0.1"]


@dataclass(frozen=True)
class Provider:
    """A server that answers as the provider does."""

    answers: Mapping[str, Any]
    everything: Mapping[str, Any] | None = None
    """In answer to all requests, as in an outage."""
    refused: Mapping[str, Any] | None = None
    """In answer to the request that it names in `at`, for want of a scope."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (f.partition(": ") for f in fields)}
        body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
        method, target, _ = line.split(" ")
        answer = self.answer(f"{method} https://{headers['host']}{target}", headers, body)
        content = answer.get("text") or ("" if "json" not in answer else json.dumps(answer["json"]))
        extra = {"Content-Type": "application/json", **answer.get("headers", {})}
        lines = (f"{name}: {value}" for name, value in extra.items())
        writer.write(http_response(f"{answer.get('status', 200)} -", content.encode(), *lines))
        await writer.drain()

    def answer(self, request: str, headers: Mapping[str, str], body: str) -> Mapping[str, Any]:
        if self.everything is not None:
            return self.everything
        if any(headers.get(name) != value for name, value in self.credential().items()):
            wrong: dict[str, Any] = self.answers["wrong key"]
            return wrong
        if self.refused and request == self.refused["at"] and self.refused.get("body", "") in body:
            return self.refused
        for right in self.answers["right"]:
            if right["request"] == request and right.get("body", "") in body:
                found: dict[str, Any] = right
                return found
        return {"status": 404, "json": {"unexpected": request}}

    def credential(self) -> dict[str, str]:
        return {
            name.lower(): with_base64(re.sub("<([a-z_]+)>", lambda found: secret(found[1]), value))
            for name, value in self.answers["credential"].items()
        }


def with_base64(value: str) -> str:
    """A header as it is sent: what stands after `Basic ` is in base64 then."""
    scheme, _, pair = value.partition(" ")
    return f"Basic {base64.b64encode(pair.encode()).decode()}" if scheme == "Basic" else value


type Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def on_loopback[T](
    monkeypatch: pytest.MonkeyPatch,
    serve: Serve,
    call: Callable[[guard.EgressGuard], Awaitable[T]],
) -> T:
    """Calls with a guard for which every host is this server on this machine."""
    server, client = contexts()

    async def called() -> T:
        async with serving(serve, tls=server) as port:

            async def dial(addresses: list[Address], _: int, deadline: float) -> AsyncSocket:
                return await dialing.dial(addresses, port, deadline)

            monkeypatch.setattr(guard, "dial", dial)
            policy = EgressPolicy.parse("127.0.0.1/32:443")
            return await call(guard.EgressGuard(policy, resolver=Loopback(), tls_context=client))

    return asyncio.run(called())


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Tests an entry against a provider on the loopback."""

    def tested(entry: Entry, provider: Provider, *, is_right: bool = True) -> CheckReport:
        draft = draft_of(entry)
        recipe = recipe_of_draft(draft)
        plan = recipe.plan(
            sample_variables(entry, draft.variables_schema),
            {name: secret(name, is_right=is_right) for name in recipe.secret_names},
        )
        assert plan.problems == ()
        return on_loopback(
            monkeypatch, provider.serve, lambda egress: run(plan, egress, total_ms=20_000)
        )

    return tested


def failing(report: CheckReport) -> list[Step]:
    return [step for step in report.steps if step.code is not None]


def described(report: CheckReport) -> str:
    return "\n".join(f"{s.name}: {s.status} {s.code} {s.summary}" for s in report.steps)


def test_every_provider_with_http_is_played() -> None:
    assert {entry.slug for entry in ENTRIES} - {entry.slug for entry in PLAYED} == OWN_PROTOCOL
    assert {path.stem for path in ANSWERS.glob("*.json")} == {entry.slug for entry in PLAYED}


@each_provider
def test_the_right_key_proves_access_and_what_it_may_do(entry: Entry, play: Any) -> None:
    report = play(entry, Provider(answers_of(entry.slug)))
    assert failing(report) == [], described(report)
    assert report.verified
    assert len(answers_of(entry.slug)["right"]) == len(entry.steps)


@each_provider
def test_a_wrong_key_is_the_customers_to_change(entry: Entry, play: Any) -> None:
    # given
    answers = answers_of(entry.slug)

    # when
    report = play(entry, Provider(answers), is_right=False)

    # then
    expected = answers["wrong key"].get("code", "auth_invalid")
    assert report.code == expected, described(report)
    assert (report.passed, report.blame) == (False, "customer")
    [step] = failing(report)
    assert step.name == entry.steps[0]["name"]
    assert (step.field_pointer or "").startswith("/secrets/")


@each_provider
def test_a_missing_scope_costs_the_capability_alone(entry: Entry, play: Any) -> None:
    # given
    answers = answers_of(entry.slug)
    refused = answers["missing scope"]
    if isinstance(refused, str):
        assert refused.endswith(".")
        return

    # when
    report = play(entry, Provider(answers, refused=refused))

    # then
    [step] = failing(report)
    assert step.code == refused.get("code", "permission_denied"), described(report)
    assert (step.category, step.status) == ("capability", "warning")
    assert report.verified


@each_provider
def test_a_limit_is_waited_for(entry: Entry, play: Any) -> None:
    answers = answers_of(entry.slug)
    limit = answers.get("limit", LIMIT)
    report = play(entry, Provider(answers, everything=limit))
    assert report.code == limit.get("code", "rate_limited"), described(report)
    assert (report.blame, report.retryable) == ("provider", True)
    after = limit.get("headers", {}).get("Retry-After")
    assert after is None or report.retry_after_seconds == int(after)


@each_provider
def test_an_outage_is_the_providers(entry: Entry, play: Any) -> None:
    answers = answers_of(entry.slug)
    report = play(entry, Provider(answers, everything=answers.get("outage", OUTAGE)))
    assert (report.code, report.blame) == ("provider_error", "provider"), described(report)
    assert report.retryable
