"""The kind redis: what it reads, and servers that are none or mean harm."""

import asyncio
import re
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.checks.failures import CheckFailure
from patchbay.checks.protocols import redis as protocol
from patchbay.checks.protocols.foreign import Malformed
from patchbay.checks.protocols.redis_errors import meaning_of
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.checks.templates import Values
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.doubles import PATIENT_MS, FakeResolver, in_time, serving
from tests.unit.checks.targets import CheckTarget
from tests.unit.egress.certificates import Authority

HOST = "cache.example.net"
PASSWORD = "right-pässword-4242"
DEADLINE_MS = 600
SCHEMA: dict[str, Any] = {
    "properties": {
        "host": {"format": "hostname"},
        "user": {},
        "key": {},
        "ca": {},
        "port": {"type": "integer"},
        "database": {"type": "integer"},
    }
}
VALUES: dict[str, Any] = {"host": HOST, "user": "app", "key": "jobs", "database": 0}

type Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def step(**changes: Any) -> dict[str, Any]:
    given = {
        "name": "cache",
        "kind": "redis",
        "host": "{{variables.host}}",
        "password": "{{secrets.password}}",
    }
    return {key: value for key, value in (given | changes).items() if value is not None}


def target(values: dict[str, Any] | None = None, **changes: Any) -> CheckTarget:
    manifest = {
        "secretsSchema": {"properties": {"password": {}}},
        "checks": {"steps": [step(**changes)]},
    }
    return CheckTarget(
        manifest, {"type": "none"}, SCHEMA, VALUES | (values or {}), {"password": PASSWORD}
    )


