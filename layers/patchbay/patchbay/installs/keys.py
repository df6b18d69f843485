"""The keys of install sessions.

install session   ORG#<org>   INS#<id>   its state; `digest` leads to the item of its token
"""

from typing import Final

from patchbay.platform.dynamodb import Key
from patchbay.tenancy.keys import organization_pk

SESSIONS: Final = "INS#"


def session_key(organization_id: str, session_id: str) -> Key:
    return Key(organization_pk(organization_id), f"{SESSIONS}{session_id}")
