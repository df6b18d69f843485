"""docs/checks.md: what it shows is what happens, and its examples can be published."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from patchbay.checks.codes import Code, describe
from patchbay.checks.kinds import KINDS, kind_of
from patchbay.checks.recipe import Recipe
from tests.unit.checks.situations import SITUATIONS, shown

PAGE = (Path(__file__).parents[3] / "docs/checks.md").read_text()
BLOCK = re.compile(r"<!-- ([a-z0-9_ ]+) -->\n```json\n(.*?)```", re.DOTALL)
BLOCKS = {name: json.loads(block) for name, block in BLOCK.findall(PAGE)}
SCHEMA = {
    "properties": {
        "host": {"format": "hostname"},
        "domain": {"format": "hostname"},
        "base_url": {"format": "uri"},
        **{
            name: {}
            for name in (
                "ca",
                "port",
                "region",
                "database",
                "user",
                "token",
                "sender",
                "account",
                "bucket",
            )
        },
    }
}
DECLARED = (
    *("password", "certificate", "key"),
    *("access_key_id", "secret_access_key", "session_token"),
)
AUTH = {"type": "oauth2", "tokenUrl": "https://auth.example.com/token", "scopes": []}


def settled(document: Any) -> Any:
    """A document without its times, which differ from run to run."""
    if isinstance(document, dict):
        return {
            name: "MS" if name.endswith("_ms") else settled(value)
            for name, value in document.items()
        }
    return [settled(value) for value in document] if isinstance(document, list) else document


@pytest.mark.enable_socket
@pytest.mark.parametrize("name", SITUATIONS)
def test_what_the_page_shows_is_what_a_test_answers(name: str) -> None:
    assert settled(shown(SITUATIONS[name]())) == settled(BLOCKS[name])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_example_that_can_be_published(kind: str) -> None:
    step = BLOCKS[f"kind {kind}"]
    manifest = {
        "checks": {"steps": [step | {"mandatory": True}]},
        "capabilities": ["metadata_sync"],
        "secretsSchema": {"properties": {key: {} for key in DECLARED}},
    }
    assert step["kind"] == kind
    assert Recipe(manifest, AUTH, SCHEMA).problems == ()
    assert set(step) >= kind_of(kind).keys - {"auth", "account", "accessToken"}


def test_every_code_is_in_the_table_as_it_is_in_the_code() -> None:
    for code in get_args(Code.__value__):
        info = describe(code)
        again = "yes" if info.retryable else "no"
        row = f"| `{code}` | {info.category.replace('_', ' ')} | {info.blame} | {again} | "
        assert row + f"{info.title} |" in PAGE, code
