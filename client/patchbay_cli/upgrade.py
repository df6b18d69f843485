"""`patchbay upgrade`"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from patchbay_cli.bulk import Bulk, Outcome, at_once_option, max_error_rate_option, told
from patchbay_cli.command import command
from patchbay_cli.exits import Exit
from patchbay_cli.output import shown
from patchbay_cli.run import Run

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay
    from patchbay_sdk.models import EditReport, Endpoint


@command()
@click.option("--integration", required=True, metavar="PUBLISHER/SLUG")
@click.option("--to", "version", required=True, metavar="VERSION", help="The new release.")
@click.option("--dry-run", is_flag=True, help="Only see what each would need.")
@click.option("--yes", is_flag=True, help="Do not ask. Without a terminal, nobody can be asked.")
@click.option("--no-test", is_flag=True, help="Upgrade without a test under the new release.")
@click.option("--all-organizations", is_flag=True, help="Of every organization: for operators.")
@at_once_option
@max_error_rate_option
def upgrade(
    run: Run,
    integration: str,
    version: str,
    dry_run: bool,
    yes: bool,
    no_test: bool,
    all_organizations: bool,
    at_once: int,
    max_error_rate: float,
) -> Exit:
    """Upgrade the sources and destinations of an integration to another release.

    Each is previewed first. Those that would need something, such as a secret, are left as they
    are. The others are tested under the new release, and upgraded only if the test passes.
    """
    client = run.client.with_options(max_retries=0)
    organizations = (
        (one.id for one in run.client.organizations.list(limit=100))
        if all_organizations
        else iter([run.organization_id])
    )
    found = [one for org in organizations for one in _outdated(run, org, integration, version)]
    # The preview of every one is wanted, however many of them fail.
    previews = Bulk(partial(_preview, client, version), at_once=at_once, max_error_rate=100)
    ready: list[Endpoint] = []

    def tell_preview(endpoint: Endpoint, outcome: Outcome) -> None:
        _show(run, endpoint, version, outcome)
        if outcome.done:
            ready.append(endpoint)
        run.output.progress(f"{previews.count} of {len(found)} previewed")

    try:
        previews.each(found, tell_preview)
    except KeyboardInterrupt:
        run.output.note(
            f"Interrupted: {previews.count} of {len(found)} were previewed, and nothing was "
            "upgraded. To go on, run the same command again."
        )
        raise
    run.output.note(f"{len(ready)} of {len(found)} can be upgraded to {version}.")
    if dry_run or not ready:
        return Exit.FAILED if previews.failed else Exit.DONE
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("There is no terminal to ask at: use --yes, or --dry-run.")
        click.confirm(f"Upgrade {len(ready)}?", abort=True, err=True)
    upgrades = Bulk(
        partial(_upgrade, client, version, not no_test),
        at_once=at_once,
        max_error_rate=max_error_rate,
    )

    def tell_upgrade(endpoint: Endpoint, outcome: Outcome) -> None:
        _show(run, endpoint, version, outcome)
        run.output.progress(f"{upgrades.count} of {len(ready)} upgraded")

    try:
        upgrades.each(ready, tell_upgrade)
    except KeyboardInterrupt:
        _sum_up(run, upgrades, len(ready))
        run.output.note(
            "Interrupted. To go on, run the same command again: it leaves out what is upgraded."
        )
        raise
    rest = len(ready) - upgrades.count
    if rest:
        run.output.note(f"Stopped: too many have failed. {rest} were not tried.")
    _sum_up(run, upgrades, len(ready))
    return Exit.FAILED if previews.failed or upgrades.failed or rest else Exit.DONE


def _sum_up(run: Run, upgrades: Bulk[Endpoint], ready: int) -> None:
    done, rest = upgrades.count - upgrades.failed, ready - upgrades.count
    run.output.note(f"{done} upgraded, {upgrades.failed} failed, {rest} not tried.")


def _outdated(run: Run, organization_id: str, integration: str, version: str) -> Iterator[Endpoint]:
    for things in (run.client.sources, run.client.destinations):
        for one in things.list(organization_id=organization_id, integration=integration, limit=100):
            if one.version != version:
                yield one


def _preview(client: Patchbay, version: str, one: Endpoint) -> Outcome:
    from patchbay_sdk.model import checked_json

    if one.role == "source":
        found = client.sources.preview_update(
            organization_id=one.organization_id, source_id=one.id, version=version
        )
    else:
        found = client.destinations.preview_update(
            organization_id=one.organization_id, destination_id=one.id, version=version
        )
    needs = _needs(found)
    if found.valid and not needs:
        return Outcome(True, "ready", {})
    errors = checked_json(found)["errors"]
    message = f"needs {', '.join(needs)}" if needs else None
    return Outcome(False, "not_ready", {"message": message, "details": {"errors": errors}})


def _needs(found: EditReport) -> list[str]:
    """What somebody has to do first."""
    needs = [f"the secret {name}" for name in found.secrets_to_enter]
    if found.secret_ref_to_enter:
        needs.append("secret_ref again")
    if found.account_to_connect:
        needs.append("the account connected again")
    needs += [f"other configurations of {one.id}" for one in found.connections]
    return needs


def _upgrade(client: Patchbay, version: str, test: bool, one: Endpoint) -> Outcome:
    if one.role == "source":
        client.sources.update(
            organization_id=one.organization_id, source_id=one.id, version=version, test=test
        )
    else:
        client.destinations.update(
            organization_id=one.organization_id, destination_id=one.id, version=version, test=test
        )
    return Outcome(True, "upgraded", {})


def _show(run: Run, one: Endpoint, version: str, outcome: Outcome) -> None:
    run.output.result(
        {
            "organization_id": one.organization_id,
            "id": one.id,
            "name": one.name,
            "from": one.version,
            "to": version,
            "status": outcome.status,
            **({} if outcome.done else {"error": outcome.details}),
        },
        f"{one.id}  {shown(one.name)}  {one.version} → {version}  {shown(told(outcome))}",
    )
