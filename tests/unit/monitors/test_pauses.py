"""What is paused, by its marks and without them; a short form of the simulation of pauses, of which
`make simulate` runs more."""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.connections.plans import Group, MonitorPlan, PlanPlace
from patchbay.connections.wheel import MonitorInterval
from patchbay.monitors.pause_reader import MARKS_OF_A_UNIT, MARKS_PER_ITEM, PauseReader
from patchbay.monitors.pause_survey import WAIT, PauseSurvey, Survey
from patchbay.platform.dynamodb import Delete, Put, Table
from patchbay.tenancy.keys import (
    ALL_ORGANIZATIONS,
    organization_key,
    organization_pause_key,
    space_key,
    space_pause_key,
)
from tests.simulator.memory_dynamodb import MemoryClient
from tests.simulator.pauses_model import IndexedClient, run_pauses
from tests.simulator.runs_mutants import OF_PAUSES, RuleBroken, found_by


class Reads(MemoryClient):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = 0
        self.items = 0
        self.eventually = True

    def query(self, **request: Any) -> Any:
        self.queries += 1
        return super().query(**request)

    def batch_get_item(self, **request: Any) -> Any:
        [asked] = request["RequestItems"].values()
        self.items += len(asked["Keys"])
        self.eventually &= not asked["ConsistentRead"]
        return super().batch_get_item(**request)


class Pauses:
    """Spaces `0`, `1`, …, of some organizations, one after the other."""

    def __init__(self, spaces: int, organizations: int = 1) -> None:
        self.reads: Any = Reads()
        self.table = Table("integrations", self.reads)
        self.plans = [
            plan_of(f"{number:05d}", f"org_{number % organizations}") for number in range(spaces)
        ]
        for number in range(organizations):
            self.table.write(Put({**organization_key(f"org_{number}")._asdict()}))
        for plan in self.plans:
            self._put_space(plan, paused=False)

    def pause(self, *numbers: int, marked: bool = True) -> None:
        for number in numbers:
            plan = self.plans[number]
            self._put_space(plan, paused=True)
            if marked:
                self.table.write(Put(space_pause_key(plan.space_id)._asdict()))

    def pause_organization(self, number: int, *, marked: bool = True) -> None:
        key, mark = organization_key(f"org_{number}"), organization_pause_key(f"org_{number}")
        self.table.write(Put({**key._asdict(), "paused": True}))
        if marked:
            self.table.write(Put(mark._asdict()))

    def mark_others(self, count: int) -> None:
        """Spaces that are paused, and not of the page: they sort before those of it."""
        for number in range(count):
            self.table.write(Put(space_pause_key(f"-{number:05d}")._asdict()))

    def running(self, *, are_marked: bool = True) -> list[int]:
        found = PauseReader(self.table).running(self.plans, are_marked=are_marked)
        return [int(plan.space) for plan in found]

    def _put_space(self, plan: MonitorPlan, *, paused: bool) -> None:
        key = space_key(plan.organization_id, plan.space)
        self.table.write(Put({**key._asdict(), "id": plan.space_id, "paused": paused}))


def plan_of(space: str, organization_id: str) -> MonitorPlan:
    key = Group(MonitorInterval.MINUTE, f"s{space}").plan_key("con_1")
    return MonitorPlan.new(
        PlanPlace(*key, since=0), organization_id=organization_id, space_id=space, space=space
    )


def but(count: int, *left_out: int) -> list[int]:
    return [number for number in range(count) if number not in left_out]


def test_one_query_says_of_hundreds_of_spaces_that_they_are_not_paused() -> None:
    here = Pauses(250, organizations=250)
    assert here.running() == but(250)
    assert (here.reads.queries, here.reads.items) == (1, 0)


def test_a_space_that_is_marked_is_paused_and_so_is_all_of_an_organization() -> None:
    here = Pauses(12, organizations=3)
    here.pause(4)
    here.pause_organization(2)
    assert here.running() == but(12, 4, 2, 5, 8, 11)
    assert (here.reads.queries, here.reads.items) == (1, 0)


def test_a_page_of_one_space_reads_it_and_its_organization() -> None:
    """Which costs no more than the query, for half the price of a consistent read each."""
    here = Pauses(1)
    assert here.running() == [0]
    here.pause(0)
    assert here.running() == []
    assert (here.reads.queries, here.reads.items, here.reads.eventually) == (0, 4, True)


