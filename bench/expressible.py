"""How many providers of a public list an `authConfig` can express.

The list is `packages/providers/providers.yaml` of https://github.com/NangoHQ/nango. It is not part
of this project: `PROVIDERS_YAML=path make bench`, or `python -m bench.expressible path`, reads your
own copy and prints which providers are left out, with the reason.

For each provider a draft is made, with its own `authConfig` and `variablesSchema`, and publishing
validates it. Nothing is counted by a table of fields. What the list does for a provider by code,
which a YAML file does not show, is named here: such a provider counts only if a draft can do
without that code.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import environ
from pathlib import Path
from typing import Any, Final

from patchbay_importers.nango import CODE_OF_ITS_OWN

from bench.drafts import draft_of
from bench.report import Row, Skipped

GOALS: Final = {"OAUTH2": 87, "OAUTH2_CC": 80}
"""Percent."""


@dataclass(frozen=True)
class Hook:
    """What stands in for a `post_connection_script`: variables of the token answer, a lookup, or
    neither if the draft does without it. `why_not` if only code does the same."""

    lookup: Mapping[str, Any] | None = None
    token_response: Mapping[str, str] = field(default_factory=dict)
    why_not: str | None = None


def _get(url: str, choose: str | None = None, **captures: str) -> Hook:
    chosen = {} if choose is None else {"choose": {"from": choose}}
    found = {pointer: name for name, pointer in captures.items()}
    return Hook({"url": url, "captures": found, **chosen})


_SITES: Final = "https://api.atlassian.com/oauth/token/accessible-resources"
_GRAPHQL: Final = Hook(why_not="asks by a POST of GraphQL after connecting")
_CLAIMS: Final = Hook(why_not="reads a claim of the access token")

HOOKS: Final[Mapping[str, Hook]] = {
    "adobeUmapiPostConnection": Hook(),
    "atlassianGovernmentCloudPostConnection": _get(
        "https://auth.atlassian-us-gov-mod.com/oauth/token/accessible-resources", "", cloudId="/id"
    ),
    "atlassianServicAccountPostConnection": _get(_SITES, "", cloudId="/id"),
    "attioPostConnection": _get("https://api.attio.com/v2/self", workspace_id="/workspace_id"),
    "basecampPostConnection": _get(
        "https://launchpad.37signals.com/authorization.json", "/accounts", accountId="/id"
    ),
    "calendlyPostConnection": _get(
        "https://api.calendly.com/users/me", organization="/resource/current_organization"
    ),
    "candisPostConnection": _get(
        "https://api.candis.io/v1/organizations/info", organizationId="/id"
    ),
    "checkrPartnerPostConnection": Hook(why_not="tries a call and keeps whether it worked"),
    "docusignPostConnection": _get(
        "https://account.docusign.com/oauth/userinfo", "/accounts", accountId="/account_id"
    ),
    "googleCalendarPostConnection": _get(
        "https://www.googleapis.com/calendar/v3/users/me/calendarList/primary", email="/id"
    ),
    "googleMailPostConnection": _get(
        "https://gmail.googleapis.com/gmail/v1/users/me/profile", email="/emailAddress"
    ),
    "gustoPostConnection": _get(
        "https://api.gusto.com/v1/token_info", companyUuid="/resource/uuid"
    ),
    "highlevelPostConnection": Hook(
        token_response={"/companyId": "companyId", "/locationId": "locationId"}
    ),
    "hubspotPostConnection": _get(
        "https://api.hubapi.com/account-info/v3/details", portalId="/portalId"
    ),
    "jiraPostConnection": _get(_SITES, "", cloudId="/id"),
    "linearPostConnection": _GRAPHQL,
    "mailchimpPostConnection": _get("https://login.mailchimp.com/oauth2/metadata", dc="/dc"),
    "microsoftTeamsPostConnection": _CLAIMS,
    "procorePostConnection": _get(
        "https://api.procore.com/rest/v1.0/companies", "", companyId="/id"
    ),
    "ripplingShopAppPostConnection": Hook(why_not="tells the provider that it was installed"),
    "sage200PostConnection": _get(
        "https://api.columbus.sage.com/uk/sage200extra/accounts/v1/sites",
        "",
        company_id="/company_id",
        site_id="/site_id",
    ),
    "salesforcePostConnection": Hook(),
    "sellsyPostConnection": _CLAIMS,
    "snowflakePostConnection": Hook(why_not="asks by a POST of a statement after connecting"),
    "sophosCentralPostConnection": Hook(why_not="looks up the region's host without a person"),
    "workablePostConnection": _get(
        "https://workable.com/spi/v3/accounts", "/accounts", subdomain="/subdomain"
    ),
    "xeroPostConnection": _get("https://api.xero.com/connections", "", tenant_id="/tenantId"),
    "zohoPostConnection": Hook(),
}
"""By what the scripts in `packages/server/lib/hooks/connection` did on 2026-08-21."""

_UNKNOWN: Final = {
    "authorization_code_param_in_webhook": "its code comes by a webhook",
    "authorization_url_fragment": "its authorization URL has a fragment",
    "require_client_certificate": "it wants a client certificate for tokens",
    "assertion": "it signs an assertion of its own",
}
_PLACEHOLDER: Final = re.compile(r"\$\{connectionConfig\.([A-Za-z0-9_.-]+)\}")
_OTHER: Final = re.compile(r"\$\{(?!connectionConfig\.)[^}]*\}")
_NAME: Final = re.compile(r"[^A-Za-z0-9_]")


class Inexpressible(Exception):
    """Why a provider can't be expressed."""


