"""`patchbay apply`"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from patchbay_cli.bulk import at_once_option, problems_of, told
from patchbay_cli.command import command, space_option
from patchbay_cli.exits import Exit
from patchbay_cli.output import Output, shown
from patchbay_cli.run import CommandFailed, Run

if TYPE_CHECKING:
    from patchbay_cli.applying.execution import Result
    from patchbay_cli.applying.plan import Change, Extra, Plan
    from patchbay_cli.json_files import FileProblem
    from patchbay_sdk.models import Caller

_SIGNS: Final = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "publish": ("^", "green"),
    "delete": ("-", "red"),
}
_PAST: Final = {
    "create": "created",
    "update": "updated",
    "publish": "published",
    "delete": "deleted",
}
_LONGEST_VALUE: Final = 60
_MANAGE: Final = "platform.integration.manage"
_ADMIN: Final = "platform.admin"


@command()
@click.argument("folder", metavar="DIR", type=Path)
@click.option("--plan", "only_plan", is_flag=True, help="Only show what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask. Without a terminal, nobody can be asked.")
@click.option("--prune", is_flag=True, help="Also delete what the folder does not have.")
@click.option(
    "--confirm-deletions",
    type=click.IntRange(1),
    metavar="N",
    help="How many deletions the plan has, in place of the question about them.",
)
@click.option(
    "--secrets-to",
    type=Path,
    metavar="FOLDER",
    help="Where new API keys and signing secrets are written, for you alone.",
)
@space_option
@at_once_option
def apply(
    run: Run,
    folder: Path,
    only_plan: bool,
    yes: bool,
    prune: bool,
    confirm_deletions: int | None,
    secrets_to: Path | None,
    space: str | None,
    at_once: int,
) -> Exit:
    """Make a deployment what a folder says: integrations, spaces, connections, rules, keys.

    All files are checked first, then there is a plan, and then the question. What the folder does
    not have is listed, and deleted only with --prune. --space is where new integrations are built.

    With --plan, the exit code is 0 if there is nothing to do, and 6 if there is.
    """
    from patchbay_cli.applying.deployment import Deployment
    from patchbay_cli.applying.execution import Result, execute
    from patchbay_cli.applying.extras import deletions
    from patchbay_cli.applying.folder import FolderRefused, read_folder
    from patchbay_cli.applying.new_secrets import NewSecrets
    from patchbay_cli.applying.planning import needed_room, planned
    from patchbay_cli.json_files import FileProblem
    from patchbay_cli.quota_room import shortages

    try:
        wanted = read_folder(folder)
    except FolderRefused as refused:
        return _refused(run.output, refused.problems)
    secrets = NewSecrets(secrets_to)
    deployment = Deployment(run.client, run.organization_id, run.caller, at_once=at_once)
    plan = planned(wanted, deployment, lambda: run.space(space), secrets)
    short = shortages(run.client, run.organization_id, needed_room(plan, deployment))
    plan.missing += [FileProblem(str(folder), "", message) for message in short]
    pruned = list(deletions(plan.extras, deployment)) if prune else []
    changes = [*plan.changes, *pruned]
    _show(run.output, plan, pruned)
    if plan.problems:
        return _refused(run.output, plan.problems)
    if only_plan:
        for one in plan.missing:
            run.output.note(shown(str(one)))
        return Exit.CHANGES if changes else Exit.DONE
    if plan.missing:
        return _refused(run.output, plan.missing)
    if not changes:
        return Exit.DONE
    _require_permission(run.caller)
    _ask(len(plan.changes), len(pruned), yes=yes, confirmed=confirm_deletions)
    results = [Result(change) for change in changes]
    try:
        execute(
            run.client.with_options(max_retries=0),
            results,
            at_once=at_once,
            told=lambda result: _tell(run.output, result),
            counted=lambda done, of: run.output.progress(f"{done} of {of} steps"),
        )
    except KeyboardInterrupt:
        run.output.note(
            "Interrupted. To go on, run the same command again: it plans only what is not done."
        )
        raise
    finally:
        # Also if somebody interrupts it.
        for path in secrets.written:
            run.output.note(f"A new secret is in {shown(path)}.")
        code = _summed_up(run.output, results)
    return code


def _require_permission(caller: Caller) -> None:
    """Before anything is done, and not in the middle. A plan needs only to read."""
    if not {_MANAGE, _ADMIN} & {*caller.permissions}:
        raise CommandFailed(
            f"nothing was done: this key does not have the permission {_MANAGE}, which changes need"
        )


def _refused(output: Output, problems: Sequence[FileProblem]) -> Exit:
    for problem in problems:
        if output.as_json:
            print(json.dumps({"error": problem.to_dict()}), file=sys.stderr)
        else:
            output.note(shown(str(problem)))
    count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
    output.note(f"Nothing was done: {count}.")
    return Exit.FAILED


def _show(output: Output, plan: Plan, pruned: Sequence[Change]) -> None:
    for change in [*plan.changes, *pruned]:
        output.result(change.to_dict(), *_lines(output, change))
    deleted = {change.identity for change in pruned}
    for extra in plan.extras:
        if extra.identity not in deleted:
            line = f"? {shown(extra.identity)} is not in the folder{_why(extra)}"
            output.result(_extra(extra), line)
    for note in plan.notes:
        output.note(shown(note))
    counts = Counter(change.action for change in [*plan.changes, *pruned])
    words = [f"{counts[action]} to {action}" for action in _SIGNS if counts[action]]
    words.append(f"{len(plan.unchanged)} unchanged")
    if rest := len(plan.extras) - len(pruned):
        words.append(f"{rest} not in the folder")
    output.note(f"Plan: {', '.join(words)}.")


def _lines(output: Output, change: Change) -> list[str]:
    sign, color = _SIGNS[change.action]
    version = f" {change.version}" if change.version else ""
    where = f"  {shown(change.where)}" if change.where else ""
    lines = [f"{output.styled(sign, color)} {shown(change.identity)}{version}{where}"]
    lines += [
        f"    {shown(one.pointer)}: {_short(one.has)} → {_short(one.wants)}"
        for one in change.differences
    ]
    if last := change.last_change:
        word = output.styled("drift: ", "yellow") if last.is_drift else ""
        lines.append(f"    {word}last changed by {shown(last.subject)} at {shown(last.at)}")
    return lines


def _short(value: Any) -> str:
    from patchbay_cli.applying.differences import ABSENT

    if value is ABSENT:
        return "none"
    text = json.dumps(value, ensure_ascii=False)
    return shown(text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…")


def _extra(extra: Extra) -> dict[str, Any]:
    identity = extra.identity
    return {
        "action": "none",
        "kind": identity.kind,
        "name": identity.name,
        "space": identity.space,
        "id": extra.id,
        "kept": extra.kept,
    }


def _why(extra: Extra) -> str:
    return "" if extra.kept is None else f"; {shown(extra.kept)}"


def _ask(changes: int, deletions: int, *, yes: bool, confirmed: int | None) -> None:
    """Raises if the answer is no, or nobody can be asked."""
    if confirmed is not None and confirmed != deletions:
        raise click.UsageError(
            f"The plan has {deletions} deletions, and not {confirmed}: nothing was done."
        )
    questions = []
    if changes and not yes:
        questions.append((f"Make {changes} changes?", "--yes, or --plan"))
    if deletions and confirmed is None:
        questions.append((f"Delete {deletions} for good?", f"--confirm-deletions {deletions}"))
    for question, instead in questions:
        if not sys.stdin.isatty():
            raise click.UsageError(f"There is no terminal to ask at: use {instead}.")
        click.confirm(question, abort=True, err=True)


def _tell(output: Output, result: Result) -> None:
    identity, failure = result.change.identity, result.failure
    line = f"{shown(identity)} {'failed' if failure else _PAST[result.change.action]}"
    lines = [f"  {shown(problem)}" for problem in _problems(result)]
    if failure:
        details = {**failure.details, "details": None} if lines else failure.details
        line += f": {_lines_of(told(failure._replace(details=details)))}"
    output.result(_result(result), line, *lines)


def _problems(result: Result) -> list[FileProblem]:
    """What the deployment says is wrong, with the place in the folder."""
    if result.failure is None or result.change.wanted is None:
        return []
    wanted = result.change.wanted
    return [wanted.problem(*one) for one in problems_of(result.failure)]


def _lines_of(text: str) -> str:
    return "\n".join(map(shown, text.split("\n")))


def _result(result: Result) -> dict[str, Any]:
    identity, problems = result.change.identity, _problems(result)
    return {
        "status": result.status if not result.is_done else _PAST[result.change.action],
        "kind": identity.kind,
        "name": identity.name,
        "space": identity.space,
        "where": result.change.where,
        **({"error": result.failure.details} if result.failure else {}),
        **({"problems": [one.to_dict() for one in problems]} if problems else {}),
    }


def _summed_up(output: Output, results: Sequence[Result]) -> Exit:
    rest = [one for one in results if not one.is_done and one.failure is None]
    for result in rest:
        output.result(_result(result), f"{shown(result.change.identity)} {result.status}")
    done = sum(one.is_done for one in results)
    failed = sum(one.failure is not None for one in results)
    output.note(f"{done} done, {failed} failed, {len(rest)} not done.")
    return Exit.FAILED if failed or rest else Exit.DONE
