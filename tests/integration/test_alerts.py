"""Alert rules, alerts and their deliveries, over the API."""

import json
from datetime import timedelta
from typing import Any

import pytest

import alerts as function
from patchbay.alerts.rule_model import STORED
from patchbay.connections.vault import Vault
from patchbay.deployment import Deployment
from patchbay.health.model import EventStatus, IntegrationType
from patchbay.platform.clock import floor_to_hour, utc_now
from patchbay.platform.dynamodb import Item, Put, Table
from tests.integration.alerting import (
    RATE,
    alerts,
    create_rule,
    deliveries,
    evaluate,
    report,
    rule,
    webhook,
)
from tests.integration.api import sample_event
from tests.integration.conftest import Tenant
from tests.integration.story import create_connection, create_source, publish_integration

RULES = "/spaces/acme/alert-rules"
HOOK = "https://hooks.example.com/patchbay?token=1"


def test_the_sample_event_lists_alerts(deployed: object) -> None:
    answer = function.handler(sample_event("alerts"), None)
    assert answer["statusCode"] in (401, 404)


def test_a_rule_is_created_read_listed_changed_and_deleted(tenant: Tenant) -> None:
    made = tenant.client.post(RULES, rule(severity="critical"))
    assert made.status == 201
    expected = {
        "name": "Success rate",
        "enabled": True,
        "severity": "critical",
        "for_seconds": 0,
        "keep_firing_for_seconds": 0,
        "reminder_seconds": 0,
        "channels": [],
        "space": "acme",
        "space_id": tenant.space_id,
        "organization_id": tenant.organization_id,
        "secrets": {},
    }
    assert expected.items() <= made.json.items()
    assert made.json["condition"] == {
        "per": "space",
        "integration_type": None,
        "connection_id": None,
        "recovery_threshold": None,
        **RATE,
        "threshold": 90.0,
    }
    path = f"{RULES}/{made.json['id']}"
    read = tenant.client.get(path)
    assert {**read.json, "secrets": {}} == made.json
    assert read.headers["etag"] == made.headers["etag"]
    assert tenant.client.get(RULES).json == {"items": [read.json], "next_cursor": None}
    # A merge patch changes fields of the condition; absent fields stay
    changed = tenant.client.patch(
        path,
        {"name": "Rate", "condition": {"threshold": 99.5}, "severity": None},
        if_match=read.headers["etag"],
    )
    assert changed.status == 200, changed.text
    assert changed.json["condition"] == made.json["condition"] | {"threshold": 99.5}
    assert (changed.json["name"], changed.json["severity"]) == ("Rate", "warning")
    stale = tenant.client.patch(path, {"name": "x"}, if_match=read.headers["etag"])
    assert stale.status == 412
    assert tenant.client.delete(path, if_match=read.headers["etag"]).status == 412
    assert tenant.client.delete(path).status == 204
    assert tenant.client.get(path).code == "ALERT_RULE_NOT_FOUND"
    assert tenant.client.get(RULES).json["items"] == []


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"name": ""}, ["/name"]),
        ({"unknown": 1}, ["/unknown"]),
        ({"severity": "loud"}, ["/severity"]),
        ({"reminder_seconds": 299}, ["/reminder_seconds"]),
        ({"for_seconds": -1}, ["/for_seconds"]),
        ({"condition": {"kind": "latency"}}, ["/condition"]),
        ({"condition": {}}, ["/condition"]),
        ({"condition": RATE | {"threshold": 101}}, ["/condition/threshold"]),
        ({"condition": RATE | {"threshold": 99.999}}, ["/condition/threshold"]),
        ({"condition": RATE | {"threshold": "90"}}, ["/condition/threshold"]),
        ({"condition": RATE | {"short_window_seconds": 5400}}, ["/condition/short_window_seconds"]),
        ({"condition": RATE | {"short_window_seconds": 7200}}, ["/condition"]),
        ({"condition": RATE | {"recovery_threshold": 50}}, ["/condition"]),
        ({"condition": RATE | {"after_seconds": 300}}, ["/condition/after_seconds"]),
        ({"condition": {"kind": "stale", "after_seconds": 60}}, ["/condition/after_seconds"]),
        (
            {"condition": {"kind": "stale", "after_seconds": 172_800, "per": "connection"}},
            ["/condition"],
        ),
        (
            {"condition": {"kind": "connection_down", "connection_id": "con_x"}},
            ["/condition/connection_id"],
        ),
        (
            {
                "condition": {
                    "kind": "connection_down",
                    "connection_id": "con_01KHNQ4CW0X4D5Q9S0YB2T7F3M",
                }
            },
            ["/condition/connection_id"],
        ),
        ({"channels": [{"kind": "email"}]}, ["/channels/0"]),
        ({"channels": [{"kind": "webhook"}]}, ["/channels/0/url"]),
        ({"channels": [webhook("http://hooks.example.com")]}, ["/channels/0/url"]),
        ({"channels": [webhook("http://93.184.216.34/")]}, ["/channels/0/url"]),
        ({"channels": [webhook("https://169.254.169.254/")]}, ["/channels/0/url"]),
        ({"channels": [webhook("https://10.0.0.1/")]}, ["/channels/0/url"]),
        ({"channels": [webhook("https://localhost/")]}, ["/channels/0/url"]),
        ({"channels": [webhook("https://connect.acme.com/")]}, ["/channels/0/url"]),
        ({"channels": [webhook("https://user@example.com/")]}, ["/channels/0/url"]),
        ({"channels": [webhook("ftp://example.com/")]}, ["/channels/0/url"]),
        (
            {"channels": [webhook(HOOK) | {"id": "chn_01KHNQ4CW0X4D5Q9S0YB2T7F3M"}]},
            ["/channels/0/id"],
        ),
        (
            {"channels": [{"kind": "sns", "topic_arn": "arn:aws:sns:eu-central-1:1:other"}]},
            ["/channels/0/topic_arn"],
        ),
        ({"channels": [{"kind": "eventbridge"}] * 6}, ["/channels"]),
    ],
)
def test_an_invalid_rule_is_refused_with_a_pointer(
    tenant: Tenant, change: dict[str, Any], pointers: list[str]
) -> None:
    answer = tenant.client.post(RULES, rule(**change))
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    assert answer.pointers == pointers
    # A backtest refuses the same rule
    tried = tenant.client.post(f"{RULES}/backtest", {"rule": rule(**change)})
    assert tried.pointers == [f"/rule{pointer}" for pointer in pointers]
    # A valid rule cannot be changed to it
    good = create_rule(tenant)
    if change != {"condition": {}}:
        patched = tenant.client.patch(f"{RULES}/{good['id']}", change)
        assert patched.status == 400


