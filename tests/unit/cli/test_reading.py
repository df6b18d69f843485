"""`health`, `connections`, `install-link`, `audit`, `export`, `erase`, and `doctor`."""

import json
import stat
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from patchbay_cli import audit, organizations, outages

from tests.unit.cli.answers_of import CALLER, by_path
from tests.unit.cli.conftest import ORGANIZATION_ID, Patchbay
from tests.unit.sdk.stand_in import Behavior, StandIn, answers, fails, listing

pytestmark = pytest.mark.enable_socket

SUMMARY = {
    "space_id": "8799eb5d-2918-445e-829f-99ad2cabfda4",
    "period_days": 7,
    "total_events": 1200,
    "success_count": 1194,
    "error_count": 6,
    "success_rate": 99.5,
    "last_success_at": "2026-02-17T10:00:00Z",
    "last_error_at": None,
    "by_integration_type": [
        {
            "integration_type": "metadata_sync",
            "total": 1200,
            "success": 1194,
            "errors": 6,
            "last_event_at": "2026-02-17T10:00:00Z",
        }
    ],
    "no_data": False,
    "platform_faults": 0,
}


def connection(**more: Any) -> dict[str, Any]:
    return {
        "id": "con_1",
        "name": "Acme \x1b[31mCRM",
        "space": "production",
        "status": "active",
        "health": {
            "status": "error",
            "checked_at": "2026-02-17T10:00:00Z",
            "error_code": "auth_invalid",
        },
        **more,
    }


def change(number: int) -> dict[str, Any]:
    return {
        "id": f"aud_{number}",
        "at": f"2026-02-17T10:00:0{number}Z",
        "subject": "key_1",
        "action": "changed",
        "entity": "source",
        "entity_id": "src_1",
        "before": {"name": "a"},
        "after": {"name": "b"},
        "secrets_entered": ["api_key"],
    }


def erasure(status: str) -> dict[str, Any]:
    return {
        "organization_id": "org_2",
        "status": status,
        "removed": {"spaces": 2, "sources": 3},
        "failures": 0,
        "error_code": None,
        "kept": [{"what": "audit_trail", "until": None}],
    }


def test_health_is_a_rate_and_its_types(server: StandIn, patchbay: Patchbay) -> None:
    server.does(answers(200, SUMMARY))

    assert patchbay("health", "--days", "7").out.splitlines() == [
        "production, 7 days: 99.5% of 1200 events",
        "TYPE           TOTAL  SUCCESS  ERRORS  LAST EVENT",
        "metadata_sync   1200     1194       6  2026-02-17T10:00:00Z",
    ]
    assert json.loads(patchbay("health", "--days", "7", "--json").out) == SUMMARY
    assert server.asked[0].path == "/spaces/production/integration-health?days=7"


@pytest.mark.parametrize(
    ("spaces", "said"), [([], "has no space"), (["a", "b"], "name one with --space")]
)
def test_a_space_is_named_or_the_only_one(
    server: StandIn,
    patchbay: Patchbay,
    monkeypatch: pytest.MonkeyPatch,
    spaces: list[str],
    said: str,
) -> None:
    monkeypatch.delenv("PATCHBAY_SPACE")
    found = [{"slug": slug} for slug in spaces]
    server.does(by_path({"/current": answers(200, CALLER), "/spaces": listing(found, None)}))
    assert said in patchbay("health").err

    routes = {"/current": answers(200, CALLER), "/spaces": listing([{"slug": "only"}], None)}
    server.does(by_path({**routes, "/spaces/only/integration-health": answers(200, SUMMARY)}))
    assert patchbay("health").code == 0


