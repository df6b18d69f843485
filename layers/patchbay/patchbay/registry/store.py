"""Integrations and releases in the integrations table.

    integration         INT#<id>          META             in by_owner under its organization
    release             INT#<id>          REL#<sort key>   the current one in catalogue, if public
    publisher claim     PUB#<publisher>   OWNER            the first organization that used it
    slug claim          PUB#<publisher>   SLUG#<slug>      integration id

A draft's documents are stored as JSON text: exactly what was sent, and no nesting limit but ours.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from patchbay.platform.clock import to_text
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    ABSENT,
    Contended,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
)
from patchbay.platform.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    NotPublishable,
    Problem,
    TemporarilyUnavailable,
)
from patchbay.platform.ids import Stamp, is_id
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.revisions import IfMatch, merge_patch, require_match, serially
from patchbay.platform.validation import problems_of as problems_of_model
from patchbay.registry.model import (
    CatalogueEntry,
    Editable,
    Integration,
    IntegrationPatch,
    IntegrationQuery,
    NewIntegration,
    Release,
    ReleaseSummary,
    Visibility,
    roles_of,
)
from patchbay.registry.versions import is_prerelease, require_semver, sort_key
from patchbay.tenancy.access import Principal
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import use_of_space

CATALOGUE = "CATALOGUE"
_DOCUMENTS = ("manifest", "variables_schema", "auth_config")
_CATALOGUE_INDEX = ("catalogue_pk", "catalogue_sk")


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


class RegistryStore:
    """Integrations, releases and the catalogue."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lists = Lists(table, CursorSeal(table))

    def create(
        self, new: NewIntegration, workspace: Space, created_by: str, stamp: Stamp
    ) -> Integration:
        """A draft in a workspace.

        Raises `Conflict`: PUBLISHER_TAKEN by another organization, SLUG_TAKEN within the publisher.
        """
        integration = Integration(
            **new.model_dump(),
            id=stamp.id("int"),
            current_version=None,
            created_by=created_by,
            deleted_at=None,
            created_at=stamp.now,
            updated_at=stamp.now,
            organization_id=workspace.organization_id,
            revision=1,
        )
        mine = equals("organization_id", workspace.organization_id)
        try:
            self._table.transact(
                [
                    Put(
                        {
                            **publisher_key(new.publisher)._asdict(),
                            "organization_id": workspace.organization_id,
                        },
                        ABSENT | mine,
                    ),
                    Put(
                        {
                            **slug_key(new.publisher, new.slug)._asdict(),
                            "integration_id": integration.id,
                        },
                        ABSENT,
                    ),
                    Put(_item(integration), ABSENT),
                    use_of_space(workspace, +1),
                ]
            )
        except TransactionRefused as refused:
            claim = refused.failed.get(1)
            if claim and claim["integration_id"] == integration.id:
                return integration  # our own write, of this request or the one that it repeats
            if 0 in refused.failed:
                raise Conflict(
                    "This publisher belongs to another organization.",
                    "PUBLISHER_TAKEN",
                    publisher=new.publisher,
                ) from None
            if claim:
                raise Conflict(
                    "The publisher has an integration of this slug.", "SLUG_TAKEN", slug=new.slug
                ) from None
            raise InvalidInput.at("/workspaceId", "is no space of yours") from None
        except Contended:
            raise TemporarilyUnavailable from None
        return integration

    def integration(self, integration_id: str) -> Integration:
        """Whoever owns it: the caller authorizes. Raises `NotFound`."""
        item = (
            self._table.get(integration_key(integration_id))
            if is_id("int", integration_id)
            else None
        )
        if item is None:
            raise NotFound("integration")
        return _integration(item)

    def integrations(
        self, organization_id: str, query: IntegrationQuery, now: datetime
    ) -> Listing[Integration]:
        """Of an organization, by workspace and age; deleted ones left out."""
        return self._lists.page(
            organization_id,
            query,
            now,
            _integration,
            pk=owned_integrations_pk(organization_id),
            prefix=f"{query.workspace_id}#" if query.workspace_id else "",
            index="by_owner",
        )

    def change(
        self, integration_id: str, patch: IntegrationPatch, if_match: IfMatch, now: datetime
    ) -> Integration:
        """Raises `NotFound`, `PreconditionFailed`, `InvalidInput`, `Conflict` if it is deleted."""

        def attempt() -> Integration:
            old = self.integration(integration_id)
            require_match(if_match, old.revision)
            _require_undeleted(old)
            edited = _edited(old, patch)
            new = old.model_copy(
                update={**dict(edited), "updated_at": now, "revision": old.revision + 1}
            )
            self._replace(old, new)
            return new

        return serially(attempt)

    def delete(self, integration_id: str, space: Space, if_match: IfMatch, now: datetime) -> None:
        """Soft: it leaves lists and catalogue, its releases stay readable to their endpoints."""

        def attempt() -> None:
            old = self.integration(integration_id)
            require_match(if_match, old.revision)
            if old.deleted_at:
                return
            new = old.model_copy(
                update={"deleted_at": now, "updated_at": now, "revision": old.revision + 1}
            )
            self._replace(old, new, use_of_space(space, -1))

        serially(attempt)

    def publish(
        self,
        integration_id: str,
        version: str,
        published_by: str,
        problems_of: Callable[[Integration], list[Problem]],
        now: datetime,
    ) -> tuple[Release, bool]:
        """The release, and whether this call made it: the same content again is the same release.

        Raises `NotFound`, `NotPublishable` with every problem, `InvalidInput` for a version that
        is not semver, `Conflict` VERSION_EXISTS unless it is higher than every earlier one.
        """
        require_semver(version, "/version")

        def attempt() -> tuple[Release, bool]:
            draft = self.integration(integration_id)
            _require_undeleted(draft)
            if existing := self._release_item(integration_id, version):
                if existing["version"] == version and _same_content(existing, draft):
                    return _release(existing), False
                raise _version_exists(version)
            if problems := problems_of(draft):
                raise NotPublishable(problems)
            newest = self._table.query(
                integration_pk(integration_id), prefix="REL#", limit=1, newest_first=True
            ).items
            if newest and newest[0]["sk"] > release_key(integration_id, version).sk:
                raise Conflict(
                    f"Version {newest[0]['version']} is released: a new one must be higher.",
                    "VERSION_EXISTS",
                    highest=newest[0]["version"],
                )
            new = draft.model_copy(
                update={
                    "current_version": draft.current_version if is_prerelease(version) else version,
                    "updated_at": now,
                    "revision": draft.revision + 1,
                }
            )
            release = Release(
                **dict(new), version=version, published_at=now, published_by=published_by
            )
            self._replace(draft, new, Put(_release_item(release), ABSENT))
            return release, True

        return serially(attempt)

    def releases(
        self, integration_id: str, tenant: str, query: ListQuery, now: datetime
    ) -> Listing[ReleaseSummary]:
        """Highest version first."""
        return self._lists.page(
            tenant,
            query,
            now,
            ReleaseSummary.model_validate,
            pk=integration_pk(integration_id),
            prefix="REL#",
            newest_first=True,
        )

    def release(self, integration_id: str, version: str) -> Release:
        """One release, also of a deleted integration. Raises `NotFound`."""
        try:
            require_semver(version, "/version")
        except InvalidInput:
            raise NotFound("release") from None
        item = self._release_item(integration_id, version)
        if item is None or item["version"] != version:
            raise NotFound("release")
        return _release(item)

    def installable(
        self, publisher: str, slug: str, version: str | None, organization_id: str
    ) -> Release:
        """The release that an organization's endpoint is made of: the current, or `version`.

        Raises `NotFound` for what does not exist, is deleted, was never published, or is private
        to another organization.
        """
        integration = self._by_name(publisher, slug)
        mine = integration.organization_id == organization_id
        if integration.deleted_at or (integration.visibility is Visibility.PRIVATE and not mine):
            raise NotFound("integration")
        chosen = version or integration.current_version
        if chosen is None:
            raise NotFound("release")
        release = self.release(integration.id, chosen)
        return release.model_copy(
            update={"visibility": integration.visibility, "trust_tier": integration.trust_tier}
        )

    def catalogue(
        self, caller: Principal, query: ListQuery, now: datetime
    ) -> Listing[CatalogueEntry]:
        """What is public, by publisher and slug."""
        return self._lists.page(
            caller.organization_id,
            query,
            now,
            CatalogueEntry.model_validate,
            pk=CATALOGUE,
            index="catalogue",
        )

    def _by_name(self, publisher: str, slug: str) -> Integration:
        claim = self._table.get(slug_key(publisher, slug))
        if claim is None:
            raise NotFound("integration")
        return self.integration(claim["integration_id"])

    def _release_item(self, integration_id: str, version: str) -> Item | None:
        return self._table.get(release_key(integration_id, version))

    def _replace(self, old: Integration, new: Integration, *more: Write) -> None:
        """Writes a new revision, moves the catalogue's entry along with it, and `more`."""
        standing = equals("revision", old.revision)
        try:
            self._table.transact(
                [Put(_item(new), standing), *self._catalogue_moves(old, new, more), *more]
            )
        except Contended:
            raise TemporarilyUnavailable from None

    def _catalogue_moves(
        self, old: Integration, new: Integration, more: tuple[Write, ...]
    ) -> list[Write]:
        """The current release is in the catalogue's index while the integration is public."""
        fresh = [write.item for write in more if isinstance(write, Put)]
        moves: list[Write] = []
        if old.current_version and old.current_version != new.current_version:
            key = release_key(old.id, old.current_version)
            moves.append(Update(key, remove=_CATALOGUE_INDEX))
        if new.current_version is None:
            return moves
        listed = new.visibility is Visibility.PUBLIC and new.deleted_at is None
        index = {"catalogue_pk": CATALOGUE, "catalogue_sk": f"{new.publisher}/{new.slug}"}
        key = release_key(new.id, new.current_version)
        current = next((item for item in fresh if (item["pk"], item["sk"]) == key), None)
        if current is not None:
            current |= index if listed else {}
        elif listed:
            values = {**index, "trust_tier": new.trust_tier}
            moves.append(Update(key, values=values))
        elif old.visibility is Visibility.PUBLIC:
            moves.append(Update(key, remove=_CATALOGUE_INDEX))
        return moves


