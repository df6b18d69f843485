"""Lists that go on by themselves: `for source in client.sources.list(...)`.

Nothing is requested before it is needed. `pages()` gives one page at a time, and each page has the
cursor to go on from there another day.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

from patchbay_sdk.errors import UnexpectedAnswer
from patchbay_sdk.messages import Response

T = TypeVar("T")


class Page(Generic[T]):
    """One page: its items, and the cursor of the next one, None on the last."""

    def __init__(self, items: list[T], next_cursor: str | None, response: Response) -> None:
        self.items = items
        self.next_cursor = next_cursor
        self.last_response = response

    def __repr__(self) -> str:
        return f"<Page of {len(self.items)}{', the last' if self.next_cursor is None else ''}>"


class Pages(Generic[T]):
    """All items of a list, page by page. Each iteration begins again."""

    def __init__(self, read: Callable[[str | None], Page[T]], cursor: str | None) -> None:
        self._read = read
        self._cursor = cursor

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[Page[T]]:
        seen = {self._cursor}
        page = self._read(self._cursor)
        yield page
        while page.next_cursor is not None:
            _go_on(page.next_cursor, seen)
            page = self._read(page.next_cursor)
            yield page

    def first_page(self) -> Page[T]:
        return self._read(self._cursor)


class AsyncPages(Generic[T]):
    """All items of a list, page by page. Each iteration begins again."""

    def __init__(
        self, read: Callable[[str | None], Awaitable[Page[T]]], cursor: str | None
    ) -> None:
        self._read = read
        self._cursor = cursor

    async def __aiter__(self) -> AsyncIterator[T]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[Page[T]]:
        seen = {self._cursor}
        page = await self._read(self._cursor)
        yield page
        while page.next_cursor is not None:
            _go_on(page.next_cursor, seen)
            page = await self._read(page.next_cursor)
            yield page

    async def first_page(self) -> Page[T]:
        return await self._read(self._cursor)


def _go_on(cursor: str, seen: set[str | None]) -> None:
    """A list that leads back would never end."""
    if cursor in seen:
        raise UnexpectedAnswer("the list does not go on: two pages have the same next_cursor")
    seen.add(cursor)
