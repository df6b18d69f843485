"""The certificate authority of a local cloud, and the certificate that servers on loopback show.

Each state folder has an authority of its own, which only the cloud of that folder trusts. Its key
signs one certificate and is never written anywhere, and it may sign for loopback only: nobody can
make anything else of it.
"""

import base64
import hashlib
import ssl
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.paths import StateDir
from local.state import private

_VALID_DAYS = 365
_RENEW_DAYS = 30
_NAMES = (
    x509.DNSName("localhost"),
    *(x509.IPAddress(ip_address(text)) for text in ("127.0.0.1", "127.0.0.2", "::1")),
)
"""127.0.0.2 is a second host of the provider, as a customer's own."""
_LOOPBACK = (
    x509.DNSName("localhost"),
    *(x509.IPAddress(ip_network(text)) for text in ("127.0.0.0/8", "::1/128")),
)


def prepare(state: StateDir, now: datetime) -> str:
    """Makes both certificates unless they are there and valid for 30 more days.

    Returns the authority's certificate as the template's parameter `EgressAuthorities` has it.
    """
    state.tls.mkdir(mode=0o700, exist_ok=True)
    if not _is_valid(state, now):
        authority, server = _issued(now)
        _write(state.authority_certificate, authority)
        _write(state.server_certificate, server)
    der = ssl.PEM_cert_to_DER_cert(state.authority_certificate.read_text())
    return base64.b64encode(der).decode()


def key_hash(certificate: Path) -> str:
    """The hash by which a browser can be told to trust this PEM file's key: the SHA-256 of its
    SubjectPublicKeyInfo, in base64."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def _is_valid(state: StateDir, now: datetime) -> bool:
    """Whether the pair is whole: a start may have been cut off between the two."""
    try:
        authority = x509.load_pem_x509_certificate(state.authority_certificate.read_bytes())
        server = x509.load_pem_x509_certificate(state.server_certificate.read_bytes())
        server.verify_directly_issued_by(authority)
    except (FileNotFoundError, ValueError, InvalidSignature):
        return False
    return now + timedelta(days=_RENEW_DAYS) < server.not_valid_after_utc


def _issued(now: datetime) -> tuple[bytes, bytes]:
    """The authority's certificate; and the server's, with its key and its chain."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("Patchbay local cloud")
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(_LOOPBACK, None), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    server = (
        _builder(_name("Patchbay local server"), authority_name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return _pem(authority), _pem(server) + secret


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # Clocks of one machine agree, but a container's may have been set back.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(file: Path, content: bytes) -> None:
    with open(file, "wb", opener=private) as opened:
        opened.write(content)
