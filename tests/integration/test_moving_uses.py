"""A store of an earlier version, in which each release counts its endpoints by itself: what is done
with it moves the counts to shards, without a stop."""

import pytest

from patchbay.platform.dynamodb import Delete, Item, Key, Table, Update
from patchbay.registry.release_uses import HELD, PERMITS, USES, uses_of_integration
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.story import create_source, publish_integration
from tests.integration.test_background_faults import Death
from tests.integration.test_connection_edits import release

BOTH = ["source", "destination"]


class EarlierStore:
    """The releases of one integration, with two sources of the first one."""

    def __init__(self, tenant: Tenant) -> None:
        self.table = Table("IntegrationsTable")
        self.tenant = tenant
        self.integration = publish_integration(tenant, manifest={"roles": BOTH})
        self.id: str = self.integration["id"]
        self.pk = f"INT#{self.id}"
        self.sources = [create_source(tenant), create_source(tenant)]
        release(tenant, "2.0.0", roles=BOTH)
        self.be_earlier()

    def be_earlier(self) -> None:
        """Gives the store the old form."""
        for item in [*self.items(PERMITS), *self.items(USES)]:
            self.table.write(Delete(Key(item["pk"], item["sk"])))
        first, _ = (Key(item["pk"], item["sk"]) for item in self.items("REL#"))
        self.table.write(Update(first, {"uses": self.endpoints()}, remove=["apart"]))

    def endpoints(self) -> int:
        return self.table.count(f"ORG#{self.tenant.organization_id}", "SRC#")

    def items(self, prefix: str) -> list[Item]:
        return self.table.query(self.pk, prefix=prefix).items

    def counted(self) -> list[int]:
        """By the items of the releases alone."""
        return [item["uses"] for item in self.items("REL#")]

    def drop(self, number: int) -> None:
        path = f"{self.tenant.connectors}/sources/{self.sources[number]['id']}"
        assert self.tenant.client.delete(path).status == 204

    def upgrade(self, number: int) -> Answer:
        path = f"{self.tenant.connectors}/sources/{self.sources[number]['id']}"
        return self.tenant.client.patch(path, {"version": "2.0.0"})

    def delete(self) -> None:
        assert self.tenant.client.delete(f"/v1/integrations/{self.id}").status == 204


@pytest.fixture
def store(tenant: Tenant) -> EarlierStore:
    return EarlierStore(tenant)


def test_what_ends_is_counted_where_it_began(store: EarlierStore) -> None:
    store.drop(0)
    assert store.counted() == [1, 0]
    assert store.items(USES) == []


def test_what_begins_moves_its_release_to_shards_and_loses_no_count(store: EarlierStore) -> None:
    create_source(store.tenant, version="1.0.0")
    assert store.counted() == [HELD + 2, 0]
    assert uses_of_integration(store.table, store.id) == 3
    store.drop(0)
    store.drop(1)
    assert uses_of_integration(store.table, store.id) == 1


def test_an_upgrade_ends_in_the_old_form_and_begins_in_the_new_one(store: EarlierStore) -> None:
    assert store.upgrade(0).status == 200
    assert store.counted() == [1, HELD]
    assert uses_of_integration(store.table, store.id) == 2


def test_a_deleted_integration_lets_each_release_go_with_its_last_source(
    store: EarlierStore,
) -> None:
    """In both forms: the first release counts by itself, the second is counted apart."""
    store.upgrade(1)
    store.delete()
    store.drop(0)
    assert ["expires_at" in item for item in store.items("REL#")] == [True, False]
    store.drop(1)
    assert ["expires_at" in item for item in store.items("REL#")] == [True, True]
    assert store.counted() == [0, 0]
    assert store.items(USES) == store.items(PERMITS) == []


def test_what_is_yanked_or_deleted_opens_nothing(store: EarlierStore) -> None:
    body = {"name": "s", "integration": "acme/crm", "variables": {"path": "me"}}
    path = f"/v1/integrations/{store.id}/versions/2.0.0"
    assert store.tenant.client.patch(path, {"yanked": "broken"}).status == 200
    refused = store.tenant.client.post(
        f"{store.tenant.connectors}/sources", {**body, "version": "2.0.0"}
    )
    assert refused.status == 400
    store.delete()
    assert store.tenant.client.post(f"{store.tenant.connectors}/sources", body).status == 400
    assert store.items(USES) == store.items(PERMITS) == []


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_a_process_that_ends_at_any_call_leaves_exact_counts(
    store: EarlierStore, *, applied: bool
) -> None:
    """The first creation in a store of the old form ends one call later each time."""
    tenant, path = store.tenant, f"{store.tenant.connectors}/sources"
    body = {"name": "s", "integration": "acme/crm", "version": "1.0.0", "variables": {"path": "me"}}
    number, ended = 0, True
    while ended:
        number += 1
        store.be_earlier()
        death = Death(number, applied=applied)
        with death.awaited():
            tenant.client.post(path, body)
        ended = death.came
        assert uses_of_integration(store.table, store.id) == store.endpoints()
        # What is left is good for the next creation
        create_source(tenant, version="1.0.0")
        assert uses_of_integration(store.table, store.id) == store.endpoints()
    assert number > 8
