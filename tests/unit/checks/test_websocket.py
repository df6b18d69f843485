"""The kind websocket: a real server (websockets), and servers that refuse or mean harm."""

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.streams import StreamReader

from patchbay.checks.protocols import websocket as protocol
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from tests.unit.checks.doubles import (
    PATIENT_MS,
    Handler,
    guard_for,
    http_response,
    in_time,
    serving,
)

KEY = "key-4242-abcdef"
URL = "ws://127.0.0.1:{port}/v1"


def recipe(**changes: Any) -> Recipe:
    step = {"name": "stream", "kind": "websocket", "url": "wss://api.example.com/v1"} | changes
    return Recipe({"checks": {"steps": [step]}}, {"type": "api_key"}, {})


async def report_of(port: int, total_ms: int, changes: dict[str, Any]) -> CheckReport:
    planned = recipe(**{"url": URL.format(port=port)} | changes)
    assert planned.problems == ()
    plan = planned.plan({}, {"api_key": KEY})
    return await run(plan, guard_for(port), total_ms=total_ms)


def report_on(
    talk: Callable[[ServerConnection], Awaitable[None]],
    *,
    refuse: Callable[[ServerConnection, Request], Response | None] | None = None,
    total_ms: int = PATIENT_MS,
    settings: dict[str, Any] | None = None,
    **changes: Any,
) -> CheckReport:
    """The report of a test on a real server."""

    async def test() -> CheckReport:
        async with serve(talk, "127.0.0.1", 0, process_request=refuse, **settings or {}) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await report_of(port, total_ms, changes)

    return asyncio.run(test())


def known(connection: ServerConnection, request: Request) -> Response | None:
    if request.headers.get("Authorization") == f"Bearer {KEY}":
        return None
    return connection.respond(HTTPStatus.UNAUTHORIZED, "who are you?")


async def acknowledge(connection: ServerConnection) -> None:
    """Says hello, and acknowledges what a client of GraphQL says first."""
    await connection.send(json.dumps({"type": "hello"}))
    async for text in connection:
        said = json.loads(text)
        if said["type"] == "connection_init":
            await connection.ping()
            await connection.send(json.dumps({"type": "connection_ack"}))


ASK: dict[str, Any] = {
    "send": {"json": {"type": "connection_init"}},
    "expect": {"json": {"/type": "connection_ack"}},
}


@pytest.mark.enable_socket
def test_a_session_opens_and_answers_as_expected() -> None:
    report = report_on(
        acknowledge,
        refuse=known,
        settings={"subprotocols": ["graphql-transport-ws"]},
        subprotocols=["other", "graphql-transport-ws"],
        **ASK,
    )
    assert (report.passed, report.verified) == (True, True), report.message
    assert KEY not in report.model_dump_json()


@pytest.mark.enable_socket
@pytest.mark.parametrize("then", ["silence", "an end", "others"])
def test_an_error_in_a_message_says_why_nothing_else_came(then: str) -> None:
    async def refuse(connection: ServerConnection) -> None:
        await connection.send(json.dumps({"type": "error", "error": {"code": "token_expired"}}))
        for _ in range(12 if then == "others" else 0):
            await connection.send(json.dumps({"type": "ping"}))
        if then == "silence":
            await connection.wait_closed()

    report = report_on(refuse, timeoutMs=300 if then == "silence" else PATIENT_MS, **ASK)

    assert (report.code, report.blame) == ("auth_expired", "customer"), report.message


@pytest.mark.enable_socket
def test_an_error_before_the_expected_message_does_not_count() -> None:
    async def recover(connection: ServerConnection) -> None:
        await connection.send(json.dumps({"type": "error", "error": {"code": "token_expired"}}))
        await connection.send(json.dumps({"type": "connection_ack"}))
        await connection.wait_closed()

    assert report_on(recover, **ASK).passed


