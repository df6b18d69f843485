"""Our DynamoDB client beside botocore's: the same server on loopback, the same trouble."""

import json
import logging
import ssl
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final

import botocore.config
import pytest
import trustme
from botocore.exceptions import BotoCoreError, ClientError

from patchbay.platform import kept_connections
from patchbay.platform.aws_credentials import EnvironmentCredentials
from patchbay.platform.botocore_session import session
from patchbay.platform.dynamodb import Key, Put, Table
from patchbay.platform.dynamodb_client import DynamoDBClient, DynamoDBError, RetryQuota
from patchbay.platform.dynamodb_endpoint import DynamoDBEndpoint
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.kept_connections import KeptConnections, NoAnswer
from tests.unit.platform.scripted_server import (
    Connection,
    ScriptedServer,
    Step,
    answer,
    close,
    error,
    half_a_head,
    half_an_answer,
    reset,
    serving,
    silent,
    then_close,
)

pytestmark = pytest.mark.enable_socket

PATIENT: Final = 10.0
IMPATIENT: Final = 0.25
"""Seconds that an answer may take."""
ITEM: Final = {"pk": {"S": "a"}, "sk": {"S": "ü"}, "n": {"N": "-7"}}
OK: Final = answer({"Item": ITEM})
FOUND: Final = ("found", ITEM)
NO_ANSWER: Final = ("no answer", None)
ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
    "AWS_SESSION_TOKEN": "token-one",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the caller gets, and how many requests that took."""

    result: tuple[str, Any]
    requests: int


def found(item: Any, requests: int = 1) -> Outcome:
    return Outcome(("found", item), requests)


def refused(code: str, requests: int = 1) -> Outcome:
    return Outcome(("refused", code), requests)


def unanswered(requests: int) -> Outcome:
    return Outcome(NO_ANSWER, requests)


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    steps: tuple[Step, ...]
    ours: Outcome
    botocore: Outcome | None = None
    """Where it differs."""
    read_seconds: float = PATIENT
    warm: bool = False
    """Whether a successful call comes before, on the same connection."""


CASES: Final = (
    Case("an answer", (OK,), found(ITEM)),
    Case("nothing there", (answer({}),), found(None)),
    Case("an answer in chunks", (answer({"Item": ITEM}, chunked=True),), found(ITEM)),
    Case("an answer without a checksum", (answer({"Item": ITEM}, x_amz_crc32=""),), found(ITEM)),
    Case("reset before an answer", (reset, OK), found(ITEM, 2)),
    Case("always reset", (reset,), unanswered(3)),
    Case("closed before an answer", (close, OK), found(ITEM, 2)),
    Case("always closed", (close,), unanswered(3)),
    Case("slow", (silent, OK), found(ITEM, 2), read_seconds=3 * IMPATIENT),
    Case("always slow", (silent,), unanswered(3), read_seconds=IMPATIENT),
    Case("a wrong checksum", (answer({"Item": ITEM}, x_amz_crc32="1"), OK), found(ITEM, 2)),
    Case("500", (error("InternalServerError", 500), OK), found(ITEM, 2)),
    Case("always 500", (error("InternalServerError", 500),), refused("InternalServerError", 3)),
    Case("503 of something between", (answer(b"<html>", 503), OK), found(ITEM, 2)),
    Case("always 503", (answer(b"<html>", 503),), refused("503", 3)),
    Case("502 and 504", (answer(b"", 502), answer(b"", 504), OK), found(ITEM, 3)),
    Case("501", (answer(b"", 501),), refused("501")),
    Case("429", (answer(b"", 429), OK), found(ITEM, 2)),
    Case("throttled", (error("ThrottlingException"), OK), found(ITEM, 2)),
    *(
        Case(f"always {code}", (error(code),), refused(code, 3))
        for code in (
            "ThrottlingException",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "LimitExceededException",
        )
    ),
    *(
        Case(code, (error(code), OK), refused(code))
        for code in (
            "ValidationException",
            "ResourceNotFoundException",
            "AccessDeniedException",
            "ConditionalCheckFailedException",
            "TransactionConflictException",
            "UnrecognizedClientException",
            "SerializationException",
        )
    ),
    Case("two kinds of trouble", (reset, error("ThrottlingException"), OK), found(ITEM, 3)),
    Case(
        "too much trouble",
        (reset, reset, error("ThrottlingException"), OK),
        refused("ThrottlingException", 3),
    ),
    Case("an error with a URL", (error("X:http://aws"), OK), refused("X")),
    Case("a redirect", (answer(b"", 307, Location="http://127.0.0.1:9/"),), refused("307")),
    Case(
        "a connection that is closed after each answer", (then_close(OK),), found(ITEM), warm=True
    ),
    Case(
        "a connection that says so", (answer({"Item": ITEM}, stays=False),), found(ITEM), warm=True
    ),
    # Where we are better: botocore takes half an item for none, and one that is damaged for whole.
    Case("half an answer", (half_an_answer, OK), found(ITEM, 2), found(None)),
    Case("always half an answer", (half_an_answer,), unanswered(3), found(None)),
    Case("half a head", (half_a_head, OK), found(ITEM, 2), found(None)),
    Case(
        "always a wrong checksum",
        (answer({"Item": ITEM}, x_amz_crc32="1"),),
        unanswered(3),
        found(ITEM, 3),
    ),
    Case(
        "a kept connection that is closed when a request comes",
        (OK, close, close, close, OK),
        found(ITEM, 4),
        unanswered(3),
        warm=True,
    ),
    Case("not JSON", (answer(b"garbage"), OK), found(ITEM, 2), found(None)),
    Case("always not JSON", (answer(b"garbage"),), unanswered(3), found(None)),
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS, and the file that trusts it."""
    made = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("127.0.0.1").configure_cert(context)
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    made.cert_pem.write_to_path(path)
    return context, path


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest, authority: tuple[ssl.SSLContext, Path]) -> Any:
    return authority if request.param == "https" else (None, None)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of both clients, which pass at once."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


