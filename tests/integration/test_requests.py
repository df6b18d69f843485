"""Requests that clients get wrong before their content matters: every answer has the envelope."""

import json

import pytest

from tests.integration.api import Client
from tests.integration.conftest import Tenant
from tests.integration.story import create_connection, create_source, publish_integration

ANYBODY = Client(key=None)
SPACE = '{"slug": "a-space", "name": "n"}'


def spaces(tenant: Tenant) -> str:
    return f"/v1/organizations/{tenant.organization_id}/spaces"


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "",
    ],
)
def test_a_body_is_json_in_utf_8(tenant: Tenant, kind: str) -> None:
    assert tenant.client.call("POST", spaces(tenant), SPACE, {"content_type": kind}).status == 201


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/json; charset=iso-8859-1",
        "json",
    ],
)
def test_another_content_type_is_415(tenant: Tenant, kind: str) -> None:
    refused = tenant.client.call("POST", spaces(tenant), SPACE, {"content_type": kind})
    assert (refused.status, refused.code) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert refused.pointers == ["/headers/Content-Type"]
    assert refused.headers["accept"] == "application/json"


def test_a_merge_patch_may_say_so(tenant: Tenant) -> None:
    kind = {"content_type": "application/merge-patch+json"}
    path = f"/spaces/{tenant.space_slug}"
    assert tenant.client.call("PATCH", path, '{"name": "other"}', kind).status == 200
    refused = tenant.client.call("PATCH", path, "{}", {"content_type": "text/json"})
    assert refused.headers["accept"] == "application/json, application/merge-patch+json"


def test_a_compressed_body_is_415_and_says_how_to_send_it(tenant: Tenant) -> None:
    sent = {"content_type": "application/json", "content_encoding": "gzip"}
    refused = tenant.client.call("POST", spaces(tenant), "\x1f", sent)
    assert (refused.status, refused.pointers) == (415, ["/headers/Content-Encoding"])
    assert refused.headers["accept-encoding"] == "identity"
    plain = tenant.client.call("POST", spaces(tenant), SPACE, {"content_encoding": "identity"})
    assert plain.status == 201


def test_bytes_that_the_gateway_had_to_replace_are_400(tenant: Tenant) -> None:
    body = '{"slug": "a-space", "name": "\ufffd"}'
    refused = tenant.client.call("POST", spaces(tenant), body)
    assert (refused.status, refused.code) == (400, "INVALID_JSON")
    # The character itself may be meant
    meant = tenant.client.call("POST", spaces(tenant), json.dumps(json.loads(body)))
    assert meant.json["name"] == "\ufffd"


def test_a_route_without_a_body_takes_none(tenant: Tenant) -> None:
    path = f"/spaces/{tenant.space_slug}"
    for method in ("GET", "DELETE"):
        refused = tenant.client.call(method, path, '{"force": true}')
        assert (refused.status, refused.pointers) == (400, ["/force"]), method
    assert tenant.client.call("GET", path, "[1]").code == "VALIDATION_ERROR"
    assert tenant.client.call("GET", path, "x=1").code == "INVALID_JSON"
    for nothing in ("{}", " null ", "\n"):
        assert tenant.client.call("GET", path, nothing).status == 200
    assert tenant.client.call("GET", "/openapi.json", '{"x": 1}').code == "VALIDATION_ERROR"


@pytest.mark.parametrize("tag", ["1", "", " , ", '"1', "W/1", '"1" 2', "*, *"])
def test_an_if_match_that_is_no_entity_tag_is_400(tenant: Tenant, tag: str) -> None:
    path = f"/spaces/{tenant.space_slug}"
    refused = tenant.client.patch(path, {"name": "other"}, if_match=tag)
    assert (refused.status, refused.pointers) == (400, ["/headers/If-Match"])
    assert tenant.client.get(path).json["name"] != "other"


