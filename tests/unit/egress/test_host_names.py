"""Which host names mean this machine, and which a private network."""

import pytest

from patchbay.egress.host_names import is_private, is_self

OF_THIS_MACHINE = [
    *("localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback", "localdomain"),
    "broadcasthost",
]
PRIVATE_SUFFIXES = [
    *("alt", "arpa", "corp", "example", "home", "internal", "intranet", "invalid", "lan", "local"),
    *("mail", "onion", "priv", "private", "svc", "test"),
]


@pytest.mark.parametrize("name", OF_THIS_MACHINE)
def test_a_name_of_this_machine_means_it_with_anything_before_it(name: str) -> None:
    assert is_self(name)
    assert is_self(f"a.b.{name}")
    assert not is_self(f"{name}.com")
    assert not is_self(f"x{name}")
    assert not is_private(f"a.{name}")


@pytest.mark.parametrize("suffix", PRIVATE_SUFFIXES)
def test_a_name_below_a_private_suffix_is_private(suffix: str) -> None:
    assert is_private(f"db.{suffix}")
    assert is_private(f"a.b.{suffix}")
    assert not is_private(f"{suffix}.com")
    assert not is_private(f"db.x{suffix}")
    assert not is_self(f"db.{suffix}")


def test_a_single_label_is_below_no_suffix() -> None:
    assert not is_private("corp")
    assert not is_private("db")


def test_a_name_of_the_public_dns_is_neither() -> None:
    for host in ("example.com", "db.vendor.io", "com"):
        assert not is_private(host)
        assert not is_self(host)
