"""Connections of a space. They name their source and destination; ids differ by deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from patchbay_cli.applying.defaults import without_defaults
from patchbay_cli.applying.deployment import Deployment, Found
from patchbay_cli.applying.differences import Difference, differences, merge_patch, missing
from patchbay_cli.applying.edits import create, edit
from patchbay_cli.applying.folder import DESTINATION, SOURCE, Identity, Wanted
from patchbay_cli.applying.plan import CREATE, UPDATE, Change, Ids, Plan, Stage, Step, ambiguous
from patchbay_sdk.model import checked_json

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay

_ENDPOINTS: Final = {"source": SOURCE, "destination": DESTINATION}
_FIRST_STATES: Final = ("draft", "active")
"""What a connection may be from its beginning."""


def plan_connections(
    plan: Plan,
    wanted: Sequence[Wanted],
    found: Mapping[Identity, list[Found]],
    endpoints: Mapping[Identity, list[Found]],
    deployment: Deployment,
    ids: Ids,
    in_folder: frozenset[Identity],
) -> None:
    """`endpoints` are those of the deployment, `in_folder` what the folder has."""
    for connection in wanted:
        problems = list(_endpoint_problems(connection, endpoints, in_folder, ids))
        there = found.get(connection.identity, [])
        if len(there) > 1:
            problems.append(("/name", ambiguous(there, "of this space")))
        if problems:
            plan.problems += [connection.problem(at, message) for at, message in problems]
        elif not there:
            do = partial(_create, deployment.organization_id, connection, ids)
            step = Step(Stage.CONNECTIONS, do)
            plan.changes.append(Change(CREATE, connection.identity, connection, [step]))
        else:
            ids.add(connection.identity, there[0].id)
            _plan_edit(plan, connection, there[0], deployment, ids)


def _endpoint_problems(
    connection: Wanted,
    endpoints: Mapping[Identity, list[Found]],
    in_folder: frozenset[Identity],
    ids: Ids,
) -> Iterator[tuple[str, str]]:
    for name, kind in _ENDPOINTS.items():
        wants = connection.value.get(name)
        if wants is None:
            continue
        identity = Identity(kind, wants)
        there = endpoints.get(identity, [])
        if len(there) > 1:
            yield f"/{name}", ambiguous(there, "at the deployment")
        elif there:
            ids.add(identity, there[0].id)
        elif identity not in in_folder:
            yield f"/{name}", f"is the name of no {kind}, in the folder or at the deployment"


def _plan_edit(
    plan: Plan, connection: Wanted, found: Found, deployment: Deployment, ids: Ids
) -> None:
    source = Identity(SOURCE, connection.value["source"])
    if source not in ids or found.value["source_id"] != ids[source]:
        message = "is another one at the deployment, which can't be changed"
        plan.problems.append(connection.problem("/source", message))
        return
    if not list(_differences(connection, found.value, deployment.client, ids)):
        plan.unchanged.append(connection.identity)
        return
    now = deployment.client.connections.get(
        organization_id=deployment.organization_id, connection_id=found.id
    )
    do = partial(_edit, deployment.organization_id, connection, found.id, now.etag, ids)
    plan.changes.append(
        Change(
            UPDATE,
            connection.identity,
            connection,
            [Step(Stage.CONNECTIONS, do)],
            tuple(_differences(connection, checked_json(now), deployment.client, ids)),
            last_change=deployment.last_change(found.id),
        )
    )


def _differences(
    connection: Wanted, has: Mapping[str, Any], client: Patchbay, ids: Ids
) -> Iterator[Difference]:
    wants = {**connection.value}
    del wants["source"]
    configurations = wants.pop("configurations", None)
    if "destination" in wants:
        yield from _destination_differences(wants.pop("destination"), has, ids)
    yield from missing(has, wants)
    if configurations is not None:
        there = has["configurations"]
        if any(name not in configurations for name in there):
            release = checked_json(
                client.sources.get_release(
                    organization_id=has["organization_id"], source_id=has["source_id"]
                )
            )
            schema = release["manifest"].get("configurationSchema", {})
            there = without_defaults(there, configurations, schema)
        yield from differences(there, configurations, "/configurations")


def _destination_differences(
    wants: str | None, has: Mapping[str, Any], ids: Ids
) -> Iterator[Difference]:
    identity = None if wants is None else Identity(DESTINATION, wants)
    # One that is yet to be made is another than there is.
    id = None if identity is None else ids.get(identity, "")
    if has["destination_id"] != id:
        yield Difference("/destination", has["destination_id"], wants)


def _body(connection: Wanted, ids: Ids) -> dict[str, Any]:
    body = {**connection.value}
    for name, kind in _ENDPOINTS.items():
        if name in body:
            wants = body.pop(name)
            body[f"{name}_id"] = None if wants is None else ids[Identity(kind, wants)]
    return body


def _create(organization_id: str, connection: Wanted, ids: Ids, client: Patchbay) -> None:
    body = _body(connection, ids)
    later = body.pop("status") if body.get("status") not in (None, *_FIRST_STATES) else None
    made = create(
        lambda key: client.connections.create(
            organization_id=organization_id,
            space=str(connection.identity.space),
            **body,
            idempotency_key=key,
        ),
        lambda one: client.connections.get(organization_id=organization_id, connection_id=one.id),
        body,
        connection.identity,
        organization_id,
    )
    ids.add(connection.identity, made.id)
    if later is not None:
        client.connections.update(
            organization_id=organization_id, connection_id=made.id, status=later
        )


def _edit(
    organization_id: str,
    connection: Wanted,
    id: str,
    etag: str | None,
    ids: Ids,
    client: Patchbay,
) -> None:
    one: dict[str, Any] = {"organization_id": organization_id, "connection_id": id}
    has = checked_json(client.connections.get(**one))
    patch: dict[str, Any] = {}
    for difference in _differences(connection, has, client, ids):
        name = difference.pointer.split("/")[1]
        wants = connection.value[name]
        if name == "destination":
            patch["destination_id"] = _body(connection, ids)["destination_id"]
        elif name == "configurations":
            patch[name] = merge_patch(has[name], wants)
        else:
            patch[name] = wants
    if not patch:
        return
    edit(
        lambda: client.connections.get(**one),
        lambda if_match: client.connections.update(**one, **patch, if_match=if_match),
        etag,
        lambda now: not list(_differences(connection, checked_json(now), client, ids)),
    )
