"""What is done with definitions that were imported: files, drafts, releases, and a report."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from patchbay_cli.bulk import Bulk, Outcome, at_once_option, max_error_rate_option, told
from patchbay_cli.command import space_option
from patchbay_cli.engine import has_engine
from patchbay_cli.exits import Exit
from patchbay_cli.output import counted
from patchbay_cli.quota_room import shortages
from patchbay_cli.run import CommandFailed, Run

if TYPE_CHECKING:
    from patchbay_importers.imported import Imported

_NOT_TRIED: Final = "not tried"
_FAILED: Final = "failed"
_ALWAYS_COUNTED: Final = ("published", "draft", "not imported")
_COUNTED: Final = (*_ALWAYS_COUNTED, _FAILED, _NOT_TRIED)
_LONGEST_NAME: Final = 60


@dataclass(frozen=True)
class Wanted:
    """What the options ask for."""

    publisher: str
    out: str | None
    drafts: bool
    publish: bool
    space: str | None
    at_once: int
    max_error_rate: float


@dataclass
class Result:
    """What happened to one definition. `actions` are what was done to its file and its draft."""

    imported: Imported
    state: str
    actions: list[str] = field(default_factory=list)
    id: str | None = None
    file: str | None = None
    problems: list[dict[str, Any]] | None = None
    """What keeps it from being published; None if nobody looked."""
    error: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def incomplete(self) -> bool:
        return self.state in ("not imported", _FAILED, _NOT_TRIED) or "kept" in self.actions

    def document(self) -> dict[str, Any]:
        definition = self.imported.definition
        return {
            "name": self.imported.name,
            "integration": definition and f"{definition['publisher']}/{definition['slug']}",
            "state": self.state,
            "actions": self.actions,
            "id": self.id,
            "file": self.file,
            "has_check": self.imported.has_check,
            "needs_code": list(self.imported.needs_code),
            "problems": self.problems,
            "notes": [*self.notes, *self.imported.notes],
            **({"refused": self.imported.refused} if self.imported.refused else {}),
            **({"error": self.error} if self.error else {}),
        }

    def row(self) -> tuple[str, ...]:
        definition = self.imported.definition
        name = self.imported.name
        return (
            name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…",
            self.state,
            "" if definition is None else "yes" if self.imported.has_check else "no check",
            "needs code" if self.imported.needs_code else "",
            ", ".join(self.actions),
            self._problem(),
        )

    def _problem(self) -> str:
        """What matters most, in one line."""
        if self.error is not None:
            return told(Outcome(False, "refused", self.error))
        said = [f"{one['pointer']} {one['message']}" for one in self.problems or ()]
        said = [*([self.imported.refused] if self.imported.refused else []), *said, *self.notes]
        if not said:
            return ""
        return said[0] if len(said) == 1 else f"{said[0]} (and {len(said) - 1} more)"


def import_options(function: Callable[..., Exit]) -> Callable[..., Exit]:
    """The options that all imports have, as one `Wanted`."""

    @functools.wraps(function)
    def gathered(
        run: Run,
        publisher: str,
        out: str | None,
        drafts: bool,
        publish: bool,
        space: str | None,
        at_once: int,
        max_error_rate: float,
        **options: Any,
    ) -> Exit:
        wanted = Wanted(
            publisher,
            out,
            # A folder alone needs no deployment.
            drafts or publish or out is None,
            publish,
            space,
            at_once,
            max_error_rate,
        )
        return function(run, wanted=wanted, **options)

    whole: Callable[..., Exit] = gathered
    for option in (
        max_error_rate_option,
        at_once_option,
        space_option,
        click.option("--publish", is_flag=True, help="Publish the drafts that have no problems."),
        click.option("--drafts", is_flag=True, help="Make drafts as well, with --out."),
        click.option("--out", metavar="DIR", help="Write a file for each, and make no drafts."),
        click.option(
            "--publisher", default="imported", show_default=True, help="Whose definitions they are."
        ),
    ):
        whole = option(whole)
    return whole


def import_definitions(run: Run, found: Iterable[Imported], wanted: Wanted) -> Exit:
    """Write the definitions, or make drafts of them, and report each of them."""
    results = list(_results(found, wanted.publisher))
    if wanted.out is not None:
        _write(Path(wanted.out), results)
        _judge(results)
    if wanted.drafts:
        try:
            _make_drafts(run, [one for one in results if one.imported.definition], wanted)
        except KeyboardInterrupt:
            # What was done until then is not lost for who has to go on.
            _report(run, results, wanted)
            run.output.note(
                "Interrupted. To go on, run the same command again: it makes no draft twice."
            )
            raise
    return _report(run, results, wanted)


def _report(run: Run, results: Sequence[Result], wanted: Wanted) -> Exit:
    """Say what happened to each definition, and how many there are of each kind."""
    if run.output.as_json:
        for one in results:
            run.output.record(one.document())
    elif results:
        run.output.table(
            ["NAME", "STATE", "CHECK", "CODE", "DONE", "PROBLEM"], [one.row() for one in results]
        )
    _summarize(run, results, wanted)
    unpublished = wanted.publish and any(one.state == "draft" for one in results)
    incomplete = unpublished or any(one.incomplete for one in results)
    return Exit.FAILED if incomplete or not results else Exit.DONE


def _results(found: Iterable[Imported], publisher: str) -> Iterator[Result]:
    slugs: dict[str, str] = {}
    for one in found:
        if one.definition is None:
            yield Result(one, "not imported")
            continue
        slug = one.definition["slug"]
        if slug in slugs:
            why = f"has the slug of {slugs[slug]}: {slug}"
            yield Result(replace(one, definition=None, refused=why), "not imported")
            continue
        slugs[slug] = one.name
        owned = {**one.definition, "publisher": publisher}
        yield Result(replace(one, definition=owned), "draft")


def _write(folder: Path, results: Sequence[Result]) -> None:
    from patchbay_cli.import_files import write

    folder.mkdir(parents=True, exist_ok=True)
    for one in results:
        if one.imported.definition is not None:
            action, path, note = write(folder, one.imported.definition)
            one.actions.append(action)
            one.file = str(path)
            one.notes += [note] if note else []


def _judge(results: Sequence[Result]) -> None:
    """What keeps the files from being published, if the engine is installed."""
    if not has_engine():
        return
    from patchbay_cli.definition_files import read_definitions
    from patchbay_cli.definition_rules import problems_of

    for one in results:
        if one.file is not None and "kept" not in one.actions:
            files, problems = read_definitions([Path(one.file)])
            problems += [problem for file in files for problem in problems_of(file)]
            one.problems = [
                {"pointer": problem.pointer, "message": problem.message} for problem in problems
            ]


def _make_drafts(run: Run, results: Sequence[Result], wanted: Wanted) -> None:
    """Make or update the drafts. Raises `CommandFailed` before the first if there is no room for
    all of them."""
    from patchbay_cli.import_drafts import Drafts

    space = run.client.spaces.get(slug=run.space(wanted.space))
    client = run.client.with_options(max_retries=0)
    drafts = Drafts(client, space.id, wanted.publisher, publish=wanted.publish)
    needed = drafts.needed(one.imported.definition or {} for one in results)
    if short := shortages(run.client, space.organization_id, needed):
        raise CommandFailed(
            f"nothing was done: {'; '.join(short)}. Choose some of the list, or ask the operator "
            "for a higher limit"
        )
    for one in results:
        one.state = _NOT_TRIED

    def bring(result: Result) -> Outcome:
        return Outcome(True, "done", drafts.bring(result.imported.definition or {}))

    bulk = Bulk(bring, at_once=wanted.at_once, max_error_rate=wanted.max_error_rate)

    def note(one: Result, outcome: Outcome) -> None:
        run.output.progress(f"{bulk.count} of {len(results)}")
        if not outcome.done:
            one.error, one.state = outcome.details, _FAILED
            one.actions.append("failed")
            return
        done = outcome.details
        one.actions += done["actions"]
        one.state, one.id, one.problems = done["state"], done["id"], done["problems"]
        one.notes += done["notes"]

    bulk.each(results, note)
    if bulk.stopped:
        run.output.note("Stopped: too many have failed.")


def _summarize(run: Run, results: Sequence[Result], wanted: Wanted) -> None:
    """How many there are of each, on standard error."""
    counts = Counter(one.state for one in results)
    said = [
        f"{counts[state]} {state}"
        for state in _COUNTED
        if counts[state] or state in _ALWAYS_COUNTED
    ]
    converted = [one for one in results if one.imported.definition is not None]
    said += [
        f"{sum(bool(one.problems) for one in converted)} with problems",
        f"{sum(not one.imported.has_check for one in converted)} without a check",
        f"{sum(bool(one.imported.needs_code) for one in converted)} need code",
    ]
    run.output.note(f"{counted(len(results), 'definition')}: {', '.join(said)}.")
    actions = Counter(action for one in results for action in one.actions)
    if actions:
        done = ", ".join(f"{count} {action}" for action, count in sorted(actions.items()))
        run.output.note(f"Done: {done}.")
    if wanted.out is not None and not wanted.drafts and not has_engine():
        run.output.note("Whether they can be published is what patchbay lint says, or --drafts.")
