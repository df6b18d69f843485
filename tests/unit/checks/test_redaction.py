"""Secrets taken out of texts."""

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from random import Random
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchbay.checks import redaction
from patchbay.checks.encodings import MAX_DEPTH, MAX_PASSES
from patchbay.checks.redaction import MAX_TEXT, MIN_SECRET, PIECE, REDACTED, Redactor
from patchbay.platform.sentences import Sentence

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


def test_a_short_secret_is_looked_for_in_any_case() -> None:
    redact = Redactor(["Zq1xY"])
    address = Sentence("It redirects to {}.", "https://zq1xy.example.com")
    assert redact.sentence(address) == "It redirects to https://[redacted].example.com."
    assert redact.of_server("of ZQ1XY and yx1qz") == "of [redacted] and [redacted]"
    assert redact(f"of {b64encode(b'Zq1xY').decode().lower()}") == "of [redacted]="
    assert Redactor(["kÄsé"]).of_server("KÄSÉ-kÄsé-käsé") == "[redacted]-[redacted]-[redacted]"
    # But our own words are no secret
    assert Redactor(["Host"]).sentence("The host of Host") == "The host of Host"


def test_the_lines_around_a_pem_text_are_no_secret() -> None:
    body = "MIIBszCCAVmgAwIBAgIUYeXq"
    redact = Redactor([f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"])

    # A secret with nothing else in it is none
    assert Redactor(["-----BEGIN X-----"]).of_server("of XXXX") == "of XXXX"

    ours = "The server does not accept the client certificate."
    assert redact(ours) == ours
    assert redact(f"it was {body}.") == "it was [redacted]."


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
    for length in range(8, 20):
        secret = "abcdefghijklmnopqrstuvwxyz"[:length]
        for seven in (secret[:7], secret[-7:]):
            assert Redactor([secret, "0123456789"])(seven) == seven
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


KEY = "sk_live/4eC39HqLyjWDarjtT1zdp7dc+Zq"
PHRASE = "correct horse battery"
NAMED = "Größe-Straße-Übermut"
UMLAUTS = "ÜberGRöße-Ärgernis"
MIXED, SHARP = "äÖüÉäÖüÉ", "ÄÖÜßÄÖÜßÄÖÜß"
CYRILLIC, GREEK = "ПаРоЛьКлЮч", "ΣΟΦΟΣΛΟΓΟΣ"
SIGNS = "!@#$%^&*()"


def base64(text: str, before: str = "") -> str:
    return b64encode(f"{before}{text}".encode()).decode()


@pytest.mark.parametrize(
    ("secret", "form"),
    [
        *[(KEY, KEY), (KEY, KEY[::-1]), (KEY, KEY.lower()), (KEY, KEY.swapcase())],
        *[(KEY, " ".join(KEY)), (KEY, "|".join(KEY)), (KEY, "\n".join(KEY))],
        *[(KEY, base64(KEY)), (KEY, base64(KEY)[::-1]), (KEY, base64(base64(KEY)))],
        *[(KEY, KEY.encode().hex()), (KEY, KEY.encode().hex()[::-1])],
        *[(KEY, base64(KEY).rstrip("=").lower()), (KEY, KEY.encode("utf-16-le").hex())],
        *[(PHRASE, PHRASE.replace(" ", "+")), (PHRASE, PHRASE.replace(" ", ""))],
        *[(PHRASE, PHRASE[::-1].replace(" ", "+")), (PHRASE, PHRASE.upper())],
        *[
            (NAMED, NAMED),
            (NAMED, NAMED.upper()),
            (NAMED, NAMED.lower()),
            (NAMED, NAMED.casefold()),
        ],
        *[(NAMED, NAMED.swapcase()), (NAMED, NAMED.title()), (NAMED, NAMED.capitalize())],
        *[(NAMED, NAMED[::-1]), (NAMED, NAMED.lower()[::-1]), (NAMED, quote(NAMED))],
        *[(NAMED, NAMED.encode("latin-1").hex()), (NAMED, quote(NAMED, encoding="latin-1"))],
        *[(NAMED, NAMED.encode("utf-16-le").hex()), (NAMED, NAMED.encode("utf-16-be").hex())],
        *[(UMLAUTS, UMLAUTS), (UMLAUTS, UMLAUTS.lower()), (UMLAUTS, UMLAUTS.upper())],
        *[(MIXED, MIXED), (MIXED, MIXED.upper()), (SHARP, SHARP.lower())],
        *[(CYRILLIC, CYRILLIC), (CYRILLIC, CYRILLIC.upper()), (CYRILLIC, CYRILLIC.swapcase())],
        *[
            (GREEK, GREEK.lower()),
            (GREEK.lower(), GREEK),
            ("ΣοΦοΣΛοΓοΣ", GREEK.lower()),
            (GREEK, GREEK.casefold()),
        ],
        *[(KEY, "\u200b".join(KEY)), (KEY, "".join(chr(ord(c) + 0xFEE0) for c in KEY))],
        *[(SIGNS, " ".join(SIGNS)), (" ".join(SIGNS), "+".join(SIGNS))],
        (" ".join(SIGNS), SIGNS),
        *[("~~?>>W", "fn4/Pj5X"), ("~~?>>W", "fn4_Pj5X")],
        *[("a b c d e", "a b c d e".encode("utf-16-le").decode("latin-1")), ("fn4/", "fn4/"[::-1])],
        *[("~~?>", "fn4/Pg"), ("~~?>", "fn4_Pg"), ("~~?>", "fn4/Pg=="), ("~~?>", "%7E%7E%3F%3E")],
        *[("\ud83dabcdefgh", "\ud83dabcdefgh"), ("\ud83dabc", "\ud83dabc")],
    ],
)
def test_all_of_a_form_is_replaced_and_nothing_else(secret: str, form: str) -> None:
    # Only padding, half a byte, or a zero of UTF-16 may be left at an end.
    redact = Redactor([secret])
    rest = r"(?:00|=)?\[redacted\](?:00|==|\d)?"
    assert re.fullmatch(rest, redact(form)), redact(form)
    assert re.fullmatch(f"so: {rest}, ok", redact(f"so: {form}, ok"))


@pytest.mark.parametrize("before", ["", "x", "xy"])
def test_base64_in_lower_case_is_replaced_behind_what_stands_before_the_secret(before: str) -> None:
    digits = base64(KEY, before).lower()
    shared = len(base64(before).rstrip("=")) if before else 0
    shown = Redactor([KEY])(f"<{digits}>")
    assert shown.startswith(f"<{digits[:shared]}{REDACTED}")
    assert len(shown) <= shared + len(REDACTED) + 6


def test_padding_is_one_or_two_signs() -> None:
    for secret in ("correct-horse", "correct-horses"):
        assert Redactor([secret])(f"({base64(secret)}.)") == f"({REDACTED}.)"
    # Also with escapes within it
    escaped = "".join(f"%{byte:02x}" for byte in b"correct-horse!")
    assert base64(escaped[:-1]).endswith("=")
    assert Redactor(["correct-hors"])(f"({base64(escaped[:-6])}.)") == f"({REDACTED}.)"


def test_each_of_several_copies_is_replaced() -> None:
    assert Redactor([KEY])(f"{KEY} and {KEY} and {KEY}") == " and ".join([REDACTED] * 3)
    assert Redactor(["abcd"])("abcd abcd abcd abcd") == " ".join([REDACTED] * 4)
    assert Redactor(["aaaa"])("aaaaa") == REDACTED


@pytest.mark.parametrize("seed", range(60))
def test_no_eight_characters_of_a_secret_are_shown_and_all_others_are(seed: int) -> None:
    """Of few letters, so that pieces overlap, touch, and nearly match."""
    chance = Random(seed)  # noqa: S311 - a repeatable test, no secret
    for letters in ("ab", "abc", "abcdefgh"):
        secrets = [
            "".join(chance.choices(letters, k=chance.randint(8, 30)))
            for _ in range(chance.randint(1, 3))
        ]
        pieces = {
            way[start : start + 8]
            for secret in secrets
            for way in (secret, secret[::-1])
            for start in range(len(secret) - 7)
        }
        text = "".join(
            chance.choice([*secrets, *pieces, "".join(chance.choices(letters, k=9))])
            for _ in range(chance.randint(1, 8))
        )[chance.randint(0, 3) :]
        innocent = [True] * len(text)
        for start in range(len(text) - 7):
            if text[start : start + 8] in pieces:
                innocent[start : start + 8] = [False] * 8
        shown = Redactor(secrets)(text).split(REDACTED)
        for part in shown:
            assert pieces.isdisjoint(part[start : start + 8] for start in range(len(part) - 7))
        rest = iter("".join(shown))
        assert all(letter in rest for letter, kept in zip(text, innocent, strict=True) if kept)


def test_a_text_that_takes_too_many_comparisons_is_withheld() -> None:
    # Given a secret with one word in many places, and texts that have it again and again
    secret = "".join(f"ababab{letter}" for letter in "cdefghijklmnopqrstuvwxyz" * 20)
    assert Redactor([secret])("abababA!" * 5) == "abababA!" * 5
    assert Redactor([secret])("abababA!" * 2000) == REDACTED


def test_a_secret_may_look_like_escapes() -> None:
    redact = Redactor(["ab%41cdefgh"])
    assert redact("abAcdefgh ab%41cdefgh") == "[redacted] [redacted]"


def test_the_bounds_are_as_documented() -> None:
    assert (redaction._MAX_ALIKE, redaction._MAX_CANDIDATES) == (500_000, 100_000)
    assert (redaction._FEW, redaction._KEPT_LENGTH) == (16, 200)
    assert (MAX_TEXT, PIECE, MIN_SECRET, MAX_DEPTH, MAX_PASSES) == (16_384, 8, 4, 3, 10)


REFUSED = "The password was refused, as the connection is invalid."


@pytest.mark.parametrize("secret", ["password", "invalid", "connection", "The", "was refused, as"])
def test_our_own_words_stay_readable_whatever_the_secret_is(secret: str) -> None:
    redact = Redactor([secret])
    assert redact.sentence(REFUSED) == REFUSED
    of_name = Sentence("The password of {} was refused, as the connection is invalid.", "Ann")
    assert redact.sentence(of_name).endswith(" was refused, as the connection is invalid.")


@pytest.mark.parametrize(
    ("secret", "quoted", "shown"),
    [
        ("redirects", "https://redirects.example.com", "https://[redacted].example.com"),
        ("origin", "https://origin.example.com", "https://[redacted].example.com"),
        ("origin, https", "https://a.example.com", "[redacted]://a.example.com"),
        ("example.com. Use", "https://a.example.com", "https://a.[redacted]"),
        ("origin, http://example.com. Use", "http://example.com", "[redacted]"),
        ("Use that address", "https://a.example.com", "https://a.example.com"),
        ("abc", "https://a.example.com", "[redacted]"),
        ("abc", "", ""),
    ],
)
def test_in_a_sentence_what_others_wrote_is_searched(secret: str, quoted: str, shown: str) -> None:
    sentence = Sentence("It redirects to another origin, {}. Use that address.", quoted)
    assert Redactor([secret]).sentence(sentence) == (
        f"It redirects to another origin, {shown}. Use that address."
    )


def test_each_of_several_quotes_is_searched() -> None:
    sentence = Sentence("{} and the quoted {} are of {}.", "quoted", "quotes", "a quoted one")
    assert Redactor(["quoted"]).sentence(sentence) == (
        "[redacted] and the quoted quotes are of a [redacted] one."
    )
    assert Redactor(["x"]).sentence(sentence) == (
        "[redacted] and the quoted [redacted] are of [redacted]."
    )


def test_to_be_safe_our_words_are_searched_for_what_is_not_only_letters() -> None:
    redact = Redactor(["sk_live_4eC39Hq", "Größenordnung", "99zz"])
    assert redact.sentence("It said sk_live_4eC39Hq.") == "It said [redacted]."
    assert redact.sentence("It said Größenordnung.") == "It said [redacted]."
    assert redact.sentence("It said sk_live_ and 99zz.") == "It said sk_live_ and [redacted]."
    quoted = Sentence("It said 99zz to {} of sk_live_4eC39Hq, 99zz.", "Ann")
    assert redact.sentence(quoted) == "It said [redacted] to Ann of [redacted], [redacted]."


def test_a_sentence_that_is_too_intricate_keeps_our_words() -> None:
    text = "correct-horse-battery"
    for _ in range(MAX_DEPTH + 2):
        text = base64(text)
    redact = Redactor([KEY])
    assert redact.sentence(Sentence("It redirects to {}.", text)) == "It redirects to [redacted]."
    assert redact.sentence(f"It redirects to {text}.") == REDACTED
    assert redact(f"It redirects to {text}.") == REDACTED
    # Without secrets, nothing is
    assert Redactor([]).of_server(text) == text


def test_a_long_sentence_is_cut() -> None:
    sentence = Sentence("{} {}", "a b " * 5000, "c")
    assert Redactor([KEY]).sentence(sentence) == ("a b " * 5000)[:MAX_TEXT]
    assert Redactor([]).sentence(sentence) == ("a b " * 5000)[:MAX_TEXT]


@pytest.mark.parametrize(
    ("pointer", "declared", "other"),
    [
        (None, None, None),
        ("/variables/region", "/variables/region", "/variables/region"),
        ("/secrets/password", "/secrets/password", "/secrets"),
        (f"/variables/{KEY.replace('/', '~1')}", "/variables", "/variables"),
        (f"/variables/a/{KEY.replace('/', '~1')}/b", "/variables/a", "/variables/a"),
        ("/sk_live~14eC39Hq/b", None, None),
    ],
)
def test_a_pointer_leads_to_what_is_around_a_secret(
    pointer: str | None, declared: str | None, other: str | None
) -> None:
    redact = Redactor([KEY, "password"])
    assert redact.pointer(pointer) == declared
    assert redact.pointer(pointer, is_declared=False) == other


ALPHABETS = (
    "abcABC019-_.+/=",
    "!\"#$;'()*,:<>?@[]^`{|}aB3",
    "aB3 %\\&~",
    "aB3\u00e4\u20ac",
)


def test_the_short_ways_find_what_the_long_way_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain secrets and short texts are looked at in shorter ways: what is hidden is the same."""
    random = Random(75)  # noqa: S311 - the same each time
    cases = []
    for _ in range(400):
        alphabet = random.choice(ALPHABETS)
        secrets = [
            "".join(random.choices(alphabet, k=random.choice((4, 7, 8, 12, 30))))
            for _ in range(random.choice((1, 1, 2)))
        ]
        secret = random.choice(secrets)
        form = random.choice(
            (
                *(secret, secret[::-1], secret.upper(), secret[1:9], secret[-9:], "200 as"),
                b64encode(f"x{secret}".encode()).decode(),
                secret.encode().hex(),
                re.sub("[^A-Za-z0-9]", "", secret),
            )
        )
        text = random.choice(("{}", "Answered {} as expected.", "Acme {}", "{}!")).format(form)
        cases.append((secrets, text))

    def hidden() -> list[tuple[str, str, str]]:
        redactors = [(Redactor(secrets), text) for secrets, text in cases]
        return [(r(text), r.sentence(text), r.of_server(text)) for r, text in redactors]

    short = hidden()
    monkeypatch.setattr(redaction, "_PLAIN", re.compile("(?!)"))
    monkeypatch.setattr(Redactor, "_is_clean", lambda *_: False)
    assert short == hidden()
    assert any(REDACTED in one for texts in short for one in texts)