def saying(*answers: bytes) -> Talk:
    """One answer to each thing that the client sends."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            if not await reader.read(4096):
                return
            writer.write(answer)
            await writer.drain()
        await reader.read(-1)

    return talk


def flooding(first: bytes, chunk: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(first)
        while True:
            writer.write(chunk)
            await writer.drain()

    return talk


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def drop_by_drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in PONG * 10:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.2)


async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


def report_of(
    authority: Authority, talk: Talk, total_ms: int = PATIENT_MS, **changes: Any
) -> CheckReport:
    """The report of a test of a server with TLS, unless the step disables it."""
    tls = None if changes.get("tls") == "disable" else authority.server_context(HOST)

    async def test() -> CheckReport:
        async with serving(talk, tls=tls) as port:
            guard = EgressGuard(
                EgressPolicy.parse(f"127.0.0.1/32:{port}"),
                resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
                tls_context=authority.client_context(),
            )
            plan = target(port=port, **changes).plan()
            return await run(plan, guard, total_ms=total_ms)

    return asyncio.run(test())


OK, PONG, NOAUTH = b"+OK\r\n", b"+PONG\r\n", b"-NOAUTH Authentication required.\r\n"
WRONG = f"-WRONGPASS invalid {PASSWORD} of the server's text\r\n".encode()
HELLO = b"*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"
IN = (NOAUTH, OK)


@pytest.mark.enable_socket
def test_a_password_goes_only_to_a_server_that_speaks_the_protocol(authority: Authority) -> None:
    # given a web server, which would log what it is sent
    heard: list[bytes] = []

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        heard.append(await reader.read(-1))

    # when
    report = report_of(authority, web)

    # then
    assert report.code == "unexpected_response"
    assert "speaks HTTP" in report.message
    assert b"".join(heard) == protocol.command("PING")


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("user", "sent"),
    [
        (None, protocol.command("AUTH", PASSWORD)),
        ("default", protocol.command("AUTH", PASSWORD)),
        ("{{variables.user}}", protocol.command("AUTH", "app", PASSWORD)),
    ],
)
def test_a_user_logs_in(authority: Authority, user: str | None, sent: bytes) -> None:
    # given a server that writes down what it hears
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (NOAUTH, OK, OK, b":3\r\n", HELLO):
            heard.append(await reader.read(4096))
            writer.write(answer)
        await reader.read(-1)

    # when
    report = report_of(
        authority,
        talk,
        user=user,
        database=7,
        command=["LLEN", "{{variables.key}}"],
        expect={"reply": {"atLeast": 3}},
    )

    # then
    assert report.verified, report.message
    words = [("SELECT", "7"), ("LLEN", "jobs"), ("HELLO", "2")]
    assert heard == [protocol.command("PING"), sent, *(protocol.command(*one) for one in words)]


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("talk", "code"),
    [
        (saying(NOAUTH, WRONG), "auth_invalid"),
        (saying(NOAUTH, NOAUTH), "auth_invalid"),
        (saying(*IN, b"-NOPERM this user has no permissions\r\n"), "permission_denied"),
        (saying(b"-DENIED Redis is running in protected mode\r\n"), "address_not_allowed"),
        (saying(b"-ERR max number of clients reached\r\n"), "provider_error"),
        (saying(b"-LOADING Redis is loading the dataset in memory\r\n"), "provider_error"),
        (saying(b"-ERR max requests limit exceeded. Limit: 500000\r\n"), "payment_required"),
        (saying(b"+NOT PONG\r\n"), "unexpected_response"),
        (saying(b":1\r\n"), "unexpected_response"),
        (saying(NOAUTH, b"+NOT OK\r\n"), "unexpected_response"),
        (saying(NOAUTH, b"$2\r\nOK\r\n", b"\r\n"), "unexpected_response"),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), "unexpected_response"),
        (saying(b"\x15\x03\x03\0\x02\x02\x28"), "tls_error"),
        # lengths that lie
        (saying(b"$-2\r\n"), "unexpected_response"),
        (saying(b"$x\r\n"), "unexpected_response"),
        (saying(b"$\r\n"), "unexpected_response"),
        (saying(b"$536870912\r\n"), "response_too_large"),
        (saying(b"$99999999999999999999999\r\n"), "unexpected_response"),
        (saying(b"$2\r\nPONG\r\n"), "unexpected_response"),
        (saying(b"*4294967295\r\n"), "response_too_large"),
        (saying(b"%2049\r\n"), "response_too_large"),
        (saying(b"*1\r\n" * 100), "response_too_large"),
        (saying(b"|1\r\n" * 100), "response_too_large"),
        (saying(b"*1\n:1\r\n"), "unexpected_response"),
        (saying(b"$?\r\n;4\r\nPONG\r\n"), "unexpected_response"),
        (saying(b"#x\r\n"), "unexpected_response"),
        (saying(b",x\r\n"), "unexpected_response"),
        (saying(b"(x\r\n"), "unexpected_response"),
        (saying(b"+" + b"x" * 2000), "unexpected_response"),
        # without end
        (flooding(b"*4000\r\n", (b"$20\r\n" + b"x" * 20 + b"\r\n") * 100), "response_too_large"),
        (flooding(b"", b">0\r\n" * 1000), "response_too_large"),
        (leave, "connection_reset"),
        (silent, "provider_timeout"),
        (drop_by_drop, "provider_timeout"),
        (saying(*IN), "provider_timeout"),
    ],
)
def test_a_server_that_refuses_or_means_harm_is_classified_in_time(
    authority: Authority, talk: Talk, code: str
) -> None:
    # when
    total_ms = DEADLINE_MS if code == "provider_timeout" else PATIENT_MS
    report = in_time(total_ms + 500, lambda: report_of(authority, talk, total_ms))

    # then
    assert (report.code, report.fault) == (code, None), report.message
    assert PASSWORD not in report.model_dump_json()
    assert "server's text" not in report.model_dump_json()


@pytest.mark.enable_socket
@pytest.mark.parametrize("ending", [b"", b"-ERR unknown command 'HELLO'\r\n", b"$999999\r\n"])
def test_a_proxy_that_does_not_know_hello_is_let_be(authority: Authority, ending: bytes) -> None:
    # given a proxy that hangs up, refuses, or says nothing of use
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await saying(*IN, PONG)(TurnsOver(reader), writer)  # type: ignore[arg-type]
        writer.write(ending)

    assert report_of(authority, talk).verified


class TurnsOver:
    """A reader whose end comes after the last turn."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def read(self, most: int) -> bytes:
        return b"" if most < 0 else await self._reader.read(most)


@pytest.mark.enable_socket
def test_a_server_that_never_answers_hello_is_not_waited_for(authority: Authority) -> None:
    report = report_of(authority, saying(*IN, PONG), DEADLINE_MS * 2)
    assert report.verified, report.message


@pytest.mark.enable_socket
def test_a_key_on_another_node_is_there_and_its_node_is_not_dialed(authority: Authority) -> None:
    # given a node that sends the client to an address inside the network
    talk = saying(*IN, b"-MOVED 3999 10.0.0.5:6379\r\n")

    # when
    there = report_of(authority, talk, command=["EXISTS", "a"])
    expected = report_of(authority, talk, command=["EXISTS", "a"], expect={"reply": 1})

    # then
    assert (there.verified, expected.code) == (True, "request_rejected")
    assert "10.0.0.5" not in there.model_dump_json() + expected.model_dump_json()


