"""Whether a body is a web page, by its content type or its beginning. Pure."""

import re
from typing import Final

_BEGINNING: Final = re.compile(
    r"\s*(?:<!--.{0,500}?-->\s*)?<(?:!doctype html|html|head|body)\b", re.I | re.S
)


def is_html(content_type: str, text: str) -> bool:
    """Whether a body is HTML."""
    return "html" in content_type.lower() or _BEGINNING.match(text[:1000]) is not None
