"""Every route of the document, called by another tenant with real ids: nothing is told or changed.

The routes come from the document, so a new one is tried by itself. What fills its parameters and
its body is in `Filling`; a route that can't be filled fails here until it is.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.openapi import DOCUMENT
from patchbay.health.model import EventStatus
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table, connect
from tests.integration.alerting import (
    RATE,
    alerts,
    create_rule,
    deliveries,
    evaluate,
    report,
    rule,
    webhook,
)
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.story import create_connection, create_source, publish_integration

RULE: dict[str, Any] = rule(
    channels=[webhook("https://127.0.0.1:1024/hook"), {"kind": "eventbridge"}]
)
NEVER_MADE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    operation: dict[str, Any]

    @property
    def parameters(self) -> list[str]:
        return [p["name"] for p in self.operation.get("parameters", []) if p["in"] == "path"]

    @property
    def query(self) -> list[str]:
        return [p["name"] for p in self.operation.get("parameters", []) if p["in"] == "query"]

    @property
    def required(self) -> list[str]:
        """The query parameters that have to be given."""
        parameters = self.operation.get("parameters", [])
        return [p["name"] for p in parameters if p["in"] == "query" and p.get("required")]

    @property
    def names_anything(self) -> bool:
        return bool(self.parameters or self.required or self.body)

    @property
    def body(self) -> str | None:
        """The name of its body's schema."""
        if "requestBody" not in self.operation:
            return None
        schema = self.operation["requestBody"]["content"]["application/json"]["schema"]
        name: str = schema["$ref"].rpartition("/")[2]
        return name


def routes() -> Iterator[Route]:
    for path, methods in json.loads(DOCUMENT.read_text())["paths"].items():
        for method, operation in methods.items():
            if operation.get("security"):
                yield Route(method.upper(), path, operation)


ROUTES = list(routes())


@dataclass(frozen=True, slots=True)
class Filling:
    """Names for everything that a route can ask for."""

    names: dict[str, str] = field(default_factory=dict)

    def path(self, route: Route) -> str:
        """The route's path, with the query parameters that it can't do without."""
        # Tests are numbered apart for each kind of what is tested.
        [*_, tested] = re.findall(r"/(source|destination|connection)s/", f"/sources/{route.path}")
        names = self.names | {"test_id": self.names[f"{tested}_test_id"]}
        if "publisher" in route.parameters:
            names["slug"] = names["integration_slug"]
        unknown = {*route.parameters, *route.required} - set(names)
        assert not unknown, f"say in this test what fills {unknown} of {route.path}"
        query = "&".join(f"{name}={names[name]}" for name in route.required)
        return route.path.format(**names) + (f"?{query}" if query else "")

    def body(self, route: Route) -> dict[str, Any] | None:
        if route.body is None:
            return None
        n = self.names
        watching = RULE | {"condition": RATE | {"connection_id": n["connection_id"]}}
        event = {"integration_type": "webhook", "status": "ERROR"}
        bodies: dict[str, dict[str, Any]] = {
            "BacktestRequest": {"rule": watching},
            "ConnectionPatch": {"name": "taken over", "destination_id": n["destination_id"]},
            "TestConnection": {"connectionId": n["connection_id"]},
            "CreateConnection": {
                "tenantId": n["organization_id"],
                "integrationKey": f"{n['publisher']}.{n['integration_slug']}",
                "integrationVersion": 1,
                "label": "taken over",
                "ownershipMode": "managed",
                "secretProvider": "patchbay",
                "secretRef": f"patchbay://{n['source_id']}",
                "config": {"path": "me"},
                "space": n["slug"],
            },
            "DeleteConnection": {"connectionId": n["connection_id"]},
            "DryRun": {"source_id": n["source_id"]},
            "EndpointPatch": {"name": "taken over"},
            "EventBatch": {"events": [event | {"connection_id": n["connection_id"]}]},
            "IntegrationPatch": {"name": "taken over"},
            "NewApiKey": {"name": "taken over", "permissions": ["platform.integration.read"]},
            "NewConnection": {
                "name": "taken over",
                "source_id": n["source_id"],
                "space": n["slug"],
            },
            "NewEndpoint": {
                "name": "taken over",
                "integration": f"{n['publisher']}/{n['integration_slug']}",
                "variables": {"path": "me"},
                "secrets": {"api_key": "key"},
            },
            "NewIntegration": {
                "workspaceId": n["workspaceId"],
                "publisher": n["publisher"],
                "slug": "taken-over",
                "name": "taken over",
            },
            "NewOrganization": {"name": "taken over"},
            "NewAlertRule": watching,
            "NewSpace": {"slug": "taken-over", "name": "taken over"},
            "OrganizationPatch": {"name": "taken over"},
            "Publication": {"version": "9.0.0"},
            "AlertRulePatch": {"name": "taken over", "channels": RULE["channels"]},
            "SpacePatch": {"name": "taken over"},
            "UpdateConnection": {
                "connectionId": n["connection_id"],
                "label": "taken over",
                "config": {"path": "me"},
            },
        }
        assert route.body in bodies, f"say in this test what is a {route.body} ({route.path})"
        return bodies[route.body]


