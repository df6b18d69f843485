"""What a test shows of itself while it runs, against servers on the loopback."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from patchbay.checks.live_steps import LiveSteps, steps_of, text_of
from patchbay.checks.report import CheckReport, Step
from patchbay.checks.runner import run
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.doubles import (
    KEY,
    FakeResolver,
    answering,
    guard_for,
    http_response,
    serving,
    step_for,
    target_for,
)

pytestmark = pytest.mark.enable_socket

HOST = "api.example.com"


class Gate:
    """A server that answers one request each time it is opened."""

    def __init__(self, response: bytes) -> None:
        self.asked, self.opened = asyncio.Event(), asyncio.Event()
        self._answer = answering(response)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.set()
        await self.opened.wait()
        self.opened.clear()
        await self._answer(reader, writer)


def watched(
    response: bytes, *steps: Callable[[int], dict[str, object]]
) -> tuple[list[tuple[Step, ...]], CheckReport]:
    """What was to be seen while the server kept each step waiting, and the report."""

    async def test() -> tuple[list[tuple[Step, ...]], CheckReport]:
        gate, live, seen = Gate(response), LiveSteps(), []
        async with serving(gate.handle) as port:
            target = target_for(*(step(port) for step in steps))
            guard = guard_for(port)
            running = asyncio.create_task(run(target.plan(), guard, total_ms=10_000, live=live))
            for _ in steps:
                await gate.asked.wait()
                gate.asked.clear()
                await asyncio.sleep(0.02)
                seen.append(live())
                gate.opened.set()
            return seen, await running

    return asyncio.run(test())


def named(name: str, **extra: Any) -> Callable[[int], dict[str, object]]:
    return lambda port: step_for(port, **extra) | {"name": name}


def names(steps: tuple[Step, ...]) -> list[str]:
    return [step.name for step in steps]


def test_each_step_is_seen_as_it_ends_and_the_gates_before_the_first_one_does() -> None:
    # Given a server that keeps each of three steps waiting
    ok = http_response("200 OK", b"{}")
    seen, report = watched(ok, named("one"), named("two"), named("three"))
    # Then the gates are there while the first waits for its answer, and each step once it has it
    gates = ["config", "secrets", "egress", "dns", "tcp"]
    assert [names(steps) for steps in seen] == [
        gates,
        [*gates, "tls", "one"],
        [*gates, "tls", "one", "two"],
    ]
    # And all of it is what the report begins with, to the millisecond
    for steps in seen:
        assert steps == report.steps[: len(steps)]


def test_a_dial_that_hangs_shows_how_far_it_came() -> None:
    async def test() -> tuple[tuple[Step, ...], CheckReport]:
        async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        live = LiveSteps()
        async with serving(never) as port:
            url = f"https://127.0.0.1:{port}/me"
            plan = target_for(step_for(port, request={"url": url}, timeoutMs=300)).plan()
            running = asyncio.create_task(run(plan, guard_for(port), total_ms=300, live=live))
            await asyncio.sleep(0.1)
            return live(), await running

    seen, report = asyncio.run(test())
    assert names(seen) == ["config", "secrets", "egress", "dns", "tcp"]
    assert seen == report.steps[:5]
    assert (report.steps[5].name, report.steps[5].status) == ("tls", "failed")


def test_a_name_is_not_shown_as_allowed_before_its_addresses_are_judged() -> None:
    class Slow(FakeResolver):
        async def resolve(self, host: str) -> Any:
            await asyncio.sleep(0.1)
            return await super().resolve(host)

    async def test() -> tuple[tuple[Step, ...], CheckReport]:
        live = LiveSteps()
        guard = EgressGuard(EgressPolicy.parse(""), resolver=Slow({HOST: [["10.0.0.1"]]}))
        plan = target_for(step_for(443, request={"url": f"https://{HOST}/"})).plan()
        running = asyncio.create_task(run(plan, guard, total_ms=5000, live=live))
        await asyncio.sleep(0.03)
        return live(), await running

    seen, report = asyncio.run(test())
    assert names(seen) == ["config", "secrets"]
    assert report.code == "egress_blocked"


def test_what_another_try_may_find_anew_is_shown_with_the_last_try() -> None:
    # Given a step that is tried again, and a server that is busy at first
    async def test() -> tuple[list[list[str]], CheckReport]:
        live, seen = LiveSteps(), []

        async def busy_then_well(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            seen.append(names(live()))
            status = "503 Service Unavailable" if len(seen) == 1 else "200 OK"
            await answering(http_response(status, b"{}"))(reader, writer)

        async with serving(busy_then_well) as port:
            plan = target_for(step_for(port, retry=True)).plan()
            report = await run(plan, guard_for(port), total_ms=8000, live=live)
        return seen, report

    seen, report = asyncio.run(test())
    assert report.passed
    assert seen[0] == ["config", "secrets"]
    assert len(seen) == 2


def test_nothing_is_seen_that_the_report_would_not_show() -> None:
    # Given a server that repeats the key
    body = http_response("401 Unauthorized", b'{"message": "bad key %s"}' % KEY.encode())
    seen, report = watched(body, named("one", mandatory=False), named("two"))
    for steps in (*seen, report.steps):
        assert KEY not in repr(steps)
        assert KEY not in text_of(steps)


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "503 Busy"])
def test_steps_are_kept_whole(status: str) -> None:
    _, report = watched(http_response(status, b"{}"), named("one"))
    assert steps_of(text_of(report.steps)) == report.steps


def test_before_and_without_a_test_there_is_nothing_to_see() -> None:
    assert LiveSteps()() == ()
