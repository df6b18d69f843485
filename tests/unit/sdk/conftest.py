"""A deployment on loopback, either client of it, and no real pauses between tries."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from patchbay_sdk import AsyncPatchbay, Patchbay
from patchbay_sdk.messages import Request
from patchbay_sdk.retries import Outcome, Retries

from tests.unit.sdk.stand_in import KEY, StandIn, stand_in

type Call = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as running:
        yield running


@pytest.fixture
def client(server: StandIn) -> Iterator[Patchbay]:
    with Patchbay(KEY, base_url=server.url) as made:
        yield made


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before further tries, which nobody waits for."""
    found: list[float] = []
    decide = Retries.pause

    def pause(self: Retries, tries: int, request: Request, outcome: Outcome) -> float | None:
        seconds = decide(self, tries, request, outcome)
        if seconds is None:
            return None
        found.append(seconds)
        return 0.0

    monkeypatch.setattr(Retries, "pause", pause)
    return found


@pytest.fixture(params=["sync", "async"])
def run(request: pytest.FixtureRequest, server: StandIn, pauses: list[float]) -> Call:
    """Runs a call by one client and, in another test, by the other one."""

    def sync(call: Call, **options: Any) -> Any:
        with Patchbay(KEY, base_url=server.url, **options) as client:
            return call(client)

    def on_a_loop(call: Call, **options: Any) -> Any:
        async def whole() -> Any:
            async with AsyncPatchbay(KEY, base_url=server.url, **options) as client:
                return await call(client)

        return asyncio.run(whole())

    return sync if request.param == "sync" else on_a_loop
