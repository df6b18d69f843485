"""Secrets by reference: a file has the name of an environment variable, and never a value."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

_USUAL_NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]*")


def why_not_at_hand(reference: Mapping[str, str]) -> str | None:
    """Why the value can't be used; None if it can."""
    name = reference["fromEnv"]
    # Somebody may have written the value itself there, and that is not shown.
    variable = f"the environment variable {name}" if _USUAL_NAME.fullmatch(name) else "a variable"
    value = os.environ.get(name)
    if not value:
        return f"is in {variable}, which is not set"
    if not _is_unicode(value):
        return f"is in {variable}, which is not UTF-8"
    return None


def value_of(reference: Mapping[str, str]) -> str:
    """Of one that is at hand."""
    return os.environ[reference["fromEnv"]]


def _is_unicode(text: str) -> bool:
    # Python has surrogates for bytes that are none.
    return not any("\ud800" <= character <= "\udfff" for character in text)
