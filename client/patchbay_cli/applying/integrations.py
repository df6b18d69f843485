"""Integrations: their drafts, their releases, and what is beside a release.

What is published never changes. So a file whose content is not that of the release of its version
is wrong, and nothing is done before it has a higher version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from patchbay_cli.applying.deployment import Deployment, Found
from patchbay_cli.applying.differences import (
    Difference,
    differences,
    merge_patch,
    merged,
    missing,
    same,
)
from patchbay_cli.applying.edits import create, edit
from patchbay_cli.applying.folder import Definition, Identity
from patchbay_cli.applying.plan import CREATE, PUBLISH, UPDATE, Change, Ids, Plan, Stage, Step
from patchbay_cli.run import CommandFailed
from patchbay_sdk.model import checked_json

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay
    from patchbay_sdk.models import Integration, Release

_CONTENT: Final[Mapping[str, Any]] = {
    "name": "",
    "description": None,
    "iconUrl": None,
    "manifest": {},
    "variablesSchema": {},
    "authConfig": {"type": "none"},
}
"""What a release has of a definition, with the defaults of a create."""
_BESIDE: Final[Mapping[str, Any]] = {
    "visibility": "private",
    "trustTier": "community",
    "retentionTier": None,
}
"""What an integration has beside its releases."""
_ARGUMENTS: Final = {
    "iconUrl": "icon_url",
    "trustTier": "trust_tier",
    "variablesSchema": "variables_schema",
    "authConfig": "auth_config",
    "retentionTier": "retention_tier",
}


@dataclass(frozen=True)
class _Current:
    """What the deployment has of one definition."""

    definition: Definition
    found: Found | None
    release: dict[str, Any] | None
    """The one of the file's version."""
    remarked: Mapping[str, dict[str, Any] | None]
    """The releases that the file says something about."""


def plan_integrations(
    plan: Plan, definitions: Sequence[Definition], deployment: Deployment, ids: Ids, workspace: str
) -> None:
    """Adds what has to be done. `workspace` is the space that new integrations are built in."""
    if not definitions:
        return
    currents = deployment.each(partial(_current, deployment), definitions)
    to_publish = [one.definition for one in currents if one.release is None]
    waves = _waves(to_publish)
    for current in currents:
        definition, identity = current.definition, current.definition.identity
        if current.found is not None:
            ids.add(identity, current.found.id)
        elif identity.name in deployment.deleted_integrations:
            message = "is deleted at the deployment, and keeps its slug: restore it first"
            plan.problems.append(definition.problem("/slug", message))
            continue
        if current.found is None or current.release is None:
            _plan_release(plan, current, deployment, ids, workspace, waves[identity])
        else:
            _plan_edit(plan, current, current.found, current.release, deployment, ids)


def draft_of(definition: Definition) -> dict[str, Any]:
    """The whole draft that a definition wants."""
    defaults = {**_CONTENT, **_BESIDE}
    return {name: definition.value.get(name, default) for name, default in defaults.items()}


def _current(deployment: Deployment, definition: Definition) -> _Current:
    found = deployment.integrations.get(definition.identity.name)
    if found is None:
        return _Current(definition, None, None, dict.fromkeys(definition.remarks))
    versions = {definition.version, *definition.remarks}
    releases = {one: _release(deployment.client, found.id, one) for one in versions}
    remarked = {version: releases[version] for version in definition.remarks}
    return _Current(definition, found, releases[definition.version], remarked)


def _release(client: Patchbay, integration_id: str, version: str) -> dict[str, Any] | None:
    from patchbay_sdk.errors import InvalidRequest, NotFound

    try:
        return checked_json(
            client.integrations.get_release(integration_id=integration_id, version=version)
        )
    except (NotFound, InvalidRequest):
        return None


