"""The prose that people read: docs, docstrings, comments, and messages are plain English.

The style guide in CONTRIBUTING.md has the rules. Spelling is checked by codespell (`make lint`).
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
THIS_FILE = "tests/unit/house/test_prose.py"
GUIDE = "CONTRIBUTING.md"
"""Both quote what is not to be written."""

FOLDERS = ("bench", "client", "docs", "functions", "layers", "local", "tests")

PATTERNS = {
    r"\bmust be a text\b": "must be a string",
    r"\bhas not (this|the|any|its|an?)\b": "does not have, does not support",
    r"\btakes? no longer\b": "no longer accepts",
    r"\bnames? no\b": "matches no, does not name a",
    r"(?<![Tt]here )\bis no (?!longer\b|more\b|one\b|such\b|way\b|need\b)[a-z]+ (of|that|for)\b": (
        "is not a … of"
    ),
    r"\b[Ww]hoever\b": "the caller, the writer, anyone who",
    r"\b[Tt]ells? (of|what|who|which|that|whether|why|how)\b": "returns, says, shows",
    r"\btold (of|what|who|which|that|whether|why|how)\b": "reported, returned, notified",
    r"\bNothing speaks\b": "This … may …",
    r"\balso (where|when|if|while)\b": "even if, even when",
    r"\bput down to\b": "blamed on, attributed to",
    r"\banew\b": "again",
    r"\b(gives?|given) back\b": "returns, returned",
    r"\bwhat (becomes|became) of\b": "what happens to",
    r"\bhave a look\b|\blooked (at|through) for\b": "is checked for",
    r"\bthe like\b": "and so on",
    r"\b(thereby|hereby|henceforth|therein|thereof|whence|wherein)\b": "(leave it out)",
}


def prose_files() -> list[str]:
    files = [
        *(
            path
            for pattern in ("*.md", "*.yaml", "*.toml", "Makefile")
            for path in ROOT.glob(pattern)
        ),
        *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.[mp][dy]")),
    ]
    names = [str(path.relative_to(ROOT)) for path in files]
    return sorted(name for name in names if name not in (THIS_FILE, GUIDE))


@pytest.mark.parametrize(("pattern", "instead"), PATTERNS.items(), ids=PATTERNS.values())
def test_phrases_that_read_as_translated_are_not_used(pattern: str, instead: str) -> None:
    phrase = re.compile(pattern)
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in prose_files()
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1)
        if phrase.search(line)
    ]

    assert found == [], f"write instead: {instead}"


def test_the_patterns_find_what_they_are_for() -> None:
    samples = {
        "must be a text": True,
        "is no secret of this integration": True,
        "is no longer of use": False,
        "Whoever records first": True,
        "It tells what is wrong": True,
        "told of the failure": True,
        "even if there is none": False,
    }

    matched = {text: any(re.search(p, text) for p in PATTERNS) for text in samples}

    assert matched == samples
