"""Which IP addresses belong to the public internet: our own tables, from IANA's registries.

Not `ipaddress.is_private` or `is_global`: they change with the Python version, and know nothing of
carrier-grade NAT or the metadata services of clouds. For IPv6 the table is the other way around:
only 2000::/3 is assigned, so everything else is refused, and special ranges inside it are listed.

Sources: iana-ipv4-special-registry, iana-ipv6-special-registry,
iana-ipv6-unicast-address-assignments.
"""

from bisect import bisect_right
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

_SPECIAL_IPV4: Final = (
    "0.0.0.0/8",  # this network; 0.0.0.0 reaches this machine
    "10.0.0.0/8",
    "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata service
    "127.0.0.0/8",
    "168.63.129.16/32",  # Azure's wire server: public range, answers inside every virtual network
    "169.254.0.0/16",  # link-local: the metadata services
    "172.16.0.0/12",
    "192.0.0.0/24",  # IETF protocol assignments; Oracle's metadata service
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # multicast tunneling
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
)
_GLOBAL_IPV6: Final = IPv6Network("2000::/3")
_SPECIAL_IPV6: Final = (
    "2001::/23",  # IETF protocol assignments: Teredo, benchmarks, ORCHID, AS112 and more
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
)
# No operator's rule opens these: they issue the platform's own credentials, or are not hosts.
_NEVER: Final = (
    "0.0.0.0/8",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "192.0.0.192/32",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "fe80::/10",
    "ff00::/8",
)


class _Ranges:
    """A set of addresses as sorted integer ranges: one bisection per question."""

    def __init__(self, networks: tuple[str, ...], version: int) -> None:
        parsed = (ip_network(text) for text in networks)
        ranges = sorted(
            (int(network.network_address), int(network.broadcast_address))
            for network in parsed
            if network.version == version
        )
        self._starts = [first for first, _ in ranges]
        self._ends = [last for _, last in ranges]

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self._starts, number) - 1
        return index >= 0 and number <= self._ends[index]


_IPV4_SPECIAL: Final = _Ranges(_SPECIAL_IPV4, 4)
_IPV6_SPECIAL: Final = _Ranges(_SPECIAL_IPV6, 6)
_NEVER_BY_VERSION: Final = {4: _Ranges(_NEVER, 4), 6: _Ranges(_NEVER, 6)}
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})


def is_public(address: Address) -> bool:
    """Whether `address` is an ordinary host of the public internet."""
    number = int(address)
    if isinstance(address, IPv4Address):
        return number not in _IPV4_SPECIAL
    if address not in _GLOBAL_IPV6 or number in _IPV6_SPECIAL:
        return False
    inner = embedded_ipv4(address)
    return inner is None or is_public(inner)


def is_never_dialed(address: Address) -> bool:
    """Whether no rule of an operator may open `address`, or the IPv4 address inside it."""
    if int(address) in _NEVER_BY_VERSION[address.version]:
        return True
    inner = embedded_ipv4(address)
    return inner is not None and is_never_dialed(inner)


def embedded_ipv4(address: Address) -> IPv4Address | None:
    """The IPv4 address that a translator or tunnel would reach for this IPv6 address, if any.

    Covers IPv4-compatible, -mapped and -translated addresses, NAT64 (RFC 6052, RFC 8215), 6to4,
    Teredo (the client) and ISATAP.
    """
    if isinstance(address, IPv4Address):
        return None
    number = int(address)
    low = number & 0xFFFF_FFFF
    if number >> 32 in (0, 0xFFFF, 0xFFFF_0000) or number >> 32 == 0x0064_FF9B << 64:
        return IPv4Address(low)
    if number >> 80 == 0x0064_FF9B_0001:
        return IPv4Address(low)
    if number >> 112 == 0x2002:
        return IPv4Address(number >> 80 & 0xFFFF_FFFF)
    if number >> 96 == 0x2001_0000:
        return IPv4Address(low ^ 0xFFFF_FFFF)
    if number >> 32 & 0xFFFF_FFFF in _ISATAP:
        return IPv4Address(low)
    return None
