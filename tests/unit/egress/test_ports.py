"""Which ports may be dialed on the public internet."""

import pytest

from patchbay.egress.ports import PORTS, PortRow, may_dial

VENDORS = {
    "postgres": {
        25060: "DigitalOcean",
        26257: "CockroachDB",
        12691: "Aiven",
        38124: "Railway",
        5450: "Redshift",
    },
    "http": {9243: "Elastic", 9200: "Elasticsearch", 6333: "Qdrant", 8123: "ClickHouse"},
    "tcp": {
        587: "SMTP",
        22: "SFTP",
        3306: "MySQL",
        27017: "MongoDB",
        6379: "Redis",
        9092: "Kafka",
        9196: "MSK",
    },
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
