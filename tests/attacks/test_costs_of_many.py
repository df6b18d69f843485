"""A tenant has many of each thing, and asks for what needs all of them."""

from typing import Any

import pytest

from patchbay.platform.clock import utc_now
from tests.integration.alerting import create_rule, evaluate
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant, new_tenant
from tests.integration.story import (
    calling,
    create_connection,
    create_source,
    operation_input,
    publish_integration,
)


def publish(tenant: Tenant, slug: str, *needs: dict[str, str]) -> Any:
    """Publishes an integration with these dependencies; returns the answer."""
    body = {"workspaceId": tenant.space_id, "publisher": "acme", "slug": slug, "name": slug}
    made = tenant.client.post("/v1/integrations", body | {"manifest": {"dependencies": [*needs]}})
    return tenant.client.post(f"/v1/integrations/{made.json['id']}/publish", {"version": "1.0.0"})


def test_dependencies_are_looked_up_as_often_as_allowed_and_no_more(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given integrations that each need the same ones, in ranges that are all different
    monkeypatch.setattr("patchbay.registry.dependencies.MAX_GRAPH", 8)
    for leaf in ("a", "b"):
        assert publish(tenant, leaf).status == 201
    middles = []
    for number in range(1, 5):
        needs = [
            {"integration": f"acme/{leaf}", "version": f">=1.0.0 <{number + 1}.0.0"}
            for leaf in ("a", "b")
        ]
        assert publish(tenant, f"m{number}", *needs).status == 201
        middles.append({"integration": f"acme/m{number}"})
    # When something needs few of them, or all
    assert publish(tenant, "small", *middles[:2]).status == 201
    refused = publish(tenant, "large", *middles)
    # Then the product of their ranges is not looked up
    assert refused.status == 422
    assert "more than 8 dependencies" in refused.text


def test_an_upgrade_judges_connections_for_a_limited_time(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    integration = publish_integration(tenant, manifest=calling(1024))
    source = create_source(tenant)
    for _ in range(2):
        create_connection(tenant, source, configurations={"depth": 1})
    path = f"/v1/integrations/{integration['id']}/publish"
    assert tenant.client.post(path, {"version": "1.1.0"}).status == 201
    upgrade = {"version": "1.1.0"}
    with monkeypatch.context() as patched:
        patched.setattr("patchbay.connections.endpoint_editor.MAX_JUDGING_SECONDS", -1.0)
        refused = tenant.client.patch(f"{tenant.connectors}/sources/{source['id']}", upgrade)
    assert (refused.status, refused.pointers) == (400, ["/version"])
    assert "too long" in refused.text
    assert tenant.client.patch(f"{tenant.connectors}/sources/{source['id']}", upgrade).status == 200


def test_records_of_a_page_have_a_size_that_fits_into_a_response(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given records whose configuration is large
    monkeypatch.setattr("patchbay.connections.record_store.MAX_PAGE_BYTES", 5000)
    publish_integration(tenant)
    create = "/integrations/connection/create/v1.0.0"
    config = {"path": "x" * 2000}
    made = {
        tenant.client.post(create, operation_input(tenant, config=config)).json["id"]
        for _ in range(7)
    }
    # When they are listed without a limit
    listed: list[str] = []
    path = f"/integrations/connection/list/v1.0.0?tenantId={tenant.organization_id}"
    answer = tenant.client.get(path).json
    while True:
        assert len(answer["connections"]) <= 3
        listed += [one["id"] for one in answer["connections"]]
        if not answer.get("nextCursor"):
            break
        answer = tenant.client.get(f"{path}&cursor={answer['nextCursor']}").json
    # Then each page is short, and together they have all of them once
    assert len(listed) == 7
    assert set(listed) == made


def test_spaces_over_a_long_period_are_ranked_in_smaller_blocks(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.health.organization_overview.MAX_SPACE_DAYS", 60)
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    for number in range(4):
        assert tenant.client.post(spaces, {"slug": f"s{number}", "name": "s"}).status == 201
    path = f"/v1/organizations/{tenant.organization_id}/integration-health?limit=100"
    assert len(tenant.client.get(f"{path}&days=7").json["items"]) == 5
    cursor, found = "", []
    for _ in range(3):
        page = tenant.client.get(f"{path}&days=30{cursor}").json
        found.append([one["slug"] for one in page["items"]])
        cursor = f"&cursor={page['next_cursor']}"
    assert [len(page) for page in found] == [2, 2, 1]
    assert page["next_cursor"] is None


def test_rules_of_one_organization_leave_time_for_those_of_others(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an organization with rules in two spaces whose evaluation uses up its slice
    monkeypatch.setattr("patchbay.alerts.evaluator.MAX_SLICE_SECONDS", 1e-9)
    monkeypatch.setattr("patchbay.alerts.evaluator._WORKERS", 1)
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    assert tenant.client.post(spaces, {"slug": "second", "name": "s"}).status == 201
    create_rule(tenant)
    body = {"name": "r", "condition": {"kind": "connection_down"}}
    assert tenant.client.post("/spaces/second/alert-rules", body).status == 201
    create_rule(new_tenant("globex", TENANT_PERMISSIONS))
    # When all rules are evaluated
    report = evaluate(utc_now())
    # Then one of its spaces is left to a later minute, and the other organization's is not
    assert (report["alert_spaces_put_off"], report["alert_spaces_failed"]) == (1, 0)
