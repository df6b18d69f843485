"""What the fuzz run asks with: an organization with one of everything, and things to destroy.

A request that is generated from the document names nothing that is there. `World` gives it names
that are: of things that stay (read, tested, listed), of second ones (changed), and of fresh ones
(deleted), so that no request spoils what the next one needs.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from local.client import Client
from patchbay.platform.clock import to_text
from tests.e2e.harness import Stack, Tenant
from tests.e2e.test_alerts import evaluate

type Names = dict[str, Any]
type Operation = str
"""`METHOD /path`, as the document has it."""

UNHEARD_PORT = 9
"""Nothing listens there, so a test of a connection ends at once."""


@dataclass
class World:
    """One organization, and how to make more of each thing; everything by the operator's key."""

    stack: Stack
    tenant: Tenant
    stay: Names = field(default_factory=dict)
    change: Names = field(default_factory=dict)
    keyless: set[Operation] = field(default_factory=set)
    """What was asked without a key."""
    connectable: str = ""
    """An integration that end users can connect an account of, once there is one."""

    @classmethod
    def made(cls, stack: Stack) -> "World":
        tenant = Tenant(stack)
        world = cls(stack, tenant)
        world.stay = world._everything()
        world.change = world.stay | world._second()
        return world

    def names(self, operation: Operation, *, allowed: bool) -> Names:
        """What to fill the request of an operation with; `allowed` is whether the caller may do
        it: what will be refused needs nothing fresh."""
        if allowed and operation in FRESH:
            return self.stay | FRESH[operation](self)
        if operation.startswith("PATCH ") or operation in CHANGING:
            return dict(self.change)
        return dict(self.stay)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Names:
        answer = Client(self.stack.api_url, self.stack.api_key).call(method, path, body)
        assert answer.status < 300, (method, path, answer.problem)
        return answer.body

    def key(self, permission: str) -> str:
        """A key with one permission."""
        key: str = self._new_key([permission])["key"]
        return key

    def _everything(self) -> Names:
        tenant = self.tenant
        integration = self._integration(tenant.slug, publish=True)
        names: Names = {
            "organization_id": tenant.organization_id,
            "tenantId": tenant.organization_id,
            "confirm": tenant.organization_id,
            "through": 1,
            "slug": tenant.slug,
            "space": tenant.slug,
            "workspaceId": tenant.space_id,
            "publisher": tenant.slug,
            "integration_slug": integration["slug"],
            "integration_id": integration["id"],
            "version": "1.0.0",
            "guide": "health",
        }
        self.stay = names
        names |= self._endpoint("source") | self._endpoint("destination")
        names |= self._connection(names)
        for kind in ("source", "destination", "connection"):
            path = f"{tenant.connectors}/{kind}s/{names[f'{kind}_id']}/test"
            names[f"{kind}_test_id"] = self.call("POST", path)["id"]
        names["progress"] = "test-that-i-follow"
        followed = {"source_id": names["source_id"], "progress": names["progress"]}
        self.call("POST", f"{tenant.connectors}/connections/test", followed)
        names |= self._rule()
        self._report()
        now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
        evaluate(self.stack, now)
        alerts = f"/spaces/{tenant.slug}/alerts"
        [alert, *_] = self.call("GET", alerts)["items"]
        deliveries = self.call("GET", f"{alerts}/{alert['id']}/deliveries")["items"]
        [delivery, *_] = [one for one in deliveries if "eventbridge" in json.dumps(one)]
        names |= {"alert_id": alert["id"], "delivery_id": delivery["id"]}
        names["key_id"] = self._new_key(["platform.integration.read"])["id"]
        names["number"] = str(self._rotated() - 1)
        names["session_id"] = self.install_session()["session_id"]
        names["outcome"] = "connected"
        names |= {"token": self._status_page(), "badge": "uptime.svg"}
        return names | self.oauth_application()

    def _second(self) -> Names:
        names = self._endpoint("source") | self._endpoint("destination")
        names |= self._connection(self.stay | names) | self._rule() | self._space()
        names["space"] = self.stay["space"]
        names |= self.oauth_application()
        return names | {"integration_id": self._integration(_slug(), publish=False)["id"]}

    def _space(self) -> Names:
        slug = _slug()
        body = {"slug": slug, "name": "Space"}
        self.call("POST", f"{self.tenant.organization}/spaces", body)
        return {"slug": slug, "rule_id": self._rule(slug)["rule_id"]}

    def empty_space(self) -> Names:
        slug = _slug()
        body = {"slug": slug, "name": "Space"}
        self.call("POST", f"{self.tenant.organization}/spaces", body)
        return {"slug": slug}

    def _status_page(self) -> str:
        """The token of a page that no operation switches off."""
        path = f"/spaces/{self.empty_space()['slug']}"
        page = self.call("PATCH", path, {"status_page": {"enabled": True}})["status_page"]
        return str(page["url"]).rpartition("/")[2]

    def _integration(self, slug: str, *, publish: bool) -> Names:
        url = f"http://127.0.0.1:{UNHEARD_PORT}/{{{{variables.path}}}}"
        steps = [{"name": "whoami", "kind": "http", "request": {"url": url}}]
        made = self.call(
            "POST",
            "/v1/integrations",
            {
                "workspaceId": self.tenant.space_id,
                "publisher": self.tenant.slug,
                "slug": slug,
                "name": "Tracker",
                "variablesSchema": {
                    "properties": {"path": {"type": "string", "x-binding": "free"}}
                },
                "authConfig": {"type": "api_key"},
                "manifest": {"checks": {"timeoutMs": 1000, "steps": steps}},
            },
        )
        if publish:
            path = f"/v1/integrations/{made['id']}/publish"
            self.call("POST", path, {"version": "1.0.0"})
        return made

    def integration(self) -> Names:
        return {"integration_id": self._integration(_slug(), publish=False)["id"]}

    def released_integration(self) -> Names:
        made = self._integration(_slug(), publish=True)
        return {"integration_id": made["id"], "version": "1.0.0"}

    def deleted_integration(self) -> Names:
        names = self.integration()
        self.call("DELETE", f"/v1/integrations/{names['integration_id']}")
        return names

    def oauth_integration(self) -> Names:
        """One that has no OAuth application yet."""
        slug = _slug()
        at = "https://provider.example.com/oauth"
        made = self.call(
            "POST",
            "/v1/integrations",
            {
                "workspaceId": self.tenant.space_id,
                "publisher": self.tenant.slug,
                "slug": slug,
                "name": "Tracker",
                "authConfig": {
                    "type": "oauth2",
                    "authorizationUrl": f"{at}/authorize",
                    "tokenUrl": f"{at}/token",
                },
                "manifest": {},
            },
        )
        self.call("POST", f"/v1/integrations/{made['id']}/publish", {"version": "1.0.0"})
        return {"integration_slug": slug}

    def oauth_application(self) -> Names:
        body = {
            "integration": f"{self.tenant.slug}/{self.oauth_integration()['integration_slug']}",
            "client_id": "client",
            "client_secret": "a client secret",
        }
        made = self.call("POST", f"{self.tenant.organization}/oauth-applications", body)
        return {"application_id": made["id"]}

    def install_session(self, integration: str = "") -> Names:
        """A session that nobody has used, and its token."""
        own = f"{self.stay['publisher']}/{self.stay['integration_slug']}"
        body = {"integration": integration or own}
        made = self.call("POST", f"{self.tenant.organization}/install-sessions", body)
        return {"session_id": made["id"], "install_token": made["token"]}

    def install_token(self, operation: Operation) -> str:
        """The token of a session that an operation of end users can use."""
        connects = operation.endswith("/authorize")
        if connects and not self.connectable:
            self.oauth_application()
            self.connectable = f"{self.tenant.slug}/{_latest()}"
        token = str(self.install_session(self.connectable if connects else "")["install_token"])
        if operation.endswith("/tests/{progress}"):
            values = {"variables": {"path": "me"}, "secrets": {"api_key": "right-key"}}
            body = {**values, "progress": self.stay["progress"]}
            tested = Client(self.stack.api_url, token).call("POST", "/v1/install/test", body)
            assert tested.status == 200, tested.body
        return token

    def _endpoint(self, role: str) -> Names:
        body = {
            "name": "Ours",
            "integration": f"{self.stay['publisher']}/{self.stay['integration_slug']}",
            "variables": {"path": "me"},
            "secrets": {"api_key": "right-key"},
        }
        made = self.call("POST", f"{self.tenant.connectors}/{role}s", body)
        return {f"{role}_id": made["id"]}

    def source(self) -> Names:
        return self._endpoint("source")

    def destination(self) -> Names:
        return self._endpoint("destination")

    def _connection(self, names: Names) -> Names:
        body = {
            "name": "Ours",
            "source_id": names["source_id"],
            "destination_id": names["destination_id"],
            "space": names["space"],
        }
        made = self.call("POST", f"{self.tenant.connectors}/connections", body)
        return {"connection_id": made["id"], "connectionId": made["id"]}

    def connection(self) -> Names:
        return self._connection(self.stay)

    def _rule(self, slug: str | None = None) -> Names:
        body = {
            "name": "Errors",
            "condition": {"kind": "success_rate", "threshold": 60},
            "channels": [
                {"kind": "webhook", "url": "https://127.0.0.1:1024/hook"},
                {"kind": "eventbridge"},
            ],
        }
        path = f"/spaces/{slug or self.tenant.slug}/alert-rules"
        made = self.call("POST", path, body)
        return {"rule_id": made["id"], "channel_id": made["channels"][0]["id"]}

    def rule(self) -> Names:
        return self._rule(self.empty_space()["slug"]) | {"slug": _latest()}

    def _report(self) -> None:
        events = [{"integration_type": "webhook", "status": "ERROR"}] * 20
        path = f"/spaces/{self.tenant.slug}/integration-events"
        self.call("POST", path, {"events": events})

    def _new_key(self, permissions: list[str]) -> Names:
        body = {"name": "fuzz", "permissions": permissions}
        return self.call("POST", f"{self.tenant.organization}/api-keys", body)

    def api_key(self) -> Names:
        return {"key_id": self._new_key(["platform.integration.read"])["id"]}

    def _rotated(self, organization: str | None = None) -> int:
        path = f"{organization or self.tenant.organization}/data-keys"
        self.call("POST", path)
        number: int = self.call("POST", path)["number"]
        return number

    def unused_data_key(self) -> Names:
        return {"number": str(self._rotated() - 1)}

    def doomed_organization(self) -> Names:
        """What seals its secrets can be deleted for good."""
        organization_id = self.call("POST", "/v1/organizations", {"name": "Doomed"})["id"]
        last = self._rotated(f"/v1/organizations/{organization_id}")
        return {"organization_id": organization_id, "confirm": organization_id, "through": last - 1}


