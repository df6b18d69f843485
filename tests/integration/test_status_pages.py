"""Public status pages: who sees what, what is on them, and when they are gone."""

import json
import re
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest

import status_pages
from patchbay.connections.health_status import HealthStatus
from patchbay.deployment import Deployment
from patchbay.health.model import EventStatus, IntegrationType
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Key, Put, Table
from patchbay.platform.errors import NotFound
from patchbay.status_pages import reader
from patchbay.tenancy.access import Permission
from patchbay.tenancy.api_keys import digest
from patchbay.tenancy.keys import slug_claim_key, status_link_key
from patchbay.tenancy.model import SpacePatch, StatusPagePatch
from tests.integration.alerting import create_rule, evaluate, report
from tests.integration.api import Client, sample_event, start_cold
from tests.integration.conftest import Tenant
from tests.integration.story import SECRET, create_connection, create_source, publish_integration
from tests.integration.test_erase_organizations import erase, erased
from tests.integration.test_evaluate_alerts import be

ANYBODY = Client(key=None)
ON = {"status_page": {"enabled": True}}
OFF = {"status_page": {"enabled": False}}
_SVG = "{http://www.w3.org/2000/svg}"


def switched_on(tenant: Tenant, **more: Any) -> str:
    """The token of the page."""
    body = {"status_page": {"enabled": True, **more}}
    answer = tenant.client.patch(f"/spaces/{tenant.space_slug}", body)
    assert answer.status == 200, answer.text
    return token_of(answer.json)


def token_of(space: dict[str, Any]) -> str:
    url: str = space["status_page"]["url"]
    found = re.fullmatch(r"https://[^/]+/status/([a-z2-7]{32})", url)
    assert found, url
    return found[1]


def page(token: str) -> dict[str, Any]:
    answer = ANYBODY.get(f"/v1/status/{token}")
    assert answer.status == 200, answer.text
    shown: dict[str, Any] = answer.json
    return shown


def badge(token: str, name: str, query: str = "") -> str:
    answer = ANYBODY.get(f"/status/{token}/badges/{name}.svg{query}")
    assert answer.status == 200, answer.text
    return titled(answer.text)


def titled(svg: str) -> str:
    title = ElementTree.fromstring(svg).find(f"{_SVG}title")  # noqa: S314 - our own
    assert title is not None
    return title.text or ""


def test_the_sample_event_asks_for_a_page_that_does_not_exist(deployed: object) -> None:
    answer = status_pages.handler(sample_event("status_pages"), None)
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["error"]["code"] == "STATUS_PAGE_NOT_FOUND"


def test_a_space_has_no_page_until_it_asks_for_one(tenant: Tenant) -> None:
    space = tenant.client.get(f"/spaces/{tenant.space_slug}").json
    off = {"enabled": False, "title": None, "show_connections": False, "url": None}
    assert space["status_page"] == off


def test_a_manager_sees_the_address_again_and_others_do_not(tenant: Tenant) -> None:
    token = switched_on(tenant)
    path = f"/spaces/{tenant.space_slug}"
    listed = f"/v1/organizations/{tenant.organization_id}/spaces"
    assert token_of(tenant.client.get(path).json) == token
    assert token_of(tenant.client.get(listed).json["items"][0]) == token
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    asked = {"name": "support", "permissions": [Permission.READ, Permission.TEST]}
    support = tenant.client.with_key(tenant.client.post(keys, asked).json["key"])
    for space in (support.get(path).json, support.get(listed).json["items"][0]):
        assert space["status_page"]["enabled"] is True
        assert space["status_page"]["url"] is None
    assert support.patch(path, OFF).status == 403


def test_a_key_of_the_space_manages_its_page(tenant: Tenant) -> None:
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    asked = {"name": "own", "permissions": [Permission.MANAGE], "space": tenant.space_slug}
    own = tenant.client.with_key(tenant.client.post(keys, asked).json["key"])
    page(token_of(own.patch(f"/spaces/{tenant.space_slug}", ON).json))