def test_while_not_all_pauses_are_marked_each_space_is_read() -> None:
    here = Pauses(20)
    here.pause(3, marked=False)
    assert here.running(are_marked=False) == but(20, 3)
    here.pause_organization(0, marked=False)
    assert here.running(are_marked=False) == []
    assert here.reads.queries == 0


def test_an_organization_that_is_gone_counts_as_paused_and_a_space_does_not() -> None:
    here = Pauses(3)
    here.plans = [plan_of("00001", "org_gone"), plan_of("00007", "org_0"), *here.plans]
    assert here.running(are_marked=False) == [7, 0, 1, 2]


@pytest.mark.parametrize("spaces", [3, 40, 250])
def test_however_many_are_paused_a_page_reads_only_some_of_the_marks(spaces: int) -> None:
    here = Pauses(spaces)
    most = max(MARKS_OF_A_UNIT, MARKS_PER_ITEM * (spaces + 1))
    here.mark_others(most + 1)
    here.pause(1)
    assert here.running() == but(spaces, 1)
    # The organization sorts before the marks that were read, and the spaces after them
    assert (here.reads.queries, here.reads.items) == (1, spaces)


NUMBERS = st.sets(st.integers(0, 19))


@given(paused=NUMBERS, organizations=st.sets(st.integers(0, 4)), others=st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_marks_say_the_same_as_what_is_paused(
    paused: set[int], organizations: set[int], others: int
) -> None:
    here = Pauses(20, organizations=5)
    here.mark_others(others)
    here.pause(*paused)
    for number in organizations:
        here.pause_organization(number)
    expected = [n for n in range(20) if n not in paused and n % 5 not in organizations]
    assert here.running() == here.running(are_marked=False) == expected


# ---------------------------------------------------------------- updates, rollbacks, and faults


@pytest.fixture
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("seeds", [range(1, 5), range(100, 104)], ids=str)
def test_no_pause_is_missed_or_made_up_whatever_release_runs(seeds: Sequence[int]) -> None:
    outcome = run_pauses(seeds)
    assert outcome.marked > 200
    assert outcome.read > 200
    assert {"updates", "rollbacks", "edits as before", "crashes"} <= outcome.happened.keys()


class EditedMeanwhile(IndexedClient):
    """An edit is made just before the first transaction after it is set."""

    def __init__(self) -> None:
        super().__init__(Random(1))  # noqa: S311 - a repeatable test, no secret
        self.edit: Callable[[], None] | None = None

    def transact_write_items(self, **request: Any) -> Any:
        edit, self.edit = self.edit, None
        if edit:
            edit()
        return super().transact_write_items(**request)


@pytest.mark.parametrize("was_paused", [True, False])
def test_a_survey_leaves_the_mark_of_an_edit_that_was_made_after_it_had_read(
    was_paused: bool,
) -> None:
    """Too seldom met by chance: between the survey's read of a space and its write."""
    client: Any = EditedMeanwhile()
    table, mark = Table("integrations", client), space_pause_key("spc_1")
    owned = {"by_owner_pk": ALL_ORGANIZATIONS, "by_owner_sk": "org_1"}
    table.write(Put({**organization_key("org_1")._asdict(), "id": "org_1", **owned}))

    def put_space(*, paused: bool, marked: bool) -> None:
        key = space_key("org_1", "main")
        table.write(Put({**key._asdict(), "id": "spc_1", "paused": paused}))
        table.write(Put(mark._asdict()) if marked else Delete(mark))

    # An earlier release has changed the pause, and not the mark
    put_space(paused=was_paused, marked=not was_paused)
    now = datetime(2026, 2, 17, tzinfo=UTC)
    survey = PauseSurvey(table, lambda: now + WAIT)
    client.settle()
    client.edit = lambda: put_space(paused=not was_paused, marked=not was_paused)
    survey.go_on(Survey(now, "", is_done=False), lambda: 100.0)
    assert client.edit is None
    assert (table.get(mark) is not None) is not was_paused


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("rule", OF_PAUSES, ids=[rule.name for rule in OF_PAUSES])
def test_a_broken_rule_is_found(rule: RuleBroken) -> None:
    assert found_by(rule, most=60, run=run_pauses)
