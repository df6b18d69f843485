"""Integrations and releases in the integrations table.

    integration         INT#<id>          META             in by_owner under its organization,
                                                           apart if it is deleted
    release             INT#<id>          REL#<sort key>   `yanked` is there if it is; `uses` and
                                                           `apart` belong to `release_uses`
    catalog entries     INT#<id>          CAT#PUBLISHER, CAT#NAME   in the index of the catalog
    publisher claim     PUB#<key>         OWNER            the first organization that used it;
                                                           `retired` after that was erased
    publisher, listed   ORG#<id>          PUB#<key>
    slug claim          PUB#<key>         SLUG#<slug>      integration id
    note of a delete    ORG#<id>          DELETED#<integration id>   what is kept until the purge

The key is that of the publisher's name (`naming.key_of`). Names that were stored before they were
free text are their own keys.

The documents of a draft are stored as JSON text: exactly what was sent, and with no nesting limit
except ours.

A deleted integration carries the time of its purge as `expires_at`, on itself, its slug claim and
its unused releases. DynamoDB removes them some time later; from that time on they count as gone.
How releases are counted, and that a deleted integration gets no new endpoints, is in
`release_uses`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import epoch_seconds, to_second
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    Condition,
    Contended,
    Delete,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    at_most,
    equals,
)
from patchbay.platform.errors import (
    Conflict,
    InvalidInput,
    NoSuchRelease,
    NotFound,
    NotPublishable,
    Problem,
)
from patchbay.platform.identity_cache import IdentityCache
from patchbay.platform.ids import Stamp, is_id
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.revisions import (
    IfMatch,
    changes_nothing,
    merge_patch,
    require_match,
    serially,
)
from patchbay.platform.strict_json import canonical, compact
from patchbay.platform.validation import problems_of as problems_of_model
from patchbay.registry.catalog import (
    entry_items,
    entry_keys,
    is_filtered,
    is_searched_for,
    mentions,
    searched_partition,
)
from patchbay.registry.keys import (
    RELEASES,
    deleted_integrations_pk,
    deleted_key,
    integration_key,
    integration_pk,
    owned_integrations_pk,
    owned_publisher_key,
    publisher_key,
    release_key,
    slug_key,
)
from patchbay.registry.model import (
    CatalogEntry,
    CatalogQuery,
    Editable,
    Integration,
    IntegrationPatch,
    IntegrationQuery,
    NewIntegration,
    Release,
    ReleasePatch,
    ReleaseRemarks,
    ReleaseSummary,
    Visibility,
    retention_of,
)
from patchbay.registry.naming import key_of
from patchbay.registry.quotas import (
    DELETED_QUOTA,
    INTEGRATION_QUOTA,
    RELEASE_QUOTA,
    releases_of,
)
from patchbay.registry.release_uses import ReleaseUses, no_permits, yanking
from patchbay.registry.version_ranges import VersionRange
from patchbay.registry.versions import (
    highest_stable,
    is_semver,
    line,
    require_semver,
    standing_in_the_way,
)
from patchbay.tenancy.access import Principal
from patchbay.tenancy.keys import use_of_space
from patchbay.tenancy.model import Space
from patchbay.tenancy.quotas import Count, Counted, Quotas

_CONTENT: Final = ("name", "description", "icon_url", "manifest", "variables_schema", "auth_config")
_REMARKS: Final = frozenset(ReleaseRemarks.model_fields)
_READ_LAST: Final = 8
"""Releases that are not read again while their items are at hand."""
_DOCUMENTS = ("manifest", "variables_schema", "auth_config")


class RegistryStore:
    """Integrations, releases, and the catalog."""

    def __init__(self, table: Table, quotas: Quotas) -> None:
        self._table = table
        self._quotas = quotas
        self._lists = Lists(table, CursorSeal(table))
        self._uses = ReleaseUses(table)
        self._read_last = IdentityCache[Item, Release](_READ_LAST)

    def create(
        self, new: NewIntegration, workspace: Space, created_by: str, stamp: Stamp
    ) -> Integration:
        """Creates a draft in a workspace.

        Raises `Conflict`: PUBLISHER_TAKEN by another organization, SLUG_TAKEN under this publisher;
        and `QuotaExceeded`.
        """
        integration = Integration.draft_of(
            new,
            id=stamp.id("int"),
            organization_id=workspace.organization_id,
            created_by=created_by,
            at=stamp.now,
        )
        mine = equals("organization_id", workspace.organization_id)
        try:
            self._quotas.transact(
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
                        ABSENT | at_most("expires_at", epoch_seconds(stamp.now)),
                    ),
                    Put(_item(integration), ABSENT),
                    use_of_space(workspace, +1),
                    recorded(
                        integration.organization_id,
                        Entity.INTEGRATION,
                        integration.id,
                        Action.CREATED,
                        after=integration,
                    ),
                    Put(owned_publisher_key(workspace.organization_id, new.publisher)._asdict()),
                    Count(integration.organization_id, INTEGRATION_QUOTA, +1),
                ]
            )
        except TransactionRefused as refused:
            claim = refused.failed.get(1)
            if claim and claim["integration_id"] == integration.id:
                return integration  # written by this request, or by the one that it repeats
            if 0 in refused.failed:
                raise Conflict(
                    "This publisher belongs to another organization.",
                    "PUBLISHER_TAKEN",
                    publisher=new.publisher,
                ) from None
            if claim:
                raise _slug_taken(new.slug) from None
            raise InvalidInput.at(
                "/workspaceId", "is not the id of a space of your organization"
            ) from None
        except Contended:
            # Many requests want this slug: the one that got it decides the answer to the others.
            claim = self._claimed(new.publisher, new.slug, stamp.now)
            if claim is None:
                raise
            if claim["integration_id"] != integration.id:
                raise _slug_taken(new.slug) from None
        return integration

    def publisher_owner(self, publisher: str) -> str | None:
        """The organization that a publisher name belongs to, for good; None if nobody used it, and
        for one that is taken by an organization that was erased."""
        item = self._table.get(publisher_key(publisher))
        return item.get("organization_id") if item else None

    def integration(self, integration_id: str, now: datetime) -> Integration:
        """Of any organization: the caller authorizes. Raises `NotFound`, even before DynamoDB has
        removed a purged one."""
        item = (
            self._table.get(integration_key(integration_id))
            if is_id("int", integration_id)
            else None
        )
        if item is None or _is_purged(item, now):
            raise NotFound("integration")
        return read_integration(item)

    def integrations(
        self, organization_id: str, query: IntegrationQuery, now: datetime
    ) -> Listing[Integration]:
        """Those of an organization that are not deleted, or those that are and can be restored, by
        workspace and age."""
        partition = deleted_integrations_pk if query.deleted else owned_integrations_pk
        publisher = None if query.publisher is None else key_of(query.publisher)
        is_filtered = query.deleted or bool(query.filters().keys() - {"deleted", "workspace_id"})

        def is_asked_for(item: Item) -> bool:
            return (
                not _is_purged(item, now)
                and query.slug in (None, item["slug"])
                and query.visibility in (None, item["visibility"])
                and publisher in (None, key_of(item["publisher"]))
                and mentions(item, query.q)
            )

        return self._lists.page(
            organization_id,
            query,
            now,
            read_integration,
            pk=partition(organization_id),
            prefix=f"{query.workspace_id}#" if query.workspace_id else "",
            index="by_owner",
            keep=is_asked_for if is_filtered else None,
        )

    def change(
        self, integration_id: str, patch: IntegrationPatch, if_match: IfMatch, now: datetime
    ) -> Integration:
        """Raises `NotFound`, `PreconditionFailed`, `InvalidInput`, `Conflict` if it is deleted."""

        def attempt() -> Integration:
            old = self.integration(integration_id, now)
            require_match(if_match, old.revision)
            _require_undeleted(old)
            edited = _edited(old, patch)
            new = old.model_copy(
                update={**dict(edited), "updated_at": now, "revision": old.revision + 1}
            )
            if changes_nothing(old, new):
                return old
            self._replace(Action.CHANGED, old, new)
            return new

        return serially(attempt)

    def delete(self, integration_id: str, space: Space, if_match: IfMatch, now: datetime) -> None:
        """Deletes softly: it leaves lists and the catalog now and is purged after its retention.

        Until then it can be restored and keeps its slug. Releases that endpoints use stay, even
        after the purge. Raises `NotFound`, `PreconditionFailed`, and `QuotaExceeded` if too much
        that is deleted is still kept.
        """

        def attempt() -> Integration:
            old = self.integration(integration_id, now)
            require_match(if_match, old.revision)
            if old.deleted_at:
                return old
            new = old.model_copy(
                update={"deleted_at": now, "updated_at": now, "revision": old.revision + 1}
            )
            claim = Update(
                slug_key(old.publisher, old.slug),
                values={"expires_at": _purge_at(new)},
                condition=equals("integration_id", old.id),
            )
            counts = self._counts(old, -1)
            left = [*self._deletion(new), *no_permits(old.id)]
            self._replace(Action.DELETED, old, new, claim, use_of_space(space, -1), *counts, *left)
            return new

        deleted = serially(attempt)
        for item in self._table.query_all(integration_pk(integration_id), prefix=RELEASES):
            self._expire_unused(item, deleted)

    def restore(self, integration_id: str, space: Space, now: datetime) -> Integration:
        """Undoes a delete. Raises `NotFound`, also after the purge; `QuotaExceeded`.

        A restore of an integration that is not deleted marks its releases as kept again, so a
        restore that was cut off is completed by a second one.
        """

        def attempt() -> Integration:
            old = self.integration(integration_id, now)
            if old.deleted_at is None:
                return old
            self._keep_releases(old)  # after a crash here, nothing expires by itself
            new = old.model_copy(
                update={"deleted_at": None, "updated_at": now, "revision": old.revision + 1}
            )
            claim = Update(
                slug_key(old.publisher, old.slug),
                remove=["expires_at"],
                condition=equals("integration_id", old.id),
            )
            counts = [*self._counts(old, +1), *self._end_of_deletion(old)]
            self._replace(Action.RESTORED, old, new, claim, use_of_space(space, +1), *counts)
            return new

        restored = serially(attempt)
        # A delete that was still marking releases stops at this revision: remove its marks.
        self._keep_releases(restored)
        return restored

    def _counts(self, integration: Integration, sign: int) -> list[Counted]:
        """What a delete or a restore counts. A publish changes the revision, so in a transaction
        that checks the revision the number of releases is exact."""
        owner, releases = integration.organization_id, releases_of(self._table, integration.id)
        return [
            Count(owner, INTEGRATION_QUOTA, sign),
            Count(owner, RELEASE_QUOTA, sign * releases),
        ]

    def _deletion(self, deleted: Integration) -> list[Counted]:
        """What a delete leaves until the purge, and counts: the draft, and each release."""
        owner, kept = deleted.organization_id, 1 + releases_of(self._table, deleted.id)
        note = {"releases": kept, "expires_at": _purge_at(deleted)}
        key = deleted_key(owner, deleted.id)
        return [Put({**key._asdict(), **note}), Count(owner, DELETED_QUOTA, kept)]

    def _end_of_deletion(self, deleted: Integration) -> list[Counted]:
        """What a restore takes back; nothing of a delete that left no note, as earlier ones did."""
        key = deleted_key(deleted.organization_id, deleted.id)
        note = self._table.get(key)
        if note is None:
            return []
        gone = Count(deleted.organization_id, DELETED_QUOTA, -note["releases"])
        return [Delete(key, PRESENT), gone]

    def _keep_releases(self, integration: Integration) -> None:
        """Raises `TransactionRefused` if the integration has changed."""
        for item in self._table.query_all(integration_pk(integration.id), prefix=RELEASES):
            if "expires_at" in item:
                self._table.transact(
                    [
                        Check(
                            integration_key(integration.id),
                            equals("revision", integration.revision),
                        ),
                        Update(
                            Key(item["pk"], item["sk"]), remove=["expires_at"], condition=PRESENT
                        ),
                    ]
                )

    def let_go(self, integration_id: str, version: str, now: datetime) -> None:
        """After an endpoint is deleted: the release of a deleted integration may expire too."""
        item = self._table.get(integration_key(integration_id))
        if item is not None and "expires_at" not in item:
            return
        release = self._release_item(integration_id, version)
        if release is None or "expires_at" in release:
            return
        if item is None or _is_purged(item, now):
            self._expire(release, epoch_seconds(now))
        else:
            self._expire_unused(release, read_integration(item))

    def _expire_unused(self, release: Item, deleted: Integration) -> None:
        """Lets a release expire, unless an endpoint uses it or the integration was restored."""
        if release.get("expires_at") == _purge_at(deleted):
            return
        unchanged = Check(integration_key(deleted.id), equals("revision", deleted.revision))
        self._expire(release, _purge_at(deleted), unchanged)

    def _expire(self, release: Item, at: int, *checks: Check) -> None:
        """From then on it is counted in one item again: its shards are gone."""
        unused = self._uses.unused(release)
        if unused is None:
            return
        expiry = Update(
            Key(release["pk"], release["sk"]),
            values={"uses": 0, "expires_at": at},
            remove=["apart"],
            condition=unused.condition,
        )
        try:
            self._table.transact([*checks, expiry, *unused.shards])
        except TransactionRefused:
            return  # others use it, or the integration was restored

    def publish(
        self,
        integration_id: str,
        version: str,
        published_by: str,
        problems_of: Callable[[Integration], list[Problem]],
        now: datetime,
        changelog: str | None = None,
    ) -> tuple[Release, bool]:
        """The release, and whether this call made it: the same content again is the same release.

        Raises `NotFound`; `NotPublishable` with every problem; `InvalidInput` for a version that is
        not semver; `Conflict` VERSION_EXISTS unless it is higher than every earlier one of its
        line; `QuotaExceeded`.
        """
        require_semver(version, "/version")

        def attempt() -> tuple[Release, bool]:
            draft = self.integration(integration_id, now)
            _require_undeleted(draft)
            if standing := self._standing_release(draft, version):
                return standing, False
            if problems := problems_of(draft):
                raise NotPublishable(problems)
            known = [version, *([draft.current_version] if draft.current_version else [])]
            new = draft.model_copy(
                update={
                    "current_version": highest_stable(known),
                    "updated_at": now,
                    "revision": draft.revision + 1,
                }
            )
            release = Release(
                **dict(new),
                version=version,
                published_at=now,
                published_by=published_by,
                changelog=changelog,
            )
            fresh = Put(_release_item(release), ABSENT)
            current = release if new.current_version == version else None
            one_more = Count(draft.organization_id, RELEASE_QUOTA, +1)
            self._replace(
                Action.PUBLISHED, draft, new, fresh, one_more, release=release, current=current
            )
            return release, True

        return serially(attempt)

    def remark(
        self,
        integration_id: str,
        version: str,
        patch: ReleasePatch,
        if_match: IfMatch,
        now: datetime,
    ) -> Release:
        """Changes what the author says about a release. A yanked release is nobody's current one:
        the highest that is left takes its place.

        Raises `NotFound`, `PreconditionFailed`, `Conflict` if the integration is deleted.
        """

        def attempt() -> Release:
            old = self.integration(integration_id, now)
            before = self.release(integration_id, version)
            require_match(if_match, before.remarks_revision)
            _require_undeleted(old)
            said = patch.model_dump(exclude_unset=True)
            if all(getattr(before, name) == value for name, value in said.items()):
                return before
            revision = before.remarks_revision + 1
            after = before.model_copy(update={**said, "remarks_revision": revision})
            versions = {**self.all_versions(integration_id, now), version: after.yanked}
            highest = highest_stable(v for v, yanked in versions.items() if yanked is None)
            new = old.model_copy(
                update={
                    "current_version": highest,
                    "updated_at": now,
                    "revision": old.revision + 1,
                }
            )
            gone = [name for name, value in said.items() if value is None]
            condition, shards = self._yanking(before, after)
            # Each of these writes changes the integration's revision, so no two of them, and no
            # publish, can disagree on the current release.
            change = Update(
                release_key(integration_id, version),
                values={
                    **{name: value for name, value in said.items() if value is not None},
                    "remarks_revision": revision,
                },
                remove=gone,
                condition=condition,
            )
            current = None
            if highest is not None and (highest != old.current_version or highest == version):
                current = after if highest == version else self.release(integration_id, highest)
            self._replace_with_remarks(old, new, before, after, [change, *shards], current)
            return after

        return serially(attempt)

    def _yanking(self, before: Release, after: Release) -> tuple[Condition, list[Write]]:
        is_yanked = after.yanked is not None
        item = self._release_item(before.id, before.version)
        if item is None or is_yanked == (before.yanked is not None):
            return PRESENT, []
        return yanking(item, is_yanked=is_yanked)

    def versions(self, integration_id: str, now: datetime) -> list[str]:
        """All released versions that are not yanked, lowest first."""
        found = self.all_versions(integration_id, now)
        return [version for version, yanked in found.items() if yanked is None]

    def all_versions(self, integration_id: str, now: datetime) -> dict[str, str | None]:
        """All released versions, lowest first, with the reason why one is yanked."""
        items = self._table.query_all(
            integration_pk(integration_id),
            prefix=RELEASES,
            attributes=("version", "expires_at", "yanked"),
        )
        return {item["version"]: item.get("yanked") for item in items if not _is_purged(item, now)}

    def publish_problems(
        self,
        integration_id: str,
        version: str,
        problems_of: Callable[[Integration], list[Problem]],
        now: datetime,
    ) -> list[Problem]:
        """Everything that keeps the draft from being published. Raises `NotFound`."""
        draft = self.integration(integration_id, now)
        problems: list[Problem] = []
        try:
            _require_undeleted(draft)
            require_semver(version, "/version")
            if self._standing_release(draft, version):
                return []  # publishing the same again returns the release that there is
        except InvalidInput as error:
            problems += error.problems
        except Conflict as error:
            at = "" if draft.deleted_at else "/version"
            problems.append(Problem(at, error.message))
        return problems_of(draft) + problems

    def _standing_release(self, draft: Integration, version: str) -> Release | None:
        """The release of this version and content; None if the version is free.

        Raises `Conflict` VERSION_EXISTS.
        """
        if existing := self._release_item(draft.id, version):
            if existing["version"] != version:
                raise Conflict(
                    f"Version {existing['version']} is already released; "
                    "build metadata does not make a version higher.",
                    "VERSION_EXISTS",
                    highest=existing["version"],
                )
            if _same_content(existing, draft):
                return read_release(existing)
            raise _version_exists(version)
        if draft.current_version and highest_stable([draft.current_version, version]) == version:
            return None  # higher than all: the others need not be read
        released = self._table.query_all(
            integration_pk(draft.id), prefix=RELEASES, attributes=("version",)
        )
        if highest := standing_in_the_way(version, [item["version"] for item in released]):
            own = line(version)
            rule = (
                f"a new version must be higher than every earlier one of its line, which is {own}."
                if line(highest) == own
                else f"a new line, here {own}, must begin above every earlier version."
            )
            raise Conflict(
                f"Version {highest} is already released; {rule}",
                "VERSION_EXISTS",
                highest=highest,
            )
        return None

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
            prefix=RELEASES,
            newest_first=True,
        )

    def release(self, integration_id: str, version: str) -> Release:
        """One release, even of a deleted integration. Raises `NoSuchRelease`."""
        item = self._release_item(integration_id, version) if is_semver(version) else None
        if item is None or item["version"] != version:
            raise NoSuchRelease("is not a release of this integration")
        return self._read(item)

    def _read(self, item: Item) -> Release:
        """The release of an item: for the same item, read once. Many tests of a page share it."""
        return self._read_last.get(item, read_release)

    def installable(
        self, publisher: str, slug: str, version: str | None, organization_id: str, now: datetime
    ) -> Release:
        """The release for a new endpoint of an organization.

        It is the current release, or that of `version`; if that is a range, the highest that
        matches. A yanked release never is it. Raises `NotFound` for what does not exist, is
        deleted, or is private to another organization, and `NoSuchRelease`.
        """
        integration = self.usable(publisher, slug, organization_id, now)
        return self.best_release(integration, version, now).model_copy(
            update={
                "visibility": integration.visibility,
                "trust_tier": integration.trust_tier,
                "revision": integration.revision,
            }
        )

    def catalog(
        self, caller: Principal, query: CatalogQuery, now: datetime
    ) -> Listing[CatalogEntry]:
        """The public integrations by publisher and slug, or by name if the search has one."""
        pk, prefix = searched_partition(query)
        return self._lists.page(
            caller.organization_id,
            query,
            now,
            CatalogEntry.model_validate,
            pk=pk,
            prefix=prefix,
            index="catalogue",
            keep=(lambda entry: is_searched_for(entry, query)) if is_filtered(query) else None,
        )

    def usable(self, publisher: str, slug: str, organization_id: str, now: datetime) -> Integration:
        """An integration that an organization may create endpoints of. Raises `NotFound`."""
        claim = self._claimed(publisher, slug, now)
        if claim is None:
            raise NotFound("integration")
        integration = self.integration(claim["integration_id"], now)
        mine = integration.organization_id == organization_id
        if integration.deleted_at or (integration.visibility is Visibility.PRIVATE and not mine):
            raise NotFound("integration")
        return integration

    def best_release(
        self,
        integration: Integration,
        wanted: str | None,
        now: datetime,
        versions: Mapping[str, str | None] | None = None,
    ) -> Release:
        """The current release, that of a version, or the highest of a range; build metadata of a
        version counts for nothing.

        `versions`, if given, is what `all_versions` has. Raises `NoSuchRelease`.
        """
        if wanted is None:
            if integration.current_version is None:
                raise NoSuchRelease("has no release that is not a pre-release or yanked")
            return self.release(integration.id, integration.current_version)
        if is_semver(wanted):
            item = self._release_item(integration.id, wanted)
            if item is None:
                raise NoSuchRelease(_no_match(integration, wanted))
            if reason := item.get("yanked"):
                raise NoSuchRelease(f"{item['version']} is yanked: {reason}")
            return read_release(item)
        try:
            wanted_range = VersionRange.parse(wanted)
        except ValueError as error:
            raise NoSuchRelease(str(error)) from None
        versions = versions or self.all_versions(integration.id, now)
        best = wanted_range.best(v for v, yanked in versions.items() if yanked is None)
        if best is None:
            yanked = wanted_range.best(versions)
            why = f": {yanked} is yanked" if yanked else ""
            raise NoSuchRelease(_no_match(integration, wanted) + why)
        return self.release(integration.id, best)

    def _claimed(self, publisher: str, slug: str, now: datetime) -> Item | None:
        claim = self._table.get(slug_key(publisher, slug))
        return None if claim is None or _is_purged(claim, now) else claim

    def _release_item(self, integration_id: str, version: str) -> Item | None:
        return self._table.get(release_key(integration_id, version))

    def _replace(
        self,
        action: Action,
        old: Integration,
        new: Integration,
        *more: Counted,
        release: Release | None = None,
        current: Release | None = None,
    ) -> None:
        """Writes a new revision, the entries in the catalog that follow from it, and `more`.

        `release` is the one that this publishes; `current` is the same if it becomes current.
        """
        standing = equals("revision", old.revision)
        entries = self._entry_writes(old, new, current)
        shown = new.model_dump(mode="json", by_alias=True)
        audit = recorded(
            old.organization_id,
            Entity.INTEGRATION,
            old.id,
            action,
            before=old,
            after=shown if release is None else {**shown, "version": release.version},
        )
        self._quotas.transact([Put(_item(new), standing), *entries, *more, audit])

    def _replace_with_remarks(
        self,
        old: Integration,
        new: Integration,
        before: Release,
        after: Release,
        changes: Sequence[Write],
        current: Release | None,
    ) -> None:
        """Writes new remarks on a release, and what follows from them for the integration.

        `current` is the current release if it is another one now, or has other remarks.
        """

        def shown(integration: Integration, release: Release) -> dict[str, Any]:
            remarks = ReleaseRemarks.model_validate(release, from_attributes=True)
            return {
                **remarks.model_dump(mode="json", by_alias=True),
                "currentVersion": integration.current_version,
                "version": release.version,
            }

        audit = recorded(
            old.organization_id,
            Entity.INTEGRATION,
            old.id,
            Action.REMARKED,
            before={**shown(old, before), "version": None},
            after=shown(new, after),
        )
        standing = equals("revision", old.revision)
        entries = self._entry_writes(old, new, current)
        self._table.transact([Put(_item(new), standing), *changes, *entries, audit])

    def _entry_writes(
        self, old: Integration, new: Integration, current: Release | None
    ) -> list[Write]:
        """The catalog has the current release of what is public, with its present trust tier."""

        def shown(integration: Integration) -> bool:
            return (
                integration.visibility is Visibility.PUBLIC
                and integration.deleted_at is None
                and integration.current_version is not None
            )

        if not shown(new):
            return [Delete(key) for key in entry_keys(new.id)] if shown(old) else []
        if shown(old) and current is None and old.trust_tier is new.trust_tier:
            return []
        release = current or self.release(new.id, str(new.current_version))
        return [Put(item) for item in entry_items(release, new.trust_tier)]


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
        raise Conflict("The integration is deleted.", deleted_at=to_second(integration.deleted_at))


def _slug_taken(slug: str) -> Conflict:
    return Conflict(
        "The publisher already has an integration with this slug.", "SLUG_TAKEN", slug=slug
    )


def _no_match(integration: Integration, wanted: str) -> str:
    current = integration.current_version
    hint = f" (the current one is {current})" if current else ""
    return f"no release matches {wanted}{hint}"


def _version_exists(version: str) -> Conflict:
    return Conflict(
        f"Version {version} is already released with other content.",
        "VERSION_EXISTS",
        version=version,
    )


def _same_content(release: Item, draft: Integration) -> bool:
    """Compares as JSON, where true is not 1, and 1 is not 1.0."""
    published = read_release(release)

    def content(integration: Integration) -> bytes:
        return canonical([getattr(integration, name) for name in _CONTENT])

    return content(published) == content(draft)


def _purge_at(deleted: Integration) -> int:
    """When a deleted integration is purged, in epoch seconds."""
    return epoch_seconds(
        deleted.deleted_at or deleted.updated_at, retention_of(deleted.retention_tier)
    )


def _is_purged(item: Item, now: datetime) -> bool:
    return "expires_at" in item and item["expires_at"] <= epoch_seconds(now)


def _attributes(integration: Integration) -> Item:
    item = integration.model_dump(mode="json", exclude={*_DOCUMENTS, "key"})
    texts = {name: compact(getattr(integration, name)).decode() for name in _DOCUMENTS}
    return {
        **item,
        **texts,
        "organization_id": integration.organization_id,
        "revision": integration.revision,
    }


def _item(integration: Integration) -> Item:
    item = {**integration_key(integration.id)._asdict(), **_attributes(integration)}
    item["by_owner_sk"] = f"{integration.workspace_id}#{integration.id}"
    if integration.deleted_at is None:
        item["by_owner_pk"] = owned_integrations_pk(integration.organization_id)
    else:
        item["by_owner_pk"] = deleted_integrations_pk(integration.organization_id)
        item["expires_at"] = _purge_at(integration)
    return item


def _release_item(release: Release) -> Item:
    attributes = _attributes(release)
    return {
        # Conditions ask whether `yanked` is there.
        **{name: value for name, value in attributes.items() if name not in _REMARKS or value},
        **release_key(release.id, release.version)._asdict(),
        "uses": 0,
    }


def _documents(item: Item) -> dict[str, Any]:
    return {name: json.loads(item[name]) for name in _DOCUMENTS}


def read_integration(item: Item) -> Integration:
    return Integration.model_validate({**item, **_documents(item)})


def read_release(item: Item) -> Release:
    return Release.model_validate({**item, **_documents(item)})
