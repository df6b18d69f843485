"""Encodings undone, with where each byte comes from."""

import json
from base64 import b64encode
from urllib.parse import quote

import pytest

from patchbay.checks.encodings import (
    MAX_DEPTH,
    MAX_PASSES,
    MAX_READ,
    TooIntricate,
    readings,
    unescaped,
    whole,
)


def plain(text: str) -> str:
    return unescaped(whole(text)).data.decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a%41b", "aAb"),
        ("%c3%a4", "ä"),
        ("%u0041%U00e4", "Aä"),
        (r"\u0041\U0041", "AA"),
        (r"\ud83d\ude00", "😀"),
        (r"\u{1F600}\U0001F600", "😀😀"),
        (r"\x41\X42", "AB"),
        (r"\"\/\'", "\"/'"),
        (r"\n\t\r\b\f\0", "\n\t\r\b\f\0"),
        ("&amp;&lt;&AMP;&auml;", "&<&ä"),
        ("&#65;&#65&#x42;&#X43", "AABC"),
        ("a~1b~0c", "a/b~c"),
        ("%2541", "A"),
        ("&amp;amp;", "&"),
        (r"\U0001f600", "😀"),
        ("&#x10FFFF;", chr(0x10FFFF)),
        ("&nosuch; %41", "&nosuch; A"),
        (r"\163\0163\0057\57\o{163}\o{57}", "ss//s/"),
        (r"\303\244\377x", None),
        (r"\574 \1234", "/4 S4"),
        (r"\8\9", "89"),
        # What is no escape stays
        ("%4 %zz &nosuch; &#x110000; ~2", "%4 %zz &nosuch; &#x110000; ~2"),
        ("no escapes", "no escapes"),
    ],
)
def test_escapes_are_undone(text: str, said: str | None) -> None:
    assert unescaped(whole(text)).data == (said.encode() if said else "ä".encode() + b"\xffx")


def test_every_byte_knows_its_part_of_the_text() -> None:
    reading = unescaped(whole("ä%41&amp;x"))
    assert reading.data == "äA&x".encode()
    assert tuple(map(list, reading.places)) == ([0, 0, 1, 4, 9], [1, 1, 4, 9, 10])
    # Through several layers, and without what was left out
    twice = unescaped(whole("-%2541 b")).without_blanks().without_signs()
    assert twice.data == b"Ab"
    assert tuple(map(list, twice.places)) == ([1, 7], [6, 8])


def test_escapes_of_escapes_have_a_limit() -> None:
    assert plain("%" + "25" * (MAX_PASSES - 2) + "41") == "A"
    with pytest.raises(TooIntricate):
        plain("%" + "25" * MAX_PASSES + "41")


@pytest.mark.parametrize("before", ["", "x", "xy", "xyz", "a b c "])
@pytest.mark.parametrize("url_safe", [True, False])
def test_base64_is_read_wherever_it_begins(before: str, url_safe: bool) -> None:
    text = before + b64encode(b"correct?>horse").decode()
    if url_safe:
        text = text.replace("+", "-").replace("/", "_")
    found = [one for one in readings(text) if b"correct?>horse" in one.data]
    [reading] = found
    at = reading.data.index(b"correct?>horse")
    assert reading.padded
    starts, ends = reading.places
    assert (starts[at], ends[at]) == (len(before), len(before) + 2)
    assert (starts[at + 2], ends[at + 2]) == (len(before) + 2, len(before) + 4)


def test_hexadecimal_is_read_wherever_it_begins() -> None:
    digits = b"correct".hex() + "21"
    for text in (digits, f"e{digits}", f"{digits}0", ":".join(map(str, [digits])), f"0x{digits}"):
        found = [one for one in readings(text) if b"correct!" in one.data]
        assert found, text
        starts, ends = found[0].places
        at = found[0].data.index(b"correct!")
        assert text[starts[at] : ends[at + 7]] == digits
    listed = ", ".join(f"0x{byte:02x}" for byte in b"correct!")
    assert any(b"correct!" in one.data for one in readings(listed))


