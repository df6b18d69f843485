"""The limits of a tenant in the table, under concurrency, lost replies, and crashes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from patchbay.platform.dynamodb import Key, Table
from patchbay.platform.errors import RateLimited
from patchbay.platform.limits import Limit, Limiter
from tests.integration.faults import lost_replies

NOW = datetime(2026, 2, 17, 10, 0, tzinfo=UTC)
LEASE = timedelta(seconds=30)
ORGANIZATION = "org_01K0Z3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture
def limiter(integrations_table: Table) -> Limiter:
    return Limiter(integrations_table, "tests")


def gets_in(limiter: Limiter, token: str, limit: Limit, now: datetime = NOW) -> bool:
    try:
        limiter.enter(ORGANIZATION, token, limit, now, LEASE)
    except RateLimited:
        return False
    return True


def test_of_many_at_once_exactly_as_many_get_in_as_there_is_room_for(limiter: Limiter) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda n: gets_in(limiter, f"t{n}", Limit(100, 3)), range(8))
    assert sum(answers) == 3


def test_of_many_in_a_minute_exactly_as_many_get_in_as_are_allowed(limiter: Limiter) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda n: gets_in(limiter, f"t{n}", Limit(4, 100)), range(8))
    assert sum(answers) == 4


def test_what_is_returned_is_free_for_the_next(limiter: Limiter) -> None:
    assert gets_in(limiter, "a", Limit(100, 1))
    assert not gets_in(limiter, "b", Limit(100, 1))
    limiter.leave(ORGANIZATION, "a")
    assert gets_in(limiter, "b", Limit(100, 1))


def test_a_lease_returned_while_another_is_taken_stays_returned(
    limiter: Limiter, integrations_table: Table
) -> None:
    # Given a state that was read before a lease came back
    limiter.enter(ORGANIZATION, "a", Limit(100, 2), NOW, LEASE)
    read = integrations_table.get

    def late(key: Key) -> dict[str, object] | None:
        item = read(key)
        limiter.leave(ORGANIZATION, "a")
        return item

    integrations_table.get = late  # type: ignore[method-assign]  # answers late
    # When another enters with it
    limiter.enter(ORGANIZATION, "b", Limit(100, 2), NOW, LEASE)
    # Then the other lease is not back
    item = read(Key(f"LIMIT#{ORGANIZATION}", "tests"))
    assert item is not None
    assert [name for name in item if name.startswith("lease_")] == ["lease_b"]


def test_one_tenants_use_is_not_anothers(limiter: Limiter) -> None:
    assert gets_in(limiter, "a", Limit(1, 1))
    limiter.enter("org_01K0Z3NDEKTSV4RRFFQ69G5FAW", "a", Limit(1, 1), NOW, LEASE)


def test_returning_what_was_never_taken_leaves_nothing_behind(
    limiter: Limiter, integrations_table: Table
) -> None:
    limiter.leave(ORGANIZATION, "a")
    assert integrations_table.get(Key(f"LIMIT#{ORGANIZATION}", "tests")) is None


def test_a_reply_that_is_lost_counts_once(limiter: Limiter, integrations_table: Table) -> None:
    # Given a write that is applied although its reply never arrives: botocore repeats it
    with lost_replies("PutItem", "UpdateItem"):
        limiter.enter(ORGANIZATION, "a", Limit(100, 2), NOW, LEASE)
    # Then it is counted once
    item = integrations_table.get(Key(f"LIMIT#{ORGANIZATION}", "tests"))
    assert item is not None
    assert (item["count"], item["lease_a"] > 0) == (1, True)