def test_a_connection_of_another_space_or_tenant_can_not_be_watched(
    tenant: Tenant, stranger: Tenant
) -> None:
    publish_integration(stranger)
    connection = create_connection(stranger, create_source(stranger))
    condition = {"kind": "connection_down", "connection_id": connection["id"]}
    answer = tenant.client.post(RULES, rule(condition=condition))
    assert answer.pointers == ["/condition/connection_id"]


def test_a_webhooks_secret_is_shown_once_and_nowhere_else(tenant: Tenant, log: Any) -> None:
    made = create_rule(tenant, channels=[webhook(HOOK), {"kind": "eventbridge"}])
    [hook, bus] = made["channels"]
    assert set(made["secrets"]) == {hook["id"]}
    secret = made["secrets"][hook["id"]]
    assert secret.startswith("whsec_")
    path = f"{RULES}/{made['id']}"
    # When it is read, listed, or changed in other fields
    renamed = tenant.client.patch(path, {"name": "Other"})
    for answer in (tenant.client.get(path), tenant.client.get(RULES), renamed):
        assert "whsec_" not in answer.text
    assert renamed.json["channels"] == [hook, bus]
    assert renamed.json["secrets"] == {}
    # Then the table and the log do not have it either
    table = Table("IntegrationsTable")
    stored = [
        *table.query_all(f"SPACE#{tenant.space_id}"),
        *table.query_all(f"ORG#{tenant.organization_id}"),
    ]
    assert secret.removeprefix("whsec_") not in repr(stored)
    assert "whsec_" not in log.getvalue()


