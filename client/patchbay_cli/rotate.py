"""`patchbay rotate`"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from patchbay_cli.bulk import Bulk, Outcome, at_once_option, max_error_rate_option, told
from patchbay_cli.command import command
from patchbay_cli.exits import Exit
from patchbay_cli.output import shown
from patchbay_cli.profiles import open_private
from patchbay_cli.rows import Row, format_of, format_option, read_rows
from patchbay_cli.run import Run

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay

_COLUMN: Final = "secrets."
_IDS: Final = {"source_id": "src_", "destination_id": "dst_"}
_SHOWN_PROBLEMS: Final = 10


@dataclass(frozen=True)
class Rotation:
    """New secrets of one source or destination. The repr does not show them."""

    organization_id: str
    endpoint_id: str
    secrets: dict[str, str] = field(repr=False)


@command()
@click.option("--from", "file", required=True, metavar="FILE", help="NDJSON or CSV; - is stdin.")
@format_option
@click.option("--no-test", is_flag=True, help="Store secrets without a test of them.")
@click.option("--dry-run", is_flag=True, help="See whether they would be taken; store nothing.")
@click.option("--report", metavar="FILE", help="Add a line of JSON for each to this file.")
@click.option("--retry", metavar="REPORT", help="Leave out what this report says is rotated.")
@at_once_option
@max_error_rate_option
def rotate(
    run: Run,
    file: str,
    format_name: str | None,
    no_test: bool,
    dry_run: bool,
    report: str | None,
    retry: str | None,
    at_once: int,
    max_error_rate: float,
) -> Exit:
    """Give many sources and destinations new secrets.

    A line of NDJSON has source_id or destination_id, secrets, and for operators organization_id. A
    CSV has the columns source_id, secrets.NAME, and so on. New secrets are tested first, and
    stored only if the test passes. All of the file is read before anything is done.
    """
    with ExitStack() as stack:
        source = sys.stdin
        if file != "-":
            source = stack.enter_context(Path(file).open(encoding="utf-8-sig", newline=""))
            if os.name == "posix" and os.fstat(source.fileno()).st_mode & stat.S_IRWXO:
                run.output.note(f"Everybody on this machine may read {file}, which has secrets.")
        rotations = _rotations(run, read_rows(source, format_of(file, format_name)))
    done = _rotated_in(retry) if retry else set()
    wanted = [one for one in rotations if one.endpoint_id not in done]
    client = run.client.with_options(max_retries=0)
    call = partial(_preview, client) if dry_run else partial(_rotate, client, not no_test)
    bulk = Bulk(call, at_once=at_once, max_error_rate=max_error_rate)
    before = len(rotations) - len(wanted)
    with ExitStack() as stack:
        out = None if report is None else stack.enter_context(open_private(Path(report)))

        def tell(rotation: Rotation, outcome: Outcome) -> None:
            line = {
                "organization_id": rotation.organization_id,
                "id": rotation.endpoint_id,
                "status": outcome.status,
                **({} if outcome.done else {"error": outcome.details}),
            }
            try:
                if out is not None:
                    out.write(json.dumps(line) + "\n")
                    out.flush()
            finally:
                run.output.result(line, f"{rotation.endpoint_id}  {shown(told(outcome))}")
            run.output.progress(f"{bulk.count} of {len(wanted)}")

        try:
            bulk.each(wanted, tell)
        except (KeyboardInterrupt, OSError):
            # The second is a report, or an output, that can't be written.
            _sum_up(run, bulk, len(wanted), before)
            run.output.note(_how_to_go_on(report, dry_run=dry_run))
            raise
    rest = len(wanted) - bulk.count
    if rest:
        run.output.note(f"Stopped: too many have failed. {rest} were not tried.")
    _sum_up(run, bulk, len(wanted), before)
    return Exit.FAILED if bulk.failed or rest else Exit.DONE


def _sum_up(run: Run, bulk: Bulk[Rotation], wanted: int, before: int) -> None:
    run.output.note(
        f"{bulk.count - bulk.failed} done, {bulk.failed} failed, {wanted - bulk.count} not tried, "
        f"{before} rotated before."
    )


def _how_to_go_on(report: str | None, *, dry_run: bool) -> str:
    if dry_run:
        return "Interrupted: nothing was stored. To see the rest, run the same command again."
    if report is not None:
        return f"Interrupted. To go on, run the same command with --retry {shown(report)}."
    return (
        "Interrupted. To go on, run the same command again: it stores again what is done. With "
        "--report FILE, --retry FILE leaves that out."
    )


def _rotations(run: Run, rows: Iterable[Row]) -> list[Rotation]:
    """What the file wants. Raises `click.UsageError` with the lines that are wrong, never with
    what is in them."""
    found: list[Rotation] = []
    problems: list[str] = []
    seen: set[str] = set()
    for row in rows:
        problem = row.problem or _problem(row.values)
        if problem is None:
            rotation = _rotation(run, row.values)
            problem = "is a second one for the same id" if rotation.endpoint_id in seen else None
            seen.add(rotation.endpoint_id)
            found.append(rotation)
        if problem is not None:
            problems.append(f"line {row.line} {problem}")
    if problems:
        more = len(problems) - _SHOWN_PROBLEMS
        listed = "; ".join(problems[:_SHOWN_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
        raise click.UsageError(f"Nothing was done: {listed}.")
    return found


def _problem(values: dict[str, Any]) -> str | None:
    ids = [name for name in _IDS if values.get(name)]
    if len(ids) != 1 or not str(values[ids[0]]).startswith(_IDS[ids[0]]):
        return "needs a source_id (src_…) or a destination_id (dst_…)"
    secrets = _secrets(values)
    if not secrets or not all(isinstance(value, str) and value for value in secrets.values()):
        return "needs secrets: names, and strings that are not empty"
    known = {*_IDS, "organization_id", "secrets"}
    if any(name not in known and not name.startswith(_COLUMN) for name in values):
        return "has more than source_id, destination_id, organization_id, and secrets"
    return None


def _secrets(values: dict[str, Any]) -> dict[str, Any]:
    nested = values.get("secrets")
    columns = {
        name.removeprefix(_COLUMN): value
        for name, value in values.items()
        if name.startswith(_COLUMN)
    }
    return {**(nested if isinstance(nested, dict) else {}), **columns}


def _rotation(run: Run, values: dict[str, Any]) -> Rotation:
    return Rotation(
        values.get("organization_id") or run.organization_id,
        values.get("source_id") or values["destination_id"],
        _secrets(values),
    )


def _rotated_in(report: str) -> set[str]:
    with Path(report).open(encoding="utf-8") as file:
        lines = [row.values for row in read_rows(file, "ndjson")]
    return {line["id"] for line in lines if line.get("status") == "rotated" and "id" in line}


def _rotate(client: Patchbay, test: bool, one: Rotation) -> Outcome:
    if one.endpoint_id.startswith("src_"):
        client.sources.update(
            organization_id=one.organization_id,
            source_id=one.endpoint_id,
            secrets=one.secrets,
            test=test,
        )
    else:
        client.destinations.update(
            organization_id=one.organization_id,
            destination_id=one.endpoint_id,
            secrets=one.secrets,
            test=test,
        )
    return Outcome(True, "rotated", {})


def _preview(client: Patchbay, one: Rotation) -> Outcome:
    from patchbay_sdk.model import checked_json

    if one.endpoint_id.startswith("src_"):
        found = client.sources.preview_update(
            organization_id=one.organization_id, source_id=one.endpoint_id, secrets=one.secrets
        )
    else:
        found = client.destinations.preview_update(
            organization_id=one.organization_id,
            destination_id=one.endpoint_id,
            secrets=one.secrets,
        )
    if found.valid:
        return Outcome(True, "valid", {})
    return Outcome(False, "invalid", {"details": {"errors": checked_json(found)["errors"]}})
