"""Cuts from shared libraries what only debuggers and linkers read.

`strip` does that for libraries of its own machine, and a Mac has none for Linux. A library is
loaded by its program headers; symbols for debuggers, and the names and the table of sections, come
after what these headers name, and may be missing. So the result is the same on every machine.
https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.intro.html
"""

import struct
import sys
from pathlib import Path

_ELF_64_LITTLE = b"\x7fELF\x02\x01"
_PROGRAM_HEADERS = (0x20, "<Q"), (0x36, "<H"), (0x38, "<H")
"""Where they are, the size of one, and their number: places in the file's header."""
_SECTIONS = (0x28, "<Q"), (0x3C, "<H"), (0x3E, "<H")
"""Where their table is, their number, and which of them holds their names."""


def cut(library: bytes) -> bytes:
    """Without what follows the last byte that is loaded. Raises `ValueError` for anything else."""
    if not library.startswith(_ELF_64_LITTLE):
        raise ValueError("it is not a library of 64-bit Linux")
    start, size, count = (struct.unpack_from(kind, library, at)[0] for at, kind in _PROGRAM_HEADERS)
    ends = [start + size * count]
    for number in range(count):
        # Its offset in the file, and its size there.
        offset, _, _, length = struct.unpack_from("<4Q", library, start + size * number + 8)
        ends.append(offset + length)
    kept = bytearray(library[: max(ends)])
    for at, kind in _SECTIONS:
        struct.pack_into(kind, kept, at, 0)
    return bytes(kept)


def main(folder: Path) -> None:
    """Cuts all libraries below a folder."""
    for path in sorted(folder.rglob("*.so")):
        path.write_bytes(cut(path.read_bytes()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
