"""`patchbay lint`"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from patchbay_cli.command import command
from patchbay_cli.definition_files import DefinitionFile, definition_paths, read_definitions
from patchbay_cli.definition_rules import problems_of, repeated_keys
from patchbay_cli.engine import require_engine
from patchbay_cli.exits import Exit
from patchbay_cli.json_files import MAX_FILE_BYTES, FileProblem, Unreadable, read_json
from patchbay_cli.output import counted, shown
from patchbay_cli.run import CommandFailed, Run

_STANDARD_INPUT: Final = Path("-")


@command()
@click.argument(
    "paths", metavar="FILE|FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
def lint(run: Run, paths: Sequence[Path]) -> Exit:
    """Say what is wrong with definition files, by the rules of publishing. Nothing is called.

    Of a folder, its *.json are read, or all that patchbay apply reads; - is a definition from
    standard input. Each problem has its place in the file, and a JSON Pointer. With --json, each is
    a document.
    """
    require_engine("lint")
    from patchbay_cli.applying.folder import files_in, is_part, is_whole, part_problems

    whole = [path for path in dict.fromkeys(paths) if is_whole(path)]
    parts = [
        file
        for path in dict.fromkeys(paths)
        if path not in whole and is_part(path)
        for file in definition_paths(path)
    ]
    rest = [path for path in paths if path not in whole and not is_part(path)]
    named = [path for path in rest if path != _STANDARD_INPUT]
    names = {file for path in whole for file in files_in(path)}
    names |= {*parts, *(file for path in named for file in definition_paths(path))}
    names |= {_STANDARD_INPUT} & {*rest}
    if not names:
        raise CommandFailed(f"{shown(paths[0])} has no definition files (*.json)")
    files, problems = read_definitions(named)
    if _STANDARD_INPUT in rest:
        try:
            files.append(_from_standard_input())
        except Unreadable as unreadable:
            problems += unreadable.problems
    for file in files:
        problems += problems_of(file)
    problems += repeated_keys(files)
    for path in whole:
        problems += _problems_of_folder(path)
    for part in dict.fromkeys(parts):
        problems += part_problems(part)
    problems.sort(key=lambda problem: (problem.file, problem.place or (0, 0), problem.pointer))
    for problem in problems:
        run.output.result(problem.to_dict(), shown(str(problem)))
    count = counted(len(names), "file")
    if not problems:
        run.output.note(f"{count} can be {'applied' if whole or parts else 'published'}")
        return Exit.DONE
    wrong = len({problem.file for problem in problems})
    run.output.note(f"{counted(len(problems), 'problem')} in {wrong} of {count}")
    return Exit.FAILED


def _from_standard_input() -> DefinitionFile:
    """What an editor has not saved yet. Raises `Unreadable`."""
    return DefinitionFile.of(read_json("standard input", sys.stdin.buffer.read(MAX_FILE_BYTES + 1)))


def _problems_of_folder(path: Path) -> list[FileProblem]:
    # With it comes the SDK, whose shapes it has.
    from patchbay_cli.applying.folder import FolderRefused, read_folder

    try:
        read_folder(path)
    except FolderRefused as refused:
        return refused.problems
    return []
