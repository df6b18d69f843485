"""Every route of the document, called by another tenant with real ids: nothing leaks or changes.

Routes and bodies come from the document, and its creates make what the requests name, so a new
route is tried without a line here. `owned` makes by hand only what no create makes.
"""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from patchbay.health.model import EventStatus
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from tests.integration.account import stored_items
from tests.integration.alerting import (
    alerts,
    create_rule,
    deliveries,
    evaluate,
    report,
    rule,
    webhook,
)
from tests.integration.api import Answer
from tests.integration.authorizing import publish_tracker
from tests.integration.conftest import Tenant
from tests.integration.documented import ROUTES, Names, Route, with_what_it_needs
from tests.integration.signing_in import signed_in
from tests.integration.story import create_connection, create_source, publish_integration

RULE: dict[str, Any] = rule(
    channels=[webhook("https://127.0.0.1:1024/hook"), {"kind": "eventbridge"}]
)
NEVER_MADE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def owned(tenant: Tenant) -> Names:
    """Everything that the first tenant has, made through the API."""
    return everything_of(tenant)


def everything_of(tenant: Tenant) -> Names:
    """Makes one of each thing that a tenant may have, through the API."""
    roles = {"roles": ["source", "destination"]}
    integration = publish_integration(tenant, manifest=roles)
    publish_tracker(tenant, 8443)
    source = create_source(tenant)
    destination = tenant.client.post(
        f"{tenant.connectors}/destinations",
        {
            "name": "Our CRM",
            "integration": "acme/crm",
            "variables": {"path": "me"},
            "secrets": {"api_key": "key"},
        },
    )
    assert destination.status == 201, destination.text
    connection = create_connection(tenant, source)
    tests = {
        f"{kind}_test_id": queued_test(tenant, f"{kind}s/{one['id']}")
        for kind, one in (
            ("source", source),
            ("destination", destination.json),
            ("connection", connection),
        )
    }
    followed = {"source_id": source["id"], "progress": "test-that-i-follow"}
    dry_run = tenant.client.post(f"{tenant.connectors}/connections/test", followed)
    assert dry_run.status == 200, dry_run.text
    for _ in range(2):  # one more than a caller of every route makes
        rotated = tenant.client.post(f"/v1/organizations/{tenant.organization_id}/data-keys", None)
        assert rotated.status == 201, rotated.text
    watching = create_rule(tenant, channels=RULE["channels"])
    report(tenant, EventStatus.ERROR, now := utc_now())
    evaluate(now)
    [alert] = alerts(tenant)
    # The one that ends with its first attempt, so that it can be resent
    [delivery] = [
        one for one in deliveries(tenant, alert["id"]) if "eventbridge" in json.dumps(one)
    ]
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    key = tenant.client.post(keys, {"name": "ci", "permissions": ["platform.integration.read"]})
    signed_in(tenant.client.key)
    links = f"/v1/organizations/{tenant.organization_id}/sign-in-links"
    assert tenant.client.post(links, {}).status == 201
    events = {"events": [{"integration_type": "webhook", "status": "SUCCESS"}]}
    tenant.client.post(f"/spaces/{tenant.space_slug}/integration-events", events)
    by_hand = Names.of(
        {
            "organization_id": tenant.organization_id,
            "slug": tenant.space_slug,
            "workspaceId": tenant.space_id,
            "publisher": "acme",
            "integration_slug": "crm",
            "oauth_slug": "tracker",
            "integration_id": integration["id"],
            "version": "1.0.0",
            "source_id": source["id"],
            "destination_id": destination.json["id"],
            "connection_id": connection["id"],
            "key_id": key.json["id"],
            **tests,
            "progress": followed["progress"],
            "number": str(rotated.json["number"]),
            "rule_id": watching["id"],
            "channel_id": watching["channels"][0]["id"],
            "alert_id": alert["id"],
            "delivery_id": delivery["id"],
            "through": "1",
        }
    )

    def make(route: Route, names: Names) -> Any:
        answer = sent(tenant, route, names)
        assert answer.status == 201, (route.name, answer.text)
        return answer.json

    names = by_hand
    for route in ROUTES:
        names = with_what_it_needs(names, route, make)
    return names


def queued_test(tenant: Tenant, subject: str) -> str:
    answer = tenant.client.post(f"{tenant.connectors}/{subject}/test?mode=async", None)
    assert answer.status == 202, answer.text
    test_id: str = answer.json["id"]
    return test_id


def sent(caller: Tenant, route: Route, names: Names) -> Answer:
    body = names.body(route)
    text = None if body is None else json.dumps(body)
    return caller.client.call(route.method, names.path(route), text)