def our_client(
    server: ScriptedServer,
    ca_bundle: Path | None = None,
    *,
    environment: Mapping[str, str] = ENVIRONMENT,
    read_seconds: float = PATIENT,
    seconds: float = PATIENT,
) -> DynamoDBClient:
    scheme = "https" if server.tls else "http"
    url = f"{scheme}://127.0.0.1:{server.port}"
    endpoint = DynamoDBEndpoint.of_url(url, "eu-central-1", str(ca_bundle) if ca_bundle else None)
    transport = KeptConnections(endpoint, connect_seconds=PATIENT, read_seconds=read_seconds)
    server.at_the_end(transport.close)
    return DynamoDBClient(
        endpoint, EnvironmentCredentials(environment), transport, attempts=3, seconds=seconds
    )


def botocore_client(server: ScriptedServer, read_seconds: float) -> Any:
    return session().create_client(
        "dynamodb",
        region_name="eu-central-1",
        endpoint_url=f"http://127.0.0.1:{server.port}",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="wJalrXUtnFEMI",
        config=botocore.config.Config(
            connect_timeout=PATIENT,
            read_timeout=read_seconds,
            retries={"mode": "standard", "total_max_attempts": 3},
        ),
    )


def outcome(client: Any, case: Case, server: ScriptedServer) -> Outcome:
    def get() -> Any:
        return client.get_item(TableName="t", Key={"pk": {"S": "a"}, "sk": {"S": "b"}}).get("Item")

    if case.warm:
        get()
        server.received.clear()
    try:
        result: tuple[str, Any] = "found", get()
    except DynamoDBError as refusal:
        result = "refused", refusal.code
    except ClientError as refusal:
        result = "refused", refusal.response["Error"]["Code"]
    except (NoAnswer, BotoCoreError):
        result = NO_ANSWER
    return Outcome(result, len(server.received))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_ours(case: Case, tls: Any) -> None:
    context, ca_bundle = tls
    with serving(*case.steps, tls=context) as server:
        client = our_client(server, ca_bundle, read_seconds=case.read_seconds)
        assert outcome(client, case, server) == case.ours


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_botocores(case: Case) -> None:
    with serving(*case.steps) as server:
        client = botocore_client(server, case.read_seconds)
        assert outcome(client, case, server) == (case.botocore or case.ours)


def get(client: DynamoDBClient) -> Any:
    return client.get_item(TableName="t", Key={"pk": {"S": "a"}, "sk": {"S": "b"}}).get("Item")


