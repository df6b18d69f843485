"""Endpoints whose secrets are in AWS Secrets Manager: which may be named, and what is read."""

import io
import json
from contextlib import suppress
from typing import Any

import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

import connections
from local.provider import Provider
from patchbay.connections.keys import endpoint_key
from patchbay.connections.secret_references import PermittingTag, SecretReference
from patchbay.platform import aws
from patchbay.platform.dynamodb import Table, Update
from patchbay.platform.errors import InvalidInput, ReferenceDenied, TemporarilyUnavailable
from tests.integration.conftest import Tenant
from tests.integration.story import SECRET, calling, create_source, publish_integration

REGION = "eu-central-1"
ORGANIZATION = "org_01K0Z3NDEKTSV4RRFFQ69G5FAV"
OTHER = "org_01K0Z3NDEKTSV4RRFFQ69G5FAW"
OWN = f"patchbay/{ORGANIZATION}/"
ARN = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:"


def reference(tenant: Tenant, name: str = "crm") -> str:
    return f"aws://secretsmanager/{REGION}/patchbay/{tenant.organization_id}/{name}"


def keep(tenant: Tenant, value: Any, name: str = "crm") -> str:
    """Stores a value in Secrets Manager under the tenant's prefix, and returns its reference."""
    text = value if isinstance(value, str) else json.dumps(value)
    secret = f"patchbay/{tenant.organization_id}/{name}"
    aws.client("secretsmanager").create_secret(Name=secret, SecretString=text)
    return reference(tenant, name)


def referring(tenant: Tenant, server: Provider, ref: str, **changes: Any) -> str:
    """A source that refers to its secrets, which permit it if they are there."""
    publish_integration(tenant, manifest=calling(server.port))
    source = create_source(tenant, secrets={}, secret_ref=ref, **changes)
    permit(tenant, source)
    return f"{tenant.connectors}/sources/{source['id']}"


def permit(tenant: Tenant, source: dict[str, Any]) -> None:
    """Sets the tag by which the secret of a source permits it."""
    release = connections.deployment.registry.release(source["integration_id"], source["version"])
    tag = PermittingTag.of(release, source["variables"])
    secrets = aws.client("secretsmanager")
    name = source["secret_ref"].partition(f"{REGION}/")[2]
    with suppress(secrets.exceptions.ResourceNotFoundException):
        secrets.tag_resource(SecretId=name, Tags=[{"Key": tag.key, "Value": tag.value}])


def failed_step(answer: Any) -> dict[str, Any]:
    [step] = [step for step in answer.json["steps"] if step["status"] == "failed"]
    found: dict[str, Any] = step
    return found


@pytest.mark.parametrize(
    "name",
    ["crm", "crm/live", "a.b", "crm_1+2=3.4@5-6", "..crm", "x" * (512 - len(OWN))],
)
def test_a_secret_under_the_own_prefix_is_accepted(name: str) -> None:
    text = f"aws://secretsmanager/{REGION}/{OWN}{name}"
    assert SecretReference.entered(text, ORGANIZATION, REGION).name == OWN + name


@pytest.mark.parametrize(
    "text",
    [
        f"aws://secretsmanager/{REGION}/patchbay/{OTHER}/crm",
        f"aws://secretsmanager/{REGION}/patchbay/{ORGANIZATION}",
        f"aws://secretsmanager/{REGION}/patchbay/{ORGANIZATION}x/crm",
        f"aws://secretsmanager/{REGION}/patchbay/{ORGANIZATION.lower()}/crm",
        f"aws://secretsmanager/{REGION}/Patchbay/{ORGANIZATION}/crm",
        f"aws://secretsmanager/{REGION}/patchbay//{ORGANIZATION}/crm",
        f"aws://secretsmanager/{REGION}/patchbay/*/crm",
        f"aws://secretsmanager/{REGION}/patchbay/%6frg_other/crm",
        f"aws://secretsmanager/{REGION}/{OWN}../{OTHER}/crm",
        f"aws://secretsmanager/{REGION}/{OWN}./crm",
        f"aws://secretsmanager/{REGION}/./{OWN}crm",
        f"aws://secretsmanager/{REGION}/platform/stripe",
        f"aws://secretsmanager/{REGION}/*",
        f"aws://secretsmanager/{REGION}/",
        f"aws://secretsmanager/us-east-1/patchbay/{OTHER}/crm",
        f"{ARN}patchbay/{OTHER}/crm-AbCdEf",
        f"{ARN}platform/*",
        f"{ARN.upper()}platform/x",
        "arn:",
    ],
)
def test_a_secret_outside_the_own_prefix_is_denied(text: str) -> None:
    with pytest.raises(ReferenceDenied):
        SecretReference.entered(text, ORGANIZATION, REGION)


