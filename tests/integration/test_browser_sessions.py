"""Sessions of browsers: from a key or a code to a cookie, what the cookie may do, and its end."""

import io
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

import browser_sessions
from patchbay.deployment import Deployment
from patchbay.platform import aws
from patchbay.platform.browser_requests import BrowserRequest
from patchbay.platform.clock import from_text, to_text, utc_now
from patchbay.platform.cookies import SESSION_COOKIE
from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.limits import Limit
from patchbay.tenancy import sign_in
from patchbay.tenancy.access import Permission
from patchbay.tenancy.authorizer_context import principal_of
from patchbay.tenancy.browser_sessions import IDLE_FOR, LIFETIME, MAX_SESSIONS, SEEN_EVERY
from tests.integration.api import sample_event, start_cold
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant, new_tenant
from tests.integration.signing_in import CURRENT, PUBLIC_URL, SESSIONS, Page, signed_in
from tests.integration.test_audit import trail
from tests.integration.test_faults import FAULTS, Fault, Network

READ = Permission.READ.value
MANAGE = Permission.MANAGE.value


def links(tenant: Tenant) -> str:
    return f"/v1/organizations/{tenant.organization_id}/sign-in-links"


def keys(tenant: Tenant) -> str:
    return f"/v1/organizations/{tenant.organization_id}/api-keys"


