"""What fails is tried again when that is safe: against a server that fails on purpose."""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import trustme
from patchbay_sdk import ApiError, AsyncPatchbay, Patchbay, errors
from patchbay_sdk.messages import Request, Response
from patchbay_sdk.retries import Retries

from tests.unit.sdk.conftest import Call
from tests.unit.sdk.stand_in import (
    KEY,
    ORGANIZATION,
    Behavior,
    StandIn,
    answers,
    breaks_off,
    drops,
    fails,
    stand_in,
    trickles,
    trickles_headers,
    waits,
)

pytestmark = pytest.mark.enable_socket

LIMITED = fails(429, "RATE_LIMITED", {"Retry-After": "3"}, quota="requests_per_minute")
UNAVAILABLE = fails(503, "TEMPORARILY_UNAVAILABLE", {"Retry-After": "1"})


def create(client: Any) -> Any:
    return client.organizations.create(name="Acme")


def read(client: Any) -> Any:
    return client.organizations.get(organization_id="org_1")


def delete(client: Any) -> Any:
    return client.spaces.delete(slug="main")


def restore(client: Any) -> Any:
    """A POST without an Idempotency-Key."""
    return client.integrations.restore(integration_id="int_1")


def change(client: Any) -> Any:
    return client.organizations.update(organization_id="org_1", name="New")


def change_unless_changed(client: Any) -> Any:
    return client.organizations.update(organization_id="org_1", name="New", if_match='"1"')


def test_a_limit_is_waited_for_as_long_as_the_deployment_asks(
    run: Call, server: StandIn, pauses: list[float]
) -> None:
    server.does(LIMITED, answers(201, ORGANIZATION))

    made = run(create)

    assert made.name == "Acme"
    assert len(server.asked) == 2
    # A little more, so that all who were stopped together don't come back together
    [pause] = pauses
    assert 3 <= pause <= 3.5


def test_all_tries_of_a_create_have_one_key_and_two_creates_have_two(
    run: Call, server: StandIn, pauses: list[float]
) -> None:
    server.does(UNAVAILABLE, drops, answers(201, ORGANIZATION))

    run(create)
    run(create)

    first, second, third, other = server.keys
    assert first
    assert first == second == third
    assert other != first
    assert len({one.body for one in server.asked}) == 1


def test_a_create_whose_answer_is_lost_is_sent_again_under_its_key(
    run: Call, server: StandIn
) -> None:
    busy = fails(409, "CONFLICT", {"Retry-After": "1"})
    server.does(drops, busy, answers(201, ORGANIZATION))

    assert run(create).id == ORGANIZATION["id"]
    assert len(set(server.keys)) == 1
    assert len(server.asked) == 3


def test_an_answer_that_breaks_off_is_no_answer(run: Call, server: StandIn) -> None:
    server.does(breaks_off, answers(200, ORGANIZATION))

    assert run(read).id == ORGANIZATION["id"]
    assert len(server.asked) == 2


@pytest.mark.parametrize("failure", [drops, UNAVAILABLE, fails(500, "INTERNAL_ERROR")])
def test_a_post_without_a_key_is_not_repeated_if_it_may_be_done(
    run: Call, server: StandIn, failure: Any
) -> None:
    server.does(failure)

    with pytest.raises(errors.PatchbayError):
        run(restore)

    assert len(server.asked) == 1


def test_a_post_without_a_key_is_repeated_after_a_limit(run: Call, server: StandIn) -> None:
    server.does(LIMITED, answers(404, {"error": {"code": "INTEGRATION_NOT_FOUND"}}))

    with pytest.raises(errors.NotFound):
        run(restore)

    assert len(server.asked) == 2


def test_a_patch_is_repeated_unless_its_own_change_would_stop_it(
    run: Call, server: StandIn
) -> None:
    server.does(drops, answers(200, ORGANIZATION))
    run(change)
    assert len(server.asked) == 2

    server.asked.clear()
    server.does(drops, answers(200, ORGANIZATION))
    with pytest.raises(errors.ConnectionFailed) as failed:
        run(change_unless_changed)
    assert failed.value.sent
    assert len(server.asked) == 1