def test_what_is_backward_is_read_backward() -> None:
    text = b64encode(b"correct-horse").decode()[::-1]
    [reading] = [one for one in readings(text) if b"correct-horse" in one.data]
    starts, ends = reading.places
    at = reading.data.index(b"correct-horse")
    # Its first byte is in the last two characters
    assert (starts[at], ends[at]) == (len(text) - 2, len(text))
    escaped = quote("<&>", safe="")[::-1]
    assert any(one.data == b"<&>" for one in readings(escaped))


def test_too_many_layers_are_refused() -> None:
    text = "correct-horse"
    for _ in range(MAX_DEPTH):
        text = b64encode(text.encode()).decode()
    assert any(b"correct-horse" in one.data for one in readings(text))
    for _ in range(2):
        text = b64encode(text.encode()).decode()
    with pytest.raises(TooIntricate):
        list(readings(text))


def test_layers_of_several_kinds_are_undone() -> None:
    text = quote(json.dumps(b64encode(b"correct-horse").hex()), safe="")
    assert any(b"correct-horse" in one.data for one in readings(text))


def test_escapes_within_base64_are_undone_and_its_padding_belongs_to_it() -> None:
    found = readings(b64encode(b"%63orrect-horse").decode())
    [reading] = [one for one in found if one.data == b"correct-horse"]
    assert reading.padded


def test_half_of_a_character_is_kept() -> None:
    assert unescaped(whole(r"\ud83dx")).data == "\ud83dx".encode("utf-8", "surrogatepass")


def test_blanks_and_signs_are_of_ascii() -> None:
    assert whole("a\x7fb\x00 c").without_blanks().data == b"abc"
    for text in ("À", "é", "x"):
        assert whole(text).without_blanks().without_signs().data == text.encode()


def test_eleven_digits_of_base64_are_read_and_ten_are_not() -> None:
    assert any(one.data == b"correct!" for one in readings("Y29ycmVjdCE"))
    assert [one.data for one in readings("Y29ycmVjdC")] == [b"Y29ycmVjdC"] * 2


def test_a_list_of_bytes_may_be_in_upper_case() -> None:
    listed = ", ".join(f"0X{byte:02X}" for byte in b"correct/jkl")
    assert any(b"correct/jkl" in one.data for one in readings(listed))


