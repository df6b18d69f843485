"""`patchbay install-link`"""

from __future__ import annotations

import click

from patchbay_cli.command import command, space_option
from patchbay_cli.output import shown
from patchbay_cli.run import Run


@command("install-link")
@click.argument("integration", metavar="PUBLISHER/SLUG")
@space_option
@click.option("--version", metavar="RANGE", help="A release, or a range of releases.")
@click.option("--connection", metavar="CON_ID", help="Repair this connection.")
@click.option("--end-user", metavar="ID", help="Who installs, by your own id.")
@click.option("--return-url", metavar="URL", help="Where the browser goes at the end.")
@click.option("--expires-in", metavar="SECONDS", type=click.IntRange(min=1), default=1800)
def install_link(
    run: Run,
    integration: str,
    space: str | None,
    version: str | None,
    connection: str | None,
    end_user: str | None,
    return_url: str | None,
    expires_in: int,
) -> None:
    """Make a link by which an end user connects an integration.

    The link is all that is on standard output. It is a secret until it expires.
    """
    made = run.client.install_sessions.create(
        organization_id=run.organization_id,
        integration=integration,
        space=None if connection else run.space(space),
        version=version,
        connection_id=connection,
        end_user=None if end_user is None else {"id": end_user},
        return_url=return_url,
        expires_in_seconds=expires_in,
    )
    run.output.result(made.to_dict(), shown(made.url))
    if not run.output.as_json:
        run.output.note(shown(f"{made.integration} {made.version}, until {shown(made.expires_at)}"))
