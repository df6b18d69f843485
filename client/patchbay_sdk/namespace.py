"""What the operations of one kind of thing have in common: how they are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from patchbay_sdk.messages import Request, Response
from patchbay_sdk.operation import (
    ListOperation,
    Operation,
    Settings,
    body_of,
    filled,
    nothing,
    successful,
)
from patchbay_sdk.pages import AsyncPages, Page, Pages

T = TypeVar("T")


class Exchange(Protocol):
    """What a namespace needs of a client: its settings, and answers to requests."""

    _settings: Settings

    def _exchange(self, request: Request) -> Response: ...


class AsyncExchange(Protocol):
    """What a namespace needs of a client: its settings, and answers to requests."""

    _settings: Settings

    async def _exchange(self, request: Request) -> Response: ...


class Namespace:
    """Operations of a `Patchbay`."""

    def __init__(self, client: Exchange) -> None:
        self._client = client

    def _call(
        self,
        operation: Operation[T],
        path: Mapping[str, Any],
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> T:
        request = _request(self._client._settings, operation, path, query, headers, body)
        return operation.read(successful(self._client._exchange(request)))

    def _list(
        self,
        operation: ListOperation[T],
        path: Mapping[str, Any],
        query: Mapping[str, Any] | None = None,
    ) -> Pages[T]:
        def read(cursor: str | None) -> Page[T]:
            request = _page_request(self._client._settings, operation, path, query, cursor)
            return operation.page(successful(self._client._exchange(request)))

        return Pages(read, (query or {}).get("cursor"))


class AsyncNamespace:
    """Operations of an `AsyncPatchbay`."""

    def __init__(self, client: AsyncExchange) -> None:
        self._client = client

    async def _call(
        self,
        operation: Operation[T],
        path: Mapping[str, Any],
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> T:
        request = _request(self._client._settings, operation, path, query, headers, body)
        return operation.read(successful(await self._client._exchange(request)))

    def _list(
        self,
        operation: ListOperation[T],
        path: Mapping[str, Any],
        query: Mapping[str, Any] | None = None,
    ) -> AsyncPages[T]:
        async def read(cursor: str | None) -> Page[T]:
            request = _page_request(self._client._settings, operation, path, query, cursor)
            return operation.page(successful(await self._client._exchange(request)))

        return AsyncPages(read, (query or {}).get("cursor"))


def _request(
    settings: Settings,
    operation: Operation[T],
    path: Mapping[str, Any],
    query: Mapping[str, Any] | None,
    headers: Mapping[str, Any] | None,
    body: Mapping[str, Any] | None,
) -> Request:
    return settings.request(
        operation.method,
        filled(operation.path, path),
        query=query,
        headers=headers,
        content=None if body is None else body_of(body),
        is_keyed=operation.is_keyed,
        is_deletion=operation.method == "DELETE" and operation.read is nothing,
    )


def _page_request(
    settings: Settings,
    operation: ListOperation[T],
    path: Mapping[str, Any],
    query: Mapping[str, Any] | None,
    cursor: str | None,
) -> Request:
    whole = {**(query or {}), "cursor": cursor}
    return settings.request("GET", filled(operation.path, path), query=whole)
