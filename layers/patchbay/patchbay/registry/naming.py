"""How integrations are named and grouped: publishers, keys, categories.

A publisher's name is free text, and is shown as it was given. Its key is what ownership, reserved
names, uniqueness, and addresses go by: `Stripe, Inc.` has the key `stripe-inc`.
"""

import re
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints

from patchbay.platform.ids import SLUG_PATTERN
from patchbay.platform.validation import DisplayName, Spelled

PUBLISHER_PATTERN: Final = "^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$"
"""Of the key of a publisher."""
KEY_PATTERN: Final = f"^{PUBLISHER_PATTERN.strip('^$')}/{SLUG_PATTERN.strip('^$')}$"

_KEY: Final = re.compile(PUBLISHER_PATTERN.strip("^$"))
_WORD: Final = re.compile(r"[^\W_]+")
_MARKS_OF_TRADE: Final = re.compile("[\N{TRADE MARK SIGN}\N{SERVICE MARK}]")
_BLANK_LETTERS: Final = re.compile("[\u115f\u1160]")
"""The fillers of Hangul, which Unicode has among the letters and nobody sees."""
_LETTERS: Final = str.maketrans(
    {"æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i", "ɑ": "a", "ɩ": "i"}
)
"""Latin letters that neither Unicode decomposes nor their names."""

_LATIN_LETTER: Final = re.compile(r"LATIN .*?LETTER (?:[A-Z]{2,} )*([A-Z])\b")
"""The names of variants: LATIN LETTER SMALL CAPITAL S, LATIN SMALL LETTER O WITH STROKE."""

_LOOKS_LATIN: Final = str.maketrans(
    "авеѕіјкмнорстухԁһԛԝӏгпαβεικνορτυχηγωօսոհց",
    "abesijkmhopctyxdhqwlrnabeikvoptuxnywounhg",
)
"""Letters of the Cyrillic, Greek, and Armenian scripts that look like Latin ones. From
https://www.unicode.org/Public/security/latest/confusables.txt"""


def key_of(publisher: str) -> str:
    """The key of a publisher's name; empty if the name has no letter and no digit.

    A key is its own key. Case, accents, and what stands between words do not count, nor does it
    whether a letter only looks like a Latin one. A word of another script is written as a domain
    name writes it, in Punycode (RFC 3492).
    """
    if _KEY.fullmatch(publisher):
        return publisher
    plain = unicodedata.normalize("NFKD", _MARKS_OF_TRADE.sub(" ", publisher)).casefold()
    bare = "".join(c for c in plain if not unicodedata.combining(c)).translate(_LETTERS)
    letters = "".join(c if c.isascii() else _without_variants(c) for c in bare)
    seen = _BLANK_LETTERS.sub(" ", unicodedata.normalize("NFC", letters))
    return "-".join(map(_ascii, _WORD.findall(seen)))


def _without_variants(letter: str) -> str:
    found = _LATIN_LETTER.match(unicodedata.name(letter, ""))
    return found[1].lower() if found else letter


def _ascii(word: str) -> str:
    looks = word.translate(_LOOKS_LATIN)
    if looks.isascii():
        return looks
    return f"xn--{word.encode('punycode').decode()}".lower()


def integration_key(publisher: str, slug: str) -> str:
    """How bodies and addresses name an integration: the key of its publisher, and its slug."""
    return f"{key_of(publisher)}/{slug}"


def _with_key(publisher: str) -> str:
    key = key_of(publisher)
    if not key:
        raise ValueError("must have a letter or a digit")
    if _KEY.fullmatch(key) is None:
        raise ValueError("is too long: its key must have at most 64 characters")
    if any(_mixes_scripts(word) for word in _WORD.findall(publisher)):
        raise ValueError("must not mix Latin letters with Cyrillic or Greek ones in a word")
    return publisher


def _mixes_scripts(word: str) -> bool:
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word}
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK", "COPTIC", "ARMENIAN"})


Publisher = Annotated[DisplayName, AfterValidator(_with_key)]
"""The name of a publisher, free text of one line."""


def _with_letters(prefix: str) -> str:
    if not key_of(prefix):
        raise ValueError("must have a letter or a digit")
    return prefix


PublisherPrefix = Annotated[
    str, StringConstraints(min_length=1, max_length=120), AfterValidator(_with_letters)
]
"""How the name of a publisher begins, for a search."""

IntegrationKey = Annotated[
    str, Spelled(KEY_PATTERN, "must be the key of a publisher and a slug, such as acme/tracker")
]
"""The name of an integration: `publisher/slug`, by the publisher's key."""


Category = Annotated[
    str,
    Spelled(
        r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$",
        "must have 1 to 40 lower-case letters, digits, and hyphens, without a hyphen at the ends",
    ),
]
"""The kind of service that an integration is for: `payments`, `email`, `crm`, `vector-db`, …

The list is open; `docs/connections.md` has the categories of the catalog.
"""

UNCATEGORIZED: Final = "custom"
