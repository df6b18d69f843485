"""Servers that answer as no server should, on real connections."""

import asyncio
import gzip
import socket
import struct
import tracemalloc
from typing import Any

import pytest

from patchbay.checks.report import CheckReport
from tests.unit.checks.doubles import (
    PATIENT_MS,
    Handler,
    answering,
    guard_for,
    http_response,
    in_time,
    run_test,
    serving,
    step_for,
    target_for,
)
from tests.unit.egress.corpus import rows

pytestmark = pytest.mark.enable_socket

DEADLINE_MS = 700
CODES = {
    "fail:too_large": "response_too_large",
    "fail:timeout": "provider_timeout",
    "fail:protocol": "unexpected_response",
    "fail:connect": "connection_reset",
}


def endless(start: bytes, again: bytes, *, pause: float = 0) -> Handler:
    """Sends `start`, then `again` for ever."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(start)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)

    return handler


async def close_now(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # No lingering: the connection ends with a RST instead of a FIN.
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


BOMB = gzip.compress(b"\0" * 10_000_000)
HANDLERS: dict[str, Handler] = {
    "endless_headers": endless(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 50 + b"\r\n"),
    "huge_header": answering(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 2**20 + b"\r\n\r\n"),
    "slow_body": endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x", pause=0.2),
    "endless_chunked": endless(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"400\r\n" + b"x" * 1024 + b"\r\n"
    ),
    "gzip_bomb": answering(http_response("200 OK", BOMB, "Content-Encoding: gzip")),
    "double_gzip": answering(
        http_response("200 OK", gzip.compress(BOMB), "Content-Encoding: gzip, gzip")
    ),
    "no_status": answering(b"\x00\xffSSH-2.0-OpenSSH_9.6 what is this\r\n\r\n"),
    "close_now": close_now,
    "half_tls": say_nothing,
}


async def report_on(
    handler: Handler,
    *,
    scheme: str = "http",
    total_ms: int = DEADLINE_MS,
    asks_for_body: bool = True,
) -> CheckReport:
    async with serving(handler) as port:
        # The step asks for the body: what is wrong with one fails no other step.
        step = step_for(port, expect={"json": {"/ok": {"exists": True}}} if asks_for_body else {})
        step["request"] = {"url": f"{scheme}://127.0.0.1:{port}/"}
        return await run_test(target_for(step), guard_for(port), total_ms=total_ms)


@rows("response")
def test_a_hostile_server_is_classified_within_the_deadline(row: dict[str, Any]) -> None:
    # given the server of the row
    scheme = "https" if row["target"] == "half_tls" else "http"

    # when
    patient = "fail:timeout" not in row["expected"]
    total_ms = PATIENT_MS if patient else DEADLINE_MS
    report = in_time(
        total_ms + 500,
        lambda: asyncio.run(report_on(HANDLERS[row["target"]], scheme=scheme, total_ms=total_ms)),
    )

    # then
    assert report.code in {CODES[verdict] for verdict in row["expected"].split("|")}, row["why"]


OTHERS: list[tuple[Handler, str]] = [
    (say_nothing, "provider_timeout"),
    (endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", pause=0.05), "provider_timeout"),
    (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "unexpected_response"),
    (endless(b"", b"HTTP/1.1 103 Early Hints\r\nX-A: bbbbb\r\n\r\n"), "unexpected_response"),
    (
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000),
        "response_too_large",
    ),
    (
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n"),
        "response_too_large",
    ),
    (
        endless(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", b"x" * 1000),
        "response_too_large",
    ),
    (answering(http_response("200 OK", b"x" * 65_537)), "response_too_large"),
    (
        answering(http_response("200 OK", b"no zlib", "Content-Encoding: deflate")),
        "unexpected_response",
    ),
    (
        answering(http_response("200 OK", gzip.compress(b"ok")[:-9], "Content-Encoding: gzip")),
        "unexpected_response",
    ),
    (answering(http_response("200 OK", b"x", "Content-Encoding: br")), "unexpected_response"),
    (answering(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), "unexpected_response"),
    (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), "connection_reset"),
    (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        "unexpected_response",
    ),
    (answering(b"garbage without an end"), "unexpected_response"),
    (reset, "connection_reset"),
    (endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"b", pause=0.05), "provider_timeout"),
    (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.1), "provider_timeout"),
    (
        answering(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFFF\r\nx\r\n"
        ),
        "connection_reset",
    ),
    (
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n"),
        "unexpected_response",
    ),
    (
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x=y;"),
        "unexpected_response",
    ),
]


@pytest.mark.parametrize(("handler", "code"), OTHERS)
def test_other_ways_not_to_answer(handler: Handler, code: str) -> None:
    total_ms = DEADLINE_MS if code == "provider_timeout" else PATIENT_MS
    report = in_time(total_ms + 500, lambda: asyncio.run(report_on(handler, total_ms=total_ms)))
    assert report.code == code


@pytest.mark.parametrize(
    "response",
    [
        http_response("200 OK", b"x" * 65_536),
        http_response("200 OK", gzip.compress(b'{"ok":1}', mtime=0), "Content-Encoding: gzip"),
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + http_response("204 No Content"),
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ],
)
def test_unusual_but_honest_answers_pass(response: bytes) -> None:
    report = asyncio.run(report_on(answering(response), total_ms=PATIENT_MS, asks_for_body=False))
    assert report.passed


@pytest.mark.parametrize("handler", [*HANDLERS.values(), *(handler for handler, _ in OTHERS)])
def test_no_server_costs_more_than_five_megabytes(handler: Handler) -> None:
    # given a first test, so that what is imported and kept does not count
    asyncio.run(report_on(answering(http_response("200 OK"))))

    # when
    tracemalloc.start()
    try:
        asyncio.run(report_on(handler))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    # then; the server's own memory counts too
    assert peak < 5_000_000
