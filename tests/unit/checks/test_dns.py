"""Names against a real DNS server on the loopback: the resolver of dials, and the kind dns."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

import pytest

from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard, Vetted
from patchbay.egress.nameservers import Nameserver, Nameservers
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.resolver import NameserverResolver
from patchbay.egress.url import parse_url
from tests.unit.checks.targets import CheckTarget
from tests.unit.egress.corpus import row as corpus_row
from tests.unit.egress.corpus import rows
from tests.unit.egress.nameserver import nameserver

pytestmark = pytest.mark.enable_socket

type Records = Mapping[str, Sequence[Sequence[str]]]
type Respond = Callable[[bytes, bytes], bytes | None]

PUBLIC = "93.184.216.34"
DEADLINE_SECONDS = 0.4
"""For what is waited for in vain."""

PATIENT_SECONDS = 10.0
"""For what must not end by its deadline, however busy the machine is."""


def dialing_guard(port: int, policy: str = "") -> EgressGuard:
    """A guard that resolves what it dials by the name server on this port."""
    resolver = NameserverResolver(Nameservers(f"127.0.0.1:{port}"))
    return EgressGuard(EgressPolicy.parse(policy), resolver=resolver)


async def verdict_on(
    url: str, guard: EgressGuard, seconds: float = PATIENT_SECONDS
) -> tuple[str, Vetted | None]:
    target = parse_url(url)
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        vetted = await guard.vet(target.host, target.port, "http", deadline=deadline)
    except DialFailure as failure:
        return (f"deny:{failure.detail}" if failure.detail else f"fail:{failure.code}"), None
    return "allow", vetted


def records_of(answers: Mapping[str, Sequence[Sequence[str]]]) -> Records:
    """Addresses by name, in the order in which they are given, as lines of zone files."""
    records: dict[str, list[list[str]]] = {}
    for name, sequence in answers.items():
        for version, kind in ((4, "A"), (6, "AAAA")):
            records[f"{name} {kind}"] = [
                [f"{name}. 0 {kind} {a}" for a in answer if ip_address(a).version == version]
                for answer in sequence
            ]
    return records


SEQUENCES = [row for row in rows("url").args[1] if "dns_seq" in row]


@pytest.mark.parametrize("row", SEQUENCES, ids=[row["id"] for row in SEQUENCES])
def test_a_name_is_judged_by_its_one_real_answer(row: dict[str, Any]) -> None:
    # given a name server with the answers of the row, one after the other
    async def judged() -> tuple[str, list[str], int]:
        async with nameserver(records_of(row["dns_seq"])) as server:
            verdict, vetted = await verdict_on(row["target"], dialing_guard(server.port))
            addresses = [str(address) for address in vetted.addresses] if vetted else []
            return verdict, addresses, len(server.asked)

    # when
    verdict, addresses, asked = asyncio.run(judged())

    # then it was asked once for each family, and only the first answer counts
    [sequence] = row["dns_seq"].values()
    expected = {"deny:dns": "fail:dns_error"}.get(row["expected"], row["expected"])
    assert (verdict, asked) == (expected, 2), row["why"]
    assert addresses == (sequence[0] if verdict == "allow" else [])


def stalled(question: bytes, answer: bytes) -> None:
    return None


BEHAVIORS: dict[str, tuple[str, Records, Respond]] = {
    "G17": ("slow.example.net", {}, stalled),
    "G18": (
        "api.example.net",
        {
            "api.example.net A": [
                [
                    "api.example.net. 0 CNAME vpce-1.eu-west-1.vpce.amazonaws.com.",
                    "vpce-1.eu-west-1.vpce.amazonaws.com. 0 CNAME db.acme.internal.",
                    "db.acme.internal. 0 A 10.0.3.4",
                ]
            ],
        },
        lambda _, answer: answer,
    ),
}


@rows("dns_behaviour")
def test_a_resolver_that_misbehaves_gains_nothing(row: dict[str, Any]) -> None:
    # given
    name, records, respond = BEHAVIORS[row["id"]]
    seconds = DEADLINE_SECONDS if respond is stalled else PATIENT_SECONDS

    async def judged() -> tuple[str, float]:
        async with nameserver(records, respond) as server:
            loop = asyncio.get_running_loop()
            started = loop.time()
            guard = dialing_guard(server.port)
            verdict, _ = await verdict_on(f"https://{name}/", guard, seconds)
            return verdict, loop.time() - started

    # when
    verdict, took = asyncio.run(judged())

    # then
    assert took < seconds + 0.5
    expected = {"fail:timeout": "fail:dns_error"}.get(row["expected"], row["expected"])
    assert verdict == expected, row["why"]


@pytest.mark.parametrize(
    ("records", "verdict"),
    [
        ({"a.example.net A": [[f"a.example.net. 0 A {PUBLIC}"]]}, "allow"),
        ({"a.example.net AAAA": [["a.example.net. 0 AAAA 2600::1"]]}, "allow"),
        (
            {
                "a.example.net A": [[f"a.example.net. 0 A {PUBLIC}"]],
                "a.example.net AAAA": [["a.example.net. 0 AAAA fd00:ec2::254"]],
            },
            "deny:address",
        ),
        ({"a.example.net A": [["other.example.net. 0 A 10.0.0.1"]]}, "fail:dns_error"),
        (
            {"a.example.net A": [["a.example.net. 0 CNAME a.example.net."]]},
            "fail:dns_error",
        ),
        (
            {"a.example.net A": [[f"a.example.net. 0 A 93.184.216.{n}" for n in range(99)]]},
            "allow",
        ),
        (
            {"a.example.net A": [[f"a.example.net. 0 A 93.184.216.{n}" for n in range(101)]]},
            "fail:dns_error",
        ),
        (
            {
                "a.example.net A": [
                    [
                        *(f"a.example.net. 0 A 93.184.216.{n}" for n in range(98)),
                        "a.example.net. 0 A 10.0.0.1",
                    ]
                ]
            },
            "deny:address",
        ),
        ({}, "fail:dns_error"),
    ],
    ids=[
        *("four", "six", "one private", "not asked for", "ring", "over tcp", "too many"),
        *("private over tcp", "no such name"),
    ],
)
def test_every_answer_counts_and_only_what_was_asked_for(records: Records, verdict: str) -> None:
    async def judged() -> str:
        async with nameserver(records) as server:
            return (await verdict_on("https://a.example.net/", dialing_guard(server.port)))[0]

    assert asyncio.run(judged()) == verdict


def forged(question: bytes, answer: bytes) -> bytes:
    """An answer to another question: the id is not the one that was asked under."""
    return bytes([answer[0] ^ 1]) + answer[1:]


@pytest.mark.parametrize(
    "respond",
    [
        forged,
        lambda _, answer: answer[:-3],
        lambda _, __: b"",
        lambda question, _: question,
        lambda _, answer: answer[:12] + b"\xc0\x0c" * 50,
        lambda _, __: b"\xff" * 4000,
        lambda _, answer: answer[:3] + bytes([answer[3] | 2]) + answer[4:],
        stalled,
    ],
    ids=["forged", "cut", "empty", "echo", "loops", "noise", "server failure", "silence"],
)
def test_garbage_is_no_answer_and_is_not_waited_for_beyond_the_deadline(respond: Respond) -> None:
    # given a server that would have an answer
    records = {"a.example.net A": [[f"a.example.net. 0 A {PUBLIC}"]]}

    async def judged() -> tuple[str, float]:
        async with nameserver(records, respond) as server:
            loop = asyncio.get_running_loop()
            started = loop.time()
            guard = dialing_guard(server.port)
            verdict, _ = await verdict_on("https://a.example.net/", guard, DEADLINE_SECONDS)
            return verdict, loop.time() - started

    # when
    verdict, took = asyncio.run(judged())

    # then
    assert verdict == "fail:dns_error"
    assert took < DEADLINE_SECONDS + 0.5


def test_the_next_server_is_asked_when_one_is_not_there() -> None:
    async def values() -> tuple[str, ...]:
        records = {"a.example.net A": [[f"a.example.net. 0 A {PUBLIC}"]]}
        async with nameserver(records) as server:
            servers = Nameservers(f"127.0.0.1:1, 127.0.0.1:{server.port}")
            deadline = asyncio.get_running_loop().time() + PATIENT_SECONDS
            return (await servers.ask("a.example.net", "A", deadline=deadline)).values

    assert asyncio.run(values()) == (PUBLIC,)


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("9.9.9.9", "9.9.9.9", 53),
        ("9.9.9.9:5353", "9.9.9.9", 5353),
        ("2620:fe::fe", "2620:fe::fe", 53),
        ("[2620:fe::fe]:5353", "2620:fe::fe", 5353),
    ],
)
def test_a_name_server_is_an_address_and_a_port(text: str, address: str, port: int) -> None:
    assert Nameserver.parse(text) == Nameserver(ip_address(address), port)


@pytest.mark.parametrize("text", ["", "dns.google", "9.9.9.9:0", "9.9.9.9:x", "9.9.9.9:99999"])
def test_what_is_no_name_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Nameservers(text)


# ------------------------------------------------------------------------ the kind dns

SCHEMA: dict[str, Any] = {
    "properties": {"domain": {"format": "hostname"}, "token": {}, "region": {}}
}
TOKEN = "t0ken"
ZONE: Records = {
    "acme.com TXT": [['acme.com. 0 TXT "v=spf1 include:mail.example.net ~all"']],
    "_patchbay.acme.com TXT": [['_patchbay.acme.com. 0 TXT "patchbay=" "t0ken"']],
    "acme.com MX": [["acme.com. 0 MX 10 Mail.Example.net."]],
    "acme.com NS": [["acme.com. 0 NS ns1.example.net."]],
    "acme.com A": [["acme.com. 0 A 10.0.0.7"]],
    "acme.com AAAA": [["acme.com. 0 AAAA 2001:db8::7"]],
    "_imaps._tcp.acme.com SRV": [["_imaps._tcp.acme.com. 0 SRV 10 1 993 Mail.example.net."]],
    "_pop3s._tcp.acme.com SRV": [["_pop3s._tcp.acme.com. 0 SRV 0 0 0 ."]],
    "www.acme.com CNAME": [["www.acme.com. 0 CNAME edge.example.net."]],
}


def dns_report(record: dict[str, Any], domain: str = "acme.com", token: str = TOKEN) -> Any:
    """The report of a test with one dns step, and what its name server was asked."""

    async def test() -> tuple[CheckReport, list[tuple[str, str]]]:
        async with nameserver(ZONE) as server:
            guard = EgressGuard(EgressPolicy(), nameservers=Nameservers(f"127.0.0.1:{server.port}"))
            steps = [{"name": "record", "kind": "dns", "record": record}]
            given = CheckTarget(
                {"checks": {"steps": steps}}, {}, SCHEMA, {"domain": domain, "token": token}, {}
            )
            return await run(given.plan(), guard, total_ms=5000), server.asked

    return asyncio.run(test())


@pytest.mark.parametrize(
    "record",
    [
        {"name": "{{variables.domain}}", "type": "TXT"},
        {"name": "{{variables.domain}}", "type": "TXT", "contains": "include:mail.example.net"},
        {
            "name": "_patchbay.{{variables.domain}}",
            "type": "TXT",
            "equals": "patchbay={{variables.token}}",
        },
        {"name": "{{variables.domain}}", "type": "MX", "equals": "MAIL.example.net."},
        {"name": "acme.com", "type": "NS", "equals": "ns1.example.net"},
        {"name": "acme.com", "type": "A", "equals": "10.0.0.7"},
        {"name": "acme.com", "type": "AAAA", "equals": "2001:0db8:0::7"},
        {"name": "www.{{variables.domain}}", "type": "CNAME", "equals": "edge.example.net"},
        {"name": "_imaps._tcp.{{variables.domain}}", "type": "SRV"},
        {
            "name": "_imaps._tcp.{{variables.domain}}",
            "type": "SRV",
            "equals": "mail.EXAMPLE.net.:993",
        },
        {"name": "_imaps._tcp.acme.com", "type": "SRV", "contains": "mail.Example.net:"},
    ],
)
def test_a_record_that_is_there_passes_and_is_not_dialed(record: dict[str, Any]) -> None:
    # when; the address of the zone is a private one, which nothing may dial
    report, asked = dns_report(record)

    # then
    assert (report.passed, report.verified) == (True, False)
    assert len(asked) == 1
    assert [s.name for s in report.steps if s.status == "passed"] == [
        *("config", "secrets", "egress", "record"),
    ]


@pytest.mark.parametrize(
    "record",
    [
        {"name": "missing.{{variables.domain}}", "type": "A"},
        {"name": "{{variables.domain}}", "type": "CNAME"},
        # a service that is said not to be there
        {"name": "_pop3s._tcp.{{variables.domain}}", "type": "SRV"},
        {
            "name": "_imaps._tcp.{{variables.domain}}",
            "type": "SRV",
            "equals": "mail.example.net:143",
        },
        {"name": "{{variables.domain}}", "type": "TXT", "equals": "v=spf1"},
        {"name": "{{variables.domain}}", "type": "TXT", "contains": "include:other.example.net"},
    ],
)
def test_a_record_that_is_not_there_points_at_the_domain(record: dict[str, Any]) -> None:
    report, _ = dns_report(record)
    assert (report.code, report.steps[-1].field_pointer) == ("dns_error", "/variables/domain")
    assert "spf1" not in report.model_dump_json()


@pytest.mark.parametrize(
    ("domain", "detail"),
    [
        ("db.internal", "name"),
        ("db.corp", "name"),
        ("1.0.0.10.in-addr.arpa", "name"),
        ("localhost", "name"),
        ("intranet", "parse"),
    ],
)
def test_a_private_name_is_not_asked_for(domain: str, detail: str) -> None:
    report, asked = dns_report({"name": "{{variables.domain}}", "type": "A"}, domain)
    assert (report.code, asked) == ("egress_blocked", [])
    assert next(s.detail for s in report.steps if s.status == "failed") == detail


def test_an_address_is_no_name() -> None:
    report, asked = dns_report({"name": "{{variables.domain}}", "type": "A"}, "10.0.0.1")
    assert (report.steps[0].field_pointer, asked) == ("/variables/domain", [])


def test_not_even_where_an_operator_lets_it_be_dialed() -> None:
    async def asked() -> list[tuple[str, str]]:
        async with nameserver() as server:
            guard = EgressGuard(
                EgressPolicy.parse("10.0.0.0/8:443"),
                nameservers=Nameservers(f"127.0.0.1:{server.port}"),
            )
            with pytest.raises(DialFailure):
                await guard.records(
                    "db.corp", "A", deadline=asyncio.get_running_loop().time() + PATIENT_SECONDS
                )
            return server.asked

    assert asyncio.run(asked()) == []


@pytest.mark.parametrize(
    ("record", "pointer"),
    [
        (None, ""),
        ({"type": "A"}, "/name"),
        ({"name": "a..com", "type": "A"}, "/name"),
        ({"name": "{{secrets.key}}.example.com", "type": "A"}, "/name"),
        ({"name": "{{variables.region}}", "type": "A"}, "/name"),
        ({"name": "example.com", "type": "ANY"}, "/type"),
        ({"name": "example.com", "type": "PTR"}, "/type"),
        ({"name": "example.com", "type": "A", "resolver": "10.0.0.2"}, "/resolver"),
        ({"name": "example.com", "type": "A", "server": "10.0.0.2"}, "/server"),
        ({"name": "example.com", "type": "TXT", "equals": ""}, "/equals"),
        ({"name": "example.com", "type": "TXT", "contains": 1}, "/contains"),
        ({"name": "example.com", "type": "TXT", "equals": "a", "contains": "a"}, "/contains"),
        # what no record can have
        ({"name": "example.com", "type": "A", "equals": "2001:db8::7"}, "/equals"),
        ({"name": "example.com", "type": "AAAA", "equals": "10.0.0.7"}, "/equals"),
        ({"name": "example.com", "type": "A", "equals": "example.com"}, "/equals"),
        ({"name": "example.com", "type": "MX", "equals": "10 mail.example.com"}, "/equals"),
        ({"name": "example.com", "type": "SRV", "equals": "mail.example.com"}, "/equals"),
        ({"name": "example.com", "type": "SRV", "equals": "mail.example.com:99999"}, "/equals"),
        ({"name": "example.com", "type": "TXT", "contains": "a" * 1025}, "/contains"),
    ],
)
def test_what_is_wrong_with_a_step_is_pointed_at(record: object, pointer: str) -> None:
    steps = [{"name": "a", "kind": "dns", "record": record}]
    manifest = {"secretsSchema": {"properties": {"key": {}}}, "checks": {"steps": steps}}
    problems = Recipe(manifest, {}, SCHEMA).problems
    assert [p.pointer for p in problems] == [f"/manifest/checks/steps/0/record{pointer}"]


@pytest.mark.parametrize("value", ["not an address", "10.0.0.0/8"])
def test_an_expected_value_that_no_record_can_have_is_a_setting_to_correct(value: str) -> None:
    record = {"name": "acme.com", "type": "A", "equals": "{{variables.token}}"}
    report, asked = dns_report(record, token=value)
    assert (report.code, report.steps[0].field_pointer) == ("config_invalid", "/variables/token")
    assert asked == []


def test_the_rebinding_rows_are_among_those_that_were_tried() -> None:
    assert {corpus_row(name)["id"] for name in ("G05", "G07", "G08", "G09")} <= {
        row["id"] for row in SEQUENCES
    }
