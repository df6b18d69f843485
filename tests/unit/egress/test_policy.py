"""How an operator writes down what else may be dialed."""

from ipaddress import ip_address

import pytest

from patchbay.egress.failures import EgressBlocked
from patchbay.egress.policy import AllowRule, EgressPolicy


def test_rules_are_networks_with_ports() -> None:
    # when
    policy = EgressPolicy.parse("127.0.0.1/32:1024-65535, 10.0.0.0/8:443,[fd00::/8]:5432")

    # then
    assert [(str(r.network), r.first_port, r.last_port) for r in policy.allow] == [
        ("127.0.0.1/32", 1024, 65535),
        ("10.0.0.0/8", 443, 443),
        ("fd00::/8", 5432, 5432),
    ]


def test_no_text_is_no_exception() -> None:
    assert EgressPolicy.parse("") == EgressPolicy()


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/8",
        "10.0.0.1/8:443",
        "10.0.0.0/33:443",
        "10.0.0.0/8:0",
        "10.0.0.0/8:443-80",
        "10.0.0.0/8:65536",
        "10.0.0.0/8:70000",
        "10.0.0.0/8:４４３",
        "10.0.0.0/8:443,",
        "fd00::/8:443",
        "localhost:443",
        "*:443",
        "public",
        "public:",
        "PUBLIC:443",
        "public/0:443",
    ],
)
def test_a_rule_that_is_not_exact_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        EgressPolicy.parse(text)


def test_a_rule_covers_its_ports_and_network_only() -> None:
    # given
    rule = AllowRule.parse("10.0.0.0/8:80-90")

    # then
    address = ip_address("10.0.0.1")
    assert rule.covers(address, 80)
    assert rule.covers(address, 90)
    assert not rule.covers(address, 91)


def verdict(
    policy: EgressPolicy,
    addresses: str,
    port: int,
    host: str = "db.vendor.com",
    protocol: str = "postgres",
) -> str:
    """What becomes of a host with these addresses: the detail of the refusal, or "dialed"."""
    try:
        policy.judge_addresses(host, [*map(ip_address, addresses.split())], port, protocol)
    except EgressBlocked as blocked:
        return blocked.detail or ""
    return "dialed"


def test_a_port_can_be_opened_to_the_public_internet_alone() -> None:
    # given a port that no vendor of databases uses
    policy = EgressPolicy.parse("public:4444")

    # then
    assert verdict(EgressPolicy(), "8.8.8.8", 4444) == "port"
    assert verdict(policy, "8.8.8.8", 4444) == "dialed"
    assert verdict(policy, "2606:4700::1", 4444) == "dialed"
    for private in ("10.0.0.5", "127.0.0.1", "100.64.0.1", "169.254.169.254", "fd00::1", "::1"):
        assert verdict(policy, private, 4444) == "address"


def test_a_public_rule_opens_no_private_name() -> None:
    policy = EgressPolicy.parse("public:4444")

    assert verdict(policy, "8.8.8.8", 4444, "db.corp") == "name"
    with pytest.raises(EgressBlocked):
        policy.judge_name("db.corp")


@pytest.mark.parametrize(
    ("rule", "warns"),
    [
        ("0.0.0.0/0:25060", True),
        ("[::/0]:25060", True),
        ("8.0.0.0/5:443", True),
        ("10.0.0.0/8:443", False),
        ("127.0.0.1/32:1024-65535", False),
        ("192.168.7.0/24:443", False),
        ("8.8.8.0/24:53", False),
        ("public:25060", False),
        ("[fc00::/6]:443", True),
        ("[fc00::/7]:443", False),
        ("[fd00::/8]:443", False),
        ("[2000::/3]:443", False),
    ],
)
def test_a_rule_that_opens_private_hosts_beside_public_ones_warns(rule: str, warns: bool) -> None:
    [*warnings] = EgressPolicy.parse(rule).warnings
    assert bool(warnings) == warns
    assert all("public:" in warning for warning in warnings)


def judged(policy: EgressPolicy, host: str) -> str:
    """What becomes of a host name: the detail of the refusal, or "resolved"."""
    try:
        policy.judge_name(host)
    except EgressBlocked as blocked:
        return blocked.detail or ""
    return "resolved"


@pytest.mark.parametrize(
    ("rules", "host", "becomes"),
    [
        ("", "db.vendor.com", "resolved"),
        ("", "localhost", "name"),
        ("", "a.localhost", "name"),
        ("10.0.0.0/8:443", "localhost", "name"),
        ("", "db.corp", "name"),
        ("public:443", "db.corp", "name"),
        ("10.0.0.0/8:443", "db.corp", "resolved"),
        ("public:443,10.0.0.0/8:443", "db.corp", "resolved"),
        ("", "db", "parse"),
        ("10.0.0.0/8:443", "db", "parse"),
    ],
)
def test_a_name_is_refused_before_it_is_resolved(rules: str, host: str, becomes: str) -> None:
    assert judged(EgressPolicy.parse(rules), host) == becomes


