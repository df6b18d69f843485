"""docs/architecture.md: a test can be followed to its dial in the files that the page lists."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/architecture.md").read_text()
STEP: Final = re.compile(r"^\| (\d+) \| `([a-z0-9_/]+)\.py` \|", re.MULTILINE)
MOST_FILES: Final = 12


def test_each_file_on_the_way_to_the_dial_is_imported_by_one_before_it() -> None:
    # given
    steps = STEP.findall(PAGE)
    assert [int(number) for number, _ in steps] == list(range(1, len(steps) + 1))
    assert 0 < len(steps) <= MOST_FILES

    # when, then
    read = (ROOT / "functions/checks.py").read_text()
    for _, name in steps:
        module = f"patchbay.{name.replace('/', '.')}"
        is_kind = "patchbay.checks.kinds import" in read and "/kinds/" in name
        assert is_kind or f"from {module} import" in read, name
        read += (ROOT / f"layers/patchbay/patchbay/{name}.py").read_text()
