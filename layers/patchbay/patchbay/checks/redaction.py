"""Removes known secrets from text that leaves the runner.

In a sentence of ours, only what others wrote is searched, as long as our own words have nothing
but letters and signs: with a secret like `password`, what we say must stay readable.

A secret of 8 characters or more is found in pieces of 8, in any case, backward, and in what
`encodings` undoes. One of 4 to 7 characters is found as a whole, in any case: the name of a host is
always in lower case. A shorter one is a part of ordinary words: replacing it would reveal it. So if
there is such a secret, a server's own words are withheld altogether. So is a text that is encoded
in more layers than are undone.
"""

import re
import sys
from base64 import b64encode, urlsafe_b64encode
from binascii import b2a_base64
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from typing import Final

from patchbay.checks.encodings import (
    Reading,
    TooIntricate,
    has_escape,
    readings,
    unescaped,
    without_blanks,
    without_signs,
)
from patchbay.platform.sentences import Sentence

REDACTED: Final = "[redacted]"
MIN_SECRET: Final = 4
PIECE: Final = 8
"""So many characters of a secret are not shown. Bytes, where a character has several."""

MAX_TEXT: Final = 16 * 1024
"""Characters of a text that are looked at. The rest is left out."""

_ARMOR: Final = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]{1,40}-----")
"""The lines around a PEM text (RFC 7468 §2). Their words are ours, too: "client certificate"."""

_WORDS_ONLY: Final = re.compile(r"[^0-9\x80-\U0010ffff]*")
"""What fixed wording consists of. What else is in a sentence of ours is looked at: to be safe."""

_PLAIN: Final = re.compile(r"[!-$'-\[\]-}]+")
"""Visible ASCII in which nothing may be an escape: what most secrets consist of."""
_KEPT_LENGTH: Final = 200
_WORD: Final = 4
"""Bytes that are compared at once, to find out where a piece of a secret may be."""
_MAX_ALIKE: Final = 500_000
"""Bytes of a text that are like those at places of secrets, one by one. They take some 0.1 s."""
_MAX_CANDIDATES: Final = 100_000
"""Words of all readings of a text that secrets have, too."""
_FEW: Final = 16
"""Words that are searched one by one, which is faster than a look at every word of a text."""
_BETWEEN: Final = b"\xff\xff"
"""Between the secrets: no bytes of a text."""


