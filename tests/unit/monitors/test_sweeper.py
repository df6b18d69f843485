"""The sweeper over a world in memory: deliveries that are doubled, cut off, late, or poisoned."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from patchbay.checks.report import CheckReport
from patchbay.connection_tests.preparation import PreparationLimits
from patchbay.connections.wheel import MonitorInterval
from patchbay.monitors.dispatcher import Dispatcher
from patchbay.monitors.own_network import OwnEvidence
from patchbay.monitors.store import WheelPage
from patchbay.monitors.sweep_queue import SweepMessage, SweepOrder
from patchbay.monitors.sweeper import (
    AGAIN,
    MAX_HOPS,
    PUT_OFF,
    SMALL_SWEEP,
    Sweeper,
    SweepLimits,
    SweepResult,
)
from patchbay.monitors.wheel import Slot, Sweep
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.strict_json import compact
from tests.unit.monitors.doubles import Killed, World, every_interval, failed, passed
from tests.unit.monitors.test_wheel import connection_ids

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
QUICK = SweepLimits(page=20, in_flight=400, pages_at_once=4, page_seconds=5.0, test_ms=500)
WHOLE = Sweep.of(Slot("1m", 0, 0, 1), NOON)


def minutely(count: int) -> World:
    """This many connections, all of them due each minute."""
    return World(intervals=dict.fromkeys(connection_ids(count), MonitorInterval.MINUTE))


def sweep(
    world: World,
    messages: Iterable[SweepMessage],
    limits: SweepLimits = QUICK,
    remaining: Callable[[], float] = lambda: 60.0,
) -> SweepResult:
    return Sweeper(world, world, world, world, limits).run(list(messages), remaining)


def first(sweep: Sweep = WHOLE, attempts: int = 1) -> SweepMessage:
    return SweepMessage("m", sweep, attempts)


def undone(
    world: World, messages: list[SweepMessage], limits: SweepLimits = QUICK
) -> list[SweepMessage]:
    """The messages of a delivery that are delivered again: all of them if it ended the process."""
    try:
        failed_ids = sweep(world, messages, limits).failed
    except BaseException as ended:
        if isinstance(ended, Exception):
            raise
        return messages
    return [message for message in messages if message.message_id in failed_ids]


def drain(world: World, limits: SweepLimits = QUICK) -> None:
    """Runs until the queue is empty. What failed or was killed is delivered again, as by SQS."""
    again: list[SweepMessage] = []
    for _ in range(10_000):
        if again:
            messages = [again.pop(0)]
        elif world.queue:
            messages = world.delivery()
        else:
            return
        again += [
            replace(message, attempts=message.attempts + 1)
            for message in undone(world, messages, limits)
        ]
    raise AssertionError("the queue is never empty")


def test_a_slot_is_tested_page_by_page_to_its_end() -> None:
    here = minutely(103)
    swept = sweep(here, [first()])
    assert set(here.history) == here.expected([NOON])
    assert set(here.dialed.values()) == {1}
    assert len(swept.reports) == 103
    assert (swept.failed, swept.handed_back, here.queue) == ([], 0, [])


def test_many_tests_are_in_flight_at_once() -> None:
    here = minutely(450)
    here.seconds = dict.fromkeys(here.intervals, 2.0)
    swept = sweep(here, [first()], replace(QUICK, page=250, test_ms=5000))
    assert swept.most_in_flight == 400
    assert set(here.history) == here.expected([NOON])


def test_a_message_that_is_delivered_twice_dials_and_records_once() -> None:
    here = minutely(30)
    for _ in range(2):
        sweep(here, [first()])
    assert set(here.dialed.values()) == {1}
    # If both run at the same time, both may dial, but the history has one test.
    both = minutely(30)
    sweep(both, [first(), first()])
    assert set(both.history) == both.expected([NOON])


def test_a_connection_that_was_paused_or_moved_since_is_not_tested() -> None:
    here = minutely(5)
    gone, moved, *rest = here.intervals
    here.paused.add(gone)
    page = here.read_page(WHOLE, 10)
    here.intervals[moved] = MonitorInterval.DAY
    assert {test.connection_id for test in here.read(page, NOON).due} == set(rest)


def test_a_page_whose_recording_ends_the_process_is_finished_by_the_next_delivery() -> None:
    for crash in range(1, 7):
        here = minutely(103)
        here.kill_at_record = crash
        assert undone(here, [first()]) == [first()]
        # The next delivery is split into small sweeps, and those do the rest.
        sweep(here, [first(attempts=2)])
        drain(here)
        assert set(here.history) == here.expected([NOON])


def test_an_outage_of_the_store_sends_one_page_again_and_no_other() -> None:
    here = minutely(20)
    here.join(connection_ids(60)[40:], MonitorInterval.FIVE_MINUTES)
    here.lost_records = 1
    phases = [Sweep.of(Slot("5m", phase, 0, 1), NOON + phase * MINUTE) for phase in range(5)]
    messages = [SweepMessage(str(n), one, 1) for n, one in enumerate([WHOLE, *phases])]
    swept = sweep(here, messages)
    assert (swept.failed, swept.sent_again) == ([], 1)
    drain(here)
    due = {one for phase in phases for one in here.expected([phase.minute])}
    assert {one for one in due if here.intervals[one[0]] == "5m"} <= set(here.history)
    assert here.expected([NOON]) <= set(here.history)


def test_one_target_that_hangs_or_crashes_does_not_affect_the_others() -> None:
    here = minutely(40)
    hanging, crashing, *rest = here.intervals

    def crash() -> CheckReport:
        raise RuntimeError("out of order")

    here.seconds[hanging] = 60.0
    here.answers[crashing] = crash
    started = time.monotonic()
    swept = sweep(here, [first()], replace(QUICK, page=100))
    assert time.monotonic() - started < 10
    assert swept.failed == []
    assert set(here.history) == here.expected([NOON])
    for one in (hanging, crashing):
        report = here.history[one, NOON]
        assert (report.code, report.blame) == ("internal_error", "platform")
    assert all(here.history[one, NOON].passed for one in rest)


HASTY = PreparationLimits(deadline_seconds=1.0, slice_seconds=0.5, start_seconds=1.0)


def two_organizations(count: int, work: Callable[[], None]) -> tuple[World, set[str], set[str]]:
    """A page of two organizations. Preparing a test of the first one does this work."""
    here = minutely(count)
    costly, others = set(sorted(here.intervals)[::2]), set(sorted(here.intervals)[1::2])
    here.organizations = dict.fromkeys(costly, "costly") | dict.fromkeys(others, "neighbor")
    here.preparing = dict.fromkeys(costly, work)
    return here, costly, others


def compute(seconds: float) -> None:
    """Uses the CPU and holds on to the interpreter as Python code does."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@pytest.mark.parametrize(
    "work",
    [lambda: time.sleep(30.0), lambda: compute(3.0), lambda: compute(0.15)],
    ids=["hangs", "computes past its deadline", "is slow"],
)
def test_an_organization_whose_preparation_is_costly_keeps_no_other_from_its_tests(
    work: Callable[[], None],
) -> None:
    # Given 20 connections whose preparation hangs or is slow, among 20 of a neighbor
    here, costly, others = two_organizations(40, work)
    limits = replace(QUICK, page=100, preparation=HASTY, test_ms=5000)
    started = time.monotonic()
    # When the page is swept
    swept = sweep(here, [first()], limits)
    # Then the neighbor's tests all ran and passed, in a few seconds
    assert time.monotonic() - started < 10
    assert swept.failed == []
    assert all(here.history[one, NOON].passed for one in others)
    # And the organization got its slice; the rest of its tests is a sweep of its own, for later
    tested = {one for one in costly if (one, NOON) in here.history}
    assert 0 < len(tested) < 20
    [order] = here.queue
    rest = order.sweep
    assert (rest.organization_id, rest.minute, order.delay) == ("costly", NOON, PUT_OFF)
    left = {key.sk.removeprefix("CON#") for key in here.read_page(rest, 100).keys}
    assert costly - tested <= left <= costly


