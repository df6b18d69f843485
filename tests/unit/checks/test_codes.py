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
            assert info.retryable == (code != "redirect_loop")


def test_what_keys_and_accounts_both_meet_has_a_remedy_for_both() -> None:
    remedies = {
        code: describe(code).remediation
        for code in ("auth_expired", "auth_revoked", "scope_missing")
    }
    assert [code for code, text in remedies.items() if "account" not in text] == []
    own = {"auth_expired": "credential", "auth_revoked": "enter a new one", "scope_missing": "key"}
    assert [code for code, word in own.items() if word not in remedies[code]] == []
