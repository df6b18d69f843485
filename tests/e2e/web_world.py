"""An organization that has something to show on every page of the dashboard."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from local.client import Client
from tests.e2e.harness import PATIENT_MS, TENANT, Stack, Tenant

type Say = Callable[[str], str]
"""How a text that people read is worded: as it is, or much longer, in another script, hostile."""

_HOSTILE: Final = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}${7*7}'


def plainly(text: str) -> str:
    return text


def hostile(text: str) -> str:
    """With what would run, if any page took text for HTML. Names have up to 120 characters."""
    return f"{text} {_HOSTILE}"[:120]


def at_length(text: str) -> str:
    return f"{text} of the Northwestern Interdepartmental Reconciliation and Warehouse Team"[:120]


def in_arabic(text: str) -> str:
    return f"تكامل الفواتير والمدفوعات {text}"


class WebWorld:
    """Three spaces with events of a month, connections that work and that don't, a rule and its
    alert, a draft with problems, and a key.

    `port` is that of a provider on loopback. `slug` names the space that has the most to show.
    """

    def __init__(self, stack: Stack, port: int, say: Say = plainly) -> None:
        self._say = say
        self.tenant = tenant = Tenant(stack)
        self.slug = tenant.slug
        self._operate("PATCH", tenant.organization, {"name": say("Initech")})
        self.operator_key = stack.api_key
        self.key = self._issue("Dashboard", TENANT[:3])
        self.support_key = self._issue(
            "Support", ["platform.integration.read", "platform.integration.test"]
        )
        self._call("PATCH", f"/spaces/{self.slug}", {"name": say("Billing")})
        for name in ("Support desk", "Analytics"):
            space = {"slug": f"{self.slug}-{name[:3].lower()}", "name": say(name)}
            tenant.post(f"{tenant.organization}/spaces", space)
        self.integration_id = self._publish(port)
        self.draft_id = self._draft()
        self.connections = {path: self._connect(path) for path in ("me", "401", "500")}
        self._report_events()
        self.rule_id = self._watch()

    def alert_id(self) -> str:
        """The alert of the rule, which the schedule makes within a minute or two."""
        end = time.monotonic() + 240
        while time.monotonic() < end:
            alerts = self.tenant.get(f"/spaces/{self.slug}/alerts")["items"]
            if alerts:
                return str(alerts[0]["id"])
            time.sleep(2)
        raise AssertionError("the rule made no alert")

    def install_link(self) -> str:
        """An address where an end user installs the integration."""
        session = {
            "integration": f"{self.slug}/tracker",
            "space": self.slug,
            "end_user": {"id": "user-17", "name": self._say("Ada")},
            "variables": {"path": "me"},
        }
        path = f"{self.tenant.organization}/install-sessions"
        return str(self.tenant.post(path, session).body["url"])

    def status_link(self) -> str:
        """The path of the space's status page."""
        page = {"enabled": True, "title": self._say("Initech"), "show_connections": True}
        space = self._call("PATCH", f"/spaces/{self.slug}", {"status_page": page})
        return "/status/" + str(space["status_page"]["url"]).rpartition("/")[2]

    def _issue(self, name: str, permissions: list[str]) -> str:
        body = {"name": self._say(name), "permissions": permissions}
        issued = self._operate("POST", f"{self.tenant.organization}/api-keys", body)
        return str(issued["key"])

    def _publish(self, port: int) -> str:
        say = self._say
        url = f"http://127.0.0.1:{port}/{{{{variables.path}}}}"
        draft = {
            "workspaceId": self.tenant.space_id,
            "publisher": self.slug,
            "slug": "tracker",
            "name": say("Tracker"),
            "description": say("Issues and projects of your team."),
            "variablesSchema": {
                "type": "object",
                "required": ["path"],
                "properties": {
                    "path": {
                        "type": "string",
                        "title": say("Team"),
                        "description": say("As in the address of your team."),
                        "x-binding": "free",
                    },
                    "size": {"type": "integer", "title": say("Page size"), "default": 50},
                    "plan": {"type": "string", "title": say("Plan"), "enum": ["free", say("pro")]},
                },
            },
            "authConfig": {"type": "api_key"},
            "manifest": {
                "roles": ["source"],
                "checks": {
                    "timeoutMs": PATIENT_MS,
                    "steps": [
                        {
                            "name": say("Whoami")[:64],
                            "kind": "http",
                            "request": {"url": url},
                            "account": "/login",
                        }
                    ],
                },
            },
        }
        made = self.tenant.post("/v1/integrations", draft).body["id"]
        self.tenant.post(f"/v1/integrations/{made}/publish", {"version": "1.0.0"})
        return str(made)

    def _draft(self) -> str:
        draft = {
            "workspaceId": self.tenant.space_id,
            "publisher": self.slug,
            "slug": "draft",
            "name": self._say("Ledger"),
            "manifest": {"checks": {"steps": [{"name": "whoami", "kind": "htp"}]}},
        }
        return str(self.tenant.post("/v1/integrations", draft).body["id"])

    def _connect(self, path: str) -> str:
        tenant = self.tenant
        source = {
            "name": self._say(f"Tracker of {path}"),
            "integration": f"{self.slug}/tracker",
            "variables": {"path": path},
            "secrets": {"api_key": "right-key"},
        }
        source_id = tenant.post(f"{tenant.connectors}/sources", source).body["id"]
        connection = {
            "name": self._say(f"Tracker of {path}"),
            "source_id": source_id,
            "space": self.slug,
        }
        made = tenant.post(f"{tenant.connectors}/connections", connection).body["id"]
        for _ in range(3):
            tenant.post(f"{tenant.connectors}/connections/{made}/test", {}, 200)
        return str(made)

    def _report_events(self) -> None:
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        kinds = ("metadata_sync", "quality_check", "webhook")
        for back in range(29, -1, -1):
            at = (now - timedelta(days=back)).strftime("%Y-%m-%dT%H:%M:%SZ")
            events: list[dict[str, Any]] = []
            for number in range(24):
                failed = (number * 7 + back * 5) % 23 < (9 if back in (3, 4) else 1)
                event: dict[str, Any] = {
                    "id": f"e{back}-{number}",
                    "occurred_at": at,
                    "integration_type": kinds[number % 3],
                    "status": "ERROR" if failed else "SUCCESS",
                    "duration_ms": 200 + 13 * number,
                    "connection_id": self.connections["me"],
                }
                if failed:
                    event |= {"error_code": "timeout", "message": self._say("It took too long")}
                events.append(event)
            self.tenant.post(f"/spaces/{self.slug}/integration-events", {"events": events}, 200)

    def _watch(self) -> str:
        rule = {
            "name": self._say("Connections work"),
            "severity": "critical",
            "condition": {"kind": "connection_down"},
        }
        made = self.tenant.post(f"/spaces/{self.slug}/alert-rules", rule).body
        return str(made["id"])

    def _call(self, method: str, path: str, body: dict[str, Any]) -> Any:
        return _done(self.tenant.client, method, path, body)

    def _operate(self, method: str, path: str, body: dict[str, Any]) -> Any:
        return _done(self.tenant.operator, method, path, body)


