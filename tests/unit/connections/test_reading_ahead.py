"""A page opens its secrets side by side: what hangs holds it up for a moment, and nothing else."""

import threading
import time
from typing import Any, cast

import pytest

from patchbay.connections.keys import data_key_key
from patchbay.connections.secrets_manager import reading_once
from patchbay.connections.vault import SecretScope, Vault
from patchbay.platform.dynamodb import Delete, Item
from tests.unit.connections.test_deployment_keys import LATER, NOW, World

SCOPE = SecretScope.bound("org_a", "src_a", {"to": "a.example"})
OTHER = SecretScope.bound("org_b", "src_b", {"to": "b.example"})


@pytest.fixture
def world() -> World:
    return World()


def vault(world: World) -> Vault:
    return Vault(world.table, "key", cast(Any, world.kms))


def sealed(world: World, scope: SecretScope) -> Item:
    return vault(world).sealed(scope, {"api_key": scope.organization_id}, NOW)


def test_a_key_service_that_hangs_holds_a_page_up_for_a_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given secrets of two organizations, one of which is open already
    items = [sealed(world, SCOPE), sealed(world, OTHER)]
    opener = vault(world)
    assert opener.open_parts(OTHER, items[1], NOW) == {"api_key": "org_b"}
    # When the key service hangs while a page of both is read, after the keys were forgotten
    monkeypatch.setattr("patchbay.connections.vault.AHEAD_SECONDS", 0.2)
    over = threading.Event()

    def hang() -> None:
        over.wait()

    world.kms.before = hang
    began = time.monotonic()
    assert opener.read_ahead(items, LATER) == []
    assert time.monotonic() - began < 5
    # Then what is open still opens, and the rest once the key service responds
    assert opener.open_parts(OTHER, items[1], NOW) == {"api_key": "org_b"}
    over.set()
    assert opener.open_parts(SCOPE, items[0], LATER) == {"api_key": "org_a"}


def test_keys_and_secrets_that_hang_together_are_waited_for_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a page of sealed secrets and of one that is referred to
    items = [sealed(world, SCOPE), sealed(world, OTHER)]
    reference = "aws://secretsmanager/us-east-1/patchbay/org_a/crm"
    items.append({"organization_id": "org_a", "secret_ref": reference})
    # When neither service responds
    seconds, over = 1.0, threading.Event()
    monkeypatch.setattr("patchbay.connections.vault.AHEAD_SECONDS", seconds)
    monkeypatch.setattr("patchbay.connections.secrets_manager.client", lambda _: Hanging(over))

    def hang() -> None:
        over.wait()

    world.kms.before = hang
    try:
        with reading_once():
            began = time.monotonic()
            vault(world).read_ahead(items, LATER)
            first = time.monotonic() - began
            # And the page is read again, for what its connections share
            began = time.monotonic()
            vault(world).read_ahead(items[2:], LATER)
            second = time.monotonic() - began
    finally:
        over.set()
    # Then both have the same seconds, and nobody waits for the reference again
    assert first < 1.5 * seconds
    assert second < 0.25 * seconds


class Hanging:
    """Secrets Manager, while it does not respond."""

    def __init__(self, over: threading.Event) -> None:
        self._over = over

    def describe_secret(self, SecretId: str) -> Any:  # noqa: N803 - as boto3's
        self._over.wait()
        raise AssertionError(SecretId)


def test_what_is_open_starts_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [sealed(world, SCOPE), sealed(world, OTHER)]
    opener = vault(world)
    assert opener.read_ahead([*items, None, {"pk": "x", "sk": "y"}], NOW) == []
    calls = world.client.calls.copy()
    monkeypatch.setattr("patchbay.connections.vault._begun", None)
    assert opener.read_ahead(items, NOW) == []
    assert world.client.calls == calls


def test_items_whose_key_is_gone_are_named(world: World) -> None:
    items = [sealed(world, SCOPE), sealed(world, OTHER)]
    world.table.write(Delete(data_key_key("org_a", 1)))
    assert vault(world).read_ahead(items, NOW) == [items[0]]
