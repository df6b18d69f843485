"""What happened to the items of DynamoDB's tables since their state was written as a whole.

A line is a JSON list of what one request changed: `[[account, region, table], pk, sk, item]` each,
with null for an item that was deleted. A line that a kill has cut off is as if never written; its
request was never answered.
"""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Change = tuple[list[str], Any, Any, Any]


class Journal:
    """Records each change of an item, and writes them down when told to."""

    def __init__(self) -> None:
        self._files: list[int] = []
        self._pending: list[Change] = []
        # Expired items are removed by a thread.
        self._lock = threading.RLock()

    def record(self, dynamodb: Any, replaced: Callable[[], None]) -> None:
        """Watch MiniStack's tables; `replaced` is called if all items of one are replaced."""
        set_item, remove_item = dynamodb._set_item, dynamodb._remove_item
        items_replaced = dynamodb._items_replaced

        def setting(table: dict[str, Any], pk: Any, sk: Any, item: Any) -> Any:
            with self._lock:
                old = set_item(table, pk, sk, item)
                self._pending.append((_key(table), pk, sk, item))
                return old

        def removing(table: dict[str, Any], pk: Any, sk: Any) -> Any:
            with self._lock:
                old = remove_item(table, pk, sk)
                self._pending.append((_key(table), pk, sk, None))
                return old

        def replacing(table: dict[str, Any]) -> None:
            items_replaced(table)
            replaced()

        dynamodb._set_item, dynamodb._remove_item = setting, removing
        dynamodb._items_replaced = replacing

    def open(self, path: Path) -> None:
        """Go on in this file, after its last whole line."""
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.ftruncate(file, sum(len(line) for line in _whole_lines(path)))
        self._files = [file]

    def write(self) -> None:
        """Write down what has changed since the last time."""
        with self._lock:
            if not self._pending:
                return
            line = json.dumps(self._pending).encode() + b"\n"
            for file in self._files:
                _append(file, line)
            self._pending.clear()

    def size(self) -> int:
        """Bytes written since the state was written as a whole."""
        return os.fstat(self._files[-1]).st_size

    @contextlib.contextmanager
    def splitting(self, path: Path) -> Iterator[None]:
        """Within the block nothing changes. What changes after it is also written to this file,
        until the journal is settled or the file abandoned."""
        with self._lock:
            self.write()
            yield
            self._files.append(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))

    def settle(self) -> None:
        """Go on in the newest file alone."""
        with self._lock:
            for file in self._files[:-1]:
                os.close(file)
            del self._files[:-1]

    def abandon(self) -> None:
        """Go on in the oldest file alone."""
        with self._lock:
            for file in self._files[1:]:
                os.close(file)
            del self._files[1:]


def replay(path: Path, tables: Any) -> None:
    """Bring the tables of a loaded state up to what the journal says."""
    changed = set()
    for line in _whole_lines(path):
        for key, pk, sk, item in json.loads(line):
            table = tables._data.get(tuple(key))
            if table is None:  # it was made after the state was written
                continue
            changed.add(tuple(key))
            if item is not None:
                table["items"].setdefault(pk, {})[sk] = item
            elif pk in table["items"]:
                table["items"][pk].pop(sk, None)
                if not table["items"][pk]:
                    del table["items"][pk]
    for key in changed:
        table = tables._data[key]
        table["ItemCount"] = sum(map(len, table["items"].values()))


def _whole_lines(path: Path) -> list[bytes]:
    with contextlib.suppress(FileNotFoundError):
        return [line for line in path.read_bytes().splitlines(keepends=True) if line[-1:] == b"\n"]
    return []


def _append(file: int, line: bytes) -> None:
    """All of the line, or nothing of it and an error."""
    before = os.fstat(file).st_size
    written = 0
    try:
        while written < len(line):
            written += os.write(file, line[written:])
    except OSError:
        os.ftruncate(file, before)
        raise


def _key(table: dict[str, Any]) -> list[str]:
    _, _, _, region, account, resource = table["TableArn"].split(":", 5)
    return [account, region, resource.removeprefix("table/")]