def _done(client: Client, method: str, path: str, body: dict[str, Any]) -> Any:
    answer = client.call(method, path, body)
    assert answer.status < 300, answer.body
    return answer.body


def pages(world: WebWorld) -> dict[str, str]:
    """The addresses of the dashboard's pages that show this world, by name."""
    space = f"/app/spaces/{world.slug}"
    return {
        "overview": "/app",
        "space": space,
        "events": f"{space}/events",
        "alerts": f"{space}/alerts",
        "alert": f"{space}/alerts/{world.alert_id()}",
        "rules": f"{space}/rules",
        "rule": f"{space}/rules/{world.rule_id}",
        "new-rule": f"{space}/rules/new",
        "connections": "/app/connections",
        "connection": f"/app/connections/{world.connections['401']}",
        "catalog": "/app/catalog",
        "catalog-entry": f"/app/catalog/{world.slug}/tracker",
        "integrations": "/app/integrations",
        "integration": f"/app/integrations/{world.integration_id}",
        "draft": f"/app/integrations/{world.draft_id}",
        "draft-try": f"/app/integrations/{world.draft_id}?view=try",
        "releases": f"/app/integrations/{world.integration_id}?view=releases",
        "audit": "/app/audit",
        "keys": "/app/keys",
        "settings": "/app/settings",
        "settings-spaces": "/app/settings/spaces",
        "settings-sign-in": "/app/settings/sign-in",
        "settings-data-keys": "/app/settings/data-keys",
    }
