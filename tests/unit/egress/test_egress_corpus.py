"""The guard against the rows of the corpus that name a target."""

import asyncio
from typing import Any

import pytest

from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard, Vetted
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.url import parse_url
from tests.unit.checks.doubles import FakeResolver
from tests.unit.egress.corpus import row as corpus_row
from tests.unit.egress.corpus import rows


async def judge(url: str, guard: EgressGuard) -> Vetted:
    target = parse_url(url)
    return await guard.vet(target.host, target.port, "http")


def verdict_on(url: str, guard: EgressGuard) -> str:
    try:
        asyncio.run(judge(url, guard))
    except DialFailure as failure:
        return f"deny:{failure.detail}" if failure.detail else f"deny:{failure.phase}"
    return "allow"


@rows("url")
def test_every_hostile_url_is_refused_for_its_reason(row: dict[str, Any]) -> None:
    # given a resolver that answers as the row says
    single = {name: [answer] for name, answer in row.get("dns", {}).items()}
    resolver = FakeResolver(single | row.get("dns_seq", {}))

    # when the guard judges the URL
    verdict = verdict_on(row["target"], EgressGuard(EgressPolicy(), resolver=resolver))

    # then
    assert verdict == row["expected"], row["why"]
    assert len(resolver.asked) <= 1


@pytest.mark.parametrize("row_id", ["G07", "G08"])
def test_a_rebinding_name_is_dialed_at_its_first_answer_only(row_id: str) -> None:
    # given a name whose second answer is private
    row = corpus_row(row_id)
    guard = EgressGuard(EgressPolicy(), resolver=FakeResolver(row["dns_seq"]))

    # when
    vetted = asyncio.run(judge(row["target"], guard))

    # then
    assert [str(address) for address in vetted.addresses] == ["93.184.216.34"]


@pytest.mark.parametrize(
    ("url", "answer", "verdict"),
    [
        ("http://10.1.2.3:8443/", [], "allow"),
        ("http://10.1.2.3:443/", [], "deny:address"),
        ("http://10.200.0.1:9000/", [], "deny:address"),
        ("http://api.example.net:8443/", ["10.1.2.3"], "allow"),
        ("http://api.example.net:8443/", ["10.1.2.3", "93.184.216.34"], "allow"),
        ("http://api.example.net:8443/", ["10.1.2.3", "192.168.0.1"], "deny:address"),
        ("http://db.corp:8443/", ["10.1.2.3"], "allow"),
        ("http://db.corp:8443/", ["93.184.216.34"], "deny:name"),
        ("http://93.184.216.34:9000/", [], "allow"),
        ("http://93.184.216.34:9001/", [], "deny:port"),
        ("http://localhost:8443/", ["10.1.2.3"], "deny:name"),
        ("http://169.254.169.254:80/", [], "deny:address"),
        ("http://[64:ff9b::a9fe:a9fe]:80/", [], "deny:address"),
        ("http://[64:ff9b::5db8:d822]:80/", [], "allow"),
        ("http://[::ffff:10.1.2.3]:8443/", [], "deny:address"),
        ("http://[fd12::1]:443/", [], "allow"),
    ],
)
def test_an_operators_rules_open_what_they_name_and_no_more(
    url: str, answer: list[str], verdict: str
) -> None:
    # given rules for a private network, one public address, NAT64, ULA, and a careless one
    policy = EgressPolicy.parse(
        "10.0.0.0/9:8443,93.184.216.34/32:9000,169.254.0.0/16:80,"
        "[64:ff9b::/96]:80,[fd00::/8]:1-65535"
    )
    names = ["api.example.net", "db.corp", "localhost"]
    guard = EgressGuard(policy, resolver=FakeResolver({name: [answer] for name in names}))

    # when, then
    assert verdict_on(url, guard) == verdict


def test_at_most_four_addresses_are_dialed_and_both_families_among_them() -> None:
    # given a name with many addresses, IPv6 first
    answers = [f"2600::{n}" for n in range(1, 7)] + ["93.184.216.34"]
    guard = EgressGuard(EgressPolicy(), resolver=FakeResolver({"big.example.net": [answers]}))

    # when
    vetted = asyncio.run(guard.vet("big.example.net", 443, "http"))

    # then
    assert [str(address) for address in vetted.addresses] == [
        "2600::1",
        "93.184.216.34",
        "2600::2",
        "2600::3",
    ]


def test_a_kind_without_ports_may_dial_none() -> None:
    # given
    guard = EgressGuard(EgressPolicy(), resolver=FakeResolver({}))

    # when
    with pytest.raises(DialFailure) as failed:
        asyncio.run(guard.vet("93.184.216.34", 443, "telnet"))

    # then
    assert failed.value.detail == "port"
