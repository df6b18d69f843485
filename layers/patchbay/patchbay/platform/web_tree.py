"""The files of web/ that browsers get, by their paths, and the name of the whole tree.

The name is a hash of all of them, and stands in the address of each: a file under an address never
changes, and the modules that a page loads are of one version. The build of the layer packs the tree
ahead, so that a function reads a name and a packed file, and neither hashes nor packs anything. It
runs this with the plain interpreter:

    python -m patchbay.platform.web_tree <folder>

A folder that is not packed, as in a checkout, is read as it is.
"""

import gzip
import hashlib
import sys
from pathlib import Path
from typing import Final, NamedTuple

from patchbay.platform.web_comments import without_comments

TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
"""By the ending of a name. No other file is sent to browsers."""

_PACKED: Final = ".gz"
_NAME: Final = "tree-name"
"""Of the file that has the name of a packed tree."""
_NAME_LENGTH: Final = 20


class WebFile(NamedTuple):
    """One file: its media type, and its bytes packed by gzip."""

    media_type: str
    packed: bytes

    @property
    def plain(self) -> bytes:
        return gzip.decompress(self.packed)


class WebTree:
    """The files below a folder. Raises `KeyError` for a path that is not one of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, WebFile] = {}
        self._is_packed = (folder / _NAME).is_file()
        self.paths: Final = frozenset(_paths(folder, _PACKED if self._is_packed else ""))
        self.name: Final = (folder / _NAME).read_text() if self._is_packed else _name(self)

    def file(self, path: str) -> WebFile:
        """A file by its path below the folder, with slashes."""
        if (known := self._read.get(path)) is not None:
            return known
        packed = self._packed(path) if path in self.paths else None
        if packed is None:
            raise KeyError(path)
        read = self._read[path] = WebFile(TYPES[path.rpartition(".")[2]], packed)
        return read

    def plain(self, path: str) -> bytes:
        if self._is_packed or path not in self.paths:
            return self.file(path).plain
        return (self._folder / path).read_bytes()

    def _packed(self, path: str) -> bytes:
        if self._is_packed:
            return (self._folder / (path + _PACKED)).read_bytes()
        content = (self._folder / path).read_bytes()
        if path.endswith((".js", ".css")):
            content = without_comments(path, content.decode()).encode()
        return pack(content)


def pack(content: bytes) -> bytes:
    """The same bytes for the same content, at any time."""
    return gzip.compress(content, 9, mtime=0)


def pack_folder(folder: Path) -> None:
    """Packs the files of a folder in place, and removes all others."""
    tree = WebTree(folder)
    contents = {path: tree.file(path).packed for path in tree.paths}
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.unlink()
    for name, packed in contents.items():
        (folder / (name + _PACKED)).write_bytes(packed)
    (folder / _NAME).write_text(tree.name)


def _paths(folder: Path, suffix: str) -> list[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    names = (path.removesuffix(suffix) for path in found if path.endswith(suffix))
    return [name for name in names if name.rpartition(".")[2] in TYPES]


def _name(tree: WebTree) -> str:
    digest = hashlib.sha256()
    for path in sorted(tree.paths):
        content = hashlib.sha256(tree.plain(path)).hexdigest()
        digest.update(f"{path}\0{content}\n".encode())
    return digest.hexdigest()[:_NAME_LENGTH]


if __name__ == "__main__":
    pack_folder(Path(sys.argv[1]))
