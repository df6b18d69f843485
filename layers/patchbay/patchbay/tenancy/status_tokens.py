"""What the addresses of status pages end with: 160 random bits, which nobody can guess.

    link of a status page   STATUS#<SHA-256 of the token>   META   organization, space id, slug,
                                                                   revision

A token opens nothing but what its page shows, and is passed on as its owners like. So it is stored
with its space, for managers to see it again. A page is found by the hash of its token, so no token
is ever compared, and the keys of items, which logs of the table may have, open no page.
"""

import base64
import re
import secrets
from typing import Final

_BYTES: Final = 20
_FORM: Final = re.compile(r"[a-z2-7]{32}")
"""Base 32 in lower case: programs that find addresses in texts often cut a hyphen or an underscore
off their end."""


def mint() -> str:
    return base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower()


def is_status_token(text: str) -> bool:
    """Whether a text has the form of a token. What has not needs no look-up to be not found."""
    return _FORM.fullmatch(text) is not None
