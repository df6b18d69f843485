"""Thirty days of monitors, minute by minute, against targets that go down and come up."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from patchbay.connections.health_state import (
    AnnouncementType,
    HealthObservation,
    HealthState,
    next_state,
)
from patchbay.connections.health_status import HealthStatus
from patchbay.connections.wheel import MonitorInterval, on_the_wheel
from patchbay.monitors.wheel import Sweep
from tests.unit.monitors.test_wheel import connection_ids, slots_of

START = datetime(2026, 2, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAYS = 30
LANES = 4


def outages(chance: Random) -> list[tuple[datetime, datetime]]:
    """One a day, which starts at any minute and lasts two to ten hours."""
    found = []
    for day in range(DAYS):
        begin = START + timedelta(days=day, minutes=chance.randrange(0, 12 * 60))
        found.append((begin, begin + timedelta(minutes=chance.randrange(120, 600))))
    return found


def test_each_outage_of_thirty_days_is_announced_once() -> None:
    chance = Random(7)  # noqa: S311 - a repeatable test, no secret
    each = [
        MonitorInterval.MINUTE,
        *[MonitorInterval.FIVE_MINUTES] * 6,
        *[MonitorInterval.QUARTER] * 6,
    ]
    intervals = dict(zip(connection_ids(13), each, strict=True))
    index: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for one, interval in intervals.items():
        place = on_the_wheel(one, interval)
        index[place["monitor_slot_pk"]].append((place["monitor_slot_sk"], one))
    down = {one: outages(chance) for one in intervals}
    states = dict.fromkeys(intervals, HealthState())
    tests = dict.fromkeys(intervals, 0)
    announced: dict[str, list[tuple[AnnouncementType, datetime]]] = {one: [] for one in intervals}
    # When thirty days pass
    for number in range(DAYS * 24 * 60):
        minute = START + number * MINUTE
        for slot in slots_of(minute, LANES):
            sweep = Sweep.of(slot, minute)
            for sort_key, one in index.get(sweep.pk, ()):
                if not sweep.low <= sort_key <= sweep.high:
                    continue
                fails = any(begin <= minute < end for begin, end in down[one])
                # Now and then a packet is lost: a failure without an outage.
                fails = fails or chance.random() < 0.001
                status = HealthStatus.ERROR if fails else HealthStatus.CONNECTED
                tests[one] += 1
                step = next_state(states[one], HealthObservation(minute, status, 5), monitored=True)
                assert step is not None
                states[one] = step.state
                announced[one] += [(transition, minute) for transition in step.announced]
    # Then each connection was tested once per interval
    assert tests == {one: DAYS * 1440 // i.minutes for one, i in intervals.items()}
    for one, interval in intervals.items():
        every = interval.duration
        # And each outage was announced once, three tests after it started, and its end once
        assert len(announced[one]) == 2 * DAYS
        for (failing, at), (recovered, back), (begin, end) in zip(
            announced[one][::2], announced[one][1::2], down[one], strict=True
        ):
            assert (failing, recovered) == (AnnouncementType.FAILING, AnnouncementType.RECOVERED)
            assert begin <= at < begin + 3 * every
            # A lost packet during the recovery makes it wait for two more successes.
            assert end <= back < end + 5 * every
        assert all(a < b for (_, a), (_, b) in pairwise(announced[one]))
