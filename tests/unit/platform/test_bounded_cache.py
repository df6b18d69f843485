"""What is kept is bounded in bytes."""

from patchbay.platform.bounded_cache import BoundedCache


def test_a_value_is_made_once() -> None:
    cache = BoundedCache[str, list[int]](100)
    made = [cache.get("a", lambda: ([1], 10)) for _ in range(2)]
    assert made[0] is made[1]
    assert cache.bytes == 10


def test_what_was_not_used_for_longest_goes_first() -> None:
    # given
    cache = BoundedCache[str, list[str]](100)
    kept = {name: cache.get(name, lambda: ([], 40)) for name in "ab"}
    assert cache.get("a", lambda: ([], 40)) is kept["a"]

    # when
    cache.get("c", lambda: ([], 60))

    # then
    assert cache.bytes == 100
    assert cache.get("a", lambda: ([], 40)) is kept["a"]
    assert cache.get("b", lambda: ([], 40)) is not kept["b"]


def test_a_value_above_the_bound_pushes_nothing_out() -> None:
    cache = BoundedCache[str, list[str]](100)
    kept = cache.get("a", lambda: ([], 40))
    cache.get("large", lambda: ([], 101))
    assert cache.get("a", lambda: ([], 40)) is kept
    assert cache.bytes == 40
