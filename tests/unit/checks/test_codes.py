"""The table of codes."""

from typing import get_args

from patchbay.checks.codes import Code, describe


def test_every_code_has_a_row_with_a_remedy() -> None:
    for code in get_args(Code.__value__):
        info = describe(code)
        assert info.code == code
        assert info.title
        assert info.remediation


def test_platform_faults_are_the_platforms_and_worth_another_try() -> None:
    for code in get_args(Code.__value__):
        info = describe(code)
        assert (info.category == "platform") == (info.blame == "platform")
        if info.category in {"platform", "provider", "rate_limit"}:
            assert info.retryable
