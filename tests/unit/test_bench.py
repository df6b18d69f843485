"""The table of `make bench`."""

import importlib
import os
import subprocess
import sys

from bench.__main__ import benches
from bench.report import Row, table
from local.paths import ROOT


def test_a_row_says_whether_its_budget_is_met() -> None:
    rows = [
        Row("a", 2.0, "ms", 4.0),
        Row("b", 5.0, "ms", 4.0),
        Row("c", 5.0, "a second", 4.0, more_is_better=True),
        Row("d", 1.0, "MB"),
    ]
    assert [row.met for row in rows] == [True, False, True, None]
    assert table(rows).splitlines()[2:] == [
        "| a | 2 ms | ≤ 4 | 0.50 | yes |",
        "| b | 5 ms | ≤ 4 | 1.25 | no |",
        "| c | 5 a second | ≥ 4 | 1.25 | yes |",
        "| d | 1 MB |  |  |  |",
    ]


def test_every_module_with_rows_is_a_bench() -> None:
    assert {"abuse", "blackbox", "cold_start", "ingest", "sizes", "warm"} <= set(benches())
    for name in benches():
        assert callable(importlib.import_module(f"bench.{name}").rows)


def test_a_bench_prints_its_table() -> None:
    # A process of its own: a bench sets up the environment of a function.
    path = os.pathsep.join([str(ROOT / "functions"), str(ROOT / "layers/patchbay"), str(ROOT)])
    said = subprocess.run(
        [sys.executable, "-m", "bench", "warm"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.startswith("| what | figure | budget | ratio | met |")
    assert said.stdout.count("| warm: ") == 2