@pytest.mark.parametrize(
    "text",
    [
        "crm",
        f"{OWN}crm",
        f"AWS://secretsmanager/{REGION}/{OWN}crm",
        f"aws://ssm/{REGION}/{OWN}crm",
        f"https://secretsmanager/{REGION}/{OWN}crm",
        f" aws://secretsmanager/{REGION}/{OWN}crm",
        f"aws://secretsmanager/{REGION}/{OWN}",
        f"aws://secretsmanager/{REGION}/{OWN}crm/",
        f"aws://secretsmanager/{REGION}/{OWN}/crm",
        f"aws://secretsmanager/{REGION}/{OWN}crm\n",
        f"aws://secretsmanager/{REGION}/{OWN}crm?versionId=1",
        f"aws://secretsmanager/{REGION}/{OWN}crm#x",
        f"aws://secretsmanager/{REGION}/{OWN}*",
        f"aws://secretsmanager/{REGION}/{OWN}%2e%2e/{OTHER}/crm",
        f"aws://secretsmanager/{REGION}/{OWN}..%2f{OTHER}/crm",
        f"aws://secretsmanager/{REGION}/{OWN}..\\{OTHER}\\crm",
        f"aws://secretsmanager/{REGION}/{OWN}crm\u0430",
        f"aws://secretsmanager/{REGION}/{OWN}{'x' * (513 - len(OWN))}",
        f"aws://secretsmanager//{OWN}crm",
        f"aws://secretsmanager/us-east-1/{OWN}crm",
        f"aws://secretsmanager/eu-central-१/{OWN}crm",
        f"{ARN}{OWN}crm-AbCdEf",
    ],
)
def test_what_is_not_a_reference_is_invalid(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SecretReference.entered(text, ORGANIZATION, REGION)
    assert [problem.pointer for problem in refused.value.problems] == ["/secret_ref"]


@given(st.text(max_size=60), st.sampled_from(["", OWN, f"aws://secretsmanager/{REGION}/", ARN]))
def test_any_text_is_refused_or_names_an_own_secret(text: str, start: str) -> None:
    try:
        name = SecretReference.entered(start + text, ORGANIZATION, REGION).name
    except (ReferenceDenied, InvalidInput):
        return
    assert name.startswith(OWN)
    assert not {"", ".", ".."} & set(name.split("/"))


@pytest.mark.enable_socket
def test_a_test_uses_the_secret_that_is_referred_to(
    tenant: Tenant, server: Provider, deployed: dict[str, Table], log: io.StringIO
) -> None:
    path = referring(tenant, server, keep(tenant, {"api_key": SECRET}))
    read = tenant.client.get(path)
    assert read.json["secret_provider"] == "aws-secrets-manager"
    assert read.json["secret_ref"] == reference(tenant)
    assert read.json["secrets_set"] == []
    answer = tenant.client.post(f"{path}/test", {})
    assert answer.json["status"] == "succeeded", answer.text
    assert answer.json["verified"] is True
    # And it is not stored here
    assert SECRET not in read.text + answer.text + log.getvalue()
    kept = deployed["IntegrationsTable"].query(f"ORG#{tenant.organization_id}", prefix="SECRET#")
    assert kept.items == []
    # And a new value is used from the next test on
    aws.client("secretsmanager").put_secret_value(
        SecretId=f"patchbay/{tenant.organization_id}/crm", SecretString='{"api_key": "wrong"}'
    )
    refused = tenant.client.post(f"{path}/test", {})
    assert refused.json["code"] == "auth_invalid"
    assert failed_step(refused)["field_pointer"] == "/secret_ref"


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ("no JSON", "config_invalid", "JSON object"),
        ('["x"]', "config_invalid", "JSON object"),
        ('{"api_key": "a", "api_key": "b"}', "config_invalid", "JSON object"),
        ({"api_key": ["VALUE"]}, "config_invalid", "api_key"),
        ({"api_key": "********"}, "config_invalid", "api_key"),
        ({"api_key": ""}, "config_invalid", "api_key"),
        ({"api_key": "VALUE" * 2000}, "config_invalid", "api_key"),
        ({"VALUE": "api_key"}, "config_invalid", "names that are not secrets"),
        ({"api_key": "x", "VALUE": "y"}, "config_invalid", "names that are not secrets"),
        ({}, "secret_not_found", "/secrets/api_key is missing"),
    ],
)
def test_a_value_that_could_not_be_entered_is_not_used(
    tenant: Tenant, server: Provider, log: io.StringIO, value: Any, code: str, message: str
) -> None:
    path = referring(tenant, server, keep(tenant, value))
    answer = tenant.client.post(f"{path}/test", {})
    step = failed_step(answer)
    assert (answer.json["code"], answer.json["blame"]) == (code, "customer")
    assert (step["name"], step["field_pointer"]) == ("secrets", "/secret_ref")
    assert message in step["summary"]
    assert "VALUE" not in answer.text + log.getvalue()
    assert server.requests == []


