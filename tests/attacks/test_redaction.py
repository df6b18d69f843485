"""Attacks on redaction: a server repeats a credential in every form that it can think of.

Whatever it does, no 8 characters of a secret in a row may be shown, in any of these forms.
"""

import html
import json
import random
import re
import string
import time
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from patchbay.checks.redaction import REDACTED, Redactor

KEY = "sk_live/4eC39HqLyjWDarjtT1zdp7dc+Zq=="


def hex_with(separator: str) -> Callable[[str], str]:
    return lambda text: separator.join(f"{byte:02x}" for byte in text.encode())


def spaced(text: str) -> str:
    return " ".join(text)


def broken(width: int) -> Callable[[str], str]:
    return lambda text: "\n".join(
        text[start : start + width] for start in range(0, len(text), width)
    )


def in_base64(before: str = "", after: str = "") -> Callable[[str], str]:
    return lambda text: b64encode(f"{before}{text}{after}".encode()).decode()


def listed(pattern: str) -> Callable[[str], str]:
    return lambda text: ", ".join(pattern.format(byte) for byte in text.encode())


def between(character: str) -> Callable[[str], str]:
    return lambda text: character.join(text)


def utf16(text: str) -> str:
    return text.encode("utf-16-le").decode("latin-1")


INVISIBLE = "\u00a0\u00ad\u0301\u034f\u115f\u180e\u200b\u200f\u2060\u3164\ufe0f\ufeff\U000e0100"
"""Characters that nobody sees, or that only change the one before them."""

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "swapped case": str.swapcase,
    "backward": lambda text: text[::-1],
    "spaced": spaced,
    "over lines": broken(5),
    "between bars": "|".join,
    "Base64": in_base64(),
    "Base64 behind one character": in_base64("x"),
    "Base64 behind two": in_base64("xy"),
    "Base64 of Bearer": in_base64("Bearer "),
    "Base64 of basic authentication": in_base64("u:"),
    "Base64 with more behind it": in_base64("", "; expires never"),
    "Base64 without padding": lambda text: in_base64()(text).rstrip("="),
    "Base64 over lines": lambda text: broken(76)(in_base64("From: x\n")(text)),
    "Base64 for URLs": lambda text: urlsafe_b64encode(f"?>{text}".encode()).decode(),
    "Base64 for URLs, bare": lambda text: urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "Base64 of UTF-16": lambda text: b64encode(text.encode("utf-16-le")).decode(),
    "Base64 of UTF-16, big-endian": lambda text: b64encode(text.encode("utf-16-be")).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in capitals": lambda text: text.encode().hex().upper(),
    "hexadecimal with colons": hex_with(":"),
    "hexadecimal with blanks": hex_with(" "),
    "hexadecimal with commas": hex_with(", 0x"),
    "hexadecimal of UTF-16": lambda text: text.encode("utf-16-be").hex(),
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded as a form": quote_plus,
    "percent-encoded throughout": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON as it is": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON with slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON Pointer": lambda text: text.replace("~", "~0").replace("/", "~1"),
    "escapes of Unicode": lambda text: json.dumps("".join(text)).encode("ascii").decode()[1:-1],
    "escapes of each character": lambda text: "".join(
        f"\\u{unit:04x}" for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    ),
    "escapes of each byte": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "escapes in octal": lambda text: "".join(f"\\{byte:o}" for byte in text.encode()),
    "escapes in octal of three digits": lambda text: "".join(f"\\{b:03o}" for b in text.encode()),
    "escapes in octal behind a zero": lambda text: "".join(f"\\0{b:03o}" for b in text.encode()),
    "escapes in octal as of Perl": lambda text: "".join(f"\\o{{{b:o}}}" for b in text.encode()),
    "numbers": lambda text: str(list(text.encode())),
    "numbers between blanks": lambda text: " ".join(map(str, text.encode())),
    "numbers between commas": lambda text: ",".join(map(str, text.encode())),
    "numbers of three digits": listed("{:03d}"),
    "numbers in octal": listed("0o{:o}"),
    "numbers in binary": listed("{:08b}"),
    "calls of chr": lambda text: "+".join(f"chr({byte})" for byte in text.encode()),
    "an object of bytes": lambda text: json.dumps(dict(enumerate(text.encode()))),
    "full width": lambda text: "".join(
        chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text
    ),
    "an invisible character here and there": lambda text: "\u200b".join(
        text[start : start + 5] for start in range(0, len(text), 5)
    ),
    **{f"U+{ord(c):04X} between": between(c) for c in INVISIBLE},
    "Base64 of invisible characters between": lambda text: in_base64("k=")("\u200b".join(text)),
    "invisible characters in Base64": lambda text: "\u200b".join(in_base64()(text).rstrip("=")),
    "invisible characters in entities": lambda text: "\u200b".join(
        "".join(f"&#x{ord(c):X};" for c in text)
    ),
    "invisible entities between": between("&ZeroWidthSpace;"),
    "HTML": lambda text: html.escape(text),
    "entities of each character": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "entities in hexadecimal": lambda text: "".join(f"&#x{ord(c):X};" for c in text),
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode())[2:-1],
    "UTF-16 taken for Latin-1": utf16,
}
"""What a server, a proxy, or a library may make of a text."""

