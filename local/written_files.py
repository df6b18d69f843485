"""Brings committed files that a program writes up to date, or says which of them are not."""

import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from local.paths import ROOT


def _below_root(path: Path) -> str:
    return str(path.relative_to(ROOT))


def settle(
    wanted: Mapping[Path, str],
    command: str,
    *,
    check: bool,
    present: Collection[Path] = (),
    name: Callable[[Path], str] = _below_root,
) -> int:
    """Writes what is not as `wanted`, and deletes what is `present` and not wanted. Returns an exit
    code: with `check`, nothing is changed, and it is 1 if anything would be. Then each such file is
    named, and `command` as what changes it."""
    stale = [path for path, text in wanted.items() if _text(path) != text]
    gone = {*present} - {*wanted}
    if check:
        for path in sorted({*stale, *gone}):
            what = f"{name(path)} is out of date: run `{command}` and commit it"
            print(f"patchbay: {what}", file=sys.stderr)
        return 1 if stale or gone else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path])
    for path in gone:
        path.unlink()
    return 0


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
