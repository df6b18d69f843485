"""Grants: tokens are renewed when they must be, once, and their state is shown."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import checks
import connections
from local.provider import Provider
from patchbay.connections.keys import grant_key
from patchbay.grants.timing import LEASE, SKEW
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from tests.integration.api import Answer, start_cold
from tests.integration.authorizing import REDIRECT_URI, authorization_server, publish_tracker
from tests.integration.conftest import Tenant

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def served(
    deployed: dict[str, Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Provider]:
    with authorization_server(tmp_path, monkeypatch) as server:
        yield server


def pasted(served: Provider, **settings: Any) -> dict[str, str]:
    """The secrets of an account that was connected elsewhere: no access token among them."""
    client = served.oauth.register(REDIRECT_URI)
    tokens = served.oauth.granted(client, **settings)
    assert client.secret
    return {
        "refresh_token": tokens["refresh_token"],
        "client_id": client.id,
        "client_secret": client.secret,
    }


def create(tenant: Tenant, secrets: dict[str, str], query: str = "") -> Answer:
    body = {"name": "Tracker", "integration": "acme/tracker", "secrets": secrets}
    return tenant.client.post(f"{tenant.connectors}/sources{query}", body)


def created(tenant: Tenant, secrets: dict[str, str]) -> str:
    """The path of a source with these secrets."""
    answer = create(tenant, secrets)
    assert answer.status == 201, answer.text
    return f"{tenant.connectors}/sources/{answer.json['id']}"


def check(tenant: Tenant, path: str) -> dict[str, Any]:
    answer = tenant.client.post(f"{path}/test", {})
    assert answer.status == 200, answer.text
    test: dict[str, Any] = answer.json
    return test


def grant_of(tenant: Tenant, path: str) -> dict[str, Any]:
    answer = tenant.client.get(f"{path}/grant")
    assert answer.status == 200, answer.text
    grant: dict[str, Any] = answer.json
    return grant


def later(served: Provider, **by: float) -> None:
    """Lets time go by, for the provider and for functions that start now."""
    served.oauth.later(timedelta(**by).total_seconds())
    start_cold("checks", "connections")
    passed = timedelta(seconds=served.oauth._later)
    for function in (checks, connections):
        function.deployment.clock = lambda: utc_now() + passed


def refreshes(served: Provider) -> int:
    return len(served.oauth.token_requests)


def stored(tenant: Tenant, path: str) -> dict[str, Any]:
    item = Table("IntegrationsTable").get(
        grant_key(tenant.organization_id, path.rpartition("/")[2])
    )
    assert item
    return item


def test_the_first_test_begins_a_grant_and_later_ones_share_it(
    tenant: Tenant, served: Provider
) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    missing = tenant.client.get(f"{path}/grant")
    assert (missing.status, missing.code) == (404, "GRANT_NOT_FOUND")

    assert check(tenant, path)["status"] == "succeeded"
    assert check(tenant, path)["status"] == "succeeded"

    assert refreshes(served) == 1
    grant = grant_of(tenant, path)
    assert (grant["status"], grant["required_action"], grant["generation"]) == ("active", "none", 1)
    assert (grant["connected_through"], grant["renewable"]) == ("secrets", True)
    assert (grant["end"], grant["failure"], grant["warnings"]) == (None, None, [])
    assert grant["expires_at"] > grant["renewed_at"]


def test_a_token_is_renewed_before_it_ends(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    check(tenant, path)
    later(served, minutes=58)

    assert check(tenant, path)["status"] == "succeeded"
    assert grant_of(tenant, path)["generation"] == 2


def test_tests_at_the_same_time_refresh_once(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    grants = checks.deployment.grants  # built once, before threads use it
    assert grants

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: check(tenant, path)["status"], range(4)))

    assert results == ["succeeded"] * 4
    assert refreshes(served) == 1


def test_a_token_that_was_revoked_early_is_renewed_once_and_no_storm_follows(
    tenant: Tenant, served: Provider
) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    check(tenant, path)
    served.oauth.end_access()

    assert check(tenant, path)["status"] == "succeeded"
    assert refreshes(served) == 2

    # A provider that refuses every token is not asked for more and more of them.
    for _ in range(3):
        served.oauth.end_access()
        assert check(tenant, path)["code"] == "auth_invalid"
    assert refreshes(served) == 2
    later(served, minutes=16)
    served.oauth.end_access()
    assert check(tenant, path)["status"] == "succeeded"


def test_a_refused_refresh_token_ends_the_grant(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    check(tenant, path)
    later(served, hours=2)
    served.oauth.faults = ["invalid_grant"]

    test = check(tenant, path)

    assert (test["code"], test["blame"]) == ("auth_expired", "customer")
    assert test["steps"][-1]["field_pointer"] == "/secrets/refresh_token"
    assert test["steps"][-1]["summary"] == (
        "The provider does not accept the refresh token any more: connect the account again."
    )
    grant = grant_of(tenant, path)
    assert (grant["status"], grant["required_action"]) == ("reauthorize", "reauthorize")
    assert grant["end"]["reason"] == "refused"
    # And the provider is not asked again.
    before = refreshes(served)
    assert check(tenant, path)["code"] == "auth_expired"
    assert refreshes(served) == before


def test_new_pasted_secrets_replace_an_ended_grant(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    check(tenant, path)
    later(served, hours=2)
    served.oauth.faults = ["invalid_grant"]
    check(tenant, path)

    assert tenant.client.patch(path, {"secrets": pasted(served)}).status == 200

    assert tenant.client.get(f"{path}/grant").code == "GRANT_NOT_FOUND"
    assert check(tenant, path)["status"] == "succeeded"
    assert grant_of(tenant, path)["generation"] == 1


def test_faults_of_the_provider_pause_renewals_and_end_nothing(
    tenant: Tenant, served: Provider
) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    check(tenant, path)
    later(served, minutes=57)
    served.oauth.faults = ["429"]

    # The token is good for three more minutes.
    assert check(tenant, path)["status"] == "succeeded"
    grant = grant_of(tenant, path)
    assert (grant["status"], grant["failure"]["code"]) == ("failing", "rate_limited")
    before = refreshes(served)
    check(tenant, path)
    assert refreshes(served) == before  # Retry-After is obeyed

    later(served, minutes=5)
    served.oauth.faults = ["500"]
    test = check(tenant, path)
    assert (test["code"], test["blame"], test["retryable"]) == ("provider_error", "provider", True)
    assert test["retry_after_seconds"] > 0
    assert grant_of(tenant, path)["required_action"] == "none"

    later(served, minutes=5)
    assert check(tenant, path)["status"] == "succeeded"
    assert grant_of(tenant, path)["failure"] is None


def test_an_answer_that_was_lost_is_said_honestly(tenant: Tenant, served: Provider) -> None:
    # Given a provider that replaced the refresh token, and whose answer never came
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    check(tenant, path)
    later(served, hours=2)
    served.oauth.faults = ["lost"]
    assert check(tenant, path)["code"] == "connection_reset"
    assert grant_of(tenant, path)["status"] == "failing"

    # Then it is tried once more, after the pause, and the provider's refusal ends the grant
    later(served, minutes=5)
    assert check(tenant, path)["code"] == "auth_revoked"
    end = grant_of(tenant, path)["end"]
    assert end["reason"] == "answer_lost"
    assert "was interrupted, so a new refresh token may have been lost" in end["message"]


def test_a_process_that_died_leaves_its_lease_and_the_next_one_goes_on(
    tenant: Tenant, served: Provider
) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served, rotates=False))
    check(tenant, path)
    later(served, hours=2)
    ours = checks.deployment
    endpoint_id = path.rpartition("/")[2]
    seen = ours.grant_store.get(tenant.organization_id, endpoint_id)
    assert seen
    ours.grant_store.take(seen, None, "of a dead process", ours.clock(), is_new=False)  # type: ignore[arg-type]

    # While its lease may be held, nobody else calls
    before = refreshes(served)
    test = check(tenant, path)
    assert (test["code"], test["blame"]) == ("budget_exhausted", "platform")
    assert refreshes(served) == before

    later(served, seconds=(LEASE + SKEW).total_seconds() + 1)
    assert check(tenant, path)["status"] == "succeeded"


def test_a_step_that_refreshes_spends_one_refresh_in_a_while(
    tenant: Tenant, served: Provider
) -> None:
    token = {"name": "token", "kind": "oauth2_token", "grant": "refresh_token"}
    whoami = {
        "name": "whoami",
        "kind": "http",
        "request": {"url": f"https://127.0.0.1:{served.port}/me"},
    }
    manifest = {"roles": ["source"], "checks": {"timeoutMs": 5000, "steps": [token, whoami]}}
    publish_tracker(tenant, served.port, manifest=manifest)
    path = created(tenant, pasted(served))

    first, second = check(tenant, path), check(tenant, path)

    assert first["status"] == second["status"] == "succeeded"
    assert refreshes(served) == 1
    summaries = [
        step["summary"]
        for test in (first, second)
        for step in test["steps"]
        if step["name"] == "token"
    ]
    assert summaries[0] == "The provider issued an access token."
    assert summaries[1].startswith("The provider issued an access token at 20")
    later(served, minutes=16)
    assert check(tenant, path)["status"] == "succeeded"
    assert refreshes(served) == 2


def test_a_tested_create_stores_the_refresh_token_that_its_test_obtained(
    tenant: Tenant, served: Provider
) -> None:
    publish_tracker(tenant, served.port)
    answer = create(tenant, pasted(served), "?test=true")
    assert answer.status == 201, answer.text
    path = f"{tenant.connectors}/sources/{answer.json['id']}"

    assert check(tenant, path)["status"] == "succeeded"
    # And an edit that is tested uses the grant.
    edited = tenant.client.patch(f"{path}?test=true", {"name": "Ours"})
    assert edited.status == 200, edited.text
    assert refreshes(served) == 2
    # With another refresh token, it begins again.
    edited = tenant.client.patch(f"{path}?test=true", {"secrets": pasted(served)})
    assert edited.status == 200, edited.text
    assert check(tenant, path)["status"] == "succeeded"


def test_a_dry_run_spends_no_refresh_token(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    body = {"integration": "acme/tracker", "secrets": pasted(served)}
    answer = tenant.client.post(f"{tenant.connectors}/sources/test", body)
    assert (answer.status, answer.json["status"]) == (200, "failed")
    assert refreshes(served) == 0


def test_client_credentials_are_cached_until_they_expire(tenant: Tenant, served: Provider) -> None:
    config = {"grantType": "client_credentials", "scopes": ["issues:read"]}
    publish_tracker(tenant, served.port, authConfig=config)
    client = served.oauth.register(REDIRECT_URI)
    assert client.secret
    path = created(tenant, {"client_id": client.id, "client_secret": client.secret})

    for _ in range(3):
        assert check(tenant, path)["status"] == "succeeded"
    assert refreshes(served) == 1
    later(served, minutes=61)
    assert check(tenant, path)["status"] == "succeeded"
    assert refreshes(served) == 2
    assert grant_of(tenant, path)["ends_at"] is None


@pytest.mark.parametrize("query", ["", "?test=true"])
def test_no_access_token_follows_an_endpoint_to_another_place(
    tenant: Tenant, served: Provider, query: str
) -> None:
    """Who enters other client secrets moves the endpoint, not what was issued for those before."""
    config = {"grantType": "client_credentials", "scopes": ["issues:read"]}
    url = f"https://127.0.0.1:{served.port}/me?of={{{{variables.account}}}}"
    step = {"name": "whoami", "kind": "http", "request": {"method": "GET", "url": url}}
    publish_tracker(
        tenant,
        served.port,
        authConfig=config,
        variablesSchema={
            "type": "object",
            "properties": {"account": {"type": "string"}},
            "required": ["account"],
        },
        manifest={"roles": ["source"], "checks": {"timeoutMs": 5000, "steps": [step]}},
    )
    own, other = (served.oauth.register(REDIRECT_URI) for _ in range(2))
    body = {
        "name": "Tracker",
        "integration": "acme/tracker",
        "variables": {"account": "one"},
        "secrets": {"client_id": own.id, "client_secret": own.secret},
    }
    answer = tenant.client.post(f"{tenant.connectors}/sources", body)
    path = f"{tenant.connectors}/sources/{answer.json['id']}"
    assert check(tenant, path)["status"] == "succeeded"
    assert refreshes(served) == 1

    moved = {
        "variables": {"account": "two"},
        "secrets": {"client_id": other.id, "client_secret": other.secret},
    }
    assert tenant.client.patch(f"{path}{query}", moved).status == 200

    check(tenant, path)
    assert refreshes(served) > 1  # a tested edit obtains one more


def test_fewer_scopes_are_a_warning(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port, authConfig={"scopes": ["issues:read", "issues:write"]})
    path = created(tenant, pasted(served, scopes=("issues:read", "offline_access")))

    test = check(tenant, path)

    assert test["status"] == "succeeded"
    [warning] = [step for step in test["steps"] if step["name"] == "grant"]
    assert (warning["status"], warning["code"]) == ("warning", "scope_missing")
    grant = grant_of(tenant, path)
    assert grant["scopes_missing"] == ["issues:write"]
    assert grant["required_action"] == "grant_permission"


def test_tokens_take_part_in_the_rotation_of_data_keys(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    check(tenant, path)
    keys = f"/v1/organizations/{tenant.organization_id}/data-keys"
    assert tenant.client.post(keys, {}).status == 201
    used = tenant.client.delete(f"{keys}/1")
    assert (used.status, used.code) == (409, "IN_USE")

    resealed = tenant.client.post(f"{keys}/reseal", {}).json

    assert (resealed["resealed"], resealed["unreadable"]) == (2, [])
    assert stored(tenant, path)["data_key"] == 2
    assert tenant.client.delete(f"{keys}/1").status == 204
    start_cold("checks")
    assert check(tenant, path)["status"] == "succeeded"


def test_a_grant_is_removed_and_its_tokens_are_revoked(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    check(tenant, path)

    removed = tenant.client.delete(f"{path}/grant")

    assert (removed.status, removed.json["revocation"]) == (200, "revoked")
    assert served.oauth.revoked[0] == "refresh_token"
    assert tenant.client.get(f"{path}/grant").code == "GRANT_NOT_FOUND"
    assert tenant.client.get(path).json["secrets_set"] == ["client_id", "client_secret"]
    assert tenant.client.delete(f"{path}/grant").status == 404
    trail = tenant.client.get(
        f"/v1/organizations/{tenant.organization_id}/audit-events?entity=grant"
    ).json["items"]
    assert [(one["action"], one["after"]) for one in trail] == [
        ("revoked", {"revocation": "revoked"})
    ]


def test_no_answer_and_no_log_has_a_token(tenant: Tenant, served: Provider, log: Any) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    answers = [str(check(tenant, path)), str(grant_of(tenant, path))]
    answers.append(tenant.client.delete(f"{path}/grant").text)
    for text in (*answers, log.getvalue()):
        assert "rt-" not in text
        assert "at-" not in text.replace("format-", "")
