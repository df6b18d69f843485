"""`patchbay events`: a group of commands."""

from typing import Final

from patchbay_cli.command import Lazy, LazyGroup

_COMMANDS: Final = {
    "import": Lazy("patchbay_cli.events_import", "import_events", "Import events from a file."),
}

events = LazyGroup("events", table=_COMMANDS, help="What happened to integrations in a space.")
