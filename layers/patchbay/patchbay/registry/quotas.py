"""What is counted of an organization's integrations.

An integration that is deleted is not counted, nor are its releases, although both are kept until
the purge: a restore needs room for them again. Until then they are counted as `deleted_releases`,
one for the draft and one for each release, so that nobody can fill the table by deleting.
"""

from typing import Final

from patchbay.platform.dynamodb import Table
from patchbay.registry.keys import DELETED, RELEASES, integration_pk, owned_integrations_pk
from patchbay.tenancy.keys import organization_pk
from patchbay.tenancy.quotas import Quota

_INDEX: Final = "by_owner"

INDEX_SECONDS: Final = 2.0
"""AWS: an index follows the table "within a fraction of a second, under normal conditions"
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html)."""


def _integrations(table: Table, organization_id: str) -> int:
    return table.count(owned_integrations_pk(organization_id), index=_INDEX)


def _releases(table: Table, organization_id: str) -> int:
    owned = table.query_all(owned_integrations_pk(organization_id), index=_INDEX)
    return sum(releases_of(table, item["id"]) for item in owned)


def _deleted(table: Table, organization_id: str) -> int:
    notes = table.query_all(organization_pk(organization_id), prefix=DELETED)
    return sum(note["releases"] for note in notes)


def releases_of(table: Table, integration_id: str) -> int:
    """How many releases an integration has."""
    return table.count(integration_pk(integration_id), RELEASES)


INTEGRATION_QUOTA: Final = Quota("integrations", _integrations, INDEX_SECONDS)
RELEASE_QUOTA: Final = Quota("releases", _releases, INDEX_SECONDS)
DELETED_QUOTA: Final = Quota("deleted_releases", _deleted, lapse=True)
