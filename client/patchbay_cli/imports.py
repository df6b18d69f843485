"""`patchbay import`: a group of commands."""

from typing import Final

from patchbay_cli.command import Lazy, LazyGroup

_COMMANDS: Final = {
    "nango": Lazy("patchbay_cli.import_sources", "nango", "From providers.yaml of Nango."),
    "airbyte": Lazy(
        "patchbay_cli.import_sources", "airbyte", "From a registry, or a manifest.yaml, of Airbyte."
    ),
    "openapi": Lazy("patchbay_cli.import_sources", "openapi", "From an OpenAPI document."),
    "postman": Lazy("patchbay_cli.import_sources", "postman", "From a collection of Postman."),
}

imports = LazyGroup(
    "import", table=_COMMANDS, help="Import definitions from a file that you have, as drafts."
)
