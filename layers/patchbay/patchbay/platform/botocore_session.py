"""The one botocore session of this process, made for a quick start.

Botocore spends most of its own start on finding and reading descriptions of services.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import botocore.session

SERVICES: Final = (
    *("dynamodb", "events", "kms", "secretsmanager", "sns", "sqs"),
    # What botocore loads for people who sign in at a terminal.
    *("signin", "sso", "sso-oidc", "sts"),
)
"""By itself botocore searches the folders of all 400 services for each client: 24 ms at a start."""


@cache
def session() -> "botocore.session.Session":
    return new_session()


def new_session() -> "botocore.session.Session":
    """Another one, which has found neither credentials nor settings yet."""
    import botocore.session

    made = botocore.session.get_session()
    made.register_component("data_loader", _loader())
    return made


@cache
def _loader() -> Any:
    import gzip
    from pathlib import Path

    import botocore.loaders
    from pydantic_core import from_json

    class Files(botocore.loaders.JSONFileLoader):
        def load_file(self, file_path: str) -> Any:
            """A third of the time of botocore's own, whose objects are `OrderedDict`s: 10 ms."""
            for path in (Path(f"{file_path}.json"), Path(f"{file_path}.json.gz")):
                if path.is_file():
                    data = path.read_bytes()
                    return from_json(gzip.decompress(data) if path.suffix == ".gz" else data)
            return None

    class Loader(botocore.loaders.Loader):
        FILE_LOADER_CLASS = Files

        def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - overrides
            return list(SERVICES)

    return Loader()
