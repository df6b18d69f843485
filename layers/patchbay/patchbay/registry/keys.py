"""The keys of integrations and releases, and what a transaction asks of them. Others may name these
items without what the registry's store needs."""

from patchbay.platform.dynamodb import PRESENT, Check, Key, Update, without
from patchbay.registry.versions import sort_key


def integration_pk(integration_id: str) -> str:
    return f"INT#{integration_id}"


def integration_key(integration_id: str) -> Key:
    return Key(integration_pk(integration_id), "META")


def release_key(integration_id: str, version: str) -> Key:
    return Key(integration_pk(integration_id), f"REL#{sort_key(version)}")


def publisher_key(publisher: str) -> Key:
    return Key(f"PUB#{publisher}", "OWNER")


def slug_key(publisher: str, slug: str) -> Key:
    return Key(f"PUB#{publisher}", f"SLUG#{slug}")


def owned_integrations_pk(organization_id: str) -> str:
    """Of by_owner; its sort key is `<workspace id>#<integration id>`."""
    return f"ORG#{organization_id}#INT"


def still_installable(integration_id: str) -> Check:
    """That an integration is not deleted; part of the transaction that makes an endpoint of it."""
    return Check(integration_key(integration_id), PRESENT & without("expires_at"))


def use_of_release(integration_id: str, version: str, change: int) -> Update:
    """Counts one more (+1) or one less (-1) endpoint of a release; part of its transaction."""
    held = PRESENT & without("expires_at") if change > 0 else PRESENT
    return Update(release_key(integration_id, version), add={"uses": change}, condition=held)
