"""Signing in at the identity provider of the deployment, and what a hostile one, or a hostile
page, may try."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

import browser_sessions
from patchbay.platform.clock import from_text, utc_now
from patchbay.platform.cookies import SESSION_COOKIE
from tests.integration.api import Answer, Client, start_cold
from tests.integration.conftest import Tenant
from tests.integration.issuer import Issuer, SigningKey, issuer
from tests.integration.signing_in import CURRENT, SESSIONS, Page, signed_in
from tests.integration.test_audit import trail

pytestmark = pytest.mark.enable_socket

KEY = SigningKey.rsa("rsa-1")
START = f"{SESSIONS}/oidc"
CALLBACK = f"{START}/callback"
CLIENT_ID = "dashboard"


@pytest.fixture
def idp(deployed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """An issuer at which people sign in to the dashboard."""
    with issuer(tmp_path, monkeypatch) as served:
        served.keys = [KEY.public()]
        served.document = {
            "issuer": served.url,
            "authorization_endpoint": f"{served.url}/authorize",
            "token_endpoint": f"{served.url}/token",
            "jwks_uri": f"{served.url}/keys?all=1",
        }
        for name, value in {
            "JWT_ISSUER": served.url,
            "JWT_AUDIENCE": "patchbay",
            "JWT_CLIENT_ID": CLIENT_ID,
            "EGRESS_AUTHORITIES": served.authority,
        }.items():
            monkeypatch.setenv(name, value)
        start_cold()
        yield served


@dataclass
class Browser:
    """A browser on its way to the provider and back."""

    idp: Issuer
    cookies: dict[str, str] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)

    def open(self, target: str) -> Answer:
        """Follows a link of another site, as a provider's redirect is."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        said = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
        answer = Client(None).get(target, cookie=cookie, **said)
        for text in answer.cookies:
            name, _, value = text.partition(";")[0].partition("=")
            assert "; Secure; HttpOnly; SameSite=Lax" in text
            if "Max-Age=0" in text:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def begin(self, return_to: str | None = None) -> Answer:
        query = f"?{urlencode({'return_to': return_to})}" if return_to is not None else ""
        answer = self.open(START + query)
        assert answer.status == 303, answer.text
        self.asked = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        return answer

    def id_token(self, organization_id: str, **changes: Any) -> str:
        claims = {"aud": CLIENT_ID, "nonce": self.asked["nonce"], **changes}
        return KEY.sign(self.idp.claims(organization_id, utc_now(), **claims))

    def come_back(self, **changes: str | None) -> Answer:
        """What the provider sends the browser to when the person has signed in."""
        query = {"code": "the-code", "state": self.asked.get("state"), **changes}
        kept = {name: value for name, value in query.items() if value is not None}
        return self.open(f"{CALLBACK}?{urlencode(kept)}")

    @property
    def page(self) -> Page:
        return Page(self.cookies.get(SESSION_COOKIE, ""))


def failed(answer: Answer, why: str) -> None:
    assert answer.status == 303, answer.text
    assert answer.headers["location"] == f"/app/sign-in?failed={why}"
    assert not [text for text in answer.cookies if text.startswith(SESSION_COOKIE)]


