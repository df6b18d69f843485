"""The folder of a local cloud: for one cloud at a time, of one layout, for its owner alone."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from local.paths import StateDir
from local.problems import Problem

_LAYOUT = "2"
"""Goes up when this version can't read what an earlier one wrote."""


@contextlib.contextmanager
def taken(state: StateDir) -> Iterator[None]:
    """The folder for the length of the block, or a `Problem` if another cloud uses it."""
    _make(state.root)
    with open(state.root / "lock", "w", opener=private) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem(f"another local cloud uses {os.path.relpath(state.root)}") from None
        yield


def prepare(state: StateDir) -> None:
    """Make the folders that are missing; a `Problem` if the state has another layout.

    What an earlier version left readable for others becomes private, even if it is of no other use.
    """
    for folder in (state.root, state.emulator, state.logs):
        _make(folder)
    for folder in (state.emulator, state.logs):
        _make_private(folder)
    layout = state.emulator / "layout"
    found = layout.read_text().strip() if layout.exists() else "1"
    if any(path.name != "layout" for path in state.emulator.iterdir()) and found != _LAYOUT:
        where = os.path.relpath(state.emulator)
        raise Problem(
            f"{where} has data of layout {found}, and this version reads layout {_LAYOUT}: "
            "check out the version that wrote it, or remove all data of the local cloud "
            f"(make clean, or rm -r {where}) and start again"
        )
    with open(layout, "w", opener=private) as file:
        file.write(_LAYOUT + "\n")


def private(path: str, flags: int) -> int:
    """An opener of files that are for the owner alone from then on."""
    file = os.open(path, flags, 0o600)
    os.fchmod(file, 0o600)
    return file


def _make(folder: Path) -> None:
    if not folder.exists():
        _make(folder.parent)
        folder.mkdir(mode=0o700)


def _make_private(folder: Path) -> None:
    folder.chmod(0o700)
    for path in folder.iterdir():
        if path.is_symlink():
            continue
        if path.is_dir():
            _make_private(path)
        else:
            path.chmod(0o600)
