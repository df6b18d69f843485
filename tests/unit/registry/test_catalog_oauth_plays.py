"""Each OAuth entry of `catalog/` is played: an account is connected, refreshed, and disconnected.

`oauth` in `catalog_answers/<slug>.json` has what the provider documents, written by hand:

- `authorization`: where the browser goes, and `asks`: the parameters it goes with, all of them.
- `callback`: the parameters that it comes back with. `<hmac>` signs the others, as Shopify does.
- `exchange`: the request that turns the code into tokens, and its `answer`.
- `lookup`: the request after it, where the provider has one.
- `captured`: the variables that came of it.
- `lasts`: the seconds that the access token lasts; null if nothing says so.
- `refresh`: the request for a fresh token, and its `answer`, where a new refresh token may be; or a
  text that says why there is none.
- `revocation`: the requests that take the tokens back; or a text that says why there is none.

An integration whose client has a grant of its own (`client_credentials`) connects no account. It
has `issue`, the request for a token, and `lasts` alone.

A request has `headers`, and its parameters in `form`, `json`, or its URL. The server compares all
of them, and refuses what is different. `<name>` is a value of this module; after `Basic ` stands
what is sent, before its base64.
"""

import asyncio
import hmac
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest

from patchbay.checks.failures import CheckFailure
from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.recipe import Recipe
from patchbay.checks.token_calls import IssuedTokens
from patchbay.checks.token_revocation import TokenHint
from patchbay.egress import guard
from patchbay.grants.client_places import client_places
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of_draft
from tests.unit.checks.doubles import http_response
from tests.unit.registry.test_catalog import ENTRIES, Entry, draft_of, sample_variables
from tests.unit.registry.test_catalog_plays import (
    answers_of,
    on_loopback,
    secret,
    with_base64,
)

pytestmark = pytest.mark.enable_socket

OAUTH: Final = [entry for entry in ENTRIES if entry.body["authConfig"]["type"] == "oauth2"]
OWN_GRANT: Final = [entry for entry in OAUTH if "grantType" in entry.body["authConfig"]]
CONNECTED: Final = [entry for entry in OAUTH if entry not in OWN_GRANT]
CLIENT: Final = OAuthClient("client-id-1", secret("client_secret"))
REDIRECT_URI: Final = "https://connect.example.com/oauth/callback"
VERIFIER: Final = "a-verifier-of-43-characters-or-more-0123456789"
GIVEN: Final = {
    "client_id": CLIENT.client_id,
    "client_secret": str(CLIENT.client_secret),
    "redirect_uri": REDIRECT_URI,
    "state": "state-0123456789",
    "code": "code-0123456789",
    "code_verifier": VERIFIER,
    "code_challenge": urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode(),
    "access_token": secret("access_token"),
    "refresh_token": secret("refresh_token"),
    "new_access_token": f"new-{secret('access_token')}",
    "new_refresh_token": f"new-{secret('refresh_token')}",
}
HMAC: Final = "<hmac>"
ENDED: Final = {"status": 400, "json": {"error": "invalid_grant"}}
"""How a provider answers to a refresh token that it has ended (RFC 6749 §5.2)."""

each_oauth_entry: Final = pytest.mark.parametrize(
    "entry", CONNECTED, ids=[one.slug for one in CONNECTED]
)


def filled(part: Any) -> Any:
    """A part of the answers with the values of its placeholders."""
    if isinstance(part, dict):
        return {name: filled(value) for name, value in part.items()}
    if isinstance(part, list):
        return [filled(value) for value in part]
    if not isinstance(part, str):
        return part
    now = {"in_an_hour": (datetime.now(UTC) + timedelta(hours=1)).isoformat(), "hmac": HMAC}
    return with_base64(re.sub("<([a-z_]+)>", lambda found: (GIVEN | now)[found[1]], part))


