"""Each rule of runs, the wheel, and pauses, broken: the simulator must find each of these faults.

A mutation replaces a piece of the product's source, and is in force for all who imported it.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from inspect import getsource
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from patchbay.platform.logging import logger
from tests.simulator.runs_model import run_schedules
from tests.simulator.wheel_model import Difference


class RuleBroken(NamedTuple):
    """`first` is a schedule that finds it; if the code has changed, another one may."""

    name: str
    module: str
    old: str
    new: str
    first: int = 1


RULES: Final = (
    RuleBroken("a run is put over another one", "runs.run_items", "ABSENT,\n", "None,\n"),
    RuleBroken(
        "a standing run is not counted late",
        "runs.store",
        "self._count_if_due(stands)\n        singles = self._put_singles(run.without",
        "if stands is run:\n            self._count_if_due(stands)\n"
        "        singles = self._put_singles(run.without",
    ),
    RuleBroken(
        "bits are not looked at",
        "runs.day",
        "return bool(bits.get(key.series, 0) >> key.minute % MINUTES_OF_DAY & 1)",
        "return False",
    ),
    RuleBroken(
        "a day is written over another one",
        "runs.store",
        'return equals("rev", revision) if revision else ABSENT',
        "return None",
    ),
    RuleBroken("no grace", "runs.store", "upto = minute - GRACE", "upto = minute"),
    RuleBroken(
        "late only if a fold has passed",
        "runs.store",
        "if day.is_counted(run.key):\n            return True",
        "if day.is_counted(run.key) or day.is_in_tail(run.key):\n            return True",
        first=13,
    ),
    RuleBroken("never late", "runs.store", ">= LATE:\n", ">= 10**9:\n"),
    RuleBroken(
        "the clock is read before the run is put",
        "runs.store",
        "self._prepare(run, shapes, previous)\n        item, stands = self._put_once(run)\n"
        "        self._count_if_due(stands)",
        "late = self._minute() - run.key.minute >= LATE\n"
        "        self._prepare(run, shapes, previous)\n        item, stands = self._put_once(run)\n"
        "        if late or run.key.cell.at_once:\n            self.count(stands)",
        first=3,
    ),
    RuleBroken(
        "a fold passes a space of a pool without its runs",
        "runs.store",
        "for run in runs if (of := run.of_space(found.space_id))]",
        "for run in runs if (of := run.of_space(found.space_id)) and found is days[0]]",
    ),
    RuleBroken(
        "a busy cell is counted by chance",
        "runs.store",
        "run.key.cell.at_once or self._minute()",
        "self._minute()",
    ),
    RuleBroken(
        "a cell is not named before its first run",
        "runs.store",
        "self._write_day(day.with_cell(key.cell, key.minute))",
        "return",
    ),
    RuleBroken(
        "a second cell is not named",
        "runs.store",
        "isinstance(day, ClosedDay) or key.cell.within_space in day.through",
        "isinstance(day, ClosedDay) or day.through",
        first=2,
    ),
    RuleBroken(
        "a new cell has been passed up to its first run",
        "runs.day",
        "max(first, minute - GRACE) - 1",
        "max(first, minute + 1) - 1",
    ),
    RuleBroken(
        "yesterday's run proves today's notes",
        "runs.store",
        "known = previous if previous and previous.key.day == run.key.day else None",
        "known = previous",
        first=21,
    ),
    RuleBroken(
        "a single repeats what stands",
        "runs.store",
        "singles = self._put_singles(run.without(stands.by_connection))",
        "singles = self._put_singles(run)",
    ),
    RuleBroken(
        "a test that the standing run lacks is lost",
        "runs.store",
        "singles = self._put_singles(run.without(stands.by_connection))",
        "singles: tuple[Run, ...] = ()",
        first=5,
    ),
    RuleBroken(
        "what others have put is not counted late",
        "runs.store",
        "for run in runs:\n            self._count_if_due(run)",
        "for run in ():\n            self._count_if_due(run)",
    ),
    RuleBroken(
        "a shape is not stored again when it changes",
        "runs.store",
        "or last.shape != entry.shape\n",
        "",
        first=5,
    ),
    RuleBroken(
        "a day is closed without its segments",
        "runs.folding",
        "if not self._segment.entries:",
        "if self:",
        first=4,
    ),
    RuleBroken(
        "a day is closed over another one",
        "runs.folding",
        "[Put(day.item, unchanged), Put(hours.item)]",
        "[Put(day.item), Put(hours.item)]",
        first=13,
    ),
    RuleBroken(
        "what a closing finds uncounted stays so",
        "runs.folding",
        "if not self._day.is_counted(run.key):",
        "if not self:",
        first=6,
    ),
    RuleBroken(
        "a closing reads one cell only",
        "runs.folding",
        "for cell in days[0].cells),",
        "for cell in days[0].cells[:1]),",
        first=4,
    ),
    RuleBroken(
        "a late run of a closed day has no segment",
        "runs.store",
        "late = [TimedEntry(run.key.minute, entry) for entry in run.entries]",
        "late: list[TimedEntry] = []",
        first=4,
    ),
    RuleBroken(
        "a late run of a closed day is counted again",
        "runs.store",
        "if hours.is_counted(run.key):\n            return True",
        "if hours is None:\n            return True",
        first=3,
    ),
    RuleBroken(
        "the hours of a closed day are written over others",
        "runs.store",
        'unchanged = equals("rev", day.revision)',
        "unchanged = None",
        first=8,
    ),
    RuleBroken(
        "a run is recorded after it expired",
        "runs.store",
        "raise RunTooLate",
        "pass",
        first=17,
    ),
    RuleBroken(
        "a plan goes on after its last minute",
        "connections.plans",
        "(self.until is None or minute < self.until)",
        "True",
    ),
    RuleBroken(
        "a plan begins before its first minute",
        "connections.plans",
        "self.since <= minute and ",
        "",
    ),
    RuleBroken(
        "the index has minutes that a plan has",
        "monitors.page_reader",
        "if connection.plans and (first is None or minute_number(minute) >= first):",
        "if first is False:",
        first=3,
    ),
    RuleBroken(
        "a plan ends before the next one begins",
        "connections.plan_moves",
        "plans = (*plans[:-1], plans[-1]._replace(until=start))",
        "plans = (*plans[:-1], plans[-1]._replace(until=minute))",
    ),
    RuleBroken(
        "an old plan is deleted at once",
        "connections.plan_moves",
        "plans = (*plans[:-1], plans[-1]._replace(until=start))",
        "plans = ()",
    ),
    RuleBroken(
        "a move counts at once",
        "connections.plan_moves",
        "start = max(first, layout.since, minute + MARGIN)",
        "start = minute",
    ),
    RuleBroken(
        "a connection leaves the index at once",
        "connections.plan_moves",
        "leaves_index = work.is_last and any(name in item for name in INDEX_ATTRIBUTES)\n"
        "        is_settled = not work.is_last or all(place.until is None for place in moved)\n"
        "        if leaves_index and moved and _planned_from(connection, moved) > ended:",
        "leaves_index = any(name in item for name in INDEX_ATTRIBUTES)\n"
        "        is_settled = not work.is_last or all(place.until is None for place in moved)\n"
        "        if False:",
        first=3,
    ),
    RuleBroken(
        "an edited place counts at once",
        "connections.planner",
        "first = minute_number(new.updated_at) + MARGIN",
        "first = minute_number(new.updated_at)",
        first=26,
    ),
    RuleBroken(
        "an edit gives minutes of plans to the index",
        "connections.planner",
        "planned_from = min(old.planned_from, first)",
        "planned_from = first",
        first=134,
    ),
)

OF_PAUSES: Final = (
    RuleBroken(
        "a pause has no mark",
        "tenancy.store",
        "if old.paused == new.paused:\n        return []",
        "if new.paused:\n        return []",
    ),
    RuleBroken(
        "the mark of a pause stays",
        "tenancy.store",
        "if old.paused == new.paused:\n        return []",
        "if not new.paused:\n        return []",
        first=2,
    ),
    RuleBroken(
        "marks are relied on at once",
        "monitors.pause_survey",
        'begun = {"since": to_text(self._clock()), "after": "", "is_done": False}',
        'begun = {"since": to_text(self._clock()), "after": "", "is_done": True}',
    ),
    RuleBroken(
        "a survey does not wait for functions of an earlier release",
        "monitors.pause_survey",
        "if survey.is_done or self._clock() < survey.since + WAIT:",
        "if survey.is_done:",
    ),
    RuleBroken(
        "a rollback is not noticed",
        "monitors.pause_survey",
        'if item is None or last.get("marked") != last.get("minute"):',
        "if item is None:",
        first=2,
    ),
    RuleBroken(
        "a survey only adds marks",
        "monitors.pause_survey",
        "if is_paused == (mark.sk in marks):",
        "if not is_paused or mark.sk in marks:",
        first=23,
    ),
    RuleBroken(
        "a survey looks at some organizations only",
        "monitors.pause_survey",
        "is_done=page.last_key is None",
        "is_done=True",
        first=24,
    ),
    RuleBroken(
        "what sorts after the last mark counts as running",
        "monitors.pause_reader",
        "unknown = {mark for mark in unknown if page.last_key and mark > marks[-1]}",
        "unknown = set()",
    ),
    RuleBroken(
        "an organization that is being erased counts as running",
        "monitors.pause_reader",
        'return key == organization_key(key.pk.partition("#")[2])',
        "return False",
    ),
    RuleBroken(
        "an organization is closed without a mark",
        "erasure.store",
        "                Put(queued_key(organization_id)._asdict(), ABSENT),\n"
        "                Put(organization_pause_key(organization_id)._asdict()),\n",
        "                Put(queued_key(organization_id)._asdict(), ABSENT),\n",
        first=3,
    ),
    RuleBroken(
        "an organization that an earlier release closed has no mark",
        "erasure.store",
        "        self._table.write(Put(organization_pause_key(run.organization_id)._asdict()))",
        "        return",
        first=14,
    ),
)

RARE: Final = (
    RuleBroken(
        "a note goes though it was put again",
        "runs.folding",
        'Delete(note.key, equals("put", note.put))',
        "Delete(note.key)",
    ),
    RuleBroken(
        "nothing reminds of a day that is over",
        "runs.store",
        "if self._minute() >= (key.day + 1) * MINUTES_OF_DAY:",
        "if not self:",
    ),
    RuleBroken(
        "a note goes though the day is open",
        "runs.folding",
        "done = settled | absent | closed_now",
        "done = settled | absent | {one.space_id for one in waiting}",
    ),
)
"""What schedules meet too seldom; `test_closing_races.py` has the interleavings."""

SHARED_CHUNKS: Final = RuleBroken(
    "closings share their chunks",
    "runs.folding",
    "closing = secrets.token_hex(4)",
    'closing = "00000000"',
)
"""As rare: two closings of a day, between which a late run comes."""


def found_by(
    rule: RuleBroken, most: int, run: Callable[[list[int]], object] = run_schedules
) -> str | None:
    """The difference that the first of at most so many schedules finds."""
    with broken(rule):
        for seed in range(rule.first, rule.first + most):
            try:
                run([seed])
            except Difference as difference:
                return str(difference)
            except Exception as error:
                return f"seed {seed}: {error!r}"
    return None


@contextmanager
def broken(rule: RuleBroken) -> Iterator[None]:
    """The product with this rule broken."""
    module = import_module(f"patchbay.{rule.module}")
    source = getsource(module)
    if source.count(rule.old) != 1:
        raise ValueError(f"{rule.name}: its source is not there once")
    other = ModuleType(module.__name__)
    other.__dict__.update(__file__=module.__file__, __name__=module.__name__)
    code = compile(source.replace(rule.old, rule.new), str(module.__file__), "exec")
    exec(code, other.__dict__)  # noqa: S102 - our own source, changed
    before = {name: one.__code__ for name, one in _functions(module).items()}
    changed = _functions(other)
    try:
        for name, one in _functions(module).items():
            one.__code__ = changed[name].__code__
        yield
    finally:
        for name, one in _functions(module).items():
            one.__code__ = before[name]


def _functions(module: ModuleType) -> dict[str, FunctionType]:
    """The functions and methods that a module defines."""
    found: dict[str, FunctionType] = {}
    places: list[tuple[str, Mapping[str, Any]]] = [("", vars(module))]
    while places:
        prefix, names = places.pop()
        for name, value in names.items():
            one = value
            if isinstance(one, property):
                one = one.fget
            elif isinstance(one, classmethod | staticmethod):
                one = one.__func__
            if isinstance(one, type) and one.__module__ == module.__name__ and not prefix:
                places.append((f"{name}.", vars(one)))
            elif isinstance(one, FunctionType) and one.__code__.co_filename == module.__file__:
                found[prefix + name] = one
    return found


if __name__ == "__main__":
    logger.setLevel(logging.CRITICAL)
    for one in RULES:
        if sys.argv[1:] and one.name not in sys.argv[1:]:
            continue
        print(f"{one.name}: {(found_by(one, 150) or 'NOT FOUND')[:150]}", flush=True)
