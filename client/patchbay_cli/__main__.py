"""The entry of `patchbay`, and of `python -m patchbay_cli`."""

import os
import sys


def run() -> int:
    """The program is installed with the SDK, even if the extra `cli` is not."""
    try:
        import click  # noqa: F401
    except ModuleNotFoundError:
        print("patchbay: pip install 'patchbay-sdk[cli]'", file=sys.stderr)
        return 1
    from patchbay_cli.program import end_as_interrupted, main

    _complete_streams()
    end_as_interrupted()
    return main()


def _complete_streams() -> None:
    """A stream that the caller has closed reads nothing and writes nowhere, and one that can't
    have a character has its escape."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - until the program ends
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        else:
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(run())
