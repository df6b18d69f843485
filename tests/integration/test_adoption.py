"""What `sam delete` keeps, and how a new stack takes it over: on the emulator."""

from pathlib import Path
from typing import Any

import pytest

from local import adoption
from local.emulator import Account
from local.paths import ROOT
from tests.integration.emulating import emulating

pytestmark = pytest.mark.enable_socket

STACK = "patchbay-test"
ITEM = {"pk": {"S": "ORG#1"}, "sk": {"S": "META"}}
CONTEXT = {"organization": "org_1"}


@pytest.fixture(scope="module")
def importable() -> str:
    return adoption.template((ROOT / "template.yaml").read_text())


@pytest.fixture
def account(tmp_path: Path) -> Any:
    with emulating(tmp_path) as emulator:
        yield emulator.account


def ids(account: Account) -> dict[str, str]:
    listed = account.client("cloudformation").describe_stack_resources(StackName=STACK)
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in listed["StackResources"]}


def test_what_is_imported_is_what_the_template_keeps(
    importable: str, template: dict[str, Any]
) -> None:
    kept = {
        name
        for name, resource in template["Resources"].items()
        if resource.get("DeletionPolicy") == "Retain"
    }
    assert {one["LogicalResourceId"] for one in adoption.resources("i", "e", "k")} == kept
    for name in kept:
        assert f"\n  {name}:\n    Type: {template['Resources'][name]['Type']}\n" in importable
    assert "Transform" not in importable
    assert "Serverless" not in importable


def test_a_new_stack_has_the_tables_and_the_key_of_the_one_that_was_deleted(
    importable: str, account: Account
) -> None:
    # Given a stack with an item in a table, and something that its key has encrypted
    formation = account.client("cloudformation")
    formation.create_stack(StackName=STACK, TemplateBody=importable)
    formation.get_waiter("stack_create_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    before = ids(account)
    tables, keys = account.client("dynamodb"), account.client("kms")
    tables.put_item(TableName=before["IntegrationsTable"], Item=ITEM)
    sealed = keys.encrypt(KeyId=before["VaultKey"], Plaintext=b"secret", EncryptionContext=CONTEXT)[
        "CiphertextBlob"
    ]
    # When it is deleted, and a stack of the same name imports what it has kept
    formation.delete_stack(StackName=STACK)
    formation.get_waiter("stack_delete_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    arn = keys.describe_key(KeyId=before["VaultKey"])["KeyMetadata"]["Arn"]
    formation.create_change_set(
        StackName=STACK,
        ChangeSetName="adopt",
        ChangeSetType="IMPORT",
        TemplateBody=importable,
        ResourcesToImport=adoption.resources(
            before["IntegrationsTable"], before["EventsTable"], arn
        ),
    )
    formation.get_waiter("change_set_create_complete").wait(
        StackName=STACK, ChangeSetName="adopt", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    formation.execute_change_set(StackName=STACK, ChangeSetName="adopt")
    formation.get_waiter("stack_import_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    # Then it has the same ones, and the old secret opens
    assert ids(account) == before
    found = tables.get_item(TableName=before["IntegrationsTable"], Key=ITEM)
    assert found["Item"] == ITEM
    opened = keys.decrypt(CiphertextBlob=sealed, EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == b"secret"
