"""Install sessions over the API: made by a back end, used by an end user's browser."""

from typing import Any

import pytest

import installs
from patchbay.platform.clock import from_text
from patchbay.platform.dynamodb import Table
from tests.integration.account import stored_items
from tests.integration.api import Answer, sample_event
from tests.integration.conftest import Tenant
from tests.integration.story import create_connection, create_source, publish_integration


def sessions(tenant: Tenant) -> str:
    return f"/v1/organizations/{tenant.organization_id}/install-sessions"


def opened(tenant: Tenant, **changes: Any) -> Answer:
    body = {"integration": "acme/crm", "end_user": {"id": "user-17", "name": "Ada"}, **changes}
    return tenant.client.post(sessions(tenant), body)


@pytest.fixture
def published(tenant: Tenant) -> dict[str, Any]:
    return publish_integration(tenant)


def test_the_sample_event_is_refused(deployed: object) -> None:
    assert installs.handler(sample_event("installs"), None)["statusCode"] in (401, 404)


def test_a_session_is_created_read_listed_and_revoked(
    tenant: Tenant, published: dict[str, Any]
) -> None:
    made = opened(
        tenant,
        variables={"path": "me"},
        locked=["/path"],
        return_url="https://app.example.com/settings?tab=1#done",
        allowed_origins=["https://App.example.com:443", "http://localhost:3000"],
    )
    assert made.status == 201, made.text
    session = made.json
    token, url = session.pop("token"), session.pop("url")
    assert url == f"https://go.acme.com/install/acme/crm#{token}"
    assert token.startswith("pbi_")
    assert len(token) == 47
    expected = {
        "organization_id": tenant.organization_id,
        "status": "pending",
        "integration": "acme/crm",
        "integration_id": published["id"],
        "version": "1.0.0",
        "space": "acme",
        "end_user": {"id": "user-17", "name": "Ada", "email": None},
        "variables": {"path": "me"},
        "locked": ["/path"],
        "allowed_origins": ["https://app.example.com", "http://localhost:3000"],
        "connection_id": None,
        "outcome": None,
        "opened_at": None,
    }
    assert expected.items() <= session.items()
    lasts = from_text(session["expires_at"]) - from_text(session["created_at"])
    assert lasts.total_seconds() == 1800
    one = f"{sessions(tenant)}/{session['id']}"
    read = tenant.client.get(one)
    assert (read.json, read.headers["etag"]) == (session, '"1"')
    assert tenant.client.get(sessions(tenant)).json["items"] == [session]
    # When it is revoked, it stays readable
    assert tenant.client.delete(one, if_match='"9"').status == 412
    assert tenant.client.delete(one, if_match='"1"').status == 204
    assert tenant.client.delete(one).status == 204
    gone = tenant.client.get(one).json
    assert (gone["status"], gone["revoked_at"] is None) == ("revoked", False)
    # And a list of those with a status has it, or not
    for status, count in {"pending": 0, "revoked": 1, "expired": 0, "completed": 0}.items():
        listed = tenant.client.get(f"{sessions(tenant)}?status={status}").json["items"]
        assert len(listed) == count


def test_a_token_is_stored_as_its_hash_alone(
    tenant: Tenant, published: dict[str, Any], deployed: dict[str, Table]
) -> None:
    token = opened(tenant).json["token"]
    assert token.removeprefix("pbi_") not in repr(stored_items("IntegrationsTable"))


def test_a_repeated_create_gives_the_same_session_and_token(
    tenant: Tenant, published: dict[str, Any]
) -> None:
    body = {"integration": "acme/crm"}
    first, second = (
        tenant.client.post(sessions(tenant), body, idempotency_key="once") for _ in range(2)
    )
    assert (first.status, first.json) == (201, second.json)
    assert len(tenant.client.get(sessions(tenant)).json["items"]) == 1


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"integration": "acme/nothing"}, "/integration"),
    ({"version": "^2"}, "/version"),
    ({"space": "globex"}, "/space"),
    ({"variables": {"path": 1}}, "/variables/path"),
    ({"variables": {"unknown": 1}}, "/variables/unknown"),
    ({"variables": {"api_key": "x"}}, "/variables/api_key"),
    ({"locked": ["/path"]}, "/locked/0"),
    ({"locked": ["path"]}, "/locked/0"),
    ({"locked": ["/~2"]}, "/locked/0"),
    ({"expires_in_seconds": 299}, "/expires_in_seconds"),
    ({"expires_in_seconds": 86_401}, "/expires_in_seconds"),
    ({"end_user": {"id": ""}}, "/end_user/id"),
    ({"end_user": {"id": "a\nb"}}, "/end_user/id"),
    ({"end_user": {"id": "a", "email": "nobody"}}, "/end_user/email"),
    ({"connection_id": "con_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, "/connection_id"),
    ({"monitor": {"enabled": True, "interval": "2m"}}, "/monitor/interval"),
    ({"secrets": {"api_key": "x"}}, "/secrets"),
]


@pytest.mark.parametrize(("changes", "pointer"), REFUSED, ids=lambda one: str(one)[:40])
def test_what_the_end_user_could_not_mend_is_told_to_the_creator(
    changes: dict[str, Any], pointer: str, tenant: Tenant, published: dict[str, Any]
) -> None:
    refused = opened(tenant, **changes)
    assert refused.status == 400, refused.text
    assert refused.pointers == [pointer]


def test_an_integration_for_destinations_alone_can_t_be_installed(tenant: Tenant) -> None:
    publish_integration(tenant, manifest={"roles": ["destination"]})
    refused = opened(tenant)
    assert refused.problems == [
        ("/integration", "is for destinations alone: an install session makes a source")
    ]


def test_a_repair_names_a_connection_and_changes_nothing_else(
    tenant: Tenant, published: dict[str, Any]
) -> None:
    connection = create_connection(tenant, create_source(tenant))
    made = opened(tenant, connection_id=connection["id"], locked=["/path", "/page_size"])
    assert made.status == 201, made.text
    assert made.json["connection_id"] == connection["id"]
    more = {"version": "1.0.0", "monitor": {"enabled": True}, "external_account_id": "x"}
    refused = opened(tenant, connection_id=connection["id"], **more)
    assert refused.pointers == ["/version", "/monitor", "/external_account_id"]
    publish_integration(tenant, slug="erp")
    other = opened(tenant, connection_id=connection["id"], integration="acme/erp")
    assert other.problems == [("/integration", "is not the integration of this connection")]
