"""What the pages of web/ load: files by their paths below it, and which lead to which."""

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Final, NamedTuple

from local.paths import ROOT
from patchbay.platform.web_tree import TYPES, WebTree

WEB: Final = ROOT / "web"
PAGES: Final = ("app", "install", "status")

_COMMENT: Final = re.compile(r"/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)
_STATIC: Final = re.compile(
    r"""(?:^|[;}\s])(?:import|export)\s*(?:[\w$*{},\s]+?\s*from\s*)?["']([^"']+)["']"""
)
_DYNAMIC: Final = re.compile(r"""\bimport\(\s*["']([^"']+)["']\s*\)""")
_URL: Final = re.compile(r"""new URL\(\s*["']([^"']+)["']\s*,\s*import\.meta\.url\s*\)""")
_OF_HTML: Final = re.compile(r'<(?:script|link)\s[^>]*(?:src|href)="\{assets\}/([^"]+)"')
_OF_CSS: Final = re.compile(r"""@import\s+(?:url\()?["']([^"']+)["']|url\(["']?([^"')]+)["']?\)""")


class Links(NamedTuple):
    """What a file loads with it, and what later."""

    at_once: frozenset[str]
    later: frozenset[str] = frozenset()


def files(folder: Path = WEB) -> list[str]:
    """Every file that is served."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if path.rpartition(".")[2] in TYPES)


def links(path: str, folder: Path = WEB) -> Links:
    """None of a file that is not there: `test_every_link_leads_to_a_file` is about those."""
    text = (folder / path).read_text() if (folder / path).is_file() else ""
    match path.rpartition(".")[2]:
        case "html":
            return Links(frozenset(_OF_HTML.findall(text)))
        case "css":
            found = [one or other for one, other in _OF_CSS.findall(_COMMENT.sub("", text))]
            return Links(_from(path, [name for name in found if not name.startswith("data:")]))
        case "js":
            code = _COMMENT.sub("", text)
            later = _DYNAMIC.findall(code) + _URL.findall(code)
            return Links(_from(path, _STATIC.findall(code)), _from(path, later))
        case _:
            return Links(frozenset())


def loaded(
    start: str, *, later: bool, choosing: Collection[str] = (), folder: Path = WEB
) -> set[str]:
    """A file and all that it leads to; with `later`, also what it loads when it is needed, but not
    what these files choose from."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        linked = links(path, folder)
        waiting += [*linked.at_once, *(linked.later if later and path not in choosing else ())]
    return found


def packed_bytes(path: str, folder: Path = WEB) -> int:
    """As it is sent."""
    return len(_tree(folder).file(path).packed) if (folder / path).is_file() else 0


_tree = cache(WebTree)


def _from(path: str, names: list[str]) -> frozenset[str]:
    base = PurePosixPath(path).parent
    return frozenset(normpath(str(base / name)) for name in names)
