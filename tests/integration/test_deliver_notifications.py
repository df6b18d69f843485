"""Deliveries to real receivers: signed, at least once, one at a time, and in order."""

import asyncio
import errno
import json
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

import deliver_notifications

# Its limits follow from those of channel_sender: it is imported before a test changes them.
import patchbay.alerts.notifier  # noqa: F401
from patchbay.alerts import channel_sender
from patchbay.alerts.keys import LANES
from patchbay.alerts.model import DeliveryStatus
from patchbay.alerts.outbox import Outbox
from patchbay.connections.keys import secret_key
from patchbay.deployment import Deployment
from patchbay.health.model import EventStatus, IntegrationType
from patchbay.health.store import EventStore
from patchbay.platform.aws import client
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Delete, Key, Put, Table
from patchbay.platform.errors import TemporarilyUnavailable
from tests.integration.alerting import (
    alerts,
    create_rule,
    deliver,
    deliveries,
    evaluate,
    make_due,
    queued,
    report,
    webhook,
)
from tests.integration.api import sample_event, start_cold
from tests.integration.conftest import Tenant
from tests.integration.receiver import Receiver, receiving

pytestmark = pytest.mark.enable_socket

RULES = "/spaces/acme/alert-rules"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as served:
        yield served


@pytest.fixture
def now() -> datetime:
    return utc_now()


def fire(tenant: Tenant, now: datetime, *urls: str, **changes: Any) -> dict[str, Any]:
    """Creates a rule with these webhooks and lets its alert fire."""
    made = create_rule(tenant, channels=[webhook(url) for url in urls], **changes)
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    return made


def recover(tenant: Tenant, now: datetime) -> None:
    report(tenant, EventStatus.SUCCESS, now, number=99)
    evaluate(now)


def only_delivery(tenant: Tenant) -> dict[str, Any]:
    [alert] = alerts(tenant)
    [delivery] = deliveries(tenant, alert["id"])
    return delivery


def test_the_sample_event_names_a_delivery_that_does_not_exist(deployed: object) -> None:
    answer = deliver_notifications.handler(sample_event("deliver_notifications"), None)
    assert answer == {"batchItemFailures": []}


NO_DELIVERIES = [
    "",
    "no json",
    "[]",
    "{}",
    '{"deliveries": 1}',
    '{"deliveries": ["ab"]}',
    '{"deliveries": [["SPACE#x", 5]]}',
    '{"deliveries": [[["SPACE#x"], "OUT#y"]]}',
]


