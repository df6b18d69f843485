"""The numbers that codes are stored as."""

from typing import get_args

import pytest

from patchbay.checks.code_numbers import code_of, number_of
from patchbay.checks.codes import Code


def test_every_code_has_a_number_that_stays() -> None:
    codes = get_args(Code.__value__)
    assert {code_of(number_of(code)) for code in codes} == set(codes)
    assert [number_of(code) for code in codes] == list(range(1, len(codes) + 1))
    assert (number_of(None), code_of(0)) == (0, None)
    # Stored for 90 days: what these numbers mean never changes.
    assert (number_of("auth_invalid"), number_of("monitor_offline")) == (5, 43)
    for unknown in (-1, len(codes) + 1):
        with pytest.raises(ValueError, match="number of a code"):
            code_of(unknown)