def test_a_person_signs_in_at_the_provider(tenant: Tenant, idp: Issuer) -> None:
    # Given a browser that was sent to the provider
    assert Page().get(f"{SESSIONS}/ways").json == {"api_key": True, "oidc": True}
    browser = Browser(idp)
    sent = browser.begin("/app/alerts?state=firing")
    assert sent.headers["location"].startswith(f"{idp.url}/authorize?")
    assert sent.headers["cache-control"] == "no-store"
    asked = browser.asked
    assert asked == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": f"https://go.acme.com{CALLBACK}",
        "scope": "openid",
        "state": asked["state"],
        "nonce": asked["nonce"],
        "code_challenge": asked["code_challenge"],
        "code_challenge_method": "S256",
        "audience": "patchbay",
    }
    # When it comes back with a code
    idp.tokens = {
        "id_token": browser.id_token(tenant.organization_id),
        "access_token": "opaque",
        "token_type": "Bearer",
    }
    answer = browser.come_back()
    # Then the code was exchanged with the verifier, and the browser goes on, signed in
    assert (answer.status, answer.headers["location"]) == (303, "/app/alerts?state=firing")
    [exchange] = idp.exchanges
    verifier = exchange.pop("code_verifier")
    digest = hashlib.sha256(verifier.encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
    assert exchange == {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": asked["redirect_uri"],
        "client_id": CLIENT_ID,
    }
    who = browser.page.get(CURRENT)
    assert who.status == 200, who.text
    assert who.json["subject"] == "jwt:user-1"
    assert who.json["signed_in_by"] == "oidc"
    assert who.json["permissions"] == ["platform.integration.read"]
    # For twelve hours, because nobody says whether the person should still be
    left = from_text(who.json["expires_at"]) - utc_now()
    assert timedelta(hours=11, minutes=59) < left <= timedelta(hours=12)
    # And the cookie of the way there is gone
    assert list(browser.cookies) == [SESSION_COOKIE]
    event = trail(tenant, "&entity=browser_session")[0]
    assert (event["action"], event["subject"]) == ("signed_in", "jwt:user-1")
    # The same address, loaded again, does nothing
    failed(browser.come_back(), "elsewhere")
    assert browser.page.get(CURRENT).status == 200


def test_an_access_token_for_the_api_says_what_the_person_may_do(
    tenant: Tenant, idp: Issuer
) -> None:
    # Given a provider that names organization and permissions in the access token alone
    browser = Browser(idp)
    browser.begin()
    permissions = ["platform.integration.manage", "platform.admin", "platform.credential.use"]
    access = idp.claims(tenant.organization_id, utc_now(), permissions=permissions)
    idp.tokens = {
        "id_token": browser.id_token("none", permissions=None),
        "access_token": KEY.sign(access),
    }
    assert browser.come_back().headers["location"] == "/app"
    # Then it counts, without the operator's permission and the use of credentials
    assert browser.page.get(CURRENT).json["permissions"] == [
        "platform.integration.test",
        "platform.integration.manage",
    ]


def test_a_person_of_one_space_stays_there(
    tenant: Tenant, idp: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_SPACE_CLAIM", "space")
    start_cold()
    for space, status in ((tenant.space_slug, 200), ("nowhere", 401)):
        browser = Browser(idp)
        browser.begin()
        idp.tokens = {"id_token": browser.id_token(tenant.organization_id, space=space)}
        browser.come_back()
        who = browser.page.get(CURRENT)
        assert who.status == status
        if status == 200:
            assert who.json["space"]["slug"] == space


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": 7},
        {"aud": "patchbay"},
        {"aud": "another"},
        {"aud": [CLIENT_ID, "another"]},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"iat": 4_000_000_000},
    ],
    ids=str,
)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    tenant: Tenant, idp: Issuer, changes: dict[str, Any]
) -> None:
    browser = Browser(idp)
    browser.begin()
    good = idp.claims(tenant.organization_id, utc_now())
    idp.tokens = {
        "id_token": browser.id_token(tenant.organization_id, **changes),
        "access_token": KEY.sign(good),
    }
    failed(browser.come_back(), "refused")


def test_an_id_token_may_name_more_audiences_with_its_party(tenant: Tenant, idp: Issuer) -> None:
    browser = Browser(idp)
    browser.begin()
    token = browser.id_token(tenant.organization_id, aud=[CLIENT_ID, "x"], azp=CLIENT_ID)
    idp.tokens = {"id_token": token}
    assert browser.come_back().headers["location"] == "/app"


def test_only_what_the_provider_signed_counts(tenant: Tenant, idp: Issuer) -> None:
    stranger = SigningKey.rsa("rsa-1")

    def unsigned(token: str) -> str:
        header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
        return f"{header}.{token.split('.')[1]}."

    forgeries: list[Callable[[Browser], Any]] = [
        lambda b: stranger.sign(
            idp.claims(tenant.organization_id, utc_now(), aud=CLIENT_ID, nonce=b.asked["nonce"])
        ),
        lambda b: unsigned(b.id_token(tenant.organization_id)),
        lambda _: None,
        lambda _: 7,
        lambda _: "",
        lambda _: "a.b.c",
    ]
    for forge in forgeries:
        browser = Browser(idp)
        browser.begin()
        idp.tokens = {"id_token": forge(browser)}
        failed(browser.come_back(), "refused")


def test_a_callback_belongs_to_the_browser_that_began(tenant: Tenant, idp: Issuer) -> None:
    # Given an attacker who has signed in at the provider, and keeps the way back for a victim
    attacker, victim, stranger = Browser(idp), Browser(idp), Browser(idp)
    attacker.begin()
    idp.tokens = {"id_token": attacker.id_token(tenant.organization_id)}
    target = f"{CALLBACK}?{urlencode({'code': 'c', 'state': attacker.asked['state']})}"
    # Then neither a browser that never began, nor one that is on its own way, is signed in by it
    failed(stranger.open(target), "elsewhere")
    victim.begin()
    failed(victim.open(target), "elsewhere")
    # Nor is anything sent to the provider
    assert idp.exchanges == []
    # Cookies of the way there are of no use without their own state
    for state in (None, "", "x", attacker.asked["nonce"]):
        attacker.begin()
        failed(attacker.come_back(state=state), "elsewhere")


@pytest.mark.parametrize(
    "query",
    ["", "?code=c", "?state=s&state=s&code=c", "?" + "a=b&" * 60, "?code=" + "c" * 20_000, "?%ff"],
    ids=lambda query: query[:30],
)
def test_a_callback_that_makes_no_sense_leads_to_the_sign_in_page(idp: Issuer, query: str) -> None:
    browser = Browser(idp)
    browser.begin()
    failed(browser.open(CALLBACK + query), "elsewhere")