def test_tests_that_were_put_off_are_all_done_in_the_end() -> None:
    here, _, _ = two_organizations(40, lambda: compute(0.1))
    here.queue.append(SweepOrder(WHOLE))
    patient = replace(HASTY, deadline_seconds=30.0)
    drain(here, replace(QUICK, page=100, preparation=patient, test_ms=5000))
    assert set(here.history) == here.expected([NOON])
    assert set(here.dialed.values()) == {1}
    assert all(report.passed for report in here.history.values())


def test_a_preparation_that_hangs_is_our_fault_and_not_the_connections() -> None:
    here, costly, _ = two_organizations(2, lambda: time.sleep(5.0))
    sweep(here, [first()], replace(QUICK, preparation=HASTY))
    [report] = [here.history[one, NOON] for one in costly]
    assert (report.code, report.blame) == ("internal_error", "platform")
    assert here.dialed.total() == 1


def unavailable() -> None:
    raise TemporarilyUnavailable


def again(world: World) -> SweepMessage:
    """The one message that was sent again; it comes within a quarter of the minute."""
    [order] = world.queue
    assert timedelta(0) < order.delay <= AGAIN
    [message] = world.delivery()
    assert message.attempts == 2
    return message


def test_a_test_whose_items_are_throttled_has_a_second_attempt_within_the_minute() -> None:
    # Given a page of two organizations, where the items of one can't be read
    here, throttled, others = two_organizations(20, unavailable)
    swept = sweep(here, [first()])
    # Then all the others are tested, and these come again, by themselves
    assert (swept.failed, swept.sent_again) == ([], 1)
    assert {one for one, _ in here.history} == others
    message = again(here)
    assert message.sweep.organization_id == "costly"
    # And then one by one
    assert sweep(here, [message]).failed == []
    sizes = [len(here.read_page(part.sweep, 1000).keys) for part in here.queue]
    assert sizes == [1] * len(throttled)
    here.preparing.clear()
    drain(here)
    assert set(here.history) == here.expected([NOON])
    assert set(here.dialed.values()) == {1}


