"""The authorization code grant (RFC 6749 §4.1, with PKCE as of RFC 7636), as `authConfig` says it.

Pure: `TokenCall` and `LookupCall` are what dials.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl, quote

from patchbay.checks.account_lookup import LookupCall, LookupRecipe
from patchbay.checks.captures import Capture, unlimited
from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.oauth_scopes import is_scope
from patchbay.checks.request_fields import RequestField, filled
from patchbay.checks.templates import (
    Parts,
    Placeholder,
    UrlTemplate,
    ValueRefused,
    Values,
    last_pointer,
    plain,
)
from patchbay.checks.token_calls import ExpirySettings, TokenCall, token_call
from patchbay.checks.token_requests import ParameterNames, TokenRequest

MAX_URL: Final = 8192
"""Characters of an authorization URL. It is a browser that opens it, and scopes are long; browsers
and servers take 8,000 (RFC 9110 §4.1)."""
MAX_PARAMETER: Final = 4096
"""Characters of one parameter of a callback; codes of Microsoft have about 1,500."""
MAX_QUERY: Final = 16 * 1024
MAX_QUERY_PARAMETERS: Final = 50


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What a provider sends back through the browser. `captured` are variables, by name. The texts
    are the provider's, or of anyone who sent the browser here: they are cleaned before they are
    shown."""

    code: str | None = field(default=None, repr=False)
    error: str | None = None
    error_description: str | None = None
    iss: str | None = None
    captured: Mapping[str, str] = field(default_factory=dict)


def callback_parameters(query: str) -> list[tuple[str, str]]:
    """The parameters of a callback's raw query string. Raises ValueRefused if it is too long."""
    try:
        if len(query) <= MAX_QUERY:
            return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_PARAMETERS)
    except ValueError:
        pass
    raise ValueRefused("/callback", "is too long")


