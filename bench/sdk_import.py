"""What importing the SDK, or the command line, costs: CPU, as other work disturbs it less.

What is put off to the first client is not won, so that is measured too.
"""

import subprocess
import sys
from statistics import median
from typing import Final

from bench.report import Row

BUDGET_MS: Final = 120
PROGRAM_BUDGET_MS: Final = 150
_PROCESSES: Final = 15
_TIMED: Final = "import time; began = time.process_time(); {}; print(time.process_time() - began)"
_PROGRAM: Final = "import patchbay_cli.program"
_COMMANDS: Final = (
    "from importlib import import_module; from patchbay_cli.table import COMMANDS; "
    "[import_module(one.module) for one in COMMANDS.values()]"
)
_CLIENT: Final = "import patchbay_sdk; patchbay_sdk.Patchbay('k', base_url='https://x.example')"


def rows() -> list[Row]:
    return [
        Row("SDK: import, CPU", _cpu_ms("import patchbay_sdk"), "ms", BUDGET_MS),
        Row("SDK: import and the first client, CPU", _cpu_ms(_CLIENT), "ms"),
        Row("SDK: of it httpx2, CPU", _cpu_ms("import httpx2"), "ms"),
        Row("Command line: import, CPU", _cpu_ms(_PROGRAM), "ms", PROGRAM_BUDGET_MS),
        Row("Command line: import of every command, CPU", _cpu_ms(_COMMANDS), "ms"),
    ]


def _cpu_ms(code: str) -> float:
    """The median over new processes."""
    command = (sys.executable, "-c", _TIMED.format(code))
    found = [
        subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own
        for _ in range(_PROCESSES)
    ]
    return median(float(done.stdout) * 1000 for done in found)
