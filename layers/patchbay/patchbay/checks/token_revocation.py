"""Takes a token back at its provider: as RFC 7009 has it, or in the provider's own form.

```json
{"revocationUrl": "https://api.github.com/applications/{{secrets.client_id}}/grant",
 "revocation": {"method": "DELETE", "params": {"access_token": "{{secrets.access_token}}"},
                "bodyFormat": "json", "auth": "basic"}}
```

Without `revocation` it is a POST of `token` and `token_type_hint` as a form, with the client's
credentials as `clientAuth` says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

from patchbay.checks.credentials import Credential
from patchbay.checks.failures import CheckFailure
from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.request_bodies import BodyTemplate, Template, Tree, read_fields
from patchbay.checks.request_context import RequestContext
from patchbay.checks.request_fields import RequestField, filled, read_headers
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Placeholder, UrlTemplate, ValueRefused, Values
from patchbay.checks.token_requests import (
    MAX_PARAMETERS,
    TokenSettings,
    client_credentials,
    with_query,
)
from patchbay.checks.url_members import read_url
from patchbay.egress.failures import DialFailure
from patchbay.egress.request import HttpRequest
from patchbay.platform.clock import utc_now

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard

type TokenHint = Literal["access_token", "refresh_token"]
type RevocationMethod = Literal["POST", "GET", "DELETE"]
type RevocationFormat = Literal["form", "json", "query"]
type RevocationAuth = Literal["client", "basic", "basic_plain", "body", "token", "none"]

METHODS: Final[tuple[RevocationMethod, ...]] = get_args(RevocationMethod.__value__)
FORMATS: Final[tuple[RevocationFormat, ...]] = get_args(RevocationFormat.__value__)
AUTHS: Final[tuple[RevocationAuth, ...]] = get_args(RevocationAuth.__value__)
TOKENS: Final = frozenset({"access_token", "refresh_token"})
_KEYS: Final = frozenset({"method", "bodyFormat", "auth", "params", "headers"})
_GONE: Final = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class RevocationCall:
    request: HttpRequest
    secret_values: tuple[str, ...] = field(repr=False)
    context: RequestContext

    async def run(self, guard: "EgressGuard", *, deadline: float) -> None:
        """Revokes the token. Raises CheckFailure if the provider did not say that it is gone.

        A token that the provider does not know is as good as revoked: RFC 7009 §2.2 answers 200,
        others 404.
        """
        from patchbay.checks.refusals import Answer, refusal, refusal_within
        from patchbay.egress.http_exchange import exchange

        try:
            async with exchange(guard, self.request, deadline=deadline) as response:
                body = await response.words(deadline=deadline)
        except DialFailure as failure:
            raise CheckFailure.of(failure) from failure
        if response.status in _GONE:
            return
        answer = Answer(response.status, response.headers, body.text())
        if 200 <= response.status < 300:
            # Slack refuses with a 200.
            refused = refusal_within(answer, self.context, utc_now())
            if refused:
                raise refused.failure()
            return
        raise refusal(answer, self.context, utc_now()).failure()


@dataclass(frozen=True, slots=True)
class RevocationRecipe:
    url: UrlTemplate
    settings: TokenSettings
    credential: Credential
    method: RevocationMethod
    body_format: RevocationFormat
    auth: RevocationAuth
    parameters: Mapping[str, Tree] | None
    headers: tuple[RequestField, ...]
    defaults: Mapping[str, object]

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.url.placeholders()
        for header in self.headers:
            yield from header.placeholders()
        yield from self._template({}).placeholders()

    def call(
        self,
        variables: Mapping[str, object],
        client: OAuthClient | None,
        *,
        token: str,
        hint: TokenHint,
        secrets: Mapping[str, str] | None = None,
    ) -> RevocationCall | None:
        """None if the provider's form has another token in it. Raises ValueRefused."""
        tokens = {p.name for p in self.placeholders() if p.source == "secrets"} & TOKENS
        if self.auth == "token":
            tokens.add(self.credential.secret_name)
        given = {**(secrets or {}), **(client.secrets() if client else {}), hint: token}
        values = Values({**self.defaults, **variables}, given)
        if self.parameters is None:
            is_needed = tokens <= {hint}
        else:
            is_needed = hint in tokens and tokens <= given.keys()
        if not is_needed:
            return None
        target = self.url.target(values)
        if target.scheme != "https":
            raise ValueRefused(self.url.host_pointer or "/variables", "must be an https URL")
        own: dict[str, str] = {"token": token, "token_type_hint": hint}
        headers = [("Accept", "application/json"), *filled(self.headers, values, "header")]
        made: tuple[str, ...] = ()
        sent: dict[str, str] = {} if self.parameters is not None else own
        if self.auth == "token":
            headers += self.credential.headers(values)
        elif self.auth != "none":
            more, in_body, made = client_credentials(self.settings, values, target.url)
            headers += more
            sent |= in_body
        template = self._template(sent)
        body = template.fill(values)
        if self._is_query:
            target = with_query(target, body.decode(), self.url.placeholders()) if body else target
            body = b""
        elif body:
            headers.append(("Content-Type", template.content_type))
        return RevocationCall(
            HttpRequest(self.method, target, tuple(headers), credentialed=True, body=body),
            made,
            RequestContext((), path=self.url.path_pointer, host=self.url.host_pointer),
        )

    @property
    def _is_query(self) -> bool:
        is_form = self.body_format == "form"
        return self.body_format == "query" or (is_form and self.method != "POST")

    def _template(self, own: Mapping[str, str]) -> BodyTemplate:
        is_json = self.body_format == "json"
        content: dict[str, Tree] = {name: Template((text,)) for name, text in own.items()}
        return BodyTemplate(
            "json" if is_json else "form",
            {**content, **(self.parameters or {})},
            "application/json" if is_json else "application/x-www-form-urlencoded",
        )


