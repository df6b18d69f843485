"""Headers that a manifest or a secret may not set."""

from typing import Any

import pytest

from patchbay.checks.credentials import basic_value
from patchbay.checks.templates import ValueRefused
from patchbay.egress.headers import name_problem, value_problem
from tests.unit.egress.corpus import rows


@rows("header")
def test_every_hostile_header_is_refused(row: dict[str, Any]) -> None:
    if "basic" in row["target"]:
        username, password = row["target"]["basic"]
        with pytest.raises(ValueRefused):
            basic_value(username, password, pointer="/variables/user")
    else:
        name, value = row["target"]["header"]
        assert name_problem(name) or value_problem(value), row["why"]


@pytest.mark.parametrize(
    "name",
    [
        "host",
        "Transfer-Encoding",
        "Content_Length",
        "TE",
        "Proxy-Authorization",
        "X-Forwarded-Host",
        "X-Forwarded",
        "X-Host",
        "X_Original_Host",
        "X-HTTP-Host-Override",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-HTTP-Method-Override",
        "X-aws-ec2-metadata-token",
        "Metadata",
        "Bad Name",
        "Naïve",
        "X-A:",
        "",
    ],
)
def test_names_that_frame_route_or_unlock_are_refused(name: str) -> None:
    assert name_problem(name)


@pytest.mark.parametrize(
    "name", ["Authorization", "X-Api-Key", "Accept", "Stripe-Version", "Cookie"]
)
def test_ordinary_names_are_allowed(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize("value", ["a\n", "a\r", "\ta", " a", "a ", "a\x7f", "é", "", "x" * 9000])
def test_values_that_a_server_could_read_otherwise_are_refused(value: str) -> None:
    assert value_problem(value)
