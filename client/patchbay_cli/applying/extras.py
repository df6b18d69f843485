"""What a deployment has, and the folder does not, although it speaks of such things.

It is listed. Only `--prune` deletes it, and nothing that is in use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from patchbay_cli.applying.deployment import Deployment, Found
from patchbay_cli.applying.folder import (
    ALERT_RULE,
    API_KEY,
    CONNECTION,
    DESTINATION,
    INTEGRATION,
    SOURCE,
    SPACE,
    Folder,
    Scope,
)
from patchbay_cli.applying.plan import DELETE, Change, Extra, Stage, Step

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay

_STAGES: Final = {
    ALERT_RULE: Stage.DELETIONS,
    API_KEY: Stage.DELETIONS,
    CONNECTION: Stage.DELETIONS_OF_CONNECTIONS,
    SOURCE: Stage.DELETIONS_OF_ENDPOINTS,
    DESTINATION: Stage.DELETIONS_OF_ENDPOINTS,
    INTEGRATION: Stage.DELETIONS_OF_INTEGRATIONS,
    SPACE: Stage.DELETIONS_OF_INTEGRATIONS,
}


def extras_of(folder: Folder, deployment: Deployment, rules: Iterable[Found]) -> list[Extra]:
    """`rules` are the alert rules of the spaces that the folder speaks of."""
    known = {thing.identity for thing in [*folder.definitions, *folder.things]}
    found: list[Found] = [*rules]
    kinds = {scope.kind for scope in folder.scopes}
    if CONNECTION in kinds:
        found += deployment.connections
    if SOURCE in kinds or DESTINATION in kinds:
        found += [one for listed in deployment.endpoints.values() for one in listed]
    if SPACE in kinds:
        found += deployment.spaces.values()
    if API_KEY in kinds:
        # That of this run has to come from somewhere else.
        found += [key for key in deployment.api_keys or () if key.id != deployment.caller.subject]
    extras = [
        one
        for one in found
        if Scope(one.identity.kind, one.identity.space) in folder.scopes
        and one.identity not in known
    ]
    if INTEGRATION in kinds:
        publishers = {definition.value["publisher"] for definition in folder.definitions}
        extras += [
            one
            for one in deployment.integrations.values()
            if one.value["publisher"] in publishers and one.identity not in known
        ]
    gone: set[str] = set()
    listed: list[Extra] = []
    # A source can go if only connections use it that go, too.
    for one in sorted(extras, key=lambda extra: _STAGES[extra.identity.kind]):
        kept = _kept(one, deployment, gone)
        if kept is None:
            gone.add(one.id)
        listed.append(Extra(one.identity, one.id, kept))
    return listed


def deletions(extras: Iterable[Extra], deployment: Deployment) -> Iterator[Change]:
    """What `--prune` deletes."""
    for extra in extras:
        if extra.kept is None:
            stage = _STAGES[extra.identity.kind]
            do = partial(_delete, deployment.organization_id, extra)
            yield Change(DELETE, extra.identity, None, [Step(stage, do)])


def _kept(one: Found, deployment: Deployment, gone: set[str]) -> str | None:
    kind = one.identity.kind
    if kind == SPACE:
        return "a space is never deleted"
    if kind == CONNECTION and one.value["status"] not in ("draft", "disabled"):
        return f"it is {one.value['status']}: disable it first"
    if kind in (SOURCE, DESTINATION):
        users = [
            connection
            for connection in deployment.connections
            if connection.value[f"{kind}_id"] == one.id and connection.id not in gone
        ]
        if users:
            return f"{len(users)} of the connections use it"
    if kind == INTEGRATION:
        return _kept_integration(one, deployment, gone)
    return None


def _kept_integration(one: Found, deployment: Deployment, gone: set[str]) -> str | None:
    if one.value["currentVersion"] is not None and one.value["visibility"] != "private":
        return f"it is {one.value['visibility']}: other organizations may use it"
    endpoints = [
        endpoint
        for listed in deployment.endpoints.values()
        for endpoint in listed
        if endpoint.value["integration_id"] == one.id and endpoint.id not in gone
    ]
    return f"{len(endpoints)} of the sources and destinations use it" if endpoints else None


def _delete(organization_id: str, extra: Extra, client: Patchbay) -> None:
    identity, id = extra.identity, extra.id
    mine: dict[str, Any] = {"organization_id": organization_id}
    calls: dict[str, Callable[[], None]] = {
        ALERT_RULE: lambda: client.alert_rules.delete(slug=str(identity.space), rule_id=id),
        API_KEY: lambda: client.api_keys.revoke(**mine, key_id=id),
        CONNECTION: lambda: _delete_connection(organization_id, id, client),
        SOURCE: lambda: client.sources.delete(**mine, source_id=id),
        DESTINATION: lambda: client.destinations.delete(**mine, destination_id=id),
        INTEGRATION: lambda: client.integrations.delete(integration_id=id),
    }
    from patchbay_sdk.errors import NotFound

    try:
        calls[identity.kind]()
    except NotFound:
        # Somebody else has deleted it.
        return


def _delete_connection(organization_id: str, id: str, client: Patchbay) -> None:
    """One that has come into use since the plan was made stays."""
    from patchbay_cli.run import CommandFailed

    one = client.connections.get(organization_id=organization_id, connection_id=id)
    if one.status not in ("draft", "disabled"):
        raise CommandFailed(f"is {one.status} now: it is in use")
    client.connections.delete(organization_id=organization_id, connection_id=id, if_match=one.etag)
