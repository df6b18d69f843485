"""Notices that files are saved, however an editor does that.

Editors write in place, write in parts, or rename a new file over the old one. Looking at two files
three times a second sees all of these, costs nothing that one could measure, and works on every
file system, even where no notice of the kernel arrives: on networks, and in containers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

EVERY_SECONDS: Final = 0.3
_SETTLED_SECONDS: Final = 0.1
_MOST_SETTLING: Final = 20
"""Looks at files that change all the time, before they are taken as they are."""

_Mark = tuple[int, int, int, int]


class Watch:
    """Files, as they were when somebody last looked."""

    def __init__(
        self,
        paths: Sequence[Path],
        listen: Callable[[float], str | None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`listen` waits for so many seconds, and returns what a person has entered, if anything;
        None if nobody is there."""
        self._paths = paths
        self._listen = listen
        self._sleep = sleep
        self._seen = self._marks()

    def wait(self) -> str | None:
        """Returns when a file has changed since the last time, and is not being written; or with
        what a person has entered."""
        while (now := self._marks()) == self._seen:
            if self._listen is None:
                self._sleep(EVERY_SECONDS)
            elif (said := self._listen(EVERY_SECONDS)) is not None:
                return said
        for _ in range(_MOST_SETTLING):
            self._sleep(_SETTLED_SECONDS)
            before, now = now, self._marks()
            # A file that is gone may be about to be there again.
            if now == before and None not in now:
                break
        self._seen = now
        return None

    def _marks(self) -> list[_Mark | None]:
        return [_mark(path) for path in self._paths]


def _mark(path: Path) -> _Mark | None:
    """What changes whenever a file is saved; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode
