"""`patchbay`: its entry point."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

import click

from patchbay_cli.command import LazyGroup
from patchbay_cli.exits import Exit, Terminated
from patchbay_cli.table import COMMANDS

NAME: Final = "patchbay"
COMPLETE_VARIABLE: Final = "_PATCHBAY_COMPLETE"


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from patchbay_sdk import __version__

        click.echo(f"patchbay {__version__}")
        context.exit()


root = LazyGroup(
    NAME,
    table=COMMANDS,
    help="What is connected, whether it works, and whether it has been working.",
    epilog=(
        "Exit codes: 0 done; 1 refused, or done in part; 4 the deployment failed; 6 a plan has "
        "changes; 64 wrong usage. "
        "Of a failed test: 2 customer, 3 provider, 4 platform, 5 unknown."
    ),
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_version,
            help="Show the version.",
        )
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit code."""
    as_json = "--json" in (sys.argv if arguments is None else arguments)
    try:
        code = root.main(
            arguments, prog_name=NAME, complete_var=COMPLETE_VARIABLE, standalone_mode=False
        )
        return int(code or Exit.DONE)
    except click.ClickException as error:
        if as_json:
            _say_as_json(error.format_message())
        else:
            error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt) as interruption:
        if as_json:
            _say_as_json("interrupted")
        else:
            print("patchbay: interrupted", file=sys.stderr)
        # click raises its own of one.
        is_terminated = isinstance(interruption.__cause__ or interruption, Terminated)
        return Exit.TERMINATED if is_terminated else Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader has gone, as `head` does. Python must not fail again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED


def end_as_interrupted() -> None:
    """From now on SIGTERM ends the program as Ctrl-C does, unless its caller wants it ignored."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(*_: object) -> None:
    # Another one ends it at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated


def _say_as_json(message: str) -> None:
    import json

    print(json.dumps({"error": {"code": None, "message": message}}), file=sys.stderr)
