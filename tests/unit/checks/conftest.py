"""What the probes' tests share."""

from pathlib import Path

import pytest

from tests.unit.egress.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)
