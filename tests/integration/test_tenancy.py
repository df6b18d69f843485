"""Organizations, spaces, and API keys over the API."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

import tenancy
from patchbay.deployment import Deployment
from patchbay.platform.clock import to_text, utc_now
from patchbay.platform.dynamodb import Delete, Put, Table
from patchbay.platform.errors import Unauthenticated
from patchbay.platform.ids import Stamp
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.api_key_store import ApiKeyStore
from patchbay.tenancy.keys import PAUSED, external_id_key
from patchbay.tenancy.model import NewApiKey
from tests.integration.api import Client, sample_event, start_cold
from tests.integration.conftest import Tenant
from tests.integration.documented import NEVER_MADE, ROUTES, names_of

READ, MANAGE = "platform.integration.read", "platform.integration.manage"
ADMIN, WRITE_EVENTS = "platform.admin", "platform.events.write"
TEST = "platform.integration.test"


def issue(tenant: Tenant, *permissions: str) -> str:
    answer = tenant.client.post(
        f"/v1/organizations/{tenant.organization_id}/api-keys",
        {"name": "a key", "permissions": list(permissions)},
    )
    assert answer.status == 201
    key: str = answer.json["key"]
    return key


def test_the_sample_event_gets_a_response_for_its_organization(deployed: object) -> None:
    # Given the sample's organization does not exist here
    answer = tenancy.handler(sample_event("tenancy"), None)
    # Then it is not found, in the error envelope
    assert answer["statusCode"] == 404
    assert '"ORGANIZATION_NOT_FOUND"' in answer["body"]


def test_only_the_operator_creates_and_lists_organizations(
    operator: Tenant, tenant: Tenant
) -> None:
    created = operator.client.post("/v1/organizations", {"name": "Initech"})
    assert created.status == 201
    assert created.json["name"] == "Initech"
    listed = operator.client.get("/v1/organizations").json["items"]
    assert created.json in listed
    assert tenant.client.post("/v1/organizations", {"name": "Mine"}).code == "PERMISSION_DENIED"
    assert tenant.client.get("/v1/organizations").code == "PERMISSION_DENIED"


def test_a_tenant_reads_its_own_organization_and_no_other(tenant: Tenant, stranger: Tenant) -> None:
    own = f"/v1/organizations/{tenant.organization_id}"
    assert tenant.client.get(own).json["id"] == tenant.organization_id
    assert stranger.client.get(own).status == 404
    assert stranger.client.get(own + "/spaces").status == 404
    assert stranger.client.post(own + "/spaces", {"slug": "x", "name": "x"}).status == 404
    assert stranger.client.get(own + "/api-keys").status == 404


def test_a_space_is_created_read_renamed_and_deleted(tenant: Tenant) -> None:
    # Given a space
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    created = tenant.client.post(spaces, {"slug": "billing", "name": "Billing"})
    assert created.status == 201
    assert tenant.client.get("/spaces/billing").json == created.json
    # When it is renamed with the ETag that it was read with
    renamed = tenant.client.patch(
        "/spaces/billing", {"name": "Invoices"}, if_match=created.headers["etag"]
    )
    assert renamed.json["name"] == "Invoices"
    # Then the old ETag no longer works
    stale = tenant.client.patch(
        "/spaces/billing", {"name": "Other"}, if_match=created.headers["etag"]
    )
    assert stale.code == "PRECONDITION_FAILED"
    assert tenant.client.delete("/spaces/billing", if_match=created.headers["etag"]).status == 412
    # And after its deletion the slug is free again
    assert tenant.client.delete("/spaces/billing").status == 204
    assert tenant.client.get("/spaces/billing").code == "SPACE_NOT_FOUND"
    again = tenant.client.post(spaces, {"slug": "billing", "name": "Billing"})
    assert again.status == 201
    assert again.json["id"] != created.json["id"]


def test_a_slug_belongs_to_one_space_of_the_whole_deployment(
    tenant: Tenant, stranger: Tenant
) -> None:
    answer = stranger.client.post(
        f"/v1/organizations/{stranger.organization_id}/spaces",
        {"slug": tenant.space_slug, "name": "Mine now"},
    )
    assert answer.status == 409
    assert answer.code == "SLUG_TAKEN"
    assert stranger.client.get(f"/spaces/{tenant.space_slug}").status == 404
    assert stranger.client.delete(f"/spaces/{tenant.space_slug}").status == 404
    assert tenant.client.get(f"/spaces/{tenant.space_slug}").status == 200


def test_a_space_with_an_integration_in_it_is_not_deleted(tenant: Tenant) -> None:
    body = {
        "workspaceId": tenant.space_id,
        "slug": "crm",
        "publisher": "acme",
        "name": "CRM",
    }
    created = tenant.client.post("/v1/integrations", body)
    assert created.status == 201
    refused = tenant.client.delete(f"/spaces/{tenant.space_slug}")
    assert refused.code == "IN_USE"
    assert tenant.client.delete(f"/v1/integrations/{created.json['id']}").status == 204
    assert tenant.client.delete(f"/spaces/{tenant.space_slug}").status == 204


def test_a_cursor_continues_only_its_own_list(tenant: Tenant, stranger: Tenant) -> None:
    # Given more spaces than fit on a page
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    for number in range(3):
        tenant.client.post(spaces, {"slug": f"s{number}", "name": "s"})
    # When they are read two at a time
    first = tenant.client.get(spaces + "?limit=2").json
    second = tenant.client.get(f"{spaces}?limit=2&cursor={first['next_cursor']}").json
    # Then each is listed once
    slugs = [space["slug"] for space in first["items"] + second["items"]]
    assert slugs == ["acme", "s0", "s1", "s2"]
    assert second["next_cursor"] is None
    # And the cursor does not work for another list or tenant, or after it was altered
    cursor = first["next_cursor"]
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys?cursor={cursor}"
    assert tenant.client.get(keys).code == "INVALID_CURSOR"
    foreign = f"/v1/organizations/{stranger.organization_id}/spaces?cursor={cursor}"
    assert stranger.client.get(foreign).code == "INVALID_CURSOR"
    for wrong in (cursor[:-6] + "AAAAAA", "x", "%00", "é", ""):
        answer = tenant.client.get(f"{spaces}?cursor={wrong}")
        assert answer.code == "INVALID_CURSOR", wrong


def test_a_key_is_shown_once_and_works_until_it_is_revoked(tenant: Tenant) -> None:
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    issued = tenant.client.post(keys, {"name": "ci", "permissions": [READ]}).json
    # The secret is only in this response
    assert issued["key"].startswith(f"pb_{issued['prefix']}_")
    read = tenant.client.get(f"{keys}/{issued['id']}").json
    assert "key" not in read
    assert issued["key"] not in tenant.client.get(keys).text
    # It works, with its permissions and no others
    reader = tenant.client.with_key(issued["key"])
    assert reader.get(f"/spaces/{tenant.space_slug}").status == 200
    refused = reader.patch(f"/spaces/{tenant.space_slug}", {"name": "x"})
    assert refused.code == "PERMISSION_DENIED"
    assert refused.json["error"]["details"] == {"permission": MANAGE}
    # After its revocation it is rejected, as soon as it has left the authorizer's cache
    assert tenant.client.delete(f"{keys}/{issued['id']}").status == 204
    start_cold("authorizer")
    assert reader.get(f"/spaces/{tenant.space_slug}").code == "UNAUTHENTICATED"
    assert tenant.client.delete(f"{keys}/{issued['id']}").code == "API_KEY_NOT_FOUND"


def test_a_key_can_not_grant_a_permission_that_it_lacks(tenant: Tenant) -> None:
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    refused = tenant.client.post(keys, {"name": "up", "permissions": [READ, ADMIN]})
    assert refused.code == "PERMISSION_DENIED"
    manager = tenant.client.with_key(issue(tenant, MANAGE))
    refused = manager.post(keys, {"name": "up", "permissions": [WRITE_EVENTS]})
    assert refused.code == "PERMISSION_DENIED"
    assert len(tenant.client.get(keys).json["items"]) == 2


def test_an_expired_key_is_rejected(tenant: Tenant) -> None:
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    past = {"name": "old", "permissions": [READ], "expires_at": "2020-01-01T00:00:00Z"}
    assert tenant.client.post(keys, past).pointers == ["/expires_at"]
    future = {**past, "expires_at": "2999-01-01T00:00:00Z"}
    assert tenant.client.post(keys, future).json["expires_at"] == "2999-01-01T00:00:00.000Z"


def api_keys() -> ApiKeyStore:
    return Deployment().api_keys


@pytest.mark.parametrize("who", ["tenant", "operator"])
def test_a_key_can_not_issue_one_that_expires_later(
    tenant: Tenant, operator: Tenant, who: str
) -> None:
    # Given a key that expires, of a tenant or of the operator
    owner, permissions = {"tenant": (tenant, [READ, MANAGE]), "operator": (operator, [ADMIN])}[who]
    end = utc_now() + timedelta(days=30)
    new = NewApiKey(name="CI", permissions=[*map(Permission, permissions)], expires_at=end)
    issued = api_keys().issue(owner.organization_id, new, "test", Stamp.fresh(utc_now()))
    issuer = Client(issued.key)
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    asked = {"name": "next", "permissions": [READ]}
    # When it issues one that expires later, or never
    for later in (None, to_text(end + timedelta(seconds=1))):
        refused = issuer.post(keys, {**asked, "expires_at": later})
        # Then that is refused, and the message has the latest expiry
        assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
        assert refused.pointers == ["/expires_at"]
        assert to_text(end) in refused.text
    # And one with the same expiry is issued, without permissions that the issuer lacks
    good = {**asked, "expires_at": to_text(end)}
    assert issuer.post(keys, good).status == 201
    if who == "tenant":
        assert issuer.post(keys, {**good, "permissions": [ADMIN]}).code == "PERMISSION_DENIED"


def test_a_key_that_was_just_revoked_issues_no_key(tenant: Tenant) -> None:
    # Given a revoked key that is still in an authorizer's cache
    store = api_keys()
    new = NewApiKey(name="CI", permissions=[Permission.MANAGE])
    own = store.issue(tenant.organization_id, new, "test", Stamp.fresh(utc_now()))
    remembered = Principal(tenant.organization_id, own.id, frozenset(own.permissions))
    current = store.get(tenant.organization_id, own.id)
    store.revoke(current)
    # Then it is rejected, whether it was revoked before or during the request
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    before = tenant.client.get(keys).json
    with pytest.raises(Unauthenticated):
        store.issue_for(remembered, tenant.organization_id, new, Stamp.fresh(utc_now()))
    with pytest.raises(Unauthenticated):
        store.issue(tenant.organization_id, new, own.id, Stamp.fresh(utc_now()), issuer=current)
    assert tenant.client.get(keys).json == before


def test_without_a_valid_key_every_route_is_closed(tenant: Tenant) -> None:
    url = f"/spaces/{tenant.space_slug}"
    prefix = (tenant.client.key or "")[:12]
    for key in (None, "", "nonsense", f"{prefix}{'A' * 43}", "pb_aaaaaaaa_" + "A" * 43):
        answer = tenant.client.with_key(key).get(url)
        assert answer.status == 401, key
        assert answer.code == "UNAUTHENTICATED"
        assert answer.headers["www-authenticate"] == "Bearer"


def test_bad_input_names_the_field_and_stores_nothing(tenant: Tenant) -> None:
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    before = tenant.client.get(spaces).text
    cases = [
        ({"slug": "ok"}, ["/name"]),
        ({"slug": "No Spaces", "name": "n"}, ["/slug"]),
        ({"slug": "ok", "name": 7}, ["/name"]),
        ({"slug": "ok", "name": "n", "a/b": 1}, ["/a~1b"]),
        ({"slug": "ok", "name": "  "}, ["/name"]),
        ([], [""]),
    ]
    for body, pointers in cases:
        answer = tenant.client.post(spaces, body)
        assert answer.code == "VALIDATION_ERROR"
        assert answer.pointers == pointers
    for text in ("{", '{"slug": NaN}', '{"slug": "a", "slug": "b"}', "", "[" * 3000, '"\\ud800"'):
        assert tenant.client.call("POST", spaces, text).code == "INVALID_JSON", text
    large = '{"slug": "ok", "name": "' + "x" * 262_144 + '"}'
    assert tenant.client.call("POST", spaces, large).code == "PAYLOAD_TOO_LARGE"
    for query, pointer in (("limit=0", "limit"), ("limit=5&limit=6", "limit"), ("x=1", "x")):
        assert tenant.client.get(f"{spaces}?{query}").pointers == [f"/query/{pointer}"]
    assert tenant.client.get(spaces).text == before


def test_an_unknown_path_is_404_and_a_wrong_method_405(tenant: Tenant) -> None:
    assert tenant.client.get("/nowhere").code == "NOT_FOUND"
    wrong = tenant.client.call("PUT", f"/spaces/{tenant.space_slug}", "{}")
    assert wrong.code == "METHOD_NOT_ALLOWED"
    assert wrong.headers["allow"] == "DELETE, GET, PATCH"


def test_names_are_printable_lines(tenant: Tenant) -> None:
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    for name in ("a\u0000b", "a\nb", "a\u202eb", "\u0085"):
        answer = tenant.client.post(spaces, {"slug": "ok", "name": name})
        assert answer.pointers == ["/name"]


def test_an_id_that_is_longer_than_any_key_is_not_found(tenant: Tenant, operator: Tenant) -> None:
    long = "a" * 3000
    for path in (f"/spaces/{long}", f"/v1/catalog/{long}/b", f"/v1/integrations/{long}"):
        assert tenant.client.get(path).status == 404, path[:20]
    assert operator.client.get(f"/v1/organizations/{long}").code == "ORGANIZATION_NOT_FOUND"


def test_an_unknown_query_parameter_is_refused(tenant: Tenant) -> None:
    assert tenant.client.get("/spaces/acme?x=1").pointers == ["/query/x"]
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    for number in ("1.0", "5_0", "+5", " 5", "٥"):
        assert tenant.client.get(f"{spaces}?limit={number}").pointers == ["/query/limit"], number


def test_a_key_can_not_revoke_one_with_more_permissions(tenant: Tenant) -> None:
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    [own] = tenant.client.get(keys).json["items"]
    manager = tenant.client.with_key(issue(tenant, MANAGE))
    assert manager.delete(f"{keys}/{own['id']}").code == "PERMISSION_DENIED"
    assert tenant.client.delete(f"{keys}/{own['id']}", if_match='"9"').status == 412
    assert tenant.client.delete(f"{keys}/{own['id']}", if_match='"1"').status == 204


def test_the_last_page_has_no_cursor(tenant: Tenant) -> None:
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    for number in range(3):
        tenant.client.post(spaces, {"slug": f"p{number}", "name": "p"})
    page = tenant.client.get(f"{spaces}?limit=4").json
    assert (len(page["items"]), page["next_cursor"]) == (4, None)


def test_a_space_is_paused_and_resumed(tenant: Tenant) -> None:
    path = f"/spaces/{tenant.space_slug}"
    assert tenant.client.get(path).json["paused"] is False
    answer = tenant.client.patch(path, {"paused": True})
    assert (answer.status, answer.json["paused"], answer.json["name"]) == (200, True, "acme")
    assert tenant.client.get(path).json["paused"] is True
    marks = Table("IntegrationsTable").query_all
    assert [mark["sk"] for mark in marks(PAUSED)] == [f"SPACE#{tenant.space_id}"]
    assert tenant.client.patch(path, {"paused": False}).json["paused"] is False
    assert list(marks(PAUSED)) == []
    assert tenant.client.patch(path, {"paused": None}).pointers == ["/paused"]
    assert tenant.client.patch(path, {"name": None}).pointers == ["/name"]


def test_only_the_operator_pauses_an_organization(operator: Tenant, tenant: Tenant) -> None:
    path = f"/v1/organizations/{tenant.organization_id}"
    assert tenant.client.patch(path, {"paused": True}).code == "PERMISSION_DENIED"
    tag = operator.client.get(path).headers["etag"]
    paused = operator.client.patch(path, {"paused": True}, if_match=tag)
    assert (paused.status, paused.json["paused"]) == (200, True)
    assert operator.client.patch(path, {"name": "x"}, if_match=tag).code == "PRECONDITION_FAILED"
    renamed = operator.client.patch(path, {"name": "Acme Ltd"})
    assert (renamed.json["name"], renamed.json["paused"]) == ("Acme Ltd", True)
    assert tenant.client.get(path).json == renamed.json
    nowhere = f"/v1/organizations/org_{'0' * 26}"
    assert operator.client.patch(nowhere, {"paused": True}).code == "ORGANIZATION_NOT_FOUND"


def test_a_customer_is_found_by_its_external_id(operator: Tenant, tenant: Tenant) -> None:
    organizations = "/v1/organizations"
    # Given two customers with the ids of the operator's own system
    made = [
        operator.client.post(organizations, {"name": name, "external_id": external_id}).json
        for name, external_id in (("Initech", "customer/47 11"), ("Globex", "Kunde é"))
    ]
    assert [one["external_id"] for one in made] == ["customer/47 11", "Kunde é"]
    # Then each is found by its own, exactly
    for one in made:
        found = operator.client.get(f"{organizations}?external_id={quote(one['external_id'])}")
        assert found.json == {"items": [one], "next_cursor": None}
        assert operator.client.get(f"{organizations}/{one['id']}").json == one
    for other in ("Customer/47 11", "customer/47", "KUNDE É", "x" * 255):
        found = operator.client.get(f"{organizations}?external_id={quote(other)}")
        assert found.json["items"] == [], other
    both = f"{organizations}?external_id={quote('Kunde é')}&q="
    assert operator.client.get(f"{both}GLOB").json["items"] == [made[1]]
    assert operator.client.get(f"{both}tech").json["items"] == []
    # And who is not the operator finds nobody
    assert tenant.client.get(f"{organizations}?external_id=x").code == "PERMISSION_DENIED"
    own = tenant.client.get(f"{organizations}/{tenant.organization_id}").json
    assert own["external_id"] is None


def test_an_external_id_belongs_to_one_organization_until_it_is_given_up(operator: Tenant) -> None:
    organizations = "/v1/organizations"
    one, two = (
        operator.client.post(organizations, {"name": name, "external_id": name}).json
        for name in ("one", "two")
    )
    path = f"{organizations}/{two['id']}"
    # Neither a create nor a change takes one that is taken
    again = operator.client.post(organizations, {"name": "again", "external_id": "one"})
    taken = operator.client.patch(path, {"external_id": "one", "name": "Two"})
    for refused in (again, taken):
        assert (refused.status, refused.code) == (409, "EXTERNAL_ID_TAKEN")
        assert refused.json["error"]["details"] == {"organization_id": one["id"]}
    assert operator.client.get(path).json == two
    # An edit that leaves it as it is changes nothing
    unchanged = operator.client.patch(path, {"external_id": "two"})
    assert (unchanged.json, unchanged.headers["etag"]) == (two, '"1"')
    # A changed one frees the old one, and so does null
    assert operator.client.patch(path, {"external_id": "zwei"}).json["external_id"] == "zwei"
    assert operator.client.get(f"{organizations}?external_id=two").json["items"] == []
    assert operator.client.patch(path, {"external_id": None}).json["external_id"] is None
    for free in ("two", "zwei"):
        assert operator.client.post(organizations, {"name": "n", "external_id": free}).status == 201
    assert operator.client.patch(path, {"external_id": None, "name": None}).pointers == ["/name"]


def test_external_ids_are_bounded_lines(operator: Tenant) -> None:
    for bad in ("", " ", "x" * 256, "a\nb", "a\u202eb", 4711, ["a"]):
        refused = operator.client.post("/v1/organizations", {"name": "n", "external_id": bad})
        assert refused.pointers == ["/external_id"], bad
    for bad in ("", "%20", "x" * 256, "a%0Ab"):
        refused = operator.client.get(f"/v1/organizations?external_id={bad}")
        assert refused.pointers == ["/query/external_id"], bad
    longest = "\U0001f600" * 255
    made = operator.client.post("/v1/organizations", {"name": "n", "external_id": longest})
    found = operator.client.get(f"/v1/organizations?external_id={quote(longest)}")
    assert found.json["items"] == [made.json]


def test_of_many_who_want_one_external_id_at_once_one_gets_it(operator: Tenant) -> None:
    organizations = "/v1/organizations"
    mine = [operator.client.post(organizations, {"name": f"n{n}"}).json for n in range(4)]

    def take(number: int) -> int:
        patch = {"external_id": "wanted"}
        if number < len(mine):
            return operator.client.patch(f"{organizations}/{mine[number]['id']}", patch).status
        return operator.client.post(organizations, {"name": "new", **patch}).status

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(take, range(8)))
    assert statuses.count(409) == 7, statuses
    [holder] = operator.client.get(f"{organizations}?external_id=wanted").json["items"]
    listed = operator.client.get(f"{organizations}?limit=100").json["items"]
    assert [one for one in listed if one["external_id"] == "wanted"] == [holder]


def test_a_claim_that_a_restore_left_behind_finds_nobody(
    operator: Tenant, deployed: dict[str, Table]
) -> None:
    organizations = "/v1/organizations"
    made = operator.client.post(organizations, {"name": "n", "external_id": "old"}).json
    # Given that its claim was lost, and another one names it that is not its own
    table = deployed["IntegrationsTable"]
    table.write(Delete(external_id_key("old")))
    stale = {**external_id_key("stale")._asdict(), "organization_id": made["id"]}
    table.write(Put(stale))
    assert operator.client.get(f"{organizations}?external_id=stale").json["items"] == []
    # Then it can have either, and give it up
    path = f"{organizations}/{made['id']}"
    for external_id in ("stale", "old", None):
        assert operator.client.patch(path, {"external_id": external_id}).status == 200
    assert table.get(external_id_key("stale")) is table.get(external_id_key("old")) is None


def test_organizations_are_searched_by_a_part_of_the_name(operator: Tenant) -> None:
    for name in ("Acme Ltd", "acme GmbH", "Globex"):
        operator.client.post("/v1/organizations", {"name": name})
    found = operator.client.get("/v1/organizations?q=ACME").json
    assert [one["name"] for one in found["items"]] == ["Acme Ltd", "acme GmbH"]
    # A cursor continues only the search that it is of
    first = operator.client.get("/v1/organizations?q=acme&limit=1").json
    cursor = f"cursor={first['next_cursor']}"
    second = operator.client.get(f"/v1/organizations?q=acme&limit=1&{cursor}").json
    assert [one["name"] for one in second["items"]] == ["acme GmbH"]
    for other in ("q=globex", "external_id=a", "limit=2"):
        refused = operator.client.get(f"/v1/organizations?{other}&{cursor}")
        assert refused.code == "INVALID_CURSOR", other
    refused = operator.client.get("/v1/organizations?name=Acme")
    assert refused.problems == [("/query/name", "is not a known field")]


@pytest.mark.enable_socket
def test_support_reads_and_tests_and_changes_nothing(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    # Given a key for support
    support = tenant.client.with_key(issue(tenant, READ, TEST))
    names = names_of(tenant, "acme/crm").and_(
        {
            "source_id": connection["source_id"],
            "destination_id": f"dst_{NEVER_MADE}",
            "connection_id": connection["id"],
        }
    )
    tests = [route for route in ROUTES if f"`{TEST}`" in route.operation["description"]]
    assert {route.name for route in tests} == {
        *("check_source", "check_destination", "check_connection"),
        *("dry_run", "dry_run_source", "dry_run_destination", "get_test_progress"),
    }
    for route in tests:
        # Then it may test what is connected, and what is not stored
        body = names.body(route)
        text = None if body is None else json.dumps(body)
        answer = support.call(route.method, names.path(route), text)
        assert answer.status in (200, 400, 404), (route, answer.text)
        # Which reading alone does not allow
        reader = tenant.client.with_key(issue(tenant, READ))
        refused = reader.call(route.method, names.path(route), text)
        assert refused.json["error"]["details"] == {"permission": TEST}, route
    # And nothing that changes anything but its own sessions, nor the operation of the contract
    for route in ROUTES:
        own = route.path.startswith("/v1/browser-sessions")
        if route.method != "GET" and route not in tests and not own:
            answer = support.call(route.method, re.sub(r"{\w+}", "x", route.path), None)
            reads = f"`{READ}`" in route.operation["description"]
            assert reads or answer.status == 403, route