def _edited(old: Integration, patch: IntegrationPatch) -> Editable:
    """The editable fields after a merge patch. Raises `InvalidInput` with pointers."""
    before = Editable.model_construct(
        **{name: getattr(old, name) for name in Editable.model_fields}
    ).model_dump(mode="json", by_alias=True)
    after = merge_patch(before, patch.model_dump(mode="json", by_alias=True, exclude_unset=True))
    try:
        return Editable.model_validate_json(json.dumps(after), strict=True)
    except ValidationError as error:
        raise InvalidInput(problems_of_model(error)) from None


def _require_undeleted(integration: Integration) -> None:
    if integration.deleted_at:
        raise Conflict("The integration is deleted.", deleted_at=to_text(integration.deleted_at))


def _version_exists(version: str) -> Conflict:
    return Conflict(
        f"Version {version} is released with other content.", "VERSION_EXISTS", version=version
    )


def _same_content(release: Item, draft: Integration) -> bool:
    return all(json.loads(release[name]) == getattr(draft, name) for name in _DOCUMENTS)


def _attributes(integration: Integration) -> Item:
    item = integration.model_dump(mode="json", exclude=set(_DOCUMENTS))
    texts = {name: json.dumps(getattr(integration, name)) for name in _DOCUMENTS}
    return {
        **item,
        **texts,
        "organization_id": integration.organization_id,
        "revision": integration.revision,
    }


def _item(integration: Integration) -> Item:
    item = {**integration_key(integration.id)._asdict(), **_attributes(integration)}
    if integration.deleted_at is None:
        item["by_owner_pk"] = owned_integrations_pk(integration.organization_id)
        item["by_owner_sk"] = f"{integration.workspace_id}#{integration.id}"
    return item


def _release_item(release: Release) -> Item:
    """With what the catalogue's list shows beside the snapshot."""
    return {
        **_attributes(release),
        **release_key(release.id, release.version)._asdict(),
        "auth_type": release.auth_config["type"],
        "capabilities": release.manifest.get("capabilities", []),
        "roles": roles_of(release.manifest),
    }


def _documents(item: Item) -> dict[str, Any]:
    return {name: json.loads(item[name]) for name in _DOCUMENTS}


def _integration(item: Item) -> Integration:
    return Integration.model_validate({**item, **_documents(item)})


def _release(item: Item) -> Release:
    return Release.model_validate({**item, **_documents(item)})
