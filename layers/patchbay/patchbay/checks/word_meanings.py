"""The codes of the words, numbers, and sentences of an error, by `refusal_words`. Pure."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from patchbay.checks.codes import Code
from patchbay.checks.refusal_words import (
    FIRM,
    ONE_OF_MANY,
    OTHER_TOKENS,
    SENTENCES,
    SHAPES,
    VOCABULARIES,
)

_MAX_WORD: Final = 200
_MAX_SPACES: Final = 3
"""A text with more spaces is a sentence, not a word."""

_SQUEEZED: Final = re.compile(r"[^a-z0-9]+")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SUFFIX: Final = re.compile(r"_(?:error|exception|fault)$")
_LAST_PART: Final = re.compile(r"[#:/]([^#:/]+)$")
_AADSTS: Final = re.compile(r"\bAADSTS\d{4,9}\b")
_ONE_OF_MANY: Final = re.compile(ONE_OF_MANY)
_OTHER_TOKENS: Final = re.compile(OTHER_TOKENS)
# "Invalid access_token": the name of a field in a sentence.
_FIELD: Final = re.compile(r"\b(access|api|auth|refresh|client)_(token|key|id|secret)\b")
_OF_CREDENTIALS: Final = frozenset({"auth_invalid", "auth_expired", "auth_revoked"})


def code_of_word(word: str) -> Code | None:
    """The code of a word, None if it is unknown.

    The last part of a URL (`https://example.com/problems/rate-limit`) or of a qualified name
    (`com.amazon.coral.service#AccessDeniedException`) is a word too.
    """
    if len(word) > _MAX_WORD:
        return None
    last = _LAST_PART.search(word)
    parts = (word, *(last.groups() if last else ()), *word.rsplit(".", 1)[1:])
    codes = (*map(_code_of_row, parts), *map(_code_of_shape, parts))
    return next((code for code in codes if code), None)


def codes_of_number(number: int, marks: frozenset[str]) -> Iterator[Code]:
    """The codes of a number in an object with these `marks`: its keys, and `key=value`."""
    for code, needed in _numbers().get(number, ()):
        if not needed or not marks.isdisjoint(needed):
            yield code


def codes_of_sentence(sentence: str) -> Iterator[Code]:
    """The codes of a sentence. "Invalid or expired" is `auth_invalid`: it may be either."""
    sentence = _FIELD.sub(r"\1 \2", sentence.lower())
    for code, pattern in _sentences():
        if not pattern.search(sentence):
            continue
        if code not in _OF_CREDENTIALS:
            yield code
        elif not _OTHER_TOKENS.search(sentence):
            yield "auth_invalid" if _ONE_OF_MANY.search(sentence) else code


def codes_of_numbered_sentence(sentence: str) -> Iterator[Code]:
    """The codes of the numbers in a sentence of Microsoft Entra ID: `AADSTS7000222: …`."""
    return filter(None, map(_code_of_row, _AADSTS.findall(sentence)))


def firm_codes(text: str) -> Iterator[Code]:
    """The codes of a word or sentence that mean the same with any status."""
    text = text.strip().lower()
    return (code for code, pattern in _firm() if pattern.search(text))


def hints_of_sentence(sentence: str) -> Iterator[Code]:
    """The codes of a sentence that is known to be about a token."""
    sentence = sentence.lower()
    if not _ONE_OF_MANY.search(sentence):
        if "revoked" in sentence:
            yield "auth_revoked"
        if "expired" in sentence:
            yield "auth_expired"


def _code_of_row(word: str) -> Code | None:
    return _rows().get(_squeezed(word))


def _code_of_shape(word: str) -> Code | None:
    if word.count(" ") > _MAX_SPACES:
        return None
    word = _SQUEEZED.sub("_", _HUMP.sub("_", word).lower()).strip("_")
    if _OTHER_TOKENS.search(word):
        return None
    bare = _SUFFIX.sub("", word)
    if bare != word and (code := _code_of_row(bare)):
        return code
    return next(
        (code for code, shape in _shapes() if shape.search(word) or shape.search(bare)), None
    )


def _squeezed(word: str) -> str:
    return _SQUEEZED.sub("", word.lower())


@cache
def _rows() -> Mapping[str, Code]:
    return {
        _squeezed(word): code
        for vocabulary in VOCABULARIES
        for code, words in vocabulary.words.items()
        for word in words.split()
    }


@cache
def _numbers() -> Mapping[int, list[tuple[Code, tuple[str, ...]]]]:
    numbers: dict[int, list[tuple[Code, tuple[str, ...]]]] = {}
    for vocabulary in VOCABULARIES:
        for code, known in vocabulary.numbers.items():
            for number in known:
                numbers.setdefault(number, []).append((code, vocabulary.marks))
    return numbers


# Compiled when a server first refuses: most tests pass.
@cache
def _shapes() -> tuple[tuple[Code, re.Pattern[str]], ...]:
    return tuple((code, re.compile(pattern)) for code, pattern in SHAPES)


@cache
def _firm() -> tuple[tuple[Code, re.Pattern[str]], ...]:
    return tuple((code, re.compile(pattern)) for code, pattern in FIRM)


@cache
def _sentences() -> tuple[tuple[Code, re.Pattern[str]], ...]:
    return tuple((code, re.compile(pattern)) for code, pattern in SENTENCES)
