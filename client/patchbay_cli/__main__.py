"""The entry of `patchbay`, and of `python -m patchbay_cli`."""

import sys


def run() -> int:
    """The program is installed with the SDK, even if the extra `cli` is not."""
    try:
        import click  # noqa: F401
    except ModuleNotFoundError:
        print("patchbay: pip install 'patchbay-sdk[cli]'", file=sys.stderr)
        return 1
    from patchbay_cli.program import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
