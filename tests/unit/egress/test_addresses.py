"""The address tables."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.egress.addresses import Address, embedded_ipv4, is_never_dialed, is_public


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


# The first and the last address of each range that is not the public internet.
SPECIAL_RANGES = [
    "0.0.0.0 - 0.255.255.255",
    "10.0.0.0 - 10.255.255.255",
    "100.64.0.0 - 100.127.255.255",
    "127.0.0.0 - 127.255.255.255",
    "168.63.129.16 - 168.63.129.16",
    "169.254.0.0 - 169.254.255.255",
    "172.16.0.0 - 172.31.255.255",
    "192.0.0.0 - 192.0.0.255",
    "192.0.2.0 - 192.0.2.255",
    "192.31.196.0 - 192.31.196.255",
    "192.52.193.0 - 192.52.193.255",
    "192.88.99.0 - 192.88.99.255",
    "192.168.0.0 - 192.168.255.255",
    "192.175.48.0 - 192.175.48.255",
    "198.18.0.0 - 198.19.255.255",
    "198.51.100.0 - 198.51.100.255",
    "203.0.113.0 - 203.0.113.255",
    "224.0.0.0 - 255.255.255.255",
    "2001:: - 2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db8:: - 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002:: - 2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2620:4f:8000:: - 2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
    "3fff:: - 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
    "4000:: - ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ":: - 1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]


def ends(span: str) -> list[Address]:
    return [ip_address(text) for text in span.split(" - ")]


def neighbors(span: str) -> Iterator[Address]:
    """The addresses right before and after a range, if there are any."""
    first, last = ends(span)
    if int(first) > 0:
        yield first - 1
    if int(last) < 2**last.max_prefixlen - 1:
        yield last + 1


@pytest.mark.parametrize("span", SPECIAL_RANGES)
def test_a_special_range_is_refused_from_its_first_address_to_its_last(span: str) -> None:
    assert not any(map(is_public, ends(span)))
    assert all(map(is_public, neighbors(span)))


# What no rule of an operator opens, from its first address to its last.
NEVER_DIALED = [
    "0.0.0.0 - 0.255.255.255",
    "100.100.100.200 - 100.100.100.200",
    "168.63.129.16 - 168.63.129.16",
    "169.254.0.0 - 169.254.255.255",
    "192.0.0.192 - 192.0.0.192",
    "224.0.0.0 - 239.255.255.255",
    "255.255.255.255 - 255.255.255.255",
    "fd00:ec2:: - fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff",
    "fd20:ce::254 - fd20:ce::254",
    "fe80:: - febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "ff00:: - ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
]


@pytest.mark.parametrize("span", NEVER_DIALED)
def test_what_is_never_dialed_is_refused_from_its_first_address_to_its_last(span: str) -> None:
    assert all(map(is_never_dialed, ends(span)))
    assert not any(map(is_never_dialed, neighbors(span)))


@pytest.mark.parametrize(
    "text", ["::", "::ffff:169.254.169.254", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::"]
)
def test_what_reaches_a_metadata_service_is_never_dialed_either(text: str) -> None:
    assert is_never_dialed(ip_address(text))


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("8.8.8.8", None),
        ("::8.8.8.8", "8.8.8.8"),
        ("::1:808:808", None),
        ("::fffe:8.8.8.8", None),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("::ffff:0:8.8.8.8", "8.8.8.8"),
        ("::ffff:1:808:808", None),
        ("64:ff9b::8.8.8.8", "8.8.8.8"),
        ("64:ff9b::1:808:808", None),
        ("64:ff9b:1::8.8.8.8", "8.8.8.8"),
        ("64:ff9b:1:ffff:ffff:ffff:808:808", "8.8.8.8"),
        ("64:ff9b:2::808:808", None),
        ("2002:808:808::", "8.8.8.8"),
        ("2002:808:808:ffff:ffff:ffff:ffff:ffff", "8.8.8.8"),
        ("2003:808:808::", None),
        ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", "8.8.8.8"),
        ("2001:1:4136:e378:8000:63bf:f7f7:f7f7", None),
        ("2606:4700::5efe:808:808", "8.8.8.8"),
        ("2606:4700::200:5efe:808:808", "8.8.8.8"),
        ("2606:4700::100:5efe:808:808", None),
        ("2606:4700::1", None),
    ],
)
def test_each_form_of_an_embedded_address_is_known_and_no_other(
    text: str, inner: str | None
) -> None:
    assert embedded_ipv4(ip_address(text)) == (inner and ip_address(inner))


@pytest.mark.parametrize("text", ["2606:4700::5efe:808:808", "2606:4700::200:5efe:808:808"])
def test_a_tunnel_to_a_public_host_is_public(text: str) -> None:
    assert is_public(ip_address(text))
    assert not is_never_dialed(ip_address(text))