@pytest.mark.enable_socket
def test_a_handshake_alone_may_be_all() -> None:
    async def nothing(connection: ServerConnection) -> None:
        await connection.wait_closed()

    assert report_on(nothing, refuse=known).verified
    refused = report_on(nothing, refuse=known, auth=False)
    assert (refused.code, refused.blame) == ("auth_invalid", "customer")


@pytest.mark.enable_socket
def test_a_key_in_the_message_is_proven_by_the_answer() -> None:
    # given a server that asks for the key in the first message
    async def talk(connection: ServerConnection) -> None:
        said = json.loads(await connection.recv())
        if said.get("key") != KEY:
            await connection.close(3000, "Unauthorized")
        await connection.send("pong")

    send = {"json": {"key": "{{secrets.api_key}}"}}
    expect = {"text": {"contains": "pong"}}

    # when, then
    assert report_on(talk, auth=False, send=send, expect=expect).verified
    wrong = report_on(talk, auth=False, send={"json": {"key": "x"}}, expect=expect)
    assert (wrong.code, wrong.message) == (
        "auth_invalid",
        'Step "stream" failed: the server ended the session (3000): the credential was not '
        "accepted.",
    )
    unasked = report_on(talk, auth=False, send=send)
    assert (unasked.passed, unasked.verified) == (True, False)


@pytest.mark.enable_socket
def test_messages_that_are_not_as_expected_fail_the_step() -> None:
    async def chatter(connection: ServerConnection) -> None:
        for number in range(50):
            await connection.send(f'{{"type": "{number}"}}')
        await connection.wait_closed()

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    assert report_on(chatter, **ASK).code == "unexpected_response"
    assert report_on(silent, total_ms=600, **ASK).code == "provider_timeout"


@pytest.mark.enable_socket
def test_large_and_fragmented_messages_are_read() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send(["a" * 200, "b" * 20_000, "c" * 30_000, "end"])
        await connection.wait_closed()

    report = report_on(
        talk,
        expect={"text": {"matches": "^a{200}b", "contains": "end"}},
        settings={"compression": None},
    )
    assert report.passed, report.message


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("401 Unauthorized", "auth_invalid"),
        ("403 Forbidden", "permission_denied"),
        ("404 Not Found", "request_rejected"),
        ("429 Too Many Requests", "rate_limited"),
        ("503 Down", "provider_error"),
        ("200 OK", "unexpected_response"),
        ("426 Upgrade Required", "request_rejected"),
    ],
)
def test_a_server_that_does_not_switch_is_judged_by_its_answer(status: str, code: str) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in head
        writer.write(http_response(status))

    assert on_bytes(handler).code == code


@pytest.mark.enable_socket
def test_a_refusal_whose_page_stalls_is_not_waited_for() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\nwait")
        await asyncio.sleep(60)

    report = in_time(PATIENT_MS - 1000, lambda: on_bytes(handler))
    assert report.code == "auth_invalid"


def on_bytes(handler: Handler, **changes: Any) -> CheckReport:
    async def test() -> CheckReport:
        async with serving(handler) as port:
            return await report_of(port, PATIENT_MS, changes)

    return asyncio.run(test())


