"""Which publisher names are the operator's to give."""

import json
import re
from pathlib import Path

import pytest

from patchbay.registry.naming import PUBLISHER_PATTERN
from patchbay.registry.reserved_publishers import NAMES, is_reserved

CATALOG = Path(__file__).parents[3] / "catalog"


def test_every_publisher_of_the_catalog_is_reserved() -> None:
    published = {json.loads(file.read_text())["publisher"] for file in CATALOG.glob("*.json")}
    assert published <= NAMES
    assert all(map(is_reserved, NAMES))


def test_the_names_are_publishers() -> None:
    assert [name for name in NAMES if not re.fullmatch(PUBLISHER_PATTERN, name)] == []


@pytest.mark.parametrize(
    "name",
    [
        "git-hub",
        "g-i-t-h-u-b",
        "g1thub",
        "glthub",
        "github2",
        "github-2",
        "6ithub",
        "9lthu8",
        "str1pe",
        "5tripe",
        "s7r1p3",
        "slack-official",
        "officialslack",
        "get-stripe",
        "stripe-com",
        "stripeinc",
        "the-real-stripe-api",
        "intercorn",
        "tvvilio",
        "disc0rd",
        "0penai",
        "open-ai",
        "open-a1",
        "auth0",
        "autho",
        "micros0ft365",
    ],
)
def test_what_looks_like_a_reserved_name_is_reserved(name: str) -> None:
    assert is_reserved(name)


@pytest.mark.parametrize(
    "name",
    [
        "acme",
        "globex",
        "slackline",
        "stripes",
        "githubbers",
        "app",
        "api",
        "the-team",
        "my-hub",
        "1",
        "io",
    ],
)
def test_other_names_are_free(name: str) -> None:
    assert not is_reserved(name)
