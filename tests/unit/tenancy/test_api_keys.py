"""API keys as strings."""

import pytest

from patchbay.tenancy.api_keys import bearer_token, digest, matches, mint, prefix_of


def test_a_minted_key_is_found_by_its_prefix_and_verified_by_its_digest() -> None:
    key = mint()
    assert prefix_of(key.text) == key.prefix
    assert matches(key.text, key.digest)
    assert key.text not in key.digest


def test_keys_differ() -> None:
    keys = [mint() for _ in range(50)]
    assert len({key.text for key in keys}) == len({key.prefix for key in keys}) == 50


def test_the_slightest_change_is_another_key() -> None:
    key = mint()
    changed = key.text[:-1] + ("A" if key.text[-1] != "A" else "B")
    assert prefix_of(changed) == key.prefix
    assert not matches(changed, key.digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pb_",
        "pb_abcdefgh_",
        "pb_ABCDEFGH_" + "x" * 43,
        "pb_abcdefgh_" + "x" * 42,
        "pb_abcdefgh_" + "x" * 44,
        "pb_abcdefgh_" + "x" * 42 + "\n",
        "pb_abcdefg\u0660_" + "x" * 43,
        "sk_abcdefgh_" + "x" * 43,
    ],
)
def test_what_can_not_be_a_key_has_no_prefix(text: str) -> None:
    assert prefix_of(text) is None


@pytest.mark.parametrize("header", ["Bearer abc", "bearer abc", "BEARER   abc"])
def test_the_scheme_is_read_in_any_case(header: str) -> None:
    assert bearer_token(header) == "abc"


@pytest.mark.parametrize(
    "header", ["", "abc", "Basic abc", "Bearer", "Bearer ", "Bearer a b", "Bearerabc"]
)
def test_other_headers_carry_no_token(header: str) -> None:
    assert bearer_token(header) is None


def test_a_digest_is_sha_256() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