def signed(callback: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a callback, with the signature of the others where `<hmac>` stands."""
    others = sorted((name, value) for name, value in callback.items() if value != HMAC)
    text = "&".join(f"{name}={value}" for name, value in others)
    made = hmac.new(GIVEN["client_secret"].encode(), text.encode(), "sha256").hexdigest()
    return {name: made if value == HMAC else value for name, value in callback.items()}


def oauth_of(entry: Entry) -> dict[str, Any]:
    oauth: dict[str, Any] = filled(answers_of(entry.slug)["oauth"])
    return oauth


@dataclass
class Provider:
    """A server that answers one request as documented, and anything else with a 400."""

    documented: Mapping[str, Any]
    differences: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (f.partition(": ") for f in fields)}
        body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
        method, target, _ = line.split(" ")
        self.compare(f"{method} https://{headers['host']}{target}", headers, body)
        answer = self.documented.get("answer", {})
        if self.differences:
            answer = {"status": 400, "json": {"error": "invalid_request"}}
        content = answer.get("text") or json.dumps(answer.get("json", {}))
        kind = answer.get("type", "application/json")
        status = f"{answer.get('status', 200)} -"
        writer.write(http_response(status, content.encode(), f"Content-Type: {kind}"))
        await writer.drain()

    def compare(self, request: str, headers: Mapping[str, str], body: str) -> None:
        self.same("request", _with_query(request), _with_query(self.documented["request"]))
        for name, value in self.documented.get("headers", {}).items():
            self.same(name, headers.get(name.lower()), value)
        if "Authorization" not in self.documented.get("headers", {}):
            self.same("Authorization", headers.get("authorization"), None)
        kind = headers.get("content-type", "").partition(";")[0]
        if "json" in self.documented:
            self.same("content type", kind, "application/json")
            self.same("body", json.loads(body or "null"), self.documented["json"])
        elif "form" in self.documented:
            self.same("content type", kind, "application/x-www-form-urlencoded")
            self.same("body", dict(parse_qsl(body)), self.documented["form"])
        else:
            self.same("body", body, "")

    def same(self, what: str, sent: object, documented: object) -> None:
        if sent != documented:
            self.differences.append(f"{what}: {sent!r} was sent, {documented!r} is documented")


def _with_query(request: str) -> tuple[str, dict[str, str]]:
    """A request apart from the order of its parameters."""
    base, _, query = request.partition("?")
    return base, dict(parse_qsl(query))


type Asks = Callable[[guard.EgressGuard, float], Awaitable[Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, Any], Asks], Any]:
    """Makes a call to a provider on the loopback, which has to be the documented one."""

    def made(documented: Mapping[str, Any], call: Asks) -> Any:
        provider = Provider(documented)
        try:
            return on_loopback(
                monkeypatch,
                provider.serve,
                lambda egress: call(egress, asyncio.get_running_loop().time() + 20),
            )
        finally:
            assert provider.differences == []

    return made


def recipe_of(entry: Entry) -> tuple[Recipe, dict[str, object]]:
    """The recipe of an entry, and the variables that a person enters."""
    draft = draft_of(entry)
    recipe = recipe_of_draft(draft)
    captured = recipe.authorization.captured if recipe.authorization else frozenset()
    entered = sample_variables(entry, draft.variables_schema)
    return recipe, {name: value for name, value in entered.items() if name not in captured}


SELF_HOSTED: Final = {"mastodon": ("host",), "gitlab-oauth": ("host",)}
"""Servers that anybody runs: their application names the host that its secret is for."""


@each_oauth_entry
def test_the_client_secret_goes_to_the_provider_alone(entry: Entry) -> None:
    # given
    draft = draft_of(entry)
    documents: dict[str, Any] = {
        "id": draft.id,
        "version": entry.version,
        "published_at": datetime.now(UTC),
        "variables_schema": draft.variables_schema,
        "auth_config": draft.auth_config,
        "manifest": draft.manifest,
    }

    # when
    places = client_places(Release.model_construct(**documents))

    # then
    assert places.open_variables == SELF_HOSTED.get(entry.slug, ())
    captured = oauth_of(entry).get("captured", {})
    named = {
        name: sample_variables(entry, draft.variables_schema)[name]
        for name in places.open_variables
    }
    assert list(places.problems(captured | named, named)) == []


@each_oauth_entry
def test_a_browser_is_sent_with_what_the_provider_documents(entry: Entry) -> None:
    # given
    oauth = oauth_of(entry)
    recipe, variables = recipe_of(entry)
    assert recipe.authorization

    # when
    url = recipe.authorization.url(
        variables,
        CLIENT.client_id,
        redirect_uri=REDIRECT_URI,
        state=GIVEN["state"],
        code_challenge=GIVEN["code_challenge"],
    )

    # then
    parts = urlsplit(url)
    assert parts._replace(query="").geturl() == oauth["authorization"]
    assert dict(parse_qsl(parts.query)) == oauth["asks"]


@each_oauth_entry
def test_an_account_is_connected(entry: Entry, asked: Any) -> None:
    # given
    oauth = oauth_of(entry)
    recipe, variables = recipe_of(entry)
    authorization = recipe.authorization
    assert authorization

    # when: the browser comes back
    answer = authorization.callback(signed(oauth["callback"]), CLIENT)

    # then
    assert (answer.code, answer.error) == (GIVEN["code"], None)

    # when: the code is exchanged
    variables |= answer.captured
    call = authorization.exchange(
        variables,
        CLIENT,
        code=GIVEN["code"],
        redirect_uri=REDIRECT_URI,
        code_verifier=VERIFIER,
        state=GIVEN["state"],
    )
    issued: IssuedTokens = asked(
        oauth["exchange"], lambda egress, deadline: call.run(egress, deadline=deadline)
    )

    # then
    has_refresh = not isinstance(oauth["refresh"], str)
    assert issued.access_token == GIVEN["access_token"]
    assert issued.refresh_token == (GIVEN["refresh_token"] if has_refresh else None)
    assert issued.expires_in_seconds == pytest.approx(oauth["lasts"], abs=5)
    if issued.scopes is not None:
        assert issued.missing(authorization.scopes) == []

    # when: what no answer had is looked up
    captured = {**answer.captured, **issued.captured}
    lookup = authorization.lookup(variables | captured, issued.access_token, CLIENT.client_id)
    assert (lookup is None) is ("lookup" not in oauth)
    if lookup:
        options = asked(
            oauth["lookup"], lambda egress, deadline: lookup.run(egress, deadline=deadline)
        )
        captured |= options[0].captured

    # then: it is what the test of the connection has for variables
    assert captured == oauth.get("captured", {})
    samples = sample_variables(entry, draft_of(entry).variables_schema)
    assert captured.items() <= samples.items()
    assert captured.keys() == authorization.captured


@each_oauth_entry
def test_a_connection_is_refreshed(entry: Entry, asked: Any) -> None:
    # given
    oauth = oauth_of(entry)
    if isinstance(oauth["refresh"], str):
        assert oauth["refresh"].endswith(".")
        return

    # when
    issued: IssuedTokens = asked(oauth["refresh"], _refresh_of(entry))

    # then
    is_rotated = "refresh_token" in oauth["refresh"]["answer"]["json"]
    assert issued.access_token == GIVEN["new_access_token"]
    assert issued.refresh_token == (GIVEN["new_refresh_token"] if is_rotated else None)
    assert issued.expires_in_seconds == pytest.approx(oauth["lasts"], abs=5)


@each_oauth_entry
def test_a_grant_that_has_ended_is_the_customers_to_renew(entry: Entry, asked: Any) -> None:
    # given
    refresh = oauth_of(entry)["refresh"]
    if isinstance(refresh, str):
        return
    ended = refresh | {"answer": refresh.get("ended", ENDED)}

    # when
    with pytest.raises(CheckFailure) as failed:
        asked(ended, _refresh_of(entry))

    # then
    assert failed.value.code in ("auth_expired", "auth_revoked")
    assert failed.value.field_pointer == "/secrets/refresh_token"


def _refresh_of(entry: Entry) -> Asks:
    recipe, variables = recipe_of(entry)
    variables |= oauth_of(entry).get("captured", {})
    renewal = recipe.renewal
    assert renewal
    assert renewal.needs_refresh_token
    call = renewal.refresh(
        variables,
        CLIENT,
        secrets={"refresh_token": GIVEN["refresh_token"]},
        redirect_uri=REDIRECT_URI,
    )
    return lambda egress, deadline: call.run(egress, deadline=deadline)


@each_oauth_entry
def test_a_connection_is_taken_back(entry: Entry, asked: Any) -> None:
    # given
    oauth = oauth_of(entry)
    recipe, variables = recipe_of(entry)
    variables |= oauth.get("captured", {})
    tokens = {name: GIVEN[name] for name in ("access_token", "refresh_token")}
    if isinstance(oauth["refresh"], str):
        del tokens["refresh_token"]
    hints: tuple[TokenHint, ...] = ("refresh_token", "access_token")

    # when
    calls = [
        recipe.revocation(variables, CLIENT, token=tokens[hint], hint=hint)
        for hint in hints
        if hint in tokens
    ]

    # then
    made = [call for call in calls if call]
    if isinstance(oauth["revocation"], str):
        assert oauth["revocation"].endswith(".")
        assert made == []
        return
    assert len(made) == len(oauth["revocation"])
    for call, documented in zip(made, oauth["revocation"], strict=True):
        run = call.run
        asked(documented, lambda egress, deadline, run=run: run(egress, deadline=deadline))


@pytest.mark.parametrize("entry", OWN_GRANT, ids=[one.slug for one in OWN_GRANT])
def test_a_client_with_a_grant_of_its_own_gets_a_token(entry: Entry, asked: Any) -> None:
    # given
    oauth = oauth_of(entry)
    recipe, variables = recipe_of(entry)
    renewal = recipe.renewal
    assert renewal
    assert (recipe.authorization, renewal.needs_refresh_token) == (None, False)

    # when
    call = renewal.refresh(variables, CLIENT, secrets={})
    issued: IssuedTokens = asked(
        oauth["issue"], lambda egress, deadline: call.run(egress, deadline=deadline)
    )

    # then
    assert issued.access_token == GIVEN["access_token"]
    assert issued.refresh_token is None
    assert issued.expires_in_seconds == pytest.approx(oauth["lasts"], abs=5)
    assert issued.missing(entry.body["authConfig"]["scopes"]) == []
