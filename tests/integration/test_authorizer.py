"""The Lambda authorizer: the principal that it attaches, and how long it caches it."""

from datetime import timedelta

import pytest

import authorizer
from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.ids import Stamp
from patchbay.tenancy.access import Permission
from patchbay.tenancy.api_key_store import ApiKeyStore
from patchbay.tenancy.authentication import Authenticator
from patchbay.tenancy.authorizer_context import principal_of
from patchbay.tenancy.model import NewApiKey
from patchbay.tenancy.store import TenancyStore
from tests.integration.api import sample_event, start_cold
from tests.integration.conftest import Tenant


def test_the_sample_event_has_an_unknown_key(deployed: object) -> None:
    # Without a principal, the functions respond with a 401 in the error envelope
    assert authorizer.handler(sample_event("authorizer"), None) == {
        "isAuthorized": True,
        "context": {},
    }


def test_a_key_becomes_its_organization_and_permissions(tenant: Tenant) -> None:
    event = sample_event("authorizer")
    event["headers"]["authorization"] = f"Bearer {tenant.client.key}"
    answer = authorizer.handler(event, None)
    principal = principal_of(answer["context"])
    assert principal is not None
    assert principal.organization_id == tenant.organization_id
    held = {Permission.READ, Permission.MANAGE, Permission.WRITE_EVENTS, Permission.USE}
    assert principal.permissions == held
    # API Gateway passes strings on
    assert all(isinstance(value, str) for value in answer["context"].values())


@pytest.mark.parametrize("scheme", ["Basic", "Bearer2", ""])
def test_another_scheme_has_no_principal(tenant: Tenant, scheme: str) -> None:
    event = sample_event("authorizer")
    event["headers"]["authorization"] = f"{scheme} {tenant.client.key}"
    assert authorizer.handler(event, None)["context"] == {}


def stores() -> tuple[TenancyStore, ApiKeyStore]:
    here = Deployment()
    return here.tenants, here.api_keys


def test_a_revoked_or_expired_key_is_cached_for_a_minute_at_most(tenant: Tenant) -> None:
    # Given a key that was seen just now
    (tenants, keys), now = stores(), utc_now()
    until = now + timedelta(hours=1)
    key = keys.issue(
        tenant.organization_id,
        NewApiKey(name="k", permissions=[Permission.READ], expires_at=until),
        "test",
        Stamp.fresh(now),
    )
    seen = Authenticator(tenants, keys)
    header = f"Bearer {key.key}"
    assert seen.context(header, now) != {}
    # When it is revoked
    keys.revoke(key)
    # Then it works for less than another minute, and in other processes not at all
    assert seen.context(header, now + timedelta(seconds=59)) != {}
    assert seen.context(header, now + timedelta(seconds=60)) == {}
    assert Authenticator(tenants, keys).context(header, now) == {}


def test_a_key_ends_at_its_expiry(tenant: Tenant) -> None:
    (tenants, keys), now = stores(), utc_now()
    until = now + timedelta(hours=1)
    new = NewApiKey(name="k", permissions=[Permission.READ], expires_at=until)
    key = keys.issue(tenant.organization_id, new, "test", Stamp.fresh(now))
    assert keys.holder(key.key, until - timedelta(milliseconds=1)) is not None
    assert keys.holder(key.key, until) is None
    # And an authorizer that has just seen it drops it then
    seen = Authenticator(tenants, keys)
    assert seen.context(f"Bearer {key.key}", until - timedelta(seconds=5)) != {}
    assert seen.context(f"Bearer {key.key}", until) == {}


def unavailable(*_: object) -> None:
    raise TemporarilyUnavailable


def test_during_an_outage_of_the_store_the_caller_gets_a_503(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Table, "get", unavailable)
    answer = tenant.client.get(f"/spaces/{tenant.space_slug}")
    assert answer.status == 503
    assert answer.code == "TEMPORARILY_UNAVAILABLE"
    assert answer.headers["retry-after"] == "1"


def test_an_outage_takes_no_turn_of_callers_without_a_key(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given one unauthenticated request a minute
    monkeypatch.setenv("UNAUTHENTICATED_REQUESTS_PER_MINUTE", "1")
    start_cold("authorizer")
    path = f"/spaces/{tenant.space_slug}"
    # When the store of keys does not respond
    with monkeypatch.context() as out:
        out.setattr(Table, "get", unavailable)
        answers = [tenant.client.get(path) for _ in range(3)]
    # Then each of the tenant's requests is a 503: to try again soon, not when there is a turn
    assert [answer.code for answer in answers] == ["TEMPORARILY_UNAVAILABLE"] * 3
    # And one without a key still has its turn
    nobody = tenant.client.with_key(None)
    assert [nobody.get(path).status for _ in range(2)] == [401, 429]


def test_a_key_above_its_rate_gets_a_429_with_the_time_to_wait(
    tenant: Tenant, stranger: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a limit of two requests a minute
    monkeypatch.setenv("REQUESTS_PER_MINUTE", "2")
    path = f"/spaces/{tenant.space_slug}"
    assert [tenant.client.get(path).status for _ in range(2)] == [200, 200]
    # When there is a third one, of any kind
    refused = tenant.client.patch(path, {"name": "x"})
    # Then it is refused in the error envelope, and nothing is done
    assert (refused.status, refused.code) == (429, "RATE_LIMITED")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    # And other callers are not affected
    assert stranger.client.get(f"/spaces/{stranger.space_slug}").status == 200
    assert tenant.client.with_key("pb_nobody").get(path).status == 401