@pytest.fixture
def owned(tenant: Tenant) -> Filling:
    """Everything that the first tenant has, made through the API."""
    roles = {"roles": ["source", "destination"]}
    integration = publish_integration(tenant, manifest=roles)
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
    for _ in range(2):  # one more than a caller of every route makes
        rotated = tenant.client.post(f"/v1/organizations/{tenant.organization_id}/data-keys", None)
        assert rotated.status == 201, rotated.text
    watching = create_rule(tenant, channels=RULE["channels"])
    report(tenant, EventStatus.ERROR, now := utc_now())
    evaluate(now)
    [alert] = alerts(tenant)
    # The one that is over once it was tried, so that it can be sent again
    [delivery] = [
        one for one in deliveries(tenant, alert["id"]) if "eventbridge" in json.dumps(one)
    ]
    keys = f"/v1/organizations/{tenant.organization_id}/api-keys"
    key = tenant.client.post(keys, {"name": "ci", "permissions": ["platform.integration.read"]})
    events = {"events": [{"integration_type": "webhook", "status": "SUCCESS"}]}
    tenant.client.post(f"/spaces/{tenant.space_slug}/integration-events", events)
    return Filling(
        {
            "organization_id": tenant.organization_id,
            "slug": tenant.space_slug,
            "space": tenant.space_slug,
            "workspaceId": tenant.space_id,
            "publisher": "acme",
            "integration_slug": "crm",
            "integration_id": integration["id"],
            "version": "1.0.0",
            "source_id": source["id"],
            "destination_id": destination.json["id"],
            "connection_id": connection["id"],
            "key_id": key.json["id"],
            **tests,
            "number": str(rotated.json["number"]),
            "rule_id": watching["id"],
            "channel_id": watching["channels"][0]["id"],
            "alert_id": alert["id"],
            "delivery_id": delivery["id"],
            "tenantId": tenant.organization_id,
            "confirm": tenant.organization_id,
            "through": "1",
        }
    )


def queued_test(tenant: Tenant, subject: str) -> str:
    answer = tenant.client.post(f"{tenant.connectors}/{subject}/test?mode=async", None)
    assert answer.status == 202, answer.text
    test_id: str = answer.json["id"]
    return test_id


def never_made() -> Filling:
    """Names of the same form that nothing has."""
    prefixes = {"organization": "org", "integration": "int", "source": "src", "key": "key"}
    prefixes |= {"destination": "dst", "connection": "con", "rule": "rul", "channel": "chn"}
    prefixes |= {"alert": "alr", "delivery": "dlv"}
    prefixes |= {f"{tested}_test": "tst" for tested in ("source", "destination", "connection")}
    ids = {f"{thing}_id": f"{prefix}_{NEVER_MADE}" for thing, prefix in prefixes.items()}
    return Filling(
        {
            **ids,
            "slug": "nowhere",
            "space": "nowhere",
            "workspaceId": "5e0125fe-4699-4e36-9fcc-54330afd1709",
            "publisher": "nobody",
            "integration_slug": "nothing",
            "version": "1.0.0",
            "number": "7",
            "tenantId": ids["organization_id"],
            "confirm": ids["organization_id"],
            "through": "7",
        }
    )


def sent(caller: Tenant, route: Route, filling: Filling) -> Answer:
    body = filling.body(route)
    text = None if body is None else json.dumps(body)
    return caller.client.call(route.method, filling.path(route), text)


