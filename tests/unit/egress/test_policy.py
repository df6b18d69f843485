"""How an operator writes down what else may be dialed."""

from ipaddress import ip_address

import pytest

from patchbay.egress.failures import EgressBlocked
from patchbay.egress.policy import AllowRule, EgressPolicy
from patchbay.egress.ports import PORTS, PortRow, may_dial


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


def verdict(policy: EgressPolicy, address: str, port: int, host: str = "db.vendor.com") -> str:
    try:
        policy.judge_addresses(host, [ip_address(address)], port, "postgres")
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
    ],
)
def test_a_rule_that_opens_private_hosts_beside_public_ones_warns(rule: str, warns: bool) -> None:
    [*warnings] = EgressPolicy.parse(rule).warnings
    assert bool(warnings) == warns
    assert all("public:" in warning for warning in warnings)


VENDORS = {
    "postgres": {25060: "DigitalOcean", 26257: "CockroachDB", 12691: "Aiven", 38124: "Railway"},
    "http": {9243: "Elastic", 9200: "Elasticsearch", 6333: "Qdrant", 8123: "ClickHouse"},
    "tcp": {587: "SMTP", 22: "SFTP", 3306: "MySQL", 27017: "MongoDB", 6379: "Redis", 9092: "Kafka"},
    "tls": {6380: "Azure", 9093: "Kafka", 27017: "MongoDB", 6443: "Kubernetes", 5432: "PostgreSQL"},
}


@pytest.mark.parametrize(
    ("protocol", "port"), [(name, port) for name, ports in VENDORS.items() for port in ports]
)
def test_ports_of_managed_vendors_may_be_dialed(protocol: str, port: int) -> None:
    assert may_dial(protocol, port)


@pytest.mark.parametrize("protocol", ["tcp", "tls", "http"])
def test_what_proves_no_protocol_scans_no_ports(protocol: str) -> None:
    assert not may_dial(protocol, 31_337)
    assert sum(may_dial(protocol, port) for port in range(65_536)) < 100


@pytest.mark.parametrize("row", {row for rows in PORTS.values() for row in rows})
def test_each_port_has_its_owner_and_a_source(row: PortRow) -> None:
    assert row.owner
    assert row.source.startswith("https://")
    assert 0 < row.ports.start < row.ports.stop <= 65_536
