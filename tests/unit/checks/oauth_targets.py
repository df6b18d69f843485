"""An `authConfig` of type oauth2 for tests, and a provider on the loopback that answers its
calls."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.recipe import Recipe
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.doubles import FakeResolver, serving
from tests.unit.egress.certificates import Authority

HOST = "auth.example.net"
CLIENT = OAuthClient("client:1", "s3cret/of+client")
REDIRECT_URI = "https://api.patchbay.test/oauth/callback"
STRING = {"type": "string"}
HOSTNAME = {"type": "string", "format": "hostname"}
URI = {"type": "string", "format": "uri"}


def auth_config(port: int | None = None, **more: Any) -> dict[str, Any]:
    at = f"https://{HOST}" if port is None else f"https://{HOST}:{port}"
    config = {
        "type": "oauth2",
        "authorizationUrl": f"{at}/authorize",
        "tokenUrl": f"{at}/token",
        "scopes": ["read", "write"],
        **more,
    }
    return {name: value for name, value in config.items() if value is not ...}


def recipe(
    manifest: dict[str, Any] | None = None, *, port: int | None = None, **more: Any
) -> Recipe:
    """The recipe of an `authConfig` with these members; `variables` are its variables."""
    properties = more.pop("variables", {})
    schema = {"type": "object", "properties": properties}
    return Recipe(manifest or {}, auth_config(port, **more), schema)


def problems(manifest: dict[str, Any] | None = None, **more: Any) -> dict[str, str]:
    """What keeps it from being published, by pointer."""
    return {one.pointer: one.message for one in recipe(manifest, **more).problems}


class TokenServer:
    """Answers one after another; keeps what it was sent."""

    def __init__(self, directory: Path, *answers: bytes) -> None:
        self.authority = Authority(directory)
        self.answers = list(answers)
        self.heads: list[str] = []
        self.bodies: list[str] = []

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        length = next(
            (int(line[15:]) for line in head.splitlines() if line.startswith("Content-Length")), 0
        )
        self.bodies.append((await reader.readexactly(length)).decode())
        writer.write(self.answers.pop(0))

    def run[T](self, made: Callable[[int, EgressGuard, float], Coroutine[Any, Any, T]]) -> T:
        """What `made` returns, which gets the port, a guard, and a deadline."""

        async def ask() -> T:
            server = self.authority.server_context(HOST)
            async with serving(self._handle, tls=server) as port:
                guard = EgressGuard(
                    EgressPolicy.parse(f"127.0.0.1/32:{port}"),
                    resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
                    tls_context=self.authority.client_context(),
                )
                return await made(port, guard, asyncio.get_running_loop().time() + 3)

        return asyncio.run(ask())
