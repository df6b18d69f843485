"""The kind grpc: a real server (grpcio with its health service), and servers that are none."""

import asyncio
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import grpc  # type: ignore[import-untyped]  # it ships no types
import pytest
from grpc_health.v1 import (  # type: ignore[import-untyped]  # it ships no types
    health,
    health_pb2,
    health_pb2_grpc,
)
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from patchbay.checks.protocols.grpc import GrpcAnswer, request_of
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.doubles import PATIENT_MS, FakeResolver, Handler, serving
from tests.unit.egress.certificates import Authority

HOST = "grpc.example.net"
KEY = "key-4242-abcdef"
SCHEMA: dict[str, Any] = {"properties": {"service": {}, "ca": {}, "port": {"type": "integer"}}}


def recipe(auth_type: str = "api_key", **changes: Any) -> Recipe:
    step = {
        "name": "health",
        "kind": "grpc",
        "host": HOST,
        "port": "{{variables.port}}",
        "authorities": "{{variables.ca}}",
    } | changes
    given = {name: value for name, value in step.items() if value is not None}
    return Recipe({"checks": {"steps": [given]}}, {"type": auth_type}, SCHEMA)


async def report_of(
    port: int, authority: Authority, total_ms: int = PATIENT_MS, **changes: Any
) -> CheckReport:
    variables = changes.pop("variables", {})
    key = changes.pop("key", KEY)
    planned = recipe(**changes)
    assert planned.problems == ()
    values = {"port": port, "ca": authority.pem} | variables
    guard = EgressGuard(
        EgressPolicy.parse(f"127.0.0.1/32:{port}"),
        resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
    )
    return await run(planned.plan(values, {"api_key": key}), guard, total_ms=total_ms)


class Gate(grpc.ServerInterceptor):  # type: ignore[misc]  # it ships no types
    """Lets calls in that have the key."""

    def __init__(self) -> None:
        self._refuse = grpc.unary_unary_rpc_method_handler(
            lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
        )

    def intercept_service(self, proceed: Any, call: Any) -> Any:
        known = ("authorization", f"Bearer {KEY}") in tuple(call.invocation_metadata)
        return proceed(call) if known else self._refuse


