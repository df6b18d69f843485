"""Attacks on the code flow and on OAuth applications.

The attackers: a stranger who sends links, another tenant with sessions of its own, the publisher of
a hostile integration whose authorization server is theirs, an end user who fills in variables, and
somebody who may manage an organization but never saw its client secrets.
"""

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import oauth
from local.authorization_server import Request
from local.provider import Provider, provider
from patchbay.grants.code_flow import FLOW_LIFETIME
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Delete, Key, Put, Table, Update
from patchbay.platform.errors import ApplicationUnusable, InternalError, TemporarilyUnavailable
from patchbay.tenancy.keys import organization_key
from tests.integration.api import Answer, Client
from tests.integration.authorizing import (
    Browser,
    Journey,
    applications,
    authorization_server,
    decided,
    enter_application,
    outcome,
    publish_tracker,
    query_of,
    with_query,
)
from tests.integration.conftest import Tenant

pytestmark = pytest.mark.enable_socket

HOST = {"type": "string", "format": "hostname"}


@pytest.fixture
def served(deployed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """The honest provider."""
    with authorization_server(tmp_path, monkeypatch) as server:
        yield server


@pytest.fixture
def mallory(served: Provider, tmp_path: Path) -> Iterator[Provider]:
    """A provider of the attacker's."""
    with provider(certificate=tmp_path / "tls" / "server.pem") as server:
        yield server


@pytest.fixture
def journey(tenant: Tenant, served: Provider) -> Journey:
    publish_tracker(tenant, served.port)
    enter_application(tenant, served)
    return Journey.of(tenant)


def exchanges(served: Provider) -> int:
    """How many codes the provider was sent."""
    return len(served.oauth.token_requests)


def variables(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


# ---------------------------------------------------------------- browsers and sessions


def test_a_stolen_callback_is_of_no_use_in_another_browser(
    journey: Journey, served: Provider
) -> None:
    callback = decided(journey.start().authorization_url)

    assert outcome(Browser().open(callback)) == "elsewhere"

    # Nothing was used up: neither the code nor the flow
    assert exchanges(served) == 0
    assert outcome(journey.browser.open(callback)) == "connected"


def test_a_victim_does_not_connect_the_account_of_an_attacker(
    tenant: Tenant, journey: Journey, served: Provider
) -> None:
    # Given the attacker's callback, and a victim who is at a flow of their own
    attackers = decided(journey.start().authorization_url)
    victim = Journey.of(tenant)
    victim.start()
    # When the victim opens the attacker's link
    assert outcome(victim.browser.open(attackers)) == "elsewhere"
    # Then nobody got anything
    assert victim.obtained() is None
    assert journey.obtained() is None
    assert exchanges(served) == 0


def test_an_attacker_does_not_get_the_account_of_a_victim_who_follows_their_link(
    journey: Journey, served: Provider
) -> None:
    """The attacker begins, and has the victim agree at the provider."""
    agreed = decided(journey.start().authorization_url)
    assert outcome(Browser().open(agreed)) == "elsewhere"
    assert exchanges(served) == 0


def test_the_cookie_of_another_flow_opens_nothing(tenant: Tenant, journey: Journey) -> None:
    callback = decided(journey.start().authorization_url)
    other = Journey.of(tenant)
    other.start()
    [name], [secret] = journey.browser.cookies.keys(), other.browser.cookies.values()
    for forged in (secret, "", "x" * 43, secret[:-1]):
        assert outcome(Browser({name: forged}).open(callback)) == "elsewhere"
    assert outcome(journey.browser.open(callback)) == "connected"


def test_a_code_of_another_account_is_not_injected(
    tenant: Tenant, journey: Journey, served: Provider
) -> None:
    """The attacker puts a stolen code into a flow of their own: the verifier is another."""
    victims = decided(journey.start().authorization_url)
    attacker = Journey.of(tenant)
    own = decided(attacker.start().authorization_url)
    forged = with_query(own, code=query_of(victims)["code"])
    assert outcome(attacker.browser.open(forged)) == "exchange-failed"
    assert attacker.obtained() is None


def test_two_tabs_are_two_flows(journey: Journey, served: Provider) -> None:
    first, second = journey.start(), journey.start()
    assert len(journey.browser.cookies) == 2
    assert outcome(journey.browser.open(decided(second.authorization_url))) == "connected"
    after_second = journey.obtained()
    assert outcome(journey.browser.open(decided(first.authorization_url))) == "connected"
    assert journey.obtained().issued != after_second.issued
    assert exchanges(served) == 2


def test_a_reload_exchanges_nothing_and_shows_how_it_ended(
    journey: Journey, served: Provider
) -> None:
    callback = decided(journey.start().authorization_url)
    kept = Browser(dict(journey.browser.cookies))
    assert outcome(journey.browser.open(callback)) == "connected"
    issued = journey.obtained().issued
    for _ in range(2):
        assert outcome(kept.open(callback)) == "connected"
    # Without the cookie, which was deleted, the reload says so
    assert outcome(journey.browser.open(callback)) == "elsewhere"
    assert exchanges(served) == 1
    assert journey.obtained().issued == issued
    # And what failed stays failed
    denied = decided(journey.start().authorization_url, "deny")
    kept = Browser(dict(journey.browser.cookies))
    assert outcome(journey.browser.open(denied)) == "denied"
    assert outcome(kept.open(denied)) == "denied"


def test_a_double_click_exchanges_once(journey: Journey, served: Provider) -> None:
    callback = decided(journey.start().authorization_url)
    kept = dict(journey.browser.cookies)
    query = callback.partition("?")[2]
    flow, guard = oauth.deployment.code_flow, oauth.deployment.guard
    outcomes: list[str] = []

    def click() -> None:
        outcomes.append(flow.finish(query, kept, guard, utc_now()).outcome)

    threads = [threading.Thread(target=click) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert exchanges(served) == 1
    assert "connected" in outcomes
    assert set(outcomes) <= {"connected", "interrupted"}


def test_a_flow_lasts_ten_minutes(journey: Journey, served: Provider) -> None:
    late = utc_now() - FLOW_LIFETIME - timedelta(seconds=1)
    callback = decided(journey.start(late).authorization_url)
    assert outcome(journey.browser.open(callback)) == "expired"
    assert exchanges(served) == 0


def test_a_session_that_has_ended_gets_nothing(
    tenant: Tenant, journey: Journey, served: Provider
) -> None:
    callback = decided(journey.start().authorization_url)
    path = f"/v1/organizations/{tenant.organization_id}/install-sessions/{journey.session_id}"
    assert tenant.client.delete(path).status == 204
    assert outcome(journey.browser.open(callback)) == "ended"
    assert exchanges(served) == 0


def test_an_organization_that_is_gone_gets_nothing(
    tenant: Tenant, journey: Journey, served: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erased meanwhile: its own item goes first."""
    table = Table("IntegrationsTable")
    gone = Delete(organization_key(tenant.organization_id))
    callback = decided(journey.start().authorization_url)
    second = Journey.of(tenant)
    other = decided(second.start().authorization_url)

    # While the provider answers
    answered = served.oauth.answer

    def erased_meanwhile(request: Request) -> Any:
        if request.path == "/oauth/token":
            table.write(gone)
        return answered(request)

    monkeypatch.setattr(served.oauth, "answer", erased_meanwhile)
    assert outcome(journey.browser.open(callback)) == "ended"
    assert exchanges(served) == 1
    own = f"ORG#{tenant.organization_id}"
    assert table.get(Key(own, f"SECRET#{journey.session_id}")) is None
    assert table.get(Key(own, f"FLOWFAIL#{journey.session_id}")) is None
    # Before
    assert outcome(second.browser.open(other)) == "ended"
    assert exchanges(served) == 1


def test_what_was_issued_to_one_session_does_not_open_in_another(
    tenant: Tenant, journey: Journey
) -> None:
    """Somebody who may write to the table copies an item."""
    journey.browser.open(decided(journey.start().authorization_url))
    attacker = Journey.of(tenant)
    table, own = Table("IntegrationsTable"), f"ORG#{tenant.organization_id}"
    item = table.get(Key(own, f"SECRET#{journey.session_id}"))
    assert item
    table.write(Put({**item, "sk": f"SECRET#{attacker.session_id}"}))
    with pytest.raises(InternalError):
        attacker.obtained()
    # Nor for other variables, which would have it sent elsewhere
    table.write(Update(Key(own, item["sk"]), values={"variables": '{"host":"evil.example"}'}))
    with pytest.raises(InternalError):
        journey.obtained()


# ---------------------------------------------------------------- requests


def test_parameters_twice_too_long_too_many_or_foreign_lead_to_a_plain_page(
    journey: Journey, served: Provider
) -> None:
    callback = decided(journey.start().authorization_url)
    state = query_of(callback)["state"]
    hostile = {
        f"{callback}&state={state}": "malformed",
        f"{callback}&code=another": "answer-refused",
        f"{callback}&{'a=1&' * 60}b=2": "malformed",
        f"{callback}&x={'y' * 20_000}": "malformed",
        "/oauth/callback": "elsewhere",
        "/oauth/callback?state=": "elsewhere",
        f"/oauth/callback?state={'A' * 43}&code=1": "elsewhere",
        f"/oauth/callback?state={quote(state + '/../')}&code=1": "elsewhere",
        "/oauth/callback?%ff=%00&state=%0d%0aSet-Cookie:%20a=1": "elsewhere",
        f"/oauth/callback?other={state}&code=1": "malformed",
    }
    for target, expected in sorted(hostile.items(), key=lambda one: one[1] == "answer-refused"):
        answer = journey.browser.open(target)
        assert outcome(answer) == expected, target[:100]
        assert state not in str(answer)
    assert exchanges(served) == 0


def test_nobody_is_sent_to_another_site(journey: Journey) -> None:
    callback = decided(journey.start().authorization_url)
    extra = "&".join(
        f"{name}={quote('https://evil.example/')}"
        for name in ("return_url", "redirect_uri", "next", "url", "target", "RelayState")
    )
    answer = journey.browser.open(f"{callback}&{extra}")
    assert outcome(answer) == "connected"
    assert answer.headers["location"].startswith("/oauth/done/connected?flow=")
    assert "evil" not in str(answer)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "\r\nSet-Cookie: stolen=1\r\n\r\n<h1>",
        "javascript:alert(1)",
        "Please call +1 555 0100 and read out your password",
    ],
)
def test_the_words_of_a_provider_are_never_on_the_page(journey: Journey, text: str) -> None:
    started = journey.start()
    state = query_of(started.authorization_url)["state"]
    for parameters in (
        f"error=access_denied&error_description={quote(text)}&error_uri={quote(text)}",
        f"error={quote(text)}",
    ):
        browser = Browser(dict(journey.browser.cookies))
        answer = browser.open(f"/oauth/callback?state={state}&{parameters}")
        assert text not in str(answer)
        page = Client(None).get(answer.headers["location"])
        assert text not in page.text
        assert "password" not in page.text
        assert "\r" not in str(answer.headers) + str(page.headers)


@pytest.mark.parametrize(
    "query",
    [
        "flow=<script>alert(1)</script>",
        f"flow={'a' * 31}%22",
        f"flow={'a' * 33}",
        f"flow={'a' * 32}&x=<b>",
        '"><script>',
        "code=secret-code",
    ],
)
def test_the_page_takes_nothing_from_its_query(deployed: object, query: str) -> None:
    page = Client(None).get(f"/oauth/done/denied?{query}")
    assert page.status == 200
    assert 'data-flow=""' in page.text
    assert query not in page.text


def test_no_code_state_or_token_is_logged(
    journey: Journey, served: Provider, log: io.StringIO
) -> None:
    callback = decided(journey.start().authorization_url)
    secrets = [*query_of(callback).values(), *journey.browser.cookies.values()]
    served.oauth.faults.append("500")
    journey.browser.open(callback)
    callback = decided(journey.start().authorization_url)
    journey.browser.open(callback)
    issued = journey.obtained().issued
    secrets += [query_of(callback)["code"], issued.access_token, issued.refresh_token]
    text = log.getvalue()
    assert "/oauth/callback" in text
    assert [one for one in secrets if len(one) > 16 and one in text] == []


def test_the_access_log_has_no_query(template: dict[str, Any]) -> None:
    [api] = [r for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::HttpApi"]
    form = api["Properties"]["AccessLogSettings"]["Format"]
    assert "query" not in form.lower()
    assert '"route":"$context.routeKey"' in form.replace(": ", ":")


# ---------------------------------------------------------------- faults


def test_a_table_that_does_not_answer_never_leads_to_two_exchanges(
    journey: Journey, served: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The mark can't be written: nothing is sent
    callback = decided(journey.start().authorization_url)
    kept = Browser(dict(journey.browser.cookies))

    def refuse(*_: Any, **__: Any) -> None:
        raise TemporarilyUnavailable

    with monkeypatch.context() as busy:
        busy.setattr(Table, "write", refuse)
        assert outcome(journey.browser.open(callback)) == "unavailable"
    assert exchanges(served) == 0
    # The result can't be stored: the person begins again, and the code is not sent again
    with monkeypatch.context() as busy:
        busy.setattr(Table, "transact", refuse)
        assert outcome(kept.open(callback)) == "unavailable"
    assert exchanges(served) == 1
    assert outcome(kept.open(callback)) in ("interrupted", "elsewhere")
    assert exchanges(served) == 1
    assert journey.obtained() is None
    assert outcome(journey.browser.open(decided(journey.start().authorization_url))) == "connected"


# ---------------------------------------------------------------- providers


@pytest.fixture
def mixed(tenant: Tenant, stranger: Tenant, served: Provider, mallory: Provider) -> Journey:
    """A victim with an honest integration, who begins to connect a hostile one."""
    publish_tracker(tenant, served.port)
    enter_application(tenant, served)
    publish_tracker(stranger, mallory.port, publisher="mallory", slug="evil", visibility="public")
    body = {"integration": "mallory/evil", "client_id": "m", "client_secret": "at mallory's"}
    assert tenant.client.post(applications(tenant), body).status == 201
    path = f"/v1/organizations/{tenant.organization_id}/install-sessions"
    session = tenant.client.post(path, {"integration": "mallory/evil"}).json
    return Journey(tenant, session["id"])


def test_an_answer_of_another_provider_is_not_sent_on(
    mixed: Journey, served: Provider, mallory: Provider
) -> None:
    """Mix-up (RFC 9700 §4.4): the hostile server leads the browser to the honest one."""
    # Given the authorization URL of the honest one, with the state of the hostile flow
    honest = Journey.of(mixed.tenant).start().authorization_url
    state = query_of(mixed.start().authorization_url)["state"]
    asked = query_of(honest)
    lured = honest.replace(asked["state"], state)
    # When the person agrees there
    callback = decided(lured)
    assert query_of(callback)["iss"] == served.https_url
    # Then the code does not go to the hostile token URL
    assert outcome(mixed.browser.open(callback)) == "wrong-issuer"
    assert exchanges(mallory) == 0


@pytest.mark.parametrize("iss", [None, "https://evil.example", "", "http://127.0.0.1"])
def test_an_integration_that_names_its_issuer_takes_no_other(
    tenant: Tenant, served: Provider, iss: str | None
) -> None:
    publish_tracker(tenant, served.port, authConfig={"issuer": served.https_url})
    enter_application(tenant, served)
    journey = Journey.of(tenant)
    callback = decided(journey.start().authorization_url)
    browser = Browser(dict(journey.browser.cookies))
    assert outcome(browser.open(with_query(callback, iss=iss))) == "wrong-issuer"
    assert exchanges(served) == 0
    right = decided(journey.start().authorization_url)
    assert outcome(journey.browser.open(right)) == "connected"


def test_an_error_of_another_provider_ends_nothing_of_this_one(journey: Journey) -> None:
    started = journey.start()
    state = query_of(started.authorization_url)["state"]
    forged = f"/oauth/callback?state={state}&error=access_denied&iss=https%3A%2F%2Fevil.example"
    assert outcome(journey.browser.open(forged)) == "wrong-issuer"


def test_a_captured_host_outside_the_list_gets_nothing(
    tenant: Tenant, served: Provider, mallory: Provider
) -> None:
    publish_tracker(
        tenant,
        served.port,
        variablesSchema=variables(accounts={"type": "string", "format": "uri"}),
        authConfig={
            "tokenUrl": "{{variables.accounts}}/oauth/token",
            "revocationUrl": "{{variables.accounts}}/oauth/revoke",
            "capture": {
                "callback": {
                    "accounts-server": {"variable": "accounts", "hosts": ["*.example.com"]}
                }
            },
        },
    )
    enter_application(tenant, served)
    for host in (f"https://127.0.0.1:{mallory.port}", "https://evil.test", "//evil.test", "x"):
        journey = Journey.of(tenant)
        callback = with_query(
            decided(journey.start().authorization_url), **{"accounts-server": host}
        )
        assert outcome(journey.browser.open(callback)) == "answer-refused"
    # Nor one that the person has filled in, when the callback names none
    journey = Journey.of(tenant, variables={"accounts": f"https://127.0.0.1:{mallory.port}"})
    with pytest.raises(ApplicationUnusable) as refused:
        journey.start()
    assert refused.value.details["reason"] == "other_host"
    assert exchanges(mallory) == exchanges(served) == 0


def test_a_hostile_provider_that_repeats_what_it_was_sent_reveals_nothing(
    tenant: Tenant, served: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_tracker(tenant, served.port)
    client = served.oauth.register("https://go.acme.com/oauth/callback")
    enter_application(tenant, served)
    seen: list[bytes] = []
    answered = served.oauth.answer

    def repeating(request: Request) -> Any:
        response = answered(request)
        if request.path == "/oauth/token" and response:
            seen.append(request.body)
            text = request.body.decode() + str(request.headers.get("authorization"))
            response.status = 400
            response.body = f'{{"error":"invalid_grant","error_description":"{text}"}}'.encode()
        return response

    monkeypatch.setattr(served.oauth, "answer", repeating)
    journey = Journey.of(tenant)
    callback = decided(journey.start().authorization_url)
    assert outcome(journey.browser.open(callback)) == "exchange-failed"
    summary = journey.failure().summary
    assert query_of(callback)["code"] not in summary
    verifier = dict(pair.split("=") for pair in seen[0].decode().split("&"))["code_verifier"]
    assert verifier not in summary
    assert str(client.secret) not in summary


# ---------------------------------------------------------------- applications


def test_a_secret_that_was_rotated_meanwhile_is_used_and_another_client_is_not(
    tenant: Tenant, served: Provider
) -> None:
    publish_tracker(tenant, served.port)
    entered = enter_application(tenant, served)
    path = f"{applications(tenant)}/{entered['id']}"
    # Rotated, at the provider and here
    journey = Journey.of(tenant)
    callback = decided(journey.start().authorization_url)
    client = served.oauth._clients[entered["client_id"]]
    served.oauth._clients[client.id] = replace(client, secret="the new secret")
    for code in served.oauth._codes.values():
        code.asked.client = served.oauth._clients[client.id]
    assert tenant.client.patch(path, {"client_secret": "the new secret"}).status == 200
    assert outcome(journey.browser.open(callback)) == "connected"
    # Another client: the code is not sent
    callback = decided(journey.start().authorization_url)
    before = exchanges(served)
    other = {"client_id": "another", "client_secret": "another secret"}
    assert tenant.client.patch(path, other).status == 200
    assert outcome(journey.browser.open(callback)) == "application-unusable"
    # None any more
    journey = Journey.of(tenant)
    state = query_of(journey.start().authorization_url)["state"]
    assert tenant.client.delete(path).status == 204
    answer = journey.browser.open(f"/oauth/callback?state={state}&code=any")
    assert outcome(answer) == "application-unusable"
    assert exchanges(served) == before


def release(tenant: Tenant, integration: dict[str, Any], **config: Any) -> None:
    """Another release, with these members of authConfig changed."""
    path = f"/v1/integrations/{integration['id']}"
    changed = tenant.client.patch(path, {"authConfig": config})
    assert changed.status == 200, changed.text
    numbers = tenant.client.get(f"{path}/versions").json["items"]
    made = tenant.client.post(f"{path}/publish", {"version": f"1.{len(numbers)}.0"})
    assert made.status == 201, made.text


def test_a_release_with_another_host_does_not_get_the_secret(
    tenant: Tenant, stranger: Tenant, served: Provider, mallory: Provider
) -> None:
    """By somebody who may publish, and never saw the secret."""
    integration = publish_tracker(tenant, served.port, visibility="public")
    entered = enter_application(tenant, served, shared=True)
    path = f"{applications(tenant)}/{entered['id']}"
    for member in ("tokenUrl", "refreshUrl", "revocationUrl"):
        release(tenant, integration, **{member: f"{mallory.https_url}/oauth/token"})
        for who in (tenant, stranger):
            with pytest.raises(ApplicationUnusable) as refused:
                Journey.of(who).start()
            assert refused.value.details["reason"] == "reentry_required"
        release(tenant, integration, **{member: f"{served.https_url}/oauth/token"})
    # What needs no secret does not move it
    release(tenant, integration, tokenUrl=f"{mallory.https_url}/oauth/token")
    for patch in ({"scopes": ["issues:read"]}, {"shared": False}):
        assert tenant.client.patch(path, patch).json["sent_to"] == [served.https_url]
    # A wrong secret prepares nothing for the right one
    wrong = tenant.client.patch(path, {"client_secret": "wrong"})
    assert wrong.json["sent_to"] == sorted([served.https_url, mallory.https_url])
    release(tenant, integration, tokenUrl=f"{served.https_url}/oauth/token")
    right = tenant.client.patch(path, {"client_secret": "right"})
    assert right.json["sent_to"] == [served.https_url]
    # The same secret again accepts one more host
    release(tenant, integration, tokenUrl=f"{mallory.https_url}/oauth/token")
    both = tenant.client.patch(path, {"client_secret": "right"})
    assert both.json["sent_to"] == sorted([served.https_url, mallory.https_url])
    # And one secret does not open the way for the other
    release(tenant, integration, tokenUrl="https://third.example.com/token")
    key = {"private_key": a_private_key()}
    assert tenant.client.patch(path, key).pointers == ["/client_secret"]
    assert exchanges(mallory) == 0


def a_private_key() -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


OPEN = {
    "https://{{variables.host}}/token": HOST,
    "https://{{variables.host}}.com/token": {"type": "string"},
    "https://{{variables.host}}.co.uk/token": {"type": "string"},
    "https://login.example.{{variables.host}}/token": {"type": "string"},
    "https://x{{variables.host}}.io/token": {"type": "string"},
    "{{variables.host}}/token": {"type": "string", "format": "uri"},
    "https://login.example.com:{{variables.host}}/token": {"type": "integer"},
}
LIMITED = {
    "https://{{variables.host}}.example.com/token": {"type": "string"},
    "https://login.{{variables.host}}.example.com/token": {"type": "string"},
    "https://login-{{variables.host}}.example.co.uk/token": {"type": "string"},
    "https://login.example.com/{{variables.host}}/token": {"type": "string"},
    "https://{{variables.host}}/a": {**HOST, "enum": ["a.example.com", "b.example.com"]},
    "https://{{variables.host}}/b": {**HOST, "const": "a.example.com"},
    "https://{{variables.host}}/c": {**HOST, "pattern": r"^[a-z0-9-]+\.example\.com$"},
    "https://login.example.{{variables.host}}/d": {"type": "string", "enum": ["com", "org"]},
}
SLOPPY = [
    r"^.*example\.com$",
    r"[a-z]+\.example\.com$",
    r"^[a-z]+.example.com$",
    r"^a|b\.example\.com$",
    r"^[a-z]+\\.example\.com$",
    r"^[a-z]+\.com$",
    r"^[a-z]+\.co\.uk$",
    r"^.*$",
    r"^[a-z]+\.example\.com",
]


def published_with(tenant: Tenant, url: str, rule: Any) -> dict[str, Any]:
    return publish_tracker(
        tenant,
        8443,
        visibility="public",
        variablesSchema=variables(host=rule),
        authConfig={
            "authorizationUrl": "https://login.example.com/authorize",
            "tokenUrl": url,
            "revocationUrl": "https://login.example.com/revoke",
        },
    )


def entered(tenant: Tenant, **changes: Any) -> Answer:
    body = {
        "integration": "acme/tracker",
        "client_id": "client",
        "client_secret": "a client secret",
        "shared": True,
        **changes,
    }
    return tenant.client.post(applications(tenant), body)


@pytest.mark.parametrize("url", OPEN)
def test_a_host_that_anybody_names_does_not_get_the_secret(tenant: Tenant, url: str) -> None:
    published_with(tenant, url, OPEN[url])
    for shared in (True, False):
        assert entered(tenant, shared=shared).pointers == ["/variables/host"], url


@pytest.mark.parametrize("url", LIMITED)
def test_a_host_that_the_author_limits_gets_it(tenant: Tenant, url: str) -> None:
    published_with(tenant, url, LIMITED[url])
    made = entered(tenant)
    assert made.status == 201, made.text
    # And there is nothing to name
    path = f"{applications(tenant)}/{made.json['id']}"
    named = tenant.client.patch(path, {"variables": {"host": "a"}, "client_secret": "again"})
    assert "/variables/host" in named.pointers


@pytest.mark.parametrize("pattern", SLOPPY)
def test_a_pattern_that_other_hosts_fit_limits_nothing(tenant: Tenant, pattern: str) -> None:
    published_with(tenant, "https://{{variables.host}}/token", {**HOST, "pattern": pattern})
    assert entered(tenant).pointers == ["/variables/host"]


def test_an_application_of_one_server_is_for_that_one(
    tenant: Tenant, stranger: Tenant, served: Provider
) -> None:
    """Such as one that a customer runs: its host is a variable."""
    published_with(tenant, "https://{{variables.host}}/token", HOST)
    made = entered(tenant, variables={"host": "GIT.example.com"})
    assert made.status == 201, made.text
    assert made.json["sent_to"] == [
        "https://login.example.com",
        "https://{{variables.host}}",
    ]
    assert Journey.of(stranger, variables={"host": "git.example.com"}).start()
    for other in ({"host": "evil.example.com"}, {}):
        with pytest.raises(ApplicationUnusable) as refused:
            Journey.of(stranger, variables=other).start()
        assert refused.value.details["errors"][0]["pointer"] == "/variables/host"
    # It is moved only together with the secret
    path = f"{applications(tenant)}/{made.json['id']}"
    moved = tenant.client.patch(path, {"variables": {"host": "evil.example.com"}})
    assert moved.code == "SECRET_REENTRY_REQUIRED"


def test_a_sealed_secret_does_not_open_for_another_place(tenant: Tenant, served: Provider) -> None:
    """Somebody who may write to the table changes where it may be sent."""
    integration = publish_tracker(tenant, served.port)
    enter_application(tenant, served)
    table = Table("IntegrationsTable")
    key = Key(f"ORG#{tenant.organization_id}", f"OAPP#{integration['id']}")
    table.write(Update(key, values={"sent_to": ["https://evil.example", served.https_url]}))
    with pytest.raises(InternalError):
        Journey.of(tenant).start()
