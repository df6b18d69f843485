"""What producers send, unordered and partly twice: calls of the API, messages of the bus, and our
own tests of connections."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from patchbay.health.bus_intake import BusEnvelope
from patchbay.health.model import (
    Event,
    EventBatch,
    EventStatus,
    IntegrationType,
    accept_batch,
    event_of_test,
)
from patchbay.platform.clock import to_text
from patchbay.platform.ids import Stamp, derived_id

DAYS: Final = 40
DUPLICATES: Final = 0.03
HOT: Final = 0.6
"""The share of deliveries in a few hours, mostly of the first spaces: there, writers conflict."""

_MILLISECONDS: Final = DAYS * 86_400_000


@dataclass(frozen=True, slots=True)
class Place:
    """A space and its organization."""

    organization_id: str
    space_id: str
    slug: str


@dataclass(frozen=True)
class Delivery:
    """One call or message. `body` is None for a call of the API and for our own `tests`."""

    name: str
    place: Place
    drafts: tuple[dict[str, Any], ...]
    body: str | None
    poison: bool = False
    tests: tuple[Event, ...] = ()

    def events(self, now: datetime) -> list[Event]:
        """The events that it stores."""
        if self.tests:
            return list(self.tests)
        oldest = now - timedelta(days=366)
        if self.body is None:
            return accept_batch(self.batch, self.place.space_id, Stamp.fresh(now), oldest)
        envelope = BusEnvelope.model_validate_json(self.body)
        return accept_batch(self.batch, self.place.space_id, envelope.stamp, oldest, now)

    @property
    def batch(self) -> EventBatch:
        return EventBatch.model_validate({"events": list(self.drafts)})


def traffic(
    count: int, places: Sequence[Place], now: datetime, chance: Random, sizes: Sequence[int]
) -> list[Delivery]:
    """Deliveries of `count` different events over 40 days and all spaces, with 3% duplicates."""
    deliveries: list[Delivery] = []
    while count > 0:
        place = places[min(chance.randrange(len(places)), chance.randrange(len(places)))]
        size = min(count, chance.choice(sizes))
        count -= size
        at = now - timedelta(milliseconds=chance.randrange(_MILLISECONDS))
        if chance.random() < HOT:
            at = now - chance.choice([timedelta(hours=30), timedelta(days=9), timedelta(minutes=5)])
        spread = chance.choice([timedelta(minutes=1), timedelta(hours=1), timedelta(days=3)])
        name = f"d{len(deliveries)}"
        entrance = chance.random()
        if entrance < 0.15:
            tests = [_test(chance, place, at, spread, now, f"{name}-{n}") for n in range(size)]
            deliveries.append(Delivery(name, place, (), None, tests=tuple(tests)))
        elif entrance < 0.55:
            drafts = [_draft(chance, at, spread, now, f"{name}-{n}") for n in range(size)]
            deliveries.append(Delivery(name, place, tuple(drafts), None))
        else:
            drafts = [_draft(chance, at, spread, now) for _ in range(size)]
            deliveries.append(_message(name, place, drafts, at, chance))
    deliveries += [_again(d, chance) for d in deliveries if chance.random() < DUPLICATES]
    deliveries += [_poisoned(n, places, now, chance) for n in range(len(deliveries) // 50 + 3)]
    chance.shuffle(deliveries)
    return deliveries


def _draft(
    chance: Random, at: datetime, spread: timedelta, now: datetime, event_id: str | None = None
) -> dict[str, Any]:
    draft: dict[str, Any] = {
        "integration_type": chance.choice(list(IntegrationType)).value,
        "status": chance.choice([EventStatus.SUCCESS] * 4 + [EventStatus.ERROR]).value,
    }
    # An event of a message may omit its time: the envelope has one.
    if event_id or chance.random() < 0.8:
        later = timedelta(milliseconds=chance.randrange(spread // timedelta(milliseconds=1)))
        draft["occurred_at"] = to_text(min(now, at + later))
    if event_id:
        draft["id"] = event_id
    if chance.random() < 0.7:
        draft["duration_ms"] = int(chance.lognormvariate(6, 2)) % 86_400_000
    return draft


def _test(
    chance: Random, place: Place, at: datetime, spread: timedelta, now: datetime, event_id: str
) -> Event:
    """A test of a connection. Some fail, and some of those have platform faults."""
    later = timedelta(milliseconds=chance.randrange(spread // timedelta(milliseconds=1)))
    passed = chance.random() < 0.6
    event = event_of_test(
        place.space_id,
        derived_id("con", at, event_id),
        passed=passed,
        latency_ms=chance.randrange(100_000),
        code=None if passed else "provider_timeout",
        platform_fault=not passed and chance.random() < 0.5,
        now=min(now, at + later),
    )
    return event.model_copy(update={"id": event_id})


def _message(
    name: str,
    place: Place,
    drafts: Iterable[dict[str, Any]],
    at: datetime,
    chance: Random,
    **wrong: Any,
) -> Delivery:
    events = tuple(drafts)
    detail = {
        "organization_id": place.organization_id,
        "space": chance.choice([place.slug, place.space_id]),
        "events": events,
    }
    envelope = {
        "version": "0",
        "id": str(UUID(int=chance.getrandbits(128))),
        "detail-type": "integration.event",
        "source": "simulator",
        "time": to_text(at.replace(microsecond=0)),
        "detail": detail | wrong,
    }
    return Delivery(name, place, events, json.dumps(envelope), bool(wrong))


def _again(delivery: Delivery, chance: Random) -> Delivery:
    """The same call as a producer repeats it, or the same message as a queue repeats it."""
    if delivery.body is not None or chance.random() < 0.5:
        return delivery
    if delivery.tests:
        return delivery
    drafts = list(delivery.drafts)
    chance.shuffle(drafts)
    return Delivery(f"{delivery.name}-again", delivery.place, tuple(drafts[:25]), None)


def _poisoned(number: int, places: Sequence[Place], now: datetime, chance: Random) -> Delivery:
    place, other = chance.sample(list(places), 2)
    draft = _draft(chance, now - timedelta(hours=1), timedelta(minutes=1), now)
    wrong: list[dict[str, Any]] = [
        {"space": "nowhere"},
        {"organization_id": other.organization_id},
        {"events": [draft | {"status": "MAYBE"}]},
        {"events": [draft | {"occurred_at": "2020-01-01T00:00:00Z"}]},
    ]
    return _message(f"p{number}", place, [draft], now, chance, **chance.choice(wrong))
