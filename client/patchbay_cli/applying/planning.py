"""The plan of a folder: each kind of thing is compared with what the deployment has."""

from __future__ import annotations

from collections.abc import Callable

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
    SOURCE,
    SPACE,
    Folder,
    Identity,
)
from patchbay_cli.applying.integrations import plan_integrations
from patchbay_cli.applying.new_secrets import NewSecrets
from patchbay_cli.applying.plan import Ids, Plan
from patchbay_cli.applying.spaces import plan_spaces
from patchbay_cli.run import CommandFailed


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
    if keys := folder.of(API_KEY):
        plan_api_keys(plan, keys, grouped(deployment.api_keys), deployment, secrets)
    plan.notes += [f"not read: {file}" for file in folder.unread]
    plan.extras = extras_of(folder, deployment, found_rules)
    return plan


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
