"""How an operator writes down what else may be dialed."""

import pytest

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
        "10.0.0.0/8:70000",
        "10.0.0.0/8:４４３",
        "10.0.0.0/8:443,",
        "fd00::/8:443",
        "localhost:443",
        "*:443",
    ],
)
def test_a_rule_that_is_not_exact_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        EgressPolicy.parse(text)


def test_a_rule_covers_its_ports_and_network_only() -> None:
    # given
    rule = AllowRule.parse("10.0.0.0/8:80-90")

    # then
    address = rule.network[1]
    assert rule.covers(address, 80)
    assert rule.covers(address, 90)
    assert not rule.covers(address, 91)
