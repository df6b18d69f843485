"""Writes web/vendor: the libraries of the pages, as they are sent to browsers (`make vendor`).

The packages are those of local/clients, which a lock names by version and hash. `--check` writes
nothing and fails if a file is not what the packages make, or if a file of ours is another program
once its comments and blanks are taken out.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.paths import LOCAL, ROOT
from patchbay.platform.web_comments import without_comments

WEB: Final = ROOT / "web"
VENDOR: Final = WEB / "vendor"
RECORD: Final = "versions.json"
LICENSES: Final = "LICENSES.txt"
_PACKAGES: Final = LOCAL / "clients" / "npm" / "node_modules"
_NAMED: Final = "htm", "preact", "uplot"
_PREACT: Final = """
import htm from "htm";
import { h } from "preact";
export { createContext, h, render } from "preact";
export {
  useCallback, useContext, useEffect, useErrorBoundary, useId, useMemo, useRef, useState,
} from "preact/hooks";
export const html = htm.bind(h);
"""
_UPLOT: Final = "export default uPlot;"
"""After its own smallest file, a script with this name: esbuild makes 1 KB more of its module."""


@dataclass(frozen=True)
class Library:
    """One package as it is installed."""

    name: str
    version: str
    license: str
    source: str
    license_text: str

    @classmethod
    def installed(cls, name: str) -> "Library":
        folder = _PACKAGES / name
        said: dict[str, Any] = json.loads((folder / "package.json").read_text())
        at = said["repository"]  # `owner/name` of GitHub, or an object with the URL
        address = at["url"] if isinstance(at, dict) else f"https://github.com/{at}"
        text = (folder / "LICENSE").read_text().strip()
        return cls(name, said["version"], said["license"], _page(address), text)

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}, {self.license}"


def made() -> dict[str, bytes]:
    """The files of web/vendor by their names."""
    htm, preact, uplot = map(Library.installed, _NAMED)
    dist = _PACKAGES / "uplot" / "dist"
    styles = (dist / "uPlot.min.css").read_text().strip()
    # After its own comment, which the banner says shorter
    script = (dist / "uPlot.iife.min.js").read_text().rpartition("*/")[2].strip()
    files = {
        "preact.js": (_bundle(_PREACT, [preact, htm]), [preact, htm]),
        "uplot.js": (f"{_banner([uplot])}\n{script}\n{_UPLOT}\n".encode(), [uplot]),
        "uplot.css": (f"{_banner([uplot])}\n{styles}\n".encode(), [uplot]),
    }
    record = [
        {
            "file": file,
            "sha256": hashlib.sha256(content).hexdigest(),
            "packages": [
                {
                    "name": one.name,
                    "version": one.version,
                    "license": one.license,
                    "source": one.source,
                }
                for one in libraries
            ],
        }
        for file, (content, libraries) in files.items()
    ]
    licenses = [
        f"{one.title} ({one.source})\n\n{one.license_text}\n" for one in (htm, preact, uplot)
    ]
    return {
        **{file: content for file, (content, _) in files.items()},
        LICENSES: f"\n{'-' * 72}\n\n".join(licenses).encode(),
        RECORD: (json.dumps(record, indent=2) + "\n").encode(),
    }


def changed() -> list[str]:
    """Our files that mean something else as they are sent: esbuild makes something else of them."""
    paths = [path for path in WEB.rglob("*") if path.suffix in (".js", ".css")]
    found = []
    for path in sorted(set(paths) - set(VENDOR.iterdir())):
        text = path.read_text()
        sent = without_comments(path.relative_to(WEB).as_posix(), text)
        if _minified(text, path.suffix) != _minified(sent, path.suffix):
            found.append(_named(path))
    return found


def _minified(text: str, suffix: str) -> bytes:
    return _esbuild(text, f"--loader={suffix.removeprefix('.')}", "--minify")


def _bundle(entry: str, libraries: list[Library]) -> bytes:
    """One ES module of what an entry imports."""
    options = ("--bundle", "--format=esm", "--minify", "--target=es2022", "--legal-comments=none")
    return _esbuild(entry, *options, f"--banner:js={_banner(libraries)}")


def _esbuild(text: str, *options: str) -> bytes:
    done = subprocess.run(  # noqa: S603 - a program of our own tools
        [str(_PACKAGES / ".bin" / "esbuild"), *options],
        input=text.encode(),
        cwd=_PACKAGES.parent,
        capture_output=True,
        check=True,
    )
    return done.stdout


def _banner(libraries: list[Library]) -> str:
    return f"/*! {'; '.join(one.title for one in libraries)}; see {LICENSES} */"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.vendoring", description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, content in made().items():
        path = VENDOR / name
        if not path.exists() or path.read_bytes() != content:
            stale.append(_named(path))
            if not check:
                path.write_bytes(content)
    for name in stale:
        print(f"{name} is not what its packages make: make vendor" if check else f"wrote {name}")
    other = changed() if check else []
    for name in other:
        print(f"{name} is another program without its comments: see platform/web_comments.py")
    return 1 if check and (stale or other) else 0


def _page(address: str) -> str:
    return address.removeprefix("git+").removesuffix(".git")


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main())
