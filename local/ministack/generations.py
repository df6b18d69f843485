"""Files that are replaced together or not at all.

current -> 7      the generation that counts
7/                its files; one that did not change is a link to the same file of the last one
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

_CURRENT = "current"


class Generations:
    """The generations in one folder, of which one counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pointer = folder / _CURRENT
        for path in self._numbered():  # a kill has left it
            if path.name != self._current:
                shutil.rmtree(path)
        if not self._pointer.exists():
            self.publish({})

    @property
    def current(self) -> Path:
        """The folder of the generation that counts."""
        return self._folder / self._current

    def prepare(self) -> Path:
        """An empty folder for the next generation, for files that have to be there early."""
        fresh = self._next
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        return fresh

    def publish(self, files: Mapping[str, str]) -> None:
        """From now on the next generation counts, with these files and those of before."""
        fresh = self._next if self._next.exists() else self.prepare()
        for name, text in files.items():
            (fresh / name).write_text(text)
        last = self.current
        if last.exists():
            for path in last.iterdir():
                if not (fresh / path.name).exists():
                    os.link(path, fresh / path.name)
        pointer = self._folder / f"{_CURRENT}.new"
        pointer.write_text(fresh.name)
        pointer.replace(self._pointer)
        shutil.rmtree(last, ignore_errors=True)

    def abandon(self) -> None:
        """The next generation is not to be."""
        shutil.rmtree(self._next, ignore_errors=True)

    @property
    def _next(self) -> Path:
        return self._folder / str(int(self._current) + 1)

    @property
    def _current(self) -> str:
        return self._pointer.read_text() if self._pointer.exists() else "0"

    def _numbered(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if path.name.isdigit()]
