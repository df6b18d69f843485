"""What a URL says of its variables: one is a whole host, the beginning of a URL, or a port."""

from __future__ import annotations

import re
from typing import Final

from patchbay_importers.drafts import Draft
from patchbay_importers.refusals import ImportRefused

_WHOLE: Final = re.compile(r"\{\{variables\.([A-Za-z0-9_-]+)\}\}")
_BASE: Final = re.compile(r"\{\{variables\.([A-Za-z0-9_-]+)\}\}(?=[/?]|$)")
_ABSOLUTE: Final = re.compile(r"(?:[a-z]+|\{\{variables\.[A-Za-z0-9_-]+\}\})://([^/?#]*).*", re.S)
_PORT: Final = re.compile(r":\{\{variables\.([A-Za-z0-9_-]+)\}\}$")


def shaped_url(text: str, draft: Draft, at: str) -> str:
    """The URL, once the draft declares its variables as their places need. Raises ImportRefused."""
    if match := _BASE.match(text):
        _declare(draft, match[1], "uri")
        return text
    match = _ABSOLUTE.fullmatch(text)
    if match is None:
        raise ImportRefused(at, "must be an absolute URL")
    authority = match[1]
    if port := _PORT.search(authority):
        _declare_port(draft.variables[port[1]])
        authority = authority[: port.start()]
    if whole := _WHOLE.fullmatch(authority):
        _declare(draft, whole[1], "hostname")
    return text


def _declare(draft: Draft, name: str, form: str) -> None:
    draft.variables[name] |= {"type": "string", "format": form}


def _declare_port(rule: dict[str, object]) -> None:
    for key in ("pattern", "format", "examples", "enum"):
        rule.pop(key, None)
    rule["type"] = "integer"
    default = str(rule.pop("default", ""))
    if default.isdigit() and len(default) <= 5:
        rule["default"] = int(default)
