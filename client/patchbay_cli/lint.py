"""`patchbay lint`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from patchbay_cli.command import command
from patchbay_cli.definition_files import DefinitionFile, definition_paths, read_definitions
from patchbay_cli.definition_rules import file_problems, repeated_keys
from patchbay_cli.engine import definition_problems, require_engine
from patchbay_cli.exits import Exit
from patchbay_cli.json_files import FileProblem
from patchbay_cli.output import shown
from patchbay_cli.run import CommandFailed, Run

if TYPE_CHECKING:
    from patchbay_cli.engine import Integration


@command()
@click.argument("paths", metavar="FILE|FOLDER...", nargs=-1, required=True, type=Path)
def lint(run: Run, paths: Sequence[Path]) -> Exit:
    """Say what is wrong with definition files, by the rules of publishing. Nothing is called.

    Of a folder, its *.json are read. Each problem has its place in the file, and a JSON Pointer.
    With --json, each is a document.
    """
    require_engine("lint")
    count = sum(len(definition_paths(path)) for path in paths)
    if not count:
        raise CommandFailed(f"{shown(paths[0])} has no definition files (*.json)")
    files, problems = read_definitions(paths)
    for file in files:
        problems += problems_of(file)
    problems += repeated_keys(files)
    problems.sort(key=lambda problem: (problem.file, problem.place or (0, 0), problem.pointer))
    for problem in problems:
        run.output.result(problem.to_dict(), shown(str(problem)))
    if not problems:
        run.output.note(f"{_counted(count, 'file')} can be published")
        return Exit.DONE
    wrong = len({problem.file for problem in problems})
    run.output.note(f"{_counted(len(problems), 'problem')} in {wrong} of {_counted(count, 'file')}")
    return Exit.FAILED


def problems_of(file: DefinitionFile) -> list[FileProblem]:
    """All that is wrong with one file."""
    return judged(file)[0]


def judged(file: DefinitionFile) -> tuple[list[FileProblem], Integration | None]:
    """The same; and the draft that it is, if it can be one."""
    found, draft = definition_problems(file)
    return [*found, *file_problems(file, is_sound=not found)], draft


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
