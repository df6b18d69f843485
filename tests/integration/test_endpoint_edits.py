"""Editing and upgrading endpoints: when secrets are kept, and when they must be entered again."""

import json
from pathlib import Path
from typing import Any

import pytest

import connections
from patchbay.checks.roles import Role
from patchbay.connections.vault import SecretScope
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Delete, Table
from patchbay.registry.keys import integration_key, slug_key
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.story import SECRET

CORPUS = Path(__file__).parents[1] / "unit/egress/egress.jsonl"
# Not splitlines: a row contains a line separator of Unicode.
ROWS = {row["id"]: row for row in map(json.loads, CORPUS.read_text().strip().split("\n"))}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "host": {"type": "string", "format": "hostname"},
        "team": {"type": "string", "x-binding": "free"},
        "user": {"type": "string"},
        "ca_bundle": {"type": "string"},
        "proxy": {"type": "string"},
        "token_url": {"type": "string"},
    },
}


# For manifests with the team in a host, which can't be free.
TEAM_BOUND = {"type": "object", "properties": {"team": {"type": "string"}}}


def manifest(path: str = "/me") -> dict[str, Any]:
    url = "https://{{variables.host}}/{{variables.team}}" + path
    return {"checks": {"steps": [{"name": "whoami", "kind": "http", "request": {"url": url}}]}}


def publish(tenant: Tenant, version: str, **changes: Any) -> None:
    found = tenant.client.get("/v1/catalog/acme/crm")
    content = {
        "variablesSchema": SCHEMA,
        "manifest": manifest(),
        "authConfig": {"type": "api_key"},
        **changes,
    }
    if found.status == 404:
        address = {"workspaceId": tenant.space_id, "publisher": "acme", "slug": "crm"}
        made = tenant.client.post("/v1/integrations", {**address, "name": "CRM", **content}).json
    else:
        made = found.json
        tenant.client.patch(f"/v1/integrations/{made['id']}", content)
    answer = tenant.client.post(f"/v1/integrations/{made['id']}/publish", {"version": version})
    assert answer.status == 201, answer.text


def create(tenant: Tenant, **changes: Any) -> str:
    body = {
        "name": "CRM",
        "integration": "acme/crm",
        "variables": {"host": "api.example.com", "team": "a"},
        "secrets": {"api_key": SECRET},
        **changes,
    }
    answer = tenant.client.post(f"{tenant.connectors}/sources", body)
    assert answer.status == 201, answer.text
    return f"{tenant.connectors}/sources/{answer.json['id']}"


def stored_secrets(tenant: Tenant, path: str) -> dict[str, str]:
    """The secrets that the vault opens for the endpoint."""
    endpoint_id = path.rpartition("/")[2]
    ours = connections.deployment
    endpoint = ours.endpoints.get(tenant.organization_id, Role.SOURCE, endpoint_id)
    return ours.vault.open(SecretScope.of(endpoint, endpoint.binding), utc_now())


def verdict(answer: Answer) -> str:
    """The response in the words of the corpus."""
    if answer.status == 200:
        return "allow"
    if answer.status == 422 and answer.code == "SECRET_REENTRY_REQUIRED":
        return "deny:secret_binding"
    if answer.status == 403 and answer.code == "PERMISSION_DENIED":
        return "deny:authz"
    return f"deny:{answer.code}"


EDITS: dict[str, dict[str, Any]] = {
    "K01": {"variables": {"host": "evil.example.net"}},
    "K06": {"variables": {"ca_bundle": "-----BEGIN CERTIFICATE-----"}},
    "K07": {"variables": {"proxy": "http://evil.example.net:3128"}},
    "K08": {"variables": {"token_url": "https://evil.example.net/token"}},
    "K14": {"variables": {"host": "evil.example.net"}, "secrets": {"api_key": SECRET}},
    "K16": {"variables": {"host": "API.Example.COM."}},
}