def whatever_mentions(names: Names, tables: dict[str, Table], but: Sequence[str] = ()) -> list[str]:
    """Every item of both tables that mentions a tenant, as text, except items whose key has one of
    the ids in `but`."""
    ids = [name for name in names.names.values() if len(name) > 20]
    found = []
    for table in tables:
        for item in stored_items(table):
            text = json.dumps(item, sort_keys=True, default=repr)
            key = item["pk"]["S"]
            if any(one in text for one in ids) and not any(other in key for other in but):
                found.append(text)
    return sorted(found)


OWNERS = ("organization_id", "tenantId", "confirm", "slug", "space", "workspaceId")
"""The names of owners, in paths, queries, and bodies."""

REFUSED = {"create_integration": 400}
"""A body that names another tenant's space is invalid, as is one without a space."""


def test_what_another_tenant_owns_is_not_found_and_not_changed(
    tenant: Tenant, stranger: Tenant, owned: Names, deployed: dict[str, Table]
) -> None:
    # Given everything that the first tenant has
    before = whatever_mentions(owned, deployed)
    assert len(before) > 10
    for route in ROUTES:
        # When another tenant calls the route with its names
        answer = sent(stranger, route, owned)
        # Then a request that names anything of the first is refused as if that did not exist
        assert whatever_mentions(owned, deployed) == before, route
        if route.names_anything:
            expected = REFUSED.get(route.name)
            assert answer.status in ((expected,) if expected else (403, 404)), (route, answer)
            unknown = sent(stranger, route, owned.never_made())
            assert answer.status == unknown.status, route
            assert not answer.text or answer.code == unknown.code, route
            assert settled(answer, owned) == settled(unknown, owned.never_made()), route
        else:
            assert leaked_by(answer, owned) == [], route


@pytest.mark.parametrize(
    "own",
    [("organization_id",), ("slug", "space"), ("workspaceId",), ("tenantId",), OWNERS],
    ids=" ".join,
)
def test_names_of_another_tenant_are_of_no_use_beside_ones_own(
    own: tuple[str, ...],
    tenant: Tenant,
    stranger: Tenant,
    owned: Names,
    deployed: dict[str, Table],
) -> None:
    # Given names of both tenants: the caller as the owner, and what the other owns
    callers = dict(
        zip(
            OWNERS,
            [
                *(stranger.organization_id, stranger.organization_id, stranger.organization_id),
                *(stranger.space_slug, stranger.space_slug, stranger.space_id),
            ],
            strict=True,
        )
    )
    mixed = Names({**owned.names, **{name: callers[name] for name in own}})
    # An event of the caller's own space may name any connection: it counts in that space alone.
    theirs = (stranger.space_id,)
    before = whatever_mentions(owned, deployed, but=theirs)
    for route in sorted(ROUTES, key=lambda route: route.method == "DELETE"):
        # When the caller tries every route with them
        answer = sent(stranger, route, mixed)
        # Then what is not the caller's is not found, leaked, or changed
        assert whatever_mentions(owned, deployed, but=theirs) == before, route
        assert answer.status < 500, (route, answer)
        if set(own) & set(route.parameters) and set(route.parameters) - set(own):
            assert answer.status == 404, (route, answer)
        said = mixed.path(route) + json.dumps(mixed.body(route))
        assert leaked_by(answer, owned, said) == [], route


def test_a_filter_by_what_another_tenant_owns_finds_nothing(
    tenant: Tenant, stranger: Tenant, owned: Names
) -> None:
    own = {"organization_id": stranger.organization_id, "slug": stranger.space_slug}
    own |= {"tenantId": stranger.organization_id}
    tried = 0
    for route in ROUTES:
        filters = set(route.query) & set(owned.names) - set(route.required)
        for name in filters if route.method == "GET" else ():
            tried += 1
            path = Names({**owned.names, **own}).path(route)
            path += "&" if "?" in path else "?"
            answer = stranger.client.get(f"{path}{name}={owned.names[name]}")
            assert answer.status in (200, 400, 403, 404)
            assert leaked_by(answer, owned, owned.names[name]) == [], route
    assert tried > 2


def leaked_by(answer: Answer, owned: Names, said: str = "") -> list[str]:
    """The ids of the other tenant in an answer, except those that the caller sent."""
    ids = [name for name in owned.names.values() if len(name) > 20]
    return [one for one in ids if one in answer.text and one not in said]


def settled(answer: Answer, names: Names) -> str:
    """An answer's error without what differs between calls, and without the names sent."""
    if not answer.text:
        return str(answer.status)  # to a HEAD
    error = answer.json["error"]
    text = json.dumps([error["message"], error["details"]])
    for name in sorted(names.names.values(), key=len, reverse=True):
        text = text.replace(name, "…")
    return text
