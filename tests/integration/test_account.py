"""A test's account is a copy of a deployed one: what a test does to it stays with the test."""

from typing import Any

import pytest

from patchbay.platform import aws
from patchbay.platform.aws import client
from patchbay.platform.dynamodb import Put, Table
from tests.integration.account import made_once, stored_items

LEFT_OVER = {"pk": "A", "sk": "B", "name": "left over"}


def things() -> dict[str, Any]:
    """What a test may change in its account."""
    sqs, sns, kms = client("sqs"), client("sns"), client("kms")
    queues = sqs.list_queues()["QueueUrls"]
    [key] = kms.list_keys()["Keys"]
    [topic] = sns.list_topics()["Topics"]
    return {
        "items": [
            *stored_items("EventsTable"),
            *stored_items("IntegrationsTable"),
        ],
        "queues": queues,
        "messages": [sqs.receive_message(QueueUrl=url).get("Messages", []) for url in queues],
        "key": kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"],
        "topic": sns.get_topic_attributes(**topic)["Attributes"],
        "rules": client("events").list_rules(EventBusName="integrations")["Rules"],
    }


def leave_something(tables: dict[str, Table]) -> None:
    for table in tables.values():
        table.write(Put(LEFT_OVER))
    sqs, sns, kms = client("sqs"), client("sns"), client("kms")
    kept, *deleted = sqs.list_queues()["QueueUrls"]
    sqs.send_message(QueueUrl=kept, MessageBody="left over")
    for url in deleted:
        sqs.delete_queue(QueueUrl=url)
    [key] = kms.list_keys()["Keys"]
    kms.schedule_key_deletion(KeyId=key["KeyId"])
    [topic] = sns.list_topics()["Topics"]
    sns.set_topic_attributes(**topic, AttributeName="DisplayName", AttributeValue="left over")
    client("events").put_rule(
        Name="left-over", EventBusName="integrations", EventPattern='{"source": ["left over"]}'
    )


def test_the_next_test_finds_nothing_of_what_this_one_did(deployed: dict[str, Table]) -> None:
    # Given an account in which nothing has been done
    before = things()
    assert (before["items"], before["messages"]) == ([], [[], [], [], []])
    # When a test leaves something of each kind
    leave_something(deployed)
    assert all(found != before[name] for name, found in things().items())
    # Then the account of the next one is as this one's was, and no call has made it
    for service in ("dynamodb", "kms", "sqs", "events", "sns"):
        made_once(service, lambda: pytest.fail("made again"))
    assert things() == before


def test_what_is_stored_is_what_a_scan_returns(integrations_table: Table) -> None:
    texts = {"text": "é", "number": 1, "list": ["a", {"b": True}], "none": None}
    integrations_table.write(Put(LEFT_OVER | texts))
    scanned = aws.client("dynamodb").scan(TableName=integrations_table.name)["Items"]
    assert list(stored_items(integrations_table.name)) == scanned
