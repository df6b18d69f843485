"""Attacks on where a secret goes, by somebody who may edit endpoints but never saw the secret.

The attacker has a key with `platform.integration.manage`. It reads names and references, and edits
all that is not secret. Each attack tries to have the secret arrive at a place of the attacker's:
another server, or another account on a server that many share.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

import connections
from local.provider import Provider, provider
from patchbay.checks.recipe import Recipe
from patchbay.checks.roles import Role
from patchbay.connections.endpoint_items import endpoint_item
from patchbay.connections.vault import SecretScope
from patchbay.platform import aws
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Put, Table
from patchbay.registry.recipes import recipe_of
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.story import SECRET, create_source, publish_integration

pytestmark = pytest.mark.enable_socket

PORT = {"type": "integer"}
TEXT = {"type": "string"}
FREE = {"type": "string", "x-binding": "free"}
_TAG = re.compile(r"Key=(\S+),Value='([^']*)'")


@pytest.fixture
def mallory() -> Iterator[Provider]:
    """A server of the attacker's."""
    with provider() as served:
        yield served


def sending(url: str, **request: Any) -> dict[str, Any]:
    """A manifest with one step that sends the credential to the URL."""
    step = {"name": "whoami", "kind": "http", "request": {"url": url, **request}}
    return {"roles": ["source"], "checks": {"steps": [step]}}


HOOK = sending("http://127.0.0.1:{{variables.port}}/hooks/{{variables.tenant}}/in")
HOOK_VARIABLES = {"properties": {"port": PORT, "tenant": TEXT, "note": TEXT}}


def path_of(tenant: Tenant, source: dict[str, Any]) -> str:
    return f"{tenant.connectors}/sources/{source['id']}"


def secret_in_aws(tenant: Tenant) -> tuple[str, str]:
    """A secret of the tenant in Secrets Manager: its name, and the reference to it."""
    name = f"patchbay/{tenant.organization_id}/crm"
    aws.client("secretsmanager").create_secret(
        Name=name, SecretString=json.dumps({"api_key": SECRET})
    )
    return name, f"aws://secretsmanager/eu-central-1/{name}"


def tag_asked_for(answer: Answer) -> dict[str, str]:
    """The tag that a failed test says to set."""
    [step] = [step for step in answer.json["steps"] if step["status"] == "failed"]
    assert (step["code"], step["field_pointer"]) == ("secret_not_permitted", "/secret_ref")
    found = _TAG.search(step["summary"])
    assert found, step["summary"]
    return {"Key": found[1], "Value": found[2]}


def permit(name: str, tag: dict[str, str]) -> None:
    """What only somebody with access to the secret in AWS can do."""
    aws.client("secretsmanager").tag_resource(SecretId=name, Tags=[tag])


def received(server: Provider) -> list[str]:
    """The paths that a server was asked for with the secret."""
    return [path for path, headers in server.requests if SECRET in str(headers)]


