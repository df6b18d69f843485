"""What is deployed, unzipped: the layers and the largest parts of the one with the dependencies."""

from pathlib import Path
from typing import Final

from bench.report import Row, Skipped
from local.paths import SAM_BUILD

BUDGET_MB: Final = 48
"""Of the dependencies: see docs/adr/0022-size-of-the-dependencies.md."""
_SHOWN: Final = 5


def rows() -> list[Row]:
    dependencies = SAM_BUILD / "build" / "DependenciesLayer" / "python"
    if not dependencies.is_dir():
        raise Skipped("it needs `make build`")
    parts = {path.name: megabytes(path) for path in dependencies.iterdir()}
    largest = sorted(parts, key=lambda name: parts[name], reverse=True)[:_SHOWN]
    package = megabytes(SAM_BUILD / "build" / "PatchbayLayer")
    return [
        Row("size: dependencies layer, unzipped", sum(parts.values()), "MB", BUDGET_MB),
        *(Row(f"size: of it {name}", parts[name], "MB") for name in largest),
        Row("size: patchbay layer, unzipped", package, "MB"),
    ]


def megabytes(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
