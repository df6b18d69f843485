"""Attacks that have a library fetch for them: past the egress guard, to any address or file.

Each attack runs in a process that ends at its first attempt to open a socket or a file.
"""

import base64
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

import patchbay
from patchbay.platform.json_schema import DIALECT, DocumentSchema, schema_problems
from tests.attacks.sealed import run

URLS = (
    "http://127.0.0.1:1/schema",
    "https://127.0.0.1:1/schema",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "ftp://127.0.0.1:1/schema",
    "gopher://127.0.0.1:1/schema",
    "unknown:anything",
    "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "json-schema:///other",
    "//127.0.0.1:1/schema",
    "/etc/passwd",
    "../../../../etc/passwd",
    "other.json",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
)


def hostile_schemas() -> Iterator[dict[str, Any]]:
    """Each address, in each keyword that may name one, at each place."""
    for url in URLS:
        for naming in (
            {"$schema": url},
            {"$ref": url},
            {"$ref": f"{url}#/a"},
            {"$dynamicRef": url},
            {"$dynamicRef": f"{url}#a"},
            {"$recursiveRef": url},
            {"$id": url, "$ref": "other"},
            {"$id": url, "$ref": "#/$defs/none"},
            {"$id": url, "$dynamicRef": "#none"},
            {"$schema": url, "$id": url, "$vocabulary": {url: True}},
            {"$schema": DIALECT, "$vocabulary": {url: True}, "$ref": url},
            {"$id": url, "$schema": url, "$ref": "x", "$anchor": "a"},
            {"id": url, "$ref": "x"},
        ):
            yield naming
            yield {"properties": {"a": naming}}
            yield {"$defs": {"a": naming}, "$ref": "#/$defs/a"}
            yield {"allOf": [{"if": True, "then": naming}]}
            yield {"items": {"anyOf": [naming, {"not": naming}]}}
            yield {"$id": url, "$defs": {"a": {"$id": "b", "allOf": [naming]}}, "$ref": "b"}
            yield {"const": naming, "default": naming, "examples": [naming], "enum": [naming]}
            yield {"patternProperties": {"": naming}, "dependentSchemas": {"a": naming}}
            yield {"unevaluatedProperties": naming, "propertyNames": naming}
            yield {"contentSchema": naming, "contentMediaType": "application/json"}


def judge_schemas() -> Callable[[], None]:
    """As publishing does, and as a test does whose release was stored before there were rules."""

    def attack() -> None:
        for schema in hostile_schemas():
            print(json.dumps(schema), flush=True)
            schema_problems(schema, "")
            compiled = DocumentSchema(schema)
            for document in ({"a": 1}, {}, {"a": {"b": [1]}}):
                compiled.problems(document, "")
                compiled.member_problems(document, "")

    schema_problems({"type": 1}, "")
    DocumentSchema({"properties": {"a": {"pattern": "x"}}}).problems({"a": 1}, "")
    return attack


def test_no_schema_makes_the_validator_open_anything() -> None:
    run(judge_schemas)


@pytest.mark.parametrize("url", URLS[:13])
@pytest.mark.parametrize("keyword", ["$schema", "$ref", "$dynamicRef"])
def test_a_schema_that_names_another_document_is_refused(keyword: str, url: str) -> None:
    assert schema_problems({keyword: url}, "/s")
    assert schema_problems({"properties": {"a": {keyword: url}}}, "/s")


def test_a_stored_release_is_read_as_if_it_named_no_dialect() -> None:
    stored = {"$schema": "http://127.0.0.1:1/x", "properties": {"a": {"type": "integer"}}}
    assert DocumentSchema(stored).problems({"a": 1}, "") == []
    assert [p.pointer for p in DocumentSchema(stored).problems({"a": "x"}, "")] == ["/a"]


def test_every_validator_has_the_retriever_that_refuses() -> None:
    root = Path(patchbay.__file__).parent
    for module in root.rglob("*.py"):
        text = module.read_text()
        made = text.count("jsonschema_rs.Draft202012Validator(")
        assert text.count("retriever=fetch_nothing") == made, module
        assert "validator_for" not in text, module


@pytest.mark.parametrize(
    "opener",
    ["urllib.request", "zoneinfo", "locale", "gettext", "xml.sax.expatreader", "jwks_client"],
)
def test_what_opens_what_it_is_given_is_not_imported(opener: str) -> None:
    parent, _, name = opener.rpartition(".")
    imports = re.compile(
        rf"^\s*(import {re.escape(opener)}\b|from {re.escape(parent or opener)} import .*\b{name}\b"
        rf"|from {re.escape(opener)} import)|PyJWKClient",
        re.MULTILINE,
    )
    for module in Path(patchbay.__file__).parent.rglob("*.py"):
        assert imports.search(module.read_text()) is None, module


