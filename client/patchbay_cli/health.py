"""`patchbay health`"""

from __future__ import annotations

import click

from patchbay_cli.command import command, space_option
from patchbay_cli.output import shown
from patchbay_cli.run import Run


@command()
@space_option
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True)
@click.option("--all", "of_all", is_flag=True, help="Every space of the organization, worst first.")
def health(run: Run, space: str | None, days: int, of_all: bool) -> None:
    """Show how reliable a space's integrations are."""
    if of_all:
        _show_all(run, days)
        return
    slug = run.space(space)
    found = run.client.health.get(slug=slug, days=days)
    if run.output.as_json:
        run.output.record(found.to_dict())
        return
    rate = "no events" if found.no_data else f"{found.success_rate}%"
    run.output.line(f"{slug}, {days} days: {rate} of {found.total_events} events")
    if found.platform_faults:
        run.output.line(
            f"{found.platform_faults} tests that failed because of Patchbay do not count"
        )
    if found.by_integration_type:
        run.output.table(
            ["TYPE", "TOTAL", "SUCCESS", "ERRORS", "LAST EVENT"],
            [
                (one.integration_type, one.total, one.success, one.errors, one.last_event_at)
                for one in found.by_integration_type
            ],
        )


def _show_all(run: Run, days: int) -> None:
    spaces = run.client.health.list_spaces(
        organization_id=run.organization_id, days=days, limit=100
    )
    if run.output.as_json:
        for one in spaces:
            run.output.record(one.to_dict())
        return
    run.output.table(
        ["SPACE", "NAME", "SUCCESS RATE", "EVENTS", "ERRORS"],
        [
            (
                one.slug,
                shown(one.name),
                "-" if one.no_data else f"{one.success_rate}%",
                one.total_events,
                one.error_count,
            )
            for one in spaces
        ],
    )
