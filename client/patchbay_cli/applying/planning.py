"""The plan of a folder: each kind of thing is compared with what the deployment has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from patchbay_cli.applying.alert_rules import plan_alert_rules
from patchbay_cli.applying.api_keys import plan_api_keys
from patchbay_cli.applying.connections import plan_connections
from patchbay_cli.applying.deployment import Deployment, grouped
from patchbay_cli.applying.endpoints import plan_endpoints
from patchbay_cli.applying.extras import extras_of
from patchbay_cli.applying.folder import (
    ALERT_RULE,
    API_KEY,
    CONNECTION,
    DESTINATION,
    INTEGRATION,
    SOURCE,
    SPACE,
    Folder,
    Identity,
)
from patchbay_cli.applying.integrations import plan_integrations
from patchbay_cli.applying.new_secrets import NewSecrets
from patchbay_cli.applying.plan import CREATE, Ids, Plan
from patchbay_cli.applying.spaces import plan_spaces
from patchbay_cli.run import CommandFailed

_QUOTAS: Final = {
    SPACE: "spaces",
    INTEGRATION: "integrations",
    SOURCE: "endpoints",
    DESTINATION: "endpoints",
    CONNECTION: "connections",
    ALERT_RULE: "alert_rules",
    API_KEY: "api_keys",
}


def planned(
    folder: Folder,
    deployment: Deployment,
    workspace: Callable[[], str],
    secrets: NewSecrets,
) -> Plan:
    """Nothing is changed. `workspace` is asked only if an integration is to be made."""
    plan, ids = Plan(), Ids()
    in_folder = frozenset(thing.identity for thing in folder.things)
    plan_spaces(plan, folder.of(SPACE), deployment)
    if folder.definitions:
        if deployment.organization_id != deployment.caller.organization.id:
            raise CommandFailed("integrations are applied with a key of their own organization")
        is_new = any(one.identity.name not in deployment.integrations for one in folder.definitions)
        chosen = _workspace(folder, deployment, workspace, in_folder) if is_new else ""
        plan_integrations(plan, folder.definitions, deployment, ids, chosen)
    connections = folder.of(CONNECTION)
    wanted = [*folder.of(SOURCE), *folder.of(DESTINATION)]
    endpoints = (
        grouped(one for listed in deployment.endpoints.values() for one in listed)
        if wanted or connections
        else {}
    )
    plan_endpoints(plan, wanted, endpoints, deployment, ids)
    rules = folder.of(ALERT_RULE)
    existing = grouped(deployment.connections) if connections or rules else {}
    plan_connections(plan, connections, existing, endpoints, deployment, ids, in_folder)
    spaces = [
        str(scope.space) for scope in sorted(folder.scopes, key=str) if scope.kind == ALERT_RULE
    ]
    found_rules = deployment.alert_rules(spaces)
    plan_alert_rules(
        plan, rules, grouped(found_rules), existing, deployment, ids, in_folder, secrets
    )
    keys = folder.of(API_KEY)
    if keys and deployment.api_keys is not None:
        plan_api_keys(plan, keys, grouped(deployment.api_keys), deployment, secrets)
    plan.notes += [f"not read: {file}" for file in folder.unread]
    plan.extras = extras_of(folder, deployment, found_rules)
    plan.notes += deployment.unseen
    return plan


def needed_room(plan: Plan, deployment: Deployment) -> Counter[str]:
    """How much of which quota the changes of a plan take."""
    needed: Counter[str] = Counter()
    # A key whose value was lost is made again, and is counted already.
    again = {key.identity for key in deployment.api_keys or ()} if _makes_keys(plan) else set()
    for change in plan.changes:
        if change.action == CREATE and change.identity not in again:
            needed[_QUOTAS[change.identity.kind]] += 1
        if change.version is not None:
            needed["releases"] += 1
    return needed


def _makes_keys(plan: Plan) -> bool:
    return any(change.identity.kind == API_KEY for change in plan.changes)


def _workspace(
    folder: Folder,
    deployment: Deployment,
    chosen: Callable[[], str],
    in_folder: frozenset[Identity],
) -> str:
    """Where new integrations are built: what the folder says, or its only space if there is none
    yet, or what the command was told."""
    if folder.workspace is not None:
        slug = folder.workspace
        if slug not in deployment.spaces and Identity(SPACE, slug) not in in_folder:
            raise CommandFailed(f"there is no space {slug}, which organization.json names")
        return slug
    spaces = folder.of(SPACE)
    if not deployment.spaces and len(spaces) == 1:
        return spaces[0].identity.name
    return chosen()
