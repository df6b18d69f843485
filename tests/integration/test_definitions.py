"""Definitions on the author's machine: `lint` and `dev` say what the API says of the same draft."""

import copy
import json
from typing import Any

import pytest
from patchbay_cli.definition_files import DefinitionFile
from patchbay_cli.definition_rules import judged
from patchbay_cli.dev_values import Values
from patchbay_cli.engine_tests import Trial, ValuesRefused, guard_of
from patchbay_cli.json_files import read_json

from local.provider import Provider
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.story import SECRET, calling

pytestmark = pytest.mark.enable_socket

VARIABLES = {"properties": {"path": {"type": "string"}, "depth": {"type": "integer", "default": 1}}}


def definition(server: Provider, **changes: Any) -> dict[str, Any]:
    return {
        "publisher": "acme",
        "slug": "tracker",
        "name": "Tracker",
        "variablesSchema": VARIABLES,
        "authConfig": {"type": "api_key"},
        "manifest": calling(server.port),
    } | changes


def file_of(content: dict[str, Any]) -> DefinitionFile:
    text = json.dumps(content | {"version": "1.0.0"})
    return DefinitionFile.of(read_json("x.json", text.encode()))


def created(tenant: Tenant, content: dict[str, Any]) -> Answer:
    body = content | {"workspaceId": tenant.space_id}
    return tenant.client.post("/v1/integrations", body)


def untimed(result: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from test to test."""
    timed = {"duration_ms", "first_byte_ms", "latency_ms"}
    steps = [{k: v for k, v in step.items() if k not in timed} for step in result["steps"]]
    return {k: v for k, v in result.items() if k not in timed} | {"steps": steps}


@pytest.mark.parametrize(
    ("path", "key"),
    [("me", SECRET), ("me", "wrong-key"), ("scoped", SECRET), ("500", SECRET), (None, SECRET)],
)
def test_dev_finds_what_a_deployment_finds(
    tenant: Tenant, server: Provider, path: str | None, key: str
) -> None:
    # Given a draft in a deployment, and its file
    content = definition(server)
    draft = created(tenant, content).json
    variables = {} if path is None else {"path": path}

    # When the deployment tests it, and so does the engine here
    values = {"variables": variables, "secrets": {"api_key": key}}
    body = {"integration_id": draft["id"], **values}
    there = tenant.client.post(f"{tenant.connectors}/sources/test", body)
    _, local_draft = judged(file_of(content))
    assert local_draft is not None
    seen: list[Any] = []
    guard = guard_of([f"127.0.0.1/32:{server.port}"], None)
    here = Trial(local_draft).run(Values(**values), guard, seen.extend)

    # Then both say the same, word for word
    assert there.status == 200
    assert untimed(here.to_dict()) == untimed(there.json)


@pytest.mark.parametrize(
    "values",
    [
        {"variables": {"path": 1}},
        {"variables": {"path": "me", "depth": "x"}},
        {"secrets": {"api_key": ""}},
        {"secrets": {"api_key": " padded "}},
        {"secrets": {"other": "x"}},
        {"secrets": {"api_key": 1}},
        {"variables": {"api_key": "x"}},
    ],
)
def test_dev_refuses_the_values_that_a_deployment_refuses(
    tenant: Tenant, server: Provider, values: dict[str, Any]
) -> None:
    content = definition(server, variablesSchema=VARIABLES | {"additionalProperties": False})
    draft = created(tenant, content).json

    there = tenant.client.post(
        f"{tenant.connectors}/sources/test", {"integration_id": draft["id"], **values}
    )
    _, local_draft = judged(file_of(content))
    assert local_draft is not None
    with pytest.raises(ValuesRefused) as refused:
        Trial(local_draft).run(Values(**values), guard_of([], None), lambda _: None)

    found = there.json["error"]["details"]["errors"]
    assert there.status == 400
    assert refused.value.problems == [(one["pointer"], one["message"]) for one in found]
    assert server.requests == []


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("slug",), "No Slug"),
        (("headers",), {}),
        (("auth_config",), {}),
        (("visibility",), "all"),
        (("authConfig",), {"type": "key"}),
        (("authConfig",), {"type": "oauth2"}),
        (("variablesSchema",), {"type": "array"}),
        (("variablesSchema",), {"$schema": "https://example.com/mine"}),
        (("manifest", "roles"), ["sink"]),
        (("manifest", "$schema"), "x"),
        (("manifest", "checks", "steps", 0, "kind"), "htp"),
        (("manifest", "checks", "steps", 0, "request"), {"url": "https://{{secrets.x}}/"}),
    ],
)
def test_lint_says_what_publishing_says(
    tenant: Tenant, server: Provider, at: tuple[str | int, ...], value: Any
) -> None:
    content = copy.deepcopy(definition(server))
    place: Any = content
    for part in at[:-1]:
        place = place[part]
    place[at[-1]] = value

    answer = created(tenant, content)
    if answer.status == 201:
        path = f"/v1/integrations/{answer.json['id']}/publish?dry_run=true"
        errors = tenant.client.post(path, {"version": "1.0.0"}).json["errors"]
    else:
        errors = answer.json["error"]["details"]["errors"]

    problems, _ = judged(file_of(content))
    found = [{"pointer": problem.pointer, "message": problem.message} for problem in problems]
    assert found == errors
    assert found