@pytest.mark.parametrize("row", sorted(EDITS))
def test_an_edit_keeps_secrets_only_if_they_are_sent_to_the_same_place(
    tenant: Tenant, row: str
) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    before = tenant.client.get(path)
    answer = tenant.client.patch(path, EDITS[row])
    assert verdict(answer) == ROWS[row]["expected"]
    if answer.status == 200:
        assert stored_secrets(tenant, path) == {"api_key": SECRET}
    else:
        # Refused: every kept secret is named, and nothing has changed
        assert answer.pointers == ["/secrets/api_key"]
        assert tenant.client.get(path).json == before.json
    assert SECRET not in answer.text


FOREIGN = {
    "K17": (
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:patchbay/org_B/crm-AbCdEf",
        "aws://secretsmanager/eu-central-1/patchbay/org_01K0Z3NDEKTSV4RRFFQ69G5FAV/crm",
    ),
    "K18": (
        ROWS["K18"]["target"]["secret_ref"],
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:platform/stripe-AbCdEf",
        "aws://secretsmanager/eu-central-1/platform/stripe",
    ),
}
"""What the rows of the corpus describe, as references to send."""


@pytest.mark.parametrize("row", sorted(FOREIGN))
def test_a_reference_to_another_owners_secret_is_refused(tenant: Tenant, row: str) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    before = tenant.client.get(path).json
    body = {"name": "x", "integration": "acme/crm"}
    for text in FOREIGN[row]:
        created = tenant.client.post(f"{tenant.connectors}/sources", {**body, "secret_ref": text})
        edit = {"secret_ref": text, "secrets": None}
        for answer in (
            created,
            tenant.client.patch(path, edit),
            tenant.client.patch(f"{path}?dry_run=true", edit),
            tenant.client.patch(f"{path}?test=true", edit),
        ):
            assert verdict(answer) == ROWS[row]["expected"], text
            assert answer.pointers == ["/secret_ref"]
    assert tenant.client.get(path).json == before


def test_every_row_of_group_k_has_a_verdict() -> None:
    assert {row for row in ROWS if row.startswith("K")} == set(EDITS) | set(FOREIGN)


def test_a_label_edit_needs_no_secret(tenant: Tenant) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant, environment="live")
    edit = {"name": "New name", "environment": None, "variables": {"team": "b"}}
    changed = tenant.client.patch(path, edit).json
    assert (changed["name"], changed["environment"]) == ("New name", None)
    assert changed["variables"] == {"host": "api.example.com", "team": "b"}
    assert stored_secrets(tenant, path) == {"api_key": SECRET}


def test_a_secret_is_replaced_removed_and_never_guessed_from_a_mask(tenant: Tenant) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    assert tenant.client.patch(path, {"secrets": {"api_key": "********"}}).pointers == [
        "/secrets/api_key"
    ]
    tenant.client.patch(path, {"secrets": {"api_key": "another"}})
    assert stored_secrets(tenant, path) == {"api_key": "another"}
    assert tenant.client.patch(path, {"secrets": {"api_key": None}}).json["secrets_set"] == []
    assert stored_secrets(tenant, path) == {}
    # Without a stored secret, any edit works
    assert tenant.client.patch(path, {"variables": {"host": "x.example.net"}}).status == 200


def test_of_two_edits_with_one_etag_the_second_fails(tenant: Tenant) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    etag = tenant.client.get(path).headers["etag"]
    assert tenant.client.patch(path, {"name": "a"}, if_match=etag).status == 200
    assert tenant.client.patch(path, {"name": "b"}, if_match=etag).status == 412
    assert tenant.client.patch(path, {"name": None}).pointers == ["/name"]
    assert tenant.client.patch(path, {"integration": "acme/x"}).pointers == ["/integration"]