def whatever_mentions(
    names: Filling, tables: dict[str, Table], but: Sequence[str] = ()
) -> list[str]:
    """Every item of both tables that has to do with a tenant, as texts; `but` those under a key
    with one of these ids."""
    ids = [name for name in names.names.values() if len(name) > 20]
    found = []
    for table in tables:
        for item in connect().scan(TableName=table, ConsistentRead=True)["Items"]:
            text = json.dumps(item, sort_keys=True, default=repr)
            key = item["pk"]["S"]
            if any(one in text for one in ids) and not any(other in key for other in but):
                found.append(text)
    return sorted(found)


OWNERS = ("organization_id", "tenantId", "confirm", "slug", "space", "workspaceId")
"""The names of those who own, and of where they are asked for."""

REFUSED = {"create_integration": 400}
"""A body that names another's space is as invalid as one that names none."""


def test_what_another_tenant_owns_is_not_found_and_not_changed(
    tenant: Tenant, stranger: Tenant, owned: Filling, deployed: dict[str, Table]
) -> None:
    # Given all that the first tenant has
    before = whatever_mentions(owned, deployed)
    assert len(before) > 10
    for route in ROUTES:
        # When another calls the route with its names
        answer = sent(stranger, route, owned)
        # Then, if it names anything of the first, it is refused as if that were not there
        assert whatever_mentions(owned, deployed) == before, route
        if route.names_anything:
            expected = REFUSED.get(route.operation["operationId"])
            assert answer.status in ((expected,) if expected else (403, 404)), (route, answer)
            unknown = sent(stranger, route, never_made())
            assert (answer.status, answer.code) == (unknown.status, unknown.code), route
            assert settled(answer, owned) == settled(unknown, never_made()), route
        else:
            assert told_by(answer, owned) == [], route


@pytest.mark.parametrize(
    "own",
    [("organization_id",), ("slug", "space"), ("workspaceId",), ("tenantId",), OWNERS],
    ids=" ".join,
)
def test_names_of_another_tenant_are_of_no_use_beside_ones_own(
    own: tuple[str, ...],
    tenant: Tenant,
    stranger: Tenant,
    owned: Filling,
    deployed: dict[str, Table],
) -> None:
    # Given names of both tenants: of the caller who owns, of the other what is owned
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
    mixed = Filling({**owned.names, **{name: callers[name] for name in own}})
    # An event of the caller's own space may name any connection: it counts in that space alone.
    theirs = (stranger.space_id,)
    before = whatever_mentions(owned, deployed, but=theirs)
    for route in sorted(ROUTES, key=lambda route: route.method == "DELETE"):
        # When the caller tries every route with them
        answer = sent(stranger, route, mixed)
        # Then what is not the caller's is not found, told or changed
        assert whatever_mentions(owned, deployed, but=theirs) == before, route
        assert answer.status < 500, (route, answer)
        if set(own) & set(route.parameters) and set(route.parameters) - set(own):
            assert answer.status == 404, (route, answer)
        said = mixed.path(route) + json.dumps(mixed.body(route))
        assert told_by(answer, owned, said) == [], route


def test_a_filter_by_what_another_tenant_owns_finds_nothing(
    tenant: Tenant, stranger: Tenant, owned: Filling
) -> None:
    own = {"organization_id": stranger.organization_id, "slug": stranger.space_slug}
    own |= {"tenantId": stranger.organization_id}
    tried = 0
    for route in ROUTES:
        filters = set(route.query) & set(owned.names) - set(route.required)
        for name in filters if route.method == "GET" else ():
            tried += 1
            path = Filling({**owned.names, **own}).path(route)
            path += "&" if "?" in path else "?"
            answer = stranger.client.get(f"{path}{name}={owned.names[name]}")
            assert answer.status in (200, 400, 403, 404)
            assert told_by(answer, owned, owned.names[name]) == [], route
    assert tried > 2


def told_by(answer: Answer, owned: Filling, said: str = "") -> list[str]:
    """The ids of the other tenant that are in an answer, but for those that the caller sent."""
    ids = [name for name in owned.names.values() if len(name) > 20]
    return [one for one in ids if one in answer.text and one not in said]


def settled(answer: Answer, names: Filling) -> str:
    """An answer's error without what differs from call to call, and without the names sent."""
    error = answer.json["error"]
    text = json.dumps([error["message"], error["details"]])
    for name in sorted(names.names.values(), key=len, reverse=True):
        text = text.replace(name, "…")
    return text
