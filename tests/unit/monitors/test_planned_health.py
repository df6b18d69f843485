"""The health of connections with plans: what is stored, with the newest test laid over it."""

from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from patchbay.connection_tests.identity import TestSubject as Subject
from patchbay.connections.connection_changes import changed_connection
from patchbay.connections.connection_model import ConnectionPatch
from patchbay.connections.health_state import HealthObservation, HealthState, next_state
from patchbay.connections.steady_health import seen_in_run
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.lists import ListQuery
from patchbay.runs.reader import RunReader
from tests.unit.monitors.planned_world import (
    CODES,
    MINUTE,
    ORGANIZATION,
    SPACE,
    PlannedWorld,
)


class EachWritten:
    """The health if each test were written, as it is of connections without plans."""

    def __init__(self) -> None:
        self.state = HealthState()
        self.last: HealthObservation | None = None
        self.last_success_at: datetime | None = None

    def tested(self, at: datetime, outcome: str, ended: datetime, latency_ms: int) -> None:
        if outcome == "!":
            return
        test = seen_in_run(at, ended=ended, streak=0, latency_ms=latency_ms, code=CODES[outcome])
        assert test.seen
        if step := next_state(self.state, test.seen, monitored=True):
            self.state, self.last = step.state, test.seen
            if test.seen.passed:
                self.last_success_at = test.seen.ended


class Story:
    """A connection whose tests are made in different ways, beside what each would have written."""

    def __init__(self) -> None:
        self.world = PlannedWorld()
        self.id = self.world.add()
        self.written = EachWritten()
        self.is_lost = False
        """The health of the last test was not written."""

    def goes_on(self, outcome: str, how: str) -> None:
        world = self.world
        world.now += MINUTE
        if how == "missed":
            return
        if how == "edited":
            self.edit(name=f"at {world.now}")
        elif how == "paused":
            self.edit(status="paused")
            self.compare()
            self.edit(status="active")
            world.now += 2 * MINUTE
        minute = world.now
        world.outcomes[self.id] = outcome
        if how == "put off":
            world.sweep(leaving=[self.id])
            world.now += timedelta(seconds=5)
        if how in ("lost", "repeated"):
            world.health.fails = True
            with suppress(TemporarilyUnavailable):
                world.sweep(minute)
            world.health.fails = False
            self.tested(minute, outcome)
            self.is_lost = how == "lost"
            if how == "repeated":
                world.sweep(minute)
        else:
            world.sweep(minute)
            self.tested(minute, outcome)
            self.is_lost = False
        if how.startswith("asked for"):
            world.now = minute + timedelta(seconds=30)
            asked = how[-1]
            world.test_now(self.id, asked)
            self.tested(world.now, asked)
        world.now = minute
        self.compare()

    def edit(self, **changes: object) -> None:
        world = self.world
        old = world.connection(self.id)
        patch = ConnectionPatch.model_validate(changes)
        world.connections.change(old, changed_connection(old, patch, world.now), None)

    def tested(self, at: datetime, outcome: str) -> None:
        number = self.world.number
        ended = self.world.now + timedelta(milliseconds=number)
        self.written.tested(at, outcome, ended, number)

    def compare(self) -> None:
        world, expected = self.world, self.written
        health = world.shown_one(self.id).health
        if expected.last:
            assert health.checked_at == expected.last.ended
            assert health.latency_ms == expected.last.latency_ms
        if self.is_lost:
            return
        assert world.state(self.id) == expected.state
        assert health.status is expected.state.status
        assert world.status(self.id).last_success_at == expected.last_success_at


