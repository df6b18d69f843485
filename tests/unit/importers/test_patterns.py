"""Patterns of strangers are matched if that takes no time."""

import time

import pytest
from patchbay_importers.patterns import takes


@pytest.mark.parametrize(
    ("pattern", "text", "said"),
    [
        ("^[a-z]+$", "abc", True),
        ("^[a-z]+$", "ABC", False),
        (r"^https://[a-z0-9-]+\.example\.com$", "https://a.example.com", True),
        (r"^\d{4}-\d{2}$", "2026-02", True),
        ("^(a|b)$", "b", True),
        (r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$", "2026-02-03T04:05:06Z", True),
        ("^([a-z]{2}){3}$", "abcdef", True),
        ("^([a-z]+){3}$", "abcdef", None),
        ("^(ab+)?$", "abb", True),
        (r"^[()*+]+$", "(*)", True),
        (r"^\(\*\)$", "(*)", True),
        ("^(a+)+$", "aaa", None),
        ("^(a|a)*$", "aaa", None),
        ("^((a{1,9})b?){1,9}$", "aaa", None),
        ("a*a*a*a*b", "aaa", None),
        ("^[a-z]+$", "a" * 101, None),
    ],
)
def test_a_pattern_takes_a_text_or_could_take_long(
    pattern: str, text: str, said: bool | None
) -> None:
    assert takes(pattern, text) is said


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*$", "(a*)*b", "a*a*a*$", "(a?){99}b", "(?:a+|b)+$", "(.*)(.*)b"]
)
def test_the_worst_texts_take_no_time(pattern: str) -> None:
    began = time.process_time()
    takes(pattern, "a" * 99 + "!")
    assert time.process_time() - began < 3
