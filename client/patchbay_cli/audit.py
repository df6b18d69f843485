"""`patchbay audit`"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final, cast

import click

from patchbay_cli.command import command
from patchbay_cli.outages import through_outages
from patchbay_cli.output import shown
from patchbay_cli.run import Run

if TYPE_CHECKING:
    from patchbay_sdk import choices
    from patchbay_sdk.models import AuditEvent

_POLL_SECONDS: Final = 5.0
_OVERLAP: Final = timedelta(seconds=30)
"""An event can be written a little after a later one: each look begins this much earlier."""


@command()
@click.option("--follow", is_flag=True, help="Show further changes as they are made.")
@click.option("--entity", help="Only changes of this kind of thing, such as source.")
@click.option("--entity-id", metavar="ID", help="Only changes of this thing.")
@click.option("--subject", help="Only changes by this subject.")
@click.option("--since", metavar="TIME", help="Only from then on, such as 2026-02-17T10:00Z.")
@click.option("--limit", type=click.IntRange(min=1), default=25, show_default=True)
def audit(
    run: Run,
    follow: bool,
    entity: str | None,
    entity_id: str | None,
    subject: str | None,
    since: str | None,
    limit: int,
) -> None:
    """Show who changed what, oldest first."""
    trail = Trail(run, cast("choices.Entity | None", entity), entity_id, subject)
    trail.show(islice(trail.since(since), limit))
    while follow:
        time.sleep(_POLL_SECONDS)
        # All of it is read before any is shown: what breaks off is read again.
        trail.show(through_outages(run, lambda: list(trail.since(trail.begin or since))))


class Trail:
    """The changes that were shown, so that none is shown twice."""

    def __init__(
        self,
        run: Run,
        entity: choices.Entity | None,
        entity_id: str | None,
        subject: str | None,
    ) -> None:
        self._run = run
        self._filters = (entity, entity_id, subject)
        self._shown: dict[str, datetime] = {}
        self._oldest: datetime | None = None

    @property
    def begin(self) -> datetime | None:
        """From when on the next look is; None if nothing was shown yet."""
        if not self._shown or self._oldest is None:
            return None
        # What the limit left out at first stays out.
        return max(max(self._shown.values()) - _OVERLAP, self._oldest)

    def since(self, when: datetime | str | None) -> Iterable[AuditEvent]:
        """Newest first."""
        entity, entity_id, subject = self._filters
        return self._run.client.audit_events.list(
            organization_id=self._run.organization_id,
            entity=entity,
            entity_id=entity_id,
            subject=subject,
            since=when,
            limit=100,
        )

    def show(self, newest_first: Iterable[AuditEvent]) -> None:
        for event in reversed(list(newest_first)):
            if event.id not in self._shown:
                self._oldest = self._oldest or event.at
                self._shown[event.id] = event.at
                self._run.output.result(event.to_dict(), _line(event))
        if (begin := self.begin) is not None:
            self._shown = {one: at for one, at in self._shown.items() if at >= begin}


def _line(event: AuditEvent) -> str:
    fields = sorted({*(event.before or {}), *(event.after or {})})
    what = f": {', '.join(fields)}" if event.before and event.after else ""
    secrets = f" (secrets: {', '.join(event.secrets_entered)})" if event.secrets_entered else ""
    return shown(
        f"{shown(event.at)}  {event.subject}  {event.action} {event.entity} "
        f"{event.entity_id}{what}{secrets}"
    )
