"""Idempotency-Key: a create that is sent again creates one thing, whatever happened before."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from patchbay.deployment import Deployment
from patchbay.platform import aws
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import Conflict, InvalidInput, TemporarilyUnavailable
from patchbay.platform.idempotency import (
    BUSY_FOR,
    LIFETIME,
    Idempotency,
    IdempotentRequest,
    KeptAnswer,
)
from patchbay.platform.ids import Stamp
from patchbay.tenancy.access import Permission
from patchbay.tenancy.model import NewApiKey, NewOrganization, NewSpace
from tests.integration.conftest import Tenant

REQUEST = IdempotentRequest("org_1", "Bearer pb_x", "POST /v1/organizations", "k1", b"{}")


class Work:
    """Counts how often it is done."""

    def __init__(self) -> None:
        self.stamps: list[Stamp] = []
        self.error: BaseException | None = None

    def __call__(self, stamp: Stamp) -> KeptAnswer:
        self.stamps.append(stamp)
        if self.error:
            raise self.error
        return KeptAnswer(201, {"ETag": '"1"'}, f'{{"id":"{stamp.id("org")}"}}')


@pytest.fixture
def idempotency(integrations_table: Table) -> Idempotency:
    return Idempotency(integrations_table)


def test_a_repetition_gets_the_first_answer_and_the_work_is_done_once(
    idempotency: Idempotency,
) -> None:
    work, now = Work(), utc_now()
    first = idempotency.once(REQUEST, now, work)
    again = idempotency.once(REQUEST, now + timedelta(hours=23), work)
    assert again == first
    assert len(work.stamps) == 1


def test_after_a_day_the_key_is_fresh(idempotency: Idempotency) -> None:
    work, now = Work(), utc_now()
    first = idempotency.once(REQUEST, now, work)
    assert idempotency.once(REQUEST, now + LIFETIME, work) != first


def test_another_body_is_refused_and_another_caller_is_another_request(
    idempotency: Idempotency,
) -> None:
    work, now = Work(), utc_now()
    idempotency.once(REQUEST, now, work)
    other_body = IdempotentRequest("org_1", "Bearer pb_x", REQUEST.route, "k1", b'{"a":1}')
    with pytest.raises(Conflict) as refused:
        idempotency.once(other_body, now, work)
    assert refused.value.code == "IDEMPOTENCY_CONFLICT"
    for other in (
        IdempotentRequest("org_1", "Bearer pb_y", REQUEST.route, "k1", b"{}"),
        IdempotentRequest("org_2", "Bearer pb_x", REQUEST.route, "k1", b"{}"),
        IdempotentRequest("org_1", "Bearer pb_x", "POST /v1/integrations", "k1", b"{}"),
        IdempotentRequest("org_1", "Bearer pb_x", REQUEST.route, "k2", b"{}"),
    ):
        idempotency.once(other, now, work)
    assert len(work.stamps) == 5


def test_while_the_first_is_at_work_a_second_has_to_wait(idempotency: Idempotency) -> None:
    now = utc_now()

    def work(stamp: Stamp) -> KeptAnswer:
        with pytest.raises(Conflict) as refused:
            idempotency.once(REQUEST, now, Work())
        assert refused.value.retry_after_seconds == 1
        return KeptAnswer(201, {}, "{}")

    idempotency.once(REQUEST, now, work)


def test_after_a_crash_the_work_is_taken_over_with_the_same_stamp(
    idempotency: Idempotency,
) -> None:
    # Given a request that crashed
    work, now = Work(), utc_now()
    work.error = SystemExit("the process is gone")
    with pytest.raises(SystemExit):
        idempotency.once(REQUEST, now, work)
    # Then for half a minute it might still be running
    with pytest.raises(Conflict):
        idempotency.once(REQUEST, now + BUSY_FOR - timedelta(seconds=1), work)
    # And then a repetition does the same work, with the same ids
    work.error = None
    later = now + BUSY_FOR + timedelta(seconds=1)
    answer = idempotency.once(REQUEST, later, work)
    assert work.stamps[1] == work.stamps[0]
    assert idempotency.once(REQUEST, later, work) == answer
    assert len(work.stamps) == 2


def test_a_fault_of_ours_may_be_repeated_at_once_with_the_same_stamp(
    idempotency: Idempotency,
) -> None:
    work, now = Work(), utc_now()
    work.error = TemporarilyUnavailable()
    with pytest.raises(TemporarilyUnavailable):
        idempotency.once(REQUEST, now, work)
    work.error = None
    idempotency.once(REQUEST, now, work)
    assert work.stamps[0] == work.stamps[1]


def test_an_unexpected_error_frees_the_key_at_once(idempotency: Idempotency) -> None:
    work, now = Work(), utc_now()
    work.error = KeyError("surprise")
    with pytest.raises(KeyError):
        idempotency.once(REQUEST, now, work)
    work.error = None
    assert idempotency.once(REQUEST, now, work).status == 201
    assert work.stamps[0] == work.stamps[1]


def test_an_answer_that_can_not_be_kept_is_returned(
    idempotency: Idempotency, integrations_table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a store that fails once the work is done
    work, now, write = Work(), utc_now(), Table.write

    def fails(table: Table, one: Any) -> None:
        if work.stamps and "sealed" in getattr(one, "values", {}):
            raise TemporarilyUnavailable
        write(table, one)

    monkeypatch.setattr(Table, "write", fails)
    # Then the answer is returned, and a repetition does the same work again, with the same ids
    first = idempotency.once(REQUEST, now, work)
    assert idempotency.once(REQUEST, now, work) == first
    assert work.stamps[0] == work.stamps[1]


def test_no_guess_of_a_body_can_be_checked_against_the_table(
    idempotency: Idempotency, integrations_table: Table
) -> None:
    secret = REQUEST._replace(body=b'{"api_key": "1234"}')
    idempotency.once(secret, utc_now(), Work())
    [item] = integrations_table.query(secret.record_key().pk).items
    assert item["body"] != hashlib.sha256(secret.body).digest()
    assert item["body"] != secret._replace(credential="pb_other").body_mark()


def test_a_large_answer_full_of_quotes_fits_into_a_record(idempotency: Idempotency) -> None:
    text = '"' + '\\"' * 130_000 + '"'
    kept = idempotency.once(REQUEST, utc_now(), lambda _: KeptAnswer(201, {}, text))
    assert idempotency.once(REQUEST, utc_now(), Work()) == kept


def test_a_dry_run_and_the_real_thing_are_two_requests(tenant: Tenant) -> None:
    draft = {"workspaceId": tenant.space_id, "publisher": "acme", "slug": "crm", "name": "CRM"}
    made = tenant.client.post("/v1/integrations", draft).json
    path = f"/v1/integrations/{made['id']}/publish"
    dry = tenant.client.post(f"{path}?dry_run=true", {"version": "1.0.0"}, idempotency_key="k")
    real = tenant.client.post(path, {"version": "1.0.0"}, idempotency_key="k")
    assert (dry.status, real.status) == (200, 201)
    assert real.json["currentVersion"] == "1.0.0"


def test_a_refused_request_does_not_hold_its_key(idempotency: Idempotency) -> None:
    work, now = Work(), utc_now()
    work.error = InvalidInput.at("/name", "is required")
    with pytest.raises(InvalidInput):
        idempotency.once(REQUEST, now, work)
    work.error = None
    corrected = IdempotentRequest("org_1", "Bearer pb_x", REQUEST.route, "k1", b'{"name":"x"}')
    assert idempotency.once(corrected, now, work).status == 201


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256, "a\n"])
def test_a_key_that_is_none_is_refused(idempotency: Idempotency, key: str) -> None:
    wrong = IdempotentRequest("org_1", "Bearer pb_x", REQUEST.route, key, b"{}")
    with pytest.raises(InvalidInput) as refused:
        idempotency.once(wrong, utc_now(), Work())
    assert refused.value.problems[0].pointer == "/headers/Idempotency-Key"


def test_an_api_key_that_is_asked_for_twice_is_the_same_key_and_not_in_the_table(
    tenant: Tenant, deployed: dict[str, Table]
) -> None:
    # Given a key issued under an Idempotency-Key
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    body = {"name": "ci", "permissions": ["platform.integration.read"]}
    first = tenant.client.post(keys, body, idempotency_key="once")
    again = tenant.client.post(keys, body, idempotency_key="once")
    # Then the repetition returns the same secret, and says that it is a repetition
    assert again.json == first.json
    assert (first.status, again.status) == (201, 201)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(tenant.client.get(keys).json["items"]) == 2
    # And the secret is not in the table
    table = deployed["IntegrationsTable"]
    items = repr(aws.client("dynamodb").scan(TableName=table.name)["Items"])
    assert "'sealed'" in items
    assert first.json["key"] not in items
    assert first.json["key"].split("_", 2)[2] not in items


def test_a_repeated_create_of_everything_makes_one(tenant: Tenant) -> None:
    def twice(path: str, body: dict[str, Any]) -> dict[str, Any]:
        first = tenant.client.post(path, body, idempotency_key=f"k-{path[-9:]}")
        again = tenant.client.post(path, body, idempotency_key=f"k-{path[-9:]}")
        assert first.status == 201, first.text
        assert (again.status, again.text) == (first.status, first.text)
        assert again.headers.get("etag") == first.headers.get("etag")
        created: dict[str, Any] = first.json
        return created

    organization = f"/v1/organizations/{tenant.organization_id}"
    twice(f"{organization}/spaces", {"slug": "billing", "name": "Billing"})
    integration = twice(
        "/v1/integrations",
        {"workspaceId": tenant.space_id, "publisher": "acme", "slug": "crm", "name": "CRM"},
    )
    twice(f"/v1/integrations/{integration['id']}/publish", {"version": "1.0.0"})
    source = twice(f"{tenant.connectors}/sources", {"name": "s", "integration": "acme/crm"})
    twice(
        f"{tenant.connectors}/connections",
        {"name": "c", "source_id": source["id"], "space": "billing"},
    )
    for path, count in (
        (f"{organization}/spaces", 2),
        ("/v1/integrations", 1),
        (f"{tenant.connectors}/sources", 1),
        (f"{tenant.connectors}/connections", 1),
    ):
        assert len(tenant.client.get(path).json["items"]) == count


def test_a_half_finished_create_is_found_and_not_doubled(tenant: Tenant) -> None:
    # Given creates that were done, and whose answers were lost
    here, stamp = Deployment(), Stamp.fresh(utc_now())
    store, keys = here.tenants, here.api_keys
    organization = store.create_organization(NewOrganization(name="Initech"), stamp)
    space = store.create_space(organization.id, NewSpace(slug="ini", name="Ini"), stamp)
    new = NewApiKey(name="k", permissions=[Permission.READ])
    lost = keys.issue(organization.id, new, "test", stamp)
    # When they are done again with the same stamp
    assert store.create_organization(NewOrganization(name="Initech"), stamp) == organization
    again = store.create_space(organization.id, NewSpace(slug="ini", name="Ini"), stamp)
    assert again == space
    found = keys.issue(organization.id, new, "test", stamp)
    # Then there is one of each, and the key whose secret was lost does not work
    assert found.id == lost.id
    assert keys.holder(found.key, utc_now()) is not None
    assert keys.holder(lost.key, utc_now()) is None


def test_the_same_request_in_another_spelling_gets_the_first_answer(tenant: Tenant) -> None:
    path = f"/spaces/{tenant.space_slug}/integration-events"
    spellings = [
        '{"events":[{"integration_type":"webhook","status":"SUCCESS","duration_ms":1}]}',
        '{"events":[{"duration_ms":1,"status":"SUCCESS","integration_type":"webhook"}]}',
        '{ "events": [{"integration_type": "webhook", "status": "SUCCESS", "duration_ms": 1.0}]}',
        '{"events":[{"integration_type":"webhook","status":"\\u0053UCCESS","duration_ms":1e0}]}',
    ]
    answers = [
        tenant.client.call("POST", path, text, {"idempotency_key": "k"}) for text in spellings
    ]
    assert [answer.status for answer in answers] == [200] * len(spellings), answers[-1].text
    assert [answer.headers.get("idempotent-replayed") for answer in answers[1:]] == ["true"] * 3
    other = spellings[0].replace("1}", "2}")
    answer = tenant.client.call("POST", path, other, {"idempotency_key": "k"})
    assert answer.code == "IDEMPOTENCY_CONFLICT"
