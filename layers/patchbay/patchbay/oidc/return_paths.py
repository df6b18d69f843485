"""Where a sign-in leads back to: a page of the dashboard, and nothing else. Pure."""

import re
from typing import Final
from urllib.parse import unquote

HOME: Final = "/app"
MAX_PATH: Final = 1024
"""Characters. It travels in a cookie."""

_PATH: Final = re.compile(
    r"(?P<path>/app(?:/[A-Za-z0-9._~:@!$&'()*+,;=%-]+)*/?)"
    r"(?:\?[A-Za-z0-9._~:@!$&'()*+,;=%/?-]*)?"
    r"(?:#[A-Za-z0-9._~:@!$&'()*+,;=%/?-]*)?"
)
_DOTS: Final = frozenset({".", ".."})


def return_path(asked: str | None) -> str:
    """The path below /app that was asked for, with its query and fragment; /app for anything else.

    Browsers resolve `..` in a path, even with its dots escaped
    (https://url.spec.whatwg.org/#double-dot-path-segment), and read a path that begins with two
    slashes, or with a backslash, as another host.
    """
    if not asked or len(asked) > MAX_PATH:
        return HOME
    found = _PATH.fullmatch(asked)
    if found is None or any(unquote(part) in _DOTS for part in found["path"].split("/")):
        return HOME
    return asked