@pytest.mark.enable_socket
def test_a_step_without_a_password_sends_none_and_proves_nothing(authority: Authority) -> None:
    bare: dict[str, Any] = {"password": None, "tls": "disable"}
    report = report_of(authority, saying(PONG, PONG, HELLO), **bare)
    assert (report.passed, report.verified, report.account) == (True, False, None)
    refused = report_of(authority, saying(NOAUTH), **bare)
    assert (refused.code, refused.blame) == ("request_rejected", "unknown")
    cut = report_of(authority, leave, **bare)
    assert (cut.code, "as ports with TLS do" in cut.message) == ("connection_reset", True)


@pytest.mark.enable_socket
def test_a_flood_costs_less_than_five_megabytes(authority: Authority) -> None:
    # Given a first test, so that what is imported and kept does not count
    flood = flooding(b"*4096\r\n", b"*0\r\n" * 1000)
    report_of(authority, flood)
    # When the flood comes, then its memory is bounded
    tracemalloc.start()
    try:
        report_of(authority, flood)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def parsed(data: bytes) -> protocol.RedisValue:
    """The reply that these bytes are."""
    parser, at = protocol.read_reply(), 0
    wanted = next(parser)
    try:
        while True:
            end = data.find(b"\n", at) + 1 if wanted == protocol.LINE else at + wanted
            part, at = data[at:end], end
            wanted = parser.send(part)
    except StopIteration as stop:
        reply: protocol.RedisValue = stop.value
        return reply


@pytest.mark.parametrize(
    ("data", "reply"),
    [
        (b"+OK\r\n", "OK"),
        (b":-7\r\n", -7),
        (b"$3\r\na\nb\r\n", "a\nb"),
        (b"$-1\r\n", None),
        (b"*-1\r\n", None),
        (b"*2\r\n:1\r\n*1\r\n+a\r\n", [1, ["a"]]),
        (b"-ERR no\r\n", protocol.ServerError("ERR", "ERR no")),
        # of version 3
        (b"_\r\n", None),
        (b"#t\r\n", True),
        (b",1.5\r\n", 1.5),
        (b"(12345678901234567890\r\n", "12345678901234567890"),
        (b"=7\r\ntxt:abc\r\n", "txt:abc"),
        (b"!6\r\nERR no\r\n", protocol.ServerError("ERR", "ERR no")),
        (b"~1\r\n:1\r\n", [1]),
        (b"%1\r\n+a\r\n:1\r\n", ["a", 1]),
        (b"|1\r\n+a\r\n:1\r\n:2\r\n", 2),
        (b">1\r\n+a\r\n:2\r\n", 2),
    ],
)
def test_replies_of_both_versions_are_read(data: bytes, reply: protocol.RedisValue) -> None:
    assert parsed(data) == reply


@given(st.binary(max_size=100), st.sampled_from([b"", *(bytes([c]) for c in b"+-:$*_#,(!=%~>|")]))
@settings(max_examples=300, deadline=None)
def test_no_bytes_of_a_server_make_a_fault(data: bytes, kind: bytes) -> None:
    try:
        parsed(kind + data + b"\r\n" * 50)
    except (Malformed, CheckFailure):
        return


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_nothing_in_a_word_ends_a_command(words: list[str]) -> None:
    words = [word.encode("utf-8", "ignore").decode() for word in words]
    assert parsed(protocol.command(*words)) == words


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"host": "/var/run/redis.sock"}, "/variables/host"),
        ({"host": "a.example.net,10.0.0.5"}, "/variables/host"),
    ],
)
def test_what_libraries_take_for_options_is_refused_as_such(
    values: dict[str, Any], pointer: str
) -> None:
    report = asyncio.run(run(target(values).plan(), EgressGuard(EgressPolicy()), total_ms=1000))
    failed = report.steps[0]
    assert (report.code, failed.detail) == ("egress_blocked", "option")
    assert failed.field_pointer == pointer


