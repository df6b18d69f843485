"""Where secrets go that a deployment makes: each is shown once, and never printed."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from patchbay_cli.applying.folder import Identity, Wanted
from patchbay_cli.json_files import FileProblem
from patchbay_cli.profiles import write_private

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_PLAIN: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_PENDING: Final = ".pending"
_FIRST_SERVER_ERROR: Final = 500


class NewSecrets:
    """A folder with a file for each, which only its owner may read."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.written: list[Path] = []

    def problems(self, thing: Wanted, pointer: str, what: str) -> Iterator[FileProblem]:
        """Why a new secret could not be kept."""
        if self._folder is None:
            message = f"is new, and {what} is shown once: say where it goes, with --secrets-to"
            yield thing.problem(pointer, message)
        elif not _takes_files(self._folder):
            message = f"is new, and {what} could not be kept: {self._folder} can't be written to"
            yield thing.problem(pointer, message)

    def taken(self, thing: Wanted, pointer: str) -> Iterator[FileProblem]:
        """That there is a secret of this name, which may be that of another deployment."""
        path = self._path(thing.identity)
        if path is not None and path.exists() and not self.is_expected(thing.identity):
            message = f"is new, and {path} has another secret: move it, or name another folder"
            yield thing.problem(pointer, message)

    def keep(self, identity: Identity, secret: str, part: str = "") -> None:
        path = self._path(identity, part)
        if path is None:
            return
        write_private(path, f"{secret}\n")
        self.written.append(path)

    @contextmanager
    def expected(self, identity: Identity) -> Iterator[None]:
        """While secrets of a thing are made, and kept. There is a note of it in the meantime, so a
        run that is cut off is known. If it is refused, none was made."""
        from patchbay_sdk.errors import ApiError

        path = self._path(identity)
        if path is None:
            yield
            return
        note = _pending(path)
        write_private(note, "")
        try:
            yield
        except ApiError as error:
            if error.status < _FIRST_SERVER_ERROR:
                note.unlink(missing_ok=True)
            raise
        note.unlink(missing_ok=True)

    def is_expected(self, identity: Identity) -> bool:
        path = self._path(identity)
        return path is not None and _pending(path).exists()

    def _path(self, identity: Identity, part: str = "") -> Path | None:
        if self._folder is None:
            return None
        words = [identity.kind, identity.space, identity.name, part]
        name = ".".join(_UNSAFE.sub("-", word).strip("-.") for word in words if word)
        if not _PLAIN.fullmatch(identity.name):
            # Two names may have the same letters, or be one to a file system, and what is after a
            # dot is of this module.
            name += f".{hashlib.sha256(identity.name.encode()).hexdigest()[:6]}"
        return self._folder / name


def _takes_files(folder: Path) -> bool:
    """Whether files can be made there, or in the folder that it would be made in."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _pending(path: Path) -> Path:
    return path.with_name(path.name + _PENDING)