def test_a_new_url_gets_a_new_secret_and_a_kept_channel_keeps_its_own(tenant: Tenant) -> None:
    made = create_rule(tenant, channels=[webhook(HOOK), webhook(HOOK)])
    [one, two] = made["channels"]
    path = f"{RULES}/{made['id']}"
    moved = tenant.client.patch(path, {"channels": [one, {**two, "url": "https://b.example.com/"}]})
    assert moved.status == 200, moved.text
    assert [c["id"] for c in moved.json["channels"]] == [one["id"], two["id"]]
    assert set(moved.json["secrets"]) == {two["id"]}
    assert moved.json["secrets"][two["id"]] != made["secrets"][two["id"]]
    # A channel with another address is new; secrets of removed channels are deleted
    replaced = tenant.client.patch(path, {"channels": [webhook(f"{HOOK}&c=1")]}).json
    assert replaced["channels"][0]["id"] not in (one["id"], two["id"])
    sealed = Table("IntegrationsTable").query(f"ORG#{tenant.organization_id}", prefix="SECRET#chn_")
    assert [item["sk"] for item in sealed.items] == [f"SECRET#{replaced['channels'][0]['id']}"]
    assert tenant.client.delete(path).status == 204
    left = Table("IntegrationsTable").query(f"ORG#{tenant.organization_id}", prefix="SECRET#chn_")
    assert left.items == []


def test_a_repeated_create_returns_the_same_secret(tenant: Tenant) -> None:
    body = rule(channels=[webhook(HOOK)])
    first = tenant.client.post(RULES, body, idempotency_key="k")
    again = tenant.client.post(RULES, body, idempotency_key="k")
    assert (again.status, again.json) == (201, first.json)
    assert len(tenant.client.get(RULES).json["items"]) == 1