def switching(after: bytes, *, headers: str = "", accept: str | None = None) -> Handler:
    """A server that agrees, and then sends these bytes at once."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = head.split("Sec-WebSocket-Key: ")[1].split("\r\n")[0]
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept or protocol.accept_of(key)}\r\n{headers}\r\n"
        )
        writer.write(answer.encode() + after)
        await reader.read()

    return handler


def closing(number: int, reason: str = "") -> bytes:
    data = struct.pack("!H", number) + reason.encode()
    return bytes([0x88, len(data)]) + data


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("after", "code"),
    [
        (b"\x81\x02{}", "provider_timeout"),
        (closing(1000), "unexpected_response"),
        (closing(1008), "permission_denied"),
        (closing(1008, "invalid api key"), "auth_invalid"),
        (closing(1011, "unauthorized"), "provider_error"),
        (closing(3000), "auth_invalid"),
        (closing(4401), "auth_invalid"),
        (closing(4403), "permission_denied"),
        (closing(4429), "rate_limited"),
        (closing(4999), "unexpected_response"),
        (b"\x88\x00", "connection_reset"),
        (b"\x88\x01x", "connection_reset"),
        (b"\x81\x82abcdxx", "unexpected_response"),
        (b"\xc1\x00", "unexpected_response"),
        (b"\x83\x00", "unexpected_response"),
        (b"\x80\x00", "unexpected_response"),
        (b"\x01\x01a\x01\x01b", "unexpected_response"),
        (b"\x09\x00", "unexpected_response"),
        (b"\x89\x7e\x00\x80" + b"x" * 128, "unexpected_response"),
        (b"\x81\x7f" + struct.pack("!Q", 1 << 62), "response_too_large"),
        (b"\x01\x7e\xff\xff" + b"x" * 65_535 + b"\x00\x05yyyyy", "response_too_large"),
        (b"\x89\x00" * 1000, "response_too_large"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20, "unexpected_response"),
    ],
)
def test_a_session_that_ends_or_means_harm_is_classified(after: bytes, code: str) -> None:
    changes = ASK | ({"timeoutMs": 600} if code == "provider_timeout" else {})
    report = on_bytes(switching(after), **changes)
    assert (report.code, report.fault) == (code, None), report.message


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("headers", "accept"),
    [
        ("", "wrong"),
        ("Sec-WebSocket-Extensions: permessage-deflate\r\n", None),
    ],
)
def test_a_handshake_that_was_not_asked_for_is_refused(headers: str, accept: str | None) -> None:
    report = on_bytes(switching(b"", headers=headers, accept=accept))
    assert report.code == "unexpected_response"


@pytest.mark.enable_socket
def test_a_server_has_to_choose_a_subprotocol() -> None:
    report = on_bytes(switching(b""), subprotocols=["mqtt"])
    assert report.code == "request_rejected"


def test_the_example_of_rfc_6455_is_reproduced() -> None:
    assert protocol.accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@given(st.binary(max_size=70_000))
def test_frames_are_those_that_a_server_reads(data: bytes) -> None:
    stream = StreamReader()
    stream.feed_data(protocol.frame(protocol.Opcode.BINARY, data))
    with pytest.raises(StopIteration) as parsed:
        next(Frame.parse(stream.read_exact, mask=True, max_size=None))
    frame = parsed.value.value
    assert (frame.opcode, frame.data) == (Opcode.BINARY, data)


@given(st.lists(st.binary(max_size=400), max_size=5), st.integers(1, 50))
def test_messages_are_read_however_they_arrive(parts: list[bytes], size: int) -> None:
    # given messages as a server sends them, in pieces of any size
    sent = b"".join(Frame(Opcode.TEXT, part).serialize(mask=False) for part in parts)
    reader = protocol.FrameReader()

    # when
    read = [
        message.data
        for start in range(0, len(sent), size)
        for message in reader.feed(sent[start : start + size])
    ]

    # then
    assert read == parts


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"url": "ftp://api.example.com"}, "url"),
        ({"url": None}, "url"),
        ({"headers": {"Sec-WebSocket-Key": "x"}}, "headers/Sec-WebSocket-Key"),
        ({"headers": {"Upgrade": "x"}}, "headers/Upgrade"),
        ({"headers": {"Authorization": "x"}}, "headers/Authorization"),
        ({"subprotocols": "x"}, "subprotocols"),
        ({"subprotocols": ["a b"]}, "subprotocols"),
        ({"send": {"form": {}}}, "send/form"),
        ({"send": "x"}, "send"),
        ({"expect": {"status": [101]}}, "expect/status"),
        ({"auth": "no"}, "auth"),
        ({"redirects": 1}, "redirects"),
    ],
)
def test_what_is_wrong_with_a_step_is_pointed_at(changes: dict[str, Any], pointer: str) -> None:
    problems = [problem.pointer for problem in recipe(**changes).problems]
    assert f"/manifest/checks/steps/0/{pointer}" in problems
