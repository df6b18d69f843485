"""What one process does with its time while others renew a grant, or nothing can be stored."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from patchbay.connections.vault import SecretScope, Vault
from patchbay.grants.grant_model import Grant, Lease
from patchbay.grants.grant_store import GrantStore
from patchbay.grants.grants import Grants
from patchbay.grants.refresher import Refresher, Renewable
from patchbay.grants.timing import GRACE, LEASE, retry_at
from patchbay.grants.usable_secrets import Need, StoredSecrets
from patchbay.platform.errors import InternalError, TemporarilyUnavailable
from tests.simulator.grants_model import ENDPOINT, ORGANIZATION, Issued, endpoint
from tests.simulator.virtual_time import VirtualLoop

NOW = datetime(2026, 2, 17, 10, 0, tzinfo=UTC)
ANYTHING = cast(Any, None)


class Call:
    secret_values = ()

    async def run(self, _: Any, **_named: Any) -> Issued:
        return Issued("access-2", "refresh-2")


class FakeStore:
    """It keeps every grant, but for those of one endpoint."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    def take(self, seen: Grant, _: Any, lease_id: str, now: datetime, **_named: Any) -> Grant:
        lease = Lease(lease_id, seen.attempts + 1, now, now + LEASE)
        return replace(seen, attempts=lease.attempt, lease=lease)

    def keep(self, leased: Grant, new: Grant, _: Any) -> Grant:
        if leased.endpoint_id == ENDPOINT:
            raise self.failure
        return replace(new, generation=leased.held.attempt, lease=None)


class FakeVault:
    class keys:  # noqa: N801 - an attribute of the vault
        @staticmethod
        def current(*_: Any) -> None: ...

    def sealed_parts(self, *_: Any) -> dict[str, Any]:
        return {}


@dataclass
class Process:
    store: FakeStore
    refresher: Refresher

    @classmethod
    def failing_with(cls, failure: Exception) -> "Process":
        async def off_loop(do: Callable[..., Any], *args: Any, **named: Any) -> Any:
            return do(*args, **named)

        store = FakeStore(failure)
        vault = cast(Vault, FakeVault())
        return cls(store, Refresher(cast(GrantStore, store), vault, lambda: NOW, off_loop))

    async def renew(self, endpoint_id: str, deadline: float) -> Any:
        loop = asyncio.get_running_loop()
        return await self.refresher.renew(
            renewable(endpoint_id), ANYTHING, deadline=loop.time() + deadline, newer_than=0
        )


def renewable(endpoint_id: str, grant: Grant | None = None) -> Renewable:
    first = Grant(ORGANIZATION, endpoint_id, "first", renewed_by="refresh_token")
    return Renewable(
        endpoint().model_copy(update={"id": endpoint_id}),
        SecretScope(ORGANIZATION, endpoint_id, "binding", "grant"),
        grant,
        first,
        {"refresh_token": "refresh-1"},
        lambda _: cast(Any, Call()),
    )


def run[T](work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """Its result, and the seconds that it took."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work), loop.time()
    finally:
        loop.close()


def test_an_answer_that_stays_unstored_leaves_others_their_time() -> None:
    process = Process.failing_with(TemporarilyUnavailable())

    async def both() -> tuple[Any, float]:
        await process.renew(ENDPOINT, 25.0)
        loop = asyncio.get_running_loop()
        began = loop.time()
        renewed = await process.renew("src_other", 15.0)
        return renewed, loop.time() - began

    (renewed, seconds), _ = run(both())

    assert renewed.tokens["access_token"] == "access-2"
    assert seconds < 3


def test_an_answer_that_can_never_be_stored_stops_no_other() -> None:
    process = Process.failing_with(InternalError())

    async def both() -> Any:
        with pytest.raises(InternalError):
            await process.renew(ENDPOINT, 25.0)
        return await process.renew("src_other", 15.0)

    renewed, _ = run(both())

    assert renewed.tokens["access_token"] == "access-2"


def test_a_token_that_has_not_ended_is_used_while_another_renews_it() -> None:
    process = Process.failing_with(TemporarilyUnavailable())
    lease = Lease("other", 2, NOW, NOW + LEASE)
    grant = Grant(
        ORGANIZATION,
        ENDPOINT,
        "first",
        generation=1,
        attempts=2,
        expires_at=NOW + timedelta(minutes=1),
        lease=lease,
    )
    stored = StoredSecrets(
        endpoint(),
        {},
        grant,
        {"access_token": "access-1"},
        renewable(ENDPOINT, grant),
        Need.SOON,
    )
    grants = Grants(ANYTHING, ANYTHING, ANYTHING, lambda: NOW, process.refresher)

    used, seconds = run(grants.usable(stored, ANYTHING, deadline=25.0))

    assert used.values == {"access_token": "access-1"}
    assert seconds == 0


def test_an_answer_that_may_be_lost_is_asked_for_again_while_a_provider_may_give_it() -> None:
    """Providers that take an old refresh token again do so for minutes."""

    def pause(lost_at: datetime | None) -> timedelta:
        at = retry_at(
            "rate_limited", 6, NOW, sent=True, retry_after=None, key=ENDPOINT, lost_at=lost_at
        )
        return at - NOW

    assert pause(NOW - timedelta(minutes=3)) <= timedelta(minutes=1)
    assert pause(NOW - GRACE) > timedelta(minutes=10)
    assert pause(None) > timedelta(minutes=10)