def test_a_refusal_of_the_provider_leads_to_the_sign_in_page(tenant: Tenant, idp: Issuer) -> None:
    browser = Browser(idp)
    browser.begin()
    failed(browser.come_back(code=None, error="access_denied"), "refused")
    for status, tokens in ((400, {"error": "invalid_grant"}), (200, {}), (302, {}), (500, {})):
        browser.begin()
        idp.token_status, idp.tokens = status, tokens
        failed(browser.come_back(), "refused")


def test_an_answer_of_another_issuer_is_refused(tenant: Tenant, idp: Issuer) -> None:
    browser = Browser(idp)
    browser.begin()
    failed(browser.come_back(iss="https://evil.example"), "refused")
    assert idp.exchanges == []
    # One that says that it names itself has to (RFC 9207)
    idp.document["authorization_response_iss_parameter_supported"] = True
    start_cold()
    browser.begin()
    failed(browser.come_back(), "refused")
    browser.begin()
    idp.tokens = {"id_token": browser.id_token(tenant.organization_id)}
    assert browser.come_back(iss=idp.url).headers["location"] == "/app"


def test_somebody_of_no_organization_is_told_so(idp: Issuer) -> None:
    for organization_id in ("org_01ARZ3NDEKTSV4RRFFQ69G5FAV", "none"):
        browser = Browser(idp)
        browser.begin()
        idp.tokens = {"id_token": browser.id_token(organization_id)}
        failed(browser.come_back(), "unknown")


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": "http://127.0.0.1/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
        {"jwks_uri": 7},
    ],
    ids=str,
)
def test_a_document_that_is_not_the_issuers_is_not_used(
    idp: Issuer, change: dict[str, Any]
) -> None:
    idp.document |= change
    failed(Browser(idp).open(START), "unavailable")


def test_a_provider_that_is_out_is_said_to_be(tenant: Tenant, idp: Issuer) -> None:
    # Given a browser that comes back while the provider does not respond
    browser = Browser(idp)
    browser.begin()
    browser_sessions.deployment.identity_provider._known = None
    idp.status = 503
    failed(browser.come_back(), "unavailable")
    # Then many who begin do not ask it each time
    before = browser_sessions.deployment.identity_provider._asked_at
    failed(Browser(idp).open(START), "unavailable")
    assert browser_sessions.deployment.identity_provider._asked_at == before


def test_where_a_sign_in_leads_is_not_for_others_to_choose(tenant: Tenant, idp: Issuer) -> None:
    for return_to in ("https://evil.example", "//evil.example", "/app/../docs", "/\\evil.example"):
        browser = Browser(idp)
        browser.begin(return_to)
        idp.tokens = {"id_token": browser.id_token(tenant.organization_id)}
        assert browser.come_back().headers["location"] == "/app"
    # Neither in the cookie
    browser.begin()
    [(name, value)] = [one for one in browser.cookies.items() if one[0] != SESSION_COOKIE]
    evil = base64.urlsafe_b64encode(b"//evil.example").rstrip(b"=").decode()
    browser.cookies[name] = f"{value.partition('.')[0]}.{evil}"
    idp.tokens = {"id_token": browser.id_token(tenant.organization_id)}
    assert browser.come_back().headers["location"] == "/app"


def test_signing_in_ends_the_session_that_the_browser_had(tenant: Tenant, idp: Issuer) -> None:
    before = signed_in(tenant.client.key)
    browser = Browser(idp, {SESSION_COOKIE: before.cookie})
    browser.begin()
    idp.tokens = {"id_token": browser.id_token(tenant.organization_id)}
    browser.come_back()
    assert browser.page.get(CURRENT).json["subject"] == "jwt:user-1"
    assert before.get(CURRENT).status == 401


def test_beginning_takes_turns_of_the_unauthenticated(
    idp: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNAUTHENTICATED_REQUESTS_PER_MINUTE", "1")
    start_cold("authorizer")
    browser = Browser(idp)
    browser.begin()
    failed(Browser(idp).open(START), "busy")
    failed(browser.come_back(), "busy")
    assert idp.exchanges == []


def test_without_a_client_id_there_is_no_way(idp: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_CLIENT_ID", "")
    start_cold()
    assert Page().get(f"{SESSIONS}/ways").json["oidc"] is False
    for path in (START, CALLBACK):
        assert Page().get(path).status == 404


def test_no_secret_of_a_sign_in_is_logged(tenant: Tenant, idp: Issuer, log: Any) -> None:
    browser = Browser(idp)
    browser.begin()
    idp.tokens = {"id_token": browser.id_token(tenant.organization_id)}
    secrets = [json.dumps(browser.cookies), browser.asked["state"], "the-code"]
    browser.come_back()
    secrets += [browser.cookies[SESSION_COOKIE], idp.tokens["id_token"]]
    written = log.getvalue()
    assert written
    for secret in secrets:
        assert secret not in written
