"""The kind `oauth2_token`: the provider issues an access token for the stored credentials.

```json
{"name": "token", "kind": "oauth2_token", "grant": "client_credentials",
 "tokenUrl": "https://{{variables.domain}}.example.com/oauth/token",
 "clientAuth": "basic", "scopes": ["invoices:read"], "audience": "https://api.example.com"}
```

- `grant` is `client_credentials`, `refresh_token`, `password`, or an extension's (RFC 6749 §4.5),
  such as Zoom's `account_credentials`. What a grant needs beside the client is in `tokenParams`.
- `tokenUrl` (https) is that of `authConfig` unless the step has its own.
- `scopes` are those that are asked for (default: those of `authConfig`); a refresh_token grant asks
  for those that the token has. `audience` is sent if it is set.
- How the request is made, and where its answer has the token, is said by the members that
  `token_requests` lists, here or in `authConfig`.

If the step is a mandatory gate, the steps after it use the new access token as
`{{secrets.access_token}}`, so an endpoint needs no stored one. The token ends with the test: it is
never stored or shown. A refresh token is different, since the provider may replace it with every
use. Where a grant keeps the tokens of the endpoint, the step sends nothing and reports when the
grant refreshed them (`kept_tokens`). In a dry run nothing is kept, and the step warns of that.

Passing proves access: the provider accepted the credentials.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from patchbay.checks.auth_config import TOKEN_KEYS, is_grant, needs_a_person
from patchbay.checks.kept_tokens import KeptToken
from patchbay.checks.oauth_scopes import is_scope
from patchbay.checks.probe import Compiled, Kind, Notice, Outcome
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Declarations,
    Parts,
    Placeholder,
    TemplateError,
    Values,
    split_template,
    without_secrets,
)
from patchbay.checks.token_calls import IssuedTokens, TokenCall, token_call
from patchbay.checks.token_requests import (
    REFRESH_TOKEN,
    TokenRequest,
    read_settings,
    report_clashes,
)
from patchbay.checks.url_members import read_url
from patchbay.egress.timings import DialTimings
from patchbay.platform.clock import to_second
from patchbay.platform.sentences import Sentence

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard


@dataclass(frozen=True, slots=True)
class TokenProbe:
    """A call for a token. `refresh_token` is the one that is sent, if any."""

    call: TokenCall
    refresh_token: str | None = field(default=None, repr=False)

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        issued = await self.call.run(guard, deadline=deadline, timings=timings)
        obtained = {"access_token": issued.access_token, "refresh_token": issued.refresh_token}
        return Outcome(
            summary="The provider issued an access token.",
            notice=self._notice(issued),
            obtained={name: secret for name, secret in obtained.items() if secret},
        )

    def _notice(self, issued: IssuedTokens) -> Notice | None:
        missing = issued.missing(self.call.scopes)
        if missing:
            return Notice(
                summary=f"It does not have the scope {', '.join(missing)}.",
                title="The token has fewer scopes than requested",
                remediation="Give the client the missing scopes at the provider.",
                code="scope_missing",
                field_pointer=self.call.subjects.client_secret,
            )
        new = issued.refresh_token
        if self.refresh_token and new and new != self.refresh_token:
            return Notice(
                summary="It also issued a new refresh token, which a test does not keep.",
                title="The provider replaces refresh tokens",
                remediation="If the stored one no longer works, connect the account again. The "
                "integration should not test this provider by a refresh.",
            )
        return None


@dataclass(frozen=True, slots=True)
class _KeptTokenProbe:
    token: KeptToken

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        del guard, deadline, timings  # nothing is dialed
        summary = "The provider issued an access token."
        if not self.token.here:
            at = to_second(self.token.refreshed_at)
            summary = Sentence("The provider issued an access token at {}.", at)
        return Outcome(
            summary=summary,
            obtained={"access_token": self.token.access_token},
        )


@dataclass(frozen=True, slots=True)
class TokenTemplate:
    request: TokenRequest

    def placeholders(self) -> Iterator[Placeholder]:
        return self.request.placeholders()

    def destination_placeholders(self) -> Iterator[Placeholder]:
        return self.request.url.start.placeholders()

    def request_placeholders(self) -> Iterator[Placeholder]:
        return self.request.request_placeholders()

    def place(self, values: Values) -> str:
        scheme, host, port = self.request.url.origin(values)
        return f"{scheme}://{host}:{port}"

    def destination(self, values: Values) -> str:
        scheme, host, port = self.request.url.origin(values)
        return f"{scheme}://{host}:{port} token"

    @property
    def is_refresh(self) -> bool:
        """Whether it sends a refresh token, which the provider may replace."""
        return self.request.grant == "refresh_token"

    def compile(self, values: Values) -> Compiled:
        if values.kept and self.is_refresh:
            pointer = REFRESH_TOKEN.pointer
            return Compiled(_KeptTokenProbe(values.kept), True, credential_pointer=pointer)
        call = token_call(self.request, values)
        return Compiled(
            probe=TokenProbe(call, values.text(REFRESH_TOKEN) if self.is_refresh else None),
            proves_access=True,
            host_pointer=self.request.url.host_pointer,
            credential_pointer=call.subjects.grant,
            secret_values=call.secret_values,
        )


def read(reader: StepReader) -> TokenTemplate:
    """Raises ManifestProblems."""
    step, declared = reader.step, reader.declared
    grant = step.get("grant")
    if not is_grant(grant) or needs_a_person(grant):
        reader.report(
            "/grant",
            "must be a grant type that needs no one at a browser, such as client_credentials",
        )
        grant = "client_credentials"
    settings = read_settings(reader)
    is_refresh = grant == "refresh_token"
    scopes = step.get("scopes", [] if is_refresh else list(declared.scopes))
    if not isinstance(scopes, list) or not all(map(is_scope, scopes)):
        reader.report("/scopes", "must be a list of scopes")
        scopes = []
    elif scopes and is_refresh:
        reader.report("/scopes", "can't be set for refresh_token: the token has its own")
    default_url = (
        declared.refresh_url if is_refresh and declared.refresh_url else declared.token_url
    )
    given = step.get("tokenUrl", default_url)
    url = reader.attempt("/tokenUrl", lambda: read_url(given, declared))
    audience = reader.attempt("/audience", lambda: _read_audience(step.get("audience"), declared))
    if grant == "client_credentials" and settings.client_auth == "none":
        reader.report("/clientAuth", "can't be none for client_credentials")
    if grant == "password" and not {"username", "password"} <= settings.parameters.keys():
        reader.report("/tokenParams", "must have username and password for the grant password")
    if reader.problems or not url or audience is None:
        raise reader.refused()
    request = TokenRequest(str(grant), url, settings, tuple(map(str, scopes)), audience)
    for name in sorted({secret.name for secret in request.secrets()} - declared.secrets):
        message = f'needs the secret "{name}", which authConfig of type oauth2 declares'
        reader.report("/grant", message)
    report_clashes(reader, request)
    if not request.secrets():
        reader.report("/tokenParams", "must have a secret: the request sends none")
    if reader.problems:
        raise reader.refused()
    return TokenTemplate(request)


def _read_audience(text: object, declared: Declarations) -> Parts:
    if text is None:
        return ()
    if not isinstance(text, str) or not text or not text.isprintable():
        raise TemplateError("must be a string of printable characters")
    return without_secrets(split_template(text, declared), "may not have a secret")


KIND: Final = Kind(
    read,
    keys=frozenset({"grant", "tokenUrl", "scopes", "audience"}) | TOKEN_KEYS,
    provides=lambda _: frozenset({"access_token"}),
)
