"""Evaluating only what is due comes to the same, in the same minutes, as evaluating everything."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import NAMESPACE_OID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.alerts.rule_model import NewAlertRule
from patchbay.alerts.rule_store import _watched
from patchbay.alerts.schedule import (
    LOOK_MINUTES,
    QUARTER_MINUTES,
    SETTLE_MINUTES,
    at_once,
    each_hour,
    each_quarter,
    looked_at,
    next_entry,
    phase_of,
)
from patchbay.alerts.watched_spaces import WatchedSpaces
from patchbay.connections.health_status import FAILING, HealthStatus
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.wheel import minute_number
from patchbay.health.model import EventOutline, EventStatus, IntegrationType
from patchbay.platform.validation import read_strictly
from tests.unit.alerts.worlds import SPACE, START, History, World, a_connection

MINUTE = timedelta(minutes=1)
TYPES = (IntegrationType.WEBHOOK, IntegrationType.PROFILING, IntegrationType.CONNECTION_TEST)


@dataclass(frozen=True)
class Happening:
    """Something at a second after the last evaluation of a minute. `wakes` is whether the product
    wakes the space for it."""

    minute: int
    second: float
    kind: str
    number: int = 1
    of: int = 0
    fault: bool = False
    in_new_process: bool = False

    @property
    def at(self) -> datetime:
        return START + (self.minute - 1) * MINUTE + timedelta(seconds=self.second)

    def wakes(self, history: History) -> bool:
        match self.kind:
            case "error":
                return not self.fault
            case "down":
                return history.connections[f"con_{self.of}"].status not in FAILING
            case "active" | "resume":
                return True
            case _:
                return False

    def apply(self, history: History) -> None:
        name = f"con_{self.of}"
        match self.kind:
            case "error" | "success":
                status = EventStatus.ERROR if self.kind == "error" else EventStatus.SUCCESS
                kind = TYPES[self.of]
                history.events += [
                    EventOutline(kind, status, self.at, name, self.fault)
                ] * self.number
            case "down" | "up":
                status_of = HealthStatus.ERROR if self.kind == "down" else HealthStatus.CONNECTED
                self._change(history, name, status=status_of)
            case "paused" | "active":
                lifecycle = Lifecycle(self.kind)
                self._change(history, name, lifecycle=lifecycle, watched_since=self.at)
            case "pause":
                history.space = history.space.model_copy(update={"paused": True})
            case "resume":
                update = {"paused": False, "resumed_at": self.at}
                history.space = history.space.model_copy(update=update)

    def _change(self, history: History, name: str, **changes: Any) -> None:
        history.connections[name] = replace(history.connections[name], **changes)


MINUTES = 150
HAPPENINGS = st.builds(
    Happening,
    minute=st.integers(1, MINUTES - 40),
    second=st.floats(0.001, 59.9).map(lambda second: round(second, 3)),
    kind=st.sampled_from(
        ["error", "success", "success", "down", "up", "paused", "active", "pause", "resume"]
    ),
    number=st.integers(1, 12),
    of=st.integers(0, 2),
    fault=st.booleans().map(bool),
    in_new_process=st.booleans(),
)
SCOPES = st.sampled_from(
    [{}, {"per": "integration_type"}, {"per": "connection"}, {"integration_type": "webhook"}]
)
WINDOWS = st.sampled_from([(300, 300), (300, 900), (900, 3600), (3600, 3600), (3600, 7200)])


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    match draw(st.sampled_from(["success_rate", "success_rate", "stale", "connection_down"])):
        case "success_rate":
            short, long = draw(WINDOWS)
            return {
                "kind": "success_rate",
                "threshold": draw(st.sampled_from([50, 90, 99.5, 100])),
                "short_window_seconds": short,
                "long_window_seconds": long,
                "minimum_events": draw(st.integers(1, 15)),
                **draw(SCOPES),
            }
        case "stale":
            after = draw(st.sampled_from([300, 1000, 1800, 4000]))
            return {"kind": "stale", "after_seconds": after, **draw(SCOPES)}
        case _:
            return {"kind": "connection_down"}


def rule(condition: dict[str, Any], *times: int) -> NewAlertRule:
    names = ("for_seconds", "keep_firing_for_seconds", "reminder_seconds")
    body = {"name": "r", "condition": condition, **dict(zip(names, times, strict=False))}
    return read_strictly(NewAlertRule, body)


RULES = st.lists(
    st.builds(
        rule,
        conditions(),
        st.sampled_from([0, 60, 300]),
        st.sampled_from([0, 120]),
        st.sampled_from([0, 300]),
    ),
    min_size=1,
    max_size=3,
)


def run(
    rules: list[NewAlertRule], happenings: list[Happening], *, lost: bool = False
) -> tuple[World, World, History]:
    """The same history, evaluated each minute as a whole, and as it is due."""
    history = History()
    for number in range(3):
        one = a_connection(number, HealthStatus.CONNECTED, START)
        history.connections[one.id] = one
    each, due = World(history, rules), World(history, rules)
    for minute in range(MINUTES):
        for happening in sorted(happenings, key=lambda one: one.at):
            if happening.minute == minute:
                due.now = happening.at
                if happening.wakes(history) and not lost:
                    wake = due.waker() if happening.in_new_process else due.wake
                    wake([SPACE])
                happening.apply(history)
        each.minute(START + minute * MINUTE, everything=True)
        due.minute(START + minute * MINUTE)
    return each, due, history


@given(rules=RULES, happenings=st.lists(HAPPENINGS, max_size=25))
@settings(max_examples=40, deadline=None)
def test_the_same_alerts_open_fire_and_end_in_the_same_minutes(
    rules: list[NewAlertRule], happenings: list[Happening]
) -> None:
    each, due, _ = run(rules, happenings)
    assert due.written == each.written
    assert due.evaluations <= each.evaluations


def rate(**changes: Any) -> dict[str, Any]:
    windows = {"short_window_seconds": 300, "long_window_seconds": 300}
    return {"kind": "success_rate", "threshold": 50, "minimum_events": 1, **windows, **changes}


HOUR = {"short_window_seconds": 3600, "long_window_seconds": 3600}


@pytest.mark.parametrize(
    ("condition", "happenings", "fires"),
    [
        pytest.param(
            rate(threshold=95, minimum_events=10, **HOUR),
            [Happening(5, 10, "error"), Happening(30, 10, "success", 11)],
            30,
            id="successes make an error of before enough events",
        ),
        pytest.param(
            rate(),
            [Happening(2, 10, "success", 10), Happening(4, 10, "error", 3)],
            7,
            id="successes leave an exact window",
        ),
        pytest.param(
            rate(per="connection"),
            [Happening(2, 10, "success", 10), Happening(4, 10, "error", 3)],
            7,
            id="successes of a connection leave its window",
        ),
        pytest.param(
            rate(**HOUR),
            [Happening(2, 10, "success", 10), Happening(24, 10, "error", 3)],
            79,
            id="a window of whole hours moves on",
        ),
        pytest.param(
            rate(long_window_seconds=3600),
            [Happening(2, 10, "success", 4), Happening(78, 10, "error", 3)],
            79,
            id="the long window moves on",
        ),
        pytest.param(
            {"kind": "stale", "after_seconds": 300, "per": "integration_type"},
            [Happening(20, 10, "success")],
            25,
            id="a type that is new is stale after its time",
        ),
        pytest.param(
            {"kind": "stale", "after_seconds": 4000},
            [Happening(20, 10, "success")],
            86,
            id="the last success is long ago",
        ),
        pytest.param(
            {"kind": "connection_down"}, [Happening(20, 10, "down")], 20, id="a connection fails"
        ),
    ],
)
def test_what_only_time_or_successes_change_is_due_in_its_minute(
    condition: dict[str, Any], happenings: list[Happening], fires: int
) -> None:
    each, due, _ = run([rule(condition)], happenings)
    assert [one.minute for one in due.written if one.phase == "firing"][:1] == [fires]
    assert due.written == each.written
    assert due.evaluations <= each.evaluations


def test_a_quiet_space_is_looked_at_each_hour_and_nothing_is_written() -> None:
    rules = [rule(rate(**HOUR)), rule({"kind": "connection_down"})]
    successes = [Happening(minute, 1, "success") for minute in range(1, MINUTES)]
    _, due, _ = run(rules, successes)
    # Some minutes after it was created, and then its looks
    assert due.evaluations <= SETTLE_MINUTES + 1 + MINUTES // LOOK_MINUTES + 1
    # It became quiet by one write; another made its rule
    assert due.table.writes == len(rules) + 1


@pytest.mark.parametrize(
    ("after", "every"),
    [(1200, QUARTER_MINUTES), (3600, QUARTER_MINUTES), (4200, QUARTER_MINUTES), (7200, 60)],
)
def test_silence_that_is_always_near_moves_nothing(after: int, every: int) -> None:
    rules = [rule({"kind": "stale", "after_seconds": after})]
    successes = [Happening(minute, 1, "success") for minute in range(1, MINUTES, 3)]
    _, due, _ = run(rules, successes)
    assert due.evaluations <= SETTLE_MINUTES + 1 + MINUTES // every + 1
    assert due.table.writes == len(rules) + 1


@pytest.mark.parametrize(
    ("minutes", "of_hourly", "of_another"),
    [
        (None, "hour", "hour"),
        (0, "due", "due"),
        (1, "due", "due"),
        (9, "minute", "minute"),
        # Its look in a quarter of an hour is in ten minutes, and each hour in forty
        (10, "quarter", "quarter"),
        (39, "quarter", "quarter"),
        (40, "hour", "quarter"),
        (74, "hour", "quarter"),
        (75, "hour", "hour"),
    ],
)
def test_a_space_has_a_look_before_time_may_change_something(
    monkeypatch: pytest.MonkeyPatch, minutes: int | None, of_hourly: str, of_another: str
) -> None:
    phase = (minute_number(START) + 40) % LOOK_MINUTES
    monkeypatch.setattr("patchbay.alerts.schedule.phase_of", lambda _: phase)
    change = None if minutes is None else START + minutes * MINUTE
    places = {each_hour(SPACE): "hour", each_quarter(SPACE): "quarter", at_once(SPACE): "due"}
    for place, expected in (
        (each_hour(SPACE), of_hourly),
        (each_quarter(SPACE), of_another),
        (at_once(SPACE), of_another),
    ):
        found = next_entry(SPACE, START, change, 0, place.sk)
        assert places.get(found, "minute") == expected


def test_each_minute_has_its_looks() -> None:
    """A space is found in its minute of the hour, or of each quarter, and in no other."""
    for number in range(50):
        space_id = str(uuid5(NAMESPACE_OID, str(number)))
        for entry, every in ((each_hour(space_id), 60), (each_quarter(space_id), 15)):
            found = [
                minute
                for minute in range(120)
                for pk, (first, last) in looked_at(minute)
                if pk == entry.pk and first <= entry.sk <= last
            ]
            assert found == [*range(phase_of(space_id) % every, 120, every)]


def writes_of(rules: list[NewAlertRule], every: int) -> tuple[int, int]:
    """Writes of an index or a watch while a connection fails every so many minutes, each time in
    another process, and the number of its failures."""
    failures = [
        Happening(minute, 10, "error", in_new_process=True) for minute in range(20, 110, every)
    ]
    _, due, _ = run(rules, failures)
    return due.table.writes - len(rules), len(failures)


@pytest.mark.parametrize("every", [1, 5])
def test_errors_while_an_alert_fires_write_nothing(every: int) -> None:
    writes, failures = writes_of([rule(rate(**HOUR))], every)
    assert failures >= 18
    # Quiet, woken, firing; it fires to the end
    assert writes == 3


@pytest.mark.parametrize(("every", "writes"), [(1, 90 // 4), (5, 90 // 5)])
def test_errors_that_no_alert_fires_of_wake_once_in_some_minutes(every: int, writes: int) -> None:
    found, _ = writes_of([rule(rate(minimum_events=1000))], every)
    assert found <= writes + 3


@pytest.mark.parametrize("minutes", range(1, 16))
def test_what_trusted_in_an_alert_that_ended_is_evaluated(minutes: int) -> None:
    happenings = [
        Happening(20, 10, "error"),
        # This process reads that the space is awake, just before the alert ends
        Happening(22, 20, "error"),
        Happening(22, 40, "success", 20),
        Happening(22 + minutes, 10, "error", 40),
    ]
    each, due, _ = run([rule(rate())], happenings)
    assert due.written == each.written
    fired = [one.minute for one in due.written if one.phase == "firing"]
    assert fired == [20, 22 + minutes]


@given(second=st.floats(0.001, 59.9), minute=st.integers(1, 60))
@settings(max_examples=10, deadline=None)
def test_without_its_wake_an_alert_is_late_by_an_hour_at_most(second: float, minute: int) -> None:
    rules = [rule(rate(**HOUR)), rule({"kind": "connection_down"})]
    happenings = [Happening(minute, second, "error"), Happening(minute, second, "down", of=1)]
    each, due, _ = run(rules, happenings, lost=True)
    assert [one.minute for one in each.written] == [minute] * 2
    assert len(due.written) == 2
    assert all(minute <= one.minute <= minute + LOOK_MINUTES for one in due.written)


def test_rules_are_read_until_no_function_of_an_older_release_changes_them_and_then_if_they_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(History(), [rule({"kind": "connection_down"})])
    watched = WatchedSpaces(cast(Any, world.table))
    reads: list[int] = []
    query_all = world.table.query_all

    def noting(pk: str, **narrowed: Any) -> Any:
        if narrowed.get("prefix") == "RULE#":
            reads.append(minute)
        return query_all(pk, **narrowed)

    monkeypatch.setattr(world.table, "query_all", noting)
    for minute in range(0, 1000, 5):
        if minute == 500:
            world.table.write(_watched(SPACE, START))
        assert len(watched.read(SPACE, START + minute * MINUTE).rules) == 1
    assert reads == [0, 60, 500]
