"""The keys of alert rules, alerts, and deliveries in the integrations table.

    rule         SPACE#<id>   RULE#<rule id>
    watch        SPACE#<id>   ALERTING                      in monitor_slot: see `schedule`
    state        SPACE#<id>   ALERT#<rule id>#<subject>
    alert        SPACE#<id>   HISTORY#<alert id>            for 90 days after it is resolved
    delivery     SPACE#<id>   OUT#<alert id>#<delivery id>  in monitor_slot under OUTBOX#<lane>
    looks        LOOKS        MINUTE                        of the deployment

The watch of a space counts its rules and their changes, and is in the index while a rule is enabled
or has an open alert. A delivery is in the index while it is pending. The minute of looks is the
last one whose quiet spaces were looked at.

Rules of before there were watches are in the index themselves, under `ALERTS#<lane>`. Their spaces
are found there once, and get a watch (`watched_spaces`).
"""

from typing import TYPE_CHECKING, Final

from patchbay.alerts.schedule import INDEX, INDEX_PK, INDEX_SK, LANES, lane_of
from patchbay.platform.dynamodb import Item, Key

if TYPE_CHECKING:
    from patchbay.alerts.conditions import AlertSubject

__all__ = ["INDEX", "INDEX_PK", "INDEX_SK", "LANES", "lane_of"]

WATCHED: Final = "ALERT"
"""The prefix of the sort keys of a space's watch and states, which are read together."""

LOOKED: Final = Key("LOOKS", "MINUTE")

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


def states_of(rule_id: str) -> str:
    """The prefix of the sort keys of a rule's states."""
    return f"{STATES}{rule_id}#"


def state_key(space_id: str, rule_id: str, subject: "AlertSubject") -> Key:
    return Key(space_pk(space_id), f"{states_of(rule_id)}{subject.key()}")


def alert_key(space_id: str, alert_id: str) -> Key:
    return Key(space_pk(space_id), f"{ALERTS}{alert_id}")


def deliveries_of(alert_id: str) -> str:
    """The prefix of the sort keys of an alert's deliveries."""
    return f"OUT#{alert_id}#"


def delivery_key(space_id: str, alert_id: str, delivery_id: str) -> Key:
    return Key(space_pk(space_id), f"{deliveries_of(alert_id)}{delivery_id}")


def rules_of_lane_pk(lane: int) -> str:
    """Where rules are in the index that have no watch yet."""
    return f"ALERTS#{lane}"


def deliveries_of_lane_pk(lane: int) -> str:
    return f"OUTBOX#{lane}"


def delivery_index(space_id: str, delivery_id: str, due_at: str) -> Item:
    """The attributes that put a delivery into the index, by the time at which it is due."""
    return {INDEX_PK: deliveries_of_lane_pk(lane_of(space_id)), INDEX_SK: f"{due_at}#{delivery_id}"}
