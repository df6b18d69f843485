"""What is read of a snapshot is read once, and never changes."""

from patchbay.checks.roles import Role
from patchbay.connections import snapshots
from patchbay.connections.connection_items import connection_item
from patchbay.connections.keys import endpoint_key, secret_key
from patchbay.connections.snapshots import packed, snapshot_of
from patchbay.platform.dynamodb import Item
from tests.sample_connection import sample_connection

CONNECTION = connection_item(sample_connection())
SOURCE = endpoint_key("org_1", "src_1")
SECRET = secret_key("org_1", "src_1")
ENDPOINT: Item = {**SOURCE._asdict(), "id": "src_1"}
SEALED: Item = {**SECRET._asdict(), "sealed": b"\x00\xff", "nonce": b"n"}


def test_the_same_bytes_are_read_once() -> None:
    stored = packed(CONNECTION, [ENDPOINT, SEALED])
    again = bytes(bytearray(stored))
    assert again is not stored
    assert snapshot_of(again) is snapshot_of(stored)
    assert snapshot_of(packed(CONNECTION, [ENDPOINT])) is not snapshot_of(stored)


def test_it_has_what_was_read_and_names_the_rest() -> None:
    snapshot = snapshot_of(packed(CONNECTION, [ENDPOINT]))
    assert snapshot.others == {SOURCE: ENDPOINT, SECRET: None}
    assert snapshot.stored == [ENDPOINT]
    assert snapshot.endpoint_ids == ("src_1",)
    assert snapshot.is_whole
    assert not snapshot_of(packed(CONNECTION, [SEALED])).is_whole


def test_each_health_is_a_view_of_its_own() -> None:
    snapshot = snapshot_of(packed(CONNECTION, [ENDPOINT]))
    one = snapshot.with_health({"state": {"successes": 1}})
    assert snapshot.with_health({"state": {"successes": 1}}) is one
    other = snapshot.with_health({"state": {"successes": 2}})
    assert (one.connection.state, other.connection.state) == ({"successes": 1}, {"successes": 2})
    assert one.connection is one.connection
    assert next(iter(snapshot.items.values())) == CONNECTION


def test_what_is_kept_is_counted_by_what_it_unpacks_to() -> None:
    before = snapshots._KEPT.bytes
    blown_up = packed({**CONNECTION, "configurations": "x" * 1_000_000}, [])
    assert len(blown_up) < 5_000
    snapshot_of(blown_up)
    assert snapshots._KEPT.bytes - before > 10_000_000


def test_the_roles_of_its_endpoints_are_those_of_the_connection() -> None:
    both = connection_item(sample_connection().model_copy(update={"destination_id": "dst_1"}))
    assert snapshots._endpoint_ids(both) == {Role.SOURCE: "src_1", Role.DESTINATION: "dst_1"}
