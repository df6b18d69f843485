"""Certificates for TLS servers on the loopback, made on the spot."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from patchbay.egress.tls import VERIFIED, new_context


class Authority:
    """A certificate authority that exists for one test; an intermediate one with an `issuer`."""

    def __init__(
        self,
        folder: Path,
        name: str = "Test authority",
        *,
        issuer: "Authority | None" = None,
        valid_for: timedelta = timedelta(days=30),
    ) -> None:
        self._folder = folder
        self._issuer = issuer
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        builder = _builder(self._name, signer._name, self._key.public_key(), valid_for)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
        )
        if issuer:
            builder = builder.add_extension(_issued_by(issuer._key.public_key()), critical=False)
        self._certificate = builder.sign(signer._key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return _pem(self._certificate).decode()

    def intermediate(self, name: str, valid_for: timedelta = timedelta(days=30)) -> "Authority":
        return Authority(self._folder, name, issuer=self, valid_for=valid_for)

    def client_context(self) -> ssl.SSLContext:
        """The context of the checks, which trusts this authority too."""
        context = new_context(VERIFIED)
        context.load_verify_locations(cadata=self.pem)
        return context

    def server_context(
        self,
        host: str,
        *,
        valid_for: timedelta = timedelta(days=90),
        valid_in: timedelta = timedelta(days=-30),
        self_signed: bool = False,
        sends_chain: bool = True,
    ) -> ssl.SSLContext:
        """A server's context with a certificate for `host`, expired if `valid_for` is negative,
        and not valid yet if `valid_in` is positive.

        An intermediate authority is sent along if it `sends_chain`.
        """
        pems, key = self.issue(
            host, valid_for=valid_for, valid_in=valid_in, self_signed=self_signed
        )
        chain = [self.pem] if self._issuer and sends_chain else []
        file = self._folder / f"{uuid4()}.pem"
        file.write_text("".join([key, pems, *chain]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def issue(
        self,
        host: str,
        *,
        valid_for: timedelta = timedelta(days=90),
        valid_in: timedelta = timedelta(days=-30),
        self_signed: bool = False,
    ) -> tuple[str, str]:
        """A certificate for `host` and its key, as PEM texts."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test server")])
        issuer, signer = (name, key) if self_signed else (self._name, self._key)
        certificate = (
            _builder(name, issuer, key.public_key(), valid_for, valid_in)
            .add_extension(x509.SubjectAlternativeName([_general(host)]), critical=False)
            .add_extension(_issued_by(signer.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return _pem(certificate).decode(), secret.decode()


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _issued_by(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    valid_for: timedelta,
    valid_in: timedelta = timedelta(days=-30),
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid_in)
        .not_valid_after(now + valid_for)
    )


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