@pytest.mark.enable_socket
def test_a_value_must_match_the_schema_of_the_release(tenant: Tenant, server: Provider) -> None:
    rules = {"properties": {"pin": {"type": "string", "pattern": "^[0-9]{6}$"}}}
    publish_integration(tenant, manifest={**calling(server.port), "secretsSchema": rules})
    ref = keep(tenant, {"api_key": SECRET, "pin": "VALUE"})
    source = create_source(tenant, secrets={}, secret_ref=ref)
    permit(tenant, source)
    answer = tenant.client.post(f"{tenant.connectors}/sources/{source['id']}/test", {})
    assert answer.json["code"] == "config_invalid"
    assert "/pin" in failed_step(answer)["summary"]
    assert "VALUE" not in answer.text
    assert server.requests == []


@pytest.mark.enable_socket
def test_a_missing_or_deleted_secret_is_blamed_on_the_customer(
    tenant: Tenant, server: Provider
) -> None:
    def tested() -> None:
        answer = tenant.client.post(f"{path}/test", {})
        assert (answer.json["code"], answer.json["blame"]) == ("secret_not_found", "customer")
        assert failed_step(answer)["field_pointer"] == "/secret_ref"

    path = referring(tenant, server, reference(tenant))
    tested()
    keep(tenant, {"api_key": SECRET})
    name = f"patchbay/{tenant.organization_id}/crm"
    aws.client("secretsmanager").delete_secret(SecretId=name)
    tested()
    assert server.requests == []


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("error", "code", "blame"),
    [
        ("AccessDeniedException", "secret_not_found", "customer"),
        ("DecryptionFailure", "secret_not_found", "customer"),
        ("InternalServiceError", "secret_store_unavailable", "platform"),
        ("ThrottlingException", "secret_store_unavailable", "platform"),
        ("UnrecognizedClientException", "secret_store_unavailable", "platform"),
    ],
)
def test_errors_of_secrets_manager_are_blamed_on_who_has_to_act(
    tenant: Tenant,
    server: Provider,
    log: io.StringIO,
    error: str,
    code: str,
    blame: str,
) -> None:
    path = referring(tenant, server, keep(tenant, {"api_key": SECRET}))
    secrets = aws.client("secretsmanager")
    described = secrets.describe_secret(SecretId=f"patchbay/{tenant.organization_id}/crm")
    del described["ResponseMetadata"]
    # Whether its tags can't be read, or its value
    for read in ((), (described,)):
        with Stubber(secrets) as stub:
            for response in read:
                stub.add_response("describe_secret", response)
            failing = "get_secret_value" if read else "describe_secret"
            stub.add_client_error(failing, error, f"quotes {SECRET}")
            answer = tenant.client.post(f"{path}/test", {})
        assert (answer.json["code"], answer.json["blame"]) == (code, blame)
    assert SECRET not in answer.text + log.getvalue()
    assert server.requests == []


@pytest.mark.enable_socket
def test_a_stored_reference_is_not_trusted(
    tenant: Tenant, stranger: Tenant, server: Provider, deployed: dict[str, Table]
) -> None:
    # Given a source, and a secret of another tenant
    path = referring(tenant, server, keep(tenant, {"api_key": SECRET}))
    theirs = keep(stranger, {"api_key": SECRET})
    key = endpoint_key(tenant.organization_id, path.rpartition("/")[2])
    for text in (theirs, "aws://secretsmanager/eu-central-1/platform/x", "nonsense"):
        # When the stored item is changed to name it
        deployed["IntegrationsTable"].write(Update(key, values={"secret_ref": text}))
        # Then it is not read
        answer = tenant.client.post(f"{path}/test", {})
        assert answer.json["code"] == "secret_store_unavailable"
        assert theirs not in answer.text
    # Nor is the own one sent to another place
    values = {"secret_ref": reference(tenant), "variables": '{"path": "me"}', "binding": "{}"}
    deployed["IntegrationsTable"].write(Update(key, values=values))
    answer = tenant.client.post(f"{path}/test", {})
    assert answer.json["code"] == "secret_store_unavailable"
    assert server.requests == []