def test_a_secret_is_sent_only_where_its_own_tag_says(tenant: Tenant, server: Provider) -> None:
    # Given a secret that says nothing about where it may go
    integration = publish_integration(tenant, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
    name, reference = secret_in_aws(tenant)
    variables = {"port": server.port, "tenant": "acme"}
    source = create_source(tenant, variables=variables, secrets={}, secret_ref=reference)
    path = path_of(tenant, source)
    # When it is tested, then it is not sent, and the error names the tag to set
    tag = tag_asked_for(tenant.client.post(f"{path}/test", {}))
    assert received(server) == []
    # And the tag names the integration and the destination
    assert tag["Value"] == f"{integration['id']} http://127.0.0.1:{server.port}"
    # And once it is set, the secret is sent there
    permit(name, tag)
    tenant.client.post(f"{path}/test", {})
    assert received(server) == ["/hooks/acme/in"]
    # Until it is removed: it is checked each time
    aws.client("secretsmanager").untag_resource(SecretId=name, TagKeys=[tag["Key"]])
    tag_asked_for(tenant.client.post(f"{path}/test", {}))
    assert received(server) == ["/hooks/acme/in"]


@pytest.mark.parametrize(
    "moved",
    [
        {"bucket": "{{variables.v}}"},
        {"region": "{{variables.v}}"},
        {"prefix": "{{variables.v}}"},
        {"endpoint": "https://store.example.com/{{variables.v}}"},
    ],
)
def test_a_key_of_a_shared_store_is_bound_to_its_part(moved: dict[str, Any]) -> None:
    secret = {"type": "string"}
    step = {
        "name": "list",
        "kind": "s3",
        "endpoint": "https://store.example.com",
        "bucket": "acme",
        "accessKeyId": "{{secrets.id}}",
        "secretAccessKey": "{{secrets.key}}",
        **moved,
    }
    recipe = Recipe(
        {
            "checks": {"steps": [step]},
            "secretsSchema": {"properties": {"id": secret, "key": secret}},
        },
        {"type": "none"},
        {"properties": {"v": TEXT}},
    )
    assert not recipe.problems
    acme, mallory = (recipe.binding("int_1", {"v": name}) for name in ("acme", "mallory"))
    assert acme != mallory


@pytest.mark.parametrize("key", ["right", "wrong"])
def test_half_a_tag_permits_nothing(tenant: Tenant, server: Provider, key: str) -> None:
    publish_integration(tenant, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
    name, reference = secret_in_aws(tenant)
    variables = {"port": server.port, "tenant": "acme"}
    source = create_source(tenant, variables=variables, secrets={}, secret_ref=reference)
    path = path_of(tenant, source)
    tag = tag_asked_for(tenant.client.post(f"{path}/test", {}))
    other = {"Value": "int_x https://api.example.com:443"} if key == "right" else {"Key": "x"}
    permit(name, {**tag, **other})
    tag_asked_for(tenant.client.post(f"{path}/test", {}))
    assert received(server) == []


def test_moving_a_source_and_giving_its_reference_again_sends_nothing(
    tenant: Tenant, server: Provider, mallory: Provider
) -> None:
    # Given a source that works
    publish_integration(tenant, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
    name, reference = secret_in_aws(tenant)
    variables = {"port": server.port, "tenant": "acme"}
    source = create_source(tenant, variables=variables, secrets={}, secret_ref=reference)
    path = path_of(tenant, source)
    permit(name, tag_asked_for(tenant.client.post(f"{path}/test", {})))
    # When the attacker reads its reference, and gives it again for another place
    read = tenant.client.get(path).json["secret_ref"]
    for edit in ({"port": mallory.port}, {"port": server.port, "tenant": "mallory"}):
        body = {"variables": edit, "secret_ref": read}
        tested = tenant.client.patch(f"{path}?test=true", body)
        assert tested.code == "TEST_FAILED"
        assert tenant.client.patch(path, body).status == 200
        tag_asked_for(tenant.client.post(f"{path}/test", {}))
    # Then neither the other server nor the other hook has the secret
    assert received(mallory) == received(server) == []


def test_a_new_source_of_an_own_integration_gets_nothing(
    tenant: Tenant, server: Provider, mallory: Provider
) -> None:
    # Given a secret that one integration uses
    publish_integration(tenant, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
    name, reference = secret_in_aws(tenant)
    variables = {"port": server.port, "tenant": "acme"}
    given = {"variables": variables, "secrets": {}, "secret_ref": reference}
    used = path_of(tenant, create_source(tenant, **given))
    permit(name, tag_asked_for(tenant.client.post(f"{used}/test", {})))
    # When the attacker publishes one, for its own server or for the very same place
    for slug, port in (("mine", mallory.port), ("same", server.port)):
        publish_integration(tenant, slug=slug, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
        given["variables"] = {"port": port, "tenant": "acme"}
        source = create_source(tenant, **given, integration=f"acme/{slug}")
        # Then it gets nothing
        tag_asked_for(tenant.client.post(f"{path_of(tenant, source)}/test", {}))
    assert received(mallory) == received(server) == []


def test_the_operations_are_no_way_around_it(tenant: Tenant, mallory: Provider) -> None:
    publish_integration(tenant, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
    _, reference = secret_in_aws(tenant)
    body = {
        "tenantId": tenant.organization_id,
        "integrationKey": "acme.crm",
        "integrationVersion": 1,
        "label": "CRM",
        "ownershipMode": "byok",
        "secretProvider": "aws-secrets-manager",
        "secretRef": reference,
        "config": {"port": mallory.port, "tenant": "acme"},
    }
    record = tenant.client.post("/integrations/connection/create/v1.0.0", body).json
    tested = tenant.client.post(
        "/integrations/connection/test/v1.0.0", {"connectionId": record["id"]}
    )
    assert tested.json["errorCode"] == "secret_not_permitted"
    assert received(mallory) == []


def test_several_places_may_be_permitted(
    tenant: Tenant, server: Provider, mallory: Provider
) -> None:
    publish_integration(tenant, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
    name, reference = secret_in_aws(tenant)
    for port in (server.port, mallory.port):
        variables = {"port": port, "tenant": "acme"}
        source = create_source(tenant, variables=variables, secrets={}, secret_ref=reference)
        path = path_of(tenant, source)
        permit(name, tag_asked_for(tenant.client.post(f"{path}/test", {})))
        tenant.client.post(f"{path}/test", {})
    assert received(server) == received(mallory) == ["/hooks/acme/in"]


WAYS = {
    "path": sending("http://127.0.0.1:{{variables.port}}/hooks/{{variables.tenant}}/in"),
    "query": sending("http://127.0.0.1:{{variables.port}}/in?to={{variables.tenant}}"),
    "header": sending(
        "http://127.0.0.1:{{variables.port}}/in", headers={"X-Account": "{{variables.tenant}}"}
    ),
    "JSON body": sending(
        "http://127.0.0.1:{{variables.port}}/in",
        method="POST",
        safe=True,
        body={"json": {"filter": [{"account": "{{variables.tenant}}"}]}},
    ),
    "form body": sending(
        "http://127.0.0.1:{{variables.port}}/in",
        method="POST",
        safe=True,
        body={"form": {"account": "{{variables.tenant}}"}},
    ),
    "GraphQL variables": sending(
        "http://127.0.0.1:{{variables.port}}/in",
        method="POST",
        safe=True,
        body={
            "graphql": {
                "query": "query ($id: ID!) { shop(id: $id) { name } }",
                "variables": {"id": "{{variables.tenant}}"},
            }
        },
    ),
    "user of basic authentication": sending(
        "http://127.0.0.1:{{variables.port}}/in",
        basic={"username": "{{variables.tenant}}", "password": "{{secrets.api_key}}"},
    ),
    "password beside a secret": sending(
        "http://127.0.0.1:{{variables.port}}/in",
        basic={"username": "u", "password": "{{variables.tenant}}:{{secrets.api_key}}"},
    ),
}
"""What of a request selects whose account is reached, each by the variable `tenant`."""


@pytest.mark.parametrize("way", sorted(WAYS))
def test_a_variable_of_a_request_can_not_be_moved_with_a_kept_secret(
    tenant: Tenant, server: Provider, way: str
) -> None:
    publish_integration(tenant, manifest=WAYS[way], variablesSchema=HOOK_VARIABLES)
    variables = {"port": server.port, "tenant": "acme"}
    path = path_of(tenant, create_source(tenant, variables=variables))
    edit = {"variables": {"tenant": "mallory"}}
    for query in ("", "?test=true"):
        refused = tenant.client.patch(path + query, edit)
        assert (refused.status, refused.code) == (422, "SECRET_REENTRY_REQUIRED")
        assert refused.pointers == ["/secrets/api_key"]
    assert tenant.client.get(path).json["variables"]["tenant"] == "acme"
    assert server.requests == []
    # What no step sends may change, and with the secret anything may
    assert tenant.client.patch(path, {"variables": {"note": "n"}}).status == 200
    again = {**edit, "secrets": {"api_key": SECRET}}
    assert tenant.client.patch(path, again).status == 200


def test_a_variable_that_the_author_marks_free_may_change(tenant: Tenant, server: Provider) -> None:
    schema = {"properties": {"port": PORT, "tenant": FREE}}
    publish_integration(tenant, manifest=HOOK, variablesSchema=schema)
    variables = {"port": server.port, "tenant": "acme"}
    path = path_of(tenant, create_source(tenant, variables=variables))
    assert tenant.client.patch(path, {"variables": {"tenant": "beta"}}).status == 200
    tenant.client.post(f"{path}/test", {})
    assert received(server) == ["/hooks/beta/in"]


def test_a_release_that_frees_a_variable_needs_the_secret_again(
    tenant: Tenant, server: Provider
) -> None:
    # Given a source whose release binds the hook
    made = publish_integration(tenant, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
    variables = {"port": server.port, "tenant": "acme"}
    path = path_of(tenant, create_source(tenant, variables=variables))
    # When the attacker publishes a release that frees it, and upgrades
    freed = {"variablesSchema": {"properties": {"port": PORT, "tenant": FREE}}}
    tenant.client.patch(f"/v1/integrations/{made['id']}", freed)
    tenant.client.post(f"/v1/integrations/{made['id']}/publish", {"version": "1.1.0"})
    # Then this is a change, with or without a move
    for more in ({}, {"variables": {"tenant": "mallory"}}):
        refused = tenant.client.patch(path, {"version": "1.1.0", **more})
        assert (refused.status, refused.pointers) == (422, ["/secrets/api_key"])
    assert received(server) == []


def test_another_source_can_not_borrow_the_secret_for_another_hook(
    tenant: Tenant, server: Provider
) -> None:
    publish_integration(tenant, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
    variables = {"port": server.port, "tenant": "acme"}
    source = create_source(tenant, variables=variables)
    body = {
        "tenantId": tenant.organization_id,
        "integrationKey": "acme.crm",
        "integrationVersion": 1,
        "label": "CRM",
        "ownershipMode": "managed",
        "secretProvider": "patchbay",
        "secretRef": f"patchbay://{source['id']}",
        "config": {**variables, "tenant": "mallory"},
    }
    refused = tenant.client.post("/integrations/connection/create/v1.0.0", body)
    assert (refused.status, refused.code) == (422, "SECRET_REENTRY_REQUIRED")
    alike = {**body, "config": variables}
    assert tenant.client.post("/integrations/connection/create/v1.0.0", alike).status == 200


def as_sealed_before(tenant: Tenant, path: str, table: Table) -> None:
    """Rewrites a source and its secret as the version before bound variables stored them."""
    ours = connections.deployment
    endpoint_id = path.rpartition("/")[2]
    endpoint = ours.endpoints.get(tenant.organization_id, Role.SOURCE, endpoint_id)
    release = ours.registry.release(endpoint.integration_id, endpoint.version)
    first = recipe_of(release).first_binding(release.id, endpoint.variables)
    secrets = ours.vault.open(SecretScope.of(endpoint, endpoint.binding), utc_now())
    old = endpoint.model_copy(update={"binding": first})
    table.write(Put(endpoint_item(old)))
    table.write(Put(ours.vault.sealed(SecretScope.of(old, first), secrets, utc_now())))


def test_they_stay_usable_and_can_not_be_moved(
    tenant: Tenant, server: Provider, integrations_table: Table
) -> None:
    # Given a secret that was sealed when the path was not bound
    publish_integration(tenant, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
    variables = {"port": server.port, "tenant": "acme"}
    path = path_of(tenant, create_source(tenant, variables=variables))
    as_sealed_before(tenant, path, integrations_table)
    # Then its tests go on
    tenant.client.post(f"{path}/test", {})
    assert received(server) == ["/hooks/acme/in"]
    # But it can't be moved
    refused = tenant.client.patch(path, {"variables": {"tenant": "mallory"}})
    assert (refused.status, refused.code) == (422, "SECRET_REENTRY_REQUIRED")
    assert refused.json["error"]["details"]["changed"] == ["variables"]
    preview = tenant.client.patch(f"{path}?dry_run=true", {"variables": {"tenant": "mallory"}})
    assert preview.json["secrets_to_enter"] == ["api_key"]
    # And an edit that moves nothing seals it for the current version
    assert tenant.client.patch(path, {"name": "CRM"}).status == 200
    ours = connections.deployment
    endpoint = ours.endpoints.get(tenant.organization_id, Role.SOURCE, path.rpartition("/")[2])
    assert endpoint.binding["version"] == 2
    opened = ours.vault.open(SecretScope.of(endpoint, endpoint.binding), utc_now())
    assert opened == {"api_key": SECRET}
    tenant.client.post(f"{path}/test", {})
    assert received(server) == ["/hooks/acme/in"] * 2


def test_one_that_was_altered_in_the_table_does_not_open(
    tenant: Tenant, server: Provider, mallory: Provider, integrations_table: Table
) -> None:
    publish_integration(tenant, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
    variables = {"port": server.port, "tenant": "acme"}
    path = path_of(tenant, create_source(tenant, variables=variables))
    as_sealed_before(tenant, path, integrations_table)
    ours = connections.deployment
    endpoint = ours.endpoints.get(tenant.organization_id, Role.SOURCE, path.rpartition("/")[2])
    moved = endpoint.model_copy(update={"variables": {**variables, "port": mallory.port}})
    integrations_table.write(Put(endpoint_item(moved)))
    answer = tenant.client.post(f"{path}/test", {})
    assert answer.json["code"] == "secret_store_unavailable"
    # And an edit of it can't seal it for the new place
    refused = tenant.client.patch(path, {"name": "x"})
    assert (refused.status, refused.code) == (422, "SECRET_REENTRY_REQUIRED")
    assert received(mallory) == []


@pytest.mark.parametrize(
    ("properties", "pointer"),
    [
        ({"tenant": {"x-binding": "loose"}}, "/properties/tenant/x-binding"),
        ({"tenant": {"x-binding": True}}, "/properties/tenant/x-binding"),
        ({"port": {**PORT, "x-binding": "free"}}, "/properties/port/x-binding"),
        (
            {"host": {"type": "string", "format": "hostname", "x-binding": "free"}},
            "/properties/host/x-binding",
        ),
        (
            {"servers": {"items": {"format": "uri"}, "x-binding": "free"}},
            "/properties/servers/x-binding",
        ),
        (
            {"server": {"properties": {"note": {"x-binding": "free"}}}},
            "/properties/server/properties/note/x-binding",
        ),
    ],
)
def test_a_mark_that_can_not_be_used_is_not_published(
    tenant: Tenant, properties: dict[str, Any], pointer: str
) -> None:
    made = publish_integration(tenant, manifest=HOOK, variablesSchema=HOOK_VARIABLES)
    path = f"/v1/integrations/{made['id']}"
    schema = {"properties": {"port": PORT, "tenant": TEXT, **properties}}
    tenant.client.patch(path, {"variablesSchema": schema})
    refused = tenant.client.post(f"{path}/publish", {"version": "1.1.0"})
    assert (refused.status, refused.code) == (422, "NOT_PUBLISHABLE")
    assert refused.pointers == [f"/variablesSchema{pointer}"]


def test_a_dry_run_tells_the_author_what_is_bound(tenant: Tenant) -> None:
    schema = {"properties": {"port": PORT, "tenant": TEXT, "page": FREE, "note": TEXT}}
    url = "http://127.0.0.1:{{variables.port}}/{{variables.tenant}}?p={{variables.page}}"
    made = publish_integration(tenant, manifest=sending(url), variablesSchema=schema)
    path = f"/v1/integrations/{made['id']}/publish?dry_run=true"
    report = tenant.client.post(path, {"version": "1.1.0"}).json
    assert report["publishable"] is True
    assert [notice["pointer"] for notice in report["notices"]] == [
        "/variablesSchema/properties/tenant",
        "/variablesSchema/properties/page/x-binding",
    ]
    assert '"x-binding": "free"' in report["notices"][0]["message"]
