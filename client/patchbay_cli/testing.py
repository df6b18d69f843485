"""`patchbay test`"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from functools import partial
from typing import TYPE_CHECKING, Final

import click

from patchbay_cli.command import command
from patchbay_cli.exits import Exit
from patchbay_cli.output import Output, shown
from patchbay_cli.run import Run

if TYPE_CHECKING:
    from patchbay_sdk.models import DryRunResult, RecordedTest, Step

_POLL_SECONDS: Final = 1.0
_MARKS: Final = {
    "passed": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "red"),
    "skipped": ("·", "dim"),
}


@command()
@click.argument("target")
def test(run: Run, target: str) -> Exit:
    """Test a connection, a source, or a destination (con_…, src_…, or dst_…), step by step.

    The exit code says who can fix it: 0 passed, 2 customer, 3 provider, 4 platform, 5 unknown.
    """
    if not target.startswith(("con_", "src_", "dst_")):
        raise click.UsageError("The target is the id of a connection, a source, or a destination.")
    call = _call(run, target)
    steps = Steps(run.output)
    progress = str(uuid.uuid4())
    running = _started(partial(call, progress=progress))
    while not wait_for([running], _POLL_SECONDS).done:
        if not run.output.as_json:
            steps.show(_steps_so_far(run, progress))
    found = running.result()
    if run.output.as_json:
        run.output.record(found.to_dict())
    else:
        steps.show(found.steps)
        show_verdict(run.output, found)
        if found.status != "succeeded":
            run.output.line(f"  test: {shown(found.id)}")
    return Exit.DONE if found.status == "succeeded" else Exit.of_blame(found.blame)


def _started(call: Callable[[], RecordedTest]) -> Future[RecordedTest]:
    """What a call gives, which nobody has to wait for: who interrupts the program ends it."""
    running: Future[RecordedTest] = Future()

    def work() -> None:
        try:
            running.set_result(call())
        except BaseException as error:
            running.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return running


class Steps:
    """The steps that were shown. A test may begin again, with a renewed token."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._shown: list[str] = []

    def show(self, steps: Sequence[Step]) -> None:
        lines = [_line(self._output, step) for step in steps]
        if lines[: len(self._shown)] != self._shown[: len(lines)]:
            self._output.line("The test began again:")
            self._shown = []
        for line in lines[len(self._shown) :]:
            self._output.line(line)
        self._shown = max(self._shown, lines, key=len)


def _call(run: Run, target: str) -> Callable[..., RecordedTest]:
    """The call that tests it."""
    client, organization_id = run.client, run.organization_id
    if target.startswith("con_"):
        return partial(
            client.connections.test, organization_id=organization_id, connection_id=target
        )
    if target.startswith("src_"):
        return partial(client.sources.test, organization_id=organization_id, source_id=target)
    return partial(client.destinations.test, organization_id=organization_id, destination_id=target)


def _steps_so_far(run: Run, progress: str) -> Sequence[Step]:
    from patchbay_sdk.errors import PatchbayError

    try:
        # What is only shown is not worth a second try.
        client = run.client.with_options(max_retries=0)
        found = client.knowledge_connectors.get_test_progress(
            organization_id=run.organization_id, progress=progress
        )
    except PatchbayError:
        # It has not begun, or can't be followed: the answer to the test itself is what counts.
        return ()
    return found.steps


def _line(output: Output, step: Step) -> str:
    mark, color = _MARKS.get(step.status, ("?", "yellow"))
    name = f"{output.styled(mark, color)} {shown(step.name)}"
    if step.status == "skipped":
        return f"{name}  {shown(step.skip_reason).replace('_', ' ')}"
    return f"{name}  {shown(step.summary)}  ({step.duration_ms} ms)"


def show_verdict(output: Output, found: RecordedTest | DryRunResult) -> None:
    """Whether it passed; if not, whose move it is, and what to do."""
    if found.status == "succeeded":
        output.line(output.styled(shown(found.message), "green", "bold"))
        return
    output.line(output.styled(shown(found.message), "red", "bold"))
    output.line(f"  whose move: {shown(found.blame or 'unknown')} ({shown(found.code)})")
    for step in found.steps:
        if step.status == "failed" and step.mandatory and step.diagnosis is not None:
            output.line(f"  {shown(step.diagnosis.title)}: {shown(step.diagnosis.remediation)}")
            if step.field_pointer:
                output.line(f"  field: {shown(step.field_pointer)}")