WAYS = ("missed", "put off", "asked for .", "asked for x", "lost", "repeated", "edited", "paused")
stories = st.lists(
    st.tuples(
        st.sampled_from(".xld!"), st.integers(1, 13), st.sampled_from(("tested",) * 6 + WAYS)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=10, deadline=None)
@given(stories)
def test_what_is_shown_is_what_each_test_would_have_written(
    parts: list[tuple[str, int, str]],
) -> None:
    story = Story()
    for outcome, count, how in parts:
        for number in range(count):
            story.goes_on(outcome, how if number == count // 2 else "tested")


@pytest.mark.parametrize("way", WAYS)
def test_a_long_streak_ends_and_begins_again(way: str) -> None:
    story = Story()
    for outcome in ".x.":
        for number in range(14):
            story.goes_on(outcome, way if number in (0, 12) else "tested")


def test_steady_health_is_not_written() -> None:
    world = PlannedWorld()
    one = world.add()
    world.tests(one, "." * 40)
    state = world.state(one)
    assert (state.successes, state.tests, state.at) == (40, 40, world.now)
    assert world.connection(one).state["successes"] == 10


@pytest.mark.parametrize("between", ["", "!!"])
def test_a_success_that_ends_is_the_last_one_and_what_later_tests_are_compared_with(
    between: str,
) -> None:
    world = PlannedWorld()
    one = world.add()
    world.tests(one, "." * 14)
    passed = world.shown_one(one).health.checked_at
    world.configurations = 2
    world.tests(one, between + "x")
    assert world.status(one).last_success_at == passed
    test = world.history.newest(Subject.connection(ORGANIZATION, one), SPACE, world.now)
    assert test
    assert test.what_changed
    assert test.what_changed.at == passed
    assert test.what_changed.configurations == ["number"]


@pytest.mark.parametrize(
    "changes",
    [{"status": "paused"}, {"monitor": {"enabled": False}}, {"monitor": {"interval": "24h"}}],
)
@pytest.mark.parametrize("outcome", [".", "x"])
def test_an_edit_that_changes_the_plans_writes_what_was_shown(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], outcome: str
) -> None:
    story = Story()
    for _ in range(14):
        story.goes_on(outcome, "tested")
    world = story.world
    before = world.shown_one(story.id).health
    story.edit(**changes)
    after = world.connection(story.id)
    assert after.health == before
    assert HealthState.decode(after.state) == story.written.state
    # And it is not searched for.
    monkeypatch.setattr(RunReader, "_newest_of_space", None)
    world.now += timedelta(minutes=10)
    assert world.shown_one(story.id).health == before


def test_what_stands_in_the_run_counts_and_not_what_was_found_again() -> None:
    story = Story()
    for _ in range(12):
        story.goes_on(".", "tested")
    world = story.world
    for theirs, ours in (("x", "."), ("x", "."), ("x", "."), (".", "x")):
        world.now += MINUTE
        page = world.read(world.now)
        world.outcomes[story.id] = ours
        results = world.ran(page)
        # When another runner is faster, and found something else
        world.outcomes[story.id] = theirs
        world.sweep()
        story.tested(world.now, theirs)
        page.record(results)
        story.compare()
    assert world.announced == ["connection.failing"]
    health = world.shown_one(story.id).health
    assert health.error_code == "auth_invalid"
    assert health.error_message == 'Step "s" failed: auth_invalid.'


@pytest.mark.parametrize("outcome", [".", "x"])
def test_a_message_that_comes_late_changes_no_newer_health(outcome: str) -> None:
    story = Story()
    for number in range(20):
        story.goes_on(outcome, "missed" if number in (3, 13) else "tested")
    world = story.world
    first = world.now - 19 * MINUTE
    for number in (3, 13, 12, 19):
        world.outcomes[story.id] = ".x"[outcome == "."] if number in (3, 13) else outcome
        world.sweep(first + number * MINUTE)
        assert world.state(story.id) == story.written.state
    for _ in range(3):
        story.goes_on(outcome, "tested")


@example([(".", "tested"), ("!", "tested"), (".", "tested")])
@example([(".", "tested"), (".", "missed"), ("!", "tested"), (".", "tested")])
@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("..xd!"),
            st.sampled_from(("tested",) * 4 + ("missed", "put off", "asked for", "changed")),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_each_test_says_what_has_changed_since_the_last_success(
    parts: list[tuple[str, str]],
) -> None:
    world = PlannedWorld()
    one = world.add()
    subject = Subject.connection(ORGANIZATION, one)
    passed: tuple[datetime, int] | None = None
    expected: list[tuple[str, tuple[datetime, int] | None, int]] = []
    for outcome, how in parts:
        world.now += MINUTE
        if how == "missed":
            continue
        if how == "changed":
            world.configurations += 1
        minute = world.now
        if how == "asked for":
            world.now += timedelta(seconds=30)
            world.test_now(one, outcome)
        else:
            world.outcomes[one] = outcome
            if how == "put off":
                world.sweep(leaving=[one])
                world.now += timedelta(seconds=5)
            world.sweep(minute)
        expected.append((outcome, passed, world.configurations))
        if outcome == ".":
            ended = world.now + timedelta(milliseconds=world.number)
            passed = ended, world.configurations
        world.now = minute
    page = world.history.tests(subject, SPACE, ListQuery(limit=100), world.now + MINUTE)
    assert len(page.items) == len(expected)
    for test, (outcome, before, configurations) in zip(reversed(page.items), expected, strict=True):
        assert test.succeeded is (outcome == ".")
        changed = test.what_changed
        if before is None or outcome == "!":
            assert changed is None
        else:
            assert changed
            assert changed.at == before[0]
            assert changed.configurations == (["number"] if before[1] != configurations else [])
        assert world.history.test(subject, SPACE, test.id, world.now + MINUTE) == test