@contextmanager
def real(authority: Authority, *, tls: bool = True, has_health: bool = True) -> Iterator[int]:
    """A real server: `good` serves, `bad` does not, and all calls need the key within TLS."""
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[Gate()] if tls else [])
    if has_health:
        servicer = health.HealthServicer()
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        servicer.set("good", health_pb2.HealthCheckResponse.SERVING)
        servicer.set("bad", health_pb2.HealthCheckResponse.NOT_SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if tls:
        pem, key = authority.issue(HOST)
        credentials = grpc.ssl_server_credentials([(key.encode(), pem.encode())])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@pytest.mark.enable_socket
def test_a_real_server_says_that_it_serves(authority: Authority) -> None:
    # given a server that knows its callers
    with real(authority) as port:

        def report(service: str | None = None, **more: Any) -> CheckReport:
            changes: dict[str, Any] = {"service": "{{variables.service}}"} if service else {}
            variables = {"service": service or ""}
            return asyncio.run(report_of(port, authority, variables=variables, **changes, **more))

        # when
        whole, good, bad = report(), report("good"), report("bad")
        unknown, wrong = report("nowhere"), report(key="wrong-key-4242")

    # then
    assert (whole.passed, whole.verified) == (True, True), whole.message
    assert good.verified
    assert (bad.code, bad.retryable) == ("provider_error", True)
    assert (unknown.code, unknown.steps[-1].field_pointer) == ("not_found", "/variables/service")
    assert (wrong.code, wrong.steps[-1].field_pointer) == ("auth_invalid", "/secrets/api_key")
    assert KEY not in whole.model_dump_json()


@pytest.mark.enable_socket
def test_a_server_in_the_clear_gets_no_secret(authority: Authority) -> None:
    with real(authority, tls=False) as port:
        report = asyncio.run(
            report_of(port, authority, auth_type="none", security="none", authorities=None)
        )
        over_tls = asyncio.run(report_of(port, authority))
    assert report.passed
    assert over_tls.code == "tls_error"


@pytest.mark.enable_socket
def test_a_server_without_health_checking_is_told(authority: Authority) -> None:
    with real(authority, has_health=False) as port:
        report = asyncio.run(report_of(port, authority))
    assert (report.code, report.blame) == ("request_rejected", "unknown")
    assert "health checking" in report.message


def on_bytes(authority: Authority, handler: Handler, **changes: Any) -> CheckReport:
    async def test() -> CheckReport:
        context = authority.server_context(HOST)
        context.set_alpn_protocols(["h2"])
        async with serving(handler, tls=context) as port:
            return await report_of(port, authority, **changes)

    return asyncio.run(test())


def answering(
    headers: list[tuple[str, str]],
    body: bytes = b"",
    trailers: list[tuple[str, str]] | None = None,
    act: Callable[[H2Connection], None] | None = None,
) -> Handler:
    """A server of HTTP/2 that answers every request in this way."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        while data := await reader.read(4096):
            for event in connection.receive_data(data):
                if not isinstance(event, StreamEnded):
                    continue
                if act:
                    act(connection)
                    continue
                ends = trailers is None
                connection.send_headers(1, headers, end_stream=ends and not body)
                for start in range(0, len(body), 10_000):
                    last = ends and start + 10_000 >= len(body)
                    connection.send_data(1, body[start : start + 10_000], end_stream=last)
                if trailers is not None:
                    connection.send_headers(1, trailers, end_stream=True)
            writer.write(connection.data_to_send())
            await writer.drain()

    return handler


GRPC = [(":status", "200"), ("content-type", "application/grpc")]


def message(data: bytes) -> bytes:
    return b"\0" + struct.pack("!I", len(data)) + data


def ended(status: int, message: str = "") -> Handler:
    words = [("grpc-message", quote(message))] if message else []
    return answering([*GRPC, ("grpc-status", str(status)), *words])


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("handler", "code"),
    [
        *[
            (ended(status), code)
            for status, code in (
                (1, "provider_error"),
                (3, "request_rejected"),
                (4, "provider_timeout"),
                (5, "request_rejected"),
                (7, "permission_denied"),
                (8, "rate_limited"),
                (12, "request_rejected"),
                (14, "provider_error"),
                (16, "auth_invalid"),
                (42, "provider_error"),
            )
        ],
        # what the server says about it
        (ended(3, "API key not valid. Please pass a valid API key."), "auth_invalid"),
        (ended(7, "The IP address of this call is not allowed"), "address_not_allowed"),
        (ended(7, "Request had insufficient authentication scopes."), "scope_missing"),
        (ended(8, "Your credit balance is too low"), "payment_required"),
        (ended(16, "The token has expired"), "auth_expired"),
        (ended(2, "The token has expired"), "provider_error"),
        (answering(GRPC, message(b"\x08\x01"), [("grpc-status", "0")]), None),
        (answering(GRPC, message(b"\x08\x02"), [("grpc-status", "0")]), "provider_error"),
        (answering(GRPC, message(b""), [("grpc-status", "0")]), "provider_error"),
        (answering(GRPC, b"", [("grpc-status", "0")]), "unexpected_response"),
        (answering(GRPC, b"\1\0\0\0\2\x08\x01", [("grpc-status", "0")]), "unexpected_response"),
        (answering(GRPC, message(b"\x08\x01"), [("x-other", "0")]), "unexpected_response"),
        (answering(GRPC, message(b"\x08\x01"), [("grpc-status", "x")]), "unexpected_response"),
        (answering(GRPC, b"x" * 20_000), "response_too_large"),
        # what is in front of the server answers for it
        (answering([(":status", "401"), ("content-type", "text/plain")]), "auth_invalid"),
        (answering([(":status", "429"), ("retry-after", "7")]), "rate_limited"),
        (answering([(":status", "503")], b"<html>down</html>"), "provider_error"),
        (answering([(":status", "200")], b"<html>hello</html>"), "unexpected_response"),
        (answering([], act=lambda c: c.reset_stream(1)), "provider_error"),
        (answering([], act=lambda c: c.reset_stream(1, 11)), "rate_limited"),
        (answering([], act=lambda c: c.close_connection(13)), "unexpected_response"),
    ],
)
def test_an_answer_is_judged(authority: Authority, handler: Handler, code: str | None) -> None:
    report = on_bytes(authority, handler)
    assert (report.code, report.fault) == (code, None), report.message


def saying(data: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(data)
        await writer.drain()
        await reader.read(-1)

    return handler


SETTINGS = b"\0\0\0\4\0\0\0\0\0"
PING = b"\0\0\x08\6\0\0\0\0\0" + b"x" * 8


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "unexpected_response"),
        (b"\0" * 100, "unexpected_response"),
        # a frame that is longer than it may be is waited for, and not kept
        (SETTINGS + b"\xff" * 100, "provider_timeout"),
        (SETTINGS + PING * 10_000, "response_too_large"),
        # a table of headers that grows without end
        (SETTINGS + b"\0\0\1\1\4\0\0\0\1\x40", "unexpected_response"),
        (SETTINGS, "provider_timeout"),
    ],
)
def test_a_server_that_means_harm_is_classified(
    authority: Authority, data: bytes, code: str
) -> None:
    limit = {"timeoutMs": 600} if code == "provider_timeout" else {}
    report = on_bytes(authority, saying(data), **limit)
    assert (report.code, report.fault) == (code, None), report.message


@pytest.mark.enable_socket
def test_a_server_that_goes_away_is_a_cut_connection(authority: Authority) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    assert on_bytes(authority, leave).code == "connection_reset"


@pytest.mark.parametrize("service", ["", "acme.v1.Invoices", "ü" * 30])
def test_requests_are_those_of_the_library(service: str) -> None:
    made = health_pb2.HealthCheckRequest(service=service)
    assert request_of(service) == made.SerializeToString()


@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_answers_are_those_of_the_library(status: int) -> None:
    made = health_pb2.HealthCheckResponse(status=status).SerializeToString()
    assert GrpcAnswer({}, message(made), {}).health() == status


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"host": None}, "host"),
        ({"port": 0}, "port"),
        ({"security": "none"}, "security"),
        ({"security": "starttls"}, "security"),
        ({"service": ""}, "service"),
        ({"metadata": {"Authorization": "x"}}, "metadata/Authorization"),
        ({"metadata": {"grpc-timeout": "1S"}}, "metadata/grpc-timeout"),
        ({"metadata": {"te": "x"}}, "metadata/te"),
        ({"metadata": {"Grpc-Status": "0"}}, "metadata/Grpc-Status"),
        ({"security": "none", "auth": False}, "authorities"),
        ({"service": "x" * 128}, "service"),
        ({"auth": 1}, "auth"),
        ({"method": "x"}, "method"),
    ],
)
def test_what_is_wrong_with_a_step_is_pointed_at(changes: dict[str, Any], pointer: str) -> None:
    problems = [problem.pointer for problem in recipe(**changes).problems]
    assert problems == [f"/manifest/checks/steps/0/{pointer}"]


def test_a_name_that_is_too_long_is_the_customers_to_correct() -> None:
    values = {"port": 443, "service": "x" * 200}
    plan = recipe(service="{{variables.service}}").plan(values, {"api_key": KEY})
    assert [problem.pointer for problem in plan.problems] == ["/variables/service"]
