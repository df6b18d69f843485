"""The operator's command, which makes the first organization, space and admin key."""

import json

import pytest

from patchbay.tenancy.operator import main
from tests.integration.api import Client
from tests.integration.conftest import Tenant

CREATE = ["create-organization", "--table", "IntegrationsTable", "--name", "Acme Inc."]


def test_the_key_that_it_prints_is_an_operators(
    deployed: object, capsys: pytest.CaptureFixture[str]
) -> None:
    # When an organization is made
    assert main([*CREATE, "--space-slug", "main", "--space-name", "Main"]) == 0
    made = json.loads(capsys.readouterr().out)
    # Then its key reads it, and may do what only an operator may
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
