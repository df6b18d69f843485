"""What organizations share in memory, no organization can use up."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from patchbay.tenancy.fair_cache import FairCache

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


def test_a_value_is_found_until_its_time_is_over() -> None:
    cache: FairCache[str, int] = FairCache(2)
    assert cache.get("a", NOON) is None
    cache.put("a", "acme", LATER, 1)
    assert cache.get("a", LATER - timedelta(milliseconds=1)) == (LATER, 1)
    assert cache.get("a", LATER) is None
    cache.put("a", "acme", LATER, 2)
    assert cache.get("a", NOON) == (LATER, 2)
    cache.drop("a")
    cache.drop("a")
    assert cache.get("a", NOON) is None


def test_an_organization_with_many_values_pushes_out_only_its_own() -> None:
    cache: FairCache[str, int] = FairCache(10)
    for number in range(3):
        cache.put(f"victim-{number}", "victim", LATER, number)
    for number in range(1000):
        cache.put(f"attacker-{number}", "attacker", LATER, number)
    assert all(cache.get(f"victim-{number}", NOON) for number in range(3))
    # And its newest values are the ones that are left
    kept = [number for number in range(1000) if cache.get(f"attacker-{number}", NOON)]
    assert kept == list(range(993, 1000))


def test_a_key_that_is_put_again_under_another_owner_leaves_nothing_behind() -> None:
    cache: FairCache[str, int] = FairCache(2)
    cache.put("a", "acme", LATER, 1)
    cache.put("a", "globex", LATER, 2)
    cache.put("b", "acme", LATER, 3)
    assert (cache.get("a", NOON), cache.get("b", NOON)) == ((LATER, 2), (LATER, 3))


@pytest.mark.parametrize("seed", range(20))
def test_it_never_holds_more_than_its_size_and_takes_from_no_one_with_a_fair_share(
    seed: int,
) -> None:
    chance = Random(seed)  # noqa: S311 - a repeatable test, no secret
    cache: FairCache[int, None] = FairCache(30)
    # Given three of five organizations with a fifth each, and two that put whatever they like
    for key in range(3 * 6):
        cache.put(key, f"modest-{key % 3}", LATER, None)
    for key in range(1000, 1400):
        cache.put(key, f"attacker-{chance.randrange(1, 3)}", LATER, None)
    assert all(cache.get(key, NOON) for key in range(3 * 6))
    assert sum(cache.get(key, NOON) is not None for key in range(2000)) == 30