def test_an_upgrade_is_previewed_and_then_done(tenant: Tenant) -> None:
    # Given a source of 1.0.0, and a release with other variables
    publish(tenant, "1.0.0")
    path = create(tenant)
    stricter = {
        **SCHEMA,
        "required": ["region"],
        "properties": {**SCHEMA["properties"], "region": {"enum": ["eu", "us"]}},
    }
    publish(tenant, "2.0.0", variablesSchema=stricter)
    # When its upgrade is previewed
    preview = tenant.client.patch(f"{path}?dry_run=true", {"version": "^2.0.0"})
    # Then it lists what becomes invalid, and nothing has changed
    assert preview.json == {
        "version": "2.0.0",
        "valid": False,
        "errors": [{"pointer": "/variables/region", "message": "is required"}],
        "secrets_to_enter": [],
        "secret_ref_to_enter": False,
        "account_to_connect": False,
        "connections": [],
    }
    assert tenant.client.patch(path, {"version": "2.0.0"}).code == "CONNECTOR_INVALID_CONFIG"
    assert tenant.client.get(path).json["version"] == "1.0.0"
    # And with the values that it requires, it works, and keeps the secrets
    edit = {"version": "^2.0.0", "variables": {"region": "eu"}}
    assert tenant.client.patch(f"{path}?dry_run=true", edit).json["valid"] is True
    upgraded = tenant.client.patch(path, edit)
    assert upgraded.json["version"] == "2.0.0"
    assert stored_secrets(tenant, path) == {"api_key": SECRET}


def test_an_upgrade_that_sends_secrets_elsewhere_requires_them_again(
    tenant: Tenant,
) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    other = manifest()
    other["checks"]["steps"][0]["request"]["url"] = "https://collector.example.net/me"
    publish(tenant, "1.1.0", manifest=other)
    preview = tenant.client.patch(f"{path}?dry_run=true", {"version": "1.1.0"}).json
    assert (preview["valid"], preview["secrets_to_enter"]) == (False, ["api_key"])
    refused = tenant.client.patch(path, {"version": "1.1.0"})
    assert refused.json["error"]["details"]["changed"] == ["destination"]
    entered = {"version": "1.1.0", "secrets": {"api_key": "fresh"}}
    assert tenant.client.patch(path, entered).status == 200
    assert stored_secrets(tenant, path) == {"api_key": "fresh"}


def test_a_source_accepts_a_range_of_versions(tenant: Tenant) -> None:
    for version in ("1.0.0", "1.4.0", "2.0.0"):
        publish(tenant, version)
    path = create(tenant, version="^1.0.0")
    assert tenant.client.get(path).json["version"] == "1.4.0"
    body = {"name": "x", "integration": "acme/crm", "version": "^3.0.0"}
    assert tenant.client.post(f"{tenant.connectors}/sources", body).pointers == ["/version"]


def stepping(*steps: dict[str, Any]) -> dict[str, Any]:
    named = [{"name": f"step {n}", "kind": "http", **step} for n, step in enumerate(steps)]
    return {"checks": {"steps": named}}


def test_a_user_that_is_a_secret_does_not_hide_the_destination(tenant: Tenant) -> None:
    # Given a check with the secret as the user of basic authentication
    def asking(host: str) -> dict[str, Any]:
        basic = {"username": "{{secrets.api_key}}", "password": "x"}
        return stepping(
            {"request": {"url": f"https://{{{{variables.team}}}}.{host}/", "basic": basic}}
        )

    publish(tenant, "1.0.0", manifest=asking("example.com"), variablesSchema=TEAM_BOUND)
    path = create(tenant)
    # When a variable, or a new release, changes the host
    moved = tenant.client.patch(path, {"variables": {"team": "evil"}})
    publish(tenant, "1.1.0", manifest=asking("example.net"), variablesSchema=TEAM_BOUND)
    upgraded = tenant.client.patch(path, {"version": "1.1.0"})
    # Then the secret must be entered again
    for answer in (moved, upgraded):
        assert verdict(answer) == "deny:secret_binding"
        assert answer.json["error"]["details"]["changed"] == ["destination"]


def test_a_secret_for_one_host_is_not_sent_to_another_of_the_same_checks(tenant: Tenant) -> None:
    # Given two hosts, of which one gets the credential
    def asking(trusted: str, other: str) -> dict[str, Any]:
        return stepping(
            {"request": {"url": f"https://{trusted}/"}},
            {"request": {"url": f"https://{other}/"}, "auth": False},
        )

    publish(
        tenant,
        "1.0.0",
        manifest=asking("{{variables.team}}.example.com", "b.example.com"),
        variablesSchema=TEAM_BOUND,
    )
    path = create(tenant)
    # When a release sends it to the other one instead
    publish(
        tenant,
        "1.1.0",
        manifest=asking("b.example.com", "{{variables.team}}.example.com"),
        variablesSchema=TEAM_BOUND,
    )
    answer = tenant.client.patch(path, {"version": "1.1.0"})
    # Then the hosts are the same, but the secret must be entered again
    assert verdict(answer) == "deny:secret_binding"
    assert answer.json["error"]["details"]["changed"] == ["sent"]


