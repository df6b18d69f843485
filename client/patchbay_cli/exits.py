"""With what the program ends."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes. Those of a failed test say who can fix it: its `blame`."""

    DONE = 0
    """It is done; a test passed."""
    FAILED = 1
    """It was refused, or was not possible, or only a part is done."""
    CUSTOMER = 2
    """A test failed, and the owner of the account can fix it."""
    PROVIDER = 3
    """A test failed, and the provider can fix it."""
    PLATFORM = 4
    """The deployment failed, or was not reached, or a test failed through it."""
    UNKNOWN = 5
    """A test failed, and it can't be said who can fix it."""
    CHANGES = 6
    """There is something to do, and it was only asked for the plan."""
    USAGE = 64
    """The command was not understood. (The 2 of other programs is taken.)"""
    INTERRUPTED = 130
    TERMINATED = 143

    @classmethod
    def of_blame(cls, blame: str | None) -> "Exit":
        return _OF_BLAME.get(blame or "unknown", cls.UNKNOWN)


class Terminated(KeyboardInterrupt):
    """SIGTERM: what is at work is ended as after Ctrl-C, and reported."""


_OF_BLAME = {
    "customer": Exit.CUSTOMER,
    "provider": Exit.PROVIDER,
    "platform": Exit.PLATFORM,
}
