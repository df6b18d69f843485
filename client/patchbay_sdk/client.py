"""The two clients: `Patchbay`, and `AsyncPatchbay` for an event loop.

with Patchbay(base_url="https://patchbay.example.com", api_key=key) as client:
    result = client.knowledge_connectors.test_connection(
        organization_id="org_…", source_id="src_…"
    )
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from patchbay_sdk.async_resources import AsyncResources
from patchbay_sdk.errors import ConnectionFailed, InvalidArgument
from patchbay_sdk.messages import Request, Response
from patchbay_sdk.operation import (
    Settings,
    authorization,
    check_patience,
    checked_base_url,
    successful,
)
from patchbay_sdk.resources import Resources
from patchbay_sdk.retries import Outcome, Retries, Tries
from patchbay_sdk.transport import (
    AsyncHttpxTransport,
    AsyncTransport,
    HttpxTransport,
    Transport,
)

if TYPE_CHECKING:
    from typing_extensions import Self

TIMEOUT_SECONDS: Final = 35.0
"""Of one try. A deployment answers within 30 s."""
URL_VARIABLE: Final = "PATCHBAY_API_URL"
KEY_VARIABLE: Final = "PATCHBAY_API_KEY"


class Patchbay(Resources):
    """A client of one deployment, for any number of threads.

    `base_url` and `api_key` are those of the environment, PATCHBAY_API_URL and PATCHBAY_API_KEY,
    if they are not given. Without a key, only what is open to everybody can be called. `timeout` is
    in seconds, of each try. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        max_retries: int = 2,
        transport: Transport | None = None,
    ) -> None:
        self._settings = _settings(api_key, base_url, timeout, max_retries)
        self._transport = transport or HttpxTransport()
        super().__init__(self)

    def with_options(self, *, timeout: float | None = None, max_retries: int | None = None) -> Self:
        """The same client with another patience. It shares the connections of this one."""
        other = type(self).__new__(type(self))
        other._settings = self._settings.but(timeout, max_retries)
        other._transport = self._transport
        Resources.__init__(other, other)
        return other

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Response:
        """Any route, such as a newer one than this version knows. A redirect is an answer.

        Raises `ApiError` for a status from 400 on.
        """
        response = self._exchange(
            self._settings.request(method, path, query=query, headers=headers, content=content)
        )
        return response if response.status < 400 else successful(response)

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._settings.base_url}>"

    def _exchange(self, request: Request) -> Response:
        tries = Tries(request, self._settings.retries)
        while True:
            try:
                outcome: Outcome = self._transport.send(request)
            except ConnectionFailed as failure:
                outcome = failure
            pause = tries.pause_after(outcome)
            if pause is None:
                return tries.result(outcome)
            time.sleep(pause)


class AsyncPatchbay(AsyncResources):
    """A client of one deployment, for one event loop: `Patchbay` with `await`."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        max_retries: int = 2,
        transport: AsyncTransport | None = None,
    ) -> None:
        self._settings = _settings(api_key, base_url, timeout, max_retries)
        self._transport = transport or AsyncHttpxTransport()
        super().__init__(self)

    def with_options(self, *, timeout: float | None = None, max_retries: int | None = None) -> Self:
        """The same client with another patience. It shares the connections of this one."""
        other = type(self).__new__(type(self))
        other._settings = self._settings.but(timeout, max_retries)
        other._transport = self._transport
        AsyncResources.__init__(other, other)
        return other

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Response:
        """Any route, such as a newer one than this version knows. A redirect is an answer.

        Raises `ApiError` for a status from 400 on.
        """
        response = await self._exchange(
            self._settings.request(method, path, query=query, headers=headers, content=content)
        )
        return response if response.status < 400 else successful(response)

    async def close(self) -> None:
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._settings.base_url}>"

    async def _exchange(self, request: Request) -> Response:
        # Only here, because it takes half as long to import as all of this package.
        import asyncio

        tries = Tries(request, self._settings.retries)
        while True:
            try:
                outcome: Outcome = await self._transport.send(request)
            except ConnectionFailed as failure:
                outcome = failure
            pause = tries.pause_after(outcome)
            if pause is None:
                return tries.result(outcome)
            await asyncio.sleep(pause)


def _settings(
    api_key: str | None, base_url: str | None, timeout: float, max_retries: int
) -> Settings:
    url = base_url or os.environ.get(URL_VARIABLE)
    if not url:
        raise InvalidArgument(
            f"base_url is missing: the address of the deployment, or {URL_VARIABLE}"
        )
    check_patience(timeout, max_retries)
    return Settings(
        checked_base_url(url),
        authorization(os.environ.get(KEY_VARIABLE) if api_key is None else api_key),
        timeout,
        Retries(most=max_retries),
    )
