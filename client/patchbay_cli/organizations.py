"""`patchbay export` and `patchbay erase`: what an operator does when a customer leaves."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from patchbay_cli.command import command
from patchbay_cli.exits import Exit
from patchbay_cli.outages import through_outages
from patchbay_cli.output import json_line, shown
from patchbay_cli.profiles import whole_private
from patchbay_cli.run import CommandFailed, Run

if TYPE_CHECKING:
    from patchbay_sdk.models import Erasure

_POLL_SECONDS: Final = 15.0


@command()
@click.argument("organization_id", metavar="ORG_ID")
@click.option("--output", metavar="FILE", help="Write it here, for its owner alone.")
def export(run: Run, organization_id: str, output: str | None) -> None:
    """Export all that an organization has, without secrets: a line of JSON for each thing.

    For operators. A file has the name only when all is in it.
    """
    path = None if output is None else Path(output)
    if path is not None and path.exists() and not path.is_file():
        raise CommandFailed(f"{output} is there already, and is not a file")
    things = run.client.organizations.export(organization_id=organization_id, limit=100)
    if path is None:
        for thing in things:
            run.output.record(thing.to_dict())
        return
    count = 0
    with whole_private(path) as file:
        for thing in things:
            file.write(json_line(thing.to_dict()) + "\n")
            count += 1
            run.output.progress(f"{count} things")
    run.output.result({"file": output, "things": count}, f"{count} things are in {output}.")


@command()
@click.argument("organization_id", metavar="ORG_ID")
@click.option("--confirm", metavar="ORG_ID", help="The id again, in place of the question.")
@click.option("--wait", is_flag=True, help="Wait until it is erased, which takes 20 minutes.")
@click.option("--status", is_flag=True, help="Only show how far its erasure is.")
def erase(
    run: Run, organization_id: str, confirm: str | None, wait: bool, status: bool
) -> Exit | None:
    """Close an organization, and erase it with all that it has. For operators.

    This can't be undone: export it first.
    """

    def look() -> Erasure:
        return run.client.organizations.get_erasure(organization_id=organization_id)

    if status:
        found = look()
    else:
        if confirm is None:
            confirm = _asked(run, organization_id)
        if confirm != organization_id:
            raise CommandFailed("the two ids differ: nothing was done")
        found = run.client.organizations.erase(organization_id=organization_id, confirm=confirm)
    while wait and found.status != "erased":
        run.output.progress(_state(found))
        time.sleep(_POLL_SECONDS)
        found = through_outages(run, look)
    run.output.result(found.to_dict(), _state(found), *_kept(found))
    return Exit.DONE


def _asked(run: Run, organization_id: str) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask at: use --confirm.")
    name = run.client.organizations.get(organization_id=organization_id).name
    answer: str = click.prompt(f"This erases {name!r} for good. Its id again", err=True)
    return answer.strip()


def _state(found: Erasure) -> str:
    removed = sum(found.removed.values())
    trouble = f", {found.failures} failures: {found.error_code}" if found.failures else ""
    return shown(f"{found.organization_id} is {found.status}: {removed} items are removed{trouble}")


def _kept(found: Erasure) -> list[str]:
    return [f"  kept: {shown(one.what)}, {_until(one.until)}" for one in found.kept]


def _until(end: object) -> str:
    return f"until {shown(end)}" if end else "with no end yet"