@pytest.mark.parametrize(
    "name",
    ["Host", "baseUrl", "tokenURL", "token-url", "sslMode", "verifyTls", "db_host", "APIHost"],
)
def test_a_deciding_variable_is_recognized_in_any_spelling(tenant: Tenant, name: str) -> None:
    schema = {"type": "object", "properties": {name: {"type": "string"}}}
    publish(tenant, "1.0.0", variablesSchema=schema, manifest={})
    path = create(tenant, variables={name: "a"})
    answer = tenant.client.patch(path, {"variables": {name: "b"}})
    assert verdict(answer) == "deny:secret_binding"


def test_many_small_edits_do_not_exceed_the_limit(tenant: Tenant) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    part = "x" * 20_000
    assert tenant.client.patch(path, {"variables": {"one": part}}).status == 200
    answer = tenant.client.patch(path, {"variables": {"two": part}})
    assert (answer.status, answer.pointers) == (400, ["/variables"])
    replaced = tenant.client.patch(path, {"variables": {"one": None, "two": part}})
    assert replaced.status == 200


def test_all_secrets_of_an_endpoint_fit_into_one_item(tenant: Tenant) -> None:
    # Given as many secrets as a request accepts
    names = [f"secret_{number}" for number in range(40)]
    declared = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    publish(tenant, "1.0.0", manifest={"secretsSchema": declared})
    long = "€" * 4000
    path = create(tenant, secrets=dict.fromkeys(names[:20], long))
    # When there are more than fit into an item
    answer = tenant.client.patch(path, {"secrets": dict.fromkeys(names[20:], long)})
    # Then it is the caller's error, and nothing has changed
    assert (answer.status, answer.pointers) == (400, ["/secrets"])
    assert stored_secrets(tenant, path) == dict.fromkeys(names[:20], long)


@pytest.mark.parametrize("mask", [" ", "\t", "**** ****", "********\n", "• • •"])
def test_a_mask_with_blanks_is_not_a_secret(tenant: Tenant, mask: str) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    answer = tenant.client.patch(path, {"secrets": {"api_key": mask}})
    assert (answer.status, answer.pointers) == (400, ["/secrets/api_key"])
    assert stored_secrets(tenant, path) == {"api_key": SECRET}


def test_a_release_of_another_integration_with_the_same_name_is_refused(
    tenant: Tenant, integrations_table: Table
) -> None:
    # Given a source of an integration that was purged, and a new one under its publisher and slug
    publish(tenant, "1.0.0")
    path = create(tenant)
    source = tenant.client.get(path).json
    integrations_table.write(Delete(slug_key("acme", "crm")))
    integrations_table.write(Delete(integration_key(source["integration_id"])))
    publish(tenant, "1.0.0", name="Another")
    publish(tenant, "2.0.0")
    # When the source is upgraded to one of its releases, with the secret entered again
    for version in ("1.0.0", "2.0.0", "^1.0.0"):
        edit = {"version": version, "secrets": {"api_key": SECRET}}
        answer = tenant.client.patch(path, edit)
        # Then it stays as it is
        assert (answer.status, answer.pointers) == (400, ["/version"])
    assert tenant.client.get(path).json == source


def test_deciding_values_are_found_inside_variables_too(tenant: Tenant) -> None:
    # Given places inside variables, one or several
    place = {"type": "string", "format": "hostname"}
    schema = {
        "type": "object",
        "properties": {
            "server": {"type": "object", "properties": {"at": place, "note": {"type": "string"}}},
            "replicas": {"type": "array", "items": {"type": "object"}},
            "brokers": {"type": "array", "items": place},
        },
    }
    publish(tenant, "1.0.0", variablesSchema=schema, manifest={})
    variables = {
        "server": {"at": "a.example.com", "note": "n"},
        "replicas": [{"host": "a.example.com", "note": "n"}],
        "brokers": ["a.example.com"],
        "hosts": ["a.example.com"],
    }
    path = create(tenant, variables=variables)
    # When one of them changes, then the secret must be entered again
    for edit in (
        {"server": {"at": "b.example.com"}},
        {"replicas": [{"host": "b.example.com"}]},
        {"brokers": ["b.example.com"]},
        {"hosts": ["a.example.com", "b.example.com"]},
    ):
        assert verdict(tenant.client.patch(path, {"variables": edit})) == "deny:secret_binding"
    # But not for a value next to it
    beside = {"server": {"note": "m"}, "replicas": [{"host": "a.example.com", "note": "m"}]}
    assert verdict(tenant.client.patch(path, {"variables": beside})) == "allow"
    assert stored_secrets(tenant, path) == {"api_key": SECRET}


