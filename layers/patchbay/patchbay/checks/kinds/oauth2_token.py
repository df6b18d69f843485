"""The kind `oauth2_token`: the provider issues an access token for what is stored.

```json
{"name": "token", "kind": "oauth2_token", "grant": "client_credentials",
 "tokenUrl": "https://{{variables.domain}}.example.com/oauth/token",
 "clientAuth": "basic", "scopes": ["invoices:read"], "audience": "https://api.example.com"}
```

- `grant` is `client_credentials` or `refresh_token`.
- `tokenUrl` (https) is that of `authConfig` unless the step has its own.
- `clientAuth` is how `client_id` and `client_secret` are sent: `basic` (the default), in the
  `body`, or `none` for a client without a secret.
- `scopes` are what a client_credentials grant asks for (default: those of `authConfig`); a
  refresh_token grant asks for what the token has. `audience` is sent when it is there.

Of a mandatory gate the steps after it use the new access token as `{{secrets.access_token}}`, so
that an endpoint needs no stored one. It ends with the test: it is never stored nor shown. Nor is a
new refresh token: a provider that replaces it with every use can't be tested by a refresh, and the
step warns of that.

Passing proves access: the credentials were taken.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args
from urllib.parse import quote_plus

from patchbay.checks.credentials import Credential, basic_value
from patchbay.checks.probe import Compiled, Outcome
from patchbay.checks.problems import ManifestProblems
from patchbay.checks.templates import (
    Declared,
    Parts,
    Placeholder,
    TemplateError,
    UrlTemplate,
    ValueRefused,
    Values,
    placeholders_of,
    split_template,
)
from patchbay.egress.timings import DialTimings
from patchbay.egress.url import HttpUrl, parse_url
from patchbay.platform.errors import Problem

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard

type Grant = Literal["client_credentials", "refresh_token"]
type ClientAuth = Literal["basic", "body", "none"]

GRANTS: Final[tuple[Grant, ...]] = get_args(Grant.__value__)
CLIENT_AUTHS: Final[tuple[ClientAuth, ...]] = get_args(ClientAuth.__value__)
CLIENT_ID: Final = Placeholder("secrets", "client_id")
CLIENT_SECRET: Final = Placeholder("secrets", "client_secret")
REFRESH_TOKEN: Final = Placeholder("secrets", "refresh_token")


@dataclass(frozen=True, slots=True)
class TokenProbe:
    """A request for a token, ready to be made. `parameters` are those of its body."""

    target: HttpUrl = field(repr=False)
    grant: Grant
    scopes: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    parameters: Mapping[str, str] = field(repr=False)
    client_pointer: str

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        # Publishing and compiling need this module too, without an event loop, h11 or oauthlib.
        from patchbay.checks.token_probe import run_token

        return await run_token(self, guard, deadline=deadline, timings=timings)


@dataclass(frozen=True, slots=True)
class TokenTemplate:
    grant: Grant
    url: UrlTemplate
    client_auth: ClientAuth
    scopes: tuple[str, ...]
    audience: Parts

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.url.placeholders()
        yield from placeholders_of(self.audience)
        yield from self._secrets()

    def destination(self, values: Values) -> str:
        scheme, host, port = self.url.origin(values)
        return f"{scheme}://{host}:{port} token"

    def compile(self, values: Values) -> Compiled:
        sent = {secret.name: values.text(secret) for secret in self._secrets()}
        for secret in self._secrets():
            if not sent[secret.name].isprintable():
                raise ValueRefused(secret.pointer, "has characters that can't be sent")
        headers: tuple[tuple[str, str], ...] = ()
        made: tuple[str, ...] = ()
        if self.client_auth == "basic":
            authorization = _basic(sent.pop("client_id"), sent.pop("client_secret"))
            headers = (("Authorization", authorization),)
            made = (authorization.removeprefix("Basic "),)
        if self.audience:
            sent["audience"] = "".join(
                part if isinstance(part, str) else values.text(part) for part in self.audience
            )
        client = CLIENT_ID if self.client_auth == "none" else CLIENT_SECRET
        return Compiled(
            probe=TokenProbe(
                parse_url(self.url.fill(values)),
                self.grant,
                self.scopes,
                headers,
                sent,
                client.pointer,
            ),
            proves_access=True,
            host_pointer=self.url.host.pointer,
            credential_pointer=(REFRESH_TOKEN if self.grant == "refresh_token" else client).pointer,
            secret_values=made,
        )

    def _secrets(self) -> Iterator[Placeholder]:
        return _secrets(self.grant, self.client_auth)


class OAuth2TokenKind:
    """Reads oauth2_token steps."""

    keys = frozenset({"grant", "tokenUrl", "clientAuth", "scopes", "audience"})
    provides = frozenset({"access_token"})

    def read(
        self,
        step: Mapping[str, object],
        pointer: str,
        declared: Declared,
        credential: Credential | None,  # noqa: ARG002 - it is what this kind obtains
    ) -> TokenTemplate:
        problems = []
        grant = next((known for known in GRANTS if known == step.get("grant")), None)
        if grant is None:
            problems.append(Problem(f"{pointer}/grant", f"must be one of {', '.join(GRANTS)}"))
        given = step.get("clientAuth", "basic")
        client_auth = next((known for known in CLIENT_AUTHS if known == given), None)
        if client_auth is None:
            message = f"must be one of {', '.join(CLIENT_AUTHS)}"
            problems.append(Problem(f"{pointer}/clientAuth", message))
        if (grant, client_auth) == ("client_credentials", "none"):
            message = "can't be none: this grant is the client's own"
            problems.append(Problem(f"{pointer}/clientAuth", message))
        scopes = step.get("scopes", list(declared.scopes) if grant == "client_credentials" else [])
        if not isinstance(scopes, list) or not all(map(_is_scope, scopes)):
            problems.append(Problem(f"{pointer}/scopes", "must be a list of scopes"))
        elif scopes and grant == "refresh_token":
            problems.append(Problem(f"{pointer}/scopes", "are those of the refresh token"))
        url: UrlTemplate | None = None
        audience: Parts = ()
        try:
            url = _url(step.get("tokenUrl", declared.token_url), declared)
        except TemplateError as error:
            problems.append(Problem(f"{pointer}/tokenUrl", str(error)))
        try:
            audience = _audience(step.get("audience"), declared)
        except TemplateError as error:
            problems.append(Problem(f"{pointer}/audience", str(error)))
        if grant and client_auth:
            missing = {s.name for s in _secrets(grant, client_auth)} - declared.secrets
            problems += [
                Problem(
                    f"{pointer}/grant",
                    f'needs the secret "{name}", which authConfig of type oauth2 declares',
                )
                for name in sorted(missing)
            ]
        if problems or grant is None or client_auth is None or url is None:
            raise ManifestProblems(problems)
        return TokenTemplate(grant, url, client_auth, tuple(scopes), audience)  # type: ignore[arg-type]  # a list of texts, judged above


def _secrets(grant: Grant, client_auth: ClientAuth) -> Iterator[Placeholder]:
    """What is sent, the one that the grant is about last."""
    yield CLIENT_ID
    if client_auth != "none":
        yield CLIENT_SECRET
    if grant == "refresh_token":
        yield REFRESH_TOKEN


def _url(text: object, declared: Declared) -> UrlTemplate:
    if not isinstance(text, str):
        raise TemplateError("must be a text, here or in authConfig")
    template = UrlTemplate.parse(text, declared)
    if template.scheme != "https":
        raise TemplateError("must be an https URL")
    return template


def _audience(text: object, declared: Declared) -> Parts:
    if text is None:
        return ()
    if not isinstance(text, str) or not text or not text.isprintable():
        raise TemplateError("must be a text")
    parts = split_template(text, declared)
    if any(placeholder.source == "secrets" for placeholder in placeholders_of(parts)):
        raise TemplateError("can't have a secret")
    return parts


def _is_scope(scope: object) -> bool:
    """Whether it is one scope (RFC 6749 §3.3): visible ASCII without quotes and backslashes."""
    return (
        isinstance(scope, str)
        and 0 < len(scope) <= 256
        and all("!" <= character <= "~" and character not in '"\\' for character in scope)
    )


def _basic(client_id: str, client_secret: str) -> str:
    # RFC 6749 §2.3.1: both are form-encoded first, so a colon in them moves no border.
    return basic_value(quote_plus(client_id), quote_plus(client_secret), pointer=CLIENT_ID.pointer)