def _plan_release(
    plan: Plan,
    current: _Current,
    deployment: Deployment,
    ids: Ids,
    workspace: str,
    wave: int,
) -> None:
    definition, identity, found = current.definition, current.definition.identity, current.found
    wanted = draft_of(definition)
    steps: list[Step] = []
    has: dict[str, Any] = {}
    if found is None:
        steps.append(Step(Stage.DRAFTS, partial(_create, deployment, definition, ids, workspace)))
    else:
        draft = deployment.client.integrations.get(integration_id=found.id)
        has = {name: checked_json(draft)[name] for name in wanted}
        if _refuses_nulls(plan, definition, has, wanted):
            return
        if not same(has, wanted):
            steps.append(Step(Stage.DRAFTS, partial(_edit, found.id, has, wanted, draft.etag)))
    stage = Stage.RELEASES + 2 * wave
    steps.append(Step(stage, partial(_check, definition, ids)))
    steps.append(Step(stage + 1, partial(_publish, definition, ids)))
    steps += _remark_steps(current, ids)
    differing = tuple(differences(has, wanted)) if has else ()
    plan.changes.append(
        Change(
            CREATE if found is None else PUBLISH,
            identity,
            definition,
            steps,
            differing,
            definition.version,
            deployment.last_change(found.id) if found is not None and differing else None,
        )
    )


def _plan_edit(
    plan: Plan,
    current: _Current,
    found: Found,
    release: Mapping[str, Any],
    deployment: Deployment,
    ids: Ids,
) -> None:
    """The release is there: only what is beside it can be changed."""
    definition = current.definition
    wanted = draft_of(definition)
    edited = [
        one for name in _CONTENT for one in differences(release[name], wanted[name], f"/{name}")
    ]
    if edited:
        message = f"is not as in {definition.version}, which is published: raise the version"
        plan.problems += [definition.problem(one.pointer, message) for one in edited]
        return
    has = {name: found.value[name] for name in wanted}
    steps, differing = list(_remark_steps(current, ids)), list(_remark_differences(current))
    if not same(has, wanted):
        draft = deployment.client.integrations.get(integration_id=found.id)
        has = {name: checked_json(draft)[name] for name in wanted}
        if _refuses_nulls(plan, definition, has, wanted):
            return
        differing[:0] = differences(has, wanted)
        steps.append(Step(Stage.DRAFTS, partial(_edit, found.id, has, wanted, draft.etag)))
    if not steps:
        plan.unchanged.append(definition.identity)
        if found.value["currentVersion"] != definition.version:
            plan.notes.append(
                f"{definition.identity} has {definition.version} in the folder, and its current "
                f"release is {found.value['currentVersion']}"
            )
        return
    last = deployment.last_change(found.id)
    plan.changes.append(
        Change(
            UPDATE,
            definition.identity,
            definition,
            steps,
            differing,
            last_change=last,
        )
    )


def _refuses_nulls(
    plan: Plan, definition: Definition, has: Mapping[str, Any], wanted: Mapping[str, Any]
) -> bool:
    """Whether an edit can't make a draft of this: one that removes a member has null for it."""
    # The members of the draft itself take null as a value.
    for name, value in wanted.items():
        if value is None:
            continue
        result = merged(has[name], merge_patch(has[name], value))
        for one in differences(result, value, f"/{name}"):
            message = "is null, which an edit takes for a removal: leave it out"
            plan.problems.append(definition.problem(one.pointer, message))
            return True
    return False


def _remark_differences(current: _Current) -> Iterator[Difference]:
    for version, wanted in current.definition.remarks.items():
        yield from missing(current.remarked[version] or {}, wanted, f"/releases/{version}")
    if current.release is not None and current.definition.changelog is not None:
        has = current.release["changelog"]
        yield from differences(has, current.definition.changelog, "/changelog")


def _remark_steps(current: _Current, ids: Ids) -> Iterator[Step]:
    """What its author says about releases can change. That of a new one is said with it."""
    definition = current.definition
    remarks = {version: dict(wanted) for version, wanted in definition.remarks.items()}
    if current.release is not None and definition.changelog is not None:
        remarks.setdefault(definition.version, {})["changelog"] = definition.changelog
    for version, wanted in remarks.items():
        has = current.release if version == definition.version else current.remarked[version]
        if next(missing(has or {}, wanted), None) is not None:
            yield Step(Stage.REMARKS, partial(_remark, definition.identity, ids, version, wanted))


