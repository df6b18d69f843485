"""Secrets taken out of texts."""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchbay.checks.redaction import MAX_TEXT, REDACTED, Redactor

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


@pytest.mark.parametrize("secret", ["abcd", "Zq1x/+?"])
def test_a_short_secret_is_replaced_as_a_whole_and_encoded(secret: str) -> None:
    redact = Redactor([secret])
    for form in (
        secret,
        secret[::-1],
        secret.encode().hex(),
        secret.encode().hex().upper(),
        quote(secret, safe=""),
        b64encode(secret.encode()).decode().rstrip("="),
        urlsafe_b64encode(secret.encode()).decode().rstrip("="),
        b64encode(f"user:{secret}".encode()).decode(),
    ):
        assert redact(f"<{form}>") == "<[redacted]>" or form.startswith("dXNlcjp"), form
        assert secret not in redact(form)
    # But not a part of it, and every time that it is there
    assert redact(secret[:3]) == secret[:3]
    assert redact(f"{secret} {secret}") == "[redacted] [redacted]"


def test_eight_characters_of_a_secret_are_not_shown_and_seven_are() -> None:
    redact = Redactor(["abcdefghijklmnop"])
    assert redact("x cdefghi y") == "x cdefghi y"
    assert redact("x cdefghij y") == "x [redacted] y"
    for start in range(9):
        assert redact("!" + "abcdefghijklmnop"[start : start + 8]) == "![redacted]"
    # The longest of several is found, whatever is behind a shorter one
    other = Redactor(["abcdefghXX", "abcdefghij123", "__abcdefgh"])
    assert other("-abcdefghij123-") == "-[redacted]-"


def test_padding_that_belongs_to_a_secret_goes_with_it() -> None:
    assert Redactor(["correct-horse"])("k=Y29ycmVjdC1ob3JzZQ==.") == "k=[redacted]."
    assert Redactor(["correct-horse"])("k=correct-horse==.") == "k=[redacted]==."


def test_a_long_text_is_cut_before_it_is_read() -> None:
    text = "a b " * 5000
    assert Redactor(["sk_live_4eC39Hq"])(text) == text[:MAX_TEXT]
    assert Redactor([])(text) == text[:MAX_TEXT]


def test_what_stands_between_two_secrets_stays() -> None:
    redact = Redactor(["first-secret", "second-secret"])
    assert redact("first-secret, second-secret") == "[redacted], [redacted]"
    assert redact("first-secretsecond-secret") == "[redacted]"
    assert redact("[first-secret]") == "[[redacted]]"


def test_a_secret_that_is_there_twice_is_replaced_twice() -> None:
    twice = f"{b64encode(b'correct-horse').decode()} and {b64encode(b'correct-horse').decode()}"
    assert Redactor(["correct-horse"])(twice) == "[redacted] and [redacted]"


def test_a_servers_words_are_shown_unless_a_secret_is_too_short() -> None:
    assert Redactor(["abcd"]).of_server("account abcd of x") == "account [redacted] of x"
    assert Redactor(["abc"]).of_server("account") == REDACTED
    assert Redactor(["abc", "abcdefgh"])("abc of abcdefgh") == "abc of [redacted]"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=12), st.text(), st.text())
def test_no_known_secret_survives(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + secret + after)