_made: list[str] = []


def _slug() -> str:
    _made.append(f"f-{uuid.uuid4().hex[:12]}")
    return _made[-1]


def _latest() -> str:
    return _made[-1]


CONNECTORS = "/v1/organizations/{organization_id}/knowledge/connectors"

FRESH: Mapping[Operation, Callable[[World], Names]] = {
    "DELETE /spaces/{slug}": World.empty_space,
    "DELETE /spaces/{slug}/alert-rules/{rule_id}": World.rule,
    "DELETE /v1/integrations/{integration_id}": World.integration,
    "POST /v1/integrations/{integration_id}/restore": World.deleted_integration,
    "POST /v1/integrations/{integration_id}/publish": World.integration,
    "PATCH /v1/integrations/{integration_id}/versions/{version}": World.released_integration,
    "DELETE /v1/organizations/{organization_id}/api-keys/{key_id}": World.api_key,
    "DELETE /v1/organizations/{organization_id}/data-keys/{number}": World.unused_data_key,
    "DELETE /v1/organizations/{organization_id}/data-keys": World.doomed_organization,
    "DELETE /v1/organizations/{organization_id}": World.doomed_organization,
    f"DELETE {CONNECTORS}/sources/{{source_id}}": World.source,
    f"DELETE {CONNECTORS}/destinations/{{destination_id}}": World.destination,
    f"DELETE {CONNECTORS}/connections/{{connection_id}}": World.connection,
    "POST /integrations/connection/delete/v1.0.0": World.connection,
    "DELETE /v1/organizations/{organization_id}/install-sessions/{session_id}": (
        World.install_session
    ),
    "POST /v1/organizations/{organization_id}/oauth-applications": World.oauth_integration,
    "DELETE /v1/organizations/{organization_id}/oauth-applications/{application_id}": (
        World.oauth_application
    ),
}
"""What an operation uses up."""

CHANGING = frozenset({"POST /integrations/connection/update/v1.0.0"})


def filled(value: Any, names: Names) -> Any:
    """A body with names of what is there wherever it names anything."""
    if isinstance(value, list):
        return [filled(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _filled(name, inner, names) for name, inner in value.items()}


def _filled(name: str, value: Any, names: Names) -> Any:
    if value is None:
        return value
    match name:
        case "slug":
            return _slug()
        case "integration":
            return f"{names['publisher']}/{names['integration_slug']}"
        case "integrationKey":
            return f"{names['publisher']}.{names['integration_slug']}"
        case "integrationVersion":
            return 1
        case "secretRef":
            return f"patchbay://{names['source_id']}"
        case "secretProvider":
            return "patchbay"
        case "secret_ref":
            return None
        case "occurred_at":
            return to_text(datetime.now(UTC).replace(microsecond=0))
        case "variables" | "config":
            return {"path": "me"}
        case "secrets":
            return {"api_key": "right-key"}
        case _ if name in NAMED and not isinstance(value, dict | list):
            return names[name]
        case _:
            return filled(value, names)


NAMED = frozenset(
    {"source_id", "destination_id", "connection_id", "connectionId"}
    | {"tenantId", "workspaceId", "space", "publisher"}
)
