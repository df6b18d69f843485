"""The operator's command, which creates the first organization, space, and admin key."""

import json

import pytest

from patchbay.platform.dynamodb import Table, Update
from patchbay.quota_operator import main as quotas
from patchbay.tenancy.keys import quotas_key
from patchbay.tenancy.operator import main
from tests.integration.api import Client
from tests.integration.conftest import Tenant

CREATE = ["create-organization", "--table", "IntegrationsTable", "--name", "Acme Inc."]


def test_the_key_that_it_prints_is_an_operators(
    deployed: object, capsys: pytest.CaptureFixture[str]
) -> None:
    # When an organization is created
    assert main([*CREATE, "--space-slug", "main", "--space-name", "Main"]) == 0
    made = json.loads(capsys.readouterr().out)
    # Then its key can read it, and may do what only an operator may
    client = Client(made["api_key"])
    assert client.get(f"/v1/organizations/{made['organization_id']}").json["name"] == "Acme Inc."
    assert client.get("/spaces/main").json["id"] == made["space_id"]
    assert client.get("/v1/organizations").status == 200


def test_a_slug_that_is_taken_or_wrong_is_one_line(
    tenant: Tenant, operator: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    for slug in (tenant.space_slug, "Not A Slug"):
        assert main([*CREATE, "--space-slug", slug, "--space-name", "Main"]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert len(said.err.splitlines()) == 1
    # And no organization is left behind
    assert len(operator.client.get("/v1/organizations").json["items"]) == 2


def test_a_lost_key_is_replaced_by_another_of_the_same_organization(
    tenant: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    issue = ["issue-key", "--table", "IntegrationsTable", "--space-slug"]
    assert main([*issue, tenant.space_slug]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["organization_id"] == tenant.organization_id
    assert Client(made["api_key"]).get("/v1/organizations").status == 200
    assert main([*issue, "nowhere"]) == 1


def test_without_a_table_it_says_so_in_one_line(
    deployed: object, capsys: pytest.CaptureFixture[str]
) -> None:
    create = ["--name", "x", "--space-slug", "x", "--space-name", "x"]
    assert main(["create-organization", "--table", "Missing", *create]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_quotas_of_an_organization_are_shown_recounted_and_raised(
    tenant: Tenant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    named = ["--table", "IntegrationsTable", "--organization", tenant.organization_id]

    def said(*arguments: str) -> dict[str, dict[str, int | None]]:
        assert quotas([arguments[0], *named, *arguments[1:]]) == 0
        told: dict[str, dict[str, int | None]] = json.loads(capsys.readouterr().out)
        return told

    assert said("show")["spaces"] == {"used": 1, "limit": None}
    # Given a count that is wrong
    key = quotas_key(tenant.organization_id)
    Table("IntegrationsTable").write(Update(key, values={"spaces": 7}))
    assert said("recount")["spaces"] == {"used": 1, "limit": None}
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    assert said("set-limit", "--quota", "spaces", "--limit", "1") == {
        "spaces": {"used": 1, "limit": 1}
    }
    assert tenant.client.post(spaces, {"slug": "second", "name": "x"}).code == "QUOTA_EXCEEDED"
    said("unset-limit", "--quota", "spaces")
    assert tenant.client.post(spaces, {"slug": "second", "name": "x"}).status == 201
    # And an organization that does not exist is one line
    missing = ["show", *named[:-1], "org_01K0Z3NDEKTSV4RRFFQ69G5FAV"]
    assert quotas(missing) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
