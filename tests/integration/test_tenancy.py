"""Organizations, spaces, and API keys over the API."""

from datetime import timedelta

import pytest

import tenancy
from patchbay.deployment import Deployment
from patchbay.platform.clock import to_text, utc_now
from patchbay.platform.errors import Unauthenticated
from patchbay.platform.ids import Stamp
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.api_key_store import ApiKeyStore
from patchbay.tenancy.model import NewApiKey
from tests.integration.api import Client, sample_event, start_cold
from tests.integration.conftest import Tenant

READ, MANAGE = "platform.integration.read", "platform.integration.manage"
ADMIN, WRITE_EVENTS = "platform.admin", "platform.events.write"


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
    assert tenant.client.patch(path, {"paused": False}).json["paused"] is False
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
