"""The commands: how they are called, where they are, and what the help says of them."""

from typing import Final

from patchbay_cli.command import Lazy

COMMANDS: Final = {
    "login": Lazy("patchbay_cli.login", "login", "Sign in to a deployment with an API key."),
    "logout": Lazy("patchbay_cli.login", "logout", "Forget a profile and its API key."),
    "profiles": Lazy("patchbay_cli.login", "profiles", "List the profiles, or choose one."),
    "test": Lazy("patchbay_cli.testing", "test", "Test a connection, step by step."),
    "completion": Lazy("patchbay_cli.completion", "completion", "Print the completion of a shell."),
}