class Redactor:
    """Replaces secrets by `[redacted]`, plain or encoded, whole or in pieces of 8 characters."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({_ARMOR.sub("", one) if "-----" in one else one for one in secrets} - {""})
        self._long = [secret for secret in known if len(secret) >= PIECE]
        shorter = [secret for secret in known if len(secret) < PIECE]
        self._short = [secret for secret in shorter if len(secret) >= MIN_SECRET]
        self._has_unfindable = len(shorter) > len(self._short)

    def __call__(self, text: str) -> str:
        """A text that may quote anything, such as an exception's."""
        text = text[:MAX_TEXT]
        try:
            return _replaced(text, sorted(self._found(text, _LongText)))
        except TooIntricate:
            return REDACTED

    def of_server(self, text: str) -> str:
        """A text of a server's."""
        if self._has_unfindable and text:
            return REDACTED
        # Nothing in a short text of plain characters can be a piece of a long secret.
        if len(text) < PIECE and not self._short and _PLAIN.fullmatch(text):
            return text
        return self(text)

    def sentence(self, text: str) -> str:
        """A sentence of ours. What it quotes is a value of a `Sentence`."""
        foreign = text.foreign if isinstance(text, Sentence) else ()
        if not foreign and (_WORDS_ONLY.fullmatch(text) or self._is_clean(text)):
            return text
        text = text[:MAX_TEXT]
        hidden = list(foreign) if self._has_unfindable else []
        try:
            found = self._found(text, _read_again if len(text) <= _KEPT_LENGTH else _LongText)
            hidden += (part for span in found for part in _to_hide(text, span, foreign))
        except TooIntricate:
            hidden = list(foreign) or [(0, len(text))]
        return _replaced(text, sorted(hidden))

    def pointer(self, pointer: str | None, *, is_declared: bool = True) -> str | None:
        """A JSON Pointer to a field, or to what is around a name that says a secret; None if that
        is all. `is_declared`: the integration has all of its names."""
        show = self.sentence if is_declared else self
        while pointer and show(pointer) != pointer:
            pointer = pointer.rpartition("/")[0]
        return pointer or None

    def _is_clean(self, text: str) -> bool:
        """Whether it is seen at once that a sentence of ours says no secret."""
        if self._short or len(text) > _KEPT_LENGTH:
            return False
        try:
            return _read_again(text).has_none_of(_words(self._haystack, 0))
        except TooIntricate:
            return False

    def _found(self, text: str, read: "Callable[[str], _Text]") -> Iterator[tuple[int, int]]:
        """Where the text says a secret. Raises TooIntricate."""
        return self._spans(text, read(text)) if self._long or self._short else iter(())

    def _spans(self, text: str, read: "_Text") -> Iterator[tuple[int, int]]:
        """Where the text says a secret. Raises TooIntricate."""
        for reading in read.seen:
            for start, end in self._short_pieces(reading.data.lower()):
                yield _span(reading, start, end, text)
        if not self._long:
            return
        places = _places(self._haystack, read.words_of(self._words))
        if not places:
            return
        alike = 0
        for data, reading, candidates in read.with_words(places):
            for start, end in self._pieces(data, candidates, places):
                alike += end - start
                if alike > _MAX_ALIKE:
                    raise TooIntricate
                if end - start >= PIECE:
                    yield _span(reading, start, end, text)

    def _short_pieces(self, data: bytes) -> Iterator[tuple[int, int]]:
        for form in self._short_forms:
            for start in _all_of(form, data):
                yield start, start + len(form)

    def _pieces(
        self,
        data: bytes,
        candidates: Sequence[tuple[int, int]],
        places: Mapping[int, Sequence[int]],
    ) -> Iterator[tuple[int, int]]:
        """What is like a part of a secret in what a text says, each as long as it goes on.

        A piece of 8 bytes has a whole word of the haystack in it, wherever it begins.
        """
        begun = 0
        for at, word in candidates:
            if at < begun:
                continue
            for place in places[word]:
                start, end = _alike(data, at, self._haystack, place)
                yield start, end
                # A piece that goes on beyond this one has a word of its own behind these bytes.
                begun = max(begun, end - PIECE + 1)

    @cached_property
    def _haystack(self) -> bytes:
        """All that the long secrets may be spelled as, in a text that was read."""
        spelled: list[bytes] = []
        for secret in self._long:
            spelled += _base64_in_lower_case(secret)
            if _PLAIN.fullmatch(secret):
                # All that the loop below finds for such a secret.
                forward = secret.encode()
                bare = without_signs(forward)
                spelled += (forward, forward[::-1])
                if bare != forward:
                    spelled += (bare, bare[::-1])
                continue
            for form in _forms(secret):
                for plain in _plain(form):
                    spelled += (plain, without_blanks(plain), without_signs(plain))
        joined = _BETWEEN.join(dict.fromkeys([form for form in spelled if len(form) >= PIECE]))
        # Of bytes, `lower` changes nothing but the letters of ASCII.
        return joined.lower()

    @cached_property
    def _words(self) -> frozenset[int]:
        return frozenset(_words(self._haystack, 0))

    @cached_property
    def _short_forms(self) -> list[bytes]:
        return sorted({form.lower() for secret in self._short for form in _short_forms(secret)})


