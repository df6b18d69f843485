"""The keys of erasures in the integrations table.

    erasure   ORG#<organization>      ERASURE             for 400 days after it is finished
    queue     ERASURES                ORG#<organization>  until it is finished
    mark      ERASED#<organization>   <kind>#<id>         until it is finished

A mark is what is left of a thing that other partitions belong to: they are looked at again later.
"""

from typing import Final

from patchbay.platform.dynamodb import Key
from patchbay.tenancy.keys import organization_pk

QUEUE_PK: Final = "ERASURES"
ERASURE_SK: Final = "ERASURE"


def erasure_key(organization_id: str) -> Key:
    return Key(organization_pk(organization_id), ERASURE_SK)


def queued_key(organization_id: str) -> Key:
    return Key(QUEUE_PK, organization_pk(organization_id))


def marks_pk(organization_id: str) -> str:
    return f"ERASED#{organization_id}"
