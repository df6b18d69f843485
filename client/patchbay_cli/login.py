"""`patchbay login`, `logout`, and `profiles`"""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from patchbay_cli.command import command
from patchbay_cli.exits import Exit
from patchbay_cli.output import shown
from patchbay_cli.profiles import Profile, ProfileProblem, Profiles, keyring
from patchbay_cli.run import CommandFailed, Run


@command()
@click.option("--url", metavar="URL", help="The address of the deployment.")
@click.option("--space", metavar="SLUG", help="The space of commands that name none.")
@click.option("--api-key-stdin", is_flag=True, help="Read the API key from standard input.")
@click.option(
    "--storage",
    type=click.Choice(["auto", "keyring", "file"]),
    default="auto",
    show_default=True,
    help="Where the key is kept. By default the keyring of the system if there is one.",
)
def login(run: Run, url: str | None, space: str | None, api_key_stdin: bool, storage: str) -> Exit:
    """Sign in to a deployment with an API key.

    The key is asked for, or read from standard input. It is never an argument, which other users
    of the machine could see.
    """
    ring = None if storage == "file" else keyring()
    if storage == "keyring" and ring is None:
        raise CommandFailed(
            "there is no keyring: pip install 'patchbay-sdk[keyring]', or --storage file"
        )
    name = run.profile_name or "default"
    url = url or _asked("The address of the deployment", "--url", hidden=False)
    key = sys.stdin.readline().strip() if api_key_stdin else _asked("API key", "--api-key-stdin")
    run.profile = Profile(url.rstrip("/"), space=space, api_key=key)
    caller = run.caller
    organization = caller.organization
    if space is not None:
        run.client.spaces.get(slug=space)
    Profiles().put(name, replace(run.profile, organization_id=organization.id), ring)
    where = "in the keyring" if ring else "in a file that only you may read"
    run.output.result(
        {
            "profile": name,
            "url": run.profile.url,
            "organization_id": organization.id,
            "subject": caller.subject,
            "permissions": caller.permissions,
            "storage": "keyring" if ring else "file",
        },
        shown(f"Signed in to {run.profile.url} as {organization.name} ({organization.id})."),
        shown(f"Permissions: {', '.join(caller.permissions)}"),
        f"The key is kept {where}, in the profile {name}.",
    )
    return Exit.DONE


@command()
def logout(run: Run) -> Exit:
    """Forget a profile and its API key. The key itself stays valid: revoke it to end it."""
    profiles = Profiles()
    name = run.profile_name or profiles.default()
    if name is None:
        raise ProfileProblem("nobody is signed in")
    profiles.remove(name)
    run.output.result({"removed": name}, f"The profile {name} is forgotten.")
    return Exit.DONE


@command()
@click.option("--use", metavar="NAME", help="Make this profile the default.")
def profiles(run: Run, use: str | None) -> Exit:
    """List the profiles, or choose the default one."""
    known = Profiles()
    if use is not None:
        known.use(use)
    default = known.default()
    found = [(name, known.described(name)) for name in known.names()]
    if run.output.as_json:
        for name, one in found:
            run.output.record(
                {
                    "profile": name,
                    "default": name == default,
                    "url": one.url,
                    "organization_id": one.organization_id,
                    "space": one.space,
                    "storage": "keyring" if one.api_key is None else "file",
                }
            )
    else:
        run.output.table(
            ["", "PROFILE", "URL", "ORGANIZATION", "SPACE"],
            [
                ("*" if name == default else "", name, one.url, one.organization_id, one.space)
                for name, one in found
            ],
        )
    return Exit.DONE


def _asked(what: str, option: str, *, hidden: bool = True) -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(f"There is no terminal to ask at: use {option}.")
    answer: str = click.prompt(what, hide_input=hidden, err=True)
    return answer.strip()
