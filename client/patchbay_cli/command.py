"""What commands have in common: their options, and how a group finds them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click

from patchbay_cli.exits import Exit
from patchbay_cli.output import Output
from patchbay_cli.profiles import ProfileProblem, Profiles
from patchbay_cli.run import Run


class Lazy(NamedTuple):
    """A command that is imported when it is called."""

    module: str
    """Of this package; its attribute `name` is the command."""
    name: str
    help: str
    """What the group's help says of it."""


class LazyGroup(click.Group):
    """A group of commands that are imported when they are called."""

    def __init__(self, *args: Any, table: Mapping[str, Lazy], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        return list(self._table)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        entry = self._table.get(cmd_name)
        if entry is None:
            return None
        found: click.Command = getattr(import_module(entry.module), entry.name)
        return found

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self._table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=entry.help)
            for name, entry in self._table.items()
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


def command(name: str | None = None) -> Callable[[Callable[..., Exit | None]], click.Command]:
    """Makes a command of a function that takes a `Run` and what its own options give.

    It returns the exit code, or None if it is done. Errors of the API, of profiles, and of files
    are reported, and end it.
    """

    def made(function: Callable[..., Exit | None]) -> click.Command:
        @functools.wraps(function)
        def whole(
            *, profile: str | None, organization: str | None, as_json: bool, **options: Any
        ) -> Exit:
            output = Output(as_json=as_json)
            run = Run(output, profile=profile, organization=organization)
            try:
                return function(run, **options) or Exit.DONE
            except (click.ClickException, click.Abort, click.exceptions.Exit):
                raise
            except KeyboardInterrupt as interruption:
                if not as_json:
                    raise
                # click prints an empty line for one, which is not a document.
                raise click.Abort from interruption
            except Exception as error:
                # It imports the SDK, which a command that works may not need.
                from patchbay_cli.failures import REPORTED, report

                if isinstance(error, BrokenPipeError) or not isinstance(error, REPORTED):
                    raise
                return report(error, output)
            finally:
                output.end_progress()
                run.close()

        for option in (_AS_JSON, _ORGANIZATION, _PROFILE):
            whole = option(whole)
        return click.command(name or function.__name__.replace("_", "-"))(whole)

    return made


def space_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--space`, for `Run.space`."""
    return click.option(
        "--space", metavar="SLUG", help="The space; by default the profile's, or the only one."
    )(function)


def _profile_names(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    try:
        return [name for name in Profiles().names() if name.startswith(incomplete)]
    except (ProfileProblem, OSError):
        return []


_PROFILE = click.option(
    "--profile", metavar="NAME", shell_complete=_profile_names, help="A profile of patchbay login."
)
_ORGANIZATION = click.option(
    "--organization", metavar="ORG_ID", help="Another organization than the key's: for operators."
)
_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one document a line.")