def test_a_stranger_neither_sees_nor_makes_a_page(tenant: Tenant, stranger: Tenant) -> None:
    switched_on(tenant)
    path = f"/spaces/{tenant.space_slug}"
    assert stranger.client.get(path).status == 404
    assert stranger.client.patch(path, OFF).status == 404


def test_off_is_gone_at_once_and_on_again_has_another_address(
    tenant: Tenant, integrations_table: Table
) -> None:
    first = switched_on(tenant, title="Acme")
    assert page(first)["name"] == "Acme"
    gone = tenant.client.patch(f"/spaces/{tenant.space_slug}", OFF).json["status_page"]
    assert gone == {"enabled": False, "title": "Acme", "show_connections": False, "url": None}
    for path in (f"/v1/status/{first}", f"/status/{first}/badges/health.svg"):
        answer = ANYBODY.get(path)
        assert (answer.status, answer.code) == (404, "STATUS_PAGE_NOT_FOUND")
        assert "max-age" not in answer.headers.get("cache-control", "")
    assert integrations_table.get(status_link_key(digest(first))) is None
    second = switched_on(tenant)
    assert second != first
    assert page(second)["name"] == "Acme"


def test_what_does_not_change_keeps_the_address_and_the_etag(tenant: Tenant) -> None:
    token = switched_on(tenant)
    path = f"/spaces/{tenant.space_slug}"
    before = tenant.client.get(path)
    again = tenant.client.patch(path, ON)
    assert (again.json, again.headers["etag"]) == (before.json, before.headers["etag"])
    renamed = tenant.client.patch(path, {"status_page": {"title": "New"}})
    assert token_of(renamed.json) == token
    assert renamed.headers["etag"] != before.headers["etag"]
    # What was cached has the old title
    assert page(token)["name"] == "New"
    reset = tenant.client.patch(path, {"status_page": {"title": None}})
    assert reset.json["status_page"]["title"] is None
    assert page(token)["name"] == tenant.client.get(path).json["name"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (None, "/status_page"),
        ({"enabled": None}, "/status_page/enabled"),
        ({"show_connections": None}, "/status_page/show_connections"),
        ({"enabled": "yes"}, "/status_page/enabled"),
        ({"title": ""}, "/status_page/title"),
        ({"title": "a\u202eb"}, "/status_page/title"),
        ({"title": "a" * 121}, "/status_page/title"),
        ({"url": "https://x.example/status/None"}, "/status_page/url"),
        ({"enabled": True, "url": f"https://x.example/status/{'a' * 32}"}, "/status_page/url"),
        ({"token": "a" * 32}, "/status_page/token"),
    ],
)
def test_a_setting_that_is_none_is_refused_at_its_place(
    tenant: Tenant, body: Any, pointer: str
) -> None:
    answer = tenant.client.patch(f"/spaces/{tenant.space_slug}", {"status_page": body})
    assert (answer.status, answer.pointers) == (400, [pointer])


def test_the_trail_says_what_was_switched_and_has_no_address(tenant: Tenant) -> None:
    token = switched_on(tenant)
    trail = tenant.client.get(
        f"/v1/organizations/{tenant.organization_id}/audit-events?entity=space&limit=1"
    )
    [event] = trail.json["items"]
    assert event["before"]["status_page"]["enabled"] is False
    assert event["after"]["status_page"]["enabled"] is True
    assert token not in trail.text


def test_a_page_without_data_says_so(tenant: Tenant) -> None:
    shown = page(switched_on(tenant))
    assert shown["state"] == "no_data"
    assert shown["summary"] == "There is no data from the last 24 hours."
    assert len(shown["days"]) == 90
    assert all(day["no_data"] for day in shown["days"])
    today = utc_now().date()
    assert shown["days"][-1]["date"] == today.isoformat()
    assert shown["days"][0]["date"] == (today - timedelta(days=89)).isoformat()
    assert [p["period_days"] for p in shown["periods"]] == [7, 30, 90]
    assert shown["alerts"] == shown["by_integration_type"] == []
    assert shown["connections"] is None


