"""`patchbay lint`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from patchbay_cli.command import command
from patchbay_cli.definition_files import definition_paths, read_definitions
from patchbay_cli.definition_rules import problems_of, repeated_keys
from patchbay_cli.engine import require_engine
from patchbay_cli.exits import Exit
from patchbay_cli.json_files import FileProblem
from patchbay_cli.output import shown
from patchbay_cli.run import CommandFailed, Run


@command()
@click.argument(
    "paths", metavar="FILE|FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
def lint(run: Run, paths: Sequence[Path]) -> Exit:
    """Say what is wrong with definition files, by the rules of publishing. Nothing is called.

    Of a folder, its *.json are read, or all that patchbay apply reads. Each problem has its place
    in the file, and a JSON Pointer. With --json, each is a document.
    """
    require_engine("lint")
    from patchbay_cli.applying.folder import files_in, is_whole

    whole = [path for path in paths if is_whole(path)]
    names = [file for path in whole for file in files_in(path)]
    rest = [path for path in paths if path not in whole]
    names += [file for path in rest for file in definition_paths(path)]
    if not names:
        raise CommandFailed(f"{shown(paths[0])} has no definition files (*.json)")
    files, problems = read_definitions(rest)
    for file in files:
        problems += problems_of(file)
    problems += repeated_keys(files)
    for path in whole:
        problems += _problems_of_folder(path)
    problems.sort(key=lambda problem: (problem.file, problem.place or (0, 0), problem.pointer))
    for problem in problems:
        run.output.result(problem.to_dict(), shown(str(problem)))
    count = _counted(len(names), "file")
    if not problems:
        run.output.note(f"{count} can be {'applied' if whole else 'published'}")
        return Exit.DONE
    wrong = len({problem.file for problem in problems})
    run.output.note(f"{_counted(len(problems), 'problem')} in {wrong} of {count}")
    return Exit.FAILED


def _problems_of_folder(path: Path) -> list[FileProblem]:
    # With it comes the SDK, whose shapes it has.
    from patchbay_cli.applying.folder import FolderRefused, read_folder

    try:
        read_folder(path)
    except FolderRefused as refused:
        return refused.problems
    return []


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