def test_what_an_earlier_try_deleted_is_deleted(run: Call, server: StandIn) -> None:
    gone = fails(404, "SPACE_NOT_FOUND")
    server.does(drops, gone)
    assert run(delete) is None

    server.does(gone)
    with pytest.raises(errors.NotFound):
        run(delete)


@pytest.mark.parametrize(
    ("status", "code"), [(400, "VALIDATION_ERROR"), (409, "SLUG_TAKEN"), (422, "NOT_PUBLISHABLE")]
)
def test_what_would_fail_again_is_not_repeated(
    run: Call, server: StandIn, status: int, code: str
) -> None:
    server.does(fails(status, code))

    with pytest.raises(ApiError):
        run(create)

    assert len(server.asked) == 1


def test_the_last_failure_is_raised(run: Call, server: StandIn, pauses: list[float]) -> None:
    server.does(fails(503, "TEMPORARILY_UNAVAILABLE"))

    with pytest.raises(errors.TemporarilyUnavailable):
        run(read)

    assert len(server.asked) == 3
    first, second = pauses
    assert 0.25 <= first <= 0.5
    assert 0.5 <= second <= 1


def test_nothing_is_repeated_for_who_does_not_want_it(run: Call, server: StandIn) -> None:
    server.does(UNAVAILABLE)

    with pytest.raises(errors.TemporarilyUnavailable):
        run(
            lambda client: client.with_options(max_retries=0).organizations.get(organization_id="o")
        )

    assert len(server.asked) == 1


def test_more_patience_than_a_minute_is_the_caller_s_decision(run: Call, server: StandIn) -> None:
    server.does(fails(429, "RATE_LIMITED", {"Retry-After": "3600"}))

    with pytest.raises(errors.RateLimited) as failed:
        run(read)

    assert failed.value.retry_after_seconds == 3600
    assert len(server.asked) == 1


def test_a_slow_answer_ends_with_the_timeout(run: Call, server: StandIn) -> None:
    server.does(waits(2, answers(200, ORGANIZATION)))

    with pytest.raises(errors.TimedOut) as failed:
        run(read, timeout=0.2, max_retries=0)

    assert failed.value.sent


@pytest.mark.parametrize("trickle", [trickles, trickles_headers])
def test_an_answer_that_trickles_ends_with_the_timeout_too(
    run: Call, server: StandIn, trickle: Callable[[float], Behavior]
) -> None:
    server.does(trickle(20))
    began = time.monotonic()

    with pytest.raises(errors.TimedOut) as failed:
        run(read, timeout=0.3, max_retries=0)

    assert failed.value.sent
    assert time.monotonic() - began < 8


def test_a_deadline_is_one_of_each_request_on_a_connection(
    client: Patchbay, server: StandIn
) -> None:
    """One that was used before, too; other requests have deadlines of their own."""
    slow = client.with_options(timeout=0.3, max_retries=0)
    server.does(answers(200, ORGANIZATION), trickles_headers(20), answers(200, ORGANIZATION))

    assert read(slow).name == "Acme"
    with pytest.raises(errors.TimedOut):
        read(slow)
    assert read(client).name == "Acme"


