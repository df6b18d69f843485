"""A run of monitors reads a secret of Secrets Manager once, and judges it for each that uses it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from local.provider import Provider
from patchbay.connections.keys import endpoint_key
from patchbay.platform import aws
from patchbay.platform.dynamodb import Table, Update
from patchbay.platform.errors import TemporarilyUnavailable
from tests.integration.conftest import Tenant
from tests.integration.monitoring import (
    MINUTE,
    history,
    plan_from_the_first_minute,
    put_into_the_index,
    this_minute,
    tick,
    tick_after_quiet,
)
from tests.integration.story import (
    SECRET,
    calling,
    create_connection,
    create_source,
    publish_integration,
)
from tests.integration.test_secret_references import keep, permit, reference

pytestmark = pytest.mark.enable_socket

MONITOR = {"enabled": True, "interval": "1m"}


@pytest.fixture(autouse=True, params=["plans", "index"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Connections with plans, and those that are in the index of the wheel."""
    {"plans": plan_from_the_first_minute, "index": put_into_the_index}[request.param](monkeypatch)
    monkeypatch.setattr("patchbay.monitors.reprobes.PAUSES", (0.0, 0.0))
    return str(request.param)


@pytest.fixture
def calls(deployed: object) -> Iterator[Counter[str]]:
    """How often Secrets Manager is called, by operation."""
    counts: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        counts[model.name] += 1

    events = aws.client("secretsmanager").meta.events
    events.register("before-call.secretsmanager", count)
    yield counts
    events.unregister("before-call.secretsmanager", count)


def connected(tenant: Tenant, ref: str, *, permitted: bool = True, **given: Any) -> dict[str, Any]:
    """A monitored connection of a source that refers to a secret."""
    source = create_source(tenant, secrets={}, secret_ref=ref, **given)
    if permitted:
        permit(tenant, source)
    return create_connection(tenant, source, monitor=MONITOR)


def newest(tenant: Tenant, connection: dict[str, Any]) -> tuple[str, str | None]:
    test = history(tenant, connection)[0]
    return test["status"], test["code"]


GOOD = ("succeeded", None)


def test_a_secret_that_many_connections_refer_to_is_read_once_a_run(
    tenant: Tenant, stranger: Tenant, server: Provider, calls: Counter[str]
) -> None:
    # Given connections of two organizations that refer to three secrets
    publish_integration(tenant, manifest=calling(server.port))
    shared, own = (keep(tenant, {"api_key": SECRET}, name) for name in ("shared", "own"))
    made = [connected(tenant, ref) for ref in [shared] * 6 + [own]]
    publish_integration(stranger, publisher="globex", manifest=calling(server.port))
    theirs = keep(stranger, {"api_key": SECRET})
    of_stranger = connected(stranger, theirs, integration="globex/crm")
    # When a minute passes
    calls.clear()
    now = this_minute()
    tick(now)
    # Then all of them work, for one description of each, and its value in one batch: the pages of
    # a run may be read at once, and each reads ahead what no other has begun
    assert [newest(tenant, one) for one in made] == [GOOD] * 7
    assert newest(stranger, of_stranger) == GOOD
    assert calls["DescribeSecret"] == 3
    assert 1 <= calls["BatchGetSecretValue"] <= 3
    assert calls["GetSecretValue"] == 0
    # And the next run reads the new value
    aws.client("secretsmanager").put_secret_value(
        SecretId=shared.partition("eu-central-1/")[2], SecretString='{"api_key": "wrong"}'
    )
    tick_after_quiet(now + MINUTE)
    assert newest(tenant, made[0]) == ("failed", "auth_invalid")
    assert newest(tenant, made[-1]) == GOOD


def test_what_was_read_for_one_is_of_no_use_to_another(
    tenant: Tenant, stranger: Tenant, server: Provider, calls: Counter[str]
) -> None:
    publish_integration(tenant, manifest=calling(server.port))
    shared = keep(tenant, {"api_key": SECRET})
    permitted = connected(tenant, shared)
    # Given an integration that the same secret does not permit
    publish_integration(tenant, slug="hostile", manifest=calling(server.port))
    hostile = connected(tenant, shared, permitted=False, integration="acme/hostile")
    # And another organization with a reference that can't have been entered
    publish_integration(stranger, publisher="globex", manifest=calling(server.port))
    ref = reference(stranger)
    forged = connected(stranger, ref, integration="globex/crm")
    Table("IntegrationsTable").write(
        Update(
            endpoint_key(stranger.organization_id, forged["source_id"]),
            values={"secret_ref": shared},
        )
    )
    # When they are tested in one run
    tick(this_minute())
    # Then the value was read, and only the first one got it
    assert newest(tenant, permitted) == GOOD
    assert newest(tenant, hostile) == ("failed", "secret_not_permitted")
    assert newest(stranger, forged) == ("failed", "secret_store_unavailable")
    assert len(server.requests) == 1


def test_a_secret_that_fails_is_read_once_and_fails_alone(
    tenant: Tenant, server: Provider, calls: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_integration(tenant, manifest=calling(server.port))
    good = connected(tenant, keep(tenant, {"api_key": SECRET}, "good"))
    missing = [connected(tenant, reference(tenant, "missing")) for _ in range(3)]
    silent_ref = keep(tenant, {"api_key": SECRET}, "silent")
    silent = [connected(tenant, silent_ref) for _ in range(3)]
    asked: Counter[str] = Counter()
    from patchbay.connections import secrets_manager

    described = secrets_manager._described

    def describe(name: str) -> Any:
        asked[name.rpartition("/")[2]] += 1
        if name.endswith("/silent"):
            raise TemporarilyUnavailable
        return described(name)

    monkeypatch.setattr(secrets_manager, "_described", describe)
    tick(this_minute())
    assert newest(tenant, good) == GOOD
    assert {newest(tenant, one) for one in missing} == {("failed", "secret_not_found")}
    assert {newest(tenant, one) for one in silent} == {("failed", "secret_store_unavailable")}
    assert asked == {"good": 1, "missing": 1, "silent": 1}