def read_revocation(
    reader: StepReader, settings: TokenSettings, defaults: Mapping[str, object]
) -> RevocationRecipe | None:
    """`revocationUrl` and `revocation` of an `authConfig`. Problems are reported."""
    before = len(reader.problems)
    given, credential = reader.step.get("revocationUrl"), reader.credential
    if given is None:
        if "revocation" in reader.step:
            reader.report("/revocation", "needs a revocationUrl")
        return None
    if credential is None:
        return None
    url = reader.attempt("/revocationUrl", lambda: read_url(given, reader.declared))
    members = reader.members("/revocation", reader.step.get("revocation", {}), _KEYS) or {}
    own = reader.within("/revocation", members)
    method = own.choice("method", METHODS, default="POST")
    body_format = own.choice("bodyFormat", FORMATS, default="form")
    auth = own.choice("auth", AUTHS, default="client")
    parameters = None
    if "params" in members:
        form: Literal["json", "form"] = "json" if body_format == "json" else "form"
        parameters = read_fields(own, "/params", members["params"], form)
        if len(parameters) > MAX_PARAMETERS:
            own.report("/params", f"has more than {MAX_PARAMETERS} parameters")
    if auth in ("basic", "basic_plain", "body"):
        settings = replace(settings, client_auth=auth)
    taken = {"accept", "content-type"}
    if auth == "token":
        taken.add(credential.header.lower())
    elif auth != "none" and settings.client_auth in ("basic", "basic_plain"):
        taken.add("authorization")
    headers = read_headers(own, "/headers", members.get("headers", {}), taken)
    reader.problems += own.problems
    if len(reader.problems) > before or not (url and method and body_format and auth):
        return None
    recipe = RevocationRecipe(
        url, settings, credential, method, body_format, auth, parameters, headers, defaults
    )
    if parameters is not None and auth != "token":
        named = {p.name for p in recipe.placeholders() if p.source == "secrets"}
        if not named & TOKENS:
            reader.report("/revocation/params", "must have the access token or the refresh token")
            return None
    return recipe