def test_a_deadline_is_one_of_tls_too(
    run: Call, server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with stand_in(context) as secure:
        server.url = secure.url
        secure.does(answers(200, ORGANIZATION), trickles_headers(20))
        assert run(read).name == "Acme"
        with pytest.raises(errors.TimedOut):
            run(read, timeout=0.5, max_retries=0)


def test_a_deployment_that_stops_reading_ends_with_the_timeout_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        began = time.monotonic()
        with (
            Patchbay(KEY, base_url=url, timeout=0.5, max_retries=0) as client,
            pytest.raises(errors.TimedOut) as failed,
        ):
            client.request("POST", "/x", content=b" " * 50_000_000)

    assert failed.value.sent
    assert time.monotonic() - began < 8


def test_no_address_of_a_request_is_logged(
    run: Call, server: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    """A query, or the link of a status page, may be nobody else's business."""
    server.does(answers(200, {"items": [], "next_cursor": None}))

    with caplog.at_level(logging.DEBUG):
        run(lambda client: client.request("GET", "/status/the-link", query={"q": "the-query"}))

    assert "the-link" not in caplog.text
    assert "the-query" not in caplog.text


def test_no_connection_is_tried_again_whatever_the_method(
    run: Call, server: StandIn, pauses: list[float]
) -> None:
    url = server.url
    server.url = "http://127.0.0.1:1"

    with pytest.raises(errors.ConnectionFailed) as failed:
        run(restore)

    server.url = url
    assert not failed.value.sent
    assert len(pauses) == 2


def test_what_a_provider_answers_is_never_repeated(run: Call, server: StandIn) -> None:
    server.does(answers(503, {"theirs": True}, {"Patchbay-Proxied": "true", "Retry-After": "1"}))

    answer = run(
        lambda client: client.proxy.request(
            "get", "/me", organization_id="org_1", connection_id="con_1", query={"page": 2}
        )
    )

    assert (answer.status, answer.content) == (503, b'{"theirs": true}')
    [asked] = server.asked
    assert asked.path.endswith("/connections/con_1/proxy/me?page=2")


def test_a_request_to_a_provider_is_not_repeated_if_it_may_be_done(
    run: Call, server: StandIn
) -> None:
    server.does(fails(504, "PROVIDER_TIMED_OUT"))

    with pytest.raises(errors.ProviderTimedOut):
        run(
            lambda client: client.proxy.request(
                "POST", "issues", organization_id="o", connection_id="c", json={"title": "New"}
            )
        )

    [asked] = server.asked
    assert asked.body == b'{"title": "New"}'
    assert asked.headers["Content-Type"] == "application/json"


def test_headers_without_an_end_do_not_hold_a_loop_for_ever(server: StandIn) -> None:
    def hints(handler: BaseHTTPRequestHandler) -> None:
        for _ in range(100):
            handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            time.sleep(0.05)
        handler.close_connection = True

    async def whole() -> None:
        async with AsyncPatchbay(KEY, base_url=server.url, timeout=0.5, max_retries=0) as client:
            await client.organizations.get(organization_id="o")

    server.does(hints)
    began = time.monotonic()
    with pytest.raises(errors.TimedOut) as failed:
        asyncio.run(whole())
    assert failed.value.sent
    assert time.monotonic() - began < 4


def test_a_call_that_is_cancelled_leaves_the_client_usable(server: StandIn) -> None:
    async def whole() -> str:
        async with AsyncPatchbay(KEY, base_url=server.url) as client:
            server.does(waits(2, answers(200, ORGANIZATION)))
            call = asyncio.create_task(client.organizations.get(organization_id="o"))
            await asyncio.sleep(0.5)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            server.does(answers(200, ORGANIZATION))
            return str((await client.organizations.get(organization_id="o")).name)

    assert asyncio.run(whole()) == "Acme"
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("asked", "date", "seconds"),
    [
        ("0", None, 0),
        ("9" * 400, None, 31_536_000),
        ("Wed, 21 Oct 2099 07:28:00 GMT", "Wed, 21 Oct 2099 07:27:50 GMT", 10),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None, 0),
        ("-5", None, None),
        ("1.5", None, None),
        ("soon", None, None),
        ("Wed, 99 Oct 2099 99:28:00 GMT", None, None),
    ],
)
def test_what_a_deployment_asks_for_is_read(
    asked: str, date: str | None, seconds: float | None
) -> None:
    headers = {"retry-after": asked, **({} if date is None else {"date": date})}
    assert errors.retry_after(Response(429, headers)) == seconds


def test_there_is_a_pause_after_however_many_tries() -> None:
    request = Request("GET", "https://patchbay.example.com")
    assert Retries(most=5000).pause(5000, request, Response(429)) is not None


def test_pauses_grow_and_differ() -> None:
    request = Request("GET", "https://patchbay.example.com")
    decided = {Retries(most=9).pause(5, request, Response(429)) for _ in range(20)}
    assert len(decided) > 10
    assert all(4 <= seconds <= 8 for seconds in decided if seconds is not None)
    assert None not in decided
