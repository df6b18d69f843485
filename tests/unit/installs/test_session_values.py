"""What an end user entered, joined with what the session has and what connecting found out."""

from datetime import timedelta
from typing import Any

import pytest

from patchbay.connections.connection_model import Monitor
from patchbay.installs.model import InstallSession, SessionStatus
from patchbay.installs.session_values import joined_variables
from patchbay.platform.clock import utc_now
from patchbay.platform.errors import InvalidConfig
from tests.unit.registry.test_recipes import release

SITE: dict[str, Any] = {"type": "object", "properties": {"site": {"type": "string"}}}


def session(**changes: Any) -> InstallSession:
    now = utc_now()
    fields: dict[str, Any] = {
        "id": "ins_1",
        "organization_id": "org_1",
        "status": SessionStatus.PENDING,
        "integration": "acme/tracker",
        "integration_id": "int_1",
        "version": "1.0.0",
        "space": "production",
        "space_id": "space",
        "end_user": None,
        "external_account_id": None,
        "variables": {"site": "s-1"},
        "locked": ["/site"],
        "monitor": Monitor(),
        "return_url": None,
        "allowed_origins": [],
        "connection_id": None,
        "created_by": "key_1",
        "created_at": now,
        "expires_at": now + timedelta(minutes=30),
        "digest": "d",
        "revision": 1,
    }
    return InstallSession(**fields | changes)


@pytest.mark.parametrize(
    ("entered", "captured", "words"),
    [
        ({"site": "s-2"}, {}, "the app that sent you has set it"),
        ({"site": None}, {"site": "s-1"}, None),
        ({}, {"site": "s-2"}, "connect the account that belongs to the app"),
        ({}, {"site": "s-1"}, None),
        ({}, {}, None),
    ],
)
def test_a_locked_variable_says_whether_it_was_entered_or_is_that_of_another_account(
    entered: dict[str, Any], captured: dict[str, Any], words: str | None
) -> None:
    of = release(variablesSchema=SITE)
    if words is None:
        assert joined_variables(session(), None, of, entered, captured)["site"] == "s-1"
        return
    with pytest.raises(InvalidConfig) as refused:
        joined_variables(session(), None, of, entered, captured)
    [problem] = refused.value.problems
    assert problem.pointer == "/variables/site"
    assert words in problem.message
