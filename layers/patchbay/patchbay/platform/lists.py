"""Lists, the same for every resource: `limit`, `cursor`, `{"items": […], "next_cursor": …}`."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple, Protocol

from pydantic import ConfigDict, Field, StringConstraints

from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import Item, Table
from patchbay.platform.model import Model
from patchbay.platform.validation import WholeNumber

FILTERED_READ: Final = 1000
"""Items that one query of a filtered list reads; of small ones about a page of DynamoDB's."""


SearchText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
"""What a search looks for, see `has_text`."""


def has_text(searched: str | None, *texts: str) -> bool:
    """Whether one of the texts has what is searched for, in any case. None matches everything."""
    return searched is None or any(searched.casefold() in text.casefold() for text in texts)


class ListQuery(Model):
    """The query string of a list. Lists with filters add fields."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[WholeNumber, Field(ge=1, le=100)] = 25
    cursor: str | None = Field(default=None, max_length=4096)

    def filters(self) -> dict[str, Any]:
        """What chooses the list itself, apart from how it is paged: part of a cursor's seal."""
        return self.model_dump(mode="json", exclude={"limit", "cursor"}, exclude_none=True)


class Listing[T](Model):
    """One page of a list. `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None


class Stretch[T](NamedTuple):
    """A part of a list that is sorted newest first, by sort keys.

    Everything with a sort key from `reached` on is there; None means all to the end of the list.
    """

    items: Mapping[str, T]
    reached: str | None


def merged[T](limit: int, *stretches: Stretch[T]) -> Stretch[T]:
    """The newest of several lists together, at most `limit`, as far as all of them were read."""
    reached = max(stretch.reached or "" for stretch in stretches)
    found = {key: thing for stretch in stretches for key, thing in stretch.items.items()}
    keys = sorted((key for key in found if key >= reached), reverse=True)
    if len(keys) > limit:
        reached = keys[limit - 1]
    return Stretch({key: found[key] for key in keys[:limit]}, reached or None)


type Position = Mapping[str, Any]
"""Where a page starts, as JSON; a cursor is one, sealed."""


class ComputedPage[T](Protocol):
    """A page of a list that is more than a query. `next_start` is None on the last one."""

    @property
    def items(self) -> list[T]: ...

    @property
    def next_start(self) -> Position | None: ...


class Lists:
    """Pages of one table's queries, and of what is computed, under sealed cursors."""

    def __init__(self, table: Table, seal: CursorSeal) -> None:
        self._table = table
        self._seal = seal

    def page[T](
        self,
        tenant: str,
        query: ListQuery,
        now: datetime,
        read: Callable[[Item], T],
        *,
        pk: str,
        prefix: str = "",
        between: tuple[str, str] | None = None,
        index: str | None = None,
        newest_first: bool = False,
        keep: Callable[[Item], bool] | None = None,
    ) -> Listing[T]:
        """One page: one query of the table, whatever the size of the list.

        `tenant` is the organization of the caller. `between` narrows the sort key instead of
        `prefix`; it follows from the query's filters alone, which a cursor is bound to. With a
        filter (`keep`) the query reads up to 1,000 items; where it leaves few of them, a page may
        be short and still have a next one. Raises `InvalidCursor`.
        """
        scope = self.scope(tenant, pk, prefix, query)
        start = self.position(query, scope, now)
        found: list[T] = []
        page = self._table.query(
            pk,
            prefix=prefix,
            between=between,
            index=index,
            # One more than requested shows whether this page is the last.
            limit=FILTERED_READ if keep else query.limit + 1,
            start=start,
            newest_first=newest_first,
        )
        for item in page.items:
            if len(found) == query.limit:
                break
            start = position_of(item, index)
            if keep is None or keep(item):
                found.append(read(item))
        else:
            start = page.last_key
        return Listing(items=found, next_cursor=self.next_cursor(start, scope, now))

    def computed[T](
        self,
        tenant: str,
        name: str,
        query: ListQuery,
        now: datetime,
        page: Callable[[Position | None], ComputedPage[T]],
    ) -> Listing[T]:
        """One page, which `page` computes from where it starts, None for the first one.

        `name` says which list it is: a cursor opens for the list of this name, and for the same
        `tenant`, alone. Raises `InvalidCursor`.
        """
        scope = self.scope(tenant, name, "", query)
        computed = page(self.position(query, scope, now))
        cursor = self.next_cursor(computed.next_start, scope, now)
        return Listing(items=computed.items, next_cursor=cursor)

    def position(
        self, query: ListQuery, scope: Mapping[str, Any], now: datetime
    ) -> dict[str, Any] | None:
        """Where the page starts; None for the first one."""
        return self._seal.open(query.cursor, scope, now) if query.cursor is not None else None

    def next_cursor(
        self, position: Mapping[str, Any] | None, scope: Mapping[str, Any], now: datetime
    ) -> str | None:
        return self._seal.seal(position, scope, now) if position else None

    @staticmethod
    def scope(tenant: str, pk: str, prefix: str, query: ListQuery) -> dict[str, Any]:
        """What a cursor is bound to: the same cursor opens for the same list only."""
        return {"tenant": tenant, "pk": pk, "prefix": prefix, "filters": query.filters()}


def position_of(item: Item, index: str | None) -> Item:
    """Where DynamoDB goes on after an item: the keys of the table, and of the index."""
    names = ["pk", "sk", *([f"{index}_pk", f"{index}_sk"] if index else [])]
    return {name: item[name] for name in names}
