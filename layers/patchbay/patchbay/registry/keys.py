"""The keys of integrations and releases, and conditions on them for the transactions of other
packages, which need not import the store."""

from typing import Final

from patchbay.platform.dynamodb import PRESENT, Check, Key, without
from patchbay.registry.naming import key_of
from patchbay.registry.versions import sort_key
from patchbay.tenancy.keys import organization_pk

RELEASES: Final = "REL#"
DELETED: Final = "DELETED#"
PUBLISHERS: Final = "PUB#"


def integration_pk(integration_id: str) -> str:
    return f"INT#{integration_id}"


def integration_key(integration_id: str) -> Key:
    return Key(integration_pk(integration_id), "META")


def release_key(integration_id: str, version: str) -> Key:
    return Key(integration_pk(integration_id), f"{RELEASES}{sort_key(version)}")


def publisher_key(publisher: str) -> Key:
    """Of a publisher by its name or by its key."""
    return Key(f"PUB#{key_of(publisher)}", "OWNER")


def owned_publisher_key(organization_id: str, publisher: str) -> Key:
    """Lists a publisher with its owner."""
    return Key(organization_pk(organization_id), f"{PUBLISHERS}{key_of(publisher)}")


def slug_key(publisher: str, slug: str) -> Key:
    return Key(f"PUB#{key_of(publisher)}", f"SLUG#{slug}")


def owned_integrations_pk(organization_id: str) -> str:
    """The partition in by_owner; its sort keys are `<workspace id>#<integration id>`."""
    return f"ORG#{organization_id}#INT"


def deleted_key(organization_id: str, integration_id: str) -> Key:
    """The note that an integration of this organization is deleted."""
    return Key(organization_pk(organization_id), f"{DELETED}{integration_id}")


def deleted_integrations_pk(organization_id: str) -> str:
    """The same, of those that are deleted and not yet purged."""
    return f"ORG#{organization_id}#INT#DELETED"


def all_integrations_pks(organization_id: str) -> tuple[str, str]:
    """Both partitions."""
    return owned_integrations_pk(organization_id), deleted_integrations_pk(organization_id)


def still_installable(integration_id: str) -> Check:
    """That an integration is not deleted, by its own item: for what is seldom created of it.
    `release_uses` has it for endpoints."""
    return Check(integration_key(integration_id), PRESENT & without("expires_at"))