ALONE = {
    "UTF-16 taken for Latin-1",
    "spaced",
    "between bars",
    "calls of chr",
    "full width",
    "Base64 of invisible characters between",
} | {
    name
    for name in FORMS
    if name.endswith((" between", "here and there"))
    or re.match("numbers (of|in|between c)|an object|escapes in octal |invisible", name)
}
LAYERS = sorted(FORMS.keys() - ALONE)
"""Those that are tried on top of each other."""

CASES = {"upper case", "lower case", "swapped case"}
"""In another case, the Base64 of UTF-16 or of something encoded can't be undone."""

ESCAPES = {
    name for name in FORMS if name.startswith(("percent", "JSON", "escapes", "HTML", "enti"))
}
"""Backward, these are undone on the outside only."""


def said(form: str, text: str) -> str:
    return FORMS[form](text)


def pieces(text: str) -> set[str]:
    """All runs of 8 characters, in any case."""
    folded = text.lower()
    return {folded[at : at + 8] for at in range(len(folded) - 7)}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_secret_is_hidden_in_every_form(form: str) -> None:
    for secret in (KEY, "correct horse battery staple", "pä§$ wörd/+?>~ñ", "ключ-от-квартиры-42"):
        text = f"invalid key: {said(form, secret)} (see the manual)"
        output = Redactor([secret])(text)
        assert output.startswith("invalid key: "), form
        assert output.endswith(" (see the manual)"), form
        frame = len("invalid key:  (see the manual)") + len(REDACTED)
        assert len(output) < frame + most_left([form], secret), output


def most_left(chain: list[str], secret: str, before: str = "") -> float:
    """The characters that may be left of a secret in a chain of forms, and of what stands before
    it: what the forms make of less than 8 characters, and of nothing."""
    whole, without = before + secret, before
    for form in chain:
        whole, without = said(form, whole), said(form, without)
    return len(without) + 8 * len(whole) / len(secret) + 8


def can_be_undone(chain: list[str]) -> bool:
    for index, form in enumerate(chain):
        below = chain[:index]
        if form in CASES and any("Base64" in one for one in below):
            return False
        if form == "backward" and ESCAPES & set(below) and index < len(chain) - 1:
            return False
    return True


@pytest.mark.parametrize("outer", LAYERS)
def test_a_secret_is_hidden_in_two_forms_at_once(outer: str) -> None:
    for inner in LAYERS:
        if can_be_undone([inner, outer]) or inner in {"Base64", "Base64 of Bearer"}:
            output = Redactor([KEY])(said(outer, "k=" + said(inner, KEY)))
            assert REDACTED in output, inner
            assert len(output) < most_left([inner, outer], KEY, "k=") + 10, (inner, output)


@pytest.mark.parametrize("text", ["double", "thrice"])
def test_escapes_of_escapes_are_undone(text: str) -> None:
    secret = 'a"b\\c/d<e>&f%41gh~i'
    for escape in ("percent-encoded", "JSON", "HTML", "percent-encoded throughout"):
        once = said(escape, secret)
        twice = said(escape, once)
        full = twice if text == "double" else said(escape, twice)
        assert Redactor([secret])(f"x {full} y") == "x [redacted] y"


@pytest.mark.parametrize("start", range(0, len(KEY) - 8, 3))
@pytest.mark.parametrize("length", [8, 11, 16])
def test_pieces_of_a_secret_are_hidden_too(start: int, length: int) -> None:
    piece = KEY[start : start + length]
    for form in ("plain", "Base64 of Bearer", "hexadecimal", "percent-encoded", "backward"):
        if len(piece) < 8:
            continue
        output = Redactor([KEY])(f"got {said(form, piece)}, sorry")
        assert REDACTED in output, form
        assert piece not in output