def test_secrets_and_a_reference_can_not_be_combined(tenant: Tenant) -> None:
    publish_integration(tenant)
    ref = reference(tenant)
    body = {"name": "x", "integration": "acme/crm", "variables": {"path": "me"}}
    both = {**body, "secret_ref": ref, "secrets": {"api_key": SECRET}}
    refused = tenant.client.post(f"{tenant.connectors}/sources", both)
    assert (refused.status, refused.pointers) == (400, ["/secret_ref"])
    source = create_source(tenant)
    path = f"{tenant.connectors}/sources/{source['id']}"
    assert (source["secret_provider"], source["secret_ref"]) == ("patchbay", None)
    for edit in ({"secret_ref": ref}, {"secret_ref": ref, "secrets": {"api_key": SECRET}}):
        assert tenant.client.patch(path, edit).pointers == ["/secret_ref"]
    # One may replace the other
    moved = tenant.client.patch(path, {"secret_ref": ref, "secrets": None}).json
    assert (moved["secret_ref"], moved["secrets_set"]) == (ref, [])
    assert moved["secret_provider"] == "aws-secrets-manager"
    assert tenant.client.patch(path, {"secrets": {"api_key": SECRET}}).pointers == ["/secret_ref"]
    back = tenant.client.patch(path, {"secret_ref": None, "secrets": {"api_key": SECRET}}).json
    assert (back["secret_provider"], back["secrets_set"]) == ("patchbay", ["api_key"])
    gone = tenant.client.patch(path, {"secrets": None}).json
    assert (gone["secret_provider"], gone["secrets_set"]) == ("patchbay", [])


def test_a_kept_reference_must_be_entered_again_for_another_place(tenant: Tenant) -> None:
    schema = {"properties": {"host": {"type": "string", "format": "hostname"}}}
    publish_integration(tenant, variablesSchema=schema)
    ref = reference(tenant)
    source = create_source(tenant, variables={"host": "a.example"}, secrets={}, secret_ref=ref)
    path = f"{tenant.connectors}/sources/{source['id']}"
    edit = {"variables": {"host": "evil.example"}}
    for query in ("", "?test=true"):
        refused = tenant.client.patch(path + query, edit)
        assert (refused.status, refused.code) == (422, "SECRET_REENTRY_REQUIRED")
        assert refused.pointers == ["/secret_ref"]
    preview = tenant.client.patch(f"{path}?dry_run=true", edit).json
    assert (preview["valid"], preview["secret_ref_to_enter"]) == (False, True)
    assert tenant.client.get(path).json == source
    assert tenant.client.patch(path, {"name": "label"}).status == 200
    assert tenant.client.patch(path, {**edit, "secret_ref": ref}).status == 200


def test_a_store_that_does_not_respond_is_named_as_such(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_integration(tenant)
    source = create_source(tenant, secrets={}, secret_ref=reference(tenant))

    def out(*_: Any, **__: Any) -> Any:
        raise TemporarilyUnavailable

    monkeypatch.setattr("patchbay.connections.secrets_manager.call", out)
    path = f"{tenant.connectors}/sources/{source['id']}"
    answer = tenant.client.post(f"{path}/test", {})
    assert answer.json["code"] == "secret_store_unavailable"
    # An edit that can't be tested is not stored, and may be repeated
    edit = tenant.client.patch(f"{path}?test=true", {"name": "x"})
    assert (edit.status, edit.code) == (503, "TEMPORARILY_UNAVAILABLE")
    assert tenant.client.get(path).json == source


def test_the_operations_accept_references_by_the_same_rules(tenant: Tenant) -> None:
    schema = {"properties": {"host": {"type": "string", "format": "hostname"}}}
    publish_integration(tenant, variablesSchema=schema)
    operation = "/integrations/connection"
    ref = reference(tenant)
    body = {
        "tenantId": tenant.organization_id,
        "integrationKey": "acme.crm",
        "integrationVersion": 1,
        "label": "CRM",
        "ownershipMode": "byok",
        "secretProvider": "aws-secrets-manager",
        "secretRef": ref,
        "config": {"host": "a.example"},
    }
    # Another's is denied, a wrong one is invalid, and the pointers are the operation's
    for text, status in ((ref.replace(tenant.organization_id, OTHER), 403), ("aws://x", 400)):
        refused = tenant.client.post(f"{operation}/create/v1.0.0", {**body, "secretRef": text})
        assert (refused.status, refused.pointers) == (status, ["/secretRef"])
    record = tenant.client.post(f"{operation}/create/v1.0.0", body).json
    assert (record["secretProvider"], record["secretRef"]) == ("aws-secrets-manager", ref)
    # A kept reference is not sent elsewhere; one that is entered again is
    edit = {"connectionId": record["id"], "config": {"host": "b.example"}}
    refused = tenant.client.post(f"{operation}/update/v1.0.0", edit)
    assert (refused.status, refused.pointers) == (422, ["/secretRef"])
    moved = tenant.client.post(f"{operation}/update/v1.0.0", {**edit, "secretRef": ref})
    assert (moved.status, moved.json["secretRef"]) == (200, ref)
