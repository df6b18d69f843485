"""`patchbay`: its entry point."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
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
        return _code_of(arguments, as_json=as_json)
    except BrokenPipeError:
        # The reader has gone, as `head` does.
        _write_no_more()
        return Exit.FAILED
    except OSError as error:
        # Nothing can be written there, such as the help on a disk that is full.
        with suppress(OSError):
            _say(error.strerror or str(error), as_json=as_json)
        _write_no_more()
        return Exit.FAILED


def _code_of(arguments: Sequence[str] | None, *, as_json: bool) -> int:
    try:
        code = root.main(
            arguments, prog_name=NAME, complete_var=COMPLETE_VARIABLE, standalone_mode=False
        )
        return int(code or Exit.DONE)
    except click.ClickException as error:
        if as_json:
            _say(error.format_message(), as_json=True)
        else:
            error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt) as interruption:
        _say("interrupted", as_json=as_json)
        # click raises its own of one.
        is_terminated = isinstance(interruption.__cause__ or interruption, Terminated)
        return Exit.TERMINATED if is_terminated else Exit.INTERRUPTED


def end_as_interrupted() -> None:
    """From now on SIGTERM ends the program as Ctrl-C does, unless its caller wants it ignored."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(*_: object) -> None:
    # Another one ends it at once.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated


def _say(message: str, *, as_json: bool) -> None:
    import json

    said = json.dumps({"error": {"code": None, "message": message}})
    print(said if as_json else f"patchbay: {message}", file=sys.stderr, flush=True)


def _write_no_more() -> None:
    """Python must not fail again when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