def test_a_page_counts_the_days_exactly(tenant: Tenant) -> None:
    now = utc_now()
    report(tenant, EventStatus.SUCCESS, now, 97)
    report(tenant, EventStatus.ERROR, now, 3, IntegrationType.PROFILING)
    for days, number in ((6, 1), (7, 2), (29, 4), (89, 8), (90, 16)):
        report(tenant, EventStatus.ERROR, now - timedelta(days=days), number)
    shown = page(switched_on(tenant))
    assert shown["state"] == "operational"
    assert shown["summary"] == "Everything works."
    assert [p["total"] for p in shown["periods"]] == [101, 107, 115]
    assert [p["errors"] for p in shown["periods"]] == [4, 10, 18]
    counted = {d["date"]: d["total"] for d in shown["days"] if not d["no_data"]}
    assert counted == {
        (now - timedelta(days=ago)).date().isoformat(): total
        for ago, total in ((0, 100), (6, 1), (7, 2), (29, 4), (89, 8))
    }
    assert shown["by_integration_type"] == [
        {
            "integration_type": "webhook",
            "total": 112,
            "success": 97,
            "errors": 15,
            "success_rate": 86.61,
        },
        {
            "integration_type": "profiling",
            "total": 3,
            "success": 0,
            "errors": 3,
            "success_rate": 0.0,
        },
    ]


def test_faults_of_ours_are_in_no_count(tenant: Tenant) -> None:
    report(tenant, EventStatus.ERROR, utc_now(), 5, platform_fault=True)
    shown = page(switched_on(tenant))
    assert (shown["state"], shown["periods"][0]["total"]) == ("no_data", 0)


def test_few_successes_degrade_a_space_without_alerts(tenant: Tenant) -> None:
    report(tenant, EventStatus.SUCCESS, utc_now(), 3)
    report(tenant, EventStatus.ERROR, utc_now(), 1)
    shown = page(switched_on(tenant))
    assert shown["state"] == "degraded"
    assert shown["summary"] == "Not everything works: 75% succeeded in the last hours."


def test_without_a_success_a_space_is_down(tenant: Tenant) -> None:
    report(tenant, EventStatus.SUCCESS, utc_now() - timedelta(hours=5), 50)
    report(tenant, EventStatus.ERROR, utc_now(), 1)
    shown = page(switched_on(tenant))
    assert shown["state"] == "down"
    assert shown["summary"] == "Nothing that ran in the last hours has succeeded."


def test_alerts_and_connections_are_told_in_words_of_ours(tenant: Tenant) -> None:
    publish_integration(tenant)
    connection = create_connection(tenant, create_source(tenant), name="Geheim & Söhne")
    be(tenant, connection["id"], HealthStatus.DISCONNECTED, utc_now())
    create_rule(tenant, condition={"kind": "connection_down"}, severity="critical", name="PAGE BOB")
    evaluate(utc_now())
    token = switched_on(tenant)
    hidden = page(token)
    assert hidden["state"] == "degraded"
    said = "Not everything works: 1 connection is failing and 1 alert is firing."
    assert hidden["summary"] == said
    [alert] = hidden["alerts"]
    assert (alert["summary"], alert["severity"]) == ("A connection is failing", "critical")
    assert hidden["connections"] is None
    for secret in ("Geheim", "BOB", connection["id"], tenant.space_id, SECRET, "refused"):
        assert secret not in json.dumps(hidden, ensure_ascii=False)
    switched_on(tenant, show_connections=True)
    shown = page(token)
    assert shown["connections"] == [{"name": "Geheim & Söhne", "state": "failing"}]
    assert shown["alerts"][0]["summary"] == "A connection is failing: Geheim & Söhne"
    for secret in ("BOB", connection["id"], connection["source_id"], SECRET, "refused"):
        assert secret not in json.dumps(shown, ensure_ascii=False)


