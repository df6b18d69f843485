"""JSON Web Tokens: which are accepted, which are rejected, and what they allow."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

import authorizer
from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.tenancy import authentication_jwks
from patchbay.tenancy.access import Permission
from patchbay.tenancy.authentication import Authenticator
from patchbay.tenancy.authentication_jwks import KeySetUnavailable, fetched, keys_of
from patchbay.tenancy.authentication_jwt import TrustedIssuer, holder_of
from patchbay.tenancy.authorizer_context import principal_of
from tests.integration.api import Client, start_cold
from tests.integration.conftest import Tenant
from tests.integration.issuer import Issuer, SigningKey, issuer, part

pytestmark = pytest.mark.enable_socket

NOBODY: dict[str, str] = {}
OUTAGE = {"outcome": "unavailable"}
RSA = SigningKey.rsa("rsa-1")
EC = SigningKey.ec("ec-1")
OTHERS = [
    SigningKey.rsa("rsa-2", algorithm="PS256"),
    SigningKey.rsa("rsa-3", algorithm="RS512"),
    SigningKey.ec("ec-2", "ES384"),
    SigningKey.ec("ec-3", "ES512"),
    SigningKey.ed25519("ed-1"),
]


@pytest.fixture
def idp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """An issuer with a key of each kind, trusted by the authorizer of this process."""
    with issuer(tmp_path, monkeypatch) as served:
        served.keys = [key.public() for key in (RSA, EC, *OTHERS)]
        monkeypatch.setenv("JWT_ISSUER", served.url)
        monkeypatch.setenv("JWT_AUDIENCE", "patchbay")
        # Only the test that sets its own limit is about the limit.
        monkeypatch.setattr(authentication_jwks, "FETCH_SECONDS", 30)
        yield served


@pytest.fixture
def said(tenant: Tenant, idp: Issuer) -> Callable[..., dict[str, str]]:
    """The context that a new authorizer attaches for a token."""
    seen = fresh_authenticator()

    def say(token: str, now: datetime | None = None) -> dict[str, str]:
        return seen.context(f"Bearer {token}", now or utc_now())

    return say


def fresh_authenticator() -> Authenticator:
    return Deployment().authenticator


@pytest.mark.parametrize("key", [RSA, EC, *OTHERS], ids=lambda key: key.algorithm)
def test_a_token_becomes_its_organization_subject_and_permissions(
    tenant: Tenant, idp: Issuer, key: SigningKey
) -> None:
    # Given a token of the issuer, with our permissions and those of other services
    permissions = ["platform.integration.read", "billing.write", "platform.events.write"]
    claims = idp.claims(tenant.organization_id, utc_now(), permissions=permissions)
    # When the API is called with it
    caller = tenant.client.with_key(key.sign(claims))
    own = caller.get(f"/spaces/{tenant.space_slug}")
    # Then it may do what it says, and nothing else
    assert own.status == 200
    assert caller.patch(f"/spaces/{tenant.space_slug}", {"name": "x"}).status == 403
    event = {"headers": {"authorization": f"Bearer {caller.key}"}}
    principal = principal_of(authorizer.handler(event, None)["context"])
    assert principal is not None
    assert principal.organization_id == tenant.organization_id
    assert principal.subject == "jwt:user-1"
    assert principal.permissions == {Permission.READ, Permission.WRITE_EVENTS}
    # And the keys were fetched once
    assert idp.asked == 1


def test_api_keys_work_next_to_tokens(tenant: Tenant, idp: Issuer) -> None:
    assert tenant.client.get(f"/spaces/{tenant.space_slug}").status == 200
    assert idp.asked == 0


def test_permissions_may_be_one_string_and_claims_may_have_other_names(
    tenant: Tenant, idp: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_ORGANIZATION_CLAIM", "https://acme.example/org")
    monkeypatch.setenv("JWT_PERMISSIONS_CLAIM", "scope")
    monkeypatch.setenv("JWT_JWKS_URL", f"{idp.url}/keys?all=1")
    claims = idp.claims("unused", utc_now(), scope="openid platform.integration.manage")
    claims["https://acme.example/org"] = tenant.organization_id
    claims["aud"] = ["other", "patchbay"]
    context = fresh_authenticator().context(f"Bearer {RSA.sign(claims)}", utc_now())
    assert context["organization_id"] == tenant.organization_id
    assert context["permissions"] == "platform.integration.manage"


def test_a_token_never_gets_the_operators_permission(
    tenant: Tenant, idp: Issuer, said: Callable[..., dict[str, str]]
) -> None:
    claims = idp.claims(
        tenant.organization_id, utc_now(), permissions=[p.value for p in Permission]
    )
    assert Permission.ADMIN not in said(RSA.sign(claims))["permissions"].split()


def test_another_tenants_things_are_not_found(
    tenant: Tenant, stranger: Tenant, idp: Issuer
) -> None:
    claims = idp.claims(stranger.organization_id, utc_now())
    caller = tenant.client.with_key(RSA.sign(claims))
    assert caller.get(f"/spaces/{tenant.space_slug}").code == "SPACE_NOT_FOUND"
    assert caller.get(f"/v1/organizations/{tenant.organization_id}").status == 404


def test_a_token_may_be_for_one_space(
    tenant: Tenant, stranger: Tenant, idp: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a deployment that reads the space from a claim
    monkeypatch.setenv("JWT_SPACE_CLAIM", "app.space")
    start_cold("authorizer")
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    tenant.client.post(spaces, {"slug": "sandbox", "name": "Sandbox"})

    def caller(space: object) -> Client:
        permissions = ["platform.integration.read"]
        claims = idp.claims(tenant.organization_id, utc_now(), permissions=permissions)
        return tenant.client.with_key(RSA.sign({**claims, "app": {"space": space}}))

    # Then a token with it keeps to that space
    scoped = caller("sandbox")
    assert scoped.get("/spaces/sandbox").status == 200
    assert scoped.get(f"/spaces/{tenant.space_slug}").code == "SPACE_NOT_FOUND"
    assert scoped.get(spaces).code == "PERMISSION_DENIED"
    # One without it is for the whole organization
    assert caller(None).get(spaces).status == 200
    # And one with anything but the slug of a space of the organization is not valid
    wrong: list[object] = ["nowhere", stranger.space_slug, "", 7, ["sandbox"], {}, "Sandbox"]
    for space in wrong:
        assert caller(space).get("/spaces/sandbox").code == "UNAUTHENTICATED", space


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": None},
        {"aud": {"patchbay": 1}},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\nb"},
        {"sub": "ü"},
        {"exp": None},
        {"iat": None},
        {"exp": "2099-01-01"},
        {"exp": True},
        {"exp": 1e300},
        {"iat": -1},
        {"organization_id": None},
        {"organization_id": ""},
        {"organization_id": ["org"]},
        {"organization_id": "org_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
    ],
    ids=str,
)
def test_a_token_with_invalid_claims_is_rejected(
    tenant: Tenant, idp: Issuer, said: Callable[..., dict[str, str]], changes: dict[str, Any]
) -> None:
    good = idp.claims(tenant.organization_id, utc_now())
    assert said(unchecked(RSA, good)) != NOBODY
    assert (
        said(unchecked(RSA, {k: v for k, v in {**good, **changes}.items() if v is not None}))
        == NOBODY
    )


def test_times_have_a_leeway_of_half_a_minute(
    tenant: Tenant, idp: Issuer, said: Callable[..., dict[str, str]]
) -> None:
    now = utc_now().replace(microsecond=0)
    second, seconds = timedelta(seconds=1), int(now.timestamp())
    claims = idp.claims(tenant.organization_id, now, exp=seconds + 60, nbf=seconds + 10)
    token = RSA.sign(claims)
    # Not yet, then from half a minute before it begins
    assert said(token, now - 21 * second) == NOBODY
    assert said(token, now - 20 * second) != NOBODY
    # Until half a minute after it expires, although it was seen a moment before
    assert said(token, now + 89 * second) != NOBODY
    assert said(token, now + 90 * second) == NOBODY
    # And one from the future is rejected, too
    future = RSA.sign(idp.claims(tenant.organization_id, now, iat=seconds + 31))
    assert said(future, now) == NOBODY


def test_the_algorithm_is_pinned_by_the_key(
    tenant: Tenant, idp: Issuer, said: Callable[..., dict[str, str]]
) -> None:
    claims = idp.claims(tenant.organization_id, utc_now())
    pem = RSA.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for secret in (pem, pem.strip(), json.dumps(RSA.public()).encode()):
        # HS256, with the public key as the secret that both sides know
        assert said(signed_hs256(secret, claims, kid="rsa-1")) == NOBODY
    # No signature at all
    for none in ("none", "None", "NONE"):
        body = f"{part({'alg': none, 'kid': 'rsa-1'})}.{part(claims)}."
        assert said(body) == NOBODY
        assert said(body + "AA") == NOBODY
    # A valid signature with the algorithm of the other kind of key, or a stronger one
    header, payload, signature = RSA.sign(claims).split(".")
    for algorithm in ("ES256", "RS512", "PS256", "HS256", "", None, 1, ["RS256"]):
        changed = part({"alg": algorithm, "kid": "rsa-1"})
        assert said(f"{changed}.{payload}.{signature}") == NOBODY
    assert said(f"{header}.{payload}.{signature}") != NOBODY
    # And a signature of the right kind with another key
    assert said(SigningKey.rsa("rsa-1").sign(claims)) == NOBODY
    assert said(SigningKey.ec("ec-1").sign(claims)) == NOBODY


def test_what_is_not_a_token_is_rejected_without_asking_the_issuer(
    tenant: Tenant, idp: Issuer, said: Callable[..., dict[str, str]]
) -> None:
    claims = idp.claims(tenant.organization_id, utc_now())
    header, payload, signature = RSA.sign(claims).split(".")
    for text in (
        "..",
        "a.b.c",
        f"{header}.{payload}",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature}.{signature}",
        f"{header}=.{payload}.{signature}",
        f"{part([])}.{payload}.{signature}",
        f"{part({'alg': 'RS256'})}.{payload}.{signature}",
        f"{part({'alg': 'RS256', 'kid': 7})}.{payload}.{signature}",
        # The meaning of a critical extension is unknown (RFC 7515, section 4.1.11)
        RSA.sign(claims, crit=["exp"], exp=1),
        # Larger than any token needs to be
        RSA.sign({**claims, "padding": "x" * 8192}),
        f"{'A' * 4_000_000}.A.A",
    ):
        assert said(text) == NOBODY
    assert idp.asked == 0
    # A payload that other parsers would read in another way
    assert said(unchecked(RSA, b'{"sub": "a", "sub": "b"}')) == NOBODY
    assert said(unchecked(RSA, b"[]")) == NOBODY


def test_rotated_keys_are_fetched_when_a_token_names_one(
    tenant: Tenant, idp: Issuer, said: Callable[..., dict[str, str]]
) -> None:
    now, claims = utc_now(), idp.claims(tenant.organization_id, utc_now())
    assert said(RSA.sign(claims), now) != NOBODY
    # When the issuer adds a new key and removes the old one
    new = SigningKey.rsa("rsa-2")
    idp.keys = [new.public()]
    # Then a token of the new one is accepted as soon as the keys may be fetched again
    assert said(new.sign(claims), now + timedelta(seconds=29)) == NOBODY
    assert said(new.sign(claims), now + timedelta(seconds=30)) != NOBODY
    # And the old one is rejected for a token that was not seen before
    other = RSA.sign({**claims, "sub": "user-2"})
    assert said(other, now + timedelta(seconds=31)) == NOBODY


def test_a_key_that_is_withdrawn_is_out_of_use_within_ten_minutes(
    tenant: Tenant, idp: Issuer, said: Callable[..., dict[str, str]]
) -> None:
    now = utc_now()
    token = RSA.sign(idp.claims(tenant.organization_id, now, exp=int(now.timestamp()) + 7200))
    assert said(token, now) != NOBODY
    idp.keys = [EC.public()]
    assert said(token, now + timedelta(minutes=9)) != NOBODY
    # A minute after that it has left the cache, and then its key, too
    assert said(token, now + timedelta(minutes=10)) == NOBODY


def test_invented_key_names_do_not_flood_the_issuer(
    tenant: Tenant, idp: Issuer, said: Callable[..., dict[str, str]]
) -> None:
    now, claims = utc_now(), idp.claims(tenant.organization_id, utc_now())
    for number in range(50):
        token = RSA.sign(claims, kid=f"invented-{number}")
        assert said(token, now + timedelta(milliseconds=number)) == NOBODY
    assert idp.asked == 1


def test_during_an_outage_of_the_issuer_the_last_keys_are_used_for_an_hour(
    tenant: Tenant, idp: Issuer, said: Callable[..., dict[str, str]]
) -> None:
    now = utc_now()
    token = RSA.sign(idp.claims(tenant.organization_id, now, exp=int(now.timestamp()) + 7200))
    assert said(token, now) != NOBODY
    idp.status = 500
    assert said(token, now + timedelta(minutes=59)) != NOBODY
    assert said(token, now + timedelta(minutes=61)) == OUTAGE
    # And it is not called again and again
    assert idp.asked == 3
    assert said(token, now + timedelta(minutes=61, seconds=29)) == OUTAGE
    assert idp.asked == 3
    # When it is back, callers are accepted again
    idp.status = 200
    assert said(token, now + timedelta(minutes=61, seconds=30)) != NOBODY


def test_without_the_issuers_keys_the_caller_gets_a_503(tenant: Tenant, idp: Issuer) -> None:
    idp.status = 503
    caller = tenant.client.with_key(RSA.sign(idp.claims(tenant.organization_id, utc_now())))
    answer = caller.get(f"/spaces/{tenant.space_slug}")
    assert (answer.status, answer.code) == (503, "TEMPORARILY_UNAVAILABLE")
    # API keys still work
    assert tenant.client.get(f"/spaces/{tenant.space_slug}").status == 200


@pytest.mark.parametrize("body", [b"{}", b"[]", b"no", b'{"keys": {}}', b'{"keys": ' + b"[" * 9999])
def test_an_invalid_key_set_is_an_outage(
    tenant: Tenant, idp: Issuer, said: Callable[..., dict[str, str]], body: bytes
) -> None:
    idp.body = body
    assert said(RSA.sign(idp.claims(tenant.organization_id, utc_now()))) == OUTAGE


def test_keys_for_other_purposes_are_left_out() -> None:
    weak = SigningKey.rsa("weak", 1024).public()
    entries: list[Any] = [
        weak,
        RSA.public() | {"use": "enc"},
        RSA.public() | {"alg": "RSA-OAEP"},
        RSA.public() | {"kid": 7},
        RSA.public() | {"n": "%%%"},
        RSA.public() | {"n": "AA"},
        RSA.public() | {"e": "ü"},
        EC.public() | {"crv": "P-384"},
        EC.public() | {"x": "AA"},
        EC.public() | {"x": EC.public()["y"]},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "ed"},
        None,
        "x",
    ]
    assert keys_of(json.dumps({"keys": entries}).encode()) == {}
    # Of two with the same name, the first counts. `use` and `alg` are optional.
    second = SigningKey.rsa("rsa-1").public()
    plain = {name: RSA.public()[name] for name in ("kty", "n", "e", "kid")}
    [(name, key)] = keys_of(json.dumps({"keys": [plain, second]}).encode()).items()
    assert name == ("rsa-1", "RS256")
    assert key.key == RSA.private.public_key()
    with pytest.raises(KeySetUnavailable):
        keys_of(json.dumps({"keys": [plain] * 51}).encode())


def test_a_fetch_follows_no_redirect_and_uses_no_plain_http(idp: Issuer) -> None:
    assert b"keys" in fetched(f"{idp.url}/.well-known/jwks.json")
    idp.status, idp.location = 302, f"{idp.url}/keys?all=1"
    with pytest.raises(KeySetUnavailable, match="302"):
        fetched(f"{idp.url}/.well-known/jwks.json")
    assert idp.asked == 2
    for url in ("http://127.0.0.1:1/", "file:///etc/passwd", "https://", "ftp://a/"):
        with pytest.raises(KeySetUnavailable, match="https"):
            fetched(url)


def test_a_fetch_requires_a_certificate_of_a_known_authority(
    idp: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(KeySetUnavailable, match="SSLCertVerificationError"):
        fetched(f"{idp.url}/.well-known/jwks.json")


def test_a_fetch_has_a_limit_on_its_size_and_time(
    idp: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    idp.body = b" " * (authentication_jwks.MAX_BYTES + 1)
    with pytest.raises(KeySetUnavailable, match="larger"):
        fetched(f"{idp.url}/.well-known/jwks.json")
    monkeypatch.setattr(authentication_jwks, "FETCH_SECONDS", 0.5)
    idp.silent = True
    with pytest.raises(KeySetUnavailable, match="no response"):
        fetched(f"{idp.url}/.well-known/jwks.json")


def test_an_issuer_without_an_audience_is_not_trusted(
    tenant: Tenant, idp: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_AUDIENCE", "")
    token = RSA.sign(idp.claims(tenant.organization_id, utc_now(), aud=""))
    assert fresh_authenticator().context(f"Bearer {token}", utc_now()) == NOBODY
    assert idp.asked == 0


def unchecked(key: SigningKey, payload: dict[str, Any] | bytes) -> str:
    """A token with a valid signature over any payload: PyJWT refuses to sign some."""
    import jwt

    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jwt.PyJWS().encode(raw, key.private, key.algorithm, {"kid": key.key_id})


def signed_hs256(secret: bytes, claims: dict[str, Any], kid: str) -> str:
    """HS256 by hand: PyJWT refuses a public key as a secret."""
    import base64

    text = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{part(claims)}"
    digest = hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def test_tokens_of_identity_providers_are_read_as_they_come(
    tenant: Tenant,
) -> None:
    """The claims of access tokens, as their documentation has them."""
    now = utc_now()
    claims = {
        "iss": "https://idp.example/",
        "sub": "u",
        "iat": now.timestamp(),
        "exp": now.timestamp() + 600,
        "organization_id": tenant.organization_id,
    }
    read = {Permission.READ}

    def permissions(more: dict[str, Any], *names: str) -> set[Permission] | None:
        trusted = TrustedIssuer("https://idp.example/", "app", "organization_id", *names)
        holder = holder_of(claims | more, trusted, now)
        return set(holder.principal.permissions) if holder else None

    # Cognito: no aud; scopes begin with the identifier of the resource server
    cognito = {"client_id": "app", "token_use": "access"}
    scope = {"scope": "patchbay/platform.integration.read openid"}
    assert permissions(cognito | scope, "scope") == read
    prefixed = {"scope": "https://api.acme.example/platform.integration.read"}
    assert permissions(cognito | prefixed, "scope", "https://api.acme.example/") == read
    assert permissions(cognito | prefixed, "scope") == set()
    assert permissions(cognito | {"cognito:groups": [*read]}, "cognito:groups") == read
    # An aud, if there is one, is what counts
    assert permissions(cognito | scope | {"aud": "other"}, "scope") is None
    assert permissions({"client_id": "other"} | scope, "scope") is None
    # Keycloak: roles of the realm, and of a client whose id has a dot
    realm = {"aud": "app", "realm_access": {"roles": ["platform.integration.read", "admin"]}}
    assert permissions(realm, "realm_access.roles") == read
    client = {"aud": ["app"], "resource_access": {"my.app": {"roles": [*read]}}}
    assert permissions(client, "/resource_access/my.app/roles") == read
    assert permissions(client, "resource_access.roles") == set()
    # Auth0: permissions of the API; a claim of its own is a URL
    assert permissions({"aud": ["app", "x"], "permissions": [*read]}, "permissions") == read
    assert (
        permissions({"aud": "app", "https://a.example/p": [*read]}, "https://a.example/p") == read
    )
    # Entra ID: roles of an application, scopes of a user
    for entra in ({"roles": [*read]}, {"scp": "platform.integration.read User.Read"}):
        assert permissions({"aud": "app", **entra}, "roles,scp") == read
    # None of them makes an operator
    admin = {"aud": "app", "scope": "patchbay/platform.admin"}
    assert permissions(admin, "scope") == set()


def test_a_key_is_for_one_algorithm(tenant: Tenant, idp: Issuer) -> None:
    # An RSA key whose entry says nothing is for RS256, one on a curve for that of its curve
    entries = [{k: v for k, v in key.public().items() if k != "alg"} for key in (RSA, *OTHERS)]
    found = {
        name.key_id: name.algorithm for name in keys_of(json.dumps({"keys": entries}).encode())
    }
    assert found == {
        "rsa-1": "RS256",
        "rsa-2": "RS256",
        "rsa-3": "RS256",
        "ec-2": "ES384",
        "ec-3": "ES512",
        "ed-1": "EdDSA",
    }
    # An entry that says another is for none
    for key, wrong in ((EC, "ES384"), (OTHERS[-1], "ES256"), (RSA, "HS256"), (RSA, ["RS256"])):
        entry = key.public() | {"alg": wrong}
        assert keys_of(json.dumps({"keys": [entry]}).encode()) == {}