def test_a_megabyte_of_readings_is_made() -> None:
    assert MAX_READ == 1024 * 1024
    # Signs are read twice: as they are, and with their escapes undone.
    assert len(list(readings("!" * (MAX_READ // 2)))) == 2
    with pytest.raises(TooIntricate):
        list(readings("!" * (MAX_READ // 2 + 1)))


def decoded(text: str, expected: bytes) -> str:
    """The part of the text that says so."""
    reading = next(one for one in readings(text) if expected in one.data)
    starts, ends = reading.places
    at = reading.data.index(expected)
    return text[min(starts[at : at + len(expected)]) : max(ends[at : at + len(expected)])]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[33, 126, 255, 100]", "33, 126, 255, 100"),
        ("033 126 255 100", "033 126 255 100"),
        ("041 176 377 144", "041 176 377 144"),
        ("0o41, 0o176, 0o377, 0o144", "41, 0o176, 0o377, 0o144"),
        ("00100001 1111110 11111111 1100100", "00100001 1111110 11111111 1100100"),
        ("31 7 32), chr_____________(126;255;100", "32), chr_____________(126;255;100"),
        ("001 552 621 33", "001 552 621 33"),
        ("3\n3 1\r\n26 25\x005 100", "3\n3 1\r\n26 25\x005 100"),
        ("33ж126ж255ж100", "33ж126ж255ж100"),
    ],
)
def test_numbers_are_read_as_bytes(text: str, part: str) -> None:
    if "_" in text:
        assert not any(b"~\xff" in one.data for one in readings(text))
    else:
        assert decoded(text, b"!~\xffd") in (part, part.removeprefix("0o"))


def test_numbers_are_read_in_lists_of_four_that_stand_together() -> None:
    apart = "99 111 114" + "-" * 17 + "114"
    for text in ("99 111 114", "99 111 114 256 9", "9X9 111 114 114", apart):
        assert not any(b"cor" in one.data for one in readings(text)), text
    assert decoded("99 111 114" + "-" * 16 + "114", b"corr").startswith("99 ")
    # The shortest
    assert decoded("67 79 47 49", b"CO/1") == "67 79 47 49"
    # Each list by itself
    both = "99 111 114 114" + "-" * 17 + "103 104 116 33"
    assert decoded(both, b"corr") == "99 111 114 114"
    assert decoded(both, b"ght!") == "103 104 116 33"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\u200bb\u00adc\ufe0fd", "abcd"),
        ("ａｂ１ ①", "ab1 1"),
        ("ä§ß–ж\u3164x", "aßжx"),
        ("\uff38", "X"),
        ("plain", "plain"),
        ("\ud83d", "\ud83d"),
    ],
)
def test_what_is_seen_of_a_text(text: str, seen: str) -> None:
    assert whole(text).visible.data == seen.encode("utf-8", "surrogatepass")


def test_what_is_seen_knows_its_part_of_the_text() -> None:
    reading = whole("-a\u200bbｃ½").visible
    assert reading.data == b"-abc12"
    assert tuple(map(list, reading.places)) == ([0, 1, 3, 4, 5, 5], [1, 2, 4, 5, 6, 6])
    assert whole("abc").visible.places == (range(3), range(1, 4))
    # Of all bytes of a character, also backward
    letter = unescaped(whole("-%EF%BD%83")).visible
    assert (letter.data, *map(list, letter.places)) == (b"-c", [0, 1], [1, 10])
    letter = unescaped(whole("38%DB%FE%").backward()).visible
    assert (letter.data, *map(list, letter.places)) == (b"c", [0], [9])
    # Behind bytes that are no characters as well, but not if there are too few characters
    for count, expected in ((6, b"a" * 6), (5, "a\u200b".encode() * 5)):
        escaped = unescaped(whole("%FF" + "a\u200b" * count)).visible
        assert escaped.data == b"\xff" + expected
        assert escaped.places[0][:2] == [0, 3]
    [padded] = {
        r.visible.padded
        for r in readings(b64encode("ｃorrect-horse".encode()).decode())
        if b"correct-horse" in r.visible.data
    }
    assert padded


@pytest.mark.parametrize(
    "escaped",
    [
        "&\u200b#x63;orrect!",
        "&#x6\u200b3;orrect!",
        "&amp;\u200b#x63;orrect!",
        r"&\u200b#x63;orrect!",
    ],
)
def test_escapes_with_something_unseen_in_them_are_undone(escaped: str) -> None:
    for layers in range(MAX_DEPTH + 1):
        text = escaped
        for _ in range(layers):
            text = b64encode(text.encode()).decode()
        assert any(b"correct!" in one.visible.data for one in readings(text)), layers


def test_escapes_of_css_are_hexadecimal_even_if_octal_ones_look_alike() -> None:
    text = "".join(f"\\{byte:x}" for byte in b"correct-7")
    assert any(b"correct-7" in one.data for one in readings(text))
    # They are one layer
    text = "correct-horse"
    for _ in range(MAX_DEPTH - 1):
        text = b64encode(text.encode()).decode()
    text = "".join(f"\\{byte:x}" for byte in text.encode())
    assert any(b"correct-horse" in one.data for one in readings(text))


def test_numbers_within_base64_are_read_with_their_escapes() -> None:
    numbered = " ".join(map(str, b"&#x63;orrect!"))
    text = b64encode(numbered.encode()).decode()
    assert any(b"correct!" in one.data for one in readings(text))


def test_base64_of_numbers_is_one_layer() -> None:
    text = b64encode(b"correct!").decode()
    for _ in range(MAX_DEPTH - 1):
        text = b64encode(" ".join(map(str, text.encode())).encode()).decode()
    assert any(b"correct!" in one.data for one in readings(text))
    text = b64encode(" ".join(map(str, text.encode())).encode()).decode()
    with pytest.raises(TooIntricate):
        list(readings(text))


def test_hexadecimal_may_have_few_digits_below_ten() -> None:
    assert any(b"JZjzJZjz" in one.data for one in readings("4A5A6A7A4A5A6A7A"))
