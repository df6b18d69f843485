"""docs/auth-config.md and its JSON Schema: each example can be published, and both know what the
code knows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from patchbay.checks.auth_config import (
    AUTH_CONFIG_KEYS,
    SECRETS_OF_TYPE,
    auth_config_problems,
)
from patchbay.checks.captures import MAX_CAPTURES, MAX_HOSTS
from patchbay.checks.expiry_times import MAX_SECONDS, UNITS
from patchbay.checks.recipe import Recipe
from patchbay.checks.token_requests import (
    BODY_FORMATS,
    CLIENT_AUTHS,
    MAX_PARAMETERS,
    MAX_PLACES,
    METHODS,
    SCOPE_SEPARATORS,
)
from patchbay.checks.token_revocation import AUTHS, FORMATS
from patchbay.checks.token_revocation import METHODS as REVOCATION_METHODS
from patchbay.platform.json_schema import DocumentSchema

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs/auth-config.md").read_text()
SCHEMA: dict[str, Any] = json.loads((ROOT / "docs/schemas/auth-config.schema.json").read_text())
MEMBERS = SCHEMA["properties"]
EXAMPLES = {
    name: json.loads(text)
    for name, text in re.findall(r"<!-- example (\w+) -->\n```json\n(.*?)```", DOCUMENT, re.DOTALL)
}
CATALOG = sorted((ROOT / "catalog").glob("*.json"))


def refused(auth_config: dict[str, Any]) -> list[str]:
    return [
        f"{one.pointer} {one.message}"
        for one in DocumentSchema(SCHEMA).problems(auth_config, "/authConfig")
    ]


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_can_be_published(name: str) -> None:
    example = EXAMPLES[name]
    auth = example["authConfig"]
    recipe = Recipe(example["manifest"], auth, example.get("variablesSchema", {}))

    assert [*auth_config_problems(auth)] == []
    assert recipe.problems == ()
    assert recipe.binding_problems() == []
    assert recipe.base_url is not None
    assert recipe.renewal is not None
    assert refused(auth) == []


def test_the_examples_are_those_of_real_providers() -> None:
    assert {
        *("github", "google", "slack", "zoho", "quickbooks", "shopify", "salesforce", "notion")
    } <= EXAMPLES.keys()


def test_every_example_of_basic_can_be_published() -> None:
    lines = [line for line in DOCUMENT.splitlines() if line.startswith('{"type": "basic"')]
    assert len(lines) == 3
    for line in lines:
        auth = json.loads(line)
        schema = {"properties": {"email": {"type": "string"}}}
        assert Recipe({}, auth, schema).problems == ()
        assert refused(auth) == []


@pytest.mark.parametrize("path", CATALOG, ids=lambda path: path.stem)
def test_the_schema_takes_the_catalog(path: Path) -> None:
    assert refused(json.loads(path.read_text())["authConfig"]) == []


def test_the_schema_and_the_document_know_every_member() -> None:
    assert MEMBERS.keys() == AUTH_CONFIG_KEYS
    assert [name for name in AUTH_CONFIG_KEYS if f"`{name}`" not in DOCUMENT] == []
    assert all("description" in member for member in MEMBERS.values())


def test_the_schema_knows_every_value_and_bound() -> None:
    assert {*MEMBERS["type"]["enum"]} == SECRETS_OF_TYPE.keys()
    assert MEMBERS["clientAuth"]["enum"] == list(CLIENT_AUTHS)
    assert MEMBERS["tokenMethod"]["enum"] == list(METHODS)
    assert MEMBERS["tokenBodyFormat"]["enum"] == list(BODY_FORMATS)
    assert MEMBERS["scopeSeparator"]["enum"] == list(SCOPE_SEPARATORS)
    assert MEMBERS["expiresInUnit"]["enum"] == list(UNITS)
    assert MEMBERS["defaultExpiresIn"]["maximum"] == MAX_SECONDS
    assert MEMBERS["tokenParams"]["maxProperties"] == MAX_PARAMETERS
    revocation = MEMBERS["revocation"]["properties"]
    assert revocation["method"]["enum"] == list(REVOCATION_METHODS)
    assert revocation["bodyFormat"]["enum"] == list(FORMATS)
    assert revocation["auth"]["enum"] == list(AUTHS)
    assert MEMBERS["capture"]["properties"]["callback"]["maxProperties"] == MAX_CAPTURES
    [_, captured] = SCHEMA["$defs"]["captured"]["oneOf"]
    assert captured["properties"]["hosts"]["maxItems"] == MAX_HOSTS
    [_, pointers] = SCHEMA["$defs"]["pointers"]["oneOf"]
    assert pointers["maxItems"] == MAX_PLACES


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"type": "password"},
        {"type": "oauth2"},
        {"type": "oauth2", "tokenUrl": "https://a.example.com/t"},
        {"type": "api_key", "other": 1},
        {"type": "oauth2", "tokenUrl": "http://a.example.com/t", "grantType": "x"},
        {"type": "none", "pkce": "plain"},
        {
            "type": "oauth2",
            "grantType": "x",
            "tokenUrl": "https://a.example.com/",
            "scopes": ["a b"],
        },
        {"type": "none", "parameterNames": {"nonce": "n"}},
        {"type": "none", "capture": {"tokenResponse": {"x": "v"}}},
        {"type": "none", "lookup": {"url": "https://a.example.com/"}},
        {"type": "none", "tokenResponse": {"refreshToken": ["/a", "/b"]}},
    ],
)
def test_the_schema_refuses_what_publishing_refuses(wrong: dict[str, Any]) -> None:
    assert refused(wrong)
    assert [*auth_config_problems(wrong), *Recipe({}, wrong, {}).problems]
