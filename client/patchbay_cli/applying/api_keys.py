"""API keys, by reference: the folder has their names and permissions, and never a key.

A key can't be changed. One with other permissions needs another name, and callers need time to
move.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from patchbay_cli.applying.deployment import Deployment, Found
from patchbay_cli.applying.edits import create
from patchbay_cli.applying.folder import Identity, Wanted
from patchbay_cli.applying.new_secrets import NewSecrets
from patchbay_cli.applying.plan import CREATE, Change, Plan, Stage, Step
from patchbay_cli.json_files import FileProblem

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay


def plan_api_keys(
    plan: Plan,
    wanted: Sequence[Wanted],
    found: Mapping[Identity, list[Found]],
    deployment: Deployment,
    secrets: NewSecrets,
) -> None:
    for key in wanted:
        there = found.get(key.identity, [])
        problems = [one for existing in there[:1] for one in _problems(key.value, existing.value)]
        if len(there) > 1:
            problems.append(("/name", f"is the name of {len(there)}: revoke all but one"))
        if problems:
            plan.problems += [key.problem(at, message) for at, message in problems]
        elif there and not secrets.is_expected(key.identity):
            plan.unchanged.append(key.identity)
        else:
            plan.problems += _not_to_give(key, deployment)
            plan.missing += secrets.problems(key, "/name", "its value")
            plan.missing += secrets.taken(key, "/name")
            lost = there[0].id if there else None
            do = partial(_create, deployment.organization_id, key, secrets, lost)
            step = Step(Stage.API_KEYS, do)
            plan.changes.append(Change(CREATE, key.identity, key, [step]))


def _not_to_give(key: Wanted, deployment: Deployment) -> Iterator[FileProblem]:
    """Permissions that the caller does not have, and so can't give. An operator may give all."""
    if "platform.admin" in deployment.caller.permissions:
        return
    for position, permission in enumerate(key.value["permissions"]):
        if permission not in deployment.caller.permissions:
            message = f"is {permission}, which the key of this run does not have, and can't give"
            yield key.problem(f"/permissions/{position}", message)


def _problems(wants: Mapping[str, Any], has: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    message = "is another one at the deployment, and a key can't be changed: give it another name"
    if {*wants["permissions"]} != {*has["permissions"]}:
        yield "/permissions", message
    if wants.get("space") != has["space"]:
        yield "/space", message
    if "expires_at" in wants and not _same_time(wants["expires_at"], has["expires_at"]):
        yield "/expires_at", message


def _same_time(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    try:
        return _time(one) == _time(other)
    except ValueError:
        return False


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _create(
    organization_id: str, key: Wanted, secrets: NewSecrets, lost: str | None, client: Patchbay
) -> None:
    """`lost` is a key of this name, of a run that was cut off before it had the value.

    The same request is answered with the same key for a day. After that, it makes another one, and
    the first is revoked: nobody has it.
    """
    with secrets.expected(key.identity):
        made = create(
            lambda idempotency_key: client.api_keys.create(
                organization_id=organization_id, **key.value, idempotency_key=idempotency_key
            ),
            lambda one: client.api_keys.get(organization_id=organization_id, key_id=one.id),
            key.value,
            key.identity,
            organization_id,
        )
        secrets.keep(key.identity, made.key)
    if lost is not None and lost != made.id:
        client.api_keys.revoke(organization_id=organization_id, key_id=lost)
