"""The catalog: the public integrations, in two orders, as small items of their own.

    INT#<id>   CAT#PUBLISHER   in the index under CATALOGUE#PUBLISHER, `<publisher>/<slug>`
    INT#<id>   CAT#NAME        in the index under CATALOGUE#NAME, `<name in lower case>␀…`

Both are written with the release that they show, in one transaction. So a page of the catalog is
one query, in either order, and does not read the documents. The index is `catalogue`.
"""

from typing import Final

from patchbay.checks.auth_config import auth_type
from patchbay.platform.dynamodb import Item, Key
from patchbay.platform.lists import has_text
from patchbay.registry.manifest import Manifest
from patchbay.registry.model import CatalogEntry, CatalogQuery, Release
from patchbay.registry.naming import integration_key, key_of
from patchbay.registry.trust_tiers import TrustTier

_ORDERS: Final = ("PUBLISHER", "NAME")
_SHOWN: Final = ("id", "publisher", "slug", "name", "description", "icon_url", "deprecated")


def entry_keys(integration_id: str) -> list[Key]:
    """The keys of the entries of an integration."""
    return [Key(f"INT#{integration_id}", f"CAT#{order}") for order in _ORDERS]


def entry_items(release: Release, trust_tier: TrustTier) -> list[Item]:
    """The entries of a public integration with this current release."""
    manifest = Manifest.of(release.manifest)
    entry = CatalogEntry(
        **{name: getattr(release, name) for name in _SHOWN},
        current_version=release.version,
        trust_tier=trust_tier,
        auth_type=auth_type(release.auth_config),
        capabilities=manifest.capabilities,
        roles=manifest.roles,
    ).model_dump(mode="json")
    name = integration_key(release.publisher, release.slug)
    # NUL sorts before any other character that a longer name may have next.
    sort_keys = {"PUBLISHER": name, "NAME": f"{release.name.casefold()}\0{name}"}
    return [
        {
            **key._asdict(),
            **entry,
            "catalogue_pk": _partition(order),
            "catalogue_sk": sort_keys[order],
        }
        for key, order in zip(entry_keys(release.id), _ORDERS, strict=True)
    ]


def searched_partition(query: CatalogQuery) -> tuple[str, str]:
    """The partition of the index for a search, and the prefix of its sort keys."""
    if query.name:
        return _partition("NAME"), query.name.casefold()
    return _partition("PUBLISHER"), key_of(query.publisher or "")


def is_filtered(query: CatalogQuery) -> bool:
    """Whether a search has conditions apart from the prefix of the sort keys."""
    filters = query.filters()
    return bool(filters.keys() - ({"name"} if query.name else {"publisher"}))


def is_searched_for(entry: Item, query: CatalogQuery) -> bool:
    """Whether an entry meets the other conditions of a search."""
    return (
        key_of(entry["publisher"]).startswith(key_of(query.publisher or ""))
        and query.trust_tier in (None, entry["trust_tier"])
        and query.auth_type in (None, entry["auth_type"])
        and (query.capability is None or query.capability in entry["capabilities"])
        and (query.role is None or query.role in entry["roles"])
        and query.slug in (None, entry["slug"])
        and mentions(entry, query.q)
    )


def mentions(item: Item, text: str | None) -> bool:
    """Whether the name, the slug, or the description of an integration has this text, in any
    case; None is in all of them."""
    return has_text(text, item["name"], item["slug"], item["description"] or "")


def _partition(order: str) -> str:
    return f"CATALOGUE#{order}"
