"""An identity provider on loopback: HTTPS under a certificate authority of the test's own."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

import jwt
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass
class SigningKey:
    """A private key with the name that the key set gives it."""

    key_id: str
    private: PrivateKey
    algorithm: str

    @classmethod
    def rsa(cls, key_id: str, bits: int = 2048, algorithm: str = "RS256") -> Self:
        return cls(key_id, rsa.generate_private_key(65537, bits), algorithm)

    @classmethod
    def ec(cls, key_id: str, algorithm: str = "ES256") -> Self:
        curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
        return cls(key_id, ec.generate_private_key(curves[algorithm]), algorithm)

    @classmethod
    def ed25519(cls, key_id: str) -> Self:
        return cls(key_id, ed25519.Ed25519PrivateKey.generate(), "EdDSA")

    def public(self) -> dict[str, Any]:
        """Its entry in the key set."""
        public: Any = self.private.public_key()
        made = jwt.get_algorithm_by_name(self.algorithm)
        entry: dict[str, Any] = json.loads(made.to_jwk(public))
        return entry | {"kid": self.key_id, "alg": self.algorithm, "use": "sig"}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        headers = {"kid": self.key_id, **header}
        return jwt.encode(claims, self.private, self.algorithm, headers)


@dataclass
class Issuer:
    """What is served at `<url>/.well-known/jwks.json`, and how often it was asked for."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    body: bytes | None = None
    status: int = 200
    location: str = ""
    silent: bool = False
    asked: int = 0
    authority: str = ""
    """Its certificate authority, as `EGRESS_AUTHORITIES` has it."""
    document: dict[str, Any] = field(default_factory=dict)
    """What its `/.well-known/openid-configuration` says."""
    tokens: dict[str, Any] = field(default_factory=dict)
    """The answer of `/token`."""
    token_status: int = 200
    exchanges: list[dict[str, str]] = field(default_factory=list)
    """What `/token` was asked."""
    over: threading.Event = field(default_factory=threading.Event)

    def claims(self, organization_id: str, now: datetime, **changes: Any) -> dict[str, Any]:
        """Those of a good token; a change to None leaves a claim out."""
        seconds = int(now.timestamp())
        claims = {
            "iss": self.url,
            "aud": "patchbay",
            "sub": "user-1",
            "iat": seconds,
            "exp": seconds + 600,
            "organization_id": organization_id,
            "permissions": ["platform.integration.read"],
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}


@contextmanager
def issuer(folder: Path, monkeypatch: Any) -> Iterator[Issuer]:
    """Serves until the block ends; this process trusts its certificate meanwhile."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    certificate = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    served = Issuer(
        authority=base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked += 1
            if served.silent:
                # Bytes keep coming, so that no time limit of a single read is ever reached.
                while not served.over.is_set():
                    try:
                        self.wfile.write(b"H")
                    except OSError:
                        return
                    time.sleep(0.05)
                return
            if self.path == "/.well-known/openid-configuration":
                self._send(served.status, json.dumps(served.document).encode())
                return
            known = self.path in ("/.well-known/jwks.json", "/keys?all=1")
            body = served.body or json.dumps({"keys": served.keys}).encode()
            self._send(served.status if known else 404, body)

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            served.exchanges.append(dict(parse_qsl(sent)))
            self._send(served.token_status, json.dumps(served.tokens).encode())

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if served.location:
                self.send_header("Location", served.location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None: ...

    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        served.url = f"https://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield served
        served.over.set()
        server.shutdown()
        thread.join()


def part(value: Any) -> str:
    """A part of a token: JSON in base64url."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
