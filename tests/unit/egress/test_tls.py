"""TLS as servers really have it: each fault in its own words, on real handshakes."""

import asyncio
import ssl
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.stream import Stream
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import VERIFIED, ClientCertificate, TlsOptions, read_authorities
from tests.unit.checks.doubles import FakeResolver, Handler, serving
from tests.unit.egress.certificates import Authority

pytestmark = pytest.mark.enable_socket

HOST = "api.example.com"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


async def connected(
    port: int,
    options: TlsOptions,
    context: ssl.SSLContext | None,
    timings: DialTimings,
    operator_authorities: bytes,
) -> Stream:
    guard = EgressGuard(
        EgressPolicy.parse(f"127.0.0.1/32:{port}"),
        resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
        tls_context=context,
        operator_authorities=operator_authorities,
    )
    deadline = asyncio.get_running_loop().time() + 20
    vetted = await guard.vet(HOST, port, "tls", deadline=deadline)
    return await guard.connect(vetted, tls=options, deadline=deadline, timings=timings)


def dialed(
    server: ssl.SSLContext | None,
    options: TlsOptions = VERIFIED,
    context: ssl.SSLContext | None = None,
    *,
    handler: Handler = echo,
    message: bytes = b"hello",
    operator_authorities: bytes = b"",
) -> DialTimings:
    """Dials, and has one message echoed. Raises what the guard and the stream raise."""
    timings = DialTimings()

    async def test() -> None:
        async with serving(handler, tls=server) as port:
            stream = await connected(port, options, context, timings, operator_authorities)
            try:
                await stream.send(message)
                assert await stream.receive_exactly(len(message)) == message
            finally:
                stream.close()

    asyncio.run(test())
    return timings


def failure(
    server: ssl.SSLContext | None, context: ssl.SSLContext, handler: Handler = echo
) -> DialFailure:
    with pytest.raises(DialFailure) as failed:
        dialed(server, context=context, handler=handler)
    return failed.value


@pytest.fixture
def root(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "Test root")


def in_setting(*authorities: Authority) -> str:
    """As an operator enters them."""
    return ", ".join(
        b64encode(ssl.PEM_cert_to_DER_cert(authority.pem)).decode() for authority in authorities
    )


