"""From the address of a status page to its space, and back."""

from typing import Final, NamedTuple

from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import NotFound
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.api_keys import digest
from patchbay.tenancy.keys import organization_key, space_key, status_link_key
from patchbay.tenancy.model import Space
from patchbay.tenancy.status_tokens import is_status_token

PATH: Final = "/status"


class StatusLink(NamedTuple):
    """What the token of an address leads to. `revision` is that of the space since which the page
    shows the same."""

    token: str
    organization_id: str
    space_id: str
    slug: str
    revision: int


class StatusLinks:
    """The links of status pages. What counts is what is stored at this moment."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def link(self, token: str) -> StatusLink:
        """Reads one item, which is alone in its partition: a flood of requests for a page takes no
        reads of its organization's. Raises `NotFound`."""
        item = self._table.get(status_link_key(digest(token))) if is_status_token(token) else None
        if item is None:
            raise NotFound("status page")
        return StatusLink(
            token,
            organization_id=item["organization_id"],
            space_id=item["space_id"],
            slug=item["slug"],
            revision=item["revision"],
        )

    def space(self, link: StatusLink) -> Space:
        """Raises `NotFound`, even if the organization is only being erased."""
        organization = organization_key(link.organization_id)
        of_space = space_key(link.organization_id, link.slug)
        found = self._table.get_all([organization, of_space])
        space = Space.model_validate(found[of_space]) if len(found) == 2 else None
        if space is None or space.id != link.space_id or space.status_page.token != link.token:
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