def test_what_always_fails_is_left_to_the_queue_at_its_second_attempt() -> None:
    here, [broken], _ = two_organizations(2, unavailable)
    sweep(here, [first()])
    message = again(here)
    assert sweep(here, [message]).failed == [message.message_id]
    assert here.queue == []
    # Each further delivery fails too, until the dead letters
    assert sweep(here, [replace(message, attempts=3)]).failed == [message.message_id]
    assert {one for one, _ in here.expected([NOON]) - set(here.history)} == {broken}


def test_an_index_that_is_throttled_is_read_again_within_the_minute() -> None:
    here = minutely(40)
    here.lost_reads = 1
    assert sweep(here, [first()]).failed == []
    assert sweep(here, [again(here)]).failed == []
    drain(here)
    assert set(here.history) == here.expected([NOON])


def test_a_page_that_can_not_be_read_does_not_end_the_pages_before_it() -> None:
    here = minutely(60)
    here.seconds = dict.fromkeys(here.intervals, 0.2)
    read, reads = here.read_page, []

    def second_fails(part: Sweep, limit: int) -> WheelPage:
        reads.append(part)
        if len(reads) == 2:
            raise TemporarilyUnavailable
        return read(part, limit)

    here.read_page = second_fails  # type: ignore[method-assign, assignment]
    sweep(here, [first()])
    assert len(here.history) == 20
    drain(here)
    assert set(here.history) == here.expected([NOON])
    assert set(here.dialed.values()) == {1}