@pytest.mark.parametrize(
    ("tag", "status"), [('"9"', 412), ('W/"1"', 412), ('"9", "1"', 200), ("*", 200)]
)
def test_an_if_match_is_a_list_of_entity_tags(tenant: Tenant, tag: str, status: int) -> None:
    answer = tenant.client.patch(f"/spaces/{tenant.space_slug}", {"name": "x"}, if_match=tag)
    assert answer.status == status


def test_the_root_leads_to_the_reference(deployed: object) -> None:
    for method in ("GET", "HEAD"):
        moved = ANYBODY.call(method, "/", None)
        assert (moved.status, moved.headers["location"], moved.text) == (307, "/docs", "")
    assert ANYBODY.call("POST", "/", "{}").headers["allow"] == "GET, HEAD"


def test_head_is_get_without_a_body_where_everybody_may_read(tenant: Tenant) -> None:
    for path in ("/docs", "/openapi.json"):
        answer = ANYBODY.call("HEAD", path, None)
        assert (answer.status, answer.text) == (200, "")
        assert answer.headers["content-type"] == ANYBODY.get(path).headers["content-type"]
    refused = tenant.client.call("HEAD", f"/spaces/{tenant.space_slug}", None)
    assert (refused.status, refused.text) == (405, "")
    assert refused.headers["allow"] == "DELETE, GET, PATCH"


def test_options_lists_the_methods_of_a_path(deployed: object) -> None:
    answer = ANYBODY.call("OPTIONS", "/v1/integrations", None)
    assert (answer.status, answer.headers["allow"]) == (204, "GET, POST, OPTIONS")
    assert ANYBODY.call("OPTIONS", "/v1/nowhere", None).code == "NOT_FOUND"


def test_a_slash_at_the_end_is_404_and_says_so(tenant: Tenant) -> None:
    refused = tenant.client.get("/v1/catalog/")
    assert refused.code == "NOT_FOUND"
    assert "slash at the end" in refused.json["error"]["message"]
    assert "slash" not in tenant.client.get("/nowhere/").json["error"]["message"]


def test_what_can_be_left_out_of_a_create_can_be_null(tenant: Tenant) -> None:
    """Many generated clients send null for what their caller did not give."""
    definition = dict.fromkeys(
        ("description", "manifest", "variablesSchema", "authConfig", "visibility", "trustTier")
    )
    made = tenant.client.post(
        "/v1/integrations",
        definition
        | {"workspaceId": tenant.space_id, "publisher": "acme", "slug": "x", "name": "x"},
    )
    assert made.status == 201
    assert made.json["manifest"] == {}
    assert made.json["authConfig"] == {"type": "none"}
    assert (made.json["visibility"], made.json["trustTier"]) == ("private", "community")
    publish_integration(tenant)
    given = create_source(tenant, environment=None, ownership_mode=None, version=None)
    assert given["ownership_mode"] == "managed"
    connection = create_connection(
        tenant, given, destination_id=None, configurations=None, monitor=None, status=None
    )
    assert (connection["configurations"], connection["status"]) == ({}, "active")
    assert connection["monitor"] == {"enabled": False, "interval": "5m"}
    dry_run = {"source_id": given["id"], "destination_id": None, "configurations": None}
    assert tenant.client.post(f"{tenant.connectors}/connections/test", dry_run).status == 200


def test_a_message_says_in_words_how_a_string_is_spelled(tenant: Tenant) -> None:
    """A caller should not have to read a regular expression."""
    events = f"/spaces/{tenant.space_slug}/integration-events"
    event = {"integration_type": "webhook", "status": "SUCCESS"}
    for answer in (
        tenant.client.post(spaces(tenant), {"slug": "No Spaces", "name": "n"}),
        tenant.client.post(events, {"events": [{**event, "connection_id": "con_x"}]}),
        tenant.client.post(events, {"events": [{**event, "error_code": "no such"}]}),
        tenant.client.get(f"{tenant.connectors}/connections?source_id=src_x"),
        tenant.client.get(f"{tenant.connectors}/connections?category=No"),
    ):
        [problem] = answer.json["error"]["details"]["errors"]
        assert answer.status == 400
        assert "^" not in problem["message"], problem
