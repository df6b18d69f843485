"""RFC 9207: which `iss` belongs to a flow."""

from typing import Any

import pytest

from patchbay.checks.recipe import Recipe
from patchbay.grants.issuers import is_issuer

CONFIG = {
    "type": "oauth2",
    "authorizationUrl": "https://login.example.com/authorize",
    "tokenUrl": "https://api.example.com:8443/token",
}


def judged(iss: str | None, variables: dict[str, Any] | None = None, **config: Any) -> bool:
    schema = {"properties": {"tenant": {"type": "string", "default": "of-the-schema"}}}
    recipe = Recipe({}, {**CONFIG, **config}, schema).authorization
    assert recipe
    return is_issuer(recipe, variables or {}, iss)


@pytest.mark.parametrize(
    ("iss", "is_taken"),
    [
        (None, True),
        ("https://login.example.com", True),
        ("https://login.example.com/", True),
        ("https://LOGIN.example.com/oauth2/default", True),
        ("https://login.example.com:443", True),
        ("https://api.example.com:8443/realms/x", True),
        ("https://api.example.com", False),
        ("https://login.example.com:8443", False),
        ("http://login.example.com", False),
        ("https://evil.example", False),
        ("https://login.example.com.evil.example", False),
        ("https://evil.example/https://login.example.com", False),
        ("https://login.example.com@evil.example/", False),
        ("https://example.com", False),
        ("login.example.com", False),
        ("", False),
    ],
)
def test_without_an_issuer_an_answer_is_of_a_host_of_the_flow(
    iss: str | None, is_taken: bool
) -> None:
    assert judged(iss) is is_taken


@pytest.mark.parametrize(
    ("iss", "is_taken"),
    [
        ("https://id.example.com/acme", True),
        ("https://id.example.com/acme/", False),
        ("https://id.example.com/other", False),
        ("https://login.example.com", False),
        (None, False),
    ],
)
def test_an_issuer_that_is_named_is_compared_as_a_string(iss: str | None, is_taken: bool) -> None:
    named = "https://id.example.com/{{variables.tenant}}"
    assert judged(iss, {"tenant": "acme"}, issuer=named) is is_taken


def test_an_issuer_whose_variable_is_no_text_takes_nothing() -> None:
    named = "https://id.example.com/{{variables.tenant}}"
    assert not judged("https://id.example.com/", {"tenant": ["a"]}, issuer=named)


@pytest.mark.parametrize(
    ("variables", "iss", "is_taken"),
    [
        ({"tenant": "acme"}, "https://acme.example.com", True),
        ({"tenant": "acme"}, "https://evil.example.com", False),
        ({}, "https://of-the-schema.example.com", True),
        ({"tenant": "no/label"}, "https://acme.example.com", False),
    ],
)
def test_the_host_of_a_flow_is_that_of_its_variables(
    variables: dict[str, Any], iss: str, is_taken: bool
) -> None:
    url = "https://{{variables.tenant}}.example.com/authorize"
    assert judged(iss, variables, authorizationUrl=url) is is_taken
