"""From the code of a test to the action of the connection's owner."""

from typing import get_args

import pytest

from patchbay.checks.codes import Code, CodeCategory, describe
from patchbay.connections.health_status import RequiredAction
from patchbay.connections.required_actions import required_action

CODES: tuple[Code, ...] = get_args(Code.__value__)

EXPECTED = {
    "fix_config": "config_invalid config_missing_field egress_blocked tls_error not_found",
    "reauthorize": "secret_not_found auth_invalid auth_expired auth_revoked",
    "grant_permission": "permission_denied scope_missing",
    "fix_account": "payment_required account_locked address_not_allowed",
    "wait": "dns_error connection_refused connection_reset network_unreachable connect_timeout "
    "rate_limited provider_error provider_timeout",
    "contact_support": "certificate_expired unexpected_response response_too_large "
    "request_rejected blocked_by_intermediary "
    "secret_store_unavailable budget_exhausted internal_error",
}


@pytest.mark.parametrize(
    ("code", "action"), [(code, a) for a, codes in EXPECTED.items() for code in codes.split()]
)
def test_each_code_has_its_action(code: Code, action: str) -> None:
    assert required_action(code) == action


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_an_action(code: Code) -> None:
    assert required_action(code) is not RequiredAction.NONE


def test_a_passed_test_needs_no_action() -> None:
    assert required_action(None) is RequiredAction.NONE


def test_waiting_is_the_action_for_failures_that_only_time_fixes() -> None:
    waited: set[CodeCategory] = {
        describe(code).category for code in CODES if required_action(code) is RequiredAction.WAIT
    }
    assert waited == {"network", "rate_limit", "provider"}
    assert all(
        describe(code).retryable for code in CODES if required_action(code) is RequiredAction.WAIT
    )
