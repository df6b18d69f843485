"""`private_key_jwt`: what a client signs, and which keys it may have."""

import json
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from patchbay.checks.client_assertions import (
    LIFETIME,
    MAX_KEY_BITS,
    MAX_KEY_TEXT,
    MIN_KEY_BITS,
    TYPE,
)
from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.templates import ValueRefused
from patchbay.checks.token_calls import TokenCall
from tests.unit.checks.oauth_targets import STRING, problems, recipe

URL = "https://auth.example.net/token"


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def pem(key: Any, password: bytes | None = None) -> str:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    data: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return data.decode()


def call(private_key: str, **more: Any) -> TokenCall:
    made = recipe(clientAuth="private_key_jwt", grantType="client_credentials", **more)
    assert made.problems == ()
    assert made.renewal
    client = OAuthClient("client:1", private_key=private_key)
    return made.renewal.refresh({"key": "k-1"}, client, secrets={})


def sent(of: TokenCall) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(of.request.body.decode()).items()}


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa_key(), "RS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
    ],
)
def test_the_key_decides_how_the_assertion_is_signed(key: Any, algorithm: str) -> None:
    made = call(pem(key))
    body = sent(made)
    claims = jwt.decode(
        body["client_assertion"], key.public_key(), algorithms=[algorithm], audience=URL
    )

    assert jwt.get_unverified_header(body["client_assertion"]) == {"alg": algorithm, "typ": "JWT"}
    assert (claims["iss"], claims["sub"]) == ("client:1", "client:1")
    assert claims["exp"] - claims["iat"] == LIFETIME.total_seconds()
    assert body["client_assertion_type"] == TYPE
    assert body["client_id"] == "client:1"
    assert "client_secret" not in body
    assert "authorization" not in {name.lower() for name, _ in made.request.headers}
    assert body["client_assertion"] in made.secret_values


def test_each_assertion_is_another_one() -> None:
    ids = set()
    for _ in range(2):
        assertion = sent(call(pem(rsa_key())))["client_assertion"]
        ids.add(jwt.decode(assertion, options={"verify_signature": False})["jti"])

    assert len(ids) == 2


def test_the_audience_and_the_id_of_the_key_are_templates() -> None:
    body = sent(
        call(
            pem(rsa_key()),
            clientAssertion={"audience": "https://auth.example.net", "keyId": "{{variables.key}}"},
            variables={"key": STRING},
        )
    )
    header = jwt.get_unverified_header(body["client_assertion"])

    assert header["kid"] == "k-1"
    assert jwt.decode(body["client_assertion"], options={"verify_signature": False})["aud"] == (
        "https://auth.example.net"
    )


def test_a_key_may_be_a_jwk() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    for key, text in (
        (rsa_key(), RSAAlgorithm.to_jwk(rsa_key())),
        (curve, ECAlgorithm.to_jwk(curve)),
    ):
        jwk = json.loads(text) | {"kid": "from-the-key"}
        body = sent(call(json.dumps(jwk)))

        assert jwt.get_unverified_header(body["client_assertion"])["kid"] == "from-the-key"
        jwt.decode(
            body["client_assertion"], key.public_key(), algorithms=["RS256", "ES256"], audience=URL
        )


@pytest.mark.parametrize(
    "key",
    [
        "secret",
        "{}",
        "{",
        '{"kty": "oct", "k": "c2VjcmV0"}',
        '{"kty": "RSA", "n": "AQAB", "e": "AQAB"}',
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(rsa_key(), b"password"),
        pem(rsa_key()).replace("PRIVATE", "PUBLIC"),
    ],
)
def test_a_key_that_can_not_sign_is_refused(key: str) -> None:
    with pytest.raises(ValueRefused) as refused:
        call(key)

    assert refused.value.problem.pointer == "/secrets/private_key"
    assert key not in refused.value.problem.message


def test_a_key_whose_primes_have_to_be_searched_for_is_refused() -> None:
    jwk = json.loads(RSAAlgorithm.to_jwk(rsa_key()))
    for name in ("p", "q", "dp", "dq", "qi"):
        with pytest.raises(ValueRefused, match="must be a private key"):
            call(json.dumps({**jwk, name: ""}))


def test_a_long_key_is_refused_before_it_is_loaded() -> None:
    # A key of 10,240 bits takes ten seconds to load; these are no keys at all.
    jwk = dict.fromkeys(("n", "e", "d", "p", "q", "dp", "dq", "qi"), "AQAB") | {"kty": "RSA"}
    for key, message in (
        (f"-----BEGIN PRIVATE KEY-----\n{'A' * MAX_KEY_TEXT}", "must be a private key"),
        (json.dumps(jwk | {"n": "A" * (MAX_KEY_BITS // 6 + 3)}), "must have 2048 to 4096 bits"),
    ):
        with pytest.raises(ValueRefused, match=message):
            call(key)


@pytest.mark.parametrize("bits", [MIN_KEY_BITS // 2, MAX_KEY_BITS + 8])
def test_a_key_is_neither_weak_nor_costly(bits: int) -> None:
    with pytest.raises(ValueRefused, match="2048 to 4096 bits"):
        call(pem(rsa_key(bits)))


def test_a_client_without_a_key_is_named() -> None:
    with pytest.raises(ValueRefused) as refused:
        call("")

    assert (refused.value.problem.pointer, refused.value.problem.code) == (
        "/secrets/private_key",
        "secret_not_found",
    )


def test_the_settings_of_an_assertion_have_no_secrets() -> None:
    at = "/authConfig/clientAssertion"
    assert problems(clientAssertion={"audience": "{{secrets.client_id}}", "more": 1}) == {
        f"{at}/audience": "may not have a secret",
        f"{at}/more": "is not a known key",
    }
    assert problems(clientAssertion={"keyId": 1}) == {f"{at}/keyId": "must be a string"}


def test_an_endpoint_may_have_the_private_key() -> None:
    assert "private_key" in recipe(clientAuth="private_key_jwt").secret_names
    assert "private_key" not in recipe().secret_names
