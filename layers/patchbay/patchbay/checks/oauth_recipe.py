"""The members of `authConfig` that are about OAuth 2.0, read once for a release. Pure.

docs/auth-config.md says what each member means.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import unquote_plus

from patchbay.checks.account_lookup import LookupRecipe, read_lookup
from patchbay.checks.auth_config import (
    AUTHORIZATION_CODE,
    OAUTH_KEYS,
    TOKEN_KEYS,
    auth_type,
    needs_a_person,
)
from patchbay.checks.authorization_code import AuthorizationRecipe
from patchbay.checks.captures import is_parameter_name, place_problem, read_captures, unlimited
from patchbay.checks.credentials import Credential
from patchbay.checks.expiry_times import MAX_SECONDS, UNITS
from patchbay.checks.oauth_parts import OAuthRecipe
from patchbay.checks.oauth_scopes import is_scope
from patchbay.checks.request_fields import RequestField, read_query
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Declarations,
    Parts,
    Placeholder,
    UrlTemplate,
    split_template,
)
from patchbay.checks.token_calls import ExpirySettings
from patchbay.checks.token_renewal import RenewalRecipe
from patchbay.checks.token_requests import (
    TokenRequest,
    TokenSettings,
    read_auth_settings,
    report_clashes,
)
from patchbay.checks.token_revocation import RevocationRecipe, read_revocation
from patchbay.checks.url_members import read_open_url, read_url
from patchbay.platform.validation import pointer

_CAPTURE: Final = frozenset({"callback", "tokenResponse"})
_OF_THE_CODE_FLOW: Final = (
    *("authorizationParams", "pkce", "capture", "lookup", "callbackHmac", "issuer"),
    *("stateInExchange", "redirectUriInRefresh"),
)
_PKCE: Final = ("S256", "none")
_GIVEN: Final = {"code": "", "redirect_uri": "", "code_verifier": ""}
_OWN: Final = (
    *("client_id", "redirect_uri", "scope", "state"),
    *("code_challenge", "code_challenge_method"),
)
_OF_ANY_TYPE: Final = TOKEN_KEYS | {"grantType", "tokenUrl", "authorizationUrl"}
"""Steps that ask for a token take some of them, whatever the type is. All may stand beside another
type, and must be right."""


def read_oauth(
    auth_config: Mapping[str, object],
    declared: Declarations,
    credential: Credential | None,
    defaults: Mapping[str, object],
) -> OAuthRecipe:
    """What an `authConfig` whose credential has no problems says about OAuth. Problems have
    pointers that start with `/authConfig`."""
    reader = StepReader(auth_config, "/authConfig", declared, credential)
    settings = TokenSettings()
    if not auth_config.keys().isdisjoint(OAUTH_KEYS):
        settings = read_auth_settings(reader)
    if auth_type(auth_config) != "oauth2":
        for name in sorted(auth_config.keys() & (OAUTH_KEYS - _OF_ANY_TYPE)):
            reader.report(pointer([name]), "is only for the type oauth2")
        _read_member(reader, "tokenUrl", read_url)
        _read_member(reader, "authorizationUrl", read_open_url)
        return OAuthRecipe(problems=tuple(reader.problems))
    return _Reading(reader, settings, defaults).recipe()


class _Reading:
    """Reads one `authConfig` of type oauth2."""

    def __init__(
        self, reader: StepReader, settings: TokenSettings, defaults: Mapping[str, object]
    ) -> None:
        self._reader = reader
        self._settings = settings
        self._defaults = defaults
        self._declared = reader.declared
        self._step = reader.step
        self._grant = str(self._step.get("grantType", AUTHORIZATION_CODE))
        self._scopes = self._read_scopes()
        self._token_url = _read_member(reader, "tokenUrl", read_url)
        self._refresh_url = _read_member(reader, "refreshUrl", read_url)
        self._expiry = self._read_expiry()
        capture = reader.members("/capture", self._step.get("capture", {}), _CAPTURE) or {}
        self._from_callback = read_captures(
            reader, "/capture/callback", capture.get("callback", {}), are_pointers=False
        )
        self._from_token = read_captures(
            reader, "/capture/tokenResponse", capture.get("tokenResponse", {}), are_pointers=True
        )

    def recipe(self) -> OAuthRecipe:
        lookup = None
        if "lookup" in self._step:
            lookup = read_lookup(self._reader, self._step["lookup"])
        authorization = self._authorization(lookup)
        renewal = self._renewal()
        revocation = read_revocation(self._reader, self._settings, self._defaults)
        urls = dict(self._bound_urls(lookup, revocation))
        self._report_captured_places(urls, lookup)
        if self._reader.problems:
            return OAuthRecipe(problems=tuple(self._reader.problems))
        sent: list[Iterator[Placeholder]] = [
            part.placeholders() for part in (revocation, lookup) if part
        ]
        sent += [part.request.request_placeholders() for part in (authorization, renewal) if part]
        names = frozenset(p.name for part in sent for p in part if p.source == "variables")
        return OAuthRecipe(authorization, renewal, revocation, urls=urls, sent=names)

    def _read_scopes(self) -> tuple[str, ...]:
        scopes = self._step.get("scopes", [])
        if not isinstance(scopes, list):
            return ()  # `auth_config_problems` says so
        for index, scope in enumerate(scopes):
            if not is_scope(scope):
                self._reader.report(f"/scopes/{index}", "must be a scope: visible characters")
            elif "{{" in scope:
                self._reader.report(f"/scopes/{index}", "is sent as it is: it has no placeholders")
        return tuple(scope for scope in scopes if isinstance(scope, str))

    def _read_expiry(self) -> ExpirySettings:
        unit = self._reader.choice("expiresInUnit", UNITS, default="seconds")
        default = self._step.get("defaultExpiresIn")
        if default is not None and (type(default) is not int or not 1 <= default <= MAX_SECONDS):
            self._reader.report(
                "/defaultExpiresIn", f"must be a number of seconds from 1 to {MAX_SECONDS}"
            )
            default = None
        return ExpirySettings(unit or "seconds", default if type(default) is int else None)

    def _authorization(self, lookup: LookupRecipe | None) -> AuthorizationRecipe | None:
        reader = self._reader
        url = _read_member(reader, "authorizationUrl", read_open_url)
        if self._grant != AUTHORIZATION_CODE:
            for name in _OF_THE_CODE_FLOW:
                if name in self._step:
                    reader.report(f"/{name}", "is only for the grant authorization_code")
            return None
        pkce = reader.choice("pkce", _PKCE, default="S256")
        parameters = self._parameters()
        hmac = self._step.get("callbackHmac")
        if hmac is not None and not is_parameter_name(hmac):
            reader.report("/callbackHmac", "must be the name of a parameter")
        has_state = self._is_set("stateInExchange")
        if url is None or self._token_url is None:
            return None
        given = _GIVEN | ({"state": ""} if has_state else {})
        self._report_in_url("tokenUrl", given.keys())
        request = TokenRequest(AUTHORIZATION_CODE, self._token_url, self._settings)
        report_clashes(reader, replace(request, given=given))
        recipe = AuthorizationRecipe(
            url,
            request,
            self._scopes,
            pkce != "none",
            parameters,
            self._from_callback,
            self._from_token,
            lookup,
            self._expiry,
            hmac if isinstance(hmac, str) else None,
            self._defaults,
            self._has_response_type(),
            self._issuer(),
            has_state,
        )
        self._report_order(recipe, lookup)
        return recipe

    def _is_set(self, name: str) -> bool:
        given = self._step.get(name, False)
        if not isinstance(given, bool):
            self._reader.report(f"/{name}", "must be true or false")
        return given is True

    def _issuer(self) -> Parts:
        """`issuer`: the `iss` of a callback (RFC 9207), with placeholders of variables."""
        text = self._step.get("issuer")
        if text is None:
            return ()
        reader = self._reader
        if reader.attempt("/issuer", lambda: read_open_url(text, self._declared)) is None:
            return ()
        return split_template(str(text), self._declared)

    def _parameters(self) -> tuple[RequestField, ...]:
        """`authorizationParams`, which may not have what the flow itself sends."""
        reader = self._reader
        given = self._step.get("authorizationParams", {})
        names = self._settings.names
        own = {names.of("authorization", name).casefold() for name in _OWN}
        self._report_in_url("authorizationUrl", own | {"response_type"})
        response_type = names.of("authorization", "response_type")
        if isinstance(given, dict) and given.get(response_type, "") is None:
            given = {name: value for name, value in given.items() if name != response_type}
        parameters = read_query(reader, "/authorizationParams", given)
        for parameter in parameters:
            at = f"/authorizationParams{pointer([parameter.name])}"
            if parameter.name.casefold() in own:
                reader.report(at, "is sent without it")
            elif parameter.name == response_type and (
                parameter.is_optional or any(parameter.placeholders())
            ):
                reader.report(at, "must be a string without placeholders")
            elif any(p.source == "secrets" for p in parameter.placeholders()):
                reader.report(at, "may not have a secret: a browser shows it")
        return parameters

    def _report_in_url(self, member: str, names: Collection[str]) -> None:
        """Reports parameters of a URL as its author wrote it that the flow sends by itself: a
        provider may take the first of two."""
        text = self._step.get(member)
        query = text.partition("?")[2] if isinstance(text, str) else ""
        for name in query.split("&"):
            if unquote_plus(name.partition("=")[0]).casefold() in names:
                self._reader.report(f"/{member}", "has a parameter that is sent without it")

    def _has_response_type(self) -> bool:
        """Whether `response_type` is sent: null says that the provider does not take it."""
        name = self._settings.names.of("authorization", "response_type")
        given = self._step.get("authorizationParams")
        return not isinstance(given, dict) or given.get(name, "") is not None

    def _renewal(self) -> RenewalRecipe | None:
        is_refresh = needs_a_person(self._grant) or self._grant == "refresh_token"
        url = (self._refresh_url if is_refresh else None) or self._token_url
        if not is_refresh:
            for name in ("refreshUrl", "refreshParams"):
                if name in self._step:
                    message = "is only for a grant with a refresh token"
                    self._reader.report(f"/{name}", message)
        has_redirect_uri = self._is_set("redirectUriInRefresh")
        if url is None:
            return None
        grant, scopes = ("refresh_token", ()) if is_refresh else (self._grant, self._scopes)
        request = TokenRequest(grant, url, self._settings, scopes)
        if not request.secrets():
            return None
        given = {"redirect_uri": ""} if has_redirect_uri else {}
        if self._refresh_url:
            self._report_in_url("refreshUrl", given.keys())
        report_clashes(self._reader, replace(request, given=given))
        return RenewalRecipe(request, self._expiry, self._defaults, has_redirect_uri)

    def _report_order(self, recipe: AuthorizationRecipe, lookup: LookupRecipe | None) -> None:
        """Reports variables that are needed before they are captured, and those captured twice."""
        from_callback = {one.variable for one in self._from_callback}
        from_token = {one.variable for one in self._from_token}
        looked_up = {one.variable for one in lookup.captures} if lookup else set()
        names = [*from_callback, *from_token, *looked_up]
        captures = [*self._from_callback, *self._from_token, *(lookup.captures if lookup else ())]
        if len({one.variable for one in captures}) < len(captures):
            self._reader.report("/capture", "has a variable twice")
        message = "uses a variable that is captured later"
        if _uses(recipe.placeholders(), names):
            self._reader.report("/authorizationUrl", message)
        if _uses(recipe.request.placeholders(), from_token | looked_up):
            self._reader.report("/tokenUrl", message)
        if lookup and _uses(lookup.placeholders(), looked_up):
            self._reader.report("/lookup/url", message)

    def _bound_urls(
        self, lookup: LookupRecipe | None, revocation: RevocationRecipe | None
    ) -> Iterator[tuple[str, UrlTemplate]]:
        """The URLs that get secrets: members that releases without them do not have, and a token
        URL with placeholders, which was not possible before."""
        if self._token_url and any(self._token_url.placeholders()):
            yield "tokenUrl", self._token_url
        if self._refresh_url:
            yield "refreshUrl", self._refresh_url
        if revocation:
            yield "revocationUrl", revocation.url
        if lookup:
            yield "lookup/url", lookup.url

    def _report_captured_places(
        self, urls: Mapping[str, UrlTemplate], lookup: LookupRecipe | None
    ) -> None:
        captures = [*self._from_callback, *self._from_token, *(lookup.captures if lookup else ())]
        names = unlimited(captures)
        for name, url in urls.items():
            if _uses(url.start.placeholders(), names):
                problem = place_problem(url.place, names, self._declared)
                if problem:
                    self._reader.report(f"/{name}", problem)


def _read_member(
    reader: StepReader, name: str, read: Callable[[object, Declarations], UrlTemplate]
) -> UrlTemplate | None:
    """The URL of a member, None without one: `auth_config_problems` says so if it is required."""
    text = reader.step.get(name)
    if text is None:
        return None
    return reader.attempt(f"/{name}", lambda: read(text, reader.declared))


def _uses(placeholders: Iterator[Placeholder], names: Collection[str]) -> bool:
    return any(p.source == "variables" and p.name in names for p in placeholders)
