"""Spaces: their names and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from patchbay_cli.applying.deployment import Deployment
from patchbay_cli.applying.differences import missing
from patchbay_cli.applying.edits import create, edit
from patchbay_cli.applying.folder import Wanted
from patchbay_cli.applying.plan import CREATE, UPDATE, Change, Plan, Stage, Step
from patchbay_sdk.model import checked_json

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay


def plan_spaces(plan: Plan, wanted: Sequence[Wanted], deployment: Deployment) -> None:
    for space in wanted:
        identity = space.identity
        found = deployment.spaces.get(identity.name)
        if found is None:
            do = partial(_create, deployment.organization_id, space)
            plan.changes.append(Change(CREATE, identity, space, [Step(Stage.SPACES, do)]))
        elif next(missing(found.value, space.value), None) is None:
            plan.unchanged.append(identity)
        else:
            now = deployment.client.spaces.get(slug=identity.name)
            do = partial(_edit, space, now.etag)
            plan.changes.append(
                Change(
                    UPDATE,
                    identity,
                    space,
                    [Step(Stage.SPACES, do)],
                    tuple(missing(checked_json(now), space.value)),
                    last_change=deployment.last_change(found.id),
                )
            )


def _create(organization_id: str, space: Wanted, client: Patchbay) -> None:
    slug, settings = space.identity.name, {**space.value}
    name = settings.pop("name")
    made = create(
        lambda key: client.spaces.create(
            organization_id=organization_id, slug=slug, name=name, idempotency_key=key
        ),
        lambda one: client.spaces.get(slug=one.slug),
        {"slug": slug, "name": name},
        organization_id,
    )
    if settings and not _is_as(checked_json(made), settings):
        # A create takes no settings. It has just been made, so nobody's are overwritten.
        client.spaces.update(slug=slug, **settings)


def _edit(space: Wanted, etag: str | None, client: Patchbay) -> None:
    slug = space.identity.name
    edit(
        lambda: client.spaces.get(slug=slug),
        lambda if_match: client.spaces.update(slug=slug, **space.value, if_match=if_match),
        etag,
        lambda now: _is_as(checked_json(now), space.value),
    )


def _is_as(now: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return next(missing(now, wanted), None) is None
