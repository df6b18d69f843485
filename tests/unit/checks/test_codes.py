"""The table of codes."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from patchbay.checks.codes import Code, describe
from patchbay.checks.refusals import Answer, refusal, refusal_within
from patchbay.checks.request_context import RequestContext
from patchbay.checks.status_meanings import CODES

PAGE = (Path(__file__).parents[3] / "docs/checks.md").read_text()
EXAMPLE = re.compile(r"^\| `(\w+)` \| `(\d{3})`(.*) \|$", re.MULTILINE)
EXAMPLES = EXAMPLE.findall(PAGE)
HEADER = re.compile(r"([A-Za-z-]+): (.*)", re.DOTALL)


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


@pytest.mark.parametrize(("code", "status", "rest"), EXAMPLES)
def test_the_answers_that_the_page_has_for_a_code_mean_it(
    code: str, status: str, rest: str
) -> None:
    parts = re.findall(r"`([^`]+)`", rest)
    headers = {m[1].lower(): m[2] for part in parts if (m := HEADER.fullmatch(part))}
    body = next((part for part in parts if not HEADER.fullmatch(part)), "")
    answer = Answer(int(status), headers, body)
    judge = refusal_within if status == "200" else refusal
    found = judge(
        answer, RequestContext(path="/variables/account"), datetime(2026, 2, 17, tzinfo=UTC)
    )
    assert found is not None
    assert found.code == code


def test_every_code_that_an_answer_can_mean_has_an_example_on_the_page() -> None:
    shown = {code for code, _, _ in EXAMPLES}
    of_no_meaning = {code for code in shown if code.startswith("client_certificate_")}
    of_no_meaning.add("authentication_unsupported")
    assert shown == CODES | {"blocked_by_intermediary", "unexpected_response"} | of_no_meaning


def test_what_the_account_or_the_integration_has_to_settle_is_not_waited_for() -> None:
    for code in get_args(Code.__value__):
        info = describe(code)
        if info.category in {"account", "integration"}:
            assert not info.retryable
            assert info.blame == ("customer" if info.category == "account" else "unknown")
