"""The commands: how they are called, where they are, and what the help says of them."""

from typing import Final

from patchbay_cli.command import Lazy

COMMANDS: Final = {
    "login": Lazy("patchbay_cli.login", "login", "Sign in to a deployment with an API key."),
    "logout": Lazy("patchbay_cli.login", "logout", "Forget a profile and its API key."),
    "profiles": Lazy("patchbay_cli.login", "profiles", "List the profiles, or choose one."),
    "test": Lazy("patchbay_cli.testing", "test", "Test a connection, step by step."),
    "health": Lazy("patchbay_cli.health", "health", "Show how reliable integrations are."),
    "connections": Lazy("patchbay_cli.connections", "connections", "List what is connected."),
    "install-link": Lazy("patchbay_cli.install_link", "install_link", "Make a link to connect by."),
    "events": Lazy("patchbay_cli.events", "events", "Import events from a file."),
    "import": Lazy("patchbay_cli.imports", "imports", "Import definitions from other tools."),
    "rotate": Lazy("patchbay_cli.rotate", "rotate", "Give many sources new secrets."),
    "upgrade": Lazy("patchbay_cli.upgrade", "upgrade", "Upgrade all of an integration."),
    "dev": Lazy("patchbay_cli.dev", "dev", "Test a definition at every save."),
    "lint": Lazy("patchbay_cli.lint", "lint", "Say what is wrong with definition files."),
    "apply": Lazy("patchbay_cli.apply", "apply", "Make a deployment what a folder says."),
    "audit": Lazy("patchbay_cli.audit", "audit", "Show who changed what."),
    "export": Lazy("patchbay_cli.organizations", "export", "Export all that an organization has."),
    "erase": Lazy("patchbay_cli.organizations", "erase", "Erase an organization."),
    "doctor": Lazy("patchbay_cli.doctor", "doctor", "Look for what is wrong with a deployment."),
    "completion": Lazy("patchbay_cli.completion", "completion", "Print the completion of a shell."),
}
