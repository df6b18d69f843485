"""Whether an organization has room for what is to be made: asked before the first is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay


def shortages(client: Patchbay, organization_id: str, needed: Mapping[str, int]) -> list[str]:
    """What is said of each quota that has no room for so many more; `needed` is by its name.

    None is known to a key that may not read the quotas.
    """
    from patchbay_sdk.errors import PermissionDenied

    if not any(needed.values()):
        return []
    try:
        quotas = list(client.organizations.list_quotas(organization_id=organization_id))
    except PermissionDenied:
        return []
    return [
        f"{needed[one.name]} more {one.name.replace('_', ' ')} are needed, and there is room for "
        f"{max(0, one.limit - (one.used or 0))}: {one.used or 0} of {one.limit} are used"
        for one in quotas
        if needed.get(one.name, 0) > max(0, one.limit - (one.used or 0))
    ]
