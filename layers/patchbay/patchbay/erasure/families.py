"""Every family of items in both tables, and what an erasure does with it.

A new family has to be added here: a test looks at all items of a tenant that has everything, and
fails for one that no family takes.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from patchbay.platform.dynamodb import Key


class TableName(StrEnum):
    """The table of a family."""

    INTEGRATIONS = "integrations"
    EVENTS = "events"


class Fate(StrEnum):
    """What an erasure does with the items of a family."""

    ERASED = "erased"
    STRIPPED = "stripped"
    """They stay, without names, values, and subjects."""
    RETIRED = "retired"
    """They stay, without their owner."""
    SHARED = "shared"
    """They are of the deployment, or of the erasure itself."""


class Family(NamedTuple):
    """The items whose keys begin so. `kind` is what the report of an erasure calls them."""

    table: TableName
    pk: str
    sk: str
    kind: str
    fate: Fate = Fate.ERASED


_CONTROL: Final = TableName.INTEGRATIONS
_EVENTS: Final = TableName.EVENTS

FAMILIES: Final = (
    # The longer prefix comes first where two would match.
    Family(_CONTROL, "ORG#", "ERASURE", "erasures", Fate.SHARED),
    Family(_CONTROL, "ORG#", "META", "organizations"),
    Family(_CONTROL, "ORG#", "QUOTAS", "quotas"),
    Family(_CONTROL, "ORG#", "SPACE#", "spaces"),
    Family(_CONTROL, "ORG#", "KEY#", "api_keys"),
    Family(_CONTROL, "ORG#", "SRC#", "sources"),
    Family(_CONTROL, "ORG#", "DST#", "destinations"),
    Family(_CONTROL, "ORG#", "CON#", "connections"),
    Family(_CONTROL, "ORG#", "USE#", "uses"),
    Family(_CONTROL, "ORG#", "SECRET#", "secrets"),
    Family(_CONTROL, "ORG#", "DATAKEY#", "data_keys"),
    Family(_CONTROL, "ORG#", "DATAKEY_CURRENT", "data_keys"),
    Family(_CONTROL, "ORG#", "DELETED#", "deleted_integrations"),
    Family(_CONTROL, "ORG#", "PUB#", "publishers"),
    Family(_CONTROL, "ORG#", "INS#", "install_sessions"),
    Family(_CONTROL, "ORG#", "GRANT#", "grants"),
    Family(_CONTROL, "ORG#", "USAGE#", "usages"),
    Family(_CONTROL, "ORG#", "OAPP#", "oauth_applications"),
    Family(_CONTROL, "INSTALL#", "META", "install_sessions"),
    Family(_CONTROL, "ORG#", "FLOW#", "install_sessions"),
    Family(_CONTROL, "FLOW#", "META", "install_sessions"),
    Family(_CONTROL, "ORG#", "FLOWFAIL#", "install_sessions"),
    Family(_CONTROL, "ORG#", "BROWSER#", "browser_sessions"),
    Family(_CONTROL, "BROWSER#", "META", "browser_sessions"),
    Family(_CONTROL, "ORG#", "SIGNIN#", "sign_in_links"),
    Family(_CONTROL, "SIGNIN#", "META", "sign_in_links"),
    Family(_CONTROL, "EXTERNAL#", "CLAIM", "organizations"),
    Family(_CONTROL, "SPACE#", "META", "spaces"),
    Family(_CONTROL, "STATUS#", "META", "spaces"),
    Family(_CONTROL, "SPACE#", "RULE#", "alert_rules"),
    Family(_CONTROL, "SPACE#", "ALERTING", "alert_rules"),
    Family(_CONTROL, "SPACE#", "ALERT#", "alert_states"),
    Family(_CONTROL, "SPACE#", "HISTORY#", "alerts"),
    Family(_CONTROL, "SPACE#", "OUT#", "deliveries"),
    Family(_CONTROL, "INT#", "META", "integrations"),
    Family(_CONTROL, "INT#", "REL#", "releases"),
    Family(_CONTROL, "INT#", "PERMIT#", "permits"),
    Family(_CONTROL, "INT#", "USES#", "uses"),
    Family(_CONTROL, "INT#", "CAT#", "catalog_entries"),
    Family(_CONTROL, "APIKEY#", "META", "api_keys"),
    Family(_CONTROL, "PUB#", "SLUG#", "integrations"),
    Family(_CONTROL, "PUB#", "OWNER", "publishers", Fate.RETIRED),
    Family(_CONTROL, "SLUG#", "CLAIM", "spaces", Fate.RETIRED),
    Family(_CONTROL, "IDEM#", "", "idempotency_records"),
    Family(_CONTROL, "LIMIT#", "", "limits"),
    Family(_CONTROL, "PROGRESS#", "", "test_progress"),
    Family(_CONTROL, "OUTBOX#CONNECTIONS", "", "announcements"),
    Family(_CONTROL, "WHEEL#", "", "plans"),
    Family(_CONTROL, "PLANS", "DROP#", "plan_work"),
    Family(_CONTROL, "PLANS", "", "plan_work"),
    # Of the erasure: its organization counts as paused to its end.
    Family(_CONTROL, "PAUSED", "ORG#", "pauses", Fate.SHARED),
    Family(_CONTROL, "PAUSED", "SPACE#", "pauses"),
    Family(_CONTROL, "AUDIT#", "EVENT#", "audit_events", Fate.STRIPPED),
    Family(_CONTROL, "ERASED#", "", "marks", Fate.SHARED),
    Family(_CONTROL, "ERASURES", "", "erasures", Fate.SHARED),
    Family(_CONTROL, "SYSTEM", "DEPLOYMENTKEY#", "deployment", Fate.SHARED),
    Family(_CONTROL, "SYSTEM", "", "deployment", Fate.SHARED),
    Family(_CONTROL, "NETWORK", "", "deployment", Fate.SHARED),
    Family(_CONTROL, "LOOKS", "", "deployment", Fate.SHARED),
    Family(_EVENTS, "SPACE#", "H#", "event_counts"),
    Family(_EVENTS, "SPACE#", "D#", "event_counts"),
    Family(_EVENTS, "SPACE#", "", "events"),
    Family(_EVENTS, "CON#", "SHAPE#", "tests"),
    Family(_EVENTS, "CON#", "", "tests"),
    Family(_EVENTS, "SRC#", "", "tests"),
    Family(_EVENTS, "DST#", "", "tests"),
    Family(_EVENTS, "FOLD#", "", "event_counts"),
    # Of several organizations: the tests of an erased one are taken out.
    Family(_EVENTS, "POOL#", "", "events", Fate.SHARED),
)

OTHER: Final = "other"
"""The kind of an item that no family takes. It is erased with its partition."""


def family_of(table: TableName, key: Key) -> Family | None:
    return next(_matching(table, key), None)


def kind_of(table: TableName, key: Key) -> str:
    family = family_of(table, key)
    return family.kind if family else OTHER


def _matching(table: TableName, key: Key) -> Iterator[Family]:
    for family in FAMILIES:
        if family.table is table and key.pk.startswith(family.pk) and key.sk.startswith(family.sk):
            yield family
