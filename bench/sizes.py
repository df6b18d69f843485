"""What is deployed, unzipped: the layers and the largest parts of those with the dependencies."""

from pathlib import Path
from typing import Final

from bench.report import Row, Skipped
from local.paths import SAM_BUILD

BUDGET_MB: Final = 48
"""Of the dependencies: see docs/adr/0022-size-of-the-dependencies.md."""
DEPENDENCIES: Final = {"DependenciesArm64Layer": "arm64", "DependenciesX86Layer": "x86_64"}
_SHOWN: Final = 5


def rows() -> list[Row]:
    built = SAM_BUILD / "build"
    if not built.is_dir():
        raise Skipped("it needs `make build`")
    found = []
    for layer, architecture in DEPENDENCIES.items():
        parts = {path.name: megabytes(path) for path in (built / layer / "python").iterdir()}
        largest = sorted(parts, key=lambda name: parts[name], reverse=True)[:_SHOWN]
        what = f"size: dependencies layer for {architecture}, unzipped"
        found.append(Row(what, sum(parts.values()), "MB", BUDGET_MB))
        found += [Row(f"size: of it {name}", parts[name], "MB") for name in largest]
    return [*found, Row("size: patchbay layer, unzipped", megabytes(built / "PatchbayLayer"), "MB")]


def megabytes(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
