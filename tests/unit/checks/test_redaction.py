"""Secrets taken out of texts."""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.checks.redaction import Redactor

SECRET = "pä§$ w0rd/+?>~"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        b64encode(SECRET.encode()).decode(),
        b64encode(SECRET.encode()).decode().rstrip("="),
        urlsafe_b64encode(SECRET.encode()).decode(),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower().replace("pä", "pä"),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        html.escape(SECRET),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        SECRET.upper(),
        quote(SECRET, safe="").upper(),
    ],
)
def test_a_secret_is_replaced_in_every_usual_encoding(form: str) -> None:
    assert Redactor([SECRET])(f"key={form}.") == "key=[redacted]."


def test_the_longest_secret_goes_first() -> None:
    assert Redactor(["abcd", "abcdef"])("abcdef abcd") == "[redacted] [redacted]"


def test_a_secret_too_short_to_be_one_does_not_tear_words_apart() -> None:
    assert Redactor(["e", "tep"])("Step whoami failed") == "Step whoami failed"


def test_a_short_secret_is_looked_for_as_it_is_spelt() -> None:
    assert Redactor(["Host"])("The host of Host") == "The host of [redacted]"


def test_without_secrets_a_text_stays_as_it_is() -> None:
    assert Redactor([""])("plain") == "plain"


@given(st.text(min_size=12), st.text(), st.text())
def test_no_known_secret_survives(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + secret + after)
