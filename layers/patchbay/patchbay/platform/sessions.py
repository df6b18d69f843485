"""The one botocore session of this process, which looks for no services but those that we call."""

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import botocore.session

SERVICES: Final = (
    *("dynamodb", "events", "kms", "secretsmanager", "sns", "sqs"),
    # What botocore asks for the credentials of somebody at a terminal.
    *("signin", "sso", "sso-oidc", "sts"),
)
"""By itself botocore searches the folders of all 400 services for each client: 24 ms at a start."""


@cache
def session() -> "botocore.session.Session":
    import botocore.loaders
    import botocore.session

    class Loader(botocore.loaders.Loader):
        def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - overrides
            return list(SERVICES)

    made = botocore.session.get_session()
    made.register_component("data_loader", Loader())
    return made