def test_halves_are_hidden() -> None:
    half = len(KEY) // 2
    output = Redactor([KEY])(f"{KEY[:half]} ... {KEY[half:]}")
    assert output == REDACTED
    apart = Redactor([KEY])(f"{KEY[:half]} and then {KEY[half:]}")
    assert apart == "[redacted] and then [redacted]"


ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=8, max_size=60)
KEYS = st.text(string.ascii_letters + string.digits + "+/=_-.:~", min_size=8, max_size=80)
AROUND = st.text(string.ascii_letters + " .,:", max_size=12)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY, AROUND, AROUND)
@example("0" * 8, "", "")
@example(" " * 8, "", "")
@example("[redact]" * 2, "", "")
def test_no_piece_of_any_secret_is_shown_as_it_is(secret: str, before: str, after: str) -> None:
    assume(not pieces(secret) & pieces(REDACTED))
    output = Redactor([secret])(f"{before}{secret}{after}")
    assert not pieces(secret) & pieces(output)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(KEYS, st.lists(st.sampled_from(sorted(LAYERS)), min_size=1, max_size=3), AROUND, AROUND)
@example("0" * 9, ["entities in hexadecimal", "over lines", "JSON"], "", "")
def test_no_piece_of_a_key_is_shown_in_any_chain_of_forms(
    secret: str, chain: list[str], before: str, after: str
) -> None:
    assume(can_be_undone(chain))
    text = secret
    for form in chain:
        text = said(form, text)
    output = Redactor([secret])(f"{before}\t{text}\t{after}")
    left = output.removeprefix(before).removesuffix(after).strip("\t").replace(REDACTED, "")
    assert len(left) < most_left(chain, secret), (output, chain)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(KEYS, st.integers(0, 5), st.booleans(), st.booleans())
def test_base64_at_any_offset_is_hidden(
    secret: str, before: int, for_urls: bool, padded: bool
) -> None:
    encode = urlsafe_b64encode if for_urls else b64encode
    text = encode(b"\x01" * before + secret.encode()).decode()
    output = Redactor([secret])(text if padded else text.rstrip("="))
    for rest in output.split(REDACTED):
        for offset in range(4):
            digits = rest[offset:].rstrip("=").replace("-", "+").replace("_", "/")
            digits = digits[: len(digits) - (len(digits) % 4 == 1)]
            decoded = b64decode(digits + "=" * (-len(digits) % 4)).decode("latin-1")
            assert not pieces(secret) & pieces(decoded)


def test_words_that_are_not_secret_stay() -> None:
    redact = Redactor([KEY, "another-Secret-0815", "Zq1x"])
    for text in (
        "Answered 200 as expected.",
        "The provider answered 401: the credential was not accepted.",
        "octocat@example.com",
        "Acme Corporation (Europe) GmbH & Co. KG, 100 % solar — Käse",
        "01M8GN5J8TBJ71GRE10AJSWSJF",
        "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    ):
        assert redact(text) == text


def test_a_text_is_withheld_if_it_can_not_be_read_to_its_end() -> None:
    deep = KEY
    for _ in range(7):
        deep = in_base64("x")(deep)
    assert Redactor([KEY])(deep) == REDACTED
    assert Redactor([KEY])("\\" * 4000) == REDACTED
    assert Redactor([KEY])("%25" * 10 + "25" * 4000 + "41") == REDACTED


@pytest.mark.parametrize("secret", ["7", "ab", "x/y"])
def test_the_words_of_a_server_are_withheld_if_a_secret_is_too_short_to_be_found(
    secret: str,
) -> None:
    redact = Redactor([KEY, secret])
    assert redact.of_server("account 7 of x/y ab") == REDACTED
    assert redact.of_server("") == ""
    assert redact(f"step 7 {KEY}") == "step 7 [redacted]"


def test_the_cost_is_bounded() -> None:
    # Given 20 secrets of 16 KB, and texts that are the worst to read
    chance = random.Random(1)  # noqa: S311 - no secret of anyone
    secrets = ["".join(chance.choices(string.printable, k=16_000)) for _ in range(20)]
    words = "".join(
        secrets[n % 20][at : at + 7] + "!" for n in range(20) for at in range(0, 3000, 7)
    )
    for text in (
        b64encode(b64encode(chance.randbytes(36_000))).decode(),
        chance.randbytes(32_000).hex(),
        words,
        secrets[0] * 4,
        "A" * 65_536,
        "VVVV////" * 8192,
        "%2541" * 13_000,
        "\\" * 65_536,
    ):
        # When one is redacted, then it does not take long: a second on an idle machine
        began = time.process_time()
        Redactor(secrets)(text)
        assert time.process_time() - began < 8, text[:20]


@pytest.mark.parametrize(
    ("secret", "text"),
    [("a" * 16_000, "a" * 16_384), ("ä" * 8000, "ä" * 16_384), ("ab" * 8000, "abab, " * 2700)],
)
def test_a_secret_that_repeats_itself_costs_no_more(secret: str, text: str) -> None:
    began = time.process_time()
    assert set(Redactor([secret])(text).split(", ")) <= {REDACTED, "abab", ""}
    assert time.process_time() - began < 2
