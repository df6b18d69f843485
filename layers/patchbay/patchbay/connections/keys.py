"""The keys of sources, destinations, connections, their secrets, and data keys, and the conditions
of transactions on them. Other packages may name these items without what the stores need."""

from collections.abc import Collection
from typing import Final

from patchbay.platform.dynamodb import Check, Condition, Item, Key, equals, without
from patchbay.tenancy.keys import organization_pk

BY_SPACE: Final = "by_owner"
"""The index that has the connections of a space."""
FAILING_INDEX: Final = "failing"
"""The sparse index that has the failing connections of a space."""

SOURCES: Final = "SRC#"
DESTINATIONS: Final = "DST#"
CONNECTIONS: Final = "CON#"
SECRETS: Final = "SECRET#"
GRANTS: Final = "GRANT#"
USAGE: Final = "USAGE#"
APPLICATIONS: Final = "OAPP#"
DATA_KEYS: Final = "DATAKEY#"
FIRST_DATA_KEY: Final = 1
SYSTEM: Final = "SYSTEM"
"""The partition of what is the deployment's own."""
DEPLOYMENT_KEYS: Final = "DEPLOYMENTKEY#"
CURRENT_DEPLOYMENT_KEY: Final = Key(SYSTEM, "DEPLOYMENTKEY_CURRENT")


PLAN_WORK: Final = "PLANS"
"""The partition of what is still to be done about plans."""
DROPS: Final = "DROP#"


def drop_key(endpoint_id: str, revision: int) -> Key:
    """Says that the snapshots of an endpoint's connections may be older than this revision."""
    return Key(PLAN_WORK, f"{DROPS}{endpoint_id}#{revision}")


def move_key(space_id: str) -> Key:
    """The work of moving the plans of a space."""
    return Key(PLAN_WORK, f"SPACE#{space_id}")


def endpoint_key(organization_id: str, endpoint_id: str) -> Key:
    """The sort key has the role of the id: `SRC#src_…`, `DST#dst_…`."""
    return Key(organization_pk(organization_id), f"{endpoint_id[:3].upper()}#{endpoint_id}")


def connection_key(organization_id: str, connection_id: str) -> Key:
    return Key(organization_pk(organization_id), f"{CONNECTIONS}{connection_id}")


def use_key(organization_id: str, endpoint_id: str, connection_id: str) -> Key:
    return Key(organization_pk(organization_id), f"USE#{endpoint_id}#{connection_id}")


def failing_of_space_pk(space_id: str) -> str:
    """Of `FAILING_INDEX`; its sort key is the connection's id and its health."""
    return f"SPACE#{space_id}#FAILING"


def connections_of_space_pk(space_id: str) -> str:
    """Of `BY_SPACE`; its sort key is the connection's id."""
    return f"SPACE#{space_id}#CON"


def secret_key(organization_id: str, endpoint_id: str) -> Key:
    return Key(organization_pk(organization_id), f"{SECRETS}{endpoint_id}")


def grant_key(organization_id: str, endpoint_id: str) -> Key:
    return Key(organization_pk(organization_id), f"{GRANTS}{endpoint_id}")


def usage_key(organization_id: str, connection_id: str) -> Key:
    return Key(organization_pk(organization_id), f"{USAGE}{connection_id}")


def application_key(organization_id: str, integration_id: str) -> Key:
    """Of the OAuth application of an integration."""
    return Key(organization_pk(organization_id), f"{APPLICATIONS}{integration_id}")


def flow_key(state_hash: str) -> Key:
    """Of a run of the code flow."""
    return Key(f"FLOW#{state_hash}", "META")


def listed_flow_key(organization_id: str, state_hash: str) -> Key:
    """Lists a run of the code flow with its organization."""
    return Key(organization_pk(organization_id), f"FLOW#{state_hash}")


def flow_failure_key(organization_id: str, session_id: str) -> Key:
    """Why the last run of the code flow of an install session failed."""
    return Key(organization_pk(organization_id), f"FLOWFAIL#{session_id}")


def data_key_key(organization_id: str, number: int) -> Key:
    return Key(organization_pk(organization_id), f"{DATA_KEYS}{number}")


def current_key(organization_id: str) -> Key:
    return Key(organization_pk(organization_id), "DATAKEY_CURRENT")


def deployment_key_key(number: int) -> Key:
    return Key(SYSTEM, f"{DEPLOYMENT_KEYS}{number}")


def still_current(organization_id: str, number: int) -> Check:
    """For the transaction that writes what was sealed under a key: it is still the current one."""
    return Check(current_key(organization_id), is_current(number))


def is_current(number: int) -> Condition:
    """For the item that names the current key."""
    named = equals("number", number)
    return without("number") | named if number == FIRST_DATA_KEY else named


def key_of(sealed: Item) -> Check:
    """For the transaction that writes a sealed item: its data key is still the current one."""
    return still_current(sealed["organization_id"], int(sealed["data_key"]))


def key_of_all(sealed: Collection[Item]) -> list[Check]:
    """`key_of` for items of one organization: a transaction can check an item only once.

    If the keys were rotated between two of them, the older key is not current, so it is refused.
    """
    return [key_of(min(sealed, key=lambda item: int(item["data_key"])))] if sealed else []
