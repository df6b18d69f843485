"""Secrets that somebody wrote where a file has plain values.

Variables and configurations are shown to all that may read a connection, and in every plan. What a
secret is can't be known of any text. These can't be anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from patchbay_cli.applying.shapes import Problem, escaped

_PLAIN: Final = ("variables", "configurations")
_PASSWORD: Final = re.compile(r"://[^/?#\s@:]*:[^/?#\s@]+@")
_KEY: Final = re.compile(
    r"\b(?:[sr]k_(?:live|test)_|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|whsec_|sk-ant-|SG\.|"
    r"pb_[a-z0-9]{8}_)[A-Za-z0-9_.-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\."
)
"""Keys of Stripe, GitHub, GitLab, Slack, Anthropic, SendGrid, and Patchbay, and tokens (JWT)."""


def inline_secrets(thing: Mapping[str, Any]) -> Iterator[Problem]:
    """The places of secrets in the plain values of a source, destination, or connection."""
    secrets = thing.get("secrets", {})
    for name in thing.get("variables", {}):
        if name in secrets:
            yield f"/variables/{escaped(name)}", "is a secret, by its name: it is in secrets, too"
    for member in _PLAIN:
        yield from _found(thing.get(member), f"/{member}")


def _found(value: Any, pointer: str) -> Iterator[Problem]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _found(inner, f"{pointer}/{escaped(name)}")
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _found(inner, f"{pointer}/{position}")
    elif isinstance(value, str):
        if _PASSWORD.search(value):
            yield pointer, "has a password in the URL: it is a secret"
        elif _KEY.search(value):
            yield pointer, "is a key or a token: refer to it in secrets"
