"""One call of KMS for the data keys of all organizations, and what happens without it."""

import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from patchbay.connections.data_keys import KeyRing
from patchbay.connections.deployment_keys import DeploymentKeys
from patchbay.connections.key_service import KeyService
from patchbay.connections.keys import CURRENT_DEPLOYMENT_KEY, data_key_key, deployment_key_key
from patchbay.platform.dynamodb import Delete, Item, Put, Table, Update
from patchbay.platform.errors import (
    Conflict,
    InternalError,
    NotFound,
    SecretsLost,
    TemporarilyUnavailable,
)
from patchbay.platform.kept_connections import NoAnswer
from tests.simulator.memory_dynamodb import MemoryClient

NOW = datetime(2026, 2, 17, 10, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
ONE, OTHER = "org_one", "org_other"


class Kms:
    """Opens what it wrapped, in the context that it was wrapped in."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.before: Callable[[], None] = lambda: None
        self.meta = SimpleNamespace(region_name="us-east-1")
        self._keys: dict[bytes, tuple[dict[str, str], bytes]] = {}

    def generate_data_key(self, **request: Any) -> Any:
        self.calls["generate"] += 1
        self.before()
        key, wrapped = os.urandom(32), os.urandom(40)
        self._keys[wrapped] = (request["EncryptionContext"], key)
        return {"Plaintext": key, "CiphertextBlob": wrapped}

    def decrypt(self, **request: Any) -> Any:
        self.calls["decrypt"] += 1
        self.before()
        context, key = self._keys.get(request["CiphertextBlob"], ({}, b""))
        if context != request["EncryptionContext"]:
            refused: Any = {"Error": {"Code": "InvalidCiphertextException", "Message": ""}}
            raise ClientError(refused, "Decrypt")
        return {"Plaintext": key}


class Client(MemoryClient):
    """One call after the other. `meet` is asked before and after each."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.meet: Callable[[str, bool], None] = lambda _operation, _is_done: None
        self._one = threading.RLock()
        self.last_batch: Any = None

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in ("get_item", "put_item", "update_item", "delete_item") and name not in (
            "transact_write_items",
            "batch_get_item",
            "query",
        ):
            return found

        def call(**request: Any) -> Any:
            with self._one:
                self.calls[name] += 1
                for asked in request.get("RequestItems", {}).values():
                    self.last_batch = asked
                self.meet(name, False)
                answer = found(**request)
                self.meet(name, True)
                return answer

        return call


class World:
    """A table and a KMS, and processes that use them."""

    def __init__(self) -> None:
        self.client, self.kms = Client(), Kms()
        self.table = Table("integrations", cast(Any, self.client))

    def process(self, *, makes: bool = False) -> KeyRing:
        return KeyRing(self.table, "key", cast(Any, self.kms), makes_deployment_keys=makes)

    def deployment_keys(self) -> DeploymentKeys:
        return self.process().deployment_keys

    def item(self, organization_id: str) -> Item:
        item = self.table.get(data_key_key(organization_id, 1))
        assert item is not None
        return item

    def without_deployment_keys(self, organization_id: str) -> None:
        """As it was written before there were any."""
        key = data_key_key(organization_id, 1)
        self.table.write(Update(key, remove=("deployment_key", "rewrapped")))


@pytest.fixture
def world() -> World:
    return World()


def organizations(count: int) -> list[str]:
    return [f"org_{number}" for number in range(count)]


def test_the_data_keys_of_a_thousand_organizations_are_opened_by_one_call(world: World) -> None:
    # Given a thousand organizations with a data key
    made = {one: world.process().current(one, NOW)[1] for one in organizations(10)}
    first = world.process()
    made |= {one: first.current(one, NOW)[1] for one in organizations(1000)[10:]}
    assert len(set(made.values())) == 1000
    # When another process opens all of them
    world.kms.calls.clear()
    ring = world.process()
    assert {one: ring.key(one, 1, NOW) for one in made} == made
    # Then KMS was called once, and so it is five minutes later
    assert world.kms.calls == {"decrypt": 1}
    assert {one: ring.key(one, 1, LATER) for one in made} == made
    assert world.kms.calls == {"decrypt": 2}


def test_reading_ahead_takes_one_read_for_each_hundred(world: World) -> None:
    first = world.process()
    made = {one: first.current(one, NOW)[1] for one in organizations(250)}
    world.client.calls.clear()
    world.kms.calls.clear()
    # When a process reads ahead, and for an organization without a key
    ring = world.process()
    ring.read_ahead([*((one, 1) for one in made), (ONE, 1)], NOW)
    # Then it has all keys
    assert {one: ring.key(one, 1, NOW) for one in made} == made
    assert world.client.calls == {"batch_get_item": 3, "get_item": 2}
    assert world.client.last_batch["ConsistentRead"] is False
    assert world.kms.calls == {"decrypt": 1}
    ring.read_ahead(((one, 1) for one in made), NOW)
    assert world.client.calls["batch_get_item"] == 3
    # And forgets them a minute sooner, because such a read may have missed a deletion
    world.client.calls.clear()
    before = NOW + timedelta(minutes=4)
    ring.key("org_0", 1, before - timedelta(seconds=1))
    assert world.client.calls == {}
    ring.key("org_0", 1, before)
    assert world.client.calls == {"get_item": 1}


def test_processes_that_start_at_once_make_one_deployment_key(world: World) -> None:
    barrier = threading.Barrier(8)

    def started(organization_id: str) -> tuple[str, bytes]:
        ring = world.process()
        barrier.wait()
        return organization_id, ring.current(organization_id, NOW)[1]

    with ThreadPoolExecutor(8) as pool:
        made = dict(pool.map(started, organizations(8)))
    assert [key.number for key in world.deployment_keys().keys().keys] == [1]
    world.kms.calls.clear()
    ring = world.process()
    assert {one: ring.key(one, 1, NOW) for one in made} == made
    assert world.kms.calls == {"decrypt": 1}


def test_threads_of_a_process_unwrap_the_deployment_key_once(world: World) -> None:
    first = world.process()
    made = {one: first.current(one, NOW)[1] for one in organizations(20)}
    world.kms.calls.clear()
    ring, pause = world.process(), threading.Event()
    world.kms.before = lambda: cast(None, pause.wait(0.05))
    with ThreadPoolExecutor(20) as pool:
        # The time of a thread that waited may be a little earlier.
        times = [NOW - timedelta(milliseconds=number) for number in range(20)]
        opened = list(pool.map(ring.key, made, [1] * 20, times))
    assert opened == list(made.values())
    assert world.kms.calls == {"decrypt": 1}


def test_threads_that_wait_for_a_kms_that_is_down_do_not_wait_in_turn(world: World) -> None:
    made = organizations(10)
    first = world.process()
    for one in made:
        first.current(one, NOW)
    world.kms.calls.clear()
    ring, entered, release = world.process(), threading.Barrier(10), threading.Event()

    def down() -> None:
        release.wait(5)
        raise ReadTimeoutError(endpoint_url="https://kms")

    def opens(organization_id: str) -> None:
        entered.wait()
        with pytest.raises(TemporarilyUnavailable):
            ring.key(organization_id, 1, NOW)

    world.kms.before = down
    with ThreadPoolExecutor(10) as pool:
        tried = [pool.submit(opens, one) for one in made]
        threading.Timer(0.1, release.set).start()
        for attempt in tried:
            attempt.result(timeout=10)
    assert world.kms.calls["decrypt"] < 4
    # And when it is back, everything opens
    world.kms.before = lambda: None
    assert len(ring.key(made[0], 1, NOW)) == 32


def test_data_keys_of_before_open_and_are_wrapped_once_more(world: World) -> None:
    # Given data keys that only KMS wrapped, and no deployment key
    first = world.process()
    made = {one: first.current(one, NOW)[1] for one in organizations(5)}
    for one in made:
        world.without_deployment_keys(one)
    world.table.write(Delete(deployment_key_key(1)))
    world.table.write(Delete(CURRENT_DEPLOYMENT_KEY))
    before = {one: world.item(one) for one in made}
    world.kms.calls.clear()
    # When a process that makes no deployment keys opens them, then KMS does
    ring = world.process()
    assert {one: ring.key(one, 1, NOW) for one in made} == made
    assert world.kms.calls == {"decrypt": 5}
    assert {one: world.item(one) for one in made} == before
    # When one that does opens them, then each other opens them by one call
    makes = world.process(makes=True)
    assert {one: makes.key(one, 1, NOW) for one in made} == made
    world.kms.calls.clear()
    ring = world.process()
    assert {one: ring.key(one, 1, NOW) for one in made} == made
    assert world.kms.calls == {"decrypt": 1}
    # And what KMS wrapped stays as it was
    assert {one: world.item(one)["wrapped"] for one in made} == {
        one: item["wrapped"] for one, item in before.items()
    }


def test_a_batch_wraps_them_once_more_too(world: World) -> None:
    world.process().current(ONE, NOW)
    world.without_deployment_keys(ONE)
    ring = world.process()
    assert ring.rewrap(ONE, NOW).rewrapped == 1
    assert ring.rewrap(ONE, NOW).rewrapped == 0
    assert ring.rewrap(OTHER, NOW).rewrapped == 0
    # One that does not open is named
    world.table.write(Put({**world.item(ONE), "pk": f"ORG#{OTHER}", "deployment_key": 7}))
    assert ring.rewrap(OTHER, NOW).unreadable == [f"{OTHER} 1"]


def altered(item: Item) -> Iterator[Item]:
    """What stands for the data key under the deployment key, altered in every way."""
    text = item["rewrapped"]
    for position in range(len(text)):
        yield {"rewrapped": text[:position] + bytes([text[position] ^ 1]) + text[position + 1 :]}
    for cut in (b"", text[:11], text[:12], text[:-1], text + b"\0"):
        yield {"rewrapped": cut}
    for number in (0, 2, 7):
        yield {"deployment_key": number}
    for other in ("text", None):
        yield {"rewrapped": other}


def test_an_altered_rewrapped_key_is_not_used(world: World) -> None:
    _, key = world.process().current(ONE, NOW)
    world.deployment_keys().rotate(NOW)
    item = world.item(ONE)
    for change in altered(item):
        world.table.write(Put({**item, **change}))
        # What KMS wrapped opens instead, and replaces it
        world.process().read_ahead([(ONE, 1)], NOW)
        assert world.process().key(ONE, 1, NOW) == key
        world.kms.calls.clear()
        assert world.process().key(ONE, 1, NOW) == key
        assert world.kms.calls == {"decrypt": 1}
        assert world.item(ONE)["deployment_key"] == 2


def test_a_rewrapped_key_opens_for_its_own_organization_and_number_only(world: World) -> None:
    ring = world.process()
    ring.current(ONE, NOW)
    _, other = ring.current(OTHER, NOW)
    mine, theirs = world.item(ONE), world.item(OTHER)
    # In another organization's item, in its own, and as another number
    world.table.write(Put({**theirs, "rewrapped": mine["rewrapped"]}))
    assert world.process().key(OTHER, 1, NOW) == other
    world.table.write(Put({**theirs, **{k: mine[k] for k in ("rewrapped", "wrapped")}}))
    with pytest.raises(InternalError):
        world.process().key(OTHER, 1, NOW)
    second = data_key_key(OTHER, 2)
    world.table.write(Put({**theirs, "sk": second.sk, "wrapped": b"x"}))
    with pytest.raises(InternalError):
        world.process().key(OTHER, 2, NOW)
    # Nor is it read ahead
    ahead = world.process()
    ahead.read_ahead([(OTHER, 1), (OTHER, 2)], NOW)
    for number in (1, 2):
        with pytest.raises(InternalError):
            ahead.key(OTHER, number, NOW)


def test_a_deleted_data_key_is_not_brought_back_and_does_not_open(world: World) -> None:
    # Given a data key that is deleted between its reading and its wrapping once more
    world.process().current(ONE, NOW)
    world.without_deployment_keys(ONE)
    ring = world.process()
    ring.deployment_keys.current(NOW, make=False)
    world.kms.before = lambda: world.table.write(Delete(data_key_key(ONE, 1)))
    assert len(ring.key(ONE, 1, NOW)) == 32
    # Then it stays deleted, and after five minutes nobody opens it, deployment key or not
    assert world.table.get(data_key_key(ONE, 1)) is None
    for other in (ring, world.process()):
        other.deployment_keys.current(LATER, make=False)
        other.read_ahead([(ONE, 1)], LATER)
        with pytest.raises(SecretsLost):
            other.key(ONE, 1, LATER)


def test_after_a_rotation_data_keys_are_wrapped_anew_when_they_are_used(world: World) -> None:
    running = world.process()
    made = {one: running.current(one, NOW)[1] for one in organizations(3)}
    assert world.deployment_keys().rotate(NOW).number == 2
    # A process learns of it within five minutes
    running.key("org_0", 1, LATER)
    assert [world.item(one)["deployment_key"] for one in made] == [2, 1, 1]
    # One that does not know it yet opens what is wrapped under it, and leaves it so
    behind = world.process()
    behind.deployment_keys.current(NOW, make=False)
    world.deployment_keys().rotate(NOW)
    running.key("org_1", 1, LATER + timedelta(minutes=5))
    assert world.item("org_1")["deployment_key"] == 3
    assert behind.key("org_1", 1, NOW) == made["org_1"]
    assert world.item("org_1")["deployment_key"] == 3
    # And while a page is read ahead, the others are left to be read by themselves
    ahead = world.process()
    ahead.read_ahead(((one, 1) for one in made), NOW)
    assert {one: ahead.key(one, 1, NOW) for one in made} == made
    assert [world.item(one)["deployment_key"] for one in made] == [3, 3, 3]
    assert [key.current for key in world.deployment_keys().keys().keys] == [False, False, True]


def test_losing_deployment_keys_costs_calls_and_no_secret(world: World) -> None:
    first = world.process()
    made = {one: first.current(one, NOW)[1] for one in organizations(4)}
    world.deployment_keys().rotate(NOW)
    world.process().key("org_0", 1, NOW)
    # An old one that data keys are still wrapped under
    world.deployment_keys().delete(1)
    world.process().key("org_1", 1, NOW)
    assert [world.item(one)["deployment_key"] for one in made] == [2, 2, 1, 1]
    # The current one, by hand
    world.table.write(Delete(deployment_key_key(2)))
    world.kms.calls.clear()
    ring = world.process(makes=True)
    assert {one: ring.key(one, 1, NOW) for one in made} == made
    assert world.kms.calls == {"decrypt": 4}
    ring.current(ONE, NOW)
    # And one that is altered
    world.table.write(Put({**deployment_key_key(2)._asdict(), "wrapped": b"x"}))
    assert {one: world.process().key(one, 1, NOW) for one in made} == made
    with pytest.raises(InternalError):
        world.process().rewrap(ONE, NOW)
    # And if its pointer is lost, and its predecessor altered
    world.table.write(Delete(CURRENT_DEPLOYMENT_KEY))
    assert world.process(makes=True).key("org_0", 1, NOW) == made["org_0"]
    world.table.write(Put({**deployment_key_key(1)._asdict(), "wrapped": b"x"}))
    assert world.process(makes=True).key("org_0", 1, NOW) == made["org_0"]


def test_a_rotation_after_the_pointer_was_lost_takes_the_next_number(world: World) -> None:
    _, key = world.process().current(ONE, NOW)
    world.table.write(Delete(CURRENT_DEPLOYMENT_KEY))
    assert world.process(makes=True).key(ONE, 1, NOW) == key
    assert world.deployment_keys().rotate(NOW).number == 2
    assert world.process().key(ONE, 1, NOW) == key
    assert world.item(ONE)["deployment_key"] == 2


def test_only_an_old_deployment_key_is_deleted(world: World) -> None:
    keys = world.deployment_keys()
    with pytest.raises(NotFound):
        keys.delete(1)
    assert keys.rotate(NOW).number == 1
    with pytest.raises(Conflict):
        keys.delete(1)
    keys.rotate(NOW)
    with pytest.raises(NotFound):
        keys.delete(3)
    keys.delete(1)
    with pytest.raises(NotFound):
        keys.delete(1)
    assert keys.keys().current == 2


class Fault(Exception):
    """The process is gone."""


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("fault", [Fault, NoAnswer("timeout")])
def test_nothing_is_lost_by_crashes_and_lost_replies(
    fault: Any, is_done: bool, world: World
) -> None:
    """At every call of a first seal, a rotation, and the next opening: before and after it."""

    def story(ring: KeyRing) -> bytes:
        _, key = ring.current(ONE, NOW)
        ring.deployment_keys.rotate(NOW)
        assert ring.key(ONE, 1, LATER) == key
        return key

    story(World().process())
    for at in range(40):
        world = World()
        left = [at]

        def meet(_operation: str, after: bool, left: list[int] = left) -> None:
            if after is is_done:
                left[0] -= 1
                if left[0] == -1:
                    raise fault

        world.client.meet = meet
        try:
            key = story(world.process())
        except (Fault, TemporarilyUnavailable):
            key = None
        world.client.meet = lambda _operation, _after: None
        # Then the next process goes on with whatever stands
        again = story(world.process())
        assert key in (None, again)
        opened = world.process(makes=True).key(ONE, 1, LATER)
        assert opened == again
        assert world.item(ONE)["deployment_key"] == world.deployment_keys().keys().current
        if left[0] >= 0:
            break
    else:
        pytest.fail("the story has more calls")


def test_no_key_is_shown(world: World) -> None:
    ring = world.process()
    _, key = ring.current(ONE, NOW)
    under = ring.deployment_keys.current(NOW, make=False)
    assert under is not None
    assert str(under) == "DeploymentKey(number=1)"
    for text in (repr(ring.__dict__), repr(ring.deployment_keys.__dict__.get("_current"))):
        assert repr(under._key)[2:-1] not in text
    stored = json.dumps(
        [{k: str(v) for k, v in item.items()} for item in world.client.scan_items()]
    )
    assert repr(key)[2:-1] not in stored
    assert repr(under._key)[2:-1] not in stored


def test_kms_opens_a_deployment_key_under_its_number_only(world: World) -> None:
    service = KeyService("key", cast(Any, world.kms))
    world.process().current(ONE, NOW)
    item = world.table.get(deployment_key_key(1))
    assert item is not None
    for context in ({}, {"deployment_key": "2"}, {"organization": ONE}):
        with pytest.raises(InternalError):
            service.unwrapped(item["wrapped"], context)
    assert len(service.unwrapped(item["wrapped"], {"deployment_key": "1"})) == 32
