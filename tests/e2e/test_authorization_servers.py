"""The code flow of a recipe with authorization servers over https: the local provider's, and one
that nobody here wrote. Without a local cloud."""

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from local import certificates
from local.paths import StateDir
from local.provider import Provider, provider
from patchbay.checks.failures import CheckFailure
from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.recipe import Recipe
from patchbay.checks.token_calls import IssuedTokens, TokenCall
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.tls import read_authorities
from tests.e2e import oidc_provider
from tests.e2e.browser import chromium
from tests.e2e.browsing import Browser
from tests.unit.local.consenting import jwk

pytestmark = pytest.mark.enable_socket

REDIRECT_URI: Final = "http://127.0.0.1:3000/oauth/callback"
METHODS: Final = {
    "basic": "client_secret_basic",
    "body": "client_secret_post",
    "none": "none",
    "private_key_jwt": "private_key_jwt",
}
"""What `authConfig.clientAuth` has, and the name of RFC 7591 for it."""
KEY: Final = rsa.generate_private_key(65537, 2048)
PEM: Final = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Ours:
    """The local provider's server."""

    def __init__(self, server: Provider, client: OAuthClient, method: str) -> None:
        self.client = client
        base = server.https_url
        self.issuer = base
        self.auth_config = {
            "authorizationUrl": f"{base}/oauth/authorize",
            "tokenUrl": f"{base}/oauth/token",
            "revocationUrl": f"{base}/oauth/revoke",
            "scopes": ["issues:read", "offline_access"],
            "clientAuth": method,
        }
        self.identity_path = "/me"

    def consent(self, browser: Browser, url: str) -> None:
        browser.open(url, until=REDIRECT_URI)
        browser.submit({"decision": "allow"}, until=REDIRECT_URI)


class Foreign:
    """The npm package's."""

    def __init__(self, issuer: str, client: OAuthClient, method: str) -> None:
        self.client = client
        self.issuer = issuer
        self.auth_config = {
            "authorizationUrl": f"{issuer}/auth",
            "tokenUrl": f"{issuer}/token",
            "revocationUrl": f"{issuer}/token/revocation",
            "scopes": ["openid", "offline_access"],
            # It grants offline access only if it may ask (OpenID Connect Core §11)
            "authorizationParams": {"prompt": "consent"},
            "clientAuth": method,
        }
        self.identity_path = "/me"

    def consent(self, browser: Browser, url: str) -> None:
        oidc_provider.consent(browser, url, REDIRECT_URI)