class Draft:
    """The draft of one provider."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self._entry = entry
        self.properties: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, dict[str, Any]] = {}
        self._from_answers = {
            *_strings(entry.get("redirect_uri_metadata")),
            *_strings(entry.get("token_response_metadata")),
        }
        for name in entry.get("connection_config") or {}:
            self._variable(name)

    def auth_config(self) -> dict[str, Any]:
        """Raises Inexpressible."""
        entry = self._entry
        for key, why in _UNKNOWN.items():
            if entry.get(key):
                raise Inexpressible(why)
        is_code_flow = entry["auth_mode"] == "OAUTH2"
        auth: dict[str, Any] = {
            "type": "oauth2",
            "tokenUrl": self._url("token_url"),
            "clientAuth": self._client_auth(),
        }
        grant = (entry.get("token_params") or {}).get("grant_type")
        if not is_code_flow:
            auth["grantType"] = str(grant or "client_credentials")
        scopes = entry.get("default_scopes")
        if scopes:
            auth["scopes"] = [self._text(scope) for scope in scopes]
        if separator := entry.get("scope_separator"):
            auth["scopeSeparator"] = separator
        if body_format := entry.get("body_format"):
            auth["tokenBodyFormat"] = body_format
        if method := entry.get("token_request_method"):
            auth["tokenMethod"] = method
        auth |= self._parameters("tokenParams", "token_params", {"grant_type"})
        auth |= self._parameters("tokenHeaders", "token_headers", {"content-type", "accept"})
        if unit := entry.get("expires_in_unit"):
            auth["expiresInUnit"] = unit
        if path := entry.get("alternate_access_token_response_path"):
            auth["tokenResponse"] = {"accessToken": [f"/{path}/access_token", "/access_token"]}
        if is_code_flow:
            auth |= self._code_flow(auth)
        return auth

    def _code_flow(self, auth: Mapping[str, Any]) -> dict[str, Any]:
        entry = self._entry
        flow: dict[str, Any] = {"authorizationUrl": self._url("authorization_url")}
        flow |= self._parameters("authorizationParams", "authorization_params", set())
        parameters = flow.get("authorizationParams", {})
        if parameters.get("response_type") == "code":
            del parameters["response_type"]
        replaced = self._entry.get("authorization_url_replacements") or {}
        if replaced.get("response_type") == "":
            flow["authorizationParams"] = {**parameters, "response_type": None}
        if (scope := parameters.pop("scope", None)) and not auth.get("scopes"):
            flow["scopes"] = [scope]
        if entry.get("refresh_url"):
            flow["refreshUrl"] = self._url("refresh_url")
        flow |= self._parameters("refreshParams", "refresh_params", {"grant_type", "refresh_token"})
        if entry.get("disable_pkce"):
            flow["pkce"] = "none"
        names = self._names()
        if names:
            flow["parameterNames"] = names
        capture = self._capture()
        if hook := entry.get("post_connection_script"):
            self._hook(hook, flow, capture)
        if capture:
            flow["capture"] = capture
        return flow

    def _replacements(self) -> dict[str, str]:
        given = self._entry.get("authorization_url_replacements") or {}
        return {own: name for own, name in given.items() if name}

    def _names(self) -> dict[str, Any]:
        names: dict[str, Any] = {}
        for own, name in self._replacements().items():
            names[own.rstrip("=")] = str(name).rstrip("=")
        if code := self._entry.get("authorization_code_param_in_callback"):
            names["code"] = {"callback": code}
        return names

    def _capture(self) -> dict[str, Any]:
        capture: dict[str, Any] = {}
        asked = set(_PLACEHOLDER.findall(str(self._entry["authorization_url"])))
        for key, place in (
            ("redirect_uri_metadata", "callback"),
            ("token_response_metadata", "tokenResponse"),
        ):
            for source in _strings(self._entry.get(key)):
                if source in asked:
                    continue  # a person has given it before the browser goes there
                at = source if place == "callback" else "/" + source.replace(".", "/")
                name = self._variable(source)
                rule = self.properties[name]
                if rule.get("format") in ("hostname", "uri"):
                    target: Any = {"variable": name, "hosts": [self._hosts()]}
                else:
                    target = name
                capture.setdefault(place, {})[at] = target
        return capture

    def _hook(self, name: str, flow: dict[str, Any], capture: dict[str, Any]) -> None:
        hook = HOOKS.get(name)
        if hook is None or hook.why_not:
            raise Inexpressible(hook.why_not if hook and hook.why_not else f"it runs {name}")
        for pointer, variable in hook.token_response.items():
            capture.setdefault("tokenResponse", {})[pointer] = self._variable(variable)
        if hook.lookup:
            for variable in hook.lookup["captures"].values():
                self._variable(variable)
            flow["lookup"] = dict(hook.lookup)

    def _hosts(self) -> str:
        """The names that an author would allow: those of the provider's own domain."""
        for key in ("authorization_url", "token_url"):
            for url in str(self._entry.get(key)).split(" || "):
                host = url.partition("://")[2].partition("/")[0]
                if host and "{" not in host:
                    return "*." + ".".join(host.split(".")[-2:])
        return "*.example.com"

    def _client_auth(self) -> str:
        method = self._entry.get("token_request_auth_method")
        if method == "custom":
            raise Inexpressible("it asks for tokens in a way of its own")
        if method == "private_key_jwt":
            return "private_key_jwt"
        is_basic = method == "basic" or self._entry.get("authorization_method") == "header"
        return "basic" if is_basic else "body"

    def _parameters(self, member: str, key: str, without: set[str]) -> dict[str, Any]:
        given = self._entry.get(key)
        if not isinstance(given, dict):
            return {}
        parameters = {name: value for name, value in given.items() if name not in without}
        return {member: {name: self._value(value) for name, value in parameters.items()}}

    def _value(self, value: object) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        return self._text(str(value).partition(" || ")[0].replace("${random}", "patchbay"))

    def _url(self, key: str) -> str:
        """The first alternative that a variable of the provider decides, else the first one."""
        given = self._entry.get(key)
        if not isinstance(given, str):
            raise Inexpressible(f"its {key} is not one URL")
        alternatives = given.split(" || ")
        captured = [one for one in alternatives if self._captured(one)]
        url = (captured or alternatives)[0]
        if match := re.match(r"\$\{connectionConfig\.([A-Za-z0-9_.-]+)\}(?=/|$)", url):
            self.properties[self._variable(match[1])]["format"] = "uri"
        authority = url.partition("://")[2].partition("/")[0]
        if match := _PLACEHOLDER.fullmatch(authority):
            self.properties[self._variable(match[1])]["format"] = "hostname"
        return self._text(url)

    def _captured(self, text: str) -> bool:
        return any(name in self._from_answers for name in _PLACEHOLDER.findall(text))

    def _text(self, text: str) -> str:
        if _OTHER.search(text):
            raise Inexpressible("it has a placeholder of another kind")
        return _PLACEHOLDER.sub(lambda match: f"{{{{variables.{self._variable(match[1])}}}}}", text)

    def _variable(self, name: str) -> str:
        own = _NAME.sub("_", name)
        if own[:1].isdigit():
            own = f"_{own}"
        self.properties.setdefault(own, {"type": "string"})
        return own


