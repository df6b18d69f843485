"""The vault on moto's KMS: rotation, re-sealing, deletion, and tampering."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

import connections
from patchbay.checks.roles import Role
from patchbay.connections.data_keys import MAX_KEYS, KeyRing
from patchbay.connections.key_service import KeyService
from patchbay.connections.keys import current_key, data_key_key, secret_key
from patchbay.connections.operator import main
from patchbay.connections.vault import SecretScope, Vault
from patchbay.deployment import Deployment
from patchbay.platform.aws import call
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Delete, Item, Key, Put, Table
from patchbay.platform.errors import InternalError, SecretsLost
from patchbay.platform.ids import Stamp
from patchbay.platform.lists import ListQuery
from tests.integration.api import start_cold
from tests.integration.conftest import Tenant
from tests.integration.story import SECRET, create_source, publish_integration

PATH = "/v1/organizations"


@pytest.fixture
def table(deployed: dict[str, Table]) -> Table:
    return deployed["IntegrationsTable"]


@pytest.fixture
def source(tenant: Tenant) -> dict[str, Any]:
    """A source with a sealed secret, of a public integration."""
    publish_integration(tenant, visibility="public")
    return create_source(tenant)


def vault() -> Vault:
    """The vault of a new process, without keys in memory."""
    return Deployment().vault


def scope_of(tenant: Tenant, source: dict[str, Any]) -> SecretScope:
    stored = connections.deployment.endpoints.get(tenant.organization_id, Role.SOURCE, source["id"])
    return SecretScope.of(stored, stored.binding)


def opened(tenant: Tenant, source: dict[str, Any]) -> dict[str, str]:
    return vault().open(scope_of(tenant, source), utc_now())


def keys_path(tenant: Tenant) -> str:
    return f"{PATH}/{tenant.organization_id}/data-keys"


def rotate(tenant: Tenant, **headers: str) -> dict[str, Any]:
    answer = tenant.client.call("POST", keys_path(tenant), None, headers)
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def numbers(tenant: Tenant) -> tuple[int, list[int]]:
    listed = tenant.client.get(keys_path(tenant)).json
    assert [k["number"] for k in listed["keys"] if k["current"]] in ([], [listed["current"]])
    return listed["current"], [key["number"] for key in listed["keys"]]


def reseal(tenant: Tenant, limit: int = 25) -> tuple[int, list[str]]:
    """All pages."""
    path, cursor = f"{keys_path(tenant)}/reseal?limit={limit}", ""
    resealed, unreadable = 0, []
    while True:
        page = tenant.client.call("POST", path + cursor, None).json
        resealed += page["resealed"]
        unreadable += page["unreadable"]
        if page["next_cursor"] is None:
            return resealed, unreadable
        cursor = f"&cursor={page['next_cursor']}"


def sealed_item(table: Table, tenant: Tenant, source: dict[str, Any]) -> Item:
    item = table.get(secret_key(tenant.organization_id, source["id"]))
    assert item is not None
    return item


def delete_all(caller: Tenant, owner: Tenant, through: int, confirm: str | None = None) -> Any:
    confirmed = confirm or owner.organization_id
    return caller.client.delete(f"{keys_path(owner)}?through={through}&confirm={confirmed}")


def test_the_first_key_is_created_with_the_first_secret(tenant: Tenant) -> None:
    publish_integration(tenant)
    assert numbers(tenant) == (1, [])
    create_source(tenant, secrets={})
    assert numbers(tenant) == (1, [])
    create_source(tenant)
    assert numbers(tenant) == (1, [1])


def test_after_a_rotation_old_secrets_open_and_new_ones_are_sealed_under_the_new_key(
    tenant: Tenant, source: dict[str, Any], table: Table
) -> None:
    made = rotate(tenant)
    assert (made["number"], made["current"]) == (2, True)
    assert made["created_at"].endswith("Z")
    fresh = create_source(tenant)
    assert numbers(tenant) == (2, [1, 2])
    assert sealed_item(table, tenant, source)["data_key"] == 1
    assert sealed_item(table, tenant, fresh)["data_key"] == 2
    for one in (source, fresh):
        assert opened(tenant, one) == {"api_key": SECRET}
    # An edit seals what it keeps under the new key, too
    edit = {"secrets": {"api_key": "fresh"}}
    tenant.client.patch(f"{tenant.connectors}/sources/{source['id']}", edit)
    assert sealed_item(table, tenant, source)["data_key"] == 2
    assert opened(tenant, source) == {"api_key": "fresh"}


def test_a_repeated_rotation_creates_one_key(tenant: Tenant, source: dict[str, Any]) -> None:
    first = rotate(tenant, idempotency_key="monthly")
    assert rotate(tenant, idempotency_key="monthly") == first
    assert numbers(tenant) == (2, [1, 2])


def test_the_same_stamp_creates_one_key(tenant: Tenant, source: dict[str, Any]) -> None:
    stamp, keys = Stamp.fresh(utc_now()), vault().keys
    first = keys.rotate(tenant.organization_id, stamp)
    keys.rotate(tenant.organization_id, Stamp.fresh(utc_now()))
    again = keys.rotate(tenant.organization_id, stamp)
    assert (first.number, again.number, again.current) == (2, 2, False)


def test_concurrent_rotations_get_different_numbers(tenant: Tenant, source: dict[str, Any]) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: rotate(tenant)["number"], range(4)))
    assert sorted(made) == [2, 3, 4, 5]
    assert numbers(tenant) == (5, [1, 2, 3, 4, 5])


def test_the_number_of_keys_is_limited(tenant: Tenant, table: Table) -> None:
    for number in range(1, MAX_KEYS + 1):
        key = data_key_key(tenant.organization_id, number)._asdict()
        table.write(Put({**key, "wrapped": b"x", "created_at": "2026-01-01T00:00:00Z"}))
    answer = tenant.client.call("POST", keys_path(tenant), None)
    assert (answer.status, answer.code) == (409, "QUOTA_EXCEEDED")


def test_a_secret_is_not_sealed_under_a_key_that_was_just_rotated(
    tenant: Tenant, source: dict[str, Any], table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a rotation between a seal and its write
    sealed = Vault.sealed

    def and_then_rotated(self: Vault, *arguments: Any) -> Item:
        item = sealed(self, *arguments)
        monkeypatch.setattr(Vault, "sealed", sealed)
        rotate(tenant)
        return item

    path = f"{tenant.connectors}/sources/{source['id']}"
    # When a secret is edited, and another is entered
    monkeypatch.setattr(Vault, "sealed", and_then_rotated)
    assert tenant.client.patch(path, {"secrets": {"api_key": "fresh"}}).status == 200
    monkeypatch.setattr(Vault, "sealed", and_then_rotated)
    created = create_source(tenant)
    # Then each is under the key that was current when it was written
    assert numbers(tenant)[0] == 3
    assert sealed_item(table, tenant, source)["data_key"] == 2
    assert sealed_item(table, tenant, created)["data_key"] == 3
    assert opened(tenant, created) == {"api_key": SECRET}


def test_an_old_key_is_deleted_when_all_secrets_are_re_sealed(
    tenant: Tenant, source: dict[str, Any], table: Table
) -> None:
    others = [create_source(tenant) for _ in range(4)]
    rotate(tenant)
    # A key that is needed stays, and the error names its users
    old = f"{keys_path(tenant)}/1"
    refused = tenant.client.delete(old)
    assert refused.code == "IN_USE"
    ids = {one["id"] for one in (source, *others)}
    assert set(refused.json["error"]["details"]["used_by"]) == ids
    assert tenant.client.delete(f"{keys_path(tenant)}/2").code == "IN_USE"
    # When all are re-sealed, two per page
    before = tenant.client.get(f"{tenant.connectors}/sources").json
    assert reseal(tenant, limit=2) == (5, [])
    assert reseal(tenant, limit=2) == (0, [])
    # Then it can be deleted, once, and everything still opens
    assert tenant.client.delete(old).status == 204
    assert tenant.client.delete(old).code == "DATA_KEY_NOT_FOUND"
    for text in ("0", "01", "x", "-1", "9" * 30):
        assert tenant.client.delete(f"{keys_path(tenant)}/{text}").code == "DATA_KEY_NOT_FOUND"
    assert numbers(tenant) == (2, [2])
    for one in (source, *others):
        assert opened(tenant, one) == {"api_key": SECRET}
    assert tenant.client.get(f"{tenant.connectors}/sources").json == before


@pytest.mark.parametrize("change", ["edited", "deleted", "rotated"])
def test_re_sealing_never_undoes_a_concurrent_change(
    tenant: Tenant,
    source: dict[str, Any],
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    # Given an old secret that changes after it was read to be re-sealed
    rotate(tenant)
    path = f"{tenant.connectors}/sources/{source['id']}"
    current = KeyRing.current

    def and_then(self: KeyRing, *arguments: Any) -> tuple[int, bytes]:
        monkeypatch.setattr(KeyRing, "current", current)
        sealed_under = current(self, *arguments)
        if change == "edited":
            edit = {"secrets": {"api_key": "newer"}}
            assert tenant.client.patch(path, edit).status == 200
        elif change == "deleted":
            assert tenant.client.delete(path).status == 204
        else:
            rotate(tenant)
        return sealed_under

    monkeypatch.setattr(KeyRing, "current", and_then)
    # When all are re-sealed, then the change counts
    if change == "rotated":
        assert reseal(tenant) == (1, [])
        assert sealed_item(table, tenant, source)["data_key"] == 3
        assert opened(tenant, source) == {"api_key": SECRET}
    else:
        assert reseal(tenant) == (0, [])
    if change == "edited":
        assert opened(tenant, source) == {"api_key": "newer"}
    if change == "deleted":
        assert table.get(secret_key(tenant.organization_id, source["id"])) is None


def test_what_does_not_open_is_listed_and_left_as_it_is(
    tenant: Tenant, source: dict[str, Any], table: Table
) -> None:
    good = create_source(tenant)
    item = sealed_item(table, tenant, source)
    table.write(Put({**item, "sealed": b"\0" * 40}))
    rotate(tenant)
    assert reseal(tenant) == (1, [source["id"]])
    assert sealed_item(table, tenant, source)["data_key"] == 1
    assert tenant.client.delete(f"{keys_path(tenant)}/1").code == "IN_USE"
    assert opened(tenant, good) == {"api_key": SECRET}
    # When it is entered again, it no longer needs the old key
    path = f"{tenant.connectors}/sources/{source['id']}"
    assert tenant.client.patch(path, {"secrets": {"api_key": SECRET}}).status == 200
    assert tenant.client.delete(f"{keys_path(tenant)}/1").status == 204
    assert opened(tenant, source) == {"api_key": SECRET}


def test_after_the_keys_are_deleted_secrets_do_not_open_and_new_ones_can_be_entered(
    tenant: Tenant, operator: Tenant, source: dict[str, Any], table: Table, log: io.StringIO
) -> None:
    # Given secrets under two keys
    rotate(tenant)
    other = create_source(tenant)
    # When the operator deletes both
    answer = delete_all(operator, tenant, through=2)
    assert (answer.status, answer.json["deleted"]) == (200, [1, 2])
    # Then nothing opens them
    for one in (source, other):
        with pytest.raises(SecretsLost):
            opened(tenant, one)
    assert "data key is gone" in log.getvalue()
    path = f"{tenant.connectors}/sources/{source['id']}"
    # And a new secret can be entered, under a number that was never used
    assert tenant.client.patch(path, {"secrets": {"api_key": "again"}}).status == 200
    assert numbers(tenant) == (3, [3])
    assert opened(tenant, source) == {"api_key": "again"}
    # And the repeated request deletes nothing of that
    answer = delete_all(operator, tenant, through=2)
    assert (answer.status, answer.json["deleted"]) == (200, [])
    assert opened(tenant, source) == {"api_key": "again"}
    assert reseal(tenant) == (0, [other["id"]])


def test_deleting_keys_needs_the_operator_and_a_confirmation(
    tenant: Tenant, operator: Tenant, source: dict[str, Any]
) -> None:
    assert delete_all(tenant, tenant, through=1).code == "PERMISSION_DENIED"
    wrong = delete_all(operator, tenant, through=1, confirm=operator.organization_id)
    assert wrong.pointers == ["/query/confirm"]
    assert delete_all(operator, tenant, through=2).pointers == ["/query/through"]
    assert delete_all(operator, tenant, through=0).pointers == ["/query/through"]
    assert operator.client.delete(keys_path(tenant)).pointers == [
        "/query/through",
        "/query/confirm",
    ]
    assert opened(tenant, source) == {"api_key": SECRET}


def test_an_organization_that_does_not_exist_gets_no_keys(operator: Tenant) -> None:
    nowhere = f"{PATH}/org_01K0Z3NDEKTSV4RRFFQ69G5FAV/data-keys"
    assert operator.client.call("POST", nowhere, None).code == "ORGANIZATION_NOT_FOUND"
    confirm = "through=1&confirm=org_01K0Z3NDEKTSV4RRFFQ69G5FAV"
    assert operator.client.delete(f"{nowhere}?{confirm}").code == "ORGANIZATION_NOT_FOUND"


def test_another_tenants_keys_are_not_found(tenant: Tenant, stranger: Tenant) -> None:
    path = keys_path(tenant)
    for method, tail in (("GET", ""), ("POST", ""), ("POST", "/reseal"), ("DELETE", "/1")):
        assert stranger.client.call(method, path + tail, None).status == 404
    reader = tenant.client.post(
        f"{PATH}/{tenant.organization_id}/api-keys",
        {"name": "r", "permissions": ["platform.integration.read"]},
    ).json["key"]
    assert tenant.client.with_key(reader).get(path).status == 403


def test_a_repetition_finishes_a_deletion_that_crashed(
    tenant: Tenant,
    operator: Tenant,
    source: dict[str, Any],
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rotate(tenant)
    transact, left = Table.transact, [1]

    def dies(self: Table, writes: Any) -> None:
        if isinstance(writes[0], Delete) and writes[0].key.sk.startswith("DATAKEY#"):
            if not left:
                raise RuntimeError("the process is gone")
            left.pop()
        transact(self, writes)

    monkeypatch.setattr(Table, "transact", dies)
    assert delete_all(operator, tenant, through=2).status == 500
    monkeypatch.setattr(Table, "transact", transact)
    # Nothing is sealed under the keys that are half deleted
    create_source(tenant)
    assert numbers(tenant)[0] == 3
    assert len(delete_all(operator, tenant, through=2).json["deleted"]) == 1
    assert numbers(tenant) == (3, [3])


def test_a_key_is_not_created_while_keys_are_deleted(
    tenant: Tenant, operator: Tenant, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an organization whose first key is being created when its keys are deleted
    publish_integration(tenant)

    def and_then_deleted(*arguments: Any, **parameters: Any) -> Any:
        monkeypatch.setattr("patchbay.connections.key_service.call", call)
        result = call(*arguments, **parameters)
        assert delete_all(operator, tenant, through=1).status == 200
        return result

    monkeypatch.setattr("patchbay.connections.key_service.call", and_then_deleted)
    source = create_source(tenant)
    # Then it got the next number
    assert numbers(tenant) == (2, [2])
    assert opened(tenant, source) == {"api_key": SECRET}


def test_a_process_drops_a_key_after_five_minutes(
    tenant: Tenant, operator: Tenant, source: dict[str, Any]
) -> None:
    # Given a process that has the key in memory, and another that deletes it
    warm, scope, now = vault(), scope_of(tenant, source), utc_now()
    assert warm.open(scope, now) == {"api_key": SECRET}
    deleted = vault().keys.delete_all(tenant.organization_id, 1, now)
    # Then the first opens secrets for as long as the response said, and no longer
    assert warm.open(scope, deleted.unreadable_at - timedelta(seconds=1)) == {"api_key": SECRET}
    with pytest.raises(SecretsLost):
        warm.open(scope, deleted.unreadable_at)
    # Nor for a request of yesterday that is repeated under its Idempotency-Key
    with pytest.raises(SecretsLost):
        warm.open(scope, now - timedelta(hours=20))
    # And what it seals is under the new key at once
    assert warm.sealed(scope, {"api_key": "x"}, now)["data_key"] == 2
    # And expired keys are not left in memory
    warm.sealed(scope, {"api_key": "x"}, now + timedelta(hours=1))
    assert len(warm.keys._unwrapped) == 1


TAMPERED: dict[str, Any] = {
    "ciphertext": lambda item: {"sealed": bytes([item["sealed"][0] ^ 1]) + item["sealed"][1:]},
    "tag": lambda item: {"sealed": item["sealed"][:-1] + bytes([item["sealed"][-1] ^ 1])},
    "cut": lambda item: {"sealed": item["sealed"][:-1]},
    "empty": lambda _: {"sealed": b""},
    "nonce": lambda item: {"nonce": item["nonce"][:-1] + bytes([item["nonce"][-1] ^ 1])},
    "short nonce": lambda item: {"nonce": item["nonce"][:4]},
    "another key": lambda _: {"data_key": 2},
    "no such key": lambda _: {"data_key": 7},
}


@pytest.fixture
def leaves_nothing(log: io.StringIO) -> Iterator[None]:
    yield
    assert SECRET not in log.getvalue()


def assert_refused(tenant: Tenant, source: dict[str, Any]) -> None:
    """In every way that opens a secret: a platform fault, without details."""
    start_cold("connections")
    path = f"{tenant.connectors}/sources/{source['id']}"
    tested = tenant.client.post(f"{path}/test", {})
    assert (tested.json["code"], tested.json["blame"]) == ("secret_store_unavailable", "platform")
    edit = tenant.client.patch(f"{path}?test=true", {"name": "x"})
    assert (edit.status, edit.code) == (500, "INTERNAL_ERROR")
    for answer in (tested, edit):
        assert SECRET not in answer.text
    with pytest.raises(InternalError):
        opened(tenant, source)


@pytest.mark.parametrize("part", sorted(TAMPERED))
def test_a_sealed_item_that_was_altered_does_not_open(
    tenant: Tenant, source: dict[str, Any], table: Table, leaves_nothing: None, part: str
) -> None:
    rotate(tenant)
    item = sealed_item(table, tenant, source)
    table.write(Put({**item, **TAMPERED[part](item)}))
    assert_refused(tenant, source)
    # When it is restored, it opens: nothing else was the reason
    table.write(Put(item))
    assert opened(tenant, source) == {"api_key": SECRET}


def test_a_missing_sealed_item_is_not_a_secret_that_was_never_entered(
    tenant: Tenant, source: dict[str, Any], table: Table
) -> None:
    table.write(Delete(secret_key(tenant.organization_id, source["id"])))
    path = f"{tenant.connectors}/sources/{source['id']}"
    assert tenant.client.post(f"{path}/test", {}).json["code"] == "secret_store_unavailable"


def test_swapped_sealed_items_do_not_open(
    tenant: Tenant, source: dict[str, Any], table: Table, leaves_nothing: None
) -> None:
    other = create_source(tenant)
    mine, theirs = (sealed_item(table, tenant, one) for one in (source, other))
    table.write(Put({**mine, "sk": theirs["sk"]}))
    table.write(Put({**theirs, "sk": mine["sk"]}))
    for one in (source, other):
        assert_refused(tenant, one)


def test_another_tenants_items_copied_over_do_not_open(
    tenant: Tenant,
    stranger: Tenant,
    source: dict[str, Any],
    table: Table,
    leaves_nothing: None,
) -> None:
    # Given a stranger with a secret of their own
    create_source(stranger)
    pk = f"ORG#{stranger.organization_id}"
    item = sealed_item(table, tenant, source)
    endpoint = table.get(Key(item["pk"], f"SRC#{source['id']}"))
    own_key = table.get(data_key_key(tenant.organization_id, 1))
    assert endpoint is not None
    assert own_key is not None
    # When the tenant's source and sealed secret are copied over, under the same id
    copied = {**endpoint, "pk": pk, "organization_id": stranger.organization_id}
    table.write(Put(copied))
    for owner in (tenant, stranger):
        table.write(Put({**item, "pk": pk, "organization_id": owner.organization_id}))
        # Then they do not open there
        assert_refused(stranger, source)
    # Nor with the tenant's data key: KMS wrapped it for another organization
    table.write(Put({**own_key, "pk": pk}))
    assert_refused(stranger, source)
    assert opened(tenant, source) == {"api_key": SECRET}


def test_kms_unwraps_a_data_key_for_its_own_organization_only(
    tenant: Tenant, stranger: Tenant, source: dict[str, Any], table: Table
) -> None:
    # Given a data key wrapped for another organization, or altered
    item = table.get(data_key_key(tenant.organization_id, 1))
    assert item is not None
    wrapped: bytes = item["wrapped"]
    service = KeyService(connections.deployment.settings.vault_key_id)
    _, foreign = service.made({"organization": stranger.organization_id})
    _, bare = service.made({})
    for other in (foreign, bare, wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"x"):
        table.write(Put({**item, "wrapped": other}))
        assert_refused(tenant, source)
    table.write(Put(item))
    assert opened(tenant, source) == {"api_key": SECRET}


def test_the_operators_command_rotates_re_seals_and_deletes(
    tenant: Tenant, source: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    given = [
        *("--table", "IntegrationsTable"),
        *("--vault-key", connections.deployment.settings.vault_key_id),
        *("--organization", tenant.organization_id),
    ]

    def run(command: str, *options: str) -> Any:
        capsys.readouterr()
        assert main([command, *given, *options]) == 0
        [*_, line] = capsys.readouterr().out.splitlines()
        return json.loads(line)

    assert run("rotate-data-key")["number"] == 2
    assert run("reseal-secrets") == {"resealed": 1, "unreadable": [], "next_cursor": None}
    assert [key["number"] for key in run("delete-data-key", "--number", "1")["keys"]] == [2]
    assert opened(tenant, source) == {"api_key": SECRET}
    confirmed = ("--through", "2", "--confirm", tenant.organization_id)
    assert run("delete-data-keys", *confirmed)["deleted"] == [2]
    assert run("list-data-keys") == {"current": 3, "keys": []}
    with pytest.raises(SecretsLost):
        opened(tenant, source)


def test_the_operators_command_prints_one_line_for_an_error(
    tenant: Tenant, source: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    key = connections.deployment.settings.vault_key_id
    given = ["--table", "IntegrationsTable", "--vault-key", key]
    own = [*given, "--organization", tenant.organization_id]
    confirm = ["--confirm", tenant.organization_id]
    for command in (
        ["delete-data-key", *own, "--number", "1"],
        ["delete-data-keys", *own, "--through", "1", "--confirm", "x"],
        ["delete-data-keys", *own, "--through", "0", *confirm],
        ["delete-data-keys", *own, "--through", "9", *confirm],
        ["rotate-data-key", *given, "--organization", "org_none"],
        ["list-data-keys", "--table", "None", "--vault-key", key, "--organization", "x"],
    ):
        capsys.readouterr()
        assert main(command) == 1
        said = capsys.readouterr()
        assert len(said.err.splitlines()) == 1, command
    assert opened(tenant, source) == {"api_key": SECRET}


def test_re_sealing_reads_one_page_at_a_time(
    tenant: Tenant, source: dict[str, Any], table: Table
) -> None:
    create_source(tenant)
    rotate(tenant)
    page = vault().reseal(tenant.organization_id, ListQuery(limit=1), utc_now())
    assert (page.resealed, page.next_cursor is None) == (1, False)
    assert table.get(current_key(tenant.organization_id)) is not None
    path = f"{keys_path(tenant)}/reseal"
    assert tenant.client.call("POST", f"{path}?cursor=x", None).code == "INVALID_CURSOR"
    assert tenant.client.call("POST", f"{path}?limit=1000", None).pointers == ["/query/limit"]


def test_the_operators_command_rotates_the_deployment_key(
    tenant: Tenant, stranger: Tenant, source: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    other = create_source(stranger, integration="acme/crm")

    def run(command: str, *options: str, code: int = 0) -> Any:
        capsys.readouterr()
        key_id = connections.deployment.settings.vault_key_id
        given = ["--table", "IntegrationsTable", "--vault-key", key_id, *options]
        assert main([command, *given]) == code
        if code:
            return capsys.readouterr().err
        [*_, line] = capsys.readouterr().out.splitlines()
        return json.loads(line)

    assert run("list-deployment-keys")["current"] == 1
    assert "IN_USE" in run("delete-deployment-key", "--number", "1", code=1)
    assert run("rotate-deployment-key")["number"] == 2
    # Data keys are still wrapped under the old one
    assert "rewrap-data-keys" in run("delete-deployment-key", "--number", "1", code=1)
    assert run("rewrap-data-keys") == {"rewrapped": 2, "unreadable": []}
    assert run("rewrap-data-keys") == {"rewrapped": 0, "unreadable": []}
    left = run("delete-deployment-key", "--number", "1")
    assert [key["number"] for key in left["keys"]] == [2]
    assert "NOT_FOUND" in run("delete-deployment-key", "--number", "1", code=1)
    for owner, one in ((tenant, source), (stranger, other)):
        assert opened(owner, one) == {"api_key": SECRET}


def test_an_altered_rewrapped_key_is_not_what_opens_secrets(
    tenant: Tenant, source: dict[str, Any], table: Table, log: io.StringIO
) -> None:
    item = table.get(data_key_key(tenant.organization_id, 1))
    assert item is not None
    table.write(Put({**item, "rewrapped": b"\0" * 60}))
    assert opened(tenant, source) == {"api_key": SECRET}
    assert "rewrapped data key does not open" in log.getvalue()