def issued(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    """A new API key of the tenant."""
    answer = tenant.client.post(keys(tenant), {"name": "k", "permissions": [READ], **changes})
    assert answer.status == 201, answer.text
    key: dict[str, Any] = answer.json
    return key


def code_of(tenant: Tenant, **given: Any) -> str:
    """The code of a new link."""
    answer = tenant.client.post(links(tenant), given)
    assert answer.status == 201, answer.text
    address: str = answer.json["url"]
    assert address.startswith(f"{PUBLIC_URL}/app/sign-in#pbl_")
    return address.partition("#")[2]


def known(page: Page, now: datetime) -> bool:
    """Whether a new authorizer knows the session of a page at this time."""
    request = BrowserRequest("GET", "same-origin", None, "go.acme.com", page.cookie)
    context = Deployment().authenticator.context(None, now, request)
    return principal_of(context) is not None


# ---------------------------------------------------------------- with a key


def test_a_key_becomes_a_session_that_may_do_what_the_key_may(tenant: Tenant) -> None:
    # When a page exchanges a key for a session
    page = Page()
    answer = page.sign_in(api_key=tenant.client.key)
    # Then the answer says who is signed in, and sets a cookie that no script can read
    assert answer.status == 201, answer.text
    [cookie] = answer.cookies
    assert cookie.startswith(f"{SESSION_COOKIE}=pbs_")
    assert cookie.endswith("; Path=/; Max-Age=604800; Secure; HttpOnly; SameSite=Lax")
    assert str(tenant.client.key) not in answer.text + cookie
    assert answer.json["organization"] == {
        "id": tenant.organization_id,
        "name": "acme",
        "external_id": None,
    }
    assert answer.json["signed_in_by"] == "api_key"
    assert answer.json["space"] is None
    # And the cookie does what the key does, except to use credentials
    assert answer.json["permissions"] == [
        "platform.integration.read",
        "platform.integration.test",
        "platform.integration.manage",
        "platform.events.write",
    ]
    assert page.get(CURRENT).json == answer.json
    assert page.get(f"/spaces/{tenant.space_slug}").status == 200
    changed = page.call("PATCH", f"/spaces/{tenant.space_slug}", {"name": "New"})
    assert changed.status == 200, changed.text
    # And what it did is the key's in the audit trail
    assert trail(tenant)[0]["subject"] == answer.json["subject"]
    assert [event["action"] for event in trail(tenant, "&entity=browser_session")] == ["signed_in"]


def test_bearers_are_told_who_they_are_too(tenant: Tenant, operator: Tenant) -> None:
    answer = tenant.client.get(CURRENT)
    assert answer.status == 200, answer.text
    assert answer.json["organization"]["id"] == tenant.organization_id
    assert answer.json["signed_in_by"] is None
    assert answer.json["expires_at"] is None
    assert "platform.credential.use" in answer.json["permissions"]
    assert "platform.admin" in operator.client.get(CURRENT).json["permissions"]
    assert tenant.client.with_key(None).get(CURRENT).code == "UNAUTHENTICATED"
    # A key of one space learns which it is
    key = issued(tenant, space=tenant.space_slug)
    scoped = tenant.client.with_key(key["key"]).get(CURRENT)
    assert scoped.json["space"] == {"id": tenant.space_id, "slug": tenant.space_slug}


@pytest.mark.parametrize(
    "key", ["", "nobody", "pb_aaaaaaaa_" + "A" * 43, "pbi_" + "A" * 43, "a.b.c", "x" * 256]
)
def test_a_wrong_key_signs_nobody_in(tenant: Tenant, key: str) -> None:
    page = Page()
    answer = page.sign_in(api_key=key)
    assert answer.status == (400 if key == "" else 401)
    assert not answer.cookies
    assert key == "" or key not in answer.text


def test_one_secret_is_exchanged_at_a_time(tenant: Tenant) -> None:
    for body in ({}, {"api_key": tenant.client.key, "code": "c"}, {"api_key": None}):
        answer = Page().post(SESSIONS, body)
        assert (answer.status, answer.code) == (400, "VALIDATION_ERROR"), body


def test_a_session_ends_with_its_key(tenant: Tenant) -> None:
    key = issued(tenant)
    page = signed_in(key["key"])
    assert page.get(CURRENT).status == 200
    assert tenant.client.delete(f"{keys(tenant)}/{key['id']}").status == 204
    start_cold("authorizer")  # an authorizer may know a key for a minute
    assert page.get(CURRENT).code == "UNAUTHENTICATED"


def test_a_key_that_was_just_revoked_signs_nobody_in(tenant: Tenant) -> None:
    # Given a key that the function has seen within the last minute
    key = issued(tenant)
    signed_in(key["key"])
    assert tenant.client.delete(f"{keys(tenant)}/{key['id']}").status == 204
    # Then it begins no session any more
    answer = Page().sign_in(api_key=key["key"])
    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")


def test_a_session_lasts_no_longer_than_its_key(tenant: Tenant) -> None:
    until = utc_now().replace(microsecond=0) + timedelta(hours=2)
    page = signed_in(issued(tenant, expires_at=to_text(until))["key"])
    assert from_text(page.get(CURRENT).json["expires_at"]) == until
    assert known(page, until - timedelta(seconds=1))
    assert not known(page, until)


def test_a_key_of_one_space_signs_in_to_that_space(tenant: Tenant) -> None:
    tenant.client.post(
        f"/v1/organizations/{tenant.organization_id}/spaces", {"slug": "sandbox", "name": "S"}
    )
    page = signed_in(issued(tenant, space="sandbox")["key"])
    assert page.get("/spaces/sandbox").status == 200
    assert page.get(f"/spaces/{tenant.space_slug}").status == 404
    assert page.get(keys(tenant)).code == "PERMISSION_DENIED"
    # When the space is deleted, and another one gets its slug, the session is gone
    assert tenant.client.delete("/spaces/sandbox").status == 204
    start_cold("authorizer")
    assert page.get(CURRENT).status == 401


def test_no_session_uses_credentials(tenant: Tenant, operator: Tenant) -> None:
    for owner in (tenant, operator):
        page = signed_in(owner.client.key)
        assert "platform.credential.use" not in page.get(CURRENT).json["permissions"]
        path = f"{tenant.connectors}/connections/con_01ARZ3NDEKTSV4RRFFQ69G5FAV/credentials"
        refused = page.get(path)
        assert refused.code == "PERMISSION_DENIED", refused.text


# ---------------------------------------------------------------- the end of a session


def test_signing_out_ends_the_session_at_once(tenant: Tenant) -> None:
    page = signed_in(tenant.client.key)
    other = signed_in(tenant.client.key)
    cookie = page.cookie
    answer = page.delete(CURRENT)
    assert answer.status == 204
    assert answer.cookies == (
        f"{SESSION_COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax",
    )
    assert page.cookie == ""
    # The cookie alone is nobody's any more, even to the authorizer that has just seen it
    assert Page(cookie).get(CURRENT).code == "UNAUTHENTICATED"
    # And other browsers stay signed in
    assert other.get(CURRENT).status == 200
    actions = [event["action"] for event in trail(tenant, "&entity=browser_session")]
    assert actions == ["signed_out", "signed_in", "signed_in"]


def test_a_bearer_has_no_session_to_end(tenant: Tenant) -> None:
    answer = tenant.client.delete(CURRENT)
    assert (answer.status, answer.code) == (404, "BROWSER_SESSION_NOT_FOUND")


def test_signing_out_everywhere_ends_all_sessions_of_the_subject(
    tenant: Tenant, stranger: Tenant
) -> None:
    pages = [signed_in(tenant.client.key) for _ in range(3)]
    others = [signed_in(stranger.client.key), signed_in(issued(tenant)["key"])]
    listed = pages[0].get(SESSIONS).json["items"]
    assert [one["current"] for one in listed] == [False, False, True]
    assert {one["signed_in_by"] for one in listed} == {"api_key"}
    # When one of them signs out everywhere
    assert pages[0].delete(SESSIONS).status == 204
    # Then none of the subject's is left, and all of the others'
    assert [page.get(CURRENT).status for page in pages] == [401, 401, 401]
    assert [page.get(CURRENT).status for page in others] == [200, 200]
    # And so can the bearer of the key
    page = signed_in(tenant.client.key)
    assert tenant.client.delete(SESSIONS).status == 204
    assert page.get(CURRENT).status == 401
    assert tenant.client.get(SESSIONS).json == {"items": [], "next_cursor": None}


def test_a_session_ends_when_it_is_not_used(tenant: Tenant) -> None:
    page, now = signed_in(tenant.client.key), utc_now()
    second = timedelta(seconds=1)
    # Used every eleven hours, it goes on
    for turn in range(1, 4):
        assert known(page, now + turn * timedelta(hours=11))
    last = now + timedelta(hours=33)
    assert known(page, last + IDLE_FOR - second)
    # Until it was not used for twelve
    assert not known(page, last + 2 * IDLE_FOR)


def test_a_session_ends_after_a_week_however_it_is_used(tenant: Tenant) -> None:
    page = signed_in(tenant.client.key)
    ends_at = from_text(page.get(CURRENT).json["expires_at"])
    at = utc_now()
    assert abs(ends_at - at - LIFETIME) < timedelta(minutes=1)
    while at < ends_at:
        assert known(page, at)
        at += timedelta(hours=10)
    assert not known(page, ends_at)


def test_its_use_is_noted_every_ten_minutes_at_most(tenant: Tenant) -> None:
    page, now = signed_in(tenant.client.key), utc_now()

    def noted() -> str:
        items = aws.client("dynamodb").scan(TableName="IntegrationsTable")["Items"]
        [item] = [item for item in items if item["pk"]["S"].startswith("BROWSER#")]
        return str(item["last_seen_at"]["S"])

    first = noted()
    assert known(page, now + SEEN_EVERY - timedelta(seconds=30))
    assert noted() == first
    assert known(page, now + SEEN_EVERY + timedelta(seconds=1))
    assert noted() > first


def test_an_outage_of_writes_signs_nobody_out(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = signed_in(tenant.client.key)

    def unavailable(*_: object) -> None:
        raise TemporarilyUnavailable

    monkeypatch.setattr(Table, "write", unavailable)
    assert known(page, utc_now() + timedelta(hours=1))


def test_during_an_outage_of_the_store_a_session_gets_a_503(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = signed_in(tenant.client.key)

    def unavailable(*_: object) -> None:
        raise TemporarilyUnavailable

    monkeypatch.setattr(Table, "get", unavailable)
    assert page.get(CURRENT).status == 503
    assert page.get(f"/spaces/{tenant.space_slug}").status == 503


def test_a_subject_has_a_bounded_number_of_sessions(tenant: Tenant) -> None:
    page = signed_in(tenant.client.key)
    second = signed_in(tenant.client.key)
    for _ in range(MAX_SESSIONS - 2):
        last = signed_in(tenant.client.key)
    assert page.get(CURRENT).status == 200
    # One more ends the oldest
    newest = signed_in(tenant.client.key)
    assert [one.get(CURRENT).status for one in (page, second, last, newest)] == [401, 200, 200, 200]
    assert len(newest.get(SESSIONS).json["items"]) == MAX_SESSIONS


def test_an_organization_signs_in_so_many_times_a_minute(
    tenant: Tenant, stranger: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "_RATE", Limit(2, 2))
    statuses = [Page().sign_in(api_key=tenant.client.key).status for _ in range(3)]
    assert statuses == [201, 201, 429]
    assert Page().sign_in(api_key=stranger.client.key).status == 201


# ---------------------------------------------------------------- attacks


def test_the_table_has_no_cookie_and_no_code(tenant: Tenant) -> None:
    page = signed_in(tenant.client.key)
    code = code_of(tenant)
    stored = json.dumps(
        aws.client("dynamodb").scan(TableName="IntegrationsTable")["Items"], default=repr
    )
    for secret in (page.cookie, code, tenant.client.key or ""):
        assert secret[-20:] not in stored


def test_no_secret_of_a_sign_in_is_logged(tenant: Tenant, log: io.StringIO) -> None:
    code = code_of(tenant)
    page = Page()
    assert page.sign_in(code=code).status == 201
    cookie = page.cookie
    assert page.sign_in(api_key=tenant.client.key).status == 201
    wrong = "pb_aaaaaaaa_" + "B" * 43
    assert page.sign_in(api_key=wrong).status == 401
    assert page.get(CURRENT).status == 200
    written = log.getvalue()
    assert '"route":"POST /v1/browser-sessions"' in written
    for secret in (code, cookie, page.cookie, str(tenant.client.key), wrong):
        assert secret not in written


def test_a_cookie_that_was_planted_is_not_taken_over(tenant: Tenant, stranger: Tenant) -> None:
    # Given a browser in which an attacker has planted a session of their own
    planted = signed_in(stranger.client.key)
    victim = Page(planted.cookie)
    # When the victim signs in there
    assert victim.sign_in(api_key=tenant.client.key).status == 201
    # Then the session is another one, and the planted one has ended
    assert victim.cookie != planted.cookie
    assert victim.get(CURRENT).json["organization"]["id"] == tenant.organization_id
    assert planted.get(CURRENT).status == 401
    # And in each trail are only its own
    for owner in (tenant, stranger):
        own = {event["subject"] for event in trail(owner, "&entity=browser_session")}
        assert own == {owner.client.get(CURRENT).json["subject"]}
    # And a made-up one is never taken up
    made_up = "pbs_" + "A" * 43
    assert Page(made_up).get(CURRENT).status == 401
    fixed = Page(made_up)
    fixed.sign_in(api_key=tenant.client.key)
    assert fixed.cookie != made_up


@pytest.mark.parametrize(
    ("said", "is_taken"),
    [
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "same-origin", "origin": "https://go.acme.com"}, True),
        # The browser's word goes before the Origin, which a proxy may not pass on as it was
        ({"sec_fetch_site": "cross-site", "origin": "https://go.acme.com"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "Same-Origin"}, False),
        ({"sec_fetch_site": "same-origin, cross-site"}, False),
        ({"sec_fetch_site": "nonsense"}, False),
        # A browser without Sec-Fetch-Site
        ({"origin": "https://go.acme.com"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://go.acme.com"}, False),
        ({"origin": "https://go.acme.com:444"}, False),
        ({"origin": "https://go.acme.com.evil.example"}, False),
        ({"origin": "https://sub.go.acme.com"}, False),
        ({"origin": "null"}, False),
        # By another name of the API, a page of that name may
        ({"origin": "https://api.example.com", "host": "api.example.com"}, True),
        ({"origin": "https://evil.example", "host": "api.example.com"}, False),
        ({"origin": "http://127.0.0.1:3000", "host": "127.0.0.1:3000"}, True),
        ({"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:3000"}, False),
        ({"origin": "http://api.example.com", "host": "api.example.com"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_another_site_can_neither_act_by_a_session_nor_sign_in(
    tenant: Tenant, said: dict[str, str], is_taken: bool
) -> None:
    page = signed_in(tenant.client.key)
    headers = {"sec_fetch_site": "", **said}
    path = f"/spaces/{tenant.space_slug}"
    before = tenant.client.get(path).json["name"]
    answer = page.call("PATCH", path, {"name": "Changed"}, **headers)
    # Login CSRF: signing in to the attacker's account is refused in the same way
    login = Page().post(SESSIONS, {"api_key": tenant.client.key}, **headers)
    if is_taken:
        assert (answer.status, login.status) == (200, 201)
        return
    for refused in (answer, login):
        assert (refused.status, refused.code) == (403, "CROSS_SITE_REQUEST")
        assert not refused.cookies
    assert tenant.client.get(path).json["name"] == before
    # For a bearer it is not asked for
    assert tenant.client.patch(path, {"name": "Own"}, **said).status == 200


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({}, 200),
        ({"origin": "https://go.acme.com"}, 200),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"origin": "https://evil.example"}, 403),
    ],
    ids=str,
)
def test_reading_is_refused_only_to_another_site(
    tenant: Tenant, said: dict[str, str], status: int
) -> None:
    page = signed_in(tenant.client.key)
    assert page.get(CURRENT, **{"sec_fetch_site": "", **said}).status == status


def test_a_bearer_goes_before_the_cookie(tenant: Tenant, stranger: Tenant) -> None:
    page = signed_in(tenant.client.key)
    bearer = page.get(CURRENT, authorization=f"Bearer {stranger.client.key}")
    assert bearer.json["organization"]["id"] == stranger.organization_id
    # A wrong one is not made good by the cookie
    for wrong in ("Bearer pb_wrong", "Basic abc"):
        assert page.get(CURRENT, authorization=wrong).status == 401


def test_a_session_repeats_under_its_own_idempotency_keys(tenant: Tenant) -> None:
    page = signed_in(tenant.client.key)
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    body = {"slug": "again", "name": "Again"}
    first = page.post(spaces, body, idempotency_key="once")
    again = page.post(spaces, body, idempotency_key="once")
    assert (first.status, again.status) == (201, 201)
    assert again.headers["idempotent-replayed"] == "true"
    # The key of the session is another caller
    assert tenant.client.post(spaces, body, idempotency_key="once").code == "SLUG_TAKEN"


def test_guesses_take_turns_of_the_unauthenticated_and_keep_nobody_out(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNAUTHENTICATED_REQUESTS_PER_MINUTE", "2")
    start_cold("authorizer")
    guesses = [Page().sign_in(api_key=f"pb_aaaaaaaa_{'A' * 42}{n}") for n in range(4)]
    assert [answer.status for answer in guesses] == [401, 401, 429, 429]
    assert guesses[2].json["error"]["details"] == {
        "quota": "unauthenticated_requests_per_minute",
        "limit": 2,
        "used": 2,
    }
    assert int(guesses[2].headers["retry-after"]) >= 1
    assert Page().sign_in(code="pbl_" + "A" * 43).status == 429
    # Somebody with a key is let in all the same
    assert Page().sign_in(api_key=tenant.client.key).status == 201


def test_a_session_shares_the_rate_of_its_organization(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = signed_in(tenant.client.key)
    monkeypatch.setenv("REQUESTS_PER_MINUTE", "2")
    start_cold("authorizer")
    assert tenant.client.get(CURRENT).status == 200
    assert [page.get(CURRENT).status for _ in range(2)] == [200, 429]


# ---------------------------------------------------------------- sign-in links


def test_a_link_signs_a_browser_in_once(tenant: Tenant) -> None:
    # Given a link that a back end made for its customer
    answer = tenant.client.post(links(tenant), {})
    assert answer.status == 201, answer.text
    made = answer.json
    assert made["permissions"] == [READ]
    code = made["url"].partition("#")[2]
    # When the page of the link exchanges the code
    page = Page()
    begun = page.sign_in(code=code)
    # Then the person is signed in, as the link
    assert begun.status == 201, begun.text
    assert begun.json["subject"] == made["id"]
    assert begun.json["signed_in_by"] == "sign_in_link"
    assert begun.json["permissions"] == [READ]
    assert page.get(f"/spaces/{tenant.space_slug}").status == 200
    assert page.call("PATCH", f"/spaces/{tenant.space_slug}", {"name": "x"}).status == 403
    # And nobody is by the same link again
    again = Page().sign_in(code=code)
    assert (again.status, again.code) == (401, "UNAUTHENTICATED")
    events = trail(tenant)
    assert [f"{event['entity']} {event['action']}" for event in events[:2]] == [
        "browser_session signed_in",
        "sign_in_link created",
    ]
    assert events[0]["subject"] == made["id"]
    assert code not in json.dumps(events)


def test_a_link_expires(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    code = code_of(tenant, expires_in_seconds=60)
    monkeypatch.setattr(browser_sessions, "utc_now", lambda: utc_now() + timedelta(seconds=60))
    assert Page().sign_in(code=code).status == 401


def test_a_link_for_one_space_stays_there(tenant: Tenant) -> None:
    page = Page()
    page.sign_in(code=code_of(tenant, space=tenant.space_slug, permissions=[READ, MANAGE]))
    assert page.get(CURRENT).json["space"] == {"id": tenant.space_id, "slug": tenant.space_slug}
    assert page.get(f"/spaces/{tenant.space_slug}").status == 200
    assert page.get(keys(tenant)).code == "PERMISSION_DENIED"
    assert page.post(links(tenant), {}).code == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"permissions": []}, "/permissions"),
        ({"permissions": ["platform.credential.use"]}, "/permissions/0"),
        ({"permissions": [READ, "platform.credential.use"]}, "/permissions/1"),
        ({"permissions": ["nothing"]}, "/permissions/0"),
        ({"space": "nowhere"}, "/space"),
        ({"expires_in_seconds": 59}, "/expires_in_seconds"),
        ({"expires_in_seconds": 3601}, "/expires_in_seconds"),
        ({"until": "tomorrow"}, "/until"),
    ],
    ids=str,
)
def test_a_wrong_link_is_refused(tenant: Tenant, body: dict[str, Any], pointer: str) -> None:
    answer = tenant.client.post(links(tenant), body)
    assert answer.status == 400, answer.text
    assert answer.pointers == [pointer]


def test_a_link_gives_no_more_than_its_maker_has(tenant: Tenant, stranger: Tenant) -> None:
    answer = tenant.client.post(links(tenant), {"permissions": ["platform.admin"]})
    assert (answer.status, answer.code) == (403, "PERMISSION_DENIED")
    reader = tenant.client.with_key(issued(tenant)["key"])
    assert reader.post(links(tenant), {}).code == "PERMISSION_DENIED"
    assert stranger.client.post(links(tenant), {}).status == 404


def test_what_a_link_began_ends_with_the_key_that_made_it(tenant: Tenant) -> None:
    maker = issued(tenant, permissions=[READ, MANAGE])
    client = tenant.client.with_key(maker["key"])
    opened = client.post(links(tenant), {"permissions": [READ, MANAGE]})
    unused = client.post(links(tenant), {})
    page = Page()
    assert page.sign_in(code=opened.json["url"].partition("#")[2]).status == 201
    # A link that the session makes in turn follows the same key, and ends with the session
    child = Page()
    assert child.sign_in(code=page.post(links(tenant), {}).json["url"].partition("#")[2])
    assert child.get(CURRENT).json["expires_at"] == page.get(CURRENT).json["expires_at"]
    assert tenant.client.delete(f"{keys(tenant)}/{maker['id']}").status == 204
    start_cold()
    assert [one.get(CURRENT).status for one in (page, child)] == [401, 401]
    assert Page().sign_in(code=unused.json["url"].partition("#")[2]).status == 401


def test_no_key_outlives_the_session_of_a_link(tenant: Tenant) -> None:
    page = Page()
    page.sign_in(code=code_of(tenant, permissions=[READ, MANAGE]))
    body: dict[str, Any] = {"name": "k", "permissions": [READ]}
    assert page.post(keys(tenant), body).pointers == ["/expires_at"]
    body["expires_at"] = page.get(CURRENT).json["expires_at"]
    assert page.post(keys(tenant), body).status == 201


def test_an_operator_signs_somebody_in_to_another_organization(
    tenant: Tenant, operator: Tenant
) -> None:
    made = operator.client.post(links(tenant), {"permissions": [READ, MANAGE]})
    assert made.status == 201, made.text
    page = Page()
    begun = page.sign_in(code=made.json["url"].partition("#")[2])
    assert begun.json["organization"]["id"] == tenant.organization_id
    assert made.json["created_by"] == "operator"
    assert page.get(f"/spaces/{operator.space_slug}").status == 404


def test_ways(deployed: object) -> None:
    assert Page().get(f"{SESSIONS}/ways").json == {"api_key": True, "oidc": False}
    event = sample_event("browser_sessions")
    assert browser_sessions.handler(event, None)["statusCode"] == 200


def test_a_session_of_an_erased_organization_is_gone(operator: Tenant) -> None:
    owner = new_tenant("gone", TENANT_PERMISSIONS)
    page = signed_in(owner.client.key)
    opened = Page()
    opened.sign_in(code=operator.client.post(links(owner), {}).json["url"].partition("#")[2])
    assert opened.get(CURRENT).status == 200
    path = f"/v1/organizations/{owner.organization_id}?confirm={owner.organization_id}"
    assert operator.client.delete(path).status == 202
    start_cold()
    assert [one.get(CURRENT).status for one in (page, opened)] == [401, 401]


# ---------------------------------------------------------------- faults


def signing_in(tenant: Tenant, way: str) -> Callable[[], Any]:
    given = {"code": code_of(tenant)} if way == "code" else {"api_key": tenant.client.key}
    return lambda: Page().sign_in(**given)


@pytest.mark.parametrize("way", ["api_key", "code"])
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_failed_write_of_a_sign_in_is_reported_and_leaves_nothing_half_done(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, way: str, fault: Fault
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    network = Network()
    network.expect()
    assert signing_in(tenant, way)().status == 201
    writes = network.writes
    assert tenant.client.delete(SESSIONS).status == 204
    assert writes >= 3
    for at in range(1, writes + 1):
        begin = signing_in(tenant, way)
        network.expect(fault, at)
        first = begin()
        network.expect()
        assert first.status in (201, 503), first.text
        again = begin()
        if way == "api_key":
            assert again.status == 201
            continue
        # A code that was used up has begun a session, whether or not the answer arrived
        assert again.status == 201 if first.status == 503 and not fault.applied else 401
    sessions = [item for item in stored() if item["pk"]["S"].startswith("BROWSER#")]
    listed = [item for item in stored() if item["sk"]["S"].startswith("BROWSER#")]
    assert sorted(item["digest"]["S"] for item in sessions) == sorted(
        item["digest"]["S"] for item in listed
    )


def stored() -> list[dict[str, Any]]:
    items: list[Any] = aws.client("dynamodb").scan(TableName="IntegrationsTable")["Items"]
    return items
