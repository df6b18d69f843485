"""Takes comments and blanks out of scripts and styles: a quarter of what a browser would load.

Lines stay where they are, so that a place in an error is in the same line of the source. A comment
that begins with `/*!` stays: licenses ask for it. `make web-check` holds that a script is the same
program afterwards.
"""

import re
from typing import Final

_CSS: Final = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(/\*(?!!).*?\*/)""", re.DOTALL)
_JS: Final = re.compile(
    r"""
    (?P<comment> /\*(?!!).*?\*/ | //[^\n]* )
    | (?P<kept> /\*!.*?\*/ )
    | (?P<value> "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | [\w$]+ )
    | (?P<slash> / )
    | (?P<mark> [`{}] )
    | (?P<space> \s+ )
    | (?P<other> . )
    """,
    re.DOTALL | re.VERBOSE,
)
_REGEX: Final = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/\w*")
_TEMPLATE: Final = re.compile(r"(?:\\.|\$(?!\{)|[^`\\$])*(`|\$\{)", re.DOTALL)
_BEFORE_REGEX: Final = frozenset({"return", "typeof", "case", "in", "of", "void", "await", "yield"})
"""The words behind which a slash begins a regular expression, and is no division."""
_BLANKS: Final = re.compile(r"[ \t]*\n[ \t\n]*")
_STANDS_ALONE: Final = frozenset("(){}[],;=:?<>&|!*%^~`\"'")
"""What needs no blank before or behind it. `a + +b` and `1 .valueOf()` need theirs."""


def without_comments(path: str, text: str) -> str:
    """A file of web/ without its comments. What others wrote stays as it came."""
    if path.startswith("vendor/"):
        return text
    match path.rpartition(".")[2]:
        case "js":
            return _script(text)
        case "css":
            left = _CSS.sub(lambda found: _blank(found[1]) if found[1] else found[0], text)
            return _without_indents(left).replace(" {\n", "{\n")
        case _:
            return text


def _script(text: str) -> str:
    parts: list[str] = []
    templates: list[int] = []
    """For each template that is open around here, the braces that are open in its `${…}`."""
    before = blank = ""
    at = 0
    while at < len(text):
        found = _JS.match(text, at)
        if found is None:
            raise ValueError(f"can't be read at {at}")
        kind, part = found.lastgroup, found[0]
        if kind == "slash" and _begins_regex(before):
            found = _REGEX.match(text, at) or found
            part = found[0]
        elif part == "`" or (part == "}" and templates and templates[-1] == 0):
            if part == "}":
                templates.pop()
            inside = _TEMPLATE.match(text, found.end())
            if inside is None:
                raise ValueError(f"has a template without an end at {at}")
            part += inside[0]
            if inside[1] == "${":
                templates.append(0)
        elif part in ("{", "}") and templates:
            templates[-1] += 1 if part == "{" else -1
        at += len(part)
        if kind in ("comment", "space"):
            blank += _blank(part)
            continue
        parts.append(_needed(blank, parts[-1] if parts else "", part))
        parts.append(part)
        blank = ""
        if kind != "kept":
            before = "${" if part.endswith("${") else part
    parts.append(_needed(blank, "", ""))
    return "".join(parts)


def _needed(blank: str, before: str, after: str) -> str:
    """What has to stand between two tokens in place of the blanks that do."""
    if "\n" in blank:
        return "\n" * blank.count("\n")
    if not before or not after:
        return ""
    is_needed = before[-1] not in _STANDS_ALONE and after[0] not in _STANDS_ALONE
    return " " if blank and is_needed else ""


def _begins_regex(before: str) -> bool:
    """Whether a slash behind this token can't be a division."""
    return before in _BEFORE_REGEX or not before or before[-1] in "(,=:[!&|?{};+-*%<>~^"


def _without_indents(text: str) -> str:
    return _BLANKS.sub(lambda found: "\n" * found[0].count("\n"), text)


def _blank(part: str) -> str:
    return "\n" * part.count("\n") or " "