def test_what_can_not_be_sent_again_is_left_to_the_queue() -> None:
    here = minutely(20)
    here.lost_records = here.lost_sends = 1
    swept = sweep(here, [first()])
    assert (swept.failed, swept.sent_again, here.queue) == (["m"], 0, [])


def test_what_does_not_fit_in_the_remaining_time_goes_back_to_the_queue() -> None:
    here = minutely(103)
    left = iter([60.0, 60.0, 60.0] + [1.0] * 100)
    swept = sweep(here, [first()], remaining=lambda: next(left))
    # The remaining time is read when the message starts, and before each page.
    assert (len(here.history), swept.handed_back, swept.failed) == (40, 1, [])
    [order] = here.queue
    rest = order.sweep
    assert (rest.minute, order.delay) == (NOON, timedelta(0))
    assert len(here.read_page(rest, 1000).keys) == 63
    drain(here)
    assert set(here.history) == here.expected([NOON])
    assert set(here.dialed.values()) == {1}


def test_an_invocation_without_time_loses_nothing() -> None:
    here = minutely(30)
    swept = sweep(here, [first()], remaining=lambda: 3.0)
    assert (swept.handed_back, here.history) == (1, {})
    drain(here)
    assert set(here.history) == here.expected([NOON])


def test_a_sweep_that_never_gets_on_ends_among_the_dead_letters() -> None:
    # Lambda does not end such a loop: `RecursiveLoop` is `Allow`
    here = minutely(30)
    here.queue.append(SweepOrder(WHOLE))
    for hop in range(1, MAX_HOPS + 1):
        [message] = here.delivery()
        assert message.sweep.hops == hop
        swept = sweep(here, [message], remaining=lambda: 3.0)
    # The last of them is followed by none, and the queue gives it up
    assert (swept.failed, swept.handed_back, here.queue) == ([message.message_id], 0, [])


@pytest.mark.parametrize("count", [1, 25, 26, 300])
def test_what_always_fails_is_sent_no_more_often_than_there_are_connections(count: int) -> None:
    here = minutely(count)
    here.lost_records = 1_000_000
    here.queue.append(SweepOrder(WHOLE))
    delivered, given_up, most_hops = 0, [], 0
    while here.queue:
        for message in here.delivery():
            delivered += 1
            most_hops = max(most_hops, message.sweep.hops)
            for attempts in range(message.attempts, 5):
                if not sweep(here, [replace(message, attempts=attempts)]).failed:
                    break
            else:
                given_up.append(message.sweep.low)
    # Each connection ends as a dead letter of its own, after a few messages
    assert len(set(given_up)) == len(given_up) == count
    assert delivered <= 4 * count + 2
    assert most_hops <= 7


def test_a_part_of_a_sweep_is_one_message_further() -> None:
    received = SweepMessage.of(
        {
            "messageId": "m",
            "body": compact(SweepOrder(WHOLE).encode()).decode(),
            "attributes": {"ApproximateReceiveCount": "1"},
        }
    )
    assert received.sweep.hops == 1
    for part in (received.sweep.after("a"), received.sweep.only("a", "b")):
        assert Sweep.decode(SweepOrder(part).encode()).delivered().hops == 2
    # One that was sent before there was a count
    old = {name: value for name, value in WHOLE.encode().items() if name != "hops"}
    assert Sweep.decode(old).hops == 0


def test_a_slot_whose_every_target_hangs_is_handed_back_in_time() -> None:
    # Given 80 targets that take their whole second, 8 tests at once, and time for a few rounds
    # in addition to the seconds that a busy machine may take for a page
    here = minutely(80)
    here.seconds = dict.fromkeys(here.intervals, 1.0)
    limits = SweepLimits(page=5, in_flight=8, pages_at_once=4, page_seconds=6.0, test_ms=1000)
    until = time.monotonic() + 10
    swept = sweep(here, [first()], limits, lambda: until - time.monotonic())
    # Then every page that started has ended, and the rest is a new sweep
    assert (swept.failed, swept.handed_back) == ([], 1)
    tested = {one for one, _ in here.history}
    assert set(here.dialed) == set(here.history)
    assert len(tested) >= 15
    [order] = here.queue
    rest = order.sweep
    assert len(here.read_page(rest, 1000).keys) == 80 - len(tested)


