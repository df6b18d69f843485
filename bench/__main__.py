"""Runs every bench and prints one table: `make bench`. Names of benches run only those."""

import importlib
import multiprocessing
import os
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.report import Row, Skipped, rows_of, table

DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_VERSIONS = ("aws-lambda-powertools", "pydantic", "botocore", "cryptography", "h11", "moto")


def main(names: list[str]) -> int:
    """0 when every bench ran or said why it can't; missing a budget is not a failure."""
    rows: list[Row] = []
    skipped: list[str] = []
    for name in names or benches():
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            rows += _alone(name)
        except Skipped as reason:
            skipped.append(f"{name}: not measured, {reason}")
    text = "\n".join([table(rows), *(f"\n- {line}" for line in skipped)])
    print(text)
    if not names:
        DOCUMENT.write_text(f"{_HEAD}\n{_machine()}\n\n{text}\n")
    return 0


def _alone(name: str) -> list[Row]:
    """Its rows, measured by a process of its own: clients and environment are each bench's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(rows_of, name).result()


def benches() -> list[str]:
    """The modules of this package that define `rows()`."""
    modules = sorted(path.stem for path in Path(__file__).parent.glob("*.py"))
    return [
        name
        for name in modules
        if not name.startswith("__") and hasattr(importlib.import_module(f"bench.{name}"), "rows")
    ]


_HEAD = """# Benchmarks

Written by `make bench`. Absolute times are this machine's; ratios are to the budget. Times of
cold starts mean little while the machine has other work (a load above its number of CPUs); CPU
times stand that better.
"""


def _machine() -> str:
    cpu = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    versions = ", ".join(f"{name} {version(name)}" for name in _VERSIONS)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} × {cpu}, "
        f"{platform.system()} {platform.release()}, load {os.getloadavg()[0]:.1f} at the end, "
        f"Python {platform.python_version()}, {versions}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
