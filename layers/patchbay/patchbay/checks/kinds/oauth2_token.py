"""The kind `oauth2_token`: the provider issues an access token for the stored credentials.

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
  refresh_token grant asks for those that the token has. `audience` is sent if it is set.

If the step is a mandatory gate, the steps after it use the new access token as
`{{secrets.access_token}}`, so an endpoint needs no stored one. The token ends with the test: it is
never stored or shown. Neither is a new refresh token: a provider that replaces it with every use
can't be tested by a refresh, and the step warns of that.

Passing proves access: the provider accepted the credentials.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args
from urllib.parse import quote_plus

from patchbay.checks.codes import Code
from patchbay.checks.credentials import basic_value
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
    ValueRefused,
    Values,
    placeholders_of,
    plain,
    split_template,
    without_secrets,
)
from patchbay.egress.headers import value_problem
from patchbay.egress.request import HttpRequest
from patchbay.egress.timings import DialTimings
from patchbay.egress.url import HttpUrl, parse_url
from patchbay.platform.clock import utc_now

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.http_exchange import HttpBody, HttpResponse

type Grant = Literal["client_credentials", "refresh_token"]
type ClientAuth = Literal["basic", "body", "none"]

GRANTS: Final[tuple[Grant, ...]] = get_args(Grant.__value__)
CLIENT_AUTHS: Final[tuple[ClientAuth, ...]] = get_args(ClientAuth.__value__)
CLIENT_ID: Final = Placeholder("secrets", "client_id")
CLIENT_SECRET: Final = Placeholder("secrets", "client_secret")
REFRESH_TOKEN: Final = Placeholder("secrets", "refresh_token")

# RFC 6749 §5.2, and errors of other specifications: what each means for our grants.
_ERRORS: Final[dict[str, tuple[Code, str]]] = {
    "invalid_client": ("auth_invalid", "does not know the client or its secret"),
    "unauthorized_client": ("permission_denied", "does not let this client use this grant"),
    "access_denied": ("permission_denied", "denied the token"),
    "invalid_scope": ("scope_missing", "does not grant the requested scopes"),
    "server_error": ("provider_error", "has a fault"),
    "temporarily_unavailable": ("provider_error", "is not available"),
}
_TEXTS: Final = ("access_token", "refresh_token", "token_type", "scope", "error")
_MAX_TEXT: Final = 8192


@dataclass(frozen=True, slots=True)
class TokenProbe:
    """A request for a token, ready to be made. `parameters` are those of its body."""

    target: HttpUrl = field(repr=False)
    grant: Grant
    scopes: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    parameters: Mapping[str, str] = field(repr=False)
    client_pointer: str
    context: RequestContext = field(default_factory=RequestContext)

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        # Publishing and compiling need this module too, without an event loop, h11, or oauthlib.
        from oauthlib.oauth2.rfc6749.errors import MissingTokenError, OAuth2Error
        from oauthlib.oauth2.rfc6749.parameters import parse_token_response

        from patchbay.egress.http_exchange import exchange

        # A redirect is an answer like others: credentials go to the token URL only.
        request = self._request()
        async with exchange(guard, request, deadline=deadline, timings=timings) as response:
            body = await response.body(deadline=deadline)
        answer = _answer(body)
        if "error" not in answer and not 200 <= response.status < 300:
            raise self._refused(response, body)
        if body.problem and not answer:
            raise CheckFailure.after_dial(body.problem)
        try:
            # Only the name of the error: a description would end up in the text of the exception.
            token = parse_token_response(json.dumps(answer))
        except MissingTokenError as error:
            raise CheckFailure(
                "unexpected_response", "The provider's answer has no access token."
            ) from error
        except OAuth2Error as error:
            raise self._named(response, body, answer["error"]) from error
        access_token = str(token["access_token"])
        if value_problem(access_token):
            raise CheckFailure(
                "unexpected_response", "The access token has characters that can't be sent."
            )
        obtained = {
            name: answer[name] for name in ("access_token", "refresh_token") if answer.get(name)
        }
        return Outcome(
            summary="The provider issued an access token.",
            notice=self._notice(answer),
            obtained=obtained,
        )

    def _request(self) -> HttpRequest:
        from oauthlib.oauth2.rfc6749.parameters import prepare_token_request

        parameters = dict(self.parameters)
        body = prepare_token_request(
            self.grant,
            include_client_id="client_id" in parameters,
            scope=list(self.scopes) or None,
            **parameters,
        )
        headers = (
            ("Accept", "application/json"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            *self.headers,
        )
        return HttpRequest("POST", self.target, headers, credentialed=True, body=body.encode())

    def _named(self, response: "HttpResponse", body: "HttpBody", error: str) -> CheckFailure:
        """The failure that an OAuth error means."""
        if error == "invalid_grant" and self.grant == "refresh_token":
            from patchbay.checks.refusals import said_of_grant

            code = said_of_grant(body.text())
            what = "was revoked" if code == "auth_revoked" else "is no longer valid"
            return CheckFailure(
                code,
                f"The provider says that the refresh token {what}.",
                field_pointer=REFRESH_TOKEN.pointer,
            )
        if error == "invalid_grant":
            error = "invalid_client"
        if error not in _ERRORS:
            return self._refused(response, body)
        code, meaning = _ERRORS[error]
        pointer = self.client_pointer if code in ("auth_invalid", "permission_denied") else None
        return CheckFailure(code, f"The provider {meaning}.", field_pointer=pointer)

    def _refused(self, response: "HttpResponse", body: "HttpBody") -> CheckFailure:
        """The failure that a status means, where no known OAuth error is given."""
        from patchbay.checks.refusals import Answer, refusal

        answer = Answer(response.status, response.headers, body.text())
        refused = refusal(answer, self.context, utc_now())
        is_of_client = refused.code == "auth_invalid"
        return CheckFailure(
            refused.code,
            refused.summary,
            retry_after_seconds=refused.retry_after_seconds,
            field_pointer=self.client_pointer if is_of_client else refused.field_pointer,
        )

    def _notice(self, answer: dict[str, str]) -> Notice | None:
        granted = re.split(r"[\s,]+", answer.get("scope", ""))
        missing = [scope for scope in self.scopes if scope not in granted]
        if "scope" in answer and missing:
            return Notice(
                summary=f"It does not have the scope {', '.join(missing)}.",
                title="The token has fewer scopes than requested",
                remediation="Give the client the missing scopes at the provider.",
                code="scope_missing",
                field_pointer=self.client_pointer,
            )
        new = answer.get("refresh_token")
        if self.grant == "refresh_token" and new and new != self.parameters["refresh_token"]:
            return Notice(
                summary="It also issued a new refresh token, which a test does not keep.",
                title="The provider replaces refresh tokens",
                remediation="If the stored one no longer works, connect the account again. The "
                "integration should not test this provider by a refresh.",
            )
        return None


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
            sent["audience"] = plain(self.audience, values)
        client = CLIENT_ID if self.client_auth == "none" else CLIENT_SECRET
        target = parse_url(self.url.fill(values))
        if target.scheme != "https":
            raise ValueRefused(self.url.host_pointer or "/variables", "must be an https URL")
        return Compiled(
            probe=TokenProbe(
                target,
                self.grant,
                self.scopes,
                headers,
                sent,
                client.pointer,
                RequestContext(
                    self.scopes,
                    path=self.url.path_pointer,
                    query=self.url.query_pointer,
                    host=self.url.host_pointer,
                ),
            ),
            proves_access=True,
            host_pointer=self.url.host_pointer,
            credential_pointer=(REFRESH_TOKEN if self.grant == "refresh_token" else client).pointer,
            secret_values=made,
        )

    def _secrets(self) -> Iterator[Placeholder]:
        return _secrets(self.grant, self.client_auth)


def read(reader: StepReader) -> TokenTemplate:
    """Raises ManifestProblems."""
    step, declared = reader.step, reader.declared
    grant = reader.choice("grant", GRANTS)
    client_auth = reader.choice("clientAuth", CLIENT_AUTHS, default="basic")
    if (grant, client_auth) == ("client_credentials", "none"):
        reader.report("/clientAuth", "can't be none for client_credentials")
    scopes = step.get("scopes", list(declared.scopes) if grant == "client_credentials" else [])
    if not isinstance(scopes, list) or not all(map(_is_scope, scopes)):
        reader.report("/scopes", "must be a list of scopes")
    elif scopes and grant == "refresh_token":
        reader.report("/scopes", "can't be set for refresh_token: the token has its own")
    given = step.get("tokenUrl", declared.token_url)
    url = reader.attempt("/tokenUrl", lambda: _read_url(given, declared))
    audience = reader.attempt("/audience", lambda: _read_audience(step.get("audience"), declared))
    if grant and client_auth:
        missing = {s.name for s in _secrets(grant, client_auth)} - declared.secrets
        for name in sorted(missing):
            message = f'needs the secret "{name}", which authConfig of type oauth2 declares'
            reader.report("/grant", message)
    if reader.problems or not grant or not client_auth or not url or audience is None:
        raise reader.refused()
    return TokenTemplate(grant, url, client_auth, tuple(scopes), audience)  # type: ignore[arg-type]  # a list of strings, judged above


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


def _secrets(grant: Grant, client_auth: ClientAuth) -> Iterator[Placeholder]:
    """The secrets that are sent; the last is the one that the grant is about."""
    yield CLIENT_ID
    if client_auth != "none":
        yield CLIENT_SECRET
    if grant == "refresh_token":
        yield REFRESH_TOKEN


def _is_scope(scope: object) -> bool:
    """Whether it is one scope (RFC 6749 §3.3): visible ASCII without quotes and backslashes."""
    return (
        isinstance(scope, str)
        and 0 < len(scope) <= 256
        and all("!" <= character <= "~" and character not in '"\\' for character in scope)
    )


def _basic(client_id: str, client_secret: str) -> str:
    # RFC 6749 §2.3.1: both are form-encoded first, so a colon in them does not move the border.
    return basic_value(quote_plus(client_id), quote_plus(client_secret), pointer=CLIENT_ID.pointer)


def _answer(body: "HttpBody") -> dict[str, str]:
    """The known fields of an answer that are texts of a sane length; none of what is no JSON."""
    try:
        document = body.json()
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {
        name: value
        for name in _TEXTS
        if isinstance(value := document.get(name), str) and 0 < len(value) <= _MAX_TEXT
    }


KIND: Final = Kind(
    read,
    keys=frozenset({"grant", "tokenUrl", "clientAuth", "scopes", "audience"}),
    provides=lambda _: frozenset({"access_token"}),
)
