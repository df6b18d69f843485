"""Sees to it that all that is paused has a mark, and nothing else has, before sweeps rely on it.

    survey   SYSTEM   PAUSES   `since`: from when on each dispatch was one of a release that marks
                               pauses; `after`: the last organization that was looked at; `is_done`

A release without marks changes pauses and leaves marks as they are. So the survey begins when the
watermark was last moved by such a release: in a deployment that is updated, and again in one that
was rolled back for a while. It looks at everything an hour later, when functions of that release
have long ended. Until it is done, sweeps read what is paused from organizations and spaces.

Pauses that begin or end meanwhile are marked by the request that changes them. So the survey writes
a mark, or deletes one, on the condition that the pause still is as it was read.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from patchbay.connections.keys import SYSTEM
from patchbay.monitors.store import WATERMARK
from patchbay.platform.clock import Clock, from_text, to_text
from patchbay.platform.dynamodb import (
    AFTER_ALL,
    PRESENT,
    Check,
    ConditionFailed,
    Delete,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    equals,
    without,
)
from patchbay.platform.errors import PatchbayError
from patchbay.platform.logging import log_exception
from patchbay.tenancy.keys import (
    ALL_ORGANIZATIONS,
    BY_OWNER,
    PAUSED,
    SPACES,
    organization_pause_key,
    organization_pk,
    space_pause_key,
)

SURVEY: Final = Key(SYSTEM, "PAUSES")

WAIT: Final = timedelta(hours=1)
"""From the first dispatch of this release until no function of an earlier one runs: an update takes
minutes, and a function ends within 15."""

ORGANIZATIONS_AT_ONCE: Final = 250
"""In one run: some seconds."""

RESERVE_SECONDS: Final = 15.0
"""No organization is begun when less is left of the function's time."""

_OF_PAUSE: Final = ("pk", "sk", "id", "paused")


@dataclass(frozen=True, slots=True)
class Survey:
    since: datetime
    after: str
    is_done: bool


class PauseSurvey:
    """The survey in the integrations table."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def read(self) -> Survey:
        """The survey as it stands, read before each dispatch. It begins again if the last dispatch
        was one of a release without marks."""
        last = self._table.get(WATERMARK) or {}
        item = self._table.get(SURVEY)
        if item is None or last.get("marked") != last.get("minute"):
            begun = {"since": to_text(self._clock()), "after": "", "is_done": False}
            item = {**SURVEY._asdict(), **begun}
            self._table.write(Put(item))
        return Survey(from_text(item["since"]), item["after"], item["is_done"])

    def go_on(self, survey: Survey, seconds_left: Callable[[], float]) -> None:
        """Looks at some organizations, if it is time. What fails is left to the next run."""
        if survey.is_done or self._clock() < survey.since + WAIT:
            return
        try:
            self._look(survey, seconds_left)
        except PatchbayError as error:
            log_exception("pauses not surveyed", error, after=survey.after)

    def _look(self, survey: Survey, seconds_left: Callable[[], float]) -> None:
        marks = {item["sk"] for item in self._table.query_all(PAUSED, attributes=("sk",))}
        page = self._table.query(
            ALL_ORGANIZATIONS,
            index=BY_OWNER,
            between=(f"{survey.after}!", AFTER_ALL),
            limit=ORGANIZATIONS_AT_ONCE,
        )
        after = survey.after
        for organization in page.items:
            if seconds_left() < RESERVE_SECONDS:
                self._keep(survey, after, is_done=False)
                return
            for mark, item in self._marks_of(organization):
                self._settle(mark, item, marks)
            after = organization["id"]
        self._keep(survey, after, is_done=page.last_key is None)

    def _marks_of(self, organization: Item) -> Iterator[tuple[Key, Item]]:
        """The marks that an organization and its spaces would have, with the items themselves."""
        yield organization_pause_key(organization["id"]), organization
        pk = organization_pk(organization["id"])
        for space in self._table.query_all(pk, prefix=SPACES, attributes=_OF_PAUSE):
            yield space_pause_key(space["id"]), space

    def _settle(self, mark: Key, item: Item, marks: Collection[str]) -> None:
        is_paused = bool(item.get("paused"))
        if is_paused == (mark.sk in marks):
            return
        as_read = equals("paused", True)
        if not is_paused:
            as_read = equals("paused", False) | without("paused")
        same = PRESENT & equals("id", item["id"]) & as_read
        write = Put(mark._asdict()) if is_paused else Delete(mark)
        with suppress(TransactionRefused):  # the request that changed it has marked it
            self._table.transact([Check(Key(item["pk"], item["sk"]), same), write])

    def _keep(self, survey: Survey, after: str, *, is_done: bool) -> None:
        begun = PRESENT & equals("since", to_text(survey.since))
        with suppress(ConditionFailed):  # it has begun again
            self._table.write(
                Update(SURVEY, values={"after": after, "is_done": is_done}, condition=begun)
            )
