"""The registry's store: what it costs, what time does to it, and that it does what a model says."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Put, Table
from patchbay.platform.errors import Conflict, NotFound, PreconditionFailed
from patchbay.platform.ids import Stamp
from patchbay.platform.revisions import etag
from patchbay.registry.keys import release_key
from patchbay.registry.model import (
    CatalogQuery,
    IntegrationPatch,
    IntegrationQuery,
    NewIntegration,
    RetentionTier,
)
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.model import NewOrganization, NewSpace, Space
from patchbay.tenancy.quotas import Quotas
from patchbay.tenancy.store import TenancyStore
from tests.integration.table_calls import counted_calls

NOW = utc_now()
READER = Principal("org_reader", "key_reader", frozenset({Permission.READ}))


def registry_of(table: Table) -> RegistryStore:
    return RegistryStore(table, Quotas.without_limits(table))


def a_space(table: Table, slug: str = "home") -> Space:
    tenants, stamp = TenancyStore(table, Quotas.without_limits(table)), Stamp.fresh(NOW)
    organization = tenants.create_organization(NewOrganization(name=slug), stamp)
    return tenants.create_space(organization.id, NewSpace(slug=slug, name=slug), stamp)


def new(space: Space, slug: str = "crm", **changes: Any) -> NewIntegration:
    return NewIntegration.model_validate(
        {"workspaceId": space.id, "publisher": "acme", "slug": slug, "name": slug, **changes}
    )


@pytest.fixture
def registry(integrations_table: Table) -> RegistryStore:
    return registry_of(integrations_table)


@pytest.fixture
def space(integrations_table: Table) -> Space:
    return a_space(integrations_table)


def test_a_read_is_one_read_a_create_one_transaction_and_a_page_one_query(
    registry: RegistryStore, space: Space
) -> None:
    with counted_calls() as calls:
        made = registry.create(new(space), space, "key_1", Stamp.fresh(NOW))
    assert calls == {"TransactWriteItems": 1}
    with counted_calls() as calls:
        registry.integration(made.id, NOW)
    assert calls == {"GetItem": 1}
    for number in range(30):
        integration = registry.create(
            new(space, f"i{number:02}", visibility="public"), space, "key_1", Stamp.fresh(NOW)
        )
        registry.publish(integration.id, "1.0.0", "key_1", lambda _: [], NOW)
    with counted_calls() as calls:
        page = registry.integrations(space.organization_id, IntegrationQuery(), NOW)
    assert calls["Query"] == 1
    assert len(page.items) == 25
    with counted_calls() as calls:
        entries = registry.catalog(READER, CatalogQuery(limit=10), NOW)
    assert calls["Query"] == 1
    assert len(entries.items) == 10


@pytest.mark.parametrize(
    ("tier", "days"), [("short", 7), ("medium", 30), ("long", 365), ("none", 0), (None, 30)]
)
def test_a_deleted_integration_is_purged_after_its_retention(
    registry: RegistryStore,
    integrations_table: Table,
    space: Space,
    tier: RetentionTier | None,
    days: int,
) -> None:
    # Given a deleted integration with a release
    made = registry.create(new(space, retentionTier=tier), space, "key_1", Stamp.fresh(NOW))
    registry.publish(made.id, "1.0.0", "key_1", lambda _: [], NOW)
    registry.delete(made.id, space, None, NOW)
    end = NOW + timedelta(days=days)
    # Then until its retention ends it is there and its slug taken
    if days:
        before = end - timedelta(seconds=1)
        assert registry.integration(made.id, before).deleted_at == NOW
        with pytest.raises(Conflict):
            registry.create(new(space), space, "key_1", Stamp.fresh(before))
    # And from then on it is gone, whether DynamoDB has removed it or not, and the slug is free
    with pytest.raises(NotFound):
        registry.integration(made.id, end)
    with pytest.raises(NotFound):
        registry.restore(made.id, space, end)
    # And every item of it carries the time at which DynamoDB may remove it
    items = list(integrations_table.query_all(f"INT#{made.id}"))
    assert [item["expires_at"] for item in items] == [int(end.timestamp())] * 2
    again = registry.create(new(space), space, "key_1", Stamp.fresh(end))
    assert registry.integration(again.id, end).slug == "crm"


def test_a_restored_integration_and_its_releases_expire_no_more(
    registry: RegistryStore, integrations_table: Table, space: Space
) -> None:
    made = registry.create(new(space), space, "key_1", Stamp.fresh(NOW))
    registry.publish(made.id, "1.0.0", "key_1", lambda _: [], NOW)
    registry.delete(made.id, space, None, NOW)
    registry.restore(made.id, space, NOW + timedelta(days=29))
    items = list(integrations_table.query_all(f"INT#{made.id}"))
    assert all("expires_at" not in item for item in items)
    assert registry.usable("acme", "crm", space.organization_id, NOW + timedelta(days=400))


def test_a_delete_that_lags_behind_a_restore_takes_no_release_away(
    registry: RegistryStore, integrations_table: Table, space: Space
) -> None:
    # Given a delete that stopped before its releases
    made = registry.create(new(space), space, "key_1", Stamp.fresh(NOW))
    registry.publish(made.id, "1.0.0", "key_1", lambda _: [], NOW)
    registry.delete(made.id, space, None, NOW)
    deleted = registry.integration(made.id, NOW)
    registry.restore(made.id, space, NOW)
    # When it goes on after a restore
    release = integrations_table.get(release_key(made.id, "1.0.0"))
    assert release is not None
    registry._expire_unused(release, deleted)
    # Then the release stays
    assert integrations_table.get(release_key(made.id, "1.0.0")) == release


def test_a_delete_that_is_still_marking_while_a_restore_comes_takes_no_release_away(
    registry: RegistryStore, integrations_table: Table, space: Space
) -> None:
    # Given a deleted integration whose releases are not marked yet
    made = registry.create(new(space), space, "key_1", Stamp.fresh(NOW))
    registry.publish(made.id, "1.0.0", "key_1", lambda _: [], NOW)
    unmarked = integrations_table.get(release_key(made.id, "1.0.0"))
    assert unmarked is not None
    registry.delete(made.id, space, None, NOW)
    deleted = registry.integration(made.id, NOW)
    integrations_table.write(Put(unmarked))
    # When the delete marks one between the restore's look at the releases and its write
    late = Overtaken(integrations_table.name, lambda: registry._expire_unused(unmarked, deleted))
    registry_of(late).restore(made.id, space, NOW)
    # Then the release is kept all the same
    release = integrations_table.get(release_key(made.id, "1.0.0"))
    assert release is not None
    assert "expires_at" not in release


def test_a_restore_that_was_cut_off_is_finished_by_repeating_it(
    registry: RegistryStore, integrations_table: Table, space: Space
) -> None:
    made = registry.create(new(space), space, "key_1", Stamp.fresh(NOW))
    registry.publish(made.id, "1.0.0", "key_1", lambda _: [], NOW)
    registry.delete(made.id, space, None, NOW)
    marked = integrations_table.get(release_key(made.id, "1.0.0"))
    assert marked is not None
    registry.restore(made.id, space, NOW)
    integrations_table.write(Put(marked))
    registry.restore(made.id, space, NOW)
    release = integrations_table.get(release_key(made.id, "1.0.0"))
    assert release is not None
    assert "expires_at" not in release


def test_a_delete_that_is_repeated_marks_nothing_twice(
    registry: RegistryStore, space: Space
) -> None:
    made = registry.create(new(space), space, "key_1", Stamp.fresh(NOW))
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        registry.publish(made.id, version, "key_1", lambda _: [], NOW)
        registry.change(made.id, IntegrationPatch(name=version), None, NOW)
    registry.delete(made.id, space, None, NOW)
    with counted_calls() as calls:
        registry.delete(made.id, space, None, NOW)
    assert calls["TransactWriteItems"] == 0


def test_what_somebody_else_writes_in_between_is_not_lost(
    registry: RegistryStore, integrations_table: Table, space: Space
) -> None:
    # Given a writer that is overtaken between its read and its write
    made = registry.create(new(space), space, "key_1", Stamp.fresh(NOW))
    overtaken = Overtaken(
        integrations_table.name,
        lambda: registry.change(made.id, IntegrationPatch(description="theirs"), None, NOW),
    )
    # When it patches another field
    changed = registry_of(overtaken).change(made.id, IntegrationPatch(name="ours"), None, NOW)
    # Then both are there
    assert (changed.name, changed.description) == ("ours", "theirs")
    assert changed.revision == 3
    # And with If-Match it is told instead
    overtaken = Overtaken(
        integrations_table.name,
        lambda: registry.change(made.id, IntegrationPatch(description="again theirs"), None, NOW),
    )
    with pytest.raises(PreconditionFailed):
        registry_of(overtaken).change(made.id, IntegrationPatch(name="x"), etag(3), NOW)


class Overtaken(Table):
    """Somebody else writes just before its first transaction."""

    def __init__(self, name: str, other: Callable[[], object]) -> None:
        super().__init__(name)
        self._other: Callable[[], object] | None = other

    def transact(self, writes: Any, *, attempts: int = 6) -> None:
        other, self._other = self._other, None
        if other:
            other()
        super().transact(writes, attempts=attempts)


def test_a_reply_that_is_lost_after_the_write_changes_nothing(
    registry: RegistryStore, integrations_table: Table, space: Space
) -> None:
    # Given a table that applies a transaction twice, as a repeated call without its token would
    class Twice(Table):
        def transact(self, writes: Any, *, attempts: int = 6) -> None:
            super().transact(writes, attempts=attempts)
            super().transact(writes, attempts=attempts)

    made = registry_of(Twice(integrations_table.name)).create(
        new(space), space, "key_1", Stamp.fresh(NOW)
    )
    assert registry.integration(made.id, NOW) == made


class RegistryMachine(RuleBasedStateMachine):
    """Creates, patches, publishes, deletes and restores, against a plain dict."""

    table: Table
    number = 0

    def __init__(self) -> None:
        super().__init__()
        RegistryMachine.number += 1
        self.publisher = f"p{self.number}"
        self.registry = registry_of(self.table)
        self.space = a_space(self.table, f"space-{self.number}")
        self.model: dict[str, dict[str, Any]] = {}

    live = Bundle("live")
    dead = Bundle("dead")

    @rule(target=live, public=st.booleans())
    def create(self, public: bool) -> str:
        visibility = "public" if public else "private"
        draft = new(
            self.space,
            f"i{len(self.model)}",
            publisher=self.publisher,
            visibility=visibility,
        )
        made = self.registry.create(draft, self.space, "key_1", Stamp.fresh(NOW))
        self.model[made.id] = {
            "name": draft.name,
            "public": public,
            "deleted": False,
            "versions": [],
            "manifest": {},
        }
        return made.id

    @rule(which=live, name=st.sampled_from(["a", "b"]), role=st.sampled_from(["source", None]))
    def patch(self, which: str, name: str, role: str | None) -> None:
        roles = None if role is None else [role]
        patch = IntegrationPatch(name=name, manifest={"roles": roles})
        if self.model[which]["deleted"]:
            with pytest.raises(Conflict):
                self.registry.change(which, patch, None, NOW)
            return
        self.registry.change(which, patch, None, NOW)
        manifest = {} if role is None else {"roles": [role]}
        self.model[which] |= {"name": name, "manifest": manifest}

    @rule(which=live, public=st.booleans())
    def show(self, which: str, public: bool) -> None:
        if not self.model[which]["deleted"]:
            visibility = "public" if public else "private"
            patch = IntegrationPatch.model_validate({"visibility": visibility})
            self.registry.change(which, patch, None, NOW)
            self.model[which]["public"] = public

    @rule(which=live, version=st.sampled_from(["1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0"]))
    def publish(self, which: str, version: str) -> None:
        known = self.model[which]
        same = (version, known["name"], known["manifest"]) in known["versions"]
        released = {v for v, *_ in known["versions"]}
        # What must not be there, and for a line's first release: the lines above it.
        blocking = {
            "1.0.0": {"1.0.0", "1.1.0"} if "1.0.0" in released else {"1.1.0", "2.0.0"},
            "1.1.0": {"1.1.0"} if released & {"1.0.0", "1.1.0"} else {"2.0.0"},
            "2.0.0-rc.1": {"2.0.0-rc.1", "2.0.0"},
            "2.0.0": {"2.0.0"},
        }
        higher = not released & blocking[version]
        if known["deleted"] or not (same or higher):
            with pytest.raises(Conflict):
                self.registry.publish(which, version, "key_1", lambda _: [], NOW)
            return
        _, made = self.registry.publish(which, version, "key_1", lambda _: [], NOW)
        assert made is not same
        if made:
            known["versions"].append((version, known["name"], known["manifest"]))

    @rule(target=dead, which=consumes(live))
    def delete(self, which: str) -> str:
        self.registry.delete(which, self.space, None, NOW)
        self.model[which]["deleted"] = True
        return which

    @rule(target=live, which=consumes(dead))
    def restore(self, which: str) -> str:
        self.registry.restore(which, self.space, NOW)
        self.model[which]["deleted"] = False
        return which

    @invariant()
    def store_and_model_agree(self) -> None:
        for integration_id, known in self.model.items():
            stored = self.registry.integration(integration_id, NOW)
            finals = [v for v, *_ in known["versions"] if "-" not in v]
            assert stored.name == known["name"]
            assert stored.manifest == known["manifest"]
            assert (stored.deleted_at is not None) == known["deleted"]
            assert stored.current_version == max(finals, default=None)
            # These sort as text, but for the pre-release of 2.0.0.
            released = sorted((v for v, *_ in known["versions"]), key=lambda v: v.ljust(6, "~"))
            assert self.registry.versions(integration_id, NOW) == released
            for version, _, manifest in known["versions"]:
                assert self.registry.release(integration_id, version).manifest == manifest

    @invariant()
    def lists_and_catalog_show_what_they_should(self) -> None:
        listed = self.registry.integrations(
            self.space.organization_id, IntegrationQuery(limit=100), NOW
        )
        alive = [i for i, known in self.model.items() if not known["deleted"]]
        assert sorted(i.id for i in listed.items) == sorted(alive)
        shown = {
            entry.id: entry.current_version
            for entry in self.registry.catalog(
                READER, CatalogQuery(publisher=self.publisher, limit=100), NOW
            ).items
            if entry.publisher == self.publisher
        }
        expected = {
            i: max(v for v, *_ in self.model[i]["versions"] if "-" not in v)
            for i in alive
            if self.model[i]["public"] and any("-" not in v for v, *_ in self.model[i]["versions"])
        }
        assert shown == expected


def test_the_registry_does_what_a_plain_dict_would(integrations_table: Table) -> None:
    RegistryMachine.table = integrations_table
    run_state_machine_as_test(
        RegistryMachine,
        settings=settings(
            max_examples=15,
            stateful_step_count=10,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