type Server = Ours | Foreign


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> StateDir:
    return StateDir(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def parameter(state: StateDir) -> str:
    """The template's `EgressAuthorities`."""
    return certificates.prepare(state, datetime.now(UTC))


@contextmanager
def ours(state: StateDir, method: str, _: Path) -> Iterator[Server]:
    with provider(certificate=state.server_certificate) as server:
        registered = server.oauth.register(REDIRECT_URI, METHODS[method], keys=(rsa_numbers(),))
        client = OAuthClient(registered.id, registered.secret, pem_for(method))
        yield Ours(server, client, method)


@contextmanager
def foreign(state: StateDir, method: str, folder: Path) -> Iterator[Server]:
    secret = None if method in ("none", "private_key_jwt") else "the secret: 100 %"
    metadata: dict[str, Any] = {
        "client_id": "client one",
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": METHODS[method],
    }
    if secret:
        metadata["client_secret"] = secret
    if method == "private_key_jwt":
        metadata |= {"jwks": {"keys": [jwk(KEY.public_key())]}}
    with oidc_provider.oidc_provider(folder, state.server_certificate, metadata) as issuer:
        yield Foreign(issuer, OAuthClient("client one", secret, pem_for(method)), method)


def pem_for(method: str) -> str | None:
    return PEM if method == "private_key_jwt" else None


def rsa_numbers() -> tuple[int, int]:
    numbers = KEY.public_key().public_numbers()
    return numbers.n, numbers.e


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("serving", [ours, foreign])
def test_an_account_is_connected_refreshed_and_disconnected(
    serving: Callable[..., Any], method: str, state: StateDir, parameter: str, tmp_path: Path
) -> None:
    with serving(state, method, tmp_path) as server:
        recipe = Recipe({}, {"type": "oauth2", **server.auth_config}, {})
        assert recipe.problems == ()
        port = urlsplit(server.issuer).port
        guard = EgressGuard(
            EgressPolicy.parse(f"127.0.0.1/32:{port}"),
            operator_authorities=read_authorities(parameter),
        )

        def called(call: TokenCall) -> IssuedTokens:
            async def run() -> IssuedTokens:
                return await call.run(guard, deadline=asyncio.get_running_loop().time() + 30)

            return asyncio.run(run())

        # Given a person who opens the authorization URL, and allows what is asked for
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        authorization = recipe.authorization
        assert authorization is not None
        url = authorization.url(
            {},
            server.client.client_id,
            redirect_uri=REDIRECT_URI,
            state="the state",
            code_challenge=base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        )
        browser = Browser(state.authority_certificate)
        server.consent(browser, url)
        query = dict(parse_qsl(urlsplit(browser.url).query))
        answer = authorization.callback(query)
        assert (query["state"], answer.iss) == ("the state", server.issuer)
        assert answer.code

        # When the code is exchanged, then there are tokens
        first = called(
            authorization.exchange(
                {},
                server.client,
                code=answer.code,
                redirect_uri=REDIRECT_URI,
                code_verifier=verifier,
            )
        )
        assert first.refresh_token
        assert first.expires_in_seconds == 3600
        assert first.missing(authorization.scopes) == []
        assert identity(state, server, first.access_token) == 200

        # When they are refreshed, then the refresh token is another
        renewal = recipe.renewal
        assert renewal is not None
        refreshed = {"refresh_token": first.refresh_token}
        second = called(renewal.refresh({}, server.client, secrets=refreshed))
        assert second.refresh_token not in (None, first.refresh_token)
        assert identity(state, server, second.access_token) == 200

        # When the new one is revoked, then nothing can be had with it
        assert second.refresh_token is not None
        revocation = recipe.revocation(
            {}, server.client, token=second.refresh_token, hint="refresh_token"
        )
        assert revocation is not None

        async def revoke() -> None:
            await revocation.run(guard, deadline=asyncio.get_running_loop().time() + 30)

        asyncio.run(revoke())
        with pytest.raises(CheckFailure) as gone:
            called(
                renewal.refresh({}, server.client, secrets={"refresh_token": second.refresh_token})
            )
        assert gone.value.is_grant_gone


def identity(state: StateDir, server: Server, access_token: str) -> int:
    """The status of a question for the account."""
    browser = Browser(state.authority_certificate)
    browser.open(server.issuer + server.identity_path, bearer=access_token)
    if browser.status == 200:
        assert json.loads(browser.page)
    return browser.status


def test_the_consent_page_works_in_a_real_browser(state: StateDir, parameter: str) -> None:
    # Given the authorization URL of a client, whose callback is a page of the provider itself
    with (
        provider(certificate=state.server_certificate) as server,
        chromium(state) as browser,
    ):
        page = browser.new_page()
        callback = f"{server.https_url}/200"
        client = server.oauth.register(callback)
        query = f"response_type=code&client_id={client.id}&redirect_uri={callback}&state=s"
        # When a scope is left out, and the rest allowed
        page.goto(f"{server.https_url}/oauth/authorize?{query}&scope=issues:read+issues:write")
        page.click('input[value="issues:write"]')
        page.click('button[value="allow"]')
        # Then the callback has a code for that
        page.wait_for_url(f"{callback}?*")
        arrived = dict(parse_qsl(urlsplit(page.url).query))
        assert (arrived["state"], arrived["iss"]) == ("s", server.https_url)
        assert [grant.scopes for grant in server.oauth.grants()] == [("issues:read",)]
