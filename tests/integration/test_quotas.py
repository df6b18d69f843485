"""The counts of what organizations have, under concurrency, lost replies, and late beginnings."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchbay.connections.health_state import AutoDisable, HealthObservation
from patchbay.connections.health_status import HealthStatus, RequiredAction
from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Delete,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
)
from patchbay.platform.errors import QuotaExceeded
from patchbay.quota_operator import ALL
from patchbay.tenancy.keys import quotas_key
from patchbay.tenancy.quotas import NAMES, Count, Quota, Quotas
from tests.integration.alerting import RATE
from tests.integration.api import ENVIRONMENTS, ROOT
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant, new_tenant
from tests.integration.faults import lost_replies
from tests.integration.story import SECRET, operation_input, publish_integration

ORGANIZATION = "org_01K0Z3NDEKTSV4RRFFQ69G5FAV"
THINGS = Quota("things", lambda table, owner: table.count(f"ORG#{owner}", "THING#"))


def thing(number: int) -> Key:
    return Key(f"ORG#{ORGANIZATION}", f"THING#{number}")


def create(quotas: Quotas, number: int) -> bool:
    """Whether there was room for it."""
    put = Put({**thing(number)._asdict()}, ABSENT)
    try:
        quotas.transact([put, Count(ORGANIZATION, THINGS, +1)])
    except QuotaExceeded:
        return False
    return True


def delete(quotas: Quotas, number: int) -> None:
    quotas.transact([Delete(thing(number), PRESENT), Count(ORGANIZATION, THINGS, -1)])


def limited(table: Table, limit: int) -> Quotas:
    return Quotas(table, lambda _: limit)


def used(table: Table) -> int | None:
    return limited(table, 0).use(ORGANIZATION, THINGS).used


def test_every_kind_has_a_parameter_a_setting_and_a_first_count(
    template: dict[str, Any], tenant: Tenant, integrations_table: Table
) -> None:
    assert set(ALL) == set(NAMES)
    names = {f"Max{name.title().replace('_', '')}" for name in NAMES}
    assert {name for name in template["Parameters"] if name.startswith("Max")} == names
    page = (ROOT / "docs" / "operations.md").read_text()
    for name in NAMES:
        parameter = f"Max{name.title().replace('_', '')}"
        default = template["Parameters"][parameter]["Default"]
        assert f"| `{name}` | `{parameter}` | {default:,} |" in page
    assert all(Deployment().settings.most(name) > 0 for name in NAMES)
    assert set(NAMES) <= set(integrations_table.get(quotas_key(tenant.organization_id)) or {})


@pytest.mark.parametrize("begun", [True, False], ids=["new", "from before the quota"])
def test_of_many_at_once_exactly_as_many_are_created_as_there_is_room_for(
    integrations_table: Table, begun: bool
) -> None:
    quotas = limited(integrations_table, 5)
    if begun:
        integrations_table.write(Put({**quotas_key(ORGANIZATION)._asdict(), "things": 0}))
    else:
        integrations_table.write(Put({**thing(99)._asdict()}))
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda number: create(quotas, number), range(8)))
    assert sum(created) == (5 if begun else 4)
    assert used(integrations_table) == 5
    assert THINGS.count(integrations_table, ORGANIZATION) == 5


def test_creates_and_deletes_at_once_leave_the_count_of_what_there_is(
    integrations_table: Table,
) -> None:
    quotas = limited(integrations_table, 100)
    for number in range(10):
        assert create(quotas, number)

    def one(number: int) -> None:
        if number < 5:
            delete(quotas, number)
        else:
            create(quotas, number + 100)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(12)))
    assert used(integrations_table) == THINGS.count(integrations_table, ORGANIZATION) == 12


def test_a_lost_reply_counts_once(integrations_table: Table) -> None:
    quotas = limited(integrations_table, 100)
    assert create(quotas, 1)
    # The emulator does not know the token by which DynamoDB recognizes a repetition
    with lost_replies("TransactWriteItems"), suppress(TransactionRefused):
        create(quotas, 2)
    with lost_replies("TransactWriteItems"), suppress(TransactionRefused):
        delete(quotas, 1)
    assert used(integrations_table) == 1


def test_what_is_refused_for_another_reason_is_not_counted(integrations_table: Table) -> None:
    quotas = limited(integrations_table, 1)
    assert create(quotas, 1)
    # A create that is repeated finds its own thing, even if the quota is used up
    with pytest.raises(TransactionRefused):
        create(quotas, 1)
    assert used(integrations_table) == 1


def test_the_positions_of_a_refusal_are_those_of_the_writes(integrations_table: Table) -> None:
    with pytest.raises(TransactionRefused) as refused:
        limited(integrations_table, 9).transact(
            [
                Put({**thing(1)._asdict()}, ABSENT),
                Count(ORGANIZATION, THINGS, +1),
                Delete(thing(2), PRESENT),
            ]
        )
    assert refused.value.failed == {2: None}


def test_an_error_names_the_quota_the_limit_and_the_use(integrations_table: Table) -> None:
    quotas = limited(integrations_table, 2)
    with pytest.raises(QuotaExceeded) as exceeded:
        quotas.transact([Count(ORGANIZATION, THINGS, +3)])
    assert (exceeded.value.status, exceeded.value.code) == (409, "QUOTA_EXCEEDED")
    assert exceeded.value.details == {"quota": "things", "limit": 2, "used": 0}


def test_the_operator_can_give_an_organization_a_limit_of_its_own(
    integrations_table: Table,
) -> None:
    quotas = limited(integrations_table, 1)
    assert create(quotas, 1)
    assert not create(quotas, 2)
    quotas.set_limit(ORGANIZATION, THINGS, 3)
    assert [create(quotas, number) for number in (2, 3, 4)] == [True, True, False]
    # A limit below the use refuses creates and takes nothing away
    quotas.set_limit(ORGANIZATION, THINGS, 1)
    delete(quotas, 3)
    assert not create(quotas, 3)
    quotas.set_limit(ORGANIZATION, THINGS, None)
    assert not create(quotas, 3)
    delete(quotas, 2)
    delete(quotas, 1)
    assert create(quotas, 1)


class Meanwhile(Table):
    """Does something once, between the query and the write of a recount."""

    def __init__(self, name: str, act: Callable[[], None]) -> None:
        super().__init__(name)
        self._act: Callable[[], None] | None = act

    def count(self, pk: str, prefix: str = "", *, index: str | None = None) -> int:
        found = super().count(pk, prefix, index=index)
        act, self._act = self._act, None
        if act:
            act()
        return found


def test_a_recount_is_exact_although_things_are_created_and_deleted_meanwhile(
    integrations_table: Table,
) -> None:
    quotas = limited(integrations_table, 100)
    create(quotas, 1)
    create(quotas, 2)
    # Given a count that someone has broken by hand
    integrations_table.write(Update(quotas_key(ORGANIZATION), values={"things": 70}))

    def swap() -> None:
        create(quotas, 3)
        delete(quotas, 1)
        delete(quotas, 2)

    late = limited(Meanwhile(integrations_table.name, swap), 100)
    assert late.recount(ORGANIZATION, THINGS) == 1
    assert used(integrations_table) == 1


def test_a_count_by_an_index_waits_until_the_index_has_what_was_created(
    integrations_table: Table,
) -> None:
    # Given an index that has things some time after the table
    indexed: list[int] = []
    things = Quota("things", lambda *_: len(indexed), behind_seconds=2.0)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            create(limited(integrations_table, 100), 2)
        else:
            indexed.extend([1, 2])

    create(limited(integrations_table, 100), 1)
    # When one more is created while a recount waits
    assert Quotas(integrations_table, lambda _: 100, wait).recount(ORGANIZATION, things) == 2
    # Then the recount has begun again: nothing changed during its last wait
    assert waits == [2.0, 2.0]
    assert used(integrations_table) == 2


def test_what_is_deleted_while_the_first_count_is_made_is_not_counted(
    integrations_table: Table,
) -> None:
    # Given an organization from before the quota
    for number in range(3):
        integrations_table.write(Put({**thing(number)._asdict()}))
    other = limited(integrations_table, 100)
    late = limited(Meanwhile(integrations_table.name, lambda: delete(other, 0)), 100)
    assert create(late, 7)
    assert used(integrations_table) == 3


def test_deleting_needs_no_count(integrations_table: Table) -> None:
    integrations_table.write(Put({**thing(1)._asdict()}))
    delete(limited(integrations_table, 0), 1)
    assert used(integrations_table) is None


def test_a_tenant_can_read_its_quotas(
    tenant: Tenant, stranger: Tenant, operator: Tenant, integrations_table: Table
) -> None:
    path = f"/v1/organizations/{tenant.organization_id}/quotas"

    def told() -> dict[str, tuple[int, int | None]]:
        answer = tenant.client.get(path)
        assert (answer.status, answer.json["next_cursor"]) == (200, None), answer.text
        return {one["name"]: (one["limit"], one["used"]) for one in answer.json["items"]}

    most = Deployment(ENVIRONMENTS["tenancy"]).settings.most
    before = told()
    assert before == {name: (most(name), before[name][1]) for name in NAMES}
    # What is created and deleted counts at once
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    slug = f"{tenant.space_slug}-more"
    assert tenant.client.post(spaces, {"slug": slug, "name": "More"}).status == 201
    assert told()["spaces"] == (most("spaces"), 2)
    assert tenant.client.delete(f"/spaces/{slug}").status == 204
    assert told() == before
    # A limit of its own goes before the deployment's, and what was never counted is null
    quotas = limited(integrations_table, 0)
    quotas.set_limit(tenant.organization_id, ALL["spaces"], 7)
    key = quotas_key(tenant.organization_id)
    integrations_table.write(Update(key, remove=["releases"]))
    assert told()["spaces"] == (7, 1)
    assert told()["releases"] == (most("releases"), None)
    # It is nobody else's to read, but the operator's
    assert stranger.client.get(path).code == "ORGANIZATION_NOT_FOUND"
    assert operator.client.get(path).json == tenant.client.get(path).json
    nobody = f"/v1/organizations/{ORGANIZATION}/quotas"
    assert operator.client.get(nobody).code == "ORGANIZATION_NOT_FOUND"


def counts_of(table: Table, organization_id: str) -> dict[str, int | None]:
    quotas = limited(table, 0)
    return {quota.name: quotas.use(organization_id, quota).used for quota in ALL.values()}


def recounted(table: Table, organization_id: str) -> dict[str, int]:
    return {quota.name: quota.count(table, organization_id) for quota in ALL.values()}


class World:
    """A tenant that does what tenants do; a step that is refused changes nothing."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant, self.client, self.number = tenant, tenant.client, 0
        self.owner = f"/v1/organizations/{tenant.organization_id}"
        keys = f"{self.owner}/api-keys"
        self.steps: dict[str, Callable[[], object]] = {
            "a space": lambda: self.post(f"{self.owner}/spaces", slug=self.name(), name="Space"),
            "no space": lambda: self.delete("/spaces/{slug}", f"{self.owner}/spaces"),
            "a key": lambda: self.post(keys, name="k", permissions=["platform.integration.read"]),
            "no key": lambda: self.delete(
                f"{self.owner}/api-keys/{{id}}", f"{self.owner}/api-keys"
            ),
            "a draft": lambda: self.post(
                "/v1/integrations",
                workspaceId=tenant.space_id,
                publisher=self.publisher,
                slug=self.name(),
                name="Draft",
            ),
            "a release": lambda: self.of_integration("publish", version=f"{self.next()}.0.0"),
            "delete it": lambda: self.delete("/v1/integrations/{id}", "/v1/integrations"),
            "restore it": lambda: self.of_integration("restore"),
            "a source": lambda: self.endpoint("sources"),
            "a destination": lambda: self.endpoint("destinations"),
            "no source": lambda: self.delete_of("sources"),
            "a connection": lambda: self.connection(),
            "a monitored one": lambda: self.connection(monitor={"enabled": True}),
            "monitor": lambda: self.change(monitor={"enabled": True}),
            "pause": lambda: self.change(status="paused"),
            "resume": lambda: self.change(status="active"),
            "no connection": lambda: self.delete_of("connections"),
            "an operation": lambda: self.post(
                "/integrations/connection/create/v1.0.0",
                **operation_input(tenant, integrationKey=f"{self.publisher}.{self.slug}"),
            ),
            "another status": lambda: self.operate("update", status="disconnected"),
            "undo it": lambda: self.operate("delete"),
            "a rule": lambda: self.post(self.rules, name="Rule", condition=RATE, channels=[BUS]),
            "two channels": lambda: self.change_rule(channels=[BUS, BUS]),
            "no rule": lambda: self.delete(f"{self.rules}/{{id}}", self.rules),
            "a monitor disables it": self.disable,
        }
        self.rules = f"/spaces/{tenant.space_slug}/alert-rules"
        self.publisher = tenant.space_slug
        self.integration = publish_integration(
            tenant, publisher=self.publisher, manifest={"roles": ["source", "destination"]}
        )
        self.slug = self.integration["slug"]

    def next(self) -> int:
        self.number += 1
        return self.number + 1

    def name(self) -> str:
        return f"n{self.next()}"

    def post(self, path: str, **body: Any) -> None:
        assert self.client.post(path, body).status < 500

    def items(self, path: str) -> list[dict[str, Any]]:
        """None if an earlier step has deleted the space that they were in."""
        items: list[dict[str, Any]] = self.client.get(path).json.get("items", [])
        return items

    def delete(self, path: str, listed: str) -> None:
        for item in self.items(listed)[-1:]:
            assert self.client.delete(path.format(**item)).status < 500

    def delete_of(self, kind: str) -> None:
        path = f"{self.tenant.connectors}/{kind}"
        self.delete(f"{path}/{{id}}", path)

    def of_integration(self, what: str, **body: Any) -> None:
        path = f"/v1/integrations/{self.integration['id']}/{what}"
        if body:
            self.post(path, **body)
        else:
            assert self.client.call("POST", path, None).status < 500

    def endpoint(self, kind: str) -> None:
        body = {
            "name": "x",
            "integration": f"{self.publisher}/{self.slug}",
            "variables": {"path": "me"},
        }
        self.post(f"{self.tenant.connectors}/{kind}", **body, secrets={"api_key": SECRET})

    def connection(self, **changes: Any) -> None:
        for source in self.items(f"{self.tenant.connectors}/sources")[:1]:
            body = {"name": "x", "source_id": source["id"], "space": self.tenant.space_slug}
            self.post(f"{self.tenant.connectors}/connections", **body, **changes)

    def change(self, **changes: Any) -> None:
        path = f"{self.tenant.connectors}/connections"
        for item in self.items(path):
            assert self.client.patch(f"{path}/{item['id']}", changes).status < 500

    def operate(self, what: str, **changes: Any) -> None:
        for item in self.items(f"{self.tenant.connectors}/connections")[-1:]:
            path = f"/integrations/connection/{what}/v1.0.0"
            self.post(path, connectionId=item["id"], **changes)

    def change_rule(self, **changes: Any) -> None:
        for item in self.items(self.rules)[-1:]:
            assert self.client.patch(f"{self.rules}/{item['id']}", changes).status < 500

    def disable(self) -> None:
        """The last connection fails until its monitor gives it up."""
        deployment, owner = Deployment(), self.tenant.organization_id
        for item in self.items(f"{self.tenant.connectors}/connections")[-1:]:
            for _ in range(5):
                connection = deployment.connections.get(owner, item["id"])
                at = (connection.health.checked_at or utc_now()) + timedelta(days=1)
                seen = HealthObservation(at, HealthStatus.ERROR, latency_ms=1)
                deployment.health_recorder.record(
                    connection, seen, RequiredAction.NONE, AutoDisable(failures=1, days=1)
                )


