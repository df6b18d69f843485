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
never stored or shown. Neither is a new refresh token: a provider that replaces it with every use
can't be tested by a refresh, and the step warns of that.

Passing proves access: the provider accepted the credentials.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from patchbay.checks.auth_config import AUTHORIZATION_CODE, TOKEN_KEYS, is_grant
from patchbay.checks.failures import CheckFailure
from patchbay.checks.probe import Compiled, Kind, Notice, Outcome
from patchbay.checks.request_context import RequestContext
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Declarations,
    Parts,
    Placeholder,
    TemplateError,
    UrlTemplate,
    Values,
    pointer_of,
    split_template,
    without_secrets,
)
from patchbay.checks.token_requests import (
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    TokenRequest,
    read_settings,
    report_clashes,
)
from patchbay.checks.token_subjects import TokenPlaces, TokenSubjects
from patchbay.egress.headers import value_problem
from patchbay.egress.request import HttpRequest
from patchbay.egress.timings import DialTimings
from patchbay.platform.clock import utc_now

if TYPE_CHECKING:
    from patchbay.checks.token_answers import TokenAnswer
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.http_exchange import HttpBody

_AT_A_BROWSER: Final = frozenset(
    {
        AUTHORIZATION_CODE,
        "implicit",
        "device_code",
        "urn:ietf:params:oauth:grant-type:device_code",
    }
)


@dataclass(frozen=True, slots=True)
class TokenProbe:
    """A request for a token, ready to be made. `refresh_token` is the one that is sent, if any."""

    request: HttpRequest
    scopes: tuple[str, ...]
    places: TokenPlaces
    subjects: TokenSubjects
    refresh_token: str | None = field(default=None, repr=False)
    context: RequestContext = field(default_factory=RequestContext)

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        # Publishing and compiling need this module too, without an event loop.
        from patchbay.checks.refusals import Answer
        from patchbay.checks.token_answers import refused
        from patchbay.egress.http_exchange import exchange

        # A redirect is an answer like others: credentials go to the token URL only.
        async with exchange(guard, self.request, deadline=deadline, timings=timings) as response:
            is_success = 200 <= response.status < 300
            read = response.body if is_success else response.words
            body = await read(deadline=deadline)
        answer = self._read(body)
        token = answer.access_token if is_success else None
        if token is None:
            if body.problem and answer.document is None and is_success:
                raise CheckFailure.after_dial(body.problem)
            refusal = Answer(response.status, response.headers, body.text())
            raise refused(refusal, answer, self.subjects, self.context, utc_now())
        if value_problem(token):
            raise CheckFailure(
                "unexpected_response", "The access token has characters that can't be sent."
            )
        obtained = {"access_token": token, "refresh_token": answer.refresh_token}
        return Outcome(
            summary="The provider issued an access token.",
            notice=self._notice(answer),
            obtained={name: secret for name, secret in obtained.items() if secret},
        )

    def _read(self, body: "HttpBody") -> "TokenAnswer":
        from patchbay.checks.token_answers import read_answer

        try:
            document = body.json()
        except (ValueError, RecursionError):
            document = None
        return read_answer(body.text(), document, self.places)

    def _notice(self, answer: "TokenAnswer") -> Notice | None:
        missing = answer.missing(self.scopes)
        if missing:
            return Notice(
                summary=f"It does not have the scope {', '.join(missing)}.",
                title="The token has fewer scopes than requested",
                remediation="Give the client the missing scopes at the provider.",
                code="scope_missing",
                field_pointer=self.subjects.client_secret,
            )
        new = answer.refresh_token
        if self.refresh_token and new and new != self.refresh_token:
            return Notice(
                summary="It also issued a new refresh token, which a test does not keep.",
                title="The provider replaces refresh tokens",
                remediation="If the stored one no longer works, connect the account again. The "
                "integration should not test this provider by a refresh.",
            )
        return None


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

    def compile(self, values: Values) -> Compiled:
        filled, made = self.request.fill(values)
        url, grant = self.request.url, self._grant_secret()
        context = RequestContext(
            self.request.scopes,
            path=url.path_pointer,
            query=url.query_pointer,
            host=url.host_pointer,
        )
        is_refresh = self.request.grant == "refresh_token"
        return Compiled(
            probe=TokenProbe(
                filled,
                self.request.scopes,
                self.request.settings.places,
                TokenSubjects(
                    client_id=CLIENT_ID.pointer,
                    client_secret=self._client_secret().pointer,
                    grant=grant.pointer,
                    audience=pointer_of(self.request.audience),
                    is_refresh=is_refresh,
                ),
                values.text(REFRESH_TOKEN) if is_refresh else None,
                context,
            ),
            proves_access=True,
            host_pointer=url.host_pointer,
            credential_pointer=grant.pointer,
            secret_values=made,
        )

    def _client_secret(self) -> Placeholder:
        """The secret by which the client shows who it is."""
        secrets = self.request.secrets()
        if CLIENT_SECRET in secrets:
            return CLIENT_SECRET
        return CLIENT_ID if CLIENT_ID in secrets or not secrets else secrets[-1]

    def _grant_secret(self) -> Placeholder:
        """The secret that the grant is about: a refresh token, a password, or the client's own."""
        secrets = self.request.secrets()
        if REFRESH_TOKEN in secrets and self.request.grant == "refresh_token":
            return REFRESH_TOKEN
        if self.request.grant == "client_credentials" or not secrets:
            return self._client_secret()
        return secrets[-1] if secrets[-1] != CLIENT_ID else self._client_secret()


def read(reader: StepReader) -> TokenTemplate:
    """Raises ManifestProblems."""
    step, declared = reader.step, reader.declared
    grant = step.get("grant")
    if not is_grant(grant) or grant in _AT_A_BROWSER:
        reader.report(
            "/grant",
            "must be a grant type that needs no one at a browser, such as client_credentials",
        )
        grant = "client_credentials"
    settings = read_settings(reader)
    is_refresh = grant == "refresh_token"
    scopes = step.get("scopes", [] if is_refresh else list(declared.scopes))
    if not isinstance(scopes, list) or not all(map(_is_scope, scopes)):
        reader.report("/scopes", "must be a list of scopes")
        scopes = []
    elif scopes and is_refresh:
        reader.report("/scopes", "can't be set for refresh_token: the token has its own")
    given = step.get("tokenUrl", declared.token_url)
    url = reader.attempt("/tokenUrl", lambda: _read_url(given, declared))
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


def _read_url(text: object, declared: Declarations) -> UrlTemplate:
    if not isinstance(text, str):
        raise TemplateError("must be a string, here or in authConfig")
    template = UrlTemplate.parse(text, declared)
    if template.scheme not in ("https", None):
        raise TemplateError("must be an https URL")
    return template


def _read_audience(text: object, declared: Declarations) -> Parts:
    if text is None:
        return ()
    if not isinstance(text, str) or not text or not text.isprintable():
        raise TemplateError("must be a string of printable characters")
    return without_secrets(split_template(text, declared), "may not have a secret")


def _is_scope(scope: object) -> bool:
    """Whether it is one scope (RFC 6749 §3.3): visible ASCII without quotes and backslashes."""
    return (
        isinstance(scope, str)
        and 0 < len(scope) <= 256
        and all("!" <= character <= "~" and character not in '"\\' for character in scope)
    )


KIND: Final = Kind(
    read,
    keys=frozenset({"grant", "tokenUrl", "scopes", "audience"}) | TOKEN_KEYS,
    provides=lambda _: frozenset({"access_token"}),
)