class _Text:
    """A text as it is read, whatever the secrets are. Raises TooIntricate."""

    def __init__(self, text: str) -> None:
        # What has no encoding in it is read as it is, twice.
        self.readings = list(dict.fromkeys(readings(text)))

    @cached_property
    def seen(self) -> list[Reading]:
        """The readings, and what is seen of those that have characters that are not."""
        return [one for r in self.readings for one in dict.fromkeys((r, r.visible))]

    @cached_property
    def spelled(self) -> list[tuple[bytes, Reading]]:
        """What is compared with the secrets, in lower case."""
        return [(v.data.lower(), v) for reading in self.seen for v in _variants(reading)]

    def has_none_of(self, secrets: Iterable[int]) -> bool:
        """Whether it has no word of the secrets."""
        return self._few_words.isdisjoint(secrets)

    def words_of(self, secrets: frozenset[int]) -> frozenset[int]:
        """The words of the secrets that the text has too."""
        return secrets.intersection(self._few_words)

    def with_words(
        self, places: Mapping[int, object]
    ) -> Iterator[tuple[bytes, Reading, list[tuple[int, int]]]]:
        """What has words that secrets have too, with where they are, and the words."""
        found = _candidates(self._joined, places)
        begun = 0
        for data, reading in self.spelled:
            end = begun + len(data)
            inside = found[bisect_left(found, (begun,)) : bisect_left(found, (end - _WORD + 1,))]
            if inside:
                yield data, reading, [(at - begun, word) for at, word in inside]
            begun = end + len(_BETWEEN)

    @cached_property
    def _joined(self) -> bytes:
        """Most readings are short, and to look at each by itself takes longer."""
        return _BETWEEN.join(data for data, _ in self.spelled)

    @cached_property
    def _few_words(self) -> set[int]:
        return set[int]().union(*_all_words(self._joined))


class _LongText(_Text):
    """A text that is compared once, so a set of all of its words would not pay."""

    def words_of(self, secrets: frozenset[int]) -> frozenset[int]:
        return frozenset().union(*map(secrets.intersection, _all_words(self._joined)))


@lru_cache(maxsize=256)
def _read_again(text: str) -> _Text:
    """Our summaries are the same in most tests, and reading one costs more than comparing it."""
    return _Text(text)


def _forms(secret: str) -> Iterator[bytes]:
    """A secret forward and backward, in the encodings of characters that are not undone."""
    spelled = {secret}
    if " " in secret:
        spelled.add(secret.replace(" ", "+"))
    if not secret.isascii():
        spelled |= {secret.lower(), secret.upper(), secret.casefold(), secret.swapcase()}
        spelled |= {secret.title(), secret.capitalize()}
    for one in spelled:
        for way in (one, one[::-1]):
            yield way.encode("utf-8", "surrogatepass")
            # The zeros of other UTF-16 are left out like blanks, which leaves Latin-1.
            if not way.isascii() or len("".join(way.split())) < PIECE:
                yield way.encode("utf-16-le", "surrogatepass")
                yield way.encode("utf-16-be", "surrogatepass")


def _plain(form: bytes) -> Iterator[bytes]:
    """A form as it is, as it is read if it looks like escapes itself, and what is seen of both."""
    yield form
    if form.isascii() and not has_escape(form):
        return
    # Where a form would be in a text is never asked.
    reading = Reading(form, lambda: ((), ()))
    yield reading.visible.data
    if has_escape(form):
        try:
            plain = unescaped(reading)
        except TooIntricate:
            return
        yield plain.data
        yield plain.visible.data


def _base64_in_lower_case(secret: str) -> Iterator[bytes]:
    """The letters and digits of a secret's Base64, which can't be undone in another case, behind
    none, one, and two bytes."""
    raw = secret.encode("utf-8", "surrogatepass")
    for before, shared in ((b"", 0), (b"\0", 2), (b"\0\0", 3)):
        digits = b2a_base64(before + raw, newline=False)
        yield digits[shared:].translate(None, b"+/=")