BUS = {"kind": "eventbridge"}
STEPS = (
    ["a source", "a monitored one", "a monitor disables it", "resume", "an operation", "undo it"],
    ["a source", "a connection", "monitor", "pause", "resume", "another status", "no connection"],
    ["a rule", "two channels", "a rule", "no rule", "a key", "a key", "no key", "a space"],
    ["a space", "a space", "no space", "a draft", "a release", "a release", "a source"],
    ["delete it", "restore it", "a release", "a source", "delete it", "delete it", "restore it"],
    ["an operation", "an operation", "monitor", "no connection", "a destination", "no source"],
)


def test_every_step_of_the_world_is_taken_somewhere(tenant: Tenant) -> None:
    assert {step for steps in STEPS for step in steps} == set(World(tenant).steps)


@given(stories=st.permutations(STEPS), swaps=st.lists(st.integers(0, 40), max_size=4))
@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_counts_are_what_there_is_after_any_changes(
    deployed: object, integrations_table: Table, stories: list[list[str]], swaps: list[int]
) -> None:
    name = f"acme-{uuid.uuid4().hex[:8]}"
    tenant = new_tenant(name, TENANT_PERMISSIONS)
    world = World(tenant)
    steps = [step for story in stories for step in story]
    for place in swaps:
        steps.insert(0, steps.pop(place))
    for step in steps:
        world.steps[step]()
    owner = tenant.organization_id
    kept = counts_of(integrations_table, owner)
    assert kept == recounted(integrations_table, owner), steps
    quotas = Quotas(integrations_table, lambda _: None, wait=lambda _: None)
    assert all(quotas.recount(owner, quota) == kept[quota.name] for quota in ALL.values())
