"""The wizard's texts: every catalog has all of them, and no text stands in its code."""

import re
from typing import get_args

import pytest

from patchbay.checks.codes import Code
from patchbay.grants.flow_outcomes import FlowOutcome
from patchbay.platform.web_comments import without_comments
from tests.unit.web.graph import WEB

ENTRY = re.compile(r'^  (?:"([\w.-]+)"|(\w+)):\s*"((?:[^"\\]|\\.)*)",$', re.MULTILINE)
CODES = re.compile(r'^  "?([\w-]+)"?: \[', re.MULTILINE)
USED = re.compile(r"""\bt\(\s*["']([\w.-]+)["']""")
WORDS = re.compile(r">\s*[A-Za-z][a-z]+ [a-z]+[^<${}]*<")


def catalog(language: str) -> dict[str, str]:
    text = (WEB / f"install/texts/{language}.js").read_text()
    if language == "en":
        forms = (WEB / "kit/schema_form.js").read_text()
        text += forms[forms.index("FORM_TEXTS = {") : forms.index("\n};")]
    return {quoted or plain: said for quoted, plain, said in ENTRY.findall(text)}


ENGLISH, GERMAN = catalog("en"), catalog("de")


def test_german_has_every_text() -> None:
    assert len(ENGLISH) > 120
    # The usual secrets have their names in English already.
    assert sorted(ENGLISH) == sorted(key for key in GERMAN if not key.startswith("secret."))


@pytest.mark.parametrize("key", ENGLISH)
def test_each_text_takes_the_same_values(key: str) -> None:
    names = re.compile(r"\{\w+\}")
    assert sorted(names.findall(ENGLISH[key])) == sorted(names.findall(GERMAN[key]))


def test_every_text_that_is_asked_for_is_there() -> None:
    for path in ("install/main.js", "kit/schema_form.js"):
        for key in USED.findall((WEB / path).read_text()):
            assert key in ENGLISH, f"{path}: {key}"


def test_no_text_stands_in_the_wizards_code() -> None:
    path = "install/main.js"
    assert WORDS.findall(without_comments(path, (WEB / path).read_text())) == []


def test_german_words_are_of_failures_that_there_are() -> None:
    text = (WEB / "install/texts/de.js").read_text()
    known = {*get_args(Code.__value__), *FlowOutcome}
    of_api = {"UNREACHABLE", "UNREADABLE", "RATE_LIMITED", "QUOTA_EXCEEDED", "INTERNAL_ERROR"}
    assert set(CODES.findall(text)) - known == of_api
