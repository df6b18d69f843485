"""The certificates of a local cloud: good for servers on loopback, and for nothing else."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from local import certificates
from local.paths import StateDir
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.tls import VERIFIED, read_authorities
from tests.unit.checks.doubles import serving

NOW = datetime.now(UTC)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path)


@pytest.mark.enable_socket
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_a_server_with_the_certificate_is_trusted_by_its_cloud(state: StateDir, host: str) -> None:
    # Given a server on loopback, and the egress guard with the parameter of the cloud
    parameter = certificates.prepare(state, NOW)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(state.server_certificate)

    async def shake_hands() -> None:
        async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with serving(close, tls=context, host=host) as port:
            guard = EgressGuard(
                EgressPolicy.parse(f"127.0.0.0/8:{port}"),
                operator_authorities=read_authorities(parameter),
            )
            vetted = await guard.vet(host, port, "https")
            deadline = asyncio.get_running_loop().time() + 20
            (await guard.connect(vetted, tls=VERIFIED, deadline=deadline)).close()

    # When the guard connects, then TLS is agreed
    asyncio.run(shake_hands())


def test_they_stay_until_they_are_about_to_expire(state: StateDir) -> None:
    first = certificates.prepare(state, NOW)
    assert certificates.prepare(state, NOW + timedelta(days=330)) == first
    assert certificates.prepare(state, NOW + timedelta(days=340)) != first


def test_a_pair_that_does_not_match_is_made_anew(state: StateDir, tmp_path: Path) -> None:
    certificates.prepare(state, NOW)
    other = StateDir(tmp_path / "other")
    other.root.mkdir()
    certificates.prepare(other, NOW)
    state.authority_certificate.write_bytes(other.authority_certificate.read_bytes())
    certificates.prepare(state, NOW)
    authority, server = (
        x509.load_pem_x509_certificate(file.read_bytes())
        for file in (state.authority_certificate, state.server_certificate)
    )
    server.verify_directly_issued_by(authority)


def test_nobody_can_sign_anything_with_the_authority(state: StateDir) -> None:
    # Given its certificate, and all that was written
    certificates.prepare(state, NOW)
    authority = x509.load_pem_x509_certificate(state.authority_certificate.read_bytes())
    server = state.server_certificate.read_bytes()
    # Then its key is nowhere: the only key is the server's
    assert {path.name for path in state.tls.iterdir()} == {"authority.pem", "server.pem"}
    assert load_pem_private_key(server, None).public_key() != authority.public_key()
    # And if it were, it could sign for loopback only
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert {str(name.value) for name in limits.value.permitted_subtrees or []} == {
        *("localhost", "127.0.0.0/8", "::1/128")
    }


def test_only_their_owner_may_read_them(state: StateDir) -> None:
    certificates.prepare(state, NOW)
    modes = [path.stat().st_mode & 0o777 for path in (state.tls, *state.tls.iterdir())]
    assert modes == [0o700, 0o600, 0o600]