@dataclass(frozen=True, slots=True)
class AuthorizationRecipe:
    """How an account is connected through a browser. Holds no values; tests and threads share it.

    `captured` are the variables that the flow fills in, so that nobody is asked for them.
    `hmac_parameter` is the parameter of the callback that signs the others (Shopify).
    `has_state_in_exchange`: the provider wants the `state` again, with the code.
    """

    authorization_url: UrlTemplate
    request: TokenRequest
    scopes: tuple[str, ...]
    uses_pkce: bool
    parameters: tuple[RequestField, ...]
    callback_captures: tuple[Capture, ...]
    token_captures: tuple[Capture, ...]
    lookup_recipe: LookupRecipe | None
    expiry: ExpirySettings
    hmac_parameter: str | None
    defaults: Mapping[str, object]
    has_response_type: bool
    issuer: Parts
    has_state_in_exchange: bool = False

    def expected_issuer(self, variables: Mapping[str, object]) -> str | None:
        """The `iss` that a callback must have, exactly so (RFC 9207 §2.4); None without `issuer`.
        Raises ValueRefused."""
        return plain(self.issuer, self._values(variables)) if self.issuer else None

    @property
    def captured(self) -> frozenset[str]:
        return frozenset(capture.variable for capture in self._captures)

    @property
    def open_captures(self) -> frozenset[str]:
        """The captured variables that no list of hosts limits."""
        return unlimited(self._captures)

    @property
    def _captures(self) -> tuple[Capture, ...]:
        looked_up = self.lookup_recipe.captures if self.lookup_recipe else ()
        return (*self.callback_captures, *self.token_captures, *looked_up)

    @property
    def _names(self) -> ParameterNames:
        return self.request.settings.names

    def placeholders(self) -> Iterator[Placeholder]:
        """Those of the authorization URL and its parameters."""
        yield from self.authorization_url.placeholders()
        for parameter in self.parameters:
            yield from parameter.required()

    def url(
        self,
        variables: Mapping[str, object],
        client_id: str,
        *,
        redirect_uri: str,
        state: str,
        code_challenge: str | None,
        scopes: Sequence[str] | None = None,
    ) -> str:
        """Where the browser goes. `code_challenge` (S256) is left out if the provider takes none.
        Raises ValueRefused with the pointer of the variable, or of the scope."""
        values = self._values(variables, {"client_id": client_id})
        separator = self.request.settings.scope_separator
        asked = self.scopes if scopes is None else tuple(scopes)
        for index, scope in enumerate(asked):
            if not is_scope(scope):
                raise ValueRefused(f"/scopes/{index}", "is not a scope")
        own = {
            "response_type": "code" if self.has_response_type else "",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": separator.join(asked),
            "state": state,
        }
        if self.uses_pkce:
            if not code_challenge:
                raise ValueError("this provider takes PKCE: a code challenge is needed")
            own |= {"code_challenge": code_challenge, "code_challenge_method": "S256"}
        given = dict(filled(self.parameters, values, "query"))
        sent = [
            # What separates scopes is not encoded if the provider has a sign of its own for it.
            (quote(name, safe=""), quote(value, safe=separator.strip()))
            for own_name, value in own.items()
            if value and (name := self._names.of("authorization", own_name)) not in given
        ]
        if self.authorization_url.start.pointer is not None:
            self._require_https(values)
        url = self.authorization_url.fill(values)
        joiner = "&" if self.authorization_url.query else "?"
        url += joiner + "&".join(f"{name}={value}" for name, value in [*sent, *given.items()])
        if len(url) > MAX_URL:
            raise ValueRefused("/scopes", f"makes the URL longer than {MAX_URL} characters")
        return url

    def _require_https(self, values: Values) -> None:
        scheme, _, _ = self.authorization_url.origin(values)
        if scheme != "https":
            pointer = last_pointer(self.authorization_url.start.placeholders())
            raise ValueRefused(str(pointer), "must be an https URL")

    def callback(
        self,
        query: Mapping[str, str] | Iterable[tuple[str, str]],
        client: OAuthClient | None = None,
    ) -> CallbackAnswer:
        """What the parameters of a callback say; `client` is needed if the provider signs them.

        Raises ValueRefused: for a parameter that is there twice or is too long, for a signature
        that is missing or wrong, and for a captured value that the integration does not allow.
        """
        found: dict[str, str] = {}
        pairs = query.items() if isinstance(query, Mapping) else query
        for name, value in pairs:
            if name in found:
                raise ValueRefused("/callback", "has a parameter twice")
            if len(value) > MAX_PARAMETER:
                raise ValueRefused("/callback", "has a parameter that is too long")
            found[name] = value
        if self.hmac_parameter:
            self._require_signature(found, self.hmac_parameter, client)

        def own(name: str) -> str | None:
            return found.get(self._names.of("callback", name)) or None

        error = own("error")
        captured = {}
        if error is None:
            for capture in self.callback_captures:
                if value := found.get(capture.source):
                    captured[capture.variable] = capture.value(value)
        return CallbackAnswer(
            code=own("code") if error is None else None,
            error=error,
            error_description=own("error_description"),
            iss=own("iss"),
            captured=captured,
        )

    @property
    def state_parameter(self) -> str:
        """What the parameter `state` is called in a callback."""
        return self._names.of("callback", "state")

    def _require_signature(
        self, found: Mapping[str, str], parameter: str, client: OAuthClient | None
    ) -> None:
        """HMAC-SHA256 in hex under the client secret, of the other parameters by name
        (https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/authorization-code-grant#verify-the-authorization-code-request).
        """
        unsigned = ValueRefused("/callback", "is not signed by the provider")
        secret = client.client_secret if client else None
        if not secret:
            raise unsigned
        signed = "&".join(f"{n}={v}" for n, v in sorted(found.items()) if n != parameter)
        expected = hmac.new(secret.encode(), signed.encode(), "sha256").hexdigest()
        given = found.get(parameter, "")
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise unsigned

    def exchange(
        self,
        variables: Mapping[str, object],
        client: OAuthClient,
        *,
        code: str,
        redirect_uri: str,
        code_verifier: str | None,
        state: str | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> TokenCall:
        """The call that turns a code into tokens. `secrets` are others that `tokenParams` uses.
        Raises ValueRefused."""
        given = {"code": code, "redirect_uri": redirect_uri}
        if self.has_state_in_exchange:
            if not state:
                raise ValueError("this provider takes the state with the code: it is needed")
            given["state"] = state
        if self.uses_pkce:
            if not code_verifier:
                raise ValueError("this provider takes PKCE: a code verifier is needed")
            given["code_verifier"] = code_verifier
        values = self._values(variables, {**(secrets or {}), **client.secrets()})
        return token_call(
            replace(self.request, given=given), values, self.token_captures, self.expiry
        )

    def lookup(
        self, variables: Mapping[str, object], access_token: str, client_id: str
    ) -> LookupCall | None:
        """The call that asks for what no answer had; None without `lookup`. It has the id of the
        client, which is public, and never its secret. Raises ValueRefused."""
        if self.lookup_recipe is None:
            return None
        secrets = {"access_token": access_token, "client_id": client_id}
        return self.lookup_recipe.call(self._values(variables, secrets))

    def _values(
        self, variables: Mapping[str, object], secrets: Mapping[str, str] | None = None
    ) -> Values:
        return Values({**self.defaults, **variables}, secrets or {})