def _variants(reading: Reading) -> Iterator[Reading]:
    """A reading as it is, and without what may separate its pieces."""
    yield reading
    unbroken = reading.without_blanks()
    if unbroken is not reading:
        yield unbroken
    bare = unbroken.without_signs()
    if bare is not unbroken:
        yield bare


def _short_forms(secret: str) -> set[bytes]:
    raw = secret.encode("utf-8", "surrogatepass")
    encoded = {b64encode(raw).rstrip(b"="), urlsafe_b64encode(raw).rstrip(b"=")}
    cased = {c.encode("utf-8", "surrogatepass") for c in (secret.lower(), secret.upper())}
    return {raw, raw[::-1], raw.hex().encode(), *encoded, *cased}


def _words(data: bytes, shift: int) -> memoryview:
    """Each fourth group of 4 bytes, from `shift` on, as numbers."""
    return memoryview(data)[shift : shift + (len(data) - shift) // _WORD * _WORD].cast("I")


def _all_words(data: bytes) -> Iterator[memoryview]:
    return (_words(data, shift) for shift in range(min(_WORD, len(data))))


def _places(haystack: bytes, words: frozenset[int]) -> dict[int, list[int]]:
    """Where the secrets have these words."""
    if not words:
        return {}
    places: dict[int, list[int]] = {word: [] for word in words}
    for index, word in enumerate(_words(haystack, 0)):
        if word in words:
            places[word].append(_WORD * index)
    return places


def _candidates(data: bytes, places: Mapping[int, object]) -> list[tuple[int, int]]:
    """Where a text has words that secrets have too, with the words. Raises TooIntricate."""
    if len(places) <= _FEW:
        found = (
            (at, word)
            for word in places
            for at in _all_of(word.to_bytes(_WORD, sys.byteorder), data)
        )
    else:
        found = (
            (shift + _WORD * index, word)
            for shift, words in enumerate(_all_words(data))
            for index, word in enumerate(words)
            if word in places
        )
    candidates = sorted(islice(found, _MAX_CANDIDATES))
    if len(candidates) == _MAX_CANDIDATES:
        raise TooIntricate
    return candidates


def _all_of(part: bytes, data: bytes) -> Iterator[int]:
    """Each place where the data has this part, also within another."""
    at = data.find(part)
    while at >= 0:
        yield at
        at = data.find(part, at + 1)


def _alike(data: bytes, at: int, haystack: bytes, place: int) -> tuple[int, int]:
    """The part of `data` around a word that goes on alike around its place in the haystack; from
    at most 8 bytes before it."""
    before = 0
    most = min(PIECE, at, place)
    while before < most and data[at - before - 1] == haystack[place - before - 1]:
        before += 1
    end = at + _WORD
    last = min(len(data), len(haystack) - place + at)
    while end < last and data[end] == haystack[place - at + end]:
        end += 1
    return at - before, end


def _to_hide(
    text: str, span: tuple[int, int], foreign: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """The parts of a span that are hidden in a sentence: what others wrote, and what of ours is not
    only words."""
    begun, end = span
    for start, stop in (*foreign, (end, end)):
        own = min(start, end)
        if not _WORDS_ONLY.fullmatch(text[begun:own]):
            yield begun, own
        quoted = (max(start, begun), min(stop, end))
        if quoted[0] < quoted[1]:
            yield quoted
        begun = max(begun, stop)


def _span(reading: Reading, start: int, end: int, text: str) -> tuple[int, int]:
    """The part of the text that a part of a reading comes from."""
    starts, ends = reading.places
    first = min(starts[start], starts[end - 1])
    last = max(ends[start], ends[end - 1])
    if reading.padded:
        while text[last : last + 1] == "=":
            last += 1
    return first, last


def _replaced(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    done = 0
    for start, end in spans:
        if start > done or not parts:
            parts += (text[done:start], REDACTED)
        done = max(done, end)
    return "".join(parts) + text[done:]