def test_a_connection_that_always_ends_the_process_is_isolated_in_the_end() -> None:
    here = minutely(103)
    poison = sorted(here.intervals)[50]

    def die() -> CheckReport:
        raise Killed

    here.answers[poison] = die
    deliveries = {first(): 1}
    dead: list[Sweep] = []
    for _ in range(1000):
        if deliveries:
            message, attempts = deliveries.popitem()
        elif here.queue:
            (message, attempts) = (SweepMessage("m", here.queue.pop(0).sweep, 1), 1)
        else:
            break
        if undone(here, [replace(message, attempts=attempts)]):
            if attempts == 5:  # the queue's maxReceiveCount
                dead.append(message.sweep)
            else:
                deliveries[message] = attempts + 1
    assert {one for one, _ in here.expected([NOON]) - set(here.history)} == {poison}
    assert [here.read_page(one, 10).keys[0].sk for one in dead] == [f"CON#{poison}"]


def test_a_redelivered_sweep_is_split_into_small_ones_and_those_into_single_connections() -> None:
    here = minutely(60)
    assert sweep(here, [first(attempts=2)]).reports == []
    sizes = [len(here.read_page(part.sweep, 1000).keys) for part in here.queue]
    assert sizes == [SMALL_SWEEP, SMALL_SWEEP, 10]
    small = here.queue[-1].sweep
    here.queue.clear()
    sweep(here, [first(small, attempts=2)])
    assert [len(here.read_page(part.sweep, 1000).keys) for part in here.queue] == [1] * 10
    single = here.queue[0].sweep
    here.queue.clear()
    sweep(here, [first(single, attempts=3)])
    assert (len(here.history), here.queue) == (1, [])


def test_a_first_failure_is_re_probed_and_a_success_replaces_it() -> None:
    here = minutely(1)
    [one] = here.intervals
    answers = iter([failed("connection_refused"), passed()])
    here.answers[one] = lambda: next(answers)
    sweep(here, [first()], replace(QUICK, test_ms=5000))
    assert here.history[one, NOON].passed
    assert here.dialed[one, NOON] == 2


def test_a_failure_that_lasts_is_recorded_after_two_re_probes() -> None:
    here = minutely(1)
    [one] = here.intervals
    here.answers[one] = lambda: failed("provider_error")
    sweep(here, [first()], replace(QUICK, test_ms=6000))
    assert here.history[one, NOON].code == "provider_error"
    assert here.dialed[one, NOON] == 3


@pytest.mark.parametrize("code", ["auth_invalid", "rate_limited", "config_invalid", "tls_error"])
def test_a_failure_that_a_second_can_not_change_is_not_re_probed(code: str) -> None:
    here = minutely(1)
    [one] = here.intervals
    here.answers[one] = lambda: failed(code)  # type: ignore[arg-type]  # a code as a string
    sweep(here, [first()], replace(QUICK, test_ms=6000))
    assert here.dialed[one, NOON] == 1


def unreachable(count: int, down: int) -> World:
    """Organizations with a connection each; the first `down` have an unreachable target."""
    here = minutely(count)
    here.organizations = {one: f"org-{number}" for number, one in enumerate(here.intervals)}
    for one in list(here.intervals)[:down]:
        here.answers[one] = lambda: failed("connect_timeout")
    return here


def blamed(world: World) -> int:
    return sum(report.blame == "unknown" for report in world.history.values())


def test_when_nearly_all_organizations_reach_nothing_it_is_our_own_fault() -> None:
    here = unreachable(20, down=17)
    sweep(here, [first()])
    codes = [report.code for report in here.history.values()]
    assert codes.count("monitor_offline") == 17
    assert codes.count(None) == 3
    assert blamed(here) == 0