def test_connections_are_a_table_or_lines_of_json(server: StandIn, patchbay: Patchbay) -> None:
    found = [connection(), connection(id="con_2")]
    server.does(listing(found[:1], "more"), listing(found[1:], None))

    table = patchbay("connections", "--health", "error").out.splitlines()

    assert [line.split()[0] for line in table] == ["CONNECTION", "con_1", "con_2"]
    assert "Acme \\x1b[31mCRM" in table[1]
    assert "health=error" in server.asked[0].path
    server.does(listing(found, None))
    lines = patchbay("connections", "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == found


def test_a_link_is_all_that_is_on_standard_output(server: StandIn, patchbay: Patchbay) -> None:
    made = {
        "integration": "acme/crm",
        "version": "1.0.0",
        "expires_at": "2026-02-17T10:00:00Z",
        "url": "https://patchbay.example.com/install/acme/crm#pbi_token",
    }
    server.does(answers(201, made))

    ran = patchbay("install-link", "acme/crm", "--end-user", "user-7")

    assert ran.out == f"{made['url']}\n"
    assert "pbi_token" not in ran.err
    sent = json.loads(server.asked[0].body)
    assert (sent["space"], sent["end_user"]) == ("production", {"id": "user-7"})


def test_the_audit_trail_is_oldest_first_and_goes_on(
    server: StandIn, patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.does(
        listing([change(2), change(1)], "older"),
        listing([change(3), change(2)], None),
        listing([change(3)], None),
        fails(403, "PERMISSION_DENIED"),
    )
    monkeypatch.setattr(audit, "_POLL_SECONDS", 0.0)

    ran = patchbay("audit", "--follow", "--limit", "2")

    assert ran.out.splitlines() == [
        f"2026-02-17T10:00:0{n}Z  key_1  changed source src_1: name (secrets: api_key)"
        for n in (1, 2, 3)
    ]
    assert "since=2026-02-17T10%3A00%3A01" in server.asked[1].path


def test_an_export_has_its_name_when_it_is_whole(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    things = [{"kind": "space", "content": {"slug": "a"}}, {"kind": "event", "content": {}}]
    file = tmp_path / "export.ndjson"
    server.does(listing(things[:1], "more"), fails(403, "PERMISSION_DENIED"))
    assert patchbay("export", "org_2", "--output", str(file)).code == 1
    assert not file.exists()

    server.does(listing(things[:1], "more"), listing(things[1:], None))
    assert patchbay("export", "org_2", "--output", str(file)).code == 0
    assert [json.loads(line) for line in file.read_text().splitlines()] == things
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    server.does(listing(things, None))
    assert [json.loads(line) for line in patchbay("export", "org_2").out.splitlines()] == things


def test_nothing_is_erased_without_the_id_twice(
    server: StandIn, patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.does(answers(202, erasure("queued")), answers(200, erasure("erased")))
    assert patchbay("erase", "org_2").code == 64
    assert patchbay("erase", "org_2", "--confirm", "org_1").code == 1
    assert server.asked == []
    monkeypatch.setattr(organizations, "_POLL_SECONDS", 0.0)

    ran = patchbay("erase", "org_2", "--confirm", "org_2", "--wait")

    assert ran.out.splitlines() == [
        "org_2 is erased: 5 items are removed",
        "  kept: audit_trail, with no end yet",
    ]
    assert [(one.method, one.path) for one in server.asked] == [
        ("DELETE", "/v1/organizations/org_2?confirm=org_2"),
        ("GET", "/v1/organizations/org_2/erasure"),
    ]


def healthy(**more: Any) -> dict[str, Any]:
    return {
        "/openapi.json": answers(200, {"info": {"title": "Patchbay", "version": "0.1.0"}}),
        "/ways": answers(200, {}),
        "/current": answers(200, CALLER),
        "/quotas": listing([{"name": "sources", "limit": 100, "used": 12}], None),
        "/integration-health": listing([{"slug": "a", "platform_faults": 0}], None),
        **more,
    }


def dated(date: str) -> Behavior:
    """An empty answer with this Date."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        handler.send_header("Date", date)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"{}")

    return answer


def test_a_deployment_without_a_fault_has_none(server: StandIn, patchbay: Patchbay) -> None:
    server.does(by_path(healthy()))

    ran = patchbay("doctor")

    assert ran.code == 0, ran.out
    assert [line[0] for line in ran.out.splitlines()] == ["✓"] * 6
    assert ran.out.splitlines()[0].endswith(f"{server.url} is Patchbay 0.1.0")
    assert ORGANIZATION_ID in ran.out


def test_what_is_wrong_is_found(server: StandIn, patchbay: Patchbay) -> None:
    quotas = [
        {"name": "sources", "limit": 10, "used": 10},
        {"name": "spaces", "limit": 10, "used": 9},
        {"name": "keys", "limit": 10, "used": None},
    ]
    server.does(
        by_path(
            healthy(
                **{
                    "/ways": dated(formatdate(1_700_000_000, usegmt=True)),
                    "/current": fails(401, "UNAUTHENTICATED"),
                    "/quotas": listing(quotas, None),
                    "/integration-health": listing([{"slug": "a", "platform_faults": 3}], None),
                }
            )
        )
    )

    ran = patchbay("doctor", "--json")

    assert ran.code == 1
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert [(one["what"], one["status"]) for one in found] == [
        ("deployment", "ok"),
        ("latency", "ok"),
        ("clock", "problem"),
        ("key", "problem"),
        ("quotas", "problem"),
        ("quotas", "warning"),
        ("platform_faults", "problem"),
    ]


@pytest.mark.parametrize("date", ["", "yesterday", "Sun, 99 Nov 2026 17:00:00 GMT"])
def test_a_date_that_says_nothing_is_no_clock(
    date: str, server: StandIn, patchbay: Patchbay
) -> None:
    server.does(by_path(healthy(**{"/ways": dated(date)})))

    ran = patchbay("doctor", "--json")

    assert ran.code == 0, ran.err
    clock = [one for one in map(json.loads, ran.out.splitlines()) if one["what"] == "clock"]
    assert [one["message"] for one in clock] == ["the answer has no Date to compare with"]


def test_a_date_without_a_zone_is_one_of_utc(server: StandIn, patchbay: Patchbay) -> None:
    server.does(by_path(healthy(**{"/ways": dated(formatdate())})))

    assert "the same time" in patchbay("doctor").out


@pytest.mark.parametrize("document", [[], {}, {"info": "Patchbay"}])
def test_something_else_that_answers_is_no_deployment(
    document: object, server: StandIn, patchbay: Patchbay
) -> None:
    server.does(by_path(healthy(**{"/openapi.json": answers(200, document)})))

    ran = patchbay("doctor")

    assert ran.code == 4
    assert "is it Patchbay that answers?" in ran.out


def test_a_deployment_that_is_not_there_is_all_that_is_wrong(
    server: StandIn, patchbay: Patchbay
) -> None:
    server.does(fails(403, "PERMISSION_DENIED"))

    ran = patchbay("doctor")

    assert ran.code == 4
    assert len(ran.out.splitlines()) == 1


def test_following_the_trail_outlives_an_outage(
    server: StandIn, patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last one ends it: it is refused
    server.does(
        listing([change(1)], None),
        *[fails(503, "TEMPORARILY_UNAVAILABLE", {"Retry-After": "0"})] * 3,
        listing([change(3)], "more"),
        fails(429, "RATE_LIMITED", {"Retry-After": "3600"}),
        listing([change(3)], "more"),
        listing([change(2), change(1)], None),
        fails(403, "PERMISSION_DENIED"),
    )
    monkeypatch.setattr(audit, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(outages, "_FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(outages, "_LONGEST_PAUSE_SECONDS", 0.0)

    ran = patchbay("audit", "--follow", "--json")

    assert [json.loads(line)["id"] for line in ran.out.splitlines()] == ["aud_1", "aud_2", "aud_3"]
    said = [json.loads(line)["error"]["code"] for line in ran.err.splitlines()]
    assert said == ["TEMPORARILY_UNAVAILABLE", "RATE_LIMITED", "PERMISSION_DENIED"]
    assert ran.code == 1


def test_waiting_for_an_erasure_outlives_an_outage(
    server: StandIn, patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.does(
        answers(202, erasure("queued")),
        *[fails(503, "TEMPORARILY_UNAVAILABLE", {"Retry-After": "0"})] * 3,
        answers(200, erasure("erased")),
    )
    monkeypatch.setattr(organizations, "_POLL_SECONDS", 0.0)
    monkeypatch.setattr(outages, "_FIRST_PAUSE_SECONDS", 0.0)

    ran = patchbay("erase", "org_2", "--confirm", "org_2", "--wait")

    assert ran.code == 0
    assert [one.method for one in server.asked] == ["DELETE", *["GET"] * 4]


def test_an_export_that_breaks_off_leaves_nothing_and_writes_where_it_is_told(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    folder = tmp_path / "exports"
    folder.mkdir()
    things = [{"kind": "space", "content": {"name": "\ud800 \x9b31m é"}}]

    server.does(listing(things, "more"), fails(403, "PERMISSION_DENIED"))
    assert patchbay("export", "org_2", "--output", str(folder / "all")).code == 1
    assert list(folder.iterdir()) == []

    # Somebody knows the name, and has put links there
    (folder / "all").symlink_to(elsewhere)
    (folder / "all.part").symlink_to(elsewhere)
    server.does(listing(things, None))
    assert patchbay("export", "org_2", "--output", str(folder / "all")).code == 0
    assert elsewhere.read_text() == "theirs"
    assert json.loads((folder / "all").read_text()) == things[0]

    server.asked.clear()
    for place in (str(folder), "/dev/null"):
        ran = patchbay("export", "org_2", "--output", place)
        assert (ran.code, "is not a file" in ran.err) == (1, True)
    assert server.asked == []
