"""TLS to what a tenant named: how it is verified, and what a failure means.

TLS 1.2 or later. No key log of the environment, no revocation lists: what Python's defaults check,
and nothing that would dial on its own.
"""

import binascii
import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, Literal

from patchbay.egress.failures import DialCode, DialFailure
from patchbay.platform.sentences import Sentence

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

type Verify = Literal["full", "authority", "nothing"]
"""What is checked of the server's certificate: the authority that signed it and the name, the
authority alone (libpq's `verify-ca`), or nothing."""

# OpenSSL's X509_V_ERR_* codes (include/openssl/x509_vfy.h).
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_SELF_SIGNED: Final = 18
_ROOT_UNKNOWN: Final = 19
_ISSUER_UNKNOWN: Final = frozenset({20, 21})
_WRONG_NAME: Final = frozenset({62, 64})

# OpenSSL's reasons, as Python spells them.
_OLD_VERSION: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "VERSION_TOO_LOW", "WRONG_SSL_VERSION"}
)
_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
)
_CLIENT_CERTIFICATE: Final = frozenset(
    {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_NO_CERTIFICATE"}
)
_CLIENT_CERTIFICATE_REFUSED: Final = frozenset(
    {
        "TLSV1_ALERT_DECRYPT_ERROR",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)
_GENERAL: Final = frozenset(
    {"SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_ACCESS_DENIED", "UNEXPECTED_EOF_WHILE_READING"}
)
"""How a handshake ends if the server does not say that it is about a certificate."""
_NAME_UNKNOWN: Final = frozenset({"TLSV1_UNRECOGNIZED_NAME"})


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What this side proves itself with: PEM texts, the certificate first, then its chain."""

    certificate: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How one connection is secured.

    `authorities` are PEM certificates; with them nothing else is trusted. Without them the
    system's authorities are, and those of the deployment's operator. `protocols` are offered by
    ALPN.
    """

    verify: Verify = "full"
    authorities: str = ""
    client: ClientCertificate | None = None
    protocols: tuple[str, ...] = ()

    def context(self, operator_authorities: bytes = b"") -> ssl.SSLContext:
        """`operator_authorities` is what `read_authorities` returns. Raises ValueError if a PEM
        text can't be used."""
        if not self.authorities and self.client is None:
            return _shared_context(self.verify, self.protocols, operator_authorities)
        return new_context(self, operator_authorities)


VERIFIED: Final = TlsOptions()


def read_authorities(text: str) -> bytes:
    """The certificates of private authorities in DER form, one after the other, as a context loads
    them. `text` has each in base64 (RFC 4648 §4), joined by commas; "" is none.

    Raises ValueError if one is not a certificate.
    """
    certificates = [part.strip() for part in text.split(",")] if text else []
    for number, certificate in enumerate(certificates, start=1):
        try:
            der = binascii.a2b_base64(certificate, strict_mode=True)
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(f"certificate {number} is not one in DER form and base64") from error
    return b"".join(map(binascii.a2b_base64, certificates))


def new_context(options: TlsOptions, operator_authorities: bytes = b"") -> ssl.SSLContext:
    """A context of one's own. Raises ValueError if a PEM text can't be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if options.verify != "full":
        context.check_hostname = False
    if options.verify == "nothing":
        context.verify_mode = ssl.CERT_NONE
    elif options.authorities:
        try:
            context.load_verify_locations(cadata=options.authorities)
        except (ssl.SSLError, ValueError) as error:
            raise ValueError("is not a certificate in PEM form") from error
        # A private authority is often older than the strict rules for certificates.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    else:
        _load_system_authorities(context)
        if operator_authorities:
            context.load_verify_locations(cadata=operator_authorities)
    if options.protocols:
        context.set_alpn_protocols(list(options.protocols))
    if options.client:
        _load(context, options.client)
    return context


def _load_system_authorities(context: ssl.SSLContext) -> None:
    """From the system's file, so that all are in memory: by default, OpenSSL would also look into a
    directory for every issuer that a server names and it does not know."""
    if file := ssl.get_default_verify_paths().cafile:
        context.load_verify_locations(file)
    else:
        context.load_default_certs()


@cache
def _shared_context(
    verify: Verify, protocols: tuple[str, ...], operator_authorities: bytes
) -> ssl.SSLContext:
    """Made once: loading the system's authorities takes tens of milliseconds."""
    return new_context(TlsOptions(verify, protocols=protocols), operator_authorities)


def _load(context: ssl.SSLContext, client: ClientCertificate) -> None:
    with _as_file(f"{client.key.strip()}\n{client.certificate.strip()}\n") as path:
        try:
            # A key that is encrypted would have OpenSSL ask at the terminal for its password.
            context.load_cert_chain(path, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(
                "and its key are not a pair in PEM form, without a password"
            ) from error


def _no_password() -> str:
    raise ValueError("the key is encrypted")


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """OpenSSL reads certificates from files only: this one is in memory where the system can, and
    readable by nobody else where it can't."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("client-certificate")
        try:
            os.write(descriptor, text.encode())
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(text)
        file.flush()
        yield file.name


def expires_at(session: ssl.SSLObject) -> float | None:
    """When the first certificate of the verified chain expires, in seconds since 1970; None if the
    chain was not verified."""
    if session.context.verify_mode is ssl.CERT_NONE:
        return None
    return min(map(_not_after, session.get_verified_chain()), default=None)


@lru_cache(maxsize=256)
def _not_after(certificate: bytes) -> float:
    return _parsed(certificate).not_valid_after_utc.timestamp()


def _parsed(certificate: bytes) -> "Certificate":
    from cryptography.x509 import load_der_x509_certificate

    return load_der_x509_certificate(certificate)


def is_about_the_chain(error: BaseException) -> bool:
    """Whether a look at what the server sent would say more than the error does."""
    return isinstance(error, ssl.SSLCertVerificationError) and (
        error.verify_code == _EXPIRED or error.verify_code in _ISSUER_UNKNOWN
    )


def failure_of(
    error: BaseException,
    *,
    chain: Sequence[bytes] = (),
    has_client_certificate: bool = False,
    was_asked: bool = False,
) -> DialFailure | None:
    """What a failed handshake, or the end of a TLS session, means; None if it was something else.

    `chain` are the certificates that the server sent, its own first, as far as they are known.
    `was_asked`: the server had asked for a client certificate when the handshake failed. In TLS
    1.2, servers that get none, or one that they do not accept, end with a general alert
    (`handshake_failure`, RFC 5246 §7.4.6) or without a word.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error, [_parsed(one) for one in chain])
    if isinstance(error, ssl.SSLError):
        code, summary = _of_session(
            error, has_client_certificate=has_client_certificate, was_asked=was_asked
        )
        return DialFailure(code, summary, phase="tls")
    if isinstance(error, TimeoutError):
        return DialFailure("provider_timeout", "The TLS handshake timed out.", phase="tls")
    if isinstance(error, ConnectionError | EOFError) and was_asked:
        return DialFailure(*_of_client(has_certificate=has_client_certificate), phase="tls")
    if isinstance(error, ConnectionError | EOFError):
        return DialFailure(
            "connection_reset", "The server closed the connection during TLS.", phase="tls"
        )
    return None


def session_failure(error: ssl.SSLError, tls: TlsOptions | None) -> DialFailure:
    """What ended a session after its handshake: servers of TLS 1.3 judge the client's certificate
    only then."""
    failure = failure_of(error, has_client_certificate=tls is not None and tls.client is not None)
    if failure is None or failure.code == "tls_error":
        return DialFailure("tls_error", "The TLS connection broke.")
    failure.phase = None  # the handshake was good for this side
    return failure


def _of_client(*, has_certificate: bool) -> tuple[DialCode, str]:
    if has_certificate:
        return "client_certificate_refused", "The server does not accept the client certificate."
    return "client_certificate_required", "The server asks for a client certificate."


def _of_session(
    error: ssl.SSLError, *, has_client_certificate: bool, was_asked: bool
) -> tuple[DialCode, str]:
    reason = error.reason or ""
    if reason in _CLIENT_CERTIFICATE:
        return _of_client(has_certificate=False)
    is_asked = was_asked or has_client_certificate
    if reason in _CLIENT_CERTIFICATE_REFUSED or (is_asked and reason in _GENERAL):
        return _of_client(has_certificate=has_client_certificate)
    if reason in _OLD_VERSION:
        return "tls_version_unsupported", "The server does not support TLS 1.2 or later."
    if reason in _NO_TLS:
        return "tls_error", "The server does not speak TLS on this port."
    if reason in _NAME_UNKNOWN:
        return "certificate_name_mismatch", "The server has no certificate for this host name."
    if "HANDSHAKE_FAILURE" in reason and not has_client_certificate:
        return (
            "tls_error",
            "The server ended the TLS handshake: no common cipher, or it asks for a client "
            "certificate.",
        )
    return "tls_error", "TLS could not be agreed with the server."


def _of_certificate(
    error: ssl.SSLCertVerificationError, chain: Sequence["Certificate"]
) -> DialFailure:
    code: DialCode = "certificate_untrusted"
    summary: str
    if error.verify_code == _EXPIRED:
        code, summary = "certificate_expired", _expired(chain)
    elif error.verify_code == _NOT_YET_VALID:
        code, summary = "certificate_not_yet_valid", "The server's certificate is not valid yet."
    elif error.verify_code in _WRONG_NAME:
        code = "certificate_name_mismatch"
        summary = "The server's certificate is for another host name."
    elif error.verify_code == _SELF_SIGNED:
        code, summary = "certificate_self_signed", "The server's certificate is self-signed."
    elif error.verify_code in _ISSUER_UNKNOWN and len(chain) == 1:
        code = "certificate_chain_incomplete"
        summary = Sentence(
            "The server sends its own certificate only: the intermediate certificate of its "
            "issuer, {}, is missing.",
            _issuer(chain[0]),
        )
    elif error.verify_code == _ROOT_UNKNOWN or error.verify_code in _ISSUER_UNKNOWN:
        summary = "The server's certificate is signed by an authority that is not trusted."
        if chain:
            summary = Sentence(
                "The server's certificate is signed by an authority that is not trusted ({}).",
                _issuer(chain[-1]),
            )
    else:
        code, summary = "tls_error", "The server's certificate does not follow the standard."
    return DialFailure(code, summary, phase="tls")


def _expired(chain: Sequence["Certificate"]) -> str:
    now = datetime.now(UTC)
    for certificate in chain[1:]:
        if certificate.not_valid_after_utc < now <= chain[0].not_valid_after_utc:
            name = _name(certificate.subject.rfc4514_string())
            return Sentence(
                "The intermediate certificate of {} that the server sends has expired.", name
            )
    return "The server's certificate has expired."


def _issuer(certificate: "Certificate") -> str:
    return _name(certificate.issuer.rfc4514_string())


def _name(text: str) -> str:
    """A name of a certificate, which is text of the other side: made safe to show."""
    printable = "".join(character for character in text if character.isprintable())
    return f'"{printable[:100]}"' if printable else "an unnamed authority"


def without_verification(options: TlsOptions) -> TlsOptions:
    """The same towards a server of which only the certificates are looked at."""
    return replace(options, verify="nothing", authorities="", client=None)