@pytest.mark.parametrize(("before", "after"), [(443, 443.0), (1, True), (0, False)])
def test_values_that_only_python_considers_equal_are_a_change(
    tenant: Tenant, before: object, after: object
) -> None:
    schema = {"type": "object", "properties": {"port": {}}}
    publish(tenant, "1.0.0", variablesSchema=schema, manifest={})
    path = create(tenant, variables={"port": before})
    # Kept secrets are sealed for the exact text of the place, so they would not open
    assert (
        verdict(tenant.client.patch(path, {"variables": {"port": after}})) == "deny:secret_binding"
    )
    edit = {"variables": {"port": after}, "secrets": {"api_key": SECRET}}
    assert tenant.client.patch(path, edit).status == 200
    assert stored_secrets(tenant, path) == {"api_key": SECRET}


WITH_DEFAULTS: dict[str, Any] = {
    "authConfig": {"type": "none"},
    "variablesSchema": {
        "type": "object",
        "required": ["region"],
        "properties": {
            "region": {"type": "string"},
            "port": {"type": "integer", "default": 1},
            "server": {"$ref": "#/$defs/server"},
        },
        "$defs": {
            "server": {
                "type": "object",
                "properties": {"tls": {"type": "boolean", "default": True}},
            }
        },
    },
    "manifest": {
        "defaults": {"region": "eu", "port": 2},
        "configurationSchema": {
            "required": ["depth"],
            "properties": {"depth": {"type": "integer", "default": 3}},
        },
    },
}


def test_defaults_are_applied_alike_by_create_patch_operation_and_upgrade(tenant: Tenant) -> None:
    publish(tenant, "1.0.0", **WITH_DEFAULTS)
    plain = {"region": "eu", "port": 2}
    # Created without variables, or with null, a source has the defaults
    sources = f"{tenant.connectors}/sources"
    body = {"name": "CRM", "integration": "acme/crm"}
    assert tenant.client.post(sources, body).json["variables"] == plain
    nulls = {"region": None, "port": None}
    assert tenant.client.post(sources, {**body, "variables": nulls}).json["variables"] == plain
    # Null takes away what was given: the same is left
    path = create(tenant, secrets={}, variables={"region": "us", "port": 9.0, "server": {}})
    given = {"region": "us", "port": 9, "server": {"tls": True}}
    assert tenant.client.get(path).json["variables"] == given

    def patched(variables: Any) -> Any:
        answer = tenant.client.patch(path, {"variables": variables})
        assert answer.status == 200, answer.text
        return answer.json["variables"]

    assert patched({"port": None}) == {**given, "port": 2}
    assert patched({"region": None}) == {**given, **plain}
    assert patched({"server": {"tls": None}}) == {**given, **plain}
    assert patched(None) == plain
    # So does an operation
    record = tenant.client.post(
        "/integrations/connection/create/v1.0.0",
        {
            "tenantId": tenant.organization_id,
            "integrationKey": "acme.crm",
            "integrationVersion": 1,
            "label": "CRM",
            "ownershipMode": "managed",
            "secretProvider": "patchbay",
            "secretRef": "patchbay://none",
            "config": {},
        },
    ).json
    source = f"{sources}/{record['secretRef'].removeprefix('patchbay://')}"
    assert tenant.client.get(source).json["variables"] == plain
    update = {"connectionId": record["id"], "config": {"region": "us", "server": {}}}
    assert tenant.client.post("/integrations/connection/update/v1.0.0", update).status == 200
    assert tenant.client.get(source).json["variables"] == {
        **plain,
        "region": "us",
        "server": {"tls": True},
    }
    # And configurations have those of their schema: the connection is no draft
    connection = f"{tenant.connectors}/connections/{record['id']}"
    read = tenant.client.get(connection).json
    assert (read["status"], read["configurations"]) == ("active", {"depth": 3})
    etag = tenant.client.get(connection).headers["etag"]
    same = tenant.client.patch(connection, {"configurations": {"depth": None}})
    assert (same.json["configurations"], same.headers["etag"]) == ({"depth": 3}, etag)
    # And an upgrade has those of its release
    schema = {"properties": {"zone": {"type": "string", "default": "a"}}}
    more = {"defaults": {"team": "core"}, "configurationSchema": {"required": ["depth", "new"]}}
    more["configurationSchema"]["properties"] = {"new": {"default": 1}}  # type: ignore[index]
    schema["properties"]["team"] = {"type": "string"}
    publish(tenant, "1.1.0", **{**WITH_DEFAULTS, "variablesSchema": schema, "manifest": more})
    upgraded = tenant.client.patch(source, {"version": "1.1.0"})
    assert upgraded.status == 200, upgraded.text
    assert upgraded.json["variables"].items() >= {"zone": "a", "team": "core"}.items()


