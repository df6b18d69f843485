"""Something to connect: a provider on this machine, two integrations of it, and links to install
them.

The provider is `local/provider.py`. It lives as long as the local cloud, and forgets its accounts
with it: what was connected by OAuth has to be connected again after a restart.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local import publishing
from local.client import Client
from local.paths import StateDir
from local.problems import Problem
from local.provider import Provider, provider
from local.tenant import Tenant

PUBLISHER: Final = "local"
BY_KEY: Final = "tracker"
BY_ACCOUNT: Final = "issues"

_DAY: Final = 86_400
_END_USER: Final = {"id": "ada", "name": "Ada Example"}
_TEAMS: Final = {
    "type": "object",
    "properties": {
        "team": {
            "type": "string",
            "title": "Team",
            "description": "Whose issues are read.",
            "enum": ["support", "sales", "engineering"],
            "default": "support",
        }
    },
}


@dataclass(frozen=True)
class Samples:
    """A provider that runs, and the version of the integrations that dial its port."""

    server: Provider
    version: str

    @property
    def egress_rule(self) -> str:
        """What tests may dial beside what the operator allows."""
        return f"127.0.0.1/32:{self.server.port}"

    def publish(self, client: Client, tenant: Tenant, redirect_uri: str) -> None:
        """Brings both integrations and the OAuth application to this provider.

        Raises `Problem` with what the API refuses.
        """
        definitions = (self._by_key(), self._by_account())
        if refused := publishing.publish(client, tenant, definitions):
            raise Problem("; ".join(refused))
        registered = self.server.oauth.register(redirect_uri)
        given = {"client_id": registered.id, "client_secret": registered.secret}
        path = f"/v1/organizations/{tenant.organization_id}/oauth-applications"
        body = {"integration": f"{PUBLISHER}/{BY_ACCOUNT}", **given}
        entered = client.call("POST", path, body)
        if entered.status == 409:
            known = client.call("GET", path).body["items"]
            [id] = [one["id"] for one in known if one["integration"] == body["integration"]]
            entered = client.call("PATCH", f"{path}/{id}", given)
        _require(entered.status in (200, 201), entered.problem)

    def link(self, client: Client, tenant: Tenant, slug: str) -> str:
        """A link that lets its holder connect this integration, for a day."""
        body = {
            "integration": f"{PUBLISHER}/{slug}",
            "space": tenant.space_slug,
            "end_user": _END_USER,
            "expires_in_seconds": _DAY,
        }
        path = f"/v1/organizations/{tenant.organization_id}/install-sessions"
        made = client.call("POST", path, body)
        _require(made.status == 201, made.problem)
        url: str = made.body["url"]
        return url

    def _by_key(self) -> dict[str, Any]:
        url = self.server.url
        return {
            "publisher": PUBLISHER,
            "slug": BY_KEY,
            "version": self.version,
            "name": "Local Tracker",
            "description": "The provider of the local cloud, by its key.",
            "variablesSchema": _TEAMS,
            "authConfig": {
                "type": "api_key",
                "authHeaderName": "Authorization",
                "authValuePrefix": "Bearer ",
            },
            "manifest": _manifest(url),
        }

    def _by_account(self) -> dict[str, Any]:
        url = self.server.https_url
        return {
            "publisher": PUBLISHER,
            "slug": BY_ACCOUNT,
            "version": self.version,
            "name": "Local Issues",
            "description": "The provider of the local cloud, by an account.",
            "variablesSchema": _TEAMS,
            "authConfig": {
                "type": "oauth2",
                "authorizationUrl": f"{url}/oauth/authorize",
                "tokenUrl": f"{url}/oauth/token",
                "revocationUrl": f"{url}/oauth/revoke",
                "scopes": ["issues:read", "issues:write", "offline_access"],
            },
            "manifest": _manifest(url),
        }


@contextlib.contextmanager
def running(state: StateDir) -> Iterator[Samples]:
    """The provider at the port that it had the last time, or at a new one if that is taken."""
    record = state.root / "provider.json"
    port, minor = _recalled(record)
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(provider(port, state.server_certificate))
        except OSError:
            server = stack.enter_context(provider(0, state.server_certificate))
        if server.port != port:
            # What is published under a version never changes.
            minor += 1
        state.root.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps({"port": server.port, "minor": minor}))
        yield Samples(server, f"1.{minor}.0")


def _recalled(record: Path) -> tuple[int, int]:
    try:
        known = json.loads(record.read_text())
        return int(known["port"]), int(known["minor"])
    except (OSError, ValueError, KeyError):
        return 0, 0


def _manifest(url: str) -> dict[str, Any]:
    steps = [
        {"name": "account", "kind": "http", "request": {"url": f"{url}/me"}},
        {"name": "issues", "kind": "http", "request": {"url": f"{url}/tables"}},
    ]
    return {
        "roles": ["source"],
        "category": "issue-tracking",
        "baseUrl": url,
        "checks": {"timeoutMs": 10_000, "steps": steps},
    }


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise Problem(f"the samples can't be set up: {problem}")