def verify_tokens() -> Callable[[], None]:
    """Tokens whose headers name a key set, a chain of certificates, or a key of their own."""
    from patchbay.tenancy.authentication_jwks import KeySet
    from patchbay.tenancy.authentication_jwt import TokenReader, TrustedIssuer

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    listed = {"keys": [{**own, "kid": "k", "x5u": URLS[0], "jku": URLS[1], "x5c": ["AA=="]}]}
    headers: list[dict[str, Any]] = [{"kid": "k"}]
    for url in URLS:
        headers += [
            {"kid": "k", "jku": url, "x5u": url, "jwk": own, "x5c": [url]},
            {"kid": url, "jku": url},
            {"kid": "k", "crit": ["b64"], "b64": False, "x5u": url},
        ]
    claims = {"iss": "https://issuer.example.com", "aud": "patchbay", "sub": "s"}
    tokens = [jwt.encode(claims, key, "RS256", headers=header) for header in headers]
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "jku": URLS[0]}).encode())
    tokens.append(f"{unsigned.decode().rstrip('=')}.e30.x")
    trusted = TrustedIssuer("https://issuer.example.com", "patchbay", "org", "scope")
    reader = TokenReader(
        trusted, KeySet("https://x.example", lambda _: json.dumps(listed).encode())
    )
    now = datetime(2026, 2, 17, tzinfo=UTC)

    def attack() -> None:
        for token in tokens:
            reader.holder(token, now)

    attack_once = tokens[0]
    reader.holder(attack_once, now)
    return attack


def test_no_token_makes_its_reader_open_anything() -> None:
    run(verify_tokens)


def check_certificates() -> Callable[[], None]:
    """Handshakes with a server whose certificate names places of its issuer, OCSP, and CRLs."""
    from patchbay.egress.tls import TlsOptions, expires_at

    chain, authority = _certificate_with_addresses()
    contexts = [TlsOptions().context(), TlsOptions("nothing").context()]
    contexts.append(TlsOptions(authorities=authority).context())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(chain)
        file.flush()
        server.load_cert_chain(file.name)

    def attack() -> None:
        for context in contexts:
            found = _handshake(context, server)
            print(found if isinstance(found, str) else expires_at(found), flush=True)

    attack()
    return attack


def test_no_certificate_makes_tls_open_anything() -> None:
    run(check_certificates)


def read_documents() -> Callable[[], None]:
    """What answers and manifests may hold: XML, tokens, and charsets, time zones, and locales."""
    from patchbay.checks.error_content import read_error
    from patchbay.checks.request_bodies import _require_xml
    from patchbay.checks.templates import TemplateError
    from patchbay.checks.token_answers import TokenAnswer

    entity = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    documents = [
        entity,
        '<?xml version="1.0" encoding="x-other"?><a/>',
        '<?xml-stylesheet href="http://127.0.0.1:1/"?><a/>',
        '<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></a>',
        '<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a http://x"/>',
    ]

    def attack() -> None:
        for document in documents:
            try:
                _require_xml((document,))
            except TemplateError:
                print("refused", flush=True)
            read_error({"content-type": "application/xml"}, document, is_error=True)
        for url in URLS:
            answer = {"access_token": url, "scope": url, "id_token": url, "error_uri": url}
            assert TokenAnswer(answer).access_token == url

    attack()
    return attack


def test_a_charset_opens_nothing_but_python_s_own_codecs() -> None:
    # given the names that a server may send
    script = """
import sys
opened = []
sys.addaudithook(lambda event, given: event == "open" and opened.append(str(given[0])))
from patchbay.egress.content import text_of
for name in ("../../etc/passwd", "/etc/passwd", "os", "tests.attacks", "..", "a.b", "utf-8",
             "cp037", "shift_jis", "this", "encodings.idna", "antigravity", "\\u00e9"):
    text_of(b"x", f"text/plain; charset={name}")
import encodings
print([p for p in opened if not p.startswith(encodings.__path__[0])
       and not p.startswith(sys.prefix) and not p.startswith(sys.base_prefix)
       and "/patchbay/" not in p])
print("antigravity" in sys.modules, "this" in sys.modules)
"""
    # when
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )

    # then
    assert done.stdout.splitlines() == ["[]", "False False"], done.stderr


def test_no_document_makes_its_reader_open_anything() -> None:
    run(read_documents)


def open_a_file() -> Callable[[], None]:
    return lambda: print(Path("/etc/hostname").exists(), ssl.create_default_context())


def test_the_seal_holds() -> None:
    with pytest.raises(AssertionError):
        run(open_a_file)


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> ssl.SSLObject | str:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="x.example.com")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                return error.reason or "failed"
    return ours


def _certificate_with_addresses() -> tuple[str, str]:
    """The PEM of a key and its certificate, and of the authority that signed it."""
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in ("ca", "leaf")]
    places = [x509.UniformResourceIdentifier(url) for url in URLS[:6]]
    about = AuthorityInformationAccessOID
    certificates = []
    for position in range(2):
        built = (
            x509.CertificateBuilder()
            .subject_name(names[position])
            .issuer_name(names[0])
            .public_key(keys[position].public_key())
            .serial_number(position + 1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(position == 0, None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), False
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(keys[position].public_key()), False
            )
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName("x.example.com")]), critical=False
            )
        )
        if position == 0:
            usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            built = built.add_extension(usage, critical=True)
        if position == 1:
            built = built.add_extension(
                x509.AuthorityInformationAccess(
                    [
                        x509.AccessDescription(method, place)
                        for place in places
                        for method in (about.OCSP, about.CA_ISSUERS)
                    ]
                ),
                critical=False,
            ).add_extension(
                x509.CRLDistributionPoints(
                    [x509.DistributionPoint([place], None, None, None) for place in places]
                ),
                critical=False,
            )
        certificates.append(built.sign(keys[0], hashes.SHA256()))
    key = keys[1].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    authority, leaf = (c.public_bytes(serialization.Encoding.PEM).decode() for c in certificates)
    return key.decode() + leaf, authority
