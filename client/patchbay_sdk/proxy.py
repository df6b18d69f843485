"""Requests to the provider of a connection, through the deployment, which adds the credential.

They are written by hand: the API document can't say what a provider answers.
"""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping
from typing import Any, Final

from patchbay_sdk.errors import InvalidArgument
from patchbay_sdk.messages import Request, Response
from patchbay_sdk.namespace import AsyncNamespace, Namespace
from patchbay_sdk.operation import Settings, filled, successful

_PATH: Final = (
    "/v1/organizations/{organization_id}/knowledge/connectors/connections/{connection_id}"
    "/proxy/{path}"
)


class Proxy(Namespace):
    """Requests to the provider of a connection."""

    def request(
        self,
        method: str,
        path: str,
        *,
        organization_id: str,
        connection_id: str,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        role: str | None = None,
        exact_path: str | None = None,
    ) -> Response:
        """What the provider answers, whatever its status.

        It is sent again only if it was never sent, or the deployment's own limit stopped it.
        `role` says whose credential is used: `source`, the default, or `destination`. `exact_path`
        is for a path with escapes that the gateway would decode; `path` does not count then. No
        part of `path` may be dots: they would lead out of the provider, to the deployment.
        Raises `ApiError` if it is the deployment that answers.
        """
        request = _proxied(
            self._client._settings,
            method,
            path,
            {"organization_id": organization_id, "connection_id": connection_id},
            query,
            {**(headers or {}), "Patchbay-Role": role, "Patchbay-Path": exact_path},
            content,
            json,
        )
        return _of_provider(self._client._exchange(request))


class AsyncProxy(AsyncNamespace):
    """Requests to the provider of a connection."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        organization_id: str,
        connection_id: str,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        role: str | None = None,
        exact_path: str | None = None,
    ) -> Response:
        """What the provider answers, whatever its status: see `Proxy.request`."""
        request = _proxied(
            self._client._settings,
            method,
            path,
            {"organization_id": organization_id, "connection_id": connection_id},
            query,
            {**(headers or {}), "Patchbay-Role": role, "Patchbay-Path": exact_path},
            content,
            json,
        )
        return _of_provider(await self._client._exchange(request))


def _proxied(
    settings: Settings,
    method: str,
    path: str,
    ids: Mapping[str, str],
    query: Mapping[str, Any] | None,
    headers: Mapping[str, Any],
    content: bytes | None,
    json: Any,
) -> Request:
    if json is not None:
        if content is not None:
            raise InvalidArgument("give content or json, not both")
        content = json_module.dumps(json, allow_nan=False).encode()
    return settings.request(
        method,
        filled(_PATH, {**ids, "path": path.lstrip("/")}, rest="path"),
        query=query,
        headers=headers,
        content=content,
        media_type="application/json" if json is not None else "application/octet-stream",
        is_once=True,
    )


def _of_provider(response: Response) -> Response:
    return response if response.is_proxied else successful(response)
