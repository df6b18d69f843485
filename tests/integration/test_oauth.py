"""OAuth applications, and the code flow, over the API and at an authorization server."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import oauth
from local.provider import Provider
from patchbay.connections.keys import application_key
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table, Update
from patchbay.platform.errors import ApplicationUnusable
from tests.integration.account import stored_items
from tests.integration.api import Client, sample_event, start_cold
from tests.integration.authorizing import (
    REDIRECT_URI,
    Journey,
    applications,
    authorization_server,
    decided,
    enter_application,
    outcome,
    publish_tracker,
    query_of,
)
from tests.integration.conftest import Tenant
from tests.integration.leaks import items_of, leaks
from tests.integration.story import publish_integration

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def served(deployed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with authorization_server(tmp_path, monkeypatch) as server:
        yield server


@pytest.fixture
def journey(tenant: Tenant, served: Provider) -> Journey:
    publish_tracker(tenant, served.port)
    enter_application(tenant, served)
    return Journey.of(tenant)


def test_the_sample_event_is_answered_with_a_page(deployed: object) -> None:
    answer = oauth.handler(sample_event("oauth"), None)
    assert answer["statusCode"] == 303
    assert answer["headers"]["Location"] == "/oauth/done/elsewhere"


# ---------------------------------------------------------------- applications


@pytest.fixture
def published(tenant: Tenant) -> dict[str, Any]:
    return publish_tracker(tenant, 8443)


BODY = {
    "integration": "acme/tracker",
    "client_id": "client-1",
    "client_secret": "a-client-secret-0123456789",
}


def test_an_application_is_entered_read_changed_and_deleted(
    tenant: Tenant, published: dict[str, Any]
) -> None:
    made = tenant.client.post(applications(tenant), {**BODY, "scopes": ["issues:read"]})

    assert made.status == 201, made.text
    application = made.json
    id = application["id"]
    assert id == published["id"].replace("int_", "oap_")
    assert application["redirect_uri"] == REDIRECT_URI
    assert application["secrets_set"] == ["client_secret"]
    assert application["sent_to"] == ["https://127.0.0.1:8443"]
    assert application["uses"] == 0
    path = f"{applications(tenant)}/{id}"
    read = tenant.client.get(path)
    assert read.json == application
    assert read.headers["etag"] == made.headers["etag"]
    assert tenant.client.get(applications(tenant)).json["items"] == [application]

    changed = tenant.client.patch(path, {"scopes": None}, if_match=read.headers["etag"])

    assert changed.status == 200, changed.text
    assert changed.json["scopes"] is None
    assert changed.json["secrets_set"] == ["client_secret"]
    again = tenant.client.patch(path, {"scopes": None})
    assert again.headers["etag"] == changed.headers["etag"]
    stale = tenant.client.delete(path, if_match=read.headers["etag"])
    assert stale.status == 412
    assert tenant.client.delete(path).status == 204
    assert tenant.client.get(path).code == "OAUTH_APPLICATION_NOT_FOUND"


def test_no_answer_item_or_log_shows_a_secret(
    tenant: Tenant, published: dict[str, Any], log: io.StringIO
) -> None:
    secret = "cs_live/9f+4eC39HqLyjW~Darjt"
    body = {**BODY, "client_secret": secret}
    path = applications(tenant)
    answers = [
        tenant.client.post(path, body, idempotency_key="once"),
        tenant.client.post(path, body, idempotency_key="once"),
        tenant.client.post(path, {**body, "client_id": "x"}, idempotency_key="once"),
        tenant.client.post(path, body),
        tenant.client.post(path, {**BODY, "private_key": secret}),
        tenant.client.post(path, {**BODY, "client_secret": [secret]}),
        tenant.client.post(path, {**BODY, "client_secret": {"value": secret}}),
        tenant.client.post(path, {**BODY, "client_secret": f" {secret}"}),
        tenant.client.post(path, {**BODY, "client_secret": secret * 400}),
        tenant.client.post(path, {**BODY, "secret": secret}),
        tenant.client.call("POST", path, json.dumps(body)[:-1]),
    ]
    one = f"{path}/{answers[0].json['id']}"
    answers += [
        tenant.client.patch(one, {"client_secret": secret}),
        tenant.client.patch(one, {"client_secret": secret, "shared": None}),
        tenant.client.patch(one, {"client_secret": secret, "client_id": "another"}),
        tenant.client.get(one),
        tenant.client.get(path),
        tenant.client.delete(one),
    ]
    places: dict[str, str | bytes] = {str(n): one.text for n, one in enumerate(answers)}
    places |= dict(items_of(Table("IntegrationsTable"))) | {"log": log.getvalue()}
    assert answers[1].json == answers[0].json
    assert leaks(secret, places) == []


def test_an_organization_has_one_application_of_an_integration(
    tenant: Tenant, stranger: Tenant, published: dict[str, Any]
) -> None:
    assert tenant.client.post(applications(tenant), BODY).status == 201
    second = tenant.client.post(applications(tenant), {**BODY, "client_id": "client-2"})
    assert second.status == 409
    once = {"idempotency_key": "one"}
    # A private integration is nobody else's
    assert stranger.client.post(applications(stranger), BODY).pointers == ["/integration"]
    other = publish_tracker(tenant, 8443, slug="other")
    body = {**BODY, "integration": f"acme/{other['slug']}"}
    first = tenant.client.post(applications(tenant), body, **once)
    repeated = tenant.client.post(applications(tenant), body, **once)
    assert (first.status, repeated.json) == (201, first.json)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"client_secret": "********"}, "/client_secret"),
        ({"client_secret": " padded-secret"}, "/client_secret"),
        ({"client_secret": None}, "/client_secret"),
        ({"client_id": ""}, "/client_id"),
        ({"client_id": "bäd"}, "/client_id"),
        ({"client_id": "line\nbreak"}, "/client_id"),
        ({"private_key": "not a key"}, "/private_key"),
        ({"scopes": ["a b"]}, "/scopes/0"),
        ({"scopes": ['"']}, "/scopes/0"),
        ({"variables": {"host": "example.com"}}, "/variables/host"),
        ({"redirect_uri": "https://evil.example/"}, "/redirect_uri"),
        ({"integration": "acme/unknown"}, "/integration"),
    ],
)
def test_what_an_application_may_not_be(
    tenant: Tenant, published: dict[str, Any], changes: dict[str, Any], pointer: str
) -> None:
    refused = tenant.client.post(applications(tenant), {**BODY, **changes})
    assert refused.status == 400
    assert pointer in refused.pointers
    assert BODY["client_secret"] not in refused.text


def test_an_integration_without_oauth_has_no_application(tenant: Tenant) -> None:
    publish_integration(tenant)
    refused = tenant.client.post(applications(tenant), {**BODY, "integration": "acme/crm"})
    assert refused.pointers == ["/integration"]


def test_only_the_owner_of_an_integration_shares_an_application(
    tenant: Tenant, stranger: Tenant
) -> None:
    publish_tracker(tenant, 8443, visibility="public")
    theirs = stranger.client.post(applications(stranger), {**BODY, "shared": True})
    assert theirs.pointers == ["/shared"]
    own = stranger.client.post(applications(stranger), BODY)
    assert own.status == 201
    path = f"{applications(stranger)}/{own.json['id']}"
    assert stranger.client.patch(path, {"shared": True}).pointers == ["/shared"]
    assert tenant.client.post(applications(tenant), {**BODY, "shared": True}).status == 201


def test_a_public_client_has_no_secret(tenant: Tenant) -> None:
    publish_tracker(tenant, 8443, authConfig={"clientAuth": "none"})
    body = {**BODY, "client_secret": None}
    made = tenant.client.post(applications(tenant), body)
    assert made.status == 201, made.text
    assert made.json["secrets_set"] == []
    path = f"{applications(tenant)}/{made.json['id']}"
    assert tenant.client.patch(path, {"client_id": "client-2"}).status == 200


def test_another_client_id_needs_its_secret(tenant: Tenant, published: dict[str, Any]) -> None:
    made = tenant.client.post(applications(tenant), BODY)
    path = f"{applications(tenant)}/{made.json['id']}"
    refused = tenant.client.patch(path, {"client_id": "client-2"})
    assert refused.code == "SECRET_REENTRY_REQUIRED"
    assert refused.pointers == ["/client_secret"]
    both = tenant.client.patch(path, {"client_id": "client-2", "client_secret": "another-secret"})
    assert both.status == 200
    assert tenant.client.patch(path, {"client_id": None}).pointers == ["/client_id"]
    assert tenant.client.patch(path, {"client_secret": None}).pointers == ["/client_secret"]


def test_an_application_that_grants_need_is_not_deleted(
    tenant: Tenant, published: dict[str, Any]
) -> None:
    made = tenant.client.post(applications(tenant), BODY)
    path = f"{applications(tenant)}/{made.json['id']}"
    table = Table("IntegrationsTable")
    key = application_key(tenant.organization_id, published["id"])
    table.write(Update(key, values={"uses": 1}))

    refused = tenant.client.delete(path)

    assert (refused.status, refused.code) == (409, "IN_USE")
    assert refused.json["error"]["details"]["uses"] == 1
    other = tenant.client.patch(path, {"client_id": "client-2", "client_secret": "another-secret"})
    assert other.code == "IN_USE"
    # A rotation ends no grant
    assert tenant.client.patch(path, {"client_secret": "another-secret"}).json["uses"] == 1
    table.write(Update(key, values={"uses": 0}))
    assert tenant.client.delete(path).status == 204


def test_the_quota_of_applications(
    tenant: Tenant, published: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_OAUTH_APPLICATIONS", "0")
    start_cold("oauth")
    assert tenant.client.post(applications(tenant), BODY).code == "QUOTA_EXCEEDED"


# ---------------------------------------------------------------- the flow


def test_an_account_is_connected(journey: Journey, served: Provider) -> None:
    # given
    started = journey.start()
    asked = query_of(started.authorization_url)
    assert asked["redirect_uri"] == REDIRECT_URI
    assert asked["scope"] == "issues:read offline_access"
    assert asked["code_challenge_method"] == "S256"
    callback = decided(started.authorization_url)

    # when
    answer = journey.browser.open(callback)

    # then
    assert outcome(answer) == "connected"
    assert answer.headers["location"].endswith(f"?flow={started.id}")
    assert journey.browser.cookies == {}
    obtained = journey.obtained()
    assert obtained.issued.access_token
    assert served.scopes_of(f"Bearer {obtained.issued.access_token}") == (
        "issues:read",
        "offline_access",
    )
    assert obtained.issued.refresh_token
    assert obtained.origin.organization_id == journey.tenant.organization_id
    assert obtained.missing == ()
    assert obtained.fits(journey.release, {})
    assert [request.grant_type for request in served.oauth.token_requests] == ["authorization_code"]
    events = journey.tenant.client.get(
        f"/v1/organizations/{journey.tenant.organization_id}/audit-events?entity=install_session"
    ).json["items"]
    assert events[0]["action"] == "authorized"
    assert events[0]["subject"] == f"install session {journey.session_id}"


def test_what_was_obtained_is_sealed_and_ends(journey: Journey) -> None:
    started = journey.start()
    journey.browser.open(decided(started.authorization_url))
    issued = journey.obtained().issued
    stored = [str(item) for item in stored_items("IntegrationsTable")]
    state = query_of(started.authorization_url)["state"]
    for secret in (issued.access_token, issued.refresh_token, state):
        assert not any(secret in text for text in stored)
    assert journey.obtained(utc_now() + timedelta(minutes=31)) is None


def test_fewer_scopes_than_asked_are_told(journey: Journey) -> None:
    started = journey.start(scopes=["issues:read", "issues:write"])
    answer = journey.browser.open(decided(started.authorization_url, "allow", "issues:read"))
    assert outcome(answer) == "connected"
    assert journey.obtained().missing == ("issues:write",)
    assert journey.obtained().scopes_asked == ("issues:read", "issues:write")


def test_a_person_who_does_not_allow_it_is_told_so(journey: Journey, served: Provider) -> None:
    started = journey.start()
    answer = journey.browser.open(decided(started.authorization_url, "deny"))
    assert outcome(answer) == "denied"
    page = Client(None).get(answer.headers["location"])
    assert "You did not allow access." in page.text
    assert journey.obtained() is None
    assert journey.failure().outcome == "denied"
    assert served.oauth.token_requests == []
    # A second try ends the failure
    journey.browser.open(decided(journey.start().authorization_url))
    assert journey.failure() is None
    assert journey.obtained()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("server_error", "provider-failed"),
        ("temporarily_unavailable", "provider-failed"),
        ("invalid_scope", "scope-refused"),
        ("unauthorized_client", "application-refused"),
        ("login_required", "sign-in-required"),
        ("something_else", "provider-failed"),
    ],
)
def test_errors_of_a_callback_have_words(
    tenant: Tenant, served: Provider, error: str, expected: str
) -> None:
    publish_tracker(tenant, served.port, authConfig={"authorizationParams": {"refusal": error}})
    enter_application(tenant, served)
    journey = Journey.of(tenant)
    answer = journey.browser.open(decided(journey.start().authorization_url))
    assert outcome(answer) == expected


@pytest.mark.parametrize("fault", ["invalid_client", "500", "garbage", "lost", "invalid_grant"])
def test_an_exchange_that_fails_is_told_and_is_not_repeated(
    journey: Journey, served: Provider, fault: str
) -> None:
    served.oauth.faults.append(fault)
    callback = decided(journey.start().authorization_url)

    answer = journey.browser.open(callback)

    assert outcome(answer) == "exchange-failed"
    assert len(served.oauth.token_requests) == 1
    failure = journey.failure()
    assert failure.code
    assert failure.summary
    assert journey.obtained() is None


def test_the_answer_of_a_hostile_provider_has_no_secret_in_the_words(
    tenant: Tenant, served: Provider
) -> None:
    # /echo-like: the provider repeats what it was sent
    publish_tracker(
        tenant, served.port, authConfig={"tokenUrl": f"{served.https_url}/oauth/register"}
    )
    entered = enter_application(tenant, served)
    journey = Journey.of(tenant)
    answer = journey.browser.open(decided(journey.start().authorization_url))
    assert outcome(answer) == "exchange-failed"
    assert entered["client_id"] not in (journey.failure().summary or "")


def test_the_owner_of_an_integration_connects_for_all(
    tenant: Tenant, stranger: Tenant, served: Provider
) -> None:
    publish_tracker(tenant, served.port, visibility="public")
    entered = enter_application(tenant, served, shared=True)
    journey = Journey.of(stranger)
    started = journey.start()
    assert query_of(started.authorization_url)["client_id"] == entered["client_id"]
    assert outcome(journey.browser.open(decided(started.authorization_url))) == "connected"
    assert journey.obtained().origin.organization_id == tenant.organization_id


def test_an_application_of_the_tenant_goes_before_the_shared_one(
    tenant: Tenant, stranger: Tenant, served: Provider
) -> None:
    publish_tracker(tenant, served.port, visibility="public")
    enter_application(tenant, served, shared=True)
    own = enter_application(stranger, served)
    started = Journey.of(stranger).start()
    assert query_of(started.authorization_url)["client_id"] == own["client_id"]


def test_a_captured_value_and_a_lookup_become_variables(tenant: Tenant, served: Provider) -> None:
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["realm", "account"],
        "properties": {"realm": {"type": "string"}, "account": {"type": "string"}},
    }
    publish_tracker(
        tenant,
        served.port,
        variablesSchema=schema,
        authConfig={
            "capture": {"callback": {"realmId": "realm"}},
            "lookup": {
                "url": f"{served.https_url}/accounts",
                "choose": {"from": "", "label": "/name"},
                "captures": {"/id": "account"},
            },
        },
    )
    enter_application(tenant, served)
    journey = Journey.of(tenant)
    assert outcome(journey.browser.open(decided(journey.start().authorization_url))) == "connected"
    obtained = journey.obtained()
    assert set(obtained.captured) == {"realm"}
    assert [choice.label for choice in obtained.choices] == ["Acme Europe", "Acme America"]
    chosen = {**obtained.variables, **obtained.choices[1].captured}
    assert obtained.fits(journey.release, chosen)
    assert not obtained.fits(journey.release, {**chosen, "account": "another"})
    assert not obtained.fits(journey.release, {**chosen, "realm": "another"})


def test_what_was_obtained_is_consumed_once(journey: Journey) -> None:
    from patchbay.grants.code_flow import consumed
    from patchbay.platform.dynamodb import ConditionFailed

    journey.browser.open(decided(journey.start().authorization_url))
    obtained = journey.obtained()
    used_up = consumed(journey.tenant.organization_id, journey.session_id, obtained)
    table = Table("IntegrationsTable")
    table.write(used_up)
    assert journey.obtained() is None
    with pytest.raises(ConditionFailed):
        table.write(used_up)


def test_an_application_and_what_was_obtained_survive_a_new_data_key(journey: Journey) -> None:
    journey.browser.open(decided(journey.start().authorization_url))
    issued = journey.obtained().issued
    keys = f"/v1/organizations/{journey.tenant.organization_id}/data-keys"
    client = journey.tenant.client
    assert client.call("POST", keys, None).status == 201
    assert client.delete(f"{keys}/1").code == "IN_USE"
    resealed = client.call("POST", f"{keys}/reseal?limit=100", None)
    assert (resealed.json["resealed"], resealed.json["unreadable"]) == (2, [])
    assert client.delete(f"{keys}/1").status == 204
    start_cold()
    assert journey.obtained().issued == issued
    assert outcome(journey.browser.open(decided(journey.start().authorization_url))) == "connected"


def test_a_client_secret_whose_data_key_was_deleted_is_entered_again(
    operator: Tenant, journey: Journey
) -> None:
    tenant = journey.tenant
    id = tenant.organization_id
    shred = f"/v1/organizations/{id}/data-keys?through=1&confirm={id}"
    assert operator.client.delete(shred).status == 200
    start_cold()
    with pytest.raises(ApplicationUnusable) as refused:
        journey.start()
    assert refused.value.details["reason"] == "secrets_lost"
    [application] = tenant.client.get(applications(tenant)).json["items"]
    path = f"{applications(tenant)}/{application['id']}"
    assert tenant.client.patch(path, {"client_secret": "a new secret"}).status == 200
    assert journey.start()


def test_the_page_of_an_outcome_is_static_and_safe(deployed: object) -> None:
    from patchbay.grants.flow_outcomes import FlowOutcome

    for one in FlowOutcome:
        page = Client(None).get(f"/oauth/done/{one}?flow={'a' * 32}")
        assert page.status == 200
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert f'data-outcome="{one}"' in page.text
    assert Client(None).get("/oauth/done/unknown").status == 404


def test_an_integration_needs_an_application(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    with pytest.raises(ApplicationUnusable) as refused:
        Journey.of(tenant).start()
    assert refused.value.details["reason"] == "missing"


def test_an_integration_of_keys_has_no_flow(tenant: Tenant) -> None:
    from patchbay.platform.errors import InvalidInput
    from tests.integration.authorizing import new_session

    publish_integration(tenant)
    journey = Journey(tenant, new_session(tenant, "acme/crm"))
    with pytest.raises(InvalidInput):
        journey.start()