def _create(
    deployment: Deployment, definition: Definition, ids: Ids, workspace: str, client: Patchbay
) -> None:
    body = {**definition.value}
    workspace_id = _workspace_id(deployment, client, workspace)
    arguments = {_ARGUMENTS.get(name, name): value for name, value in body.items()}
    made = create(
        lambda key: client.integrations.create(
            **arguments, workspace_id=workspace_id, idempotency_key=key
        ),
        lambda one: client.integrations.get(integration_id=one.id),
        body,
        definition.identity,
        workspace_id,
    )
    ids.add(definition.identity, made.id)


def _workspace_id(deployment: Deployment, client: Patchbay, workspace: str) -> str:
    known = deployment.spaces.get(workspace)
    return known.id if known is not None else client.spaces.get(slug=workspace).id


def _edit(
    integration_id: str,
    has: Mapping[str, Any],
    wanted: Mapping[str, Any],
    etag: str | None,
    client: Patchbay,
) -> None:
    changed = {name: value for name, value in wanted.items() if not same(has[name], value)}
    arguments: dict[str, Any] = {
        _ARGUMENTS.get(name, name): None if value is None else merge_patch(has[name], value)
        for name, value in changed.items()
    }
    edit(
        lambda: client.integrations.get(integration_id=integration_id),
        lambda if_match: client.integrations.update(
            integration_id=integration_id, **arguments, if_match=if_match
        ),
        etag,
        lambda now: _is_as(now, wanted),
    )


def _is_as(now: Integration | Release, wanted: Mapping[str, Any]) -> bool:
    return next(missing(checked_json(now), wanted), None) is None


def _check(definition: Definition, ids: Ids, client: Patchbay) -> None:
    """The dry run of a release. Raises `CommandFailed` with all that prevents it."""
    report = client.integrations.preview_publish(
        integration_id=ids[definition.identity], version=definition.version
    )
    if not report.publishable:
        problems = [definition.problem(one.pointer, one.message) for one in report.errors]
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise CommandFailed(f"{definition.version} can't be published:\n{listed}")


def _publish(definition: Definition, ids: Ids, client: Patchbay) -> None:
    from patchbay_sdk import OMIT

    release = client.integrations.publish(
        integration_id=ids[definition.identity],
        version=definition.version,
        changelog=OMIT if definition.changelog is None else definition.changelog,
    )
    wanted = {name: value for name, value in draft_of(definition).items() if name in _CONTENT}
    if not _is_as(release, wanted):
        raise CommandFailed(
            f"{definition.version} is published with an edit that somebody made at the same time: "
            "take it into the file, or raise the version"
        )


def _remark(
    identity: Identity, ids: Ids, version: str, wanted: Mapping[str, Any], client: Patchbay
) -> None:
    client.integrations.update_release(integration_id=ids[identity], version=version, **wanted)


def _waves(definitions: Sequence[Definition]) -> dict[Identity, int]:
    """How many others have to be published before each one, one after another."""
    needs = {one.identity.name: _dependencies(one) for one in definitions}
    depth: dict[str, int] = {}

    def of(name: str, above: frozenset[str]) -> int:
        if name in depth or name not in needs or name in above:
            # Publishing refuses a circle, and says so.
            return depth.get(name, -1)
        depth[name] = 1 + max((of(need, above | {name}) for need in needs[name]), default=-1)
        return depth[name]

    return {one.identity: of(one.identity.name, frozenset()) for one in definitions}


def _dependencies(definition: Definition) -> list[str]:
    listed = definition.value.get("manifest", {}).get("dependencies")
    found = [one.get("integration") for one in listed or () if isinstance(one, dict)]
    return [key for key in found if isinstance(key, str)]
