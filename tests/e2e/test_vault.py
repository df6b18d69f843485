"""The vault on the local cloud: KMS, Secrets Manager and DynamoDB as the deployed functions use
them, with the permissions that the template gives them."""

import re
from typing import Any

import pytest

from local.emulator import REGION
from local.provider import Provider
from local.sam import STACK_NAME
from tests.e2e.harness import Stack, Tenant


class Account:
    """The emulator's account, past the API: what an intruder in it could write."""

    def __init__(self, stack: Stack) -> None:
        self.client = stack.aws
        [found] = self.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"]
        outputs = {o["OutputKey"]: o["OutputValue"] for o in found["Outputs"]}
        self._table = outputs["IntegrationsTableName"]
        self._dynamodb = self.client("dynamodb")

    def read(self, tenant: Tenant, sk: str) -> dict[str, Any]:
        key = {"pk": {"S": f"ORG#{tenant.organization_id}"}, "sk": {"S": sk}}
        item: dict[str, Any] = self._dynamodb.get_item(
            TableName=self._table, Key=key, ConsistentRead=True
        )["Item"]
        return item

    def write(self, item: dict[str, Any]) -> None:
        self._dynamodb.put_item(TableName=self._table, Item=item)


@pytest.fixture
def account(stack: Stack) -> Account:
    return Account(stack)


def outcome(tenant: Tenant, source_id: str) -> dict[str, Any]:
    path = f"{tenant.connectors}/sources/{source_id}/test"
    return tenant.post(path, {}, 200).body


def call(tenant: Tenant, method: str, path: str, status: int, body: Any = None) -> dict[str, Any]:
    answer = tenant.client.call(method, path, body)
    assert answer.status == status, answer.body
    return answer.body


def test_secrets_open_before_and_after_a_rotation_and_when_the_old_key_is_gone(
    tenant: Tenant, server: Provider, account: Account
) -> None:
    # Given a source under the first key
    tenant.publish_asking(server.port)
    first, _ = tenant.connect("me")
    keys = f"{tenant.organization}/data-keys"
    # When the key is rotated, then the source works, and so does a new one
    assert call(tenant, "POST", keys, 201)["number"] == 2
    second, _ = tenant.connect("me")
    assert [outcome(tenant, one)["status"] for one in (first, second)] == ["succeeded"] * 2
    numbers = [account.read(tenant, f"SECRET#{one}")["data_key"]["N"] for one in (first, second)]
    assert numbers == ["1", "2"]
    # And when all is sealed again and the old key deleted, too
    call(tenant, "DELETE", f"{keys}/1", 409)
    assert call(tenant, "POST", f"{keys}/reseal", 200)["resealed"] == 1
    call(tenant, "DELETE", f"{keys}/1", 204)
    assert [outcome(tenant, one)["status"] for one in (first, second)] == ["succeeded"] * 2


def test_a_secret_is_rotated_after_a_test_of_the_new_one(tenant: Tenant, server: Provider) -> None:
    tenant.publish_asking(server.port)
    source, _ = tenant.connect("me")
    path = f"{tenant.connectors}/sources/{source}?test=true"
    refused = call(tenant, "PATCH", path, 422, {"secrets": {"api_key": "mistyped"}})
    assert refused["error"]["code"] == "TEST_FAILED"
    assert outcome(tenant, source)["status"] == "succeeded"
    server.valid_key = "next-key"
    stored = call(tenant, "PATCH", path, 200, {"secrets": {"api_key": "next-key"}})
    assert stored["test"]["verified"] is True
    assert outcome(tenant, source)["status"] == "succeeded"


