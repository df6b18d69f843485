"""`patchbay connections`"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from patchbay_cli.command import command
from patchbay_cli.run import Run

if TYPE_CHECKING:
    from patchbay_sdk import choices


@command()
@click.option("--space", metavar="SLUG", help="Only those of this space.")
@click.option("--integration", metavar="PUBLISHER/SLUG", help="Only those of this integration.")
@click.option(
    "--health",
    type=click.Choice(["connected", "disconnected", "error", "unknown"]),
    help="Only those that do so.",
)
@click.option("-q", "part", metavar="TEXT", help="Only those with this in their names.")
def connections(
    run: Run, space: str | None, integration: str | None, health: str | None, part: str | None
) -> None:
    """List what is connected, and how it is doing."""
    found = run.client.connections.list(
        organization_id=run.organization_id,
        space=space,
        integration=integration,
        health=cast("choices.HealthStatus | None", health),
        q=part,
        limit=100,
    )
    if run.output.as_json:
        for one in found:
            run.output.record(one.to_dict())
        return
    run.output.table(
        ["CONNECTION", "NAME", "SPACE", "STATUS", "HEALTH", "CHECKED", "ERROR"],
        [
            (
                one.id,
                one.name,
                one.space,
                one.status,
                one.health.status,
                one.health.checked_at,
                one.health.error_code,
            )
            for one in found
        ],
    )
