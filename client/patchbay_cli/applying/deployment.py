"""What a deployment has of the kinds of things that a folder speaks of.

Each list is read once, some at a time. What is to be changed is read again by itself, for its ETag:
an edit says which revision it is of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from patchbay_cli.applying.folder import (
    ALERT_RULE,
    API_KEY,
    CONNECTION,
    DESTINATION,
    INTEGRATION,
    SOURCE,
    SPACE,
    Identity,
)
from patchbay_sdk.model import checked_json

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay
    from patchbay_sdk.model import Model
    from patchbay_sdk.models import Caller

T = TypeVar("T")
R = TypeVar("R")
_PAGE: Final = 100


@dataclass(frozen=True)
class Found:
    """One thing that the deployment has."""

    identity: Identity
    id: str
    value: dict[str, Any]


@dataclass(frozen=True)
class LastChange:
    """Who changed a thing last, by the audit trail."""

    subject: str
    at: str
    is_drift: bool
    """Whether it was somebody else, after a change by this caller."""


class Deployment:
    """The things of one organization, as they were when they were first asked for."""

    def __init__(
        self, client: Patchbay, organization_id: str, caller: Caller, *, at_once: int
    ) -> None:
        self.client = client
        self.organization_id = organization_id
        self.caller = caller
        self._at_once = at_once
        self._has_trail = True
        self.unseen: list[str] = []
        """What this caller may not read, which a plan can do without."""

    def each(self, ask: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """What is asked about each, some at a time."""
        with ThreadPoolExecutor(max_workers=self._at_once) as pool:
            return list(pool.map(ask, items))

    @cached_property
    def spaces(self) -> dict[str, Found]:
        """By slug."""
        listed = self.client.spaces.list(organization_id=self.organization_id, limit=_PAGE)
        return {space.slug: _found(Identity(SPACE, space.slug), space) for space in listed}

    @cached_property
    def integrations(self) -> dict[str, Found]:
        """The organization's own, by publisher and slug."""
        found = {}
        for one in self.client.integrations.list(limit=_PAGE):
            identity = Identity(INTEGRATION, f"{one.publisher}/{one.slug}")
            found[identity.name] = _found(identity, one)
        return found

    @cached_property
    def deleted_integrations(self) -> set[str]:
        """Those that still keep their slug."""
        listed = self.client.integrations.list(deleted=True, limit=_PAGE)
        return {f"{one.publisher}/{one.slug}" for one in listed}

    @cached_property
    def endpoints(self) -> dict[str, list[Found]]:
        """By kind."""
        mine: dict[str, Any] = {"organization_id": self.organization_id, "limit": _PAGE}
        return {
            SOURCE: [_named(SOURCE, one) for one in self.client.sources.list(**mine)],
            DESTINATION: [
                _named(DESTINATION, one) for one in self.client.destinations.list(**mine)
            ],
        }

    @cached_property
    def connections(self) -> list[Found]:
        """Of all spaces: a source may be used in any."""
        listed = self.client.connections.list(organization_id=self.organization_id, limit=_PAGE)
        return [_named(CONNECTION, one, one.space) for one in listed]

    @cached_property
    def api_keys(self) -> list[Found] | None:
        """None if this caller may not read them."""
        from patchbay_sdk.errors import PermissionDenied

        try:
            listed = list(
                self.client.api_keys.list(organization_id=self.organization_id, limit=_PAGE)
            )
        except PermissionDenied:
            self.unseen.append("API keys are not compared: this key may not read them")
            return None
        return [_named(API_KEY, one) for one in listed]

    def alert_rules(self, spaces: Sequence[str]) -> list[Found]:
        def of(space: str) -> list[Found]:
            listed = self.client.alert_rules.list(slug=space, limit=_PAGE)
            return [_named(ALERT_RULE, one, space) for one in listed]

        there = [space for space in spaces if space in self.spaces]
        return [rule for rules in self.each(of, there) for rule in rules]

    def last_change(self, entity_id: str) -> LastChange | None:
        """None if nobody has changed it for as long as the trail goes back, or this caller may not
        read the trail."""
        from patchbay_sdk.errors import PermissionDenied

        if not self._has_trail:
            return None
        try:
            page = self.client.audit_events.list(
                organization_id=self.organization_id, entity_id=entity_id, limit=_PAGE
            ).first_page()
        except PermissionDenied:
            self._has_trail = False
            self.unseen.append("drift is not told: this key may not read the audit trail")
            return None
        if not page.items:
            return None
        subjects = [event.subject for event in page.items]
        # In another organization than its own, an operator has no other name in the trail.
        mine = self.caller.subject
        if self.organization_id != self.caller.organization.id:
            mine = "operator"
        is_drift = subjects[0] != mine and mine in subjects
        return LastChange(subjects[0], str(checked_json(page.items[0])["at"]), is_drift)


def grouped(things: Iterable[Found]) -> dict[Identity, list[Found]]:
    """Names need not be unique: several things may have one."""
    groups: dict[Identity, list[Found]] = defaultdict(list)
    for thing in things:
        groups[thing.identity].append(thing)
    return groups


def _named(kind: str, one: Any, space: str | None = None) -> Found:
    return _found(Identity(kind, one.name, space), one)


def _found(identity: Identity, one: Model) -> Found:
    value = checked_json(one)
    return Found(identity, value["id"], value)
