"""The keys of alert rules, alerts, and deliveries in the integrations table.

    rule         SPACE#<id>   RULE#<rule id>                in monitor_slot under ALERTS#<lane>
    rule count   SPACE#<id>   ALERTING
    state        SPACE#<id>   ALERT#<rule id>#<subject>
    alert        SPACE#<id>   HISTORY#<alert id>            for 90 days after it is resolved
    delivery     SPACE#<id>   OUT#<alert id>#<delivery id>  in monitor_slot under OUTBOX#<lane>
    position     SYSTEM       ALERTS                        where an evaluation ran out of time

A rule is in the index until it is disabled and has no open alert, a delivery while it is pending.
"""

import hashlib
from typing import Final

from patchbay.alerts.conditions import AlertSubject
from patchbay.platform.dynamodb import Item, Key

LANES: Final = 4
"""The partitions of the index that spaces are split into, by a stable hash of their ids."""

INDEX: Final = "monitor_slot"
INDEX_PK: Final = f"{INDEX}_pk"
INDEX_SK: Final = f"{INDEX}_sk"
POSITION: Final = Key("SYSTEM", "ALERTS")

RULES: Final = "RULE#"
STATES: Final = "ALERT#"
ALERTS: Final = "HISTORY#"


def space_pk(space_id: str) -> str:
    return f"SPACE#{space_id}"


def space_of(key: Key) -> str:
    """The id of the space that the item belongs to."""
    return key.pk.removeprefix("SPACE#")


def rule_key(space_id: str, rule_id: str) -> Key:
    return Key(space_pk(space_id), f"{RULES}{rule_id}")


def rule_count_key(space_id: str) -> Key:
    return Key(space_pk(space_id), "ALERTING")


def states_of(rule_id: str) -> str:
    """The prefix of the sort keys of a rule's states."""
    return f"{STATES}{rule_id}#"


def state_key(space_id: str, rule_id: str, subject: AlertSubject) -> Key:
    return Key(space_pk(space_id), f"{states_of(rule_id)}{subject.key()}")


def alert_key(space_id: str, alert_id: str) -> Key:
    return Key(space_pk(space_id), f"{ALERTS}{alert_id}")


def deliveries_of(alert_id: str) -> str:
    """The prefix of the sort keys of an alert's deliveries."""
    return f"OUT#{alert_id}#"


def delivery_key(space_id: str, alert_id: str, delivery_id: str) -> Key:
    return Key(space_pk(space_id), f"{deliveries_of(alert_id)}{delivery_id}")


def rules_of_lane_pk(lane: int) -> str:
    return f"ALERTS#{lane}"


def deliveries_of_lane_pk(lane: int) -> str:
    return f"OUTBOX#{lane}"


def lane_of(space_id: str) -> int:
    return hashlib.sha256(space_id.encode()).digest()[0] % LANES


def rule_index(space_id: str, rule_id: str) -> Item:
    """The attributes that put a rule into the index."""
    return {INDEX_PK: rules_of_lane_pk(lane_of(space_id)), INDEX_SK: f"{space_id}#{rule_id}"}


def delivery_index(space_id: str, delivery_id: str, due_at: str) -> Item:
    """The attributes that put a delivery into the index, by the time at which it is due."""
    return {INDEX_PK: deliveries_of_lane_pk(lane_of(space_id)), INDEX_SK: f"{due_at}#{delivery_id}"}