def test_when_a_few_targets_are_unreachable_it_is_their_own_fault() -> None:
    here = unreachable(20, down=10)
    sweep(here, [first()])
    assert blamed(here) == 10


def test_an_organization_is_one_witness_however_many_targets_it_has() -> None:
    here = unreachable(20, down=20)
    here.organizations = dict.fromkeys(list(here.intervals)[:19], "attacker")
    sweep(here, [first()])
    assert blamed(here) == 20


def test_connections_that_failed_before_are_no_witnesses() -> None:
    here = unreachable(20, down=20)
    here.failing_before = set(list(here.intervals)[:16])
    sweep(here, [first()])
    assert blamed(here) == 20


def test_a_provider_that_is_down_is_one_target_however_many_use_it() -> None:
    here = unreachable(20, down=20)
    here.target_of = lambda _: "https://api.example.com:443"
    sweep(here, [first()])
    assert blamed(here) == 20


def test_evidence_of_our_own_decides_alone() -> None:
    connected = unreachable(20, down=20)
    connected.evidence = OwnEvidence(internet=True, names=True)
    sweep(connected, [first()])
    assert blamed(connected) == 20
    offline = unreachable(20, down=1)
    offline.evidence = OwnEvidence(internet=False)
    sweep(offline, [first()])
    assert blamed(offline) == 0


def test_a_page_whose_targets_are_all_reached_costs_no_look_at_our_own_network() -> None:
    here = minutely(20)
    here.answers[next(iter(here.intervals))] = lambda: failed("auth_invalid")
    sweep(here, [first()])
    assert here.looks == 0


def test_an_outage_of_ours_that_ends_with_the_page_is_not_blamed_on_connections() -> None:
    here = unreachable(20, down=1)
    seen = iter([OwnEvidence(internet=False), OwnEvidence(internet=True)])

    async def look() -> OwnEvidence:
        return next(seen)

    here.look = look  # type: ignore[method-assign]
    sweep(here, [first()])
    assert blamed(here) == 0


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_to_deliveries_every_due_test_is_in_the_history_once(seed: int) -> None:
    """Missed minutes, racing dispatchers, doubled messages, failures, crashes, changed lanes."""
    chance = Random(seed)  # noqa: S311 - a repeatable test, no secret
    here = World(intervals=every_interval(connection_ids(80)), mark=NOON - MINUTE)
    minute, minutes = NOON, []
    for _ in range(6):
        minutes.append(minute)
        # Some minutes have no dispatcher at all: the next one catches up on them.
        if chance.random() < 0.6 or len(minutes) == 6:
            before = here.mark
            Dispatcher(here, here, chance.randint(1, 8)).dispatch(minute)
            if chance.random() < 0.5:
                here.mark = before
                Dispatcher(here, here, chance.randint(1, 8)).dispatch(minute)
        minute += MINUTE
    here.queue += chance.sample(here.queue, k=len(here.queue) // 3)
    chance.shuffle(here.queue)
    here.lost_records = chance.randint(0, 3)
    here.kill_at_record = chance.randint(0, 4)
    drain(here, replace(QUICK, page=chance.randint(1, 30)))
    assert set(here.history) == here.expected(minutes)


def test_a_page_that_fails_does_not_keep_the_pages_after_it_from_their_tests() -> None:
    # Given a sweep of five pages, and a first one that can't be recorded
    here = minutely(100)
    here.lost_records = 1
    swept = sweep(here, [first()], replace(QUICK, pages_at_once=1))
    # Then the other four are tested at once, and only the first one comes again
    assert (swept.failed, len(here.history)) == ([], 80)
    assert len(here.read_page(here.queue[0].sweep, 1000).keys) == 20
    drain(here)
    assert set(here.history) == here.expected([NOON])
    assert max(here.dialed.values()) == 2
    assert sum(here.dialed.values()) == 120
