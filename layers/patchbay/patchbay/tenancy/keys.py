"""The keys of organizations, spaces, and API keys, and the write that counts what is in a space.

Others may name these items without what the stores need.
"""

import hashlib
from typing import TYPE_CHECKING, Final

from patchbay.platform.dynamodb import PRESENT, Condition, Key, Update, equals

if TYPE_CHECKING:
    from patchbay.tenancy.model import Space

ALL_ORGANIZATIONS: Final = "ORGANIZATIONS"
"""The partition of `BY_OWNER` that has all organizations."""

BY_OWNER: Final = "by_owner"
SPACES: Final = "SPACE#"
API_KEYS: Final = "KEY#"
BROWSER_SESSIONS: Final = "BROWSER#"
PAUSED: Final = "PAUSED"
"""The partition of the marks of all that is paused."""


def organization_pk(organization_id: str) -> str:
    return f"ORG#{organization_id}"


def organization_key(organization_id: str) -> Key:
    return Key(organization_pk(organization_id), "META")


def quotas_key(organization_id: str) -> Key:
    """The counts of what an organization has."""
    return Key(organization_pk(organization_id), "QUOTAS")


def space_key(organization_id: str, slug: str) -> Key:
    return Key(organization_pk(organization_id), f"{SPACES}{slug}")


def slug_claim_key(slug: str) -> Key:
    return Key(f"SLUG#{slug}", "CLAIM")


def external_id_key(external_id: str) -> Key:
    """The claim of the id that an organization has in another system."""
    return Key(f"EXTERNAL#{external_id}", "CLAIM")


def retired(key: Key, condition: Condition) -> Update:
    """Takes the owner from a claim, for good. The name stays taken: what still leads to it must not
    lead to a stranger."""
    return Update(
        key,
        values={"retired": True},
        remove=["organization_id", "space_id", "slug"],
        condition=condition,
    )


def space_by_id_key(space_id: str) -> Key:
    return Key(f"SPACE#{space_id}", "META")


def listed_key_key(organization_id: str, key_id: str) -> Key:
    return Key(organization_pk(organization_id), f"{API_KEYS}{key_id}")


def lookup_key(prefix: str) -> Key:
    return Key(f"APIKEY#{prefix}", "META")


def install_token_key(digest: str) -> Key:
    """The session of an install token, by the SHA-256 of the token."""
    return Key(f"INSTALL#{digest}", "META")


def browser_session_key(digest: str) -> Key:
    """A session of a browser, by the SHA-256 of its cookie."""
    return Key(f"BROWSER#{digest}", "META")


def browser_sessions_of(subject: str) -> str:
    """What the sort keys of the sessions of a subject begin with, in the partition of the
    organization. A subject may have any character."""
    return f"{BROWSER_SESSIONS}{hashlib.sha256(subject.encode()).hexdigest()}#"


def listed_browser_session_key(organization_id: str, subject: str, session_id: str) -> Key:
    return Key(organization_pk(organization_id), f"{browser_sessions_of(subject)}{session_id}")


def sign_in_code_key(digest: str) -> Key:
    """A sign-in link, by the SHA-256 of its code."""
    return Key(f"SIGNIN#{digest}", "META")


def listed_sign_in_link_key(organization_id: str, link_id: str) -> Key:
    return Key(organization_pk(organization_id), f"SIGNIN#{link_id}")


def organization_pause_key(organization_id: str) -> Key:
    """The mark of an organization that is paused, or being erased."""
    return Key(PAUSED, organization_pk(organization_id))


def space_pause_key(space_id: str) -> Key:
    """The mark of a space that is paused."""
    return Key(PAUSED, f"{SPACES}{space_id}")


def status_link_key(digest: str) -> Key:
    """The space of a status page, by the SHA-256 of the token of its address."""
    return Key(f"STATUS#{digest}", "META")


def use_of_space(space: "Space", change: int, unchanged: Condition | None = None) -> Update:
    """Counts one more (+1) or one less (-1) thing in a space, in the transaction of the thing.

    `unchanged` is what else must hold of the space: a transaction has only one write of an item.
    """
    condition = PRESENT & equals("id", space.id)
    return Update(
        space_key(space.organization_id, space.slug),
        add={"uses": change},
        condition=condition & unchanged if unchanged else condition,
    )