def test_a_kept_connection_that_has_closed_costs_no_attempt_and_no_pause(
    waits: list[float],
) -> None:
    with serving(OK, close, OK) as server:
        client = our_client(server)
        assert [get(client), get(client)] == [ITEM, ITEM]
        assert (len(server.received), server.connections, waits) == (3, 2, [])


def test_calls_one_after_the_other_share_a_connection(tls: Any) -> None:
    context, ca_bundle = tls
    with serving(OK, tls=context) as server:
        client = our_client(server, ca_bundle)
        assert [get(client) for _ in range(50)] == [ITEM] * 50
        assert server.connections == 1


def test_a_connection_that_was_idle_for_long_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(OK) as server:
        client = our_client(server)
        get(client)
        monkeypatch.setattr(kept_connections, "MAX_IDLE_SECONDS", 0)
        get(client)
        assert server.connections == 2


@pytest.mark.parametrize("clock", ["time", "monotonic"])
def test_a_connection_is_not_used_if_either_clock_says_that_it_is_old(
    clock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that was frozen may have stopped one of them."""
    later = getattr(time, clock)() + 60
    with serving(OK) as server:
        client = our_client(server)
        get(client)
        monkeypatch.setattr(time, clock, lambda: later)
        get(client)
        assert server.connections == 2


def test_a_forked_process_does_not_use_the_connections_of_its_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(OK) as server:
        client = our_client(server)
        get(client)
        monkeypatch.setattr("os.getpid", lambda: -1)
        assert get(client) == ITEM
        assert server.connections == 2


def test_after_a_timeout_no_kept_connection_is_trusted() -> None:
    together = threading.Barrier(3)

    def meet(connection: Connection) -> bool:
        together.wait(10)
        return OK(connection)

    with serving(meet, meet, meet, silent, OK) as server, ThreadPoolExecutor(3) as pool:
        client = our_client(server)
        list(pool.map(lambda _: get(client), range(3)))
        kept: Any = client.transport
        assert len(kept._idle) == 3
        for connection in kept._idle:
            connection.stream.settimeout(IMPATIENT)
        assert get(client) == ITEM
        assert (server.connections, len(kept._idle)) == (4, 1)


def test_an_answer_that_trickles_in_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_connections, "MAX_ANSWER_SECONDS", 0.1)

    def trickle(connection: Connection) -> bool:
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n":
            connection.send(bytes([byte]))
            if connection.over.wait(0.01):
                break
        return False

    with serving(trickle) as server:
        with pytest.raises(NoAnswer, match="too slow"):
            get(our_client(server))
        assert len(server.received) == 3


def test_a_call_that_waited_for_long_is_not_repeated(
    waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda _, longest: longest)
    with serving(error("ThrottlingException")) as server:
        with pytest.raises(DynamoDBError):
            get(our_client(server, seconds=1.5))
        # Before the third it would wait for 2 s.
        assert (len(server.received), waits) == (2, [1.0])


def test_threads_share_at_most_25_kept_connections(tls: Any) -> None:
    context, ca_bundle = tls
    together = threading.Barrier(40)

    def meet(connection: Connection) -> bool:
        together.wait(10)
        return OK(connection)

    with serving(*[meet] * 40, OK, tls=context) as server, ThreadPoolExecutor(40) as pool:
        client = our_client(server, ca_bundle)
        assert list(pool.map(lambda _: get(client), range(40))) == [ITEM] * 40
        assert server.connections == 40
        kept: Any = client.transport
        assert len(kept._idle) == kept_connections.MAX_KEPT_CONNECTIONS
        assert list(pool.map(lambda _: get(client), range(200))) == [ITEM] * 200


def test_a_call_that_is_interrupted_leaves_its_answer_to_nobody() -> None:
    class Interrupted(BaseException):
        pass

    with serving(OK) as server:
        client = our_client(server)
        get(client)
        transport: Any = client.transport
        [kept] = transport._idle
        stream = kept.stream

        class Interrupting:
            """A stream whose reader is interrupted once the request is sent."""

            def __getattr__(self, name: str) -> Any:
                return getattr(stream, name)

            def recv(self, _: int) -> bytes:
                raise Interrupted

        kept.stream = Interrupting()
        with pytest.raises(Interrupted):
            get(client)
        assert transport._idle == []
        assert get(client) == ITEM
        assert server.connections == 2


@pytest.mark.parametrize(
    ("steps", "pauses"),
    [
        ((error("ThrottlingException"), error("ThrottlingException"), OK), [1.0, 2.0]),
        ((reset, reset, OK), [0.025, 0.05]),
        ((answer(b"", 503), answer(b"", 429), OK), [0.025, 2.0]),
        ((answer(b"", 503, x_amz_retry_after="1500"), OK), [1.5]),
        ((answer(b"", 503, x_amz_retry_after="60000"), OK), [5.025]),
        ((answer(b"", 503, x_amz_retry_after="-1"), OK), [0.025]),
    ],
)
def test_the_longest_pauses_are_those_of_botocore(
    steps: tuple[Step, ...],
    pauses: list[float],
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("random.uniform", lambda _, longest: longest)
    monkeypatch.setattr("random.random", lambda: 1.0)
    with serving(*steps) as server:
        assert get(our_client(server)) == ITEM
    assert waits == pytest.approx(pauses)
    with serving(*steps) as server:
        case = Case("", (), found(ITEM))
        retries: Any = "botocore.retries.standard.ExponentialBackoff.__init__.__defaults__"
        monkeypatch.setattr(retries, (20, lambda: 1.0, None, None))
        waits.clear()
        assert outcome(botocore_client(server, PATIENT), case, server).result == FOUND
    assert waits == pytest.approx(pauses)


def test_a_process_stops_repeating_while_nothing_works() -> None:
    with serving(answer(b"", 500)) as server:
        client = our_client(server)
        for _ in range(30):
            with pytest.raises(DynamoDBError):
                get(client)
        # 500 allow 35 repetitions of 14 each
        assert len(server.received) == 30 + RetryQuota.CAPACITY // RetryQuota.OF_OTHERS
        server.steps[:] = [OK]
        for _ in range(40):
            get(client)
        server.steps[:] = [answer(b"", 500), OK]
        before = len(server.received)
        assert get(client) == ITEM
        assert len(server.received) == before + 2


class Clock:
    """A DynamoDB whose clock differs from ours."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def __call__(self, connection: Connection) -> bool:
        now = datetime.now(UTC) + self._ahead
        signed = datetime.strptime(connection.request.headers["x-amz-date"], "%Y%m%dT%H%M%S%z")
        if abs(now - signed) < timedelta(minutes=5):
            return OK(connection)
        refusal = {"__type": "com.amazon.coral.service#InvalidSignatureException", "message": "!"}
        return answer(refusal, 400, Date=format_datetime(now, usegmt=True))(connection)


@pytest.mark.parametrize("hours", [-30, -1, 1, 30])
def test_a_clock_that_is_wrong_is_corrected_once(hours: int, waits: list[float]) -> None:
    with serving(Clock(timedelta(hours=hours))) as server:
        client = our_client(server)
        assert [get(client), get(client)] == [ITEM, ITEM]
        assert (len(server.received), waits) == (3, [])


@pytest.mark.parametrize("date", [None, "yesterday", "now"])
def test_a_signature_that_is_wrong_by_itself_is_not_sent_again(date: str | None) -> None:
    now = format_datetime(datetime.now(UTC), usegmt=True)
    headers: Any = {} if date is None else {"Date": now if date == "now" else date}
    refusal = {"__type": "com.amazon.coral.service#InvalidSignatureException", "message": "!"}
    with serving(answer(refusal, 400, **headers)) as server:
        with pytest.raises(DynamoDBError, match="InvalidSignatureException"):
            get(our_client(server))
        assert len(server.received) == 1


def test_a_clock_that_stays_wrong_is_corrected_no_more_than_once() -> None:
    refusal = {"__type": "com.amazon.coral.service#InvalidSignatureException", "message": "!"}
    far = format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)
    with serving(answer(refusal, 400, Date=far)) as server:
        with pytest.raises(DynamoDBError):
            get(our_client(server))
        assert len(server.received) == 2


