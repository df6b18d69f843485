"""What is counted of an organization's OAuth applications."""

from typing import Final

from patchbay.connections.keys import APPLICATIONS
from patchbay.tenancy.keys import organization_pk
from patchbay.tenancy.quotas import Quota

APPLICATION_QUOTA: Final = Quota(
    "oauth_applications",
    lambda table, owner: table.count(organization_pk(owner), APPLICATIONS),
)
