"""What a URL says of its variables: one is a whole host, the beginning of a URL, or a port."""

from __future__ import annotations

import re
from typing import Any, Final

from patchbay_importers.drafts import Draft
from patchbay_importers.refusals import ImportRefused

_WHOLE: Final = re.compile(r"\{\{variables\.([A-Za-z0-9_-]+)\}\}")
_BASE: Final = re.compile(r"\{\{variables\.([A-Za-z0-9_-]+)\}\}(?=[/?]|$)")
_ABSOLUTE: Final = re.compile(
    r"(https?|\{\{variables\.[A-Za-z0-9_-]+\}\})://([^/?#]*)(.*)", re.DOTALL
)
_PORT: Final = re.compile(r":\{\{variables\.([A-Za-z0-9_-]+)\}\}$")


def shaped_url(text: str, draft: Draft, at: str) -> str:
    """The URL, once the draft declares its variables as their places need. Raises ImportRefused.

    A host of the input's own is asked by https: no credential goes to it in the clear.
    """
    if match := _BASE.match(text):
        _declare(draft, match[1], "uri", at)
        return text
    match = _ABSOLUTE.fullmatch(text)
    if match is None:
        raise ImportRefused(at, "must be an absolute URL of http or https")
    scheme, authority, rest = match.groups()
    if "@" in authority:
        raise ImportRefused(at, "has a user name or a password")
    if scheme == "http" and _is_public(authority):
        draft.notes.append(f"{authority[:80]} is asked by https, where the source has http")
        text = f"https://{authority}{rest}"
    if port := _PORT.search(authority):
        _declare_port(_declared(draft, port[1], at))
        authority = authority[: port.start()]
    if whole := _WHOLE.fullmatch(authority):
        _declare(draft, whole[1], "hostname", at)
    return text


def _is_public(authority: str) -> bool:
    """Whether it is a name of the internet, and no variable, no address, and not this machine."""
    host = authority.partition(":")[0]
    return "{{" not in host and "." in host and not host[-1].isdigit()


def _declare(draft: Draft, name: str, form: str, at: str) -> None:
    rule = _declared(draft, name, at)
    rule |= {"type": "string", "format": form}


def _declared(draft: Draft, name: str, at: str) -> dict[str, Any]:
    if name not in draft.variables:
        raise ImportRefused(at, "has a placeholder of Patchbay's, not of its own format")
    return draft.variables[name]


def _declare_port(rule: dict[str, Any]) -> None:
    for key in ("pattern", "format", "examples", "enum"):
        rule.pop(key, None)
    rule["type"] = "integer"
    default = str(rule.pop("default", ""))
    if default.isdigit() and len(default) <= 5:
        rule["default"] = int(default)