def test_an_upgrade_applies_members_again_unless_they_are_detached(tenant: Tenant) -> None:
    def members(**contents: Any) -> dict[str, Any]:
        return {
            "manifest": {
                "members": [
                    {"name": n, "kind": "mapping", "content": {"a": v}, "forkOnInstall": n != "ref"}
                    for n, v in contents.items()
                ]
            },
            "authConfig": {"type": "none"},
            "variablesSchema": {},
        }

    def installed(answer: Answer) -> dict[str, Any]:
        assert answer.status == 200, answer.text
        return {
            m["name"]: (m["content"] and m["content"]["a"], m["detached"])
            for m in answer.json["members"]
        }

    # Given a source with copies of its own, and a reference
    publish(tenant, "1.0.0", **members(edited=1, kept=1, plain=1, gone=1, mine=1, ref=1))
    path = create(tenant, secrets={}, variables={})
    # When some are edited, and one is detached as it is
    edits = [
        {"name": "edited", "content": {"a": 7}},
        {"name": "mine", "content": {"a": 8}},
        {"name": "kept", "detached": True},
    ]
    changed = installed(tenant.client.patch(path, {"members": edits}))
    assert changed["edited"] == (7, True)
    assert (changed["kept"], changed["plain"], changed["ref"]) == (
        (1, True),
        (1, False),
        (None, False),
    )
    # Then an upgrade leaves these alone, even what the release has no more, and says so before
    publish(tenant, "1.1.0", **members(edited=2, kept=2, plain=2, new=2, ref=2))
    report = tenant.client.patch(f"{path}?dry_run=true", {"version": "1.1.0"}).json
    assert {m["name"]: m["outcome"] for m in report["members"]} == {
        "edited": "kept",
        "kept": "kept",
        "mine": "kept",
        "plain": "replaced",
        "ref": "replaced",
        "gone": "removed",
        "new": "added",
    }
    upgraded = installed(tenant.client.patch(path, {"version": "1.1.0"}))
    assert upgraded == {
        "edited": (7, True),
        "kept": (1, True),
        "mine": (8, True),
        "plain": (2, False),
        "new": (2, False),
        "ref": (None, False),
    }
    # And who attaches a copy again has the release's content, if it has any
    again = [{"name": "edited", "detached": False}, {"name": "mine", "detached": False}]
    attached = installed(tenant.client.patch(path, {"members": again}))
    assert attached["edited"] == (2, False)
    assert "mine" not in attached
    # And what is no copy can't be edited
    for wrong, pointer in (
        ({"name": "ref", "content": {}}, "/members/0/name"),
        ({"name": "nobody", "detached": True}, "/members/0/name"),
        ({"name": "plain", "content": {}, "detached": False}, "/members/0/detached"),
        ({"name": "plain", "content": {"x": "y" * 70_000}}, "/members/0/content"),
    ):
        assert tenant.client.patch(path, {"members": [wrong]}).pointers == [pointer], wrong