def test_no_webhook_secret_is_sealed_under_a_key_that_was_just_rotated(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a rotation of the data key after the first seal of each request
    sealed = Vault.sealed

    def rotating() -> None:
        def and_then_rotated(self: Vault, *arguments: Any) -> Item:
            item = sealed(self, *arguments)
            monkeypatch.setattr(Vault, "sealed", sealed)
            keys = f"/v1/organizations/{tenant.organization_id}/data-keys"
            assert tenant.client.call("POST", keys, None).status == 201
            return item

        monkeypatch.setattr(Vault, "sealed", and_then_rotated)

    # When a rule with two webhooks is created, one is replaced, and the other's secret is rotated
    rotating()
    made = create_rule(tenant, channels=[webhook(HOOK), webhook(HOOK)])
    [kept, _] = made["channels"]
    path = f"{RULES}/{made['id']}"
    assert data_keys_of_webhooks(tenant) == [2, 2]
    rotating()
    changed = tenant.client.patch(path, {"channels": [kept, webhook(f"{HOOK}&c=1")]})
    assert changed.status == 200, changed.text
    assert data_keys_of_webhooks(tenant) == [2, 3]
    rotating()
    assert tenant.client.post(f"{path}/channels/{kept['id']}/rotate-secret", None).status == 200
    # Then each is sealed under the key that is current after the rotation
    assert data_keys_of_webhooks(tenant) == [3, 4]


def data_keys_of_webhooks(tenant: Tenant) -> list[int]:
    sealed = Table("IntegrationsTable").query(f"ORG#{tenant.organization_id}", prefix="SECRET#chn_")
    return sorted(int(item["data_key"]) for item in sealed.items)


def test_a_secret_is_rotated_once_for_a_repeated_request(tenant: Tenant) -> None:
    made = create_rule(tenant, channels=[webhook(HOOK), {"kind": "eventbridge"}])
    [hook, bus] = made["channels"]
    path = f"{RULES}/{made['id']}/channels/{hook['id']}/rotate-secret"
    first = tenant.client.post(path, {}, idempotency_key="k")
    assert first.status == 200, first.text
    assert first.json["secret"] not in made["secrets"].values()
    assert first.json["previous_valid_until"] is not None
    assert tenant.client.post(path, {}, idempotency_key="k").json == first.json
    other = f"{RULES}/{made['id']}/channels/{bus['id']}/rotate-secret"
    assert tenant.client.post(other, {}).code == "CHANNEL_NOT_FOUND"


SECRET_HOOK = "https://hooks.example.com/services/T0/B0/s3cr3t?token=s3cr3t"


def test_the_address_of_a_webhook_is_shown_to_nobody(tenant: Tenant) -> None:
    # Given a rule with two webhooks whose addresses are credentials
    made = create_rule(tenant, channels=[webhook(SECRET_HOOK), webhook(SECRET_HOOK)])
    path = f"{RULES}/{made['id']}"
    moved = [made["channels"][0], webhook(f"{SECRET_HOOK}2")]
    assert tenant.client.patch(path, {"channels": moved}).status == 200
    # When it is read, listed, changed, rotated, and looked up in the audit trail
    answers = [
        tenant.client.get(path),
        tenant.client.get(RULES),
        tenant.client.patch(path, {"name": "Another"}),
        tenant.client.get(f"/v1/organizations/{tenant.organization_id}/audit-events?limit=100"),
    ]
    # Then each shows the host, and no more of the address
    for answer in answers:
        assert "https://hooks.example.com/****-" in answer.text
        assert "s3cr3t" not in answer.text + str(made)
    # And the change of an address is seen in the trail
    [changed] = [
        event
        for event in answers[-1].json["items"]
        if event["entity"] == "alert_rule" and "channels" in (event["before"] or {})
    ]
    before, after = ([c["url"] for c in changed[side]["channels"]] for side in ("before", "after"))
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_a_channel_that_is_sent_back_with_its_mask_keeps_its_address(tenant: Tenant) -> None:
    made = create_rule(tenant, channels=[webhook(SECRET_HOOK), webhook("https://b.example.com/x")])
    [one, two] = made["channels"]
    path = f"{RULES}/{made['id']}"
    kept = tenant.client.patch(path, {"channels": [one, two]})
    assert (kept.status, kept.json["secrets"], kept.json["channels"]) == (200, {}, [one, two])
    stored = Deployment().alert_rules.rule(tenant.space_id, made["id"])
    assert [channel.model_dump(context=STORED)["url"] for channel in stored.channels] == [
        SECRET_HOOK,
        "https://b.example.com/x",
    ]
    # The mask of another channel, or of no channel, is no address
    for channels in (
        [one, {**two, "url": one["url"]}],
        [one, {"kind": "webhook", "url": one["url"]}],
        [{**one, "url": one["url"].replace("hooks.", "evil.")}],
    ):
        refused = tenant.client.patch(path, {"channels": channels})
        assert refused.status == 400
        [problem] = refused.json["error"]["details"]["errors"]
        assert problem["pointer"] == f"/channels/{len(channels) - 1}/url"
        assert "masked address" in problem["message"]
    copied = tenant.client.post(RULES, rule(channels=[webhook(one["url"])]))
    assert copied.status == 400


def test_an_address_in_an_older_audit_event_is_masked_when_it_is_read(tenant: Tenant) -> None:
    made = create_rule(tenant, channels=[webhook(SECRET_HOOK)])
    table = Table("IntegrationsTable")
    pk = f"AUDIT#{tenant.organization_id}"
    [event] = [one for one in table.query(pk).items if one["entity"] == "alert_rule"]
    [channel] = made["channels"]
    table.write(Put({**event, "after": event["after"].replace(channel["url"], SECRET_HOOK)}))
    trail = tenant.client.get(f"/v1/organizations/{tenant.organization_id}/audit-events")
    assert "s3cr3t" not in trail.text
    assert channel["url"] in trail.text


def test_more_secrets_than_can_be_kept_are_not_promised(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.alerts.webhook_secrets.MAX_ROTATED", 2)
    made = create_rule(tenant, channels=[webhook(HOOK)])
    path = f"{RULES}/{made['id']}/channels/{made['channels'][0]['id']}/rotate-secret"
    first, *_ = [tenant.client.call("POST", path, None) for _ in range(2)]
    refused = tenant.client.call("POST", path, None)
    assert (refused.status, refused.code) == (409, "ROTATION_LIMIT")
    details = refused.json["error"]["details"]
    assert details == {"limit": 2, "free_at": first.json["previous_valid_until"]}


def test_channels_that_are_written_again_without_their_ids_stay(tenant: Tenant) -> None:
    channels = [webhook(HOOK), {"kind": "eventbridge"}, webhook(HOOK)]
    made = create_rule(tenant, channels=channels)
    path = f"{RULES}/{made['id']}"
    again = tenant.client.patch(path, {"channels": channels})
    assert (again.json["channels"], again.json["secrets"]) == (made["channels"], {})
    assert again.json["updated_at"] == made["updated_at"]
    # When one is written with its id, another that is alike is not taken for it
    second = tenant.client.patch(path, {"channels": [webhook(HOOK), made["channels"][0]]})
    ids = [channel["id"] for channel in second.json["channels"]]
    assert ids == [made["channels"][2]["id"], made["channels"][0]["id"]]


def test_a_space_has_a_limit_of_rules_and_cannot_be_deleted_while_it_has_one(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.alerts.rule_store.MAX_RULES", 2)
    made = [create_rule(tenant) for _ in range(2)]
    assert tenant.client.post(RULES, rule()).status == 409
    assert tenant.client.delete("/spaces/acme").code == "IN_USE"
    for one in made:
        assert tenant.client.delete(f"{RULES}/{one['id']}").status == 204
    create_rule(tenant)
    [last] = tenant.client.get(RULES).json["items"]
    assert tenant.client.delete(f"{RULES}/{last['id']}").status == 204
    assert tenant.client.delete("/spaces/acme").status == 204


def test_an_alert_is_listed_filtered_and_acknowledged_once(tenant: Tenant) -> None:
    # Given a firing alert and a pending one
    now = utc_now()
    create_rule(tenant)
    create_rule(tenant, name="Later", for_seconds=3600)
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    [firing] = alerts(tenant, "?state=firing")
    [pending] = alerts(tenant, "?state=pending")
    assert alerts(tenant) == [pending, firing] or alerts(tenant) == [firing, pending]
    assert alerts(tenant, f"?rule_id={pending['rule_id']}") == [pending]
    subject = {"kind": "space", "id": tenant.space_id, "name": "acme", "external_account_id": None}
    assert firing["subject"] == subject
    assert "0.0% of 10 events" in firing["summary"]
    # When it is acknowledged, twice
    path = f"/spaces/acme/alerts/{firing['id']}"
    first = tenant.client.call("POST", f"{path}/acknowledge", None)
    assert first.status == 200, first.text
    assert first.json["acknowledged_at"] is not None
    assert first.json["acknowledged_by"].startswith("key_")
    assert tenant.client.call("POST", f"{path}/acknowledge", None).json == first.json
    assert tenant.client.get(path).json == first.json
    assert alerts(tenant, "?state=acknowledged") == [first.json]
    assert alerts(tenant, "?state=resolved") == []
    # Then a pending one cannot be acknowledged
    other = f"/spaces/acme/alerts/{pending['id']}/acknowledge"
    assert tenant.client.call("POST", other, None).status == 409


def test_an_acknowledged_alert_sends_no_reminders_but_a_recovery(tenant: Tenant) -> None:
    now = floor_to_hour(utc_now())
    create_rule(tenant, reminder_seconds=300, channels=[{"kind": "eventbridge"}])
    report(tenant, EventStatus.ERROR, now)
    for minute in range(12):
        evaluate(now + timedelta(minutes=minute))
    [alert] = alerts(tenant)
    assert alert["reminders"] == 2
    tenant.client.call("POST", f"/spaces/acme/alerts/{alert['id']}/acknowledge", None)
    for minute in range(12, 30):
        evaluate(now + timedelta(minutes=minute))
    report(tenant, EventStatus.SUCCESS, now + timedelta(minutes=30), number=99)
    report(tenant, EventStatus.SUCCESS, now + timedelta(minutes=30), number=99)
    evaluate(now + timedelta(minutes=31))
    sent = [one["notice"] for one in deliveries(tenant, alert["id"])]
    assert sent == ["firing", "reminder", "reminder", "resolved"]
    [ended] = alerts(tenant)
    assert (ended["state"], ended["resolution"]) == ("resolved", "recovered")
    assert ended["acknowledged_at"] is not None


def test_the_alerts_of_another_tenant_are_not_found(tenant: Tenant, stranger: Tenant) -> None:
    now = utc_now()
    made = create_rule(tenant, channels=[webhook(HOOK)])
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    [alert] = alerts(tenant)
    [delivery] = deliveries(tenant, alert["id"])
    channel = made["channels"][0]["id"]
    parts = [
        ("GET", "alert-rules", None),
        ("POST", "alert-rules", rule()),
        ("POST", "alert-rules/backtest", {"rule": rule()}),
        ("GET", f"alert-rules/{made['id']}", None),
        ("PATCH", f"alert-rules/{made['id']}", {"name": "x"}),
        ("DELETE", f"alert-rules/{made['id']}", None),
        ("GET", f"alert-rules/{made['id']}/subjects", None),
        ("POST", f"alert-rules/{made['id']}/channels/{channel}/rotate-secret", None),
        ("GET", "alerts", None),
        ("GET", f"alerts/{alert['id']}", None),
        ("POST", f"alerts/{alert['id']}/acknowledge", None),
        ("GET", f"alerts/{alert['id']}/deliveries", None),
        ("POST", f"alerts/{alert['id']}/deliveries/{delivery['id']}/resend", None),
    ]
    declared = {(d.method, d.path) for d in function.api.routes}
    assert len(parts) == len(declared)
    for method, path, body in parts:
        text = None if body is None else json.dumps(body)
        foreign = stranger.client.call(method, f"/spaces/acme/{path}", text)
        assert (foreign.status, foreign.code) == (404, "SPACE_NOT_FOUND"), path
        if method != "GET" and "backtest" not in path:
            reader = tenant.client.with_key(_key_that_reads(tenant))
            assert reader.call(method, f"/spaces/acme/{path}", text).status == 403, path
        if made["id"] in path or alert["id"] in path:
            # The ids of another space are not found in one's own
            own = stranger.client.call(method, f"/spaces/globex/{path}", text)
            assert own.status == 404, path
    assert tenant.client.get(f"{RULES}/{made['id']}").status == 200


def _key_that_reads(tenant: Tenant) -> str:
    body = {"name": "reader", "permissions": ["platform.integration.read"]}
    issued = tenant.client.post(f"/v1/organizations/{tenant.organization_id}/api-keys", body)
    key: str = issued.json["key"]
    return key


def test_a_backtest_finds_when_a_rule_would_have_fired(tenant: Tenant) -> None:
    # Given three days, the second with two hours of errors
    now = utc_now()
    end = floor_to_hour(now)
    for hours_ago in range(72, 0, -1):
        bad = hours_ago in (40, 39)
        status = EventStatus.ERROR if bad else EventStatus.SUCCESS
        report(tenant, status, end - timedelta(hours=hours_ago), number=6)
    body = {"rule": rule(), "days": 2}
    answer = tenant.client.post(f"{RULES}/backtest", body)
    assert answer.status == 200, answer.text
    result = answer.json
    # Then the rule would have fired once, from the end of the first bad hour to that of a good hour
    [firing] = result["firings"]
    stamp = "%Y-%m-%dT%H:%M:%S.000Z"
    assert firing["fired_at"] == (end - timedelta(hours=39)).strftime(stamp)
    assert firing["resolved_at"] == (end - timedelta(hours=37)).strftime(stamp)
    assert result["resolution_seconds"] == 3600
    assert result["subjects"] == 1
    # And nothing was stored
    assert alerts(tenant) == []
    assert tenant.client.get(RULES).json["items"] == []


def test_a_backtest_of_connections_reads_single_events(tenant: Tenant) -> None:
    publish_integration(tenant)
    connection = create_connection(tenant, create_source(tenant))
    end = floor_to_hour(utc_now())
    kind = IntegrationType.CONNECTION_TEST
    for hours_ago, status in ((30, "SUCCESS"), (20, "ERROR"), (19, "ERROR"), (10, "SUCCESS")):
        at = end - timedelta(hours=hours_ago) + timedelta(minutes=1)
        report(tenant, EventStatus(status), at, 1, kind, connection["id"])
    condition = {"kind": "connection_down", "connection_id": connection["id"]}
    for change in (condition, {"kind": "connection_down"}):
        body = {"rule": rule(condition=change), "days": 1}
        result = tenant.client.post(f"{RULES}/backtest", body).json
        [firing] = result["firings"]
        assert firing["subject"] == {"kind": "connection", "id": connection["id"]}
        stamp = "%Y-%m-%dT%H:%M:%S.000Z"
        assert firing["fired_at"] == (end - timedelta(hours=19)).strftime(stamp)
        assert firing["resolved_at"] == (end - timedelta(hours=9)).strftime(stamp)


def test_an_integer_may_be_written_with_a_zero_fraction_in_an_edit(tenant: Tenant) -> None:
    rule = create_rule(tenant, condition={"kind": "stale", "after_seconds": 300.0})
    path = f"{RULES}/{rule['id']}"
    edited = tenant.client.patch(path, {"condition": {"after_seconds": 600.0}})
    assert edited.status == 200, edited.text
    assert edited.json["condition"]["after_seconds"] == 600
    # But a fraction is none, and it is told where
    refused = tenant.client.patch(path, {"condition": {"after_seconds": 600.5}})
    assert refused.status == 400
    assert refused.json["error"]["details"]["errors"] == [
        {"pointer": "/condition/after_seconds", "message": "must be an integer"}
    ]
