"""Which publisher names are the operator's to give."""

import json
import re
import time
from pathlib import Path

import pytest

from patchbay.registry.naming import PUBLISHER_PATTERN, key_of
from patchbay.registry.reserved_publishers import _SAYS_NOTHING, NAMES, is_reserved

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
        "stripes",
        "githubbers",
        "stripe-payments",
        "acme-stripe",
        "my-stripe-pay",
        "mystripepay",
        "git-hub-tools",
        "sap-hana",
        "for-g-i-t-hub",
        "getslack-billing",
        "2slack2-x",
        "24slack",
        "appplaid",
        "the-redis-com",
        "gogle",
        "gooogle",
        "6it1a6",
        "9it1ab",
        "qitlab",
        "zoom2",
        "xeros",
        "s1ack-sso",
        "paypai",
        "paypa1-security",
        "clisc0rd",
        # Some words of several, and words with something around them
        "acme-zo-om-club",
        "zo-om-club",
        "acme-zo-om2-club",
        "acme-2getzoom-club",
        "2getzoom",
        "acme-getzoom-club",
        "ge-tzoom",
        "my-g-et-zoom",
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
        "slacker",
        "sapphire",
        "zoomers-inc",
        "redistribute",
        "awesome",
        "kafkaesque",
        "lira",
        "git",
        "gitea",
        "monday",
        "pay-pool",
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


@pytest.mark.parametrize("name", ["ai" * 32, "s" * 64, "-".join("a" * 32), "1" * 64, "io-" * 21])
def test_a_name_that_says_nothing_is_judged_at_once(name: str) -> None:
    began = time.thread_time()
    assert not is_reserved(name)
    assert time.thread_time() - began < 0.25


def test_every_word_that_says_nothing_is_looked_through_on_both_sides() -> None:
    for word in _SAYS_NOTHING.split():
        for name in (f"{word}-zoom", f"zoom{word}", f"the{word}zoom", f"zoom-{word}-inc"):
            assert is_reserved(name), name


@pytest.mark.parametrize(
    "name", ["\u13da\u13a2", "Acme \ua4e2\ua4d4", "\u13da acme-2", "\U00010404\U00010405"]
)
def test_scripts_that_look_like_capitals_are_reserved(name: str) -> None:
    assert is_reserved(key_of(name))


@pytest.mark.parametrize(
    "name", ["日本", "Ελλάς ждать", "xn--", "xn--99999999", "xn---", "xn--a-0e"]
)
def test_other_scripts_and_words_that_are_no_punycode_are_free(name: str) -> None:
    assert not is_reserved(key_of(name))


def test_a_letter_without_a_name_is_no_script() -> None:
    assert not is_reserved("xn--" + "\U000e0fff".encode("punycode").decode())
