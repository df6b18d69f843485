"""Tokens of install sessions: `pbi_<secret>`, with 256 random bits.

    token of a session   INSTALL#<SHA-256 of the token>   META   organization, session, subject

A token is found by its hash, so no secret is ever compared: knowing a part of a token, one learns
nothing from how long a look-up takes. What the session may still do is not here: the routes of
sessions read the session itself, so a revocation counts at once.

The authorizer looks a token up to know whose turn a request takes: each session has a limit of its
own, so the end users of an organization take none of its requests, nor those of callers without a
key.
"""

import re
import secrets
from typing import Final, NamedTuple

from patchbay.platform.dynamodb import Table
from patchbay.tenancy.access import SessionCaller
from patchbay.tenancy.api_keys import digest
from patchbay.tenancy.keys import install_token_key, organization_key

PREFIX: Final = "pbi_"
"""For secret scanners: `pbi_[A-Za-z0-9_-]{43}`."""

MAX_REQUESTS_PER_MINUTE: Final = 120
"""Of one session, at each instance of the authorizer."""

_FORM: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


class MintedToken(NamedTuple):
    """A new token: `text` is sent to the caller once, `digest` is stored."""

    text: str
    digest: str


def mint() -> MintedToken:
    text = PREFIX + secrets.token_urlsafe(32)
    return MintedToken(text, digest(text))


def is_install_token(text: str) -> bool:
    """Whether a text has the form of a token."""
    return _FORM.fullmatch(text) is not None


class InstallTokens:
    """The tokens of sessions, ended ones included."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def holder(self, text: str) -> SessionCaller | None:
        """The session of a token; None if there is none, or its organization is being erased.

        Raises `TemporarilyUnavailable`.
        """
        if not is_install_token(text):
            return None
        item = self._table.get(install_token_key(digest(text)))
        if item is None or self._table.get(organization_key(item["organization_id"])) is None:
            return None
        return SessionCaller(item["organization_id"], item["session_id"], item["subject"])