def test_without_its_keys_an_organizations_secrets_are_gone(
    stack: Stack, tenant: Tenant, server: Provider
) -> None:
    # Given a source that no function has opened the secret of: they remember keys for 5 minutes
    tenant.publish_asking(server.port)
    source, _ = tenant.connect("me")
    confirmed = f"through=1&confirm={tenant.organization_id}"
    path = f"{tenant.organization}/data-keys?{confirmed}"
    assert tenant.client.call("DELETE", path).status == 403
    # When the operator deletes the key
    answer = stack.client.call("DELETE", path)
    assert (answer.status, answer.body["deleted"]) == (200, [1])
    # Then its secret does not open, and a new one does
    assert outcome(tenant, source)["code"] == "secret_not_found"
    edit = {"secrets": {"api_key": "right-key"}}
    call(tenant, "PATCH", f"{tenant.connectors}/sources/{source}", 200, edit)
    assert outcome(tenant, source)["status"] == "succeeded"
    assert call(tenant, "GET", f"{tenant.organization}/data-keys", 200)["current"] == 2


def test_a_source_may_refer_to_a_secret_of_its_own_organization(
    stack: Stack, tenant: Tenant, server: Provider, account: Account
) -> None:
    # Given a secret in Secrets Manager, and a source that refers to it
    tenant.publish_asking(server.port)
    name = f"patchbay/{tenant.organization_id}/tracker"
    secrets = account.client("secretsmanager")
    body = {
        "name": "x",
        "integration": f"{tenant.slug}/tracker",
        "variables": {"path": "me"},
        "secret_ref": f"aws://secretsmanager/{REGION}/{name}",
    }
    source = tenant.post(f"{tenant.connectors}/sources", body).body
    assert source["secret_provider"] == "aws-secrets-manager"
    # Then it is missing until it is there
    assert outcome(tenant, source["id"])["code"] == "secret_not_found"
    secrets.create_secret(Name=name, SecretString='{"api_key": "right-key"}')
    # And until it has the tag that the error shows
    refused = outcome(tenant, source["id"])
    assert refused["code"] == "secret_not_permitted"
    shown = re.search(r"Key=(\S+),Value='([^']*)'", refused["message"])
    assert shown, refused["message"]
    secrets.tag_resource(SecretId=name, Tags=[{"Key": shown[1], "Value": shown[2]}])
    assert outcome(tenant, source["id"])["status"] == "succeeded"
    # And an edit is tested with it
    path = f"{tenant.connectors}/sources/{source['id']}?test=true"
    assert call(tenant, "PATCH", path, 200, {"name": "y"})["test"]["status"] == "succeeded"
    # And nobody else may refer to it
    other = Tenant(stack)
    other.publish_asking(server.port)
    foreign = {**body, "integration": f"{other.slug}/tracker"}
    refused = other.post(f"{other.connectors}/sources", foreign, 403).body
    assert refused["error"]["code"] == "PERMISSION_DENIED"


def test_what_was_altered_or_moved_in_the_table_does_not_open(
    stack: Stack, tenant: Tenant, server: Provider, account: Account
) -> None:
    # Given a source of each of two tenants
    tenant.publish_asking(server.port)
    source, _ = tenant.connect("me")
    other = Tenant(stack)
    other.publish_asking(server.port)
    foreign, _ = other.connect("me")
    sealed = account.read(tenant, f"SECRET#{source}")
    theirs = account.read(other, f"SECRET#{foreign}")
    text: bytes = sealed["sealed"]["B"]
    for changed in (
        {**sealed, "sealed": {"B": text[:-1] + bytes([text[-1] ^ 1])}},
        {**sealed, "nonce": theirs["nonce"]},
        {**theirs, "pk": sealed["pk"], "sk": sealed["sk"]},
    ):
        # When the sealed item is altered, or another tenant's copied over it
        account.write(changed)
        # Then it does not open, nobody is blamed, and nothing is dialled
        answer = outcome(tenant, source)
        assert (answer["code"], answer["blame"]) == ("secret_store_unavailable", "platform")
    assert server.requests == []
    account.write(sealed)
    assert outcome(tenant, source)["status"] == "succeeded"
