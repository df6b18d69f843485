"""The address tables."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.egress.addresses import embedded_ipv4, is_never_dialed, is_public


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_whatever_the_standard_library_calls_not_global_is_not_public(
    address: IPv4Address | IPv6Address,
) -> None:
    if not address.is_global or address.is_multicast:
        assert not is_public(address)


@given(st.ip_addresses(v=4, network="10.0.0.0/8"), st.sampled_from(["::ffff:", "64:ff9b::", "::"]))
def test_a_private_address_inside_an_ipv6_address_is_not_public(
    address: IPv4Address, prefix: str
) -> None:
    outer = ip_address(f"{prefix}{address}")
    assert embedded_ipv4(outer) == address
    assert not is_public(outer)


@pytest.mark.parametrize(
    "text",
    ["1.1.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.0", "2606:4700::1111", "2a00::1"],
)
def test_ordinary_hosts_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("2002:7f00:1::", "127.0.0.1"),
        ("2001:0:4136:e378:8000:63bf:f5ff:fffd", "10.0.0.2"),
        ("64:ff9b:1::a00:1", "10.0.0.1"),
        ("::ffff:0:127.0.0.1", "127.0.0.1"),
        ("2606:4700::5efe:a00:1", "10.0.0.1"),
        ("2606:4700::200:5efe:a00:1", "10.0.0.1"),
    ],
)
def test_tunnels_are_judged_by_what_they_reach(text: str, inner: str) -> None:
    address = ip_address(text)
    assert str(embedded_ipv4(address)) == inner
    assert not is_public(address)


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
        "64:ff9b::a9fe:a9fe",
        "0.0.0.1",
        "ff02::1",
    ],
)
def test_metadata_services_are_never_dialed(text: str) -> None:
    assert is_never_dialed(ip_address(text))
    assert not is_public(ip_address(text))
