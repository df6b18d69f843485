"""From the address of a status page to its space, and back."""

from typing import Final

from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import NotFound
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.api_keys import digest
from patchbay.tenancy.keys import organization_key, space_key, status_link_key
from patchbay.tenancy.model import Space
from patchbay.tenancy.status_tokens import is_status_token

PATH: Final = "/status"


class StatusLinks:
    """The spaces of status pages. What counts is what is stored at this moment."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def space(self, token: str) -> Space:
        """Raises `NotFound`, even if its organization is only being erased."""
        claim = self._table.get(status_link_key(digest(token))) if is_status_token(token) else None
        if claim is None:
            raise NotFound("status page")
        organization = organization_key(claim["organization_id"])
        of_space = space_key(claim["organization_id"], claim["slug"])
        found = self._table.get_all([organization, of_space])
        space = Space.model_validate(found[of_space]) if len(found) == 2 else None
        if space is None or space.id != claim["space_id"] or space.status_page.token != token:
            raise NotFound("status page")
        return space


def with_link(space: Space, caller: Principal, origin: str) -> Space:
    """The space as a caller sees it: with the address of its status page for those who may manage
    the space. `origin` is where browsers reach the API."""
    token = space.status_page.token
    if token is None or not caller.holds(Permission.MANAGE):
        return space
    page = space.status_page.model_copy(update={"url": f"{origin}{PATH}/{token}"})
    return space.model_copy(update={"status_page": page})
