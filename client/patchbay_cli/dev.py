"""`patchbay dev`"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from patchbay_cli.command import command
from patchbay_cli.definition_files import read_definition
from patchbay_cli.definition_rules import judged
from patchbay_cli.dev_form import FormField, draw
from patchbay_cli.dev_values import Values, ValueSource
from patchbay_cli.dev_watch import Watch
from patchbay_cli.engine import require_engine
from patchbay_cli.engine_tests import Trial, ValuesRefused, guard_of
from patchbay_cli.exits import Exit
from patchbay_cli.json_files import FileProblem, Unreadable
from patchbay_cli.output import Output, shown
from patchbay_cli.run import Run
from patchbay_cli.testing import Steps, show_verdict

if TYPE_CHECKING:
    from patchbay_cli.engine_tests import EgressGuard
    from patchbay_sdk.models import DryRunResult, Step

_AGAIN: Final = "r"
_PRIVATE: Final = (
    "A deployment refuses this target, too, unless its EgressAllow opens it. Here, --egress-allow "
    "does: 127.0.0.1/32:8080, for example."
)


@command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--values",
    "values_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="JSON with variables, secrets, and configurations. With secrets, only you may read it.",
)
@click.option("--once", is_flag=True, help="Test it once, and end with the exit code of the test.")
@click.option(
    "--egress-allow",
    "allowed",
    metavar="CIDR:PORT",
    multiple=True,
    help="Let tests dial a private target, such as 127.0.0.1/32:8080; as EgressAllow.",
)
@click.option(
    "--authorities",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Trust these certificates (PEM) beside the public ones; as EgressAuthorities.",
)
def dev(
    run: Run,
    file: Path,
    values_file: Path | None,
    once: bool,
    allowed: Sequence[str],
    authorities: Path | None,
) -> Exit:
    """Test a definition at every save, in this process: no deployment is called.

    It shows the form that the definition makes, and each step of a test. Values are those of
    --values, then of PATCHBAY_VARIABLE_NAME and PATCHBAY_SECRET_NAME. On a terminal, it asks for
    what is missing, and keeps it in memory.

    The exit code of --once is that of patchbay test, or 1 if the definition is not valid.
    """
    require_engine("dev")
    guard = guard_of(allowed, authorities)
    is_asked = sys.stdin.isatty() and not run.output.as_json
    source = ValueSource(values_file, _ask if is_asked else None)
    session = _Session(run.output, file, source, guard)
    if once:
        return session.trial()
    files = [file] if values_file is None else [file, values_file]
    watch = Watch(files, _listen if is_asked and os.name == "posix" else None)
    try:
        while True:
            session.trial()
            run.output.note(f"Waiting for {shown(file)} to be saved. {_ends(source)}")
            if watch.wait() == _AGAIN:
                source.forget()
    except (KeyboardInterrupt, click.Abort):
        # That is how one stops watching, or ends the question for a value.
        return Exit.DONE


class _Session:
    """The trials of one file."""

    def __init__(self, output: Output, file: Path, source: ValueSource, guard: EgressGuard) -> None:
        self._output = output
        self._file = file
        self._source = source
        self._guard = guard
        self._count = 0

    def trial(self) -> Exit:
        """One trial of the file as it is now. Whatever is wrong with it is reported."""
        self._count += 1
        try:
            return self._trial()
        except Unreadable as unreadable:
            return self._wrong(unreadable.problems)
        except OSError as error:
            return self._wrong([FileProblem.of_system(self._file, error)])

    def _trial(self) -> Exit:
        file = read_definition(self._file)
        problems, draft = judged(file)
        if problems or draft is None:
            return self._wrong(problems)
        trial = Trial(draft)
        fields = trial.fields()
        self._show_head(f"{trial.name}  {file.key} {file.version}")
        values = self._source.values(fields)
        self._show_form(fields, values, trial.notes())
        try:
            result = self._tested(trial, values)
        except ValuesRefused as refused:
            return self._refused(refused)
        if result.status == "succeeded":
            return Exit.DONE
        return Exit.of_blame(result.blame)

    def _tested(self, trial: Trial, values: Values) -> DryRunResult:
        output = self._output
        steps = Steps(output)
        seen = _SeenSteps()

        def tell(so_far: Sequence[Step]) -> None:
            if output.as_json:
                for step in seen.new(so_far):
                    self._record("step", step=step.to_dict())
            else:
                steps.show(so_far)

        result = trial.run(values, self._guard, tell)
        tell(result.steps)
        if output.as_json:
            self._record("result", result=result.to_dict())
        else:
            show_verdict(output, result)
            if result.account:
                output.line(f"  account: {shown(result.account)}")
        if any(step.detail in ("address", "name") for step in result.steps):
            output.note(_PRIVATE)
        return result

    def _show_head(self, text: str) -> None:
        if not self._output.as_json:
            self._output.line(self._output.styled(shown(text), "bold"))

    def _show_form(self, fields: Sequence[FormField], values: Values, notes: list[str]) -> None:
        if self._output.as_json:
            form = [field.to_dict(values) for field in fields]
            self._record("form", file=str(self._file), fields=form, notes=notes)
            return
        draw(self._output, fields, values)
        for note in notes:
            self._output.line(f"  {note}")

    def _wrong(self, problems: Sequence[FileProblem]) -> Exit:
        for problem in problems:
            if self._output.as_json:
                self._record("problem", problem=problem.to_dict())
            else:
                self._output.line(shown(str(problem)))
        return Exit.FAILED

    def _refused(self, refused: ValuesRefused) -> Exit:
        for pointer, message in refused.problems:
            if self._output.as_json:
                self._record("refused", pointer=pointer, message=message)
            else:
                mark = self._output.styled("✗", "red")
                self._output.line(f"{mark} {shown(pointer)} {shown(message)}")
        return Exit.CUSTOMER

    def _record(self, event: str, **content: Any) -> None:
        """A line of JSON. `run` tells the trials of a file apart."""
        self._output.record({"event": event, "run": self._count, **content})


class _SeenSteps:
    """The steps that were shown already. A test may begin again, with a renewed token: then so do
    they."""

    def __init__(self) -> None:
        self._seen: list[dict[str, Any]] = []

    def new(self, so_far: Sequence[Step]) -> Sequence[Step]:
        steps = [step.to_dict() for step in so_far]
        known = len(self._seen)
        if steps[:known] != self._seen[: len(steps)]:
            known = 0
        self._seen = max(self._seen if known else [], steps, key=len)
        return so_far[known:]


def _ends(source: ValueSource) -> str:
    """What one can do while it waits."""
    again = f"Enter tests it again, {_AGAIN} asks again. " if source.has_asked else ""
    return f"{again}Ctrl-C ends this."


def _listen(seconds: float) -> str | None:
    """A line of the terminal; None if there is none in this time. Its end is an interruption."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    if not ready:
        return None
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line.strip()


def _ask(field: FormField) -> str:
    name = f"{field.source}.{field.name}"
    what = name if field.title == field.name else f"{field.title} ({name})"
    answer: str = click.prompt(shown(what), hide_input=field.is_secret, err=True)
    return answer