@pytest.mark.parametrize(
    ("values", "changes"),
    [
        ({"database": -1}, {"database": "{{variables.database}}"}),
        ({"database": True}, {"database": "{{variables.database}}"}),
        ({"user": "a\0b"}, {"user": "{{variables.user}}"}),
        ({"key": "x" * 300}, {"command": ["EXISTS", "{{variables.key}}"]}),
    ],
)
def test_a_value_that_can_not_be_sent_is_the_customers_to_correct(
    values: dict[str, Any], changes: dict[str, Any]
) -> None:
    [problem] = target(values, **changes).plan().problems
    assert (problem.code, problem.pointer) == ("config_invalid", f"/variables/{next(iter(values))}")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"host": "/var/run/redis.sock"}, "host"),
        ({"database": "0"}, "database"),
        ({"database": 65_536}, "database"),
        ({"user": "{{secrets.password}}"}, "user"),
        ({"user": "app", "password": None}, "password"),
        ({"password": "in the manifest"}, "password"),
        ({"tls": "disable"}, "tls"),
        ({"tls": "require"}, "tls"),
        ({"tls": "verify-ca"}, "authorities"),
        (
            {"tls": "disable", "password": None, "authorities": "{{variables.ca}}"},
            "authorities",
        ),
        ({"cluster": True}, "cluster"),
        *(
            ({"command": command}, "command")
            for command in (
                "PING",
                [],
                [1],
                ["FLUSHALL"],
                ["SET", "a", "b"],
                ["KEYS", "*"],
                ["EVAL", "return 1", "0"],
                ["CONFIG", "GET", "*"],
                ["ACL", "LIST"],
                ["ACL"],
                ["DEBUG", "SLEEP", "9"],
                ["PING", "x"],
                ["EXISTS"],
                ["INFO"],
                ["EXISTS", *["a"] * 11],
            )
        ),
        ({"command": ["EXISTS", 1]}, "command/1"),
        ({"command": ["EXISTS", "{{secrets.password}}"]}, "command/1"),
        ({"expect": {"info": {"role": "master"}}}, "expect/info"),
        ({"command": ["INFO", "server"], "expect": {"reply": 1}}, "expect/reply"),
        ({"expect": {"reply": {"near": 1}}}, "expect/reply/near"),
        ({"expect": {"rows": 1}}, "expect/rows"),
    ],
)
def test_what_is_wrong_with_a_step_is_pointed_at(changes: dict[str, Any], pointer: str) -> None:
    checked = target(**changes)
    problems = Recipe(checked.manifest, {"type": "none"}, SCHEMA).problems
    assert [problem.pointer for problem in problems] == [f"/manifest/checks/steps/0/{pointer}"]


def test_secrets_are_bound_to_server_user_and_verification() -> None:
    def place(values: dict[str, Any] | None = None, **changes: Any) -> str:
        return (
            target(**changes)
            .recipe.steps[0]
            .template.destination(Values(VALUES | (values or {}), {}))
        )

    private: dict[str, Any] = {"authorities": "{{variables.ca}}"}
    assert place({"host": "CACHE.example.net."}) == place()
    assert place({"host": "evil.example.net"}) != place()
    assert place(user="other") != place()
    assert place(user="default") == place()
    assert place(port=6380) != place()
    assert place({"ca": "a"}, **private) != place({"ca": "b"}, **private) != place(**private)
    assert place({"ca": "a"}, **private) != place({"ca": "a"}, **private, tls="verify-ca")


PAGE = (Path(__file__).parents[3] / "docs/checks.md").read_text()
SHOWN = re.findall(
    r"^\| `([A-Z]+) ([^`]+)` \| `(\w+)` \| ?(?:the (\w+))? \|$",
    PAGE.partition("### redis")[2].partition("### ")[0],
    re.MULTILINE,
)


@pytest.mark.parametrize(("word", "words", "code", "field"), SHOWN)
def test_errors_mean_what_the_page_says(word: str, words: str, code: str, field: str) -> None:
    meaning = meaning_of(word, f"{word} {words}")
    default = "password" if meaning.code == "auth_invalid" else ""
    assert (meaning.code, meaning.field or default) == (code, field)
    assert words not in meaning.text


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("ERR Client sent AUTH, but no password is set", "auth_invalid"),
        ("ERR operation not permitted", "auth_invalid"),
        ("WRONGPASS invalid or missing auth token", "auth_invalid"),
        ("ERR invalid DB index", "config_invalid"),
        ("ERR max number of clients + cluster connections reached", "provider_error"),
        ("ERR max concurrent connections exceeded", "provider_error"),
        ("ERR DB capacity quota exceeded", "payment_required"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", "provider_error"),
        ("MISCONF Errors writing to the AOF file", "provider_error"),
        ("READONLY You can't write against a read only replica", "request_rejected"),
        ("CROSSSLOT Keys in request don't hash to the same slot", "request_rejected"),
        ("no upstream host", "provider_error"),
        ("", "unexpected_response"),
    ],
)
def test_servers_proxies_and_hosts_are_understood(words: str, code: str) -> None:
    assert meaning_of(words.partition(" ")[0], words).code == code
