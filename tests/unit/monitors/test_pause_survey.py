"""How a deployment that is updated, or was rolled back, comes to rely on marks of pauses."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from patchbay.monitors import pause_survey
from patchbay.monitors.pause_survey import WAIT, PauseSurvey
from patchbay.monitors.store import WATERMARK, MonitorStore
from patchbay.platform.clock import to_text
from patchbay.platform.dynamodb import Delete, Put, Table, Update
from patchbay.platform.ids import Stamp
from patchbay.tenancy.keys import PAUSED, organization_key, space_key
from patchbay.tenancy.model import NewOrganization, NewSpace, OrganizationPatch, Space, SpacePatch
from patchbay.tenancy.quotas import Quotas
from patchbay.tenancy.store import TenancyStore
from tests.simulator.pauses_model import IndexedClient

START = datetime(2026, 2, 17, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Index(Random):
    """Whether it is behind the table."""

    is_behind = False

    def random(self) -> float:
        return 0.0 if self.is_behind else 1.0


class Deployment:
    """With one organization, and two spaces of it."""

    def __init__(self) -> None:
        self.index = Index()
        self.client: Any = IndexedClient(self.index)
        self.now = START
        self.table = Table("integrations", self.client)
        self.tenants = TenancyStore(self.table, Quotas(self.table, lambda _: 100))
        self.survey = PauseSurvey(self.table, lambda: self.now)
        self.organization = self.add()
        self.spaces = [self.add_space(slug) for slug in ("one", "two")]

    def add(self) -> str:
        made = self.tenants.create_organization(NewOrganization(name="o"), Stamp.fresh(self.now))
        return made.id

    def add_space(self, slug: str) -> Space:
        new = NewSpace(slug=slug, name="s")
        return self.tenants.create_space(self.organization, new, Stamp.fresh(self.now))

    def pauses_as_before(self, slug: str, *, paused: bool = True) -> None:
        """As a release that marks nothing."""
        self.table.write(Update(space_key(self.organization, slug), values={"paused": paused}))

    def pauses(self, slug: str, *, paused: bool = True) -> None:
        self.tenants.change_space(slug, SpacePatch(paused=paused), None, self.now)

    def dispatches(self, minutes: int = 1, seconds_left: float = 100.0) -> bool:
        """Whether sweeps relied on marks at the last of these minutes."""
        for _ in range(minutes):
            self.now += MINUTE
            survey = self.survey.read()
            MonitorStore(self.table).advance(self.now)
            self.survey.go_on(survey, lambda: seconds_left)
        return survey.is_done

    def dispatches_as_before(self) -> None:
        self.now += MINUTE
        self.table.write(Update(WATERMARK, values={"minute": to_text(self.now)}))

    def marks(self) -> set[str]:
        return {item["sk"] for item in self.table.query_all(PAUSED)}

    def marks_of(self, *numbers: int) -> set[str]:
        return {f"SPACE#{self.spaces[number].id}" for number in numbers}


def test_what_was_paused_before_the_update_is_marked_an_hour_after_it() -> None:
    here = Deployment()
    here.dispatches_as_before()
    here.pauses_as_before("one")
    assert not here.dispatches(WAIT // MINUTE)
    assert here.marks() == set()
    assert not here.dispatches()
    assert here.marks() == here.marks_of(0)
    assert here.dispatches()


def test_what_is_paused_or_resumed_meanwhile_is_marked_at_once() -> None:
    here = Deployment()
    here.pauses("one")
    here.pauses("two")
    here.pauses("one", paused=False)
    here.tenants.change_organization(
        here.organization, OrganizationPatch(paused=True), None, here.now
    )
    assert here.marks() == here.marks_of(1) | {f"ORG#{here.organization}"}
    assert here.dispatches(70)
    assert here.marks() == here.marks_of(1) | {f"ORG#{here.organization}"}


def test_an_edit_that_pauses_nothing_marks_nothing_and_a_deleted_space_has_no_mark() -> None:
    here = Deployment()
    here.tenants.change_space("one", SpacePatch(name="New"), None, here.now)
    assert here.marks() == set()
    here.pauses("one")
    here.tenants.change_space("one", SpacePatch(name="Newer"), None, here.now)
    assert here.marks() == here.marks_of(0)
    here.tenants.delete_space("one", None)
    assert here.marks() == set()


def test_after_a_rollback_sweeps_rely_on_marks_no_more_until_all_are_right_again() -> None:
    here = Deployment()
    here.pauses("one")
    assert here.dispatches(70)
    # When a release without marks resumes the one, and pauses the other
    here.dispatches_as_before()
    here.pauses_as_before("one", paused=False)
    here.pauses_as_before("two")
    # Then the first dispatch after the next update notices
    assert not here.dispatches()
    assert not here.dispatches(WAIT // MINUTE)
    assert here.dispatches(2)
    assert here.marks() == here.marks_of(1)


def test_a_survey_of_many_organizations_takes_several_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause_survey, "ORGANIZATIONS_AT_ONCE", 2)
    here = Deployment()
    others = [here.add() for _ in range(3)]
    for one in others:
        here.table.write(Update(organization_key(one), values={"paused": True}))
    assert not here.dispatches(WAIT // MINUTE + 1)
    assert 0 < len(here.marks()) < 3
    assert not here.dispatches()
    assert here.marks() == {f"ORG#{one}" for one in others}
    assert here.dispatches()


def test_a_run_without_time_leaves_the_survey_to_the_next() -> None:
    here = Deployment()
    here.pauses_as_before("one")
    assert not here.dispatches(70, seconds_left=1.0)
    assert here.marks() == set()
    assert here.dispatches(2)
    assert here.marks() == here.marks_of(0)


def test_an_organization_that_is_being_erased_keeps_its_mark() -> None:
    """Its item is gone, but the index may still show it."""
    here = Deployment()
    mark = {"pk": PAUSED, "sk": f"ORG#{here.organization}"}
    here.client.settle()
    here.table.transact([Delete(organization_key(here.organization)), Put(mark)])
    here.index.is_behind = True
    assert here.dispatches(70)
    assert here.marks() == {mark["sk"]}