def test_a_page_that_many_look_at_is_read_twice_a_minute(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = switched_on(tenant)
    start = utc_now()
    made: list[datetime] = []
    build = reader.StatusPageReader._made

    def counted(self: reader.StatusPageReader, space: Any, now: datetime) -> Any:
        made.append(now)
        return build(self, space, now)

    monkeypatch.setattr(reader.StatusPageReader, "_made", counted)
    for seconds in range(0, 60, 3):
        now = start + timedelta(seconds=seconds)
        monkeypatch.setattr(status_pages, "utc_now", lambda now=now: now)
        answer = ANYBODY.get(f"/v1/status/{token}")
        assert answer.headers["cache-control"] == "public, max-age=60"
    assert len(made) == 2


def test_a_flood_takes_the_turns_of_no_other_page(
    tenant: Tenant, stranger: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_REQUESTS_PER_MINUTE", 3)
    start_cold("status_pages")
    now = utc_now()
    monkeypatch.setattr(status_pages, "utc_now", lambda: now)
    one, other = switched_on(tenant), switched_on(stranger)
    for path in (f"/v1/status/{one}", f"/v1/status/{'a' * 32}"):
        answers = [ANYBODY.get(path) for _ in range(4)]
        assert answers[3].status == 429
        assert answers[3].code == "RATE_LIMITED"
        assert int(answers[3].headers["retry-after"]) >= 1
    assert page(other)["state"] == "no_data"


@pytest.mark.parametrize("token", ["x", "A" * 32, "a" * 31, "a" * 3000, "STATUS#x", "a%20b", "é"])
def test_what_is_no_token_is_found_without_a_read(
    deployed: object, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unread(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Table, "get", unread)
    assert ANYBODY.get(f"/v1/status/{token}").status == 404


def test_a_link_that_leads_elsewhere_opens_nothing(
    tenant: Tenant, integrations_table: Table
) -> None:
    """As one that a failed write left behind would."""
    token = switched_on(tenant)
    tenant.client.patch(f"/spaces/{tenant.space_slug}", OFF)
    integrations_table.write(
        Put(
            {
                **status_link_key(digest(token))._asdict(),
                "organization_id": tenant.organization_id,
                "space_id": tenant.space_id,
                "slug": tenant.space_slug,
                "revision": 1,
            }
        )
    )
    assert ANYBODY.get(f"/v1/status/{token}").status == 404


def test_what_a_page_no_longer_shows_is_gone_at_once(tenant: Tenant) -> None:
    path = f"/spaces/{tenant.space_slug}"
    token = switched_on(tenant, show_connections=True)
    assert page(token)["connections"] == []
    hidden = {"status_page": {"show_connections": False}}
    assert tenant.client.patch(path, hidden).status == 200
    assert page(token)["connections"] is None
    assert tenant.client.patch(path, {"name": "Renamed"}).status == 200
    assert page(token)["name"] == "Renamed"


def test_a_flood_of_one_page_reads_nothing_of_its_organization(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partition has the items that each request of the tenant needs."""
    token = switched_on(tenant)
    assert page(token)
    read: list[str] = []
    get = Table.get

    def watched(self: Table, key: Key) -> Any:
        read.append(key.pk)
        return get(self, key)

    monkeypatch.setattr(Table, "get", watched)
    monkeypatch.setattr(Table, "get_all", lambda *_: pytest.fail("it was read before"))
    monkeypatch.setattr(Table, "query", lambda *_, **__: pytest.fail("it was read before"))
    for _ in range(3):
        assert page(token)
    assert read == [f"STATUS#{digest(token)}"] * 3


def test_no_link_is_made_once_the_erasure_of_an_organization_has_begun(
    operator: Tenant, tenant: Tenant, integrations_table: Table
) -> None:
    """By a request that was let in just before."""
    store = Deployment().tenants
    patch = SpacePatch(status_page=StatusPagePatch(enabled=True))
    spaces = store.space(tenant.space_slug)
    erase(operator, tenant)
    # What it read of the slug's claim, before that was retired
    integrations_table.write(
        Put(
            {
                **slug_claim_key(spaces.slug)._asdict(),
                "organization_id": spaces.organization_id,
                "space_id": spaces.id,
                "slug": spaces.slug,
            }
        )
    )
    with pytest.raises(NotFound):
        store.change_space(spaces.slug, patch, None, utc_now())
    page_of_it = store.space(spaces.slug).status_page
    assert (page_of_it.enabled, page_of_it.token) == (False, None)


def test_a_page_goes_with_its_space(tenant: Tenant, integrations_table: Table) -> None:
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    assert tenant.client.post(spaces, {"slug": "brief", "name": "Brief"}).status == 201
    token = token_of(tenant.client.patch("/spaces/brief", ON).json)
    assert page(token)["name"] == "Brief"
    assert tenant.client.delete("/spaces/brief").status == 204
    assert ANYBODY.get(f"/v1/status/{token}").status == 404
    assert integrations_table.get(status_link_key(digest(token))) is None


def test_a_page_is_gone_when_its_organization_is_closed(
    operator: Tenant, tenant: Tenant, integrations_table: Table
) -> None:
    token = switched_on(tenant)
    assert page(token)
    erase(operator, tenant)
    assert ANYBODY.get(f"/v1/status/{token}").status == 404
    erased(operator, tenant)
    assert integrations_table.get(status_link_key(digest(token))) is None


def test_an_export_has_the_setting_without_the_address(operator: Tenant, tenant: Tenant) -> None:
    token = switched_on(tenant, title="Acme")
    exported = operator.client.get(f"/v1/organizations/{tenant.organization_id}/export?limit=100")
    [space] = [t["content"] for t in exported.json["items"] if t["kind"] == "space"]
    assert (space["status_page"]["title"], space["status_page"]["enabled"]) == ("Acme", True)
    assert token not in exported.text


def test_badges_say_what_the_page_says(tenant: Tenant) -> None:
    token = switched_on(tenant, title='Acme <Corp> & "Söhne"')
    assert badge(token, "health") == "health: no data"
    assert badge(token, "uptime") == "uptime 30d: no data"
    assert badge(token, "response", "?days=7") == "response 7d: no data"
    events = [
        {"integration_type": "profiling", "status": status, "duration_ms": 120}
        for status in ["SUCCESS"] * 39 + ["ERROR"]
    ]
    path = f"/spaces/{tenant.space_slug}/integration-events"
    assert tenant.client.post(path, {"events": events}).status == 200
    start_cold("status_pages")
    assert badge(token, "health") == "health: operational"
    assert badge(token, "uptime", "?days=90") == "uptime 90d: 97.5%"
    assert re.fullmatch(r"response 30d: \d+ ms", badge(token, "response"))
    named = badge(token, "uptime", "?named=true")
    assert named == 'Acme <Corp> & "Söhne": uptime 30d: 97.5%'


def test_a_badge_can_do_nothing_but_be_seen(tenant: Tenant) -> None:
    answer = ANYBODY.get(f"/status/{switched_on(tenant)}/badges/uptime.svg")
    assert answer.headers["content-type"] == "image/svg+xml; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert "style" not in answer.text


@pytest.mark.parametrize("name", ["uptime.png", "uptime", "other.svg", "uptime.svg.svg", "a b.svg"])
def test_there_is_no_other_badge(tenant: Tenant, name: str) -> None:
    assert ANYBODY.get(f"/status/{switched_on(tenant)}/badges/{name}").status == 404


@pytest.mark.parametrize("query", ["days=8", "days=", "days=7&days=30", "label=x", "named=1"])
def test_a_badge_takes_no_other_query(tenant: Tenant, query: str) -> None:
    answer = ANYBODY.get(f"/status/{switched_on(tenant)}/badges/uptime.svg?{query}")
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


def test_a_page_shows_the_first_alerts_and_says_that_there_are_more(tenant: Tenant) -> None:
    for _ in range(reader.MAX_SHOWN_ALERTS + 1):
        create_rule(tenant)
    report(tenant, EventStatus.ERROR, utc_now(), 5)
    evaluate(utc_now())
    shown = page(switched_on(tenant))
    assert len(shown["alerts"]) == reader.MAX_SHOWN_ALERTS
    assert shown["more_alerts"] is True
    assert shown["alerts"][0]["summary"] == "Too many errors"