def refusal(name: str, entry: Mapping[str, Any]) -> str | None:
    """Why a provider can't be expressed; None if publishing takes its draft."""
    from patchbay.registry.model import NewIntegration
    from patchbay.registry.publishing import draft_problems

    if name in CODE_OF_ITS_OWN:
        return "it has code of its own"
    made = Draft(entry)
    try:
        auth_config = made.auth_config()
    except Inexpressible as why:
        return str(why)
    new = NewIntegration.model_validate(
        {
            "workspaceId": "list",
            "publisher": "list",
            "slug": "one",
            "name": name,
            "variablesSchema": {"type": "object", "properties": made.properties},
            "authConfig": auth_config,
        }
    )
    problems = draft_problems(draft_of(new))
    return f"{problems[0].pointer} {problems[0].message}" if problems else None


def measured(path: Path) -> Iterator[tuple[str, str, str | None]]:
    """The mode and name of each provider, and why it can't be expressed."""
    import yaml

    entries = yaml.safe_load(path.read_text())
    for name in entries:
        entry = _resolved(name, entries)
        if entry.get("auth_mode") in GOALS:
            yield entry["auth_mode"], name, refusal(name, entry)


def _resolved(name: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    entry = entries[name]
    if "alias" not in entry:
        return dict(entry)
    own = {key: value for key, value in entry.items() if key != "alias"}
    return {**_resolved(entry["alias"], entries), **own}


def _strings(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def rows() -> list[Row]:
    path = environ.get("PROVIDERS_YAML")
    if not path:
        raise Skipped("it needs PROVIDERS_YAML, your copy of the list")
    return rows_of_list([*measured(Path(path))])


def rows_of_list(found: list[tuple[str, str, str | None]]) -> list[Row]:
    result = []
    for mode, goal in GOALS.items():
        refusals = [why for one, _, why in found if one == mode]
        share = 100 * refusals.count(None) / len(refusals)
        what = f"authConfig: {mode} providers expressible"
        result.append(Row(what, share, "%", goal, more_is_better=True))
    return result


if __name__ == "__main__":
    every = [*measured(Path(sys.argv[1]))]
    for mode, name, why in every:
        if why:
            print(f"{mode:10} {name:40} {why}")
    for mode in GOALS:
        of_mode = [why for one, _, why in every if one == mode]
        print(f"{mode}: {of_mode.count(None)} of {len(of_mode)}")
