"""Sources and destinations.

Their secrets are referred to, and entered when the deployment does not have them yet, or needs
them again because they would be sent elsewhere. A value that it has can't be read, so it is not
compared: `patchbay rotate` replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from patchbay_cli.applying.defaults import without_defaults
from patchbay_cli.applying.deployment import Deployment, Found
from patchbay_cli.applying.differences import (
    ABSENT,
    Difference,
    differences,
    merge_patch,
    missing,
)
from patchbay_cli.applying.edits import create, edit
from patchbay_cli.applying.folder import SOURCE, Identity, Wanted
from patchbay_cli.applying.plan import CREATE, UPDATE, Change, Ids, Plan, Stage, Step, ambiguous
from patchbay_cli.applying.references import value_of, why_not_at_hand
from patchbay_cli.run import CommandFailed
from patchbay_sdk.model import checked_json

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay
    from patchbay_sdk.models import EditReport, Endpoint

_EXACT: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?")


def plan_endpoints(
    plan: Plan,
    wanted: Sequence[Wanted],
    found: Mapping[Identity, list[Found]],
    deployment: Deployment,
    ids: Ids,
) -> None:
    for endpoint in wanted:
        version = endpoint.value.get("version")
        if version is not None and not _EXACT.fullmatch(version):
            message = "must be one version: a range means another one every day"
            plan.problems.append(endpoint.problem("/version", message))
            continue
        there = found.get(endpoint.identity, [])
        if len(there) > 1:
            plan.problems.append(endpoint.problem("/name", ambiguous(there, "at the deployment")))
        elif not there:
            plan.missing += _not_at_hand(endpoint, endpoint.value.get("secrets", {}))
            do = partial(_create, deployment.organization_id, endpoint, ids)
            step = Step(Stage.ENDPOINTS, do)
            plan.changes.append(Change(CREATE, endpoint.identity, endpoint, [step]))
        else:
            ids.add(endpoint.identity, there[0].id)
            _plan_edit(plan, endpoint, there[0], deployment)


def _plan_edit(plan: Plan, endpoint: Wanted, found: Found, deployment: Deployment) -> None:
    if found.value["integration"] != endpoint.value["integration"]:
        message = f"is {found.value['integration']} at the deployment, which can't be changed"
        plan.problems.append(endpoint.problem("/integration", message))
        return
    calls = _Calls(deployment.client, deployment.organization_id, endpoint.identity.kind, found.id)
    differing = list(_differences(endpoint, found.value, calls))
    if not differing:
        plan.unchanged.append(endpoint.identity)
        return
    now = calls.get()
    plan.missing += _not_at_hand(endpoint, _unset(endpoint, checked_json(now)))
    do = partial(_edit, deployment.organization_id, endpoint, found.id, now.etag)
    plan.changes.append(
        Change(
            UPDATE,
            endpoint.identity,
            endpoint,
            [Step(Stage.ENDPOINTS, do)],
            differing,
            last_change=deployment.last_change(found.id),
        )
    )


class _Calls:
    """The operations of sources, or those of destinations, about one of them."""

    def __init__(self, client: Patchbay, organization_id: str, kind: str, id: str) -> None:
        self._namespace: Any = client.sources if kind == SOURCE else client.destinations
        self._one = {"organization_id": organization_id, f"{kind}_id": id}

    def get(self) -> Endpoint:
        found: Endpoint = self._namespace.get(**self._one)
        return found

    def variables_schema(self) -> dict[str, Any]:
        """Of its release, with the defaults of the manifest."""
        release = checked_json(self._namespace.get_release(**self._one))
        schema: dict[str, Any] = release["variablesSchema"]
        properties = {**schema.get("properties", {})}
        for name, value in release["manifest"].get("defaults", {}).items():
            properties[name] = {**properties.get(name, {}), "default": value}
        return {**schema, "properties": properties}

    def preview(self, patch: Mapping[str, Any]) -> EditReport:
        report: EditReport = self._namespace.preview_update(**self._one, **patch)
        return report

    def update(self, patch: Mapping[str, Any], if_match: str | None) -> Endpoint:
        changed: Endpoint = self._namespace.update(**self._one, **patch, if_match=if_match)
        return changed


def _differences(endpoint: Wanted, has: Mapping[str, Any], calls: _Calls) -> Iterable[Difference]:
    wants = {**endpoint.value}
    variables = wants.pop("variables", None)
    wants.pop("secrets", None)
    yield from missing(has, wants)
    if variables is not None:
        there = has["variables"]
        if any(name not in variables for name in there):
            there = without_defaults(there, variables, calls.variables_schema())
        yield from differences(there, variables, "/variables")
    for name in _unset(endpoint, has):
        yield Difference(f"/secrets/{name}", ABSENT, "to be entered")


def _unset(endpoint: Wanted, has: Mapping[str, Any]) -> dict[str, Any]:
    """The secrets that the folder refers to, and the deployment does not have."""
    wanted = endpoint.value.get("secrets", {})
    return {name: value for name, value in wanted.items() if name not in has["secrets_set"]}


def _not_at_hand(endpoint: Wanted, references: Mapping[str, Any]) -> Iterable[Any]:
    for name, reference in references.items():
        if why := why_not_at_hand(reference):
            yield endpoint.problem(f"/secrets/{name}", why)


def _values(references: Mapping[str, Any]) -> dict[str, str]:
    return {name: value_of(reference) for name, reference in references.items()}


def _create(organization_id: str, endpoint: Wanted, ids: Ids, client: Patchbay) -> None:
    namespace: Any = client.sources if endpoint.identity.kind == SOURCE else client.destinations
    body = {**endpoint.value}
    if "secrets" in body:
        body["secrets"] = _values(body["secrets"])
    made = create(
        lambda key: namespace.create(organization_id=organization_id, **body, idempotency_key=key),
        lambda one: _Calls(client, organization_id, endpoint.identity.kind, one.id).get(),
        endpoint.value,
        endpoint.identity,
        organization_id,
    )
    ids.add(endpoint.identity, made.id)


def _edit(
    organization_id: str, endpoint: Wanted, id: str, etag: str | None, client: Patchbay
) -> None:
    calls = _Calls(client, organization_id, endpoint.identity.kind, id)
    now = calls.get()
    has = checked_json(now)
    patch = {
        name: value
        for name, value in endpoint.value.items()
        if name not in ("name", "integration", "variables", "secrets")
        and next(missing({name: has[name]}, {name: value}), None) is not None
    }
    if "variables" in endpoint.value:
        variables = merge_patch(has["variables"], endpoint.value["variables"])
        if variables:
            patch["variables"] = variables
    secrets = _unset(endpoint, has)
    if patch:
        # It may be that secrets would be sent elsewhere: then they have to be entered again.
        needed = calls.preview(patch).secrets_to_enter
        references = endpoint.value.get("secrets", {})
        secrets |= {name: references[name] for name in needed if name in references}
    unset = list(_not_at_hand(endpoint, secrets))
    if unset:
        raise CommandFailed(f"needs a secret: {unset[0]}")
    if secrets:
        patch["secrets"] = _values(secrets)
    edit(
        calls.get,
        lambda if_match: calls.update(patch, if_match),
        etag,
        lambda changed: not list(_differences(endpoint, checked_json(changed), calls)),
    )