def test_the_operators_authorities_are_trusted_beside_the_systems(
    root: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a system that trusts one authority, and an operator who trusts two more
    system, other = Authority(tmp_path, "System"), Authority(tmp_path, "Other root")
    (tmp_path / "system.pem").write_text(system.pem)
    paths = ssl.get_default_verify_paths()._replace(cafile=str(tmp_path / "system.pem"))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    trusted = read_authorities(in_setting(root, other))
    client = ClientCertificate(*Authority(tmp_path, "Clients").issue("client"))

    # when, then
    for options in (VERIFIED, TlsOptions(protocols=("h2",)), TlsOptions(client=client)):
        for authority in (system, root, other):
            dialed(authority.server_context(HOST), options, operator_authorities=trusted)


def test_a_server_of_an_operators_authority_is_judged_as_any_other(root: Authority) -> None:
    trusted = read_authorities(in_setting(root))
    for server, code in (
        (root.server_context("elsewhere.example.com"), "certificate_name_mismatch"),
        (root.server_context(HOST, valid_for=timedelta(days=-1)), "certificate_expired"),
        (root.server_context(HOST, self_signed=True), "certificate_self_signed"),
    ):
        with pytest.raises(DialFailure) as failed:
            dialed(server, operator_authorities=trusted)
        assert failed.value.code == code


def test_nobody_trusts_an_authority_that_the_operator_does_not_name(root: Authority) -> None:
    with pytest.raises(DialFailure) as failed:
        dialed(root.server_context(HOST))
    assert failed.value.code.startswith("certificate_")


def test_a_step_that_names_its_authorities_trusts_no_others(
    root: Authority, tmp_path: Path
) -> None:
    named = TlsOptions(authorities=Authority(tmp_path, "Named by the step").pem)
    with pytest.raises(DialFailure) as failed:
        dialed(
            root.server_context(HOST),
            named,
            operator_authorities=read_authorities(in_setting(root)),
        )
    assert failed.value.code.startswith("certificate_")


@pytest.mark.parametrize("text", ["?", "AAAA", "{},", "{},AAAA", "{} {}"])
def test_what_is_no_certificate_is_refused_as_an_authority(root: Authority, text: str) -> None:
    with pytest.raises(ValueError, match=r"certificate \d is not one"):
        read_authorities(text.format(*[in_setting(root)] * 2))


def test_large_messages_go_through_both_ways(root: Authority) -> None:
    dialed(root.server_context(HOST), context=root.client_context(), message=b"x" * 200_000)


def test_a_chain_is_verified_and_ends_when_its_first_certificate_does(root: Authority) -> None:
    # given an intermediate certificate that expires before the server's own
    server = root.intermediate("Middle", timedelta(days=3)).server_context(HOST)

    # when
    timings = dialed(server, context=root.client_context())

    # then
    assert timings.certificate_expires_at is not None
    left = datetime.fromtimestamp(timings.certificate_expires_at, UTC) - datetime.now(UTC)
    assert timedelta(days=2) < left < timedelta(days=3)


def test_an_intermediate_certificate_that_is_not_sent_is_named(root: Authority) -> None:
    server = root.intermediate("Middle").server_context(HOST, sends_chain=False)

    failed = failure(server, root.client_context())

    assert failed.code == "certificate_chain_incomplete"
    assert '"CN=Middle"' in failed.summary


def test_an_intermediate_certificate_that_has_expired_is_named(root: Authority) -> None:
    server = root.intermediate("Middle", timedelta(days=-1)).server_context(HOST)

    failed = failure(server, root.client_context())

    assert failed.code == "certificate_expired"
    assert '"CN=Middle"' in failed.summary


def test_a_chain_to_an_unknown_authority_is_not_trusted(root: Authority, tmp_path: Path) -> None:
    server = Authority(tmp_path, "Other root").intermediate("Middle").server_context(HOST)

    failed = failure(server, root.client_context())

    assert failed.code == "certificate_untrusted"
    assert '"CN=Other root"' in failed.summary


@pytest.mark.parametrize(
    ("certificate", "code"),
    [
        ({"host": "other.example.net"}, "certificate_name_mismatch"),
        ({"host": HOST, "self_signed": True}, "certificate_self_signed"),
        ({"host": HOST, "valid_for": timedelta(days=-1)}, "certificate_expired"),
    ],
)
def test_a_certificate_that_is_not_good_says_why(
    root: Authority, certificate: dict[str, object], code: str
) -> None:
    server = root.server_context(**certificate)  # type: ignore[arg-type]  # the rows are of one kind

    failed = failure(server, root.client_context())

    assert (failed.code, failed.phase) == (code, "tls")


def test_a_port_that_speaks_http_does_not_speak_tls(root: Authority) -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    failed = failure(None, root.client_context(), http)

    assert failed.code == "tls_error"
    assert "does not speak TLS on this port" in failed.summary


def test_a_private_authority_is_trusted_where_it_is_given(root: Authority) -> None:
    dialed(root.server_context(HOST), TlsOptions(authorities=root.pem))


def test_with_a_private_authority_nothing_else_is_trusted(root: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path, "Other root")

    with pytest.raises(DialFailure) as failed:
        dialed(root.server_context(HOST), TlsOptions(authorities=other.pem))

    assert failed.value.code == "certificate_chain_incomplete"


def test_the_authority_can_be_checked_without_the_name(root: Authority) -> None:
    server = root.server_context("other.example.net")

    dialed(server, TlsOptions("authority", authorities=root.pem))


def test_nothing_can_be_checked_but_then_no_certificate_is_dated(root: Authority) -> None:
    timings = dialed(root.server_context(HOST, self_signed=True), TlsOptions("nothing"))

    assert timings.certificate_expires_at is None


def asking_for_a_certificate(root: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    server = root.server_context(HOST)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=root.pem)
    server.minimum_version = server.maximum_version = version
    return server


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_certificate_is_shown_where_it_is_given(
    root: Authority, version: ssl.TLSVersion
) -> None:
    client = ClientCertificate(*root.issue("client.example.com"))

    dialed(asking_for_a_certificate(root, version), TlsOptions(authorities=root.pem, client=client))


@pytest.mark.parametrize(
    ("certificate", "key"),
    [("", ""), ("nonsense", "nonsense"), ("-----BEGIN CERTIFICATE-----", "x")],
)
def test_a_client_certificate_that_is_none_is_refused(certificate: str, key: str) -> None:
    with pytest.raises(ValueError, match="pair in PEM form"):
        TlsOptions(client=ClientCertificate(certificate, key)).context()


def test_authorities_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="certificate in PEM form"):
        TlsOptions(authorities="nonsense").context()


def test_a_key_of_another_certificate_is_refused(root: Authority) -> None:
    certificate, _ = root.issue("client.example.com")
    _, key = root.issue("client.example.com")

    with pytest.raises(ValueError, match="pair in PEM form"):
        TlsOptions(client=ClientCertificate(certificate, key)).context()


def test_what_is_said_in_the_clear_after_the_consent_ends_the_connection(root: Authority) -> None:
    # given a server, or someone in between, that sends more than its consent
    async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 go on\r\n250 injected\r\n")
        await reader.read()

    async def ask(stream: Stream) -> None:
        await stream.send(b"STARTTLS\r\n")
        assert await stream.receive_line(100) == b"220 go on\r\n"

    async def test() -> None:
        async with serving(eager) as port:
            guard = EgressGuard(EgressPolicy.parse(f"127.0.0.1/32:{port}"))
            deadline = asyncio.get_running_loop().time() + 20
            vetted = await guard.vet("127.0.0.1", port, "smtp")
            await guard.connect(vetted, tls=VERIFIED, ask_for_tls=ask, deadline=deadline)

    # when
    with pytest.raises(DialFailure) as failed:
        asyncio.run(test())

    # then
    assert failed.value.code == "tls_error"
    assert "in the clear" in failed.value.summary
