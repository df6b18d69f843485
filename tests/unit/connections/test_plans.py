"""Plans as items of the wheel."""

from patchbay.connections.plans import Group, MonitorPlan
from patchbay.connections.wheel import MonitorInterval
from patchbay.platform.dynamodb import Key

CONNECTION = "con_01ARZ3NDEKTSV4RRFFQ69G5FAV"
GROUP = Group(MonitorInterval.FIVE_MINUTES, "s01ARZ3NDEKTSV4RRFFQ69G5FAV", 3)


def plan(since: int = 0, until: int | None = None, snapshot: bytes | None = None) -> MonitorPlan:
    return MonitorPlan(
        key=GROUP.plan_key(CONNECTION),
        group=GROUP,
        organization_id="org_1",
        space_id="spc_1",
        space="production",
        connection_id=CONNECTION,
        since=since,
        until=until,
        revision=7,
        health={"state": {"tests": 4}},
        snapshot=snapshot,
    )


def test_a_plan_is_read_as_it_was_written() -> None:
    for one in (plan(), plan(5, 9, b"items")):
        assert MonitorPlan.read(one.item()) == one


def test_a_group_is_in_one_phase_and_one_lane() -> None:
    keys = [GROUP.plan_key(f"con_{number:026d}") for number in range(20)]
    assert len({key.pk for key in keys}) == len({key.sk[:4] for key in keys}) == 1
    assert {Group.of_key(key) for key in keys} == {GROUP}
    assert GROUP.phase < 5
    assert GROUP.slot == "5m#3"
    phases = {Group(MonitorInterval.HOUR, f"s{number}").phase for number in range(500)}
    assert len(phases) == 60


def test_a_plan_is_due_from_a_minute_on_and_before_another() -> None:
    assert [minute for minute in range(8) if plan(2, 5).is_due(minute)] == [2, 3, 4]
    assert plan(2).is_due(1_000_000)


def test_the_key_names_the_group() -> None:
    key = Key("WHEEL#1h#7", f"00ff#p12#0#{CONNECTION}")
    assert Group.of_key(key) == Group(MonitorInterval.HOUR, "p12", 0)