def test_credentials_that_have_expired_are_read_again() -> None:
    environment = dict(ENVIRONMENT)

    def knowing(token: str) -> Step:
        def step(connection: Connection) -> bool:
            if connection.request.headers["x-amz-security-token"] == token:
                return OK(connection)
            return error("ExpiredTokenException")(connection)

        return step

    with serving(knowing("token-one")) as server:
        client = our_client(server, environment=environment)
        assert get(client) == ITEM
        server.steps[:] = [knowing("token-two")]
        with pytest.raises(DynamoDBError, match="ExpiredTokenException"):
            get(client)
        assert len(server.received) == 2
        environment["AWS_SESSION_TOKEN"] = "token-two"
        assert [get(client), get(client)] == [ITEM, ITEM]
        assert len(server.received) == 5


def test_nothing_secret_is_in_what_can_be_printed(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    item = {"pk": {"S": "the-stored-secret"}}
    steps = (error("ConditionalCheckFailedException", Item=item), reset)
    printed = []
    with serving(*steps) as server:
        client = our_client(server)
        for _ in steps:
            with pytest.raises((DynamoDBError, NoAnswer)) as failed:
                client.put_item(TableName="t", Item={"pk": {"S": "the-sent-secret"}})
            printed += [str(failed.value), repr(failed.value), repr(failed.value.args)]
        signer: Any = client._signer
        printed += [repr(value) for value in (client._credentials.current(), signer._key)]
        printed += [repr(vars(client)), repr(client._credentials)]
    printed += [caplog.text, *capsys.readouterr()]
    for secret in ("secret", ENVIRONMENT["AWS_SECRET_ACCESS_KEY"], "token-one"):
        assert [text for text in printed if secret in text.replace("secret_access", "")] == []


@pytest.mark.parametrize(
    "step",
    [
        *(answer(b"", status) for status in (429, 500, 502, 503, 504, 501)),
        *(
            error(code)
            for code in (
                "ThrottlingException",
                "ProvisionedThroughputExceededException",
                "TransactionConflictException",
                "LimitExceededException",
                "RequestTimeout",
            )
        ),
        error("InternalServerError", 500),
        reset,
        half_an_answer,
        answer(b"[]"),
    ],
)
def test_what_passes_by_itself_is_temporarily_unavailable(step: Step) -> None:
    with serving(step) as server:
        table = Table("t", our_client(server))
        with pytest.raises(TemporarilyUnavailable):
            table.get(Key("a", "b"))
        with pytest.raises(TemporarilyUnavailable):
            table.write(Put({"pk": "a", "sk": "b"}))


def test_other_refusals_are_not() -> None:
    with serving(error("ResourceNotFoundException")) as server:
        table = Table("t", our_client(server))
        with pytest.raises(DynamoDBError, match="GetItem: ResourceNotFoundException: because"):
            table.get(Key("a", "b"))


def test_a_large_request_and_a_large_answer_arrive_whole(tls: Any) -> None:
    context, ca_bundle = tls
    large = {"pk": {"S": "ä" * 1_000_000}}

    def echo(connection: Connection) -> bool:
        return answer({"Item": json.loads(connection.request.body)["Item"]})(connection)

    with serving(echo, tls=context) as server:
        client = our_client(server, ca_bundle)
        assert client.put_item(TableName="t", Item=large)["Item"] == large


def test_a_server_that_is_not_trusted_gets_no_request(authority: Any) -> None:
    context, _ = authority
    with serving(OK, tls=context) as server:
        with pytest.raises(NoAnswer, match="the certificate is not trusted"):
            get(our_client(server))
        assert server.received == []


def test_a_system_without_certificates_trusts_those_of_botocore(
    authority: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context, ca_bundle = authority
    found: Any = ssl.get_default_verify_paths()
    empty = found._replace(cafile=None, capath=str(tmp_path))
    monkeypatch.setattr("ssl.get_default_verify_paths", lambda: empty)
    monkeypatch.setattr("botocore.httpsession.where", lambda: str(ca_bundle))
    with serving(OK, tls=context) as server:
        assert get(our_client(server)) == ITEM


def test_a_port_that_nothing_listens_on_is_no_answer() -> None:
    with serving(OK) as server:
        client = our_client(server)
    with pytest.raises(NoAnswer, match="no connection: ECONNREFUSED"):
        get(client)