def test_a_message_without_a_delivery_is_returned_alone_and_logged(
    tenant: Tenant, receiver: Receiver, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a message of an alert among messages that are not ours
    fire(tenant, now, receiver.url)
    odd = [
        {"messageId": f"odd-{number}", "body": body} for number, body in enumerate(NO_DELIVERIES)
    ]
    caplog.clear()
    # When they are in one batch
    answer = deliver_notifications.handler({"Records": [*odd, *queued()]}, None)
    # Then the alert is delivered, and each of the others is returned and logged
    come_back = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    assert sorted(come_back) == [record["messageId"] for record in odd]
    assert only_delivery(tenant)["status"] == "delivered"
    named = {getattr(record, "message_id", None) for record in caplog.records}
    assert named >= {record["messageId"] for record in odd}


def test_a_webhook_gets_a_message_that_the_library_verifies(
    tenant: Tenant, receiver: Receiver, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    made = fire(tenant, now, receiver.url, severity="critical")
    [secret] = made["secrets"].values()
    # When the queue wakes the notifier
    assert deliver_notifications.handler({"Records": queued()}, None) == {"batchItemFailures": []}
    # Then the message is genuine and complete
    [received] = receiver.requests
    message = received.verified(secret)
    assert message["type"] == "alert.firing"
    [alert] = alerts(tenant)
    assert message["data"] == {
        "notification_id": received.id,
        "alert_id": alert["id"],
        "organization_id": tenant.organization_id,
        "space_id": tenant.space_id,
        "space": "acme",
        "rule": {
            "id": made["id"],
            "name": "Success rate",
            "severity": "critical",
            "condition": "success_rate",
        },
        "subject": {
            "kind": "space",
            "id": tenant.space_id,
            "name": "acme",
            "external_account_id": None,
        },
        "connection": None,
        "summary": alert["summary"],
        "link": f"https://go.acme.com/spaces/acme/alerts/{alert['id']}",
        "reminder": None,
        "resolution": None,
    }
    assert received.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        received.verified("whsec_" + "A" * 44)
    # And it is in the list of deliveries
    delivery = only_delivery(tenant)
    assert (delivery["status"], delivery["next_attempt_at"]) == ("delivered", None)
    assert delivery["notification_id"] == received.id
    [attempt] = delivery["attempts"]
    assert (attempt["status_code"], attempt["error"]) == (204, None)
    # Once is enough
    deliver()
    assert len(receiver.requests) == 1
    [sent] = [vars(line) for line in caplog.records if line.message == "notifications sent"]
    assert sent["notifications_delivered"] == 1


def test_the_schedule_delivers_without_the_queue(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    fire(tenant, now, receiver.url, receiver.url)
    deliver()
    # Two channels, one notification
    assert len(receiver.requests) == 2
    assert len({request.id for request in receiver.requests}) == 1
    recover(tenant, now)
    deliver()
    assert len(receiver.requests) == 4
    assert json.loads(receiver.requests[-1].body)["data"]["resolution"] == "recovered"


def test_during_a_rotation_both_secrets_verify(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    made = fire(tenant, now, receiver.url)
    [(channel, old)] = made["secrets"].items()
    path = f"{RULES}/{made['id']}/channels/{channel}/rotate-secret"
    new = tenant.client.call("POST", path, None).json["secret"]
    deliver()
    [received] = receiver.requests
    assert received.verified(old) == received.verified(new)
    assert len(received.headers["webhook-signature"].split(" ")) == 2


def test_every_secret_verifies_until_its_own_time(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    # Given a webhook whose secret was rotated twice within minutes
    made = fire(tenant, now, receiver.url)
    [(channel, first)] = made["secrets"].items()
    path = f"{RULES}/{made['id']}/channels/{channel}/rotate-secret"
    answers = [tenant.client.call("POST", path, None).json for _ in range(2)]
    # When a message is sent
    deliver()
    # Then a receiver with any of the three secrets can verify it
    [received] = receiver.requests
    for secret in (first, *(answer["secret"] for answer in answers)):
        received.verified(secret)
    assert all(answer["previous_valid_until"] for answer in answers)


def test_a_webhook_with_a_new_url_is_signed_with_its_new_secret_only(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    made = fire(tenant, now, "https://old.example.com/hook")
    [channel] = made["channels"]
    path = f"{RULES}/{made['id']}"
    moved = tenant.client.patch(path, {"channels": [channel | {"url": receiver.url}]}).json
    deliver()
    [received] = receiver.requests
    received.verified(moved["secrets"][channel["id"]])
    with pytest.raises(WebhookVerificationError):
        received.verified(made["secrets"][channel["id"]])


def test_a_failed_delivery_is_repeated_with_the_same_bytes_until_it_arrives(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    made = fire(tenant, now, receiver.url)
    receiver.answer = 500
    deliver()
    delivery = only_delivery(tenant)
    assert (delivery["status"], delivery["attempts"][0]["status_code"]) == ("pending", 500)
    # Not before it is due
    deliver()
    assert len(receiver.requests) == 1
    make_due(timedelta(hours=1))
    deliver()
    receiver.answer = 200
    make_due(timedelta(hours=1))
    deliver()
    delivery = only_delivery(tenant)
    assert delivery["status"] == "delivered"
    assert [a["status_code"] for a in delivery["attempts"]] == [500, 500, 200]
    assert len({(request.id, request.body) for request in receiver.requests}) == 1
    [secret] = made["secrets"].values()
    for request in receiver.requests:
        request.verified(secret)


def test_a_delivery_is_given_up_after_24_hours_and_can_be_resent(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    fire(tenant, now, receiver.url)
    receiver.answer = 503
    deliver()
    delivery = only_delivery(tenant)
    path = f"/spaces/acme/alerts/{delivery['alert_id']}/deliveries/{delivery['id']}/resend"
    assert tenant.client.call("POST", path, None).status == 409
    make_due(timedelta(hours=25))
    deliver()
    assert only_delivery(tenant)["status"] == "failed"
    deliver()
    assert len(receiver.requests) == 2
    # When it is resent
    queued()
    receiver.answer = 200
    answer = tenant.client.call("POST", path, None)
    assert (answer.status, answer.json["status"]) == (202, "pending")
    deliver_notifications.handler({"Records": queued()}, None)
    # Then it is the same notification
    assert only_delivery(tenant)["status"] == "delivered"
    assert len({request.id for request in receiver.requests}) == 1


def test_after_410_there_is_no_other_attempt(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    fire(tenant, now, receiver.url)
    receiver.answer = 410
    deliver()
    delivery = only_delivery(tenant)
    assert (delivery["status"], delivery["attempts"][0]["error"]) == ("failed", "gone")


def test_a_receiver_may_ask_to_wait(tenant: Tenant, receiver: Receiver, now: datetime) -> None:
    fire(tenant, now, receiver.url)
    receiver.answer, receiver.headers = 429, {"Retry-After": "7200"}
    deliver()
    delivery = only_delivery(tenant)
    asked = datetime.fromisoformat(delivery["next_attempt_at"]) - now
    assert timedelta(hours=2) <= asked < timedelta(hours=2, minutes=1)


@pytest.mark.parametrize(
    ("answer", "status_code", "error"),
    [
        ("silent", None, "provider_timeout"),
        ("slow", 200, None),  # its head never ends, but its status was seen
        ("reset", None, "connection_reset"),
        (302, 302, "http_status"),
    ],
)
def test_a_hostile_receiver_delays_no_other_and_redirects_nowhere(
    tenant: Tenant,
    receiver: Receiver,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    answer: int | str,
    status_code: int | None,
    error: str | None,
) -> None:
    # A receiver that hangs takes this long, and the other one must be notified in this time.
    monkeypatch.setattr(channel_sender, "ATTEMPT_SECONDS", 2.0)
    with receiving() as good:
        fire(tenant, now, receiver.url, good.url)
        receiver.answer = answer
        receiver.headers = {"Location": f"{good.url}/redirected"}
        deliver()
        # The other receiver has its message and nothing else
        assert [request.body[:1] for request in good.requests] == [b"{"]
    [alert] = alerts(tenant)
    became = [(d["status"], d["attempts"]) for d in deliveries(tenant, alert["id"])]
    ended = [(status, a["status_code"], a["error"]) for status, [a] in became]
    hostile = ("pending" if error else "delivered", status_code, error)
    assert sorted(ended, key=str) == sorted([("delivered", 204, None), hostile], key=str)


def test_only_the_status_of_a_response_is_read(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    fire(tenant, now, receiver.url)
    receiver.answer = "huge"
    deliver()
    assert only_delivery(tenant)["status"] == "delivered"


def test_a_target_that_is_refused_later_is_not_dialed(
    tenant: Tenant, receiver: Receiver, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a webhook that was allowed when its rule was created
    fire(tenant, now, receiver.url)
    monkeypatch.setenv("EGRESS_ALLOW", "")
    start_cold("deliver_notifications")
    deliver()
    assert receiver.requests == []
    assert only_delivery(tenant)["attempts"][0]["error"] == "egress_blocked"


@pytest.mark.parametrize("host", ["api.example.com", "eu.connect.acme.com", "go.acme.com"])
def test_our_own_api_cannot_be_a_receiver(
    tenant: Tenant, now: datetime, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a rule that is older than the domain
    with monkeypatch.context() as before:
        before.setenv("OWN_HOST_NAMES", "")
        before.setenv("PUBLIC_URL", "")
        fire(tenant, now, f"https://{host}/spaces/acme/integration-events")
    deliver()
    assert only_delivery(tenant)["attempts"][0]["error"] == "egress_blocked"


def test_a_recovery_waits_for_the_first_message_and_is_skipped_without_it(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    # Given a receiver that was down when the alert fired, and when it ended
    with receiving() as never:
        never.answer = 410
        fire(tenant, now, receiver.url, never.url)
        receiver.answer = 500
        deliver()
        recover(tenant, now)
        deliver()
        assert len(never.requests) == 1
    [alert] = alerts(tenant)
    status = {(d["notice"], d["status"]) for d in deliveries(tenant, alert["id"])}
    # Then the receiver that refused the alert for good gets no recovery
    assert status == {
        ("firing", "pending"),
        ("firing", "failed"),
        ("resolved", "pending"),
        ("resolved", "skipped"),
    }
    # And the receiver that was down gets both, in order
    receiver.answer = 200
    for _ in range(2):
        make_due(timedelta(hours=1))
        deliver()
    types = [json.loads(request.body)["type"] for request in receiver.requests]
    assert types == ["alert.firing", "alert.firing", "alert.resolved"]


def test_a_reminder_reaches_a_channel_that_the_first_message_did_not(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    start = now - 7 * MINUTE
    # Given a receiver that refused the first message for good, and one that was down
    with receiving() as refusing:
        refusing.answer, receiver.answer = 410, 500
        fire(tenant, start, receiver.url, refusing.url, reminder_seconds=300)
        deliver()
        refusing.answer = receiver.answer = 200
        # When a reminder is due
        evaluate(start + 6 * MINUTE)
        deliver()
        # Then both hear of the outage, and the first message is not sent any more
        make_due(timedelta(hours=1))
        deliver()
        assert [json.loads(r.body)["type"] for r in refusing.requests][1:] == ["alert.reminder"]
        assert [json.loads(r.body)["type"] for r in receiver.requests][1:] == ["alert.reminder"]
        [alert] = alerts(tenant)
        sent = [(d["notice"], d["status"]) for d in deliveries(tenant, alert["id"])]
        assert sorted(sent) == [
            *[("firing", "failed"), ("firing", "skipped")],
            *[("reminder", "delivered")] * 2,
        ]
        # And of its end
        recover(tenant, start + 7 * MINUTE)
        deliver()
        for one in (refusing, receiver):
            assert json.loads(one.requests[-1].body)["type"] == "alert.resolved"


def test_a_reminder_waits_for_a_first_message_that_was_not_tried_yet(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    start = now - 7 * MINUTE
    fire(tenant, start, receiver.url, reminder_seconds=300)
    evaluate(start + 6 * MINUTE)
    [alert] = alerts(tenant)
    [first, reminder] = deliveries(tenant, alert["id"])
    at = f"SPACE#{tenant.space_id}"
    keys = [Key(at, f"OUT#{alert['id']}#{one['id']}") for one in (first, reminder)]
    outcomes = [dict(Deployment().notifier.send([key])) for key in (keys[1], keys[0])]
    assert outcomes == [{"waiting": 1}, {"delivered": 1}]
    make_due(timedelta(minutes=2))
    deliver()
    types = [json.loads(request.body)["type"] for request in receiver.requests]
    assert types == ["alert.firing", "alert.reminder"]


@pytest.mark.parametrize("reminder_seconds", [0, 300])
def test_a_channel_that_is_added_in_an_outage_hears_of_it_and_of_its_end(
    tenant: Tenant, receiver: Receiver, now: datetime, reminder_seconds: int
) -> None:
    start = now - 7 * MINUTE
    with receiving() as second:
        made = fire(tenant, start, receiver.url, reminder_seconds=reminder_seconds)
        deliver()
        added = {"channels": [*made["channels"], webhook(second.url)]}
        path = f"{RULES}/{made['id']}"
        assert tenant.client.patch(path, added).status == 200
        for minute in (1, 2, 3):
            evaluate(start + minute * MINUTE)
            deliver()
        assert [json.loads(r.body)["type"] for r in second.requests] == ["alert.firing"]
        recover(tenant, start + 4 * MINUTE)
        deliver()
        for one in (second, receiver):
            types = [json.loads(request.body)["type"] for request in one.requests]
            assert types == ["alert.firing", "alert.resolved"]


def test_a_reminder_of_an_alert_that_has_ended_is_not_sent(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    start = now - 7 * MINUTE
    fire(tenant, start, receiver.url, reminder_seconds=300)
    deliver()
    receiver.answer = 500
    evaluate(start + 6 * MINUTE)
    deliver()
    recover(tenant, start + 7 * MINUTE)
    receiver.answer = 200
    for _ in range(3):
        make_due(timedelta(minutes=2))
        deliver()
    types = [json.loads(request.body)["type"] for request in receiver.requests]
    assert types == ["alert.firing", "alert.reminder", "alert.resolved"]


def test_the_end_of_a_long_outage_is_told_when_its_first_message_has_expired(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    start = now - 7 * MINUTE
    fire(tenant, start, receiver.url)
    deliver()
    table = Table("IntegrationsTable")
    for item in table.query(f"SPACE#{tenant.space_id}", prefix="OUT#").items:
        table.write(Delete(Key(item["pk"], item["sk"])))
    recover(tenant, start + MINUTE)
    deliver()
    types = [json.loads(request.body)["type"] for request in receiver.requests]
    assert types == ["alert.firing", "alert.resolved"]


def test_a_removed_channel_or_rule_gets_nothing(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    made = fire(tenant, now, receiver.url)
    tenant.client.patch(f"{RULES}/{made['id']}", {"channels": []})
    deliver()
    assert receiver.requests == []
    assert only_delivery(tenant)["attempts"][0]["error"] == "channel_removed"


def test_of_many_concurrent_notifiers_one_sends(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    fire(tenant, now, *[receiver.url] * 5)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: deliver(), range(6)))
    assert len(receiver.requests) == 5
    assert {len(d["attempts"]) for d in deliveries(tenant, alerts(tenant)[0]["id"])} == {1}


def test_a_notifier_that_dies_after_sending_sends_again_under_the_same_id(
    tenant: Tenant, receiver: Receiver, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire(tenant, now, receiver.url)

    def die(*_: Any) -> None:
        raise TemporarilyUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(Outbox, "settle", die)
        records = queued()
        answer = deliver_notifications.handler({"Records": records}, None)
        # The queue delivers the message again, and the claim still keeps others away
        assert [f["itemIdentifier"] for f in answer["batchItemFailures"]] == [
            record["messageId"] for record in records
        ]
    deliver()
    assert len(receiver.requests) == 1
    make_due(MINUTE)
    deliver()
    assert only_delivery(tenant)["status"] == "delivered"
    assert len(receiver.requests) == 2
    assert len({request.id for request in receiver.requests}) == 1


def test_an_expired_claim_does_not_overwrite_the_next_one(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    fire(tenant, now, receiver.url)
    store = Deployment().outbox
    [key] = [key for lane in range(4) for key in store.due(lane, utc_now(), 10)]
    slow = store.claim(_outgoing(store, key), utc_now())
    quick = store.claim(_outgoing(store, key), utc_now())
    assert slow is not None
    assert quick is not None
    store.settle(quick, DeliveryStatus.DELIVERED, None, None)
    store.settle(slow, DeliveryStatus.FAILED, None, None)
    assert only_delivery(tenant)["status"] == "delivered"


def _outgoing(store: Outbox, key: Key) -> Any:
    return store.outgoing(key)


def test_sns_and_the_bus_get_the_message(
    tenant: Tenant, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a topic and a bus that forward their messages to a queue
    sqs, sns, events = client("sqs"), client("sns"), client("events")
    url = sqs.create_queue(QueueName="seen")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    queue_arn = arn["Attributes"]["QueueArn"]
    [topic] = sns.list_topics()["Topics"]
    sns.subscribe(TopicArn=topic["TopicArn"], Protocol="sqs", Endpoint=queue_arn)
    events.put_rule(
        Name="all", EventBusName="integrations", EventPattern='{"source":["patchbay.alerts"]}'
    )
    events.put_targets(
        Rule="all", EventBusName="integrations", Targets=[{"Id": "q", "Arn": queue_arn}]
    )
    channels = [{"kind": "sns", "topic_arn": topic["TopicArn"]}, {"kind": "eventbridge"}]
    create_rule(tenant, channels=channels)
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    deliver()
    [alert] = alerts(tenant)
    sent = deliveries(tenant, alert["id"])
    assert {d["status"] for d in sent} == {"delivered"}
    bodies = [
        json.loads(message["Body"])
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    ]
    by_bus = next(body for body in bodies if "detail" in body)
    by_topic = next(body for body in bodies if "Message" in body)
    assert by_bus["detail-type"] == by_topic["Subject"] == "alert.firing"
    assert by_bus["detail"] == json.loads(by_topic["Message"])
    assert by_bus["detail"]["data"]["notification_id"] == sent[0]["notification_id"]
    # A topic that is no longer allowed gets no message
    recover(tenant, now)
    monkeypatch.setenv("ALERT_TOPIC_ARNS", "")
    start_cold("deliver_notifications")
    deliver()
    ended = {d["channel"]: d for d in deliveries(tenant, alert["id"]) if d["notice"] == "resolved"}
    assert ended["sns"]["attempts"][0]["error"] == "topic_not_allowed"
    assert ended["eventbridge"]["status"] == "delivered"


def test_a_fifo_topic_gets_each_notification_of_an_alert_once_and_in_order(
    tenant: Tenant, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a FIFO topic that forwards its messages to a FIFO queue
    sqs, sns = client("sqs"), client("sns")
    url = sqs.create_queue(QueueName="seen.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    topic = sns.create_topic(Name="alerts.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
    monkeypatch.setenv("ALERT_TOPIC_ARNS", topic)
    start_cold("deliver_notifications")
    # When an alert fires and ends
    create_rule(tenant, channels=[{"kind": "sns", "topic_arn": topic}])
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    deliver()
    recover(tenant, now)
    deliver()
    # Then both messages are in one group, under the ids of their notifications
    [alert] = alerts(tenant)
    sent = sorted(deliveries(tenant, alert["id"]), key=lambda delivery: delivery["notice"])
    assert [(d["notice"], d["status"]) for d in sent] == [
        ("firing", "delivered"),
        ("resolved", "delivered"),
    ]
    messages = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
    )["Messages"]
    assert [json.loads(message["Body"])["Subject"] for message in messages] == [
        "alert.firing",
        "alert.resolved",
    ]
    assert [message["Attributes"]["MessageGroupId"] for message in messages] == [alert["id"]] * 2
    assert [message["Attributes"]["MessageDeduplicationId"] for message in messages] == [
        delivery["notification_id"] for delivery in sent
    ]


def test_many_receivers_that_hang_are_waited_for_concurrently(
    tenant: Tenant, receiver: Receiver, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_sender, "ATTEMPT_SECONDS", 0.2)
    receiver.answer = "silent"
    for _ in range(4):
        create_rule(tenant, channels=[webhook(receiver.url)] * 5)
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    send = channel_sender.ChannelSender.send
    under_way = 0
    many = asyncio.Event()

    async def waiting(*arguments: Any) -> Any:
        """Waits until there are more than ten."""
        nonlocal under_way
        under_way += 1
        if under_way > 10:
            many.set()
        await asyncio.wait_for(many.wait(), 60)
        return await send(*arguments)

    monkeypatch.setattr(channel_sender.ChannelSender, "send", waiting)
    assert sum(deliver_notifications.deployment.notifier.send_due(lambda: 60).values()) == 20
    assert many.is_set()


def test_an_attempt_that_crashes_is_repeated_and_stops_no_other(
    tenant: Tenant, receiver: Receiver, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as gone:
        fire(tenant, now, gone.url, receiver.url)
        exchange = channel_sender.exchange  # type: ignore[attr-defined]  # imported there

        @asynccontextmanager
        async def crashing(guard: Any, request: Any, **rest: Any) -> AsyncIterator[Any]:
            if str(request.target.port) in gone.url:
                raise OSError(errno.EHOSTUNREACH, "no route to host")
            async with exchange(guard, request, **rest) as response:
                yield response

        monkeypatch.setattr(channel_sender, "exchange", crashing)
        answer = deliver_notifications.handler({"Records": queued()}, None)
    assert answer == {"batchItemFailures": []}
    assert len(receiver.requests) == 1
    [alert] = alerts(tenant)
    by_status = {d["status"]: d for d in deliveries(tenant, alert["id"])}
    assert set(by_status) == {"delivered", "pending"}
    assert by_status["pending"]["attempts"][0]["error"] == "internal_error"


def test_a_webhook_without_its_secret_is_given_up_like_any_other(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    made = fire(tenant, now, receiver.url)
    [channel] = made["channels"]
    Table("IntegrationsTable").write(Delete(secret_key(tenant.organization_id, channel["id"])))
    deliver()
    assert only_delivery(tenant)["attempts"][0]["error"] == "internal_error"
    make_due(timedelta(hours=24))
    deliver()
    assert only_delivery(tenant)["status"] == "failed"
    assert receiver.requests == []


def test_a_lane_without_end_does_not_hold_up_the_others(
    deployed: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def due(_: Outbox, lane: int, *__: object) -> list[Key]:
        asked.append(lane)
        return [Key("SPACE#none", f"OUT#{len(asked)}")] if lane == 0 else []

    monkeypatch.setattr(Outbox, "due", due)
    left = iter([100.0, 80.0, 60.0, 40.0, 20.0])
    outcomes = deliver_notifications.deployment.notifier.send_due(lambda: next(left))
    assert asked == list(range(LANES))
    assert outcomes == {"settled": 1}


@pytest.fixture
def two_a_minute(deployed: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIVERIES_PER_MINUTE", "2")
    start_cold()


class Watch:
    """The time of the notifier, which the test sets."""

    def __init__(self) -> None:
        # In the middle of a minute, so that none ends during a test
        self.now = utc_now().replace(second=30, microsecond=0)
        deliver_notifications.deployment.clock = lambda: self.now

    def minutes_later(self, minutes: float) -> dict[str, int]:
        """The outcomes of a run of the notifier then."""
        self.now += minutes * MINUTE
        deployment = deliver_notifications.deployment
        return dict(deployment.notifier.send_due(lambda: 50))


def test_above_the_limit_deliveries_are_put_off_in_order_and_none_is_lost(
    two_a_minute: None, tenant: Tenant, receiver: Receiver
) -> None:
    # Given an alert that notifies five channels
    watch = Watch()
    urls = [f"{receiver.url}/{number}" for number in range(5)]
    fire(tenant, watch.now, *urls)
    # When the notifier runs each minute
    assert watch.minutes_later(0) == {"delivered": 2, "delayed": 3}
    [alert] = alerts(tenant)
    put_off = [one for one in deliveries(tenant, alert["id"]) if one["status"] == "pending"]
    assert len(put_off) == 3
    assert watch.minutes_later(0) == {}
    assert watch.minutes_later(1) == {"delivered": 2}
    assert watch.minutes_later(1) == {"delivered": 1}
    # Then all have arrived, each once
    assert sorted(request.path for request in receiver.requests) == [f"/hook/{n}" for n in range(5)]


def test_one_organizations_deliveries_do_not_delay_anothers(
    two_a_minute: None, tenant: Tenant, stranger: Tenant, receiver: Receiver
) -> None:
    watch = Watch()
    fire(tenant, watch.now, *[f"{receiver.url}/acme"] * 5)
    fire(stranger, watch.now, f"{receiver.url}/globex")
    assert watch.minutes_later(0) == {"delivered": 3, "delayed": 3}
    assert "/hook/globex" in {request.path for request in receiver.requests}


def test_an_attempt_that_is_repeated_is_one_of_the_minute(
    two_a_minute: None, tenant: Tenant, receiver: Receiver
) -> None:
    watch = Watch()
    receiver.answer = 503
    fire(tenant, watch.now, *[receiver.url] * 2)
    assert watch.minutes_later(0) == {"retried": 2}
    # Due again within the minute, they wait for the next one
    watch.now = watch.now.replace(second=0)
    make_due(MINUTE)
    assert watch.minutes_later(0) == {"delayed": 2}
    assert len(receiver.requests) == 2
    assert watch.minutes_later(1) == {"retried": 2}


def test_a_turn_that_is_one_minute_late_is_used_and_an_older_one_is_taken_anew(
    two_a_minute: None, tenant: Tenant, receiver: Receiver
) -> None:
    watch = Watch()
    fire(tenant, watch.now, *[receiver.url] * 5)
    assert watch.minutes_later(0) == {"delivered": 2, "delayed": 3}
    # Given a notifier that does not run for three minutes: two turns are over, one is still good
    assert watch.minutes_later(3) == {"delivered": 3}
    assert len(receiver.requests) == 5


def test_a_reminder_that_would_come_too_late_has_failed_and_says_why(
    two_a_minute: None, tenant: Tenant, receiver: Receiver
) -> None:
    watch = Watch()
    fire(tenant, watch.now, *[receiver.url] * 2)
    assert watch.minutes_later(0) == {"delivered": 2}
    key = Key(f"LIMIT#{tenant.organization_id}", "deliveries")
    table = Table("IntegrationsTable")
    # Given so many others that there is no room for a day
    later = table.get(key) or {}
    table.write(Put({**later, "minute": later["minute"] + 1500, "count": 2}))
    recover(tenant, watch.now + MINUTE)
    outcomes = watch.minutes_later(1)
    # Then it is visible, and counted as failed
    assert outcomes == {"failed": 2}
    [alert] = alerts(tenant)
    last = deliveries(tenant, alert["id"])[-1]
    assert (last["status"], last["attempts"][-1]["error"]) == ("failed", "delivery_limit")


def test_notifiers_at_once_send_no_more_than_the_limit(
    two_a_minute: None, tenant: Tenant, receiver: Receiver
) -> None:
    watch = Watch()
    fire(tenant, watch.now, *[f"{receiver.url}/{number}" for number in range(5)])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: watch.minutes_later(0), range(4)))
    assert len(receiver.requests) <= 2


def test_deliveries_are_events_of_a_space_that_asks_for_it(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    # Given a space that asks, with a webhook that works, one that refuses, and the bus
    asked = tenant.client.patch("/spaces/acme", {"record_deliveries": True})
    assert asked.json["record_deliveries"] is True
    with receiving() as refusing:
        refusing.answer = 410
        channels = [webhook(receiver.url), webhook(refusing.url), {"kind": "eventbridge"}]
        create_rule(tenant, channels=channels)
        report(tenant, EventStatus.ERROR, now, kind=IntegrationType.PROFILING)
        evaluate(now)
        # When its alert is delivered, and messages come twice
        messages = queued()
        for _ in range(2):
            deliver_notifications.handler({"Records": messages}, None)
    # Then each delivery that ended is one event, at the time when it was to be sent
    found = tenant.client.get("/spaces/acme/integration-events?limit=100").json["items"]
    ours = [one for one in found if one["integration_type"] in ("alert", "webhook")]
    assert sorted((one["integration_type"], one["status"], one["error_code"]) for one in ours) == [
        ("alert", "SUCCESS", None),
        ("webhook", "ERROR", "gone"),
        ("webhook", "SUCCESS", None),
    ]
    [alert] = alerts(tenant)
    sent = deliveries(tenant, alert["id"])
    assert {one["occurred_at"] for one in ours} == {one["created_at"] for one in sent}
    assert {one["id"].partition(".")[0] for one in ours} == {one["id"] for one in sent}
    # And it counts as any other
    health = tenant.client.get("/spaces/acme/integration-health").json
    counts = {one["integration_type"]: one["total"] for one in health["by_integration_type"]}
    assert counts == {"profiling": 10, "webhook": 2, "alert": 1}


def test_deliveries_are_no_events_unless_the_space_asks(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    assert tenant.client.get("/spaces/acme").json["record_deliveries"] is False
    fire(tenant, now, receiver.url)
    deliver_notifications.handler({"Records": queued()}, None)
    assert only_delivery(tenant)["status"] == "delivered"
    assert tenant.client.get("/spaces/acme/integration-health").json["total_events"] == 10


def test_a_delivery_that_is_sent_again_is_another_event(
    tenant: Tenant, receiver: Receiver, now: datetime
) -> None:
    tenant.client.patch("/spaces/acme", {"record_deliveries": True})
    receiver.answer = 410
    fire(tenant, now, receiver.url)
    deliver_notifications.handler({"Records": queued()}, None)
    delivery, [alert] = only_delivery(tenant), alerts(tenant)
    receiver.answer = 204
    path = f"/spaces/acme/alerts/{alert['id']}/deliveries/{delivery['id']}/resend"
    assert tenant.client.post(path, {}).status == 202
    deliver_notifications.handler({"Records": queued()}, None)
    found = tenant.client.get("/spaces/acme/integration-events?limit=100").json["items"]
    ours = [one for one in found if one["id"].startswith(delivery["id"])]
    assert sorted(one["status"] for one in ours) == ["ERROR", "SUCCESS"]
    assert len({one["occurred_at"] for one in ours}) == 2


def test_a_delivery_does_not_wait_for_its_event(
    tenant: Tenant, receiver: Receiver, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.client.patch("/spaces/acme", {"record_deliveries": True})
    fire(tenant, now, receiver.url)

    def out(*_: object) -> None:
        raise TemporarilyUnavailable

    monkeypatch.setattr(EventStore, "add", out)
    assert deliver_notifications.handler({"Records": queued()}, None) == {"batchItemFailures": []}
    assert only_delivery(tenant)["status"] == "delivered"
    assert len(receiver.requests) == 1
