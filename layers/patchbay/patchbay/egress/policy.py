"""What may be dialed: the rule of the public internet, and the operator's exceptions to it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Final, Self

from patchbay.egress.addresses import Address, Network, embedded_ipv4, is_never_dialed, is_public
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.host_names import is_private, is_self
from patchbay.egress.ports import may_dial

_RULE: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+/[0-9]{1,3})\]|(?P<four>[0-9.]+/[0-9]{1,2})|(?P<public>public))"
    r":(?P<first>[1-9][0-9]{0,4})(?:-(?P<last>[1-9][0-9]{0,4}))?"
)
_PRIVATE: Final = tuple(
    map(
        ip_network,
        (
            *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
            *("::1/128", "fc00::/7"),
        ),
    )
)
"""Where private hosts are; only to warn of a rule that opens them beside public ones."""


@dataclass(frozen=True, slots=True)
class AllowRule:
    """Addresses of `network` may be dialed on `first_port` to `last_port`, both included.

    `network` is None for every public address: such a rule opens ports, and no private network.
    """

    network: Network | None
    first_port: int
    last_port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """A rule from `cidr:port` or `cidr:first-last`, IPv6 as `[fd00::/8]:443`, or from
        `public:port` or `public:first-last`.

        Raises ValueError: malformed, host bits set, or ports out of order.
        """
        match = _RULE.fullmatch(text)
        if not match:
            raise ValueError(f"{text!r} is not cidr:port, cidr:first-last, or public:port")
        first = int(match["first"])
        last = int(match["last"] or first)
        if not first <= last <= 65535:
            raise ValueError(f"{text!r} has ports out of range or order")
        network = None if match["public"] else ip_network(match["six"] or match["four"])
        return cls(network, first, last)

    def covers(self, address: Address, port: int) -> bool:
        if not self.first_port <= port <= self.last_port:
            return False
        return is_public(address) if self.network is None else address in self.network

    @property
    def mixes(self) -> bool:
        """Whether it opens private hosts beside public ones: more than its author may have meant,
        such as `0.0.0.0/0:25060`, where `public:25060` was."""
        network = self.network
        return network is not None and any(
            network.version == private.version
            and network.prefixlen < private.prefixlen
            and private.network_address in network
            for private in _PRIVATE
        )


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Judges names, and addresses with a port. Pure: it resolves nothing.

    - `allow`: the operator's rules. An address under a rule may be dialed on the rule's ports,
      whatever the protocol. A name in a private suffix (`db.corp`) may be dialed when every address
      it resolves to is under a rule for a network. Names of the own machine (`localhost`) and
      addresses of metadata services stay refused.
    - `own_names`: host names of this installation (its own API). They and what is below them are
      refused, so that a test can't call the API it runs in.
    """

    allow: tuple[AllowRule, ...] = ()
    own_names: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str, own_names: str = "") -> Self:
        """A policy from rules joined by commas, `127.0.0.1/32:1024-65535,public:25060`, and host
        names joined by commas; "" is none.

        Raises ValueError with the first rule that is wrong.
        """
        rules = tuple(AllowRule.parse(part.strip()) for part in text.split(",")) if text else ()
        return cls(rules).excluding(own_names.split(","))

    @property
    def opens_private(self) -> bool:
        """Whether any rule is for a network, which may be private."""
        return any(rule.network is not None for rule in self.allow)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know about the rules, a sentence each."""
        return tuple(
            f"EgressAllow opens private networks together with the public internet on ports "
            f"{rule.first_port}-{rule.last_port}: write public:{rule.first_port}-{rule.last_port} "
            f"to open the public internet only."
            for rule in self.allow
            if rule.mixes
        )

    def judge_name(self, host: str) -> None:
        """Refuses a canonical host name that is dialed under no circumstances.

        Raises EgressBlocked: `name`, or `parse` for a single label, which a resolver would complete
        with search domains of ours.
        """
        if is_self(host) or self._is_own(host):
            raise EgressBlocked("name", "The host is a name of this machine or installation.")
        if is_private(host) and not self.opens_private:
            raise EgressBlocked("name", "The host's name is of a private network.")
        if "." not in host:
            raise EgressBlocked("parse", "The host is not a full domain name.")

    def judge_public_name(self, host: str) -> None:
        """Refuses a canonical host name that is not in the public DNS, whatever the rules allow.

        Raises EgressBlocked as `judge_name` does.
        """
        if is_private(host):
            raise EgressBlocked("name", "The name belongs to a private network.")
        self.judge_name(host)

    def excluding(self, own_names: Iterable[str]) -> Self:
        """This policy, with more names of this installation."""
        names = _canonical(own_names)
        return self if names <= self.own_names else replace(self, own_names=self.own_names | names)

    def judge_addresses(
        self, host: str, addresses: Sequence[Address], port: int, protocol: str
    ) -> None:
        """Refuses the host unless every one of its addresses may be dialed on `port`.

        Raises EgressBlocked: `address`, `name` (a private suffix outside the rules) or `port`.
        """
        outside = [address for address in addresses if not self._is_under_rule(address, port)]
        if not all(map(is_public, outside)):
            raise EgressBlocked("address", "The host's address is not on the public internet.")
        if is_private(host) and not all(self._is_in_network(a, port) for a in addresses):
            raise EgressBlocked("name", "The host's name is of a private network.")
        if outside and not may_dial(protocol, port):
            raise EgressBlocked("port", f"Port {port} may not be dialed by this kind of check.")

    def _is_under_rule(self, address: Address, port: int) -> bool:
        if not any(r.covers(address, port) for r in self.allow) or is_never_dialed(address):
            return False
        inner = embedded_ipv4(address)
        return inner is None or is_public(inner) or self._is_under_rule(inner, port)

    def _is_in_network(self, address: Address, port: int) -> bool:
        """Whether an address is under a rule for a network, not for the public internet alone."""
        return self._is_under_rule(address, port) and any(
            rule.network is not None and rule.covers(address, port) for rule in self.allow
        )

    def _is_own(self, host: str) -> bool:
        return any(host == name or host.endswith("." + name) for name in self.own_names)


def _canonical(names: Iterable[str]) -> frozenset[str]:
    spelled = (name.strip().lower().removesuffix(".") for name in names)
    return frozenset(name for name in spelled if name)