def test_a_name_outside_the_public_dns_is_refused_whatever_the_rules_allow() -> None:
    # given a policy that opens private networks
    policy = EgressPolicy.parse("10.0.0.0/8:443", "api.acme.com")

    # then a name that must be public is still refused
    for host, detail in (
        ("db.corp", "name"),
        ("localhost", "name"),
        ("api.acme.com", "name"),
        ("db", "parse"),
    ):
        with pytest.raises(EgressBlocked) as refused:
            policy.judge_public_name(host)
        assert refused.value.detail == detail
    policy.judge_public_name("db.vendor.com")


@pytest.mark.parametrize(
    ("host", "becomes"),
    [
        ("api.acme.com", "name"),
        ("a.b.api.acme.com", "name"),
        ("connect.acme.com", "name"),
        ("acme.com", "resolved"),
        ("myapi.acme.com", "resolved"),
        ("api.acme.com.evil.com", "resolved"),
    ],
)
def test_names_of_this_installation_and_below_are_refused(host: str, becomes: str) -> None:
    policy = EgressPolicy.parse("", " API.Acme.com. ,connect.acme.com,")
    assert judged(policy, host) == becomes


def test_more_own_names_are_added_and_none_is_lost() -> None:
    # given
    policy = EgressPolicy.parse("10.0.0.0/8:443", "api.acme.com")

    # when
    extended = policy.excluding(["Hooks.Acme.com.", ""])

    # then
    assert extended.own_names == {"api.acme.com", "hooks.acme.com"}
    assert extended.allow == policy.allow
    assert policy.excluding(["API.acme.com", " "]) is policy
    assert policy.own_names == {"api.acme.com"}


@pytest.mark.parametrize(
    ("addresses", "port", "becomes"),
    [
        ("8.8.8.8 10.2.0.1", 5432, "address"),
        ("8.8.8.8 10.1.0.1", 5432, "dialed"),
        ("10.1.0.1", 5432, "dialed"),
        ("10.1.0.1", 5433, "address"),
        ("8.8.8.8", 443, "port"),
        ("10.1.0.1 8.8.8.8", 443, "address"),
    ],
)
def test_a_host_is_refused_if_one_of_its_addresses_is(
    addresses: str, port: int, becomes: str
) -> None:
    assert verdict(EgressPolicy.parse("10.1.0.0/16:5432"), addresses, port) == becomes


@pytest.mark.parametrize(
    ("addresses", "port", "becomes"),
    [
        ("10.1.0.1 8.8.8.8", 5432, "dialed"),
        ("10.1.0.1 1.1.1.1", 5432, "name"),
        ("1.1.1.1", 5432, "name"),
        ("1.1.1.1", 5433, "name"),
    ],
)
def test_a_private_name_needs_all_of_its_addresses_in_networks_of_the_rules(
    addresses: str, port: int, becomes: str
) -> None:
    policy = EgressPolicy.parse("public:5432,10.1.0.0/16:5432,8.8.0.0/16:5432")
    assert verdict(policy, addresses, port, "db.corp") == becomes


@pytest.mark.parametrize(
    ("rules", "address", "port", "becomes"),
    [
        # 64:ff9b::/96 leads to the IPv4 address inside it, which needs a rule of its own.
        ("[64:ff9b::/96]:5432", "64:ff9b::10.0.0.1", 5432, "address"),
        ("[64:ff9b::/96]:5432,10.0.0.0/8:5432", "64:ff9b::10.0.0.1", 5432, "dialed"),
        ("[64:ff9b::/96]:5432,10.0.0.0/8:443", "64:ff9b::10.0.0.1", 5432, "address"),
        ("[64:ff9b::/96]:5432", "64:ff9b::8.8.8.8", 5432, "dialed"),
        ("10.0.0.0/8:5432", "64:ff9b::10.0.0.1", 5432, "address"),
        ("[64:ff9b::/96]:5432", "64:ff9b::169.254.169.254", 5432, "address"),
        # No rule opens a metadata service.
        ("169.254.0.0/16:5432", "169.254.169.254", 5432, "address"),
        ("0.0.0.0/0:5432", "169.254.169.254", 5432, "address"),
    ],
)
def test_an_address_inside_an_address_needs_a_rule_too(
    rules: str, address: str, port: int, becomes: str
) -> None:
    assert verdict(EgressPolicy.parse(rules), address, port) == becomes


@pytest.mark.parametrize(
    ("protocol", "port", "becomes"),
    [("postgres", 5432, "dialed"), ("http", 5432, "port"), ("gopher", 443, "port")],
)
def test_without_a_rule_the_protocol_decides_about_the_port(
    protocol: str, port: int, becomes: str
) -> None:
    assert verdict(EgressPolicy(), "8.8.8.8", port, protocol=protocol) == becomes


def test_a_warning_says_which_rule_to_write_instead() -> None:
    [warning] = EgressPolicy.parse("0.0.0.0/0:25060-25061,10.0.0.0/8:443").warnings
    assert "on ports 25060-25061: write public:25060-25061 to open" in warning
