"""How Nango's providers ask for tokens, as `authConfig`."""

from __future__ import annotations

import re
from typing import Any, Final

from patchbay_importers.nango_templates import HeaderValue, Texts, alternatives
from patchbay_importers.places import Place, pointer
from patchbay_importers.refusals import ImportRefused

_UNKNOWN: Final = {
    "authorization_code_param_in_webhook": "its code comes by a webhook",
    "authorization_url_fragment": "its authorization URL has a fragment",
    "require_client_certificate": "it wants a client certificate for tokens",
    "assertion": "it signs an assertion of its own",
}
_SENT_BY_THE_FLOW: Final = frozenset(
    {
        *("grant_type", "client_id", "client_secret", "redirect_uri", "state", "code"),
        *("code_verifier", "code_challenge", "code_challenge_method", "refresh_token", "scope"),
    }
)
_OF_THE_CLIENT: Final = frozenset({"client_id", "client_secret"})
_OF_THE_TRANSPORT: Final = frozenset({"content-type", "accept"})
_FORMATS: Final = frozenset({"form", "json", "query"})
_CONFIG: Final = re.compile(r"connectionConfig\.([A-Za-z0-9_.-]+)")
_SECOND_LEVELS: Final = frozenset(
    {"ac", "co", "com", "edu", "go", "gob", "gov", "mil", "ne", "net", "nom", "or", "org", "sch"}
)
"""What stands before the code of a country where anybody may register a name."""
_SHARED_DOMAINS: Final = frozenset(
    {
        *("amazonaws.com", "appspot.com", "azure-api.net", "azurefd.net", "azurewebsites.net"),
        *("cloudapp.net", "cloudfront.net", "firebaseapp.com", "fly.dev", "github.io"),
        *("gitlab.io", "herokuapp.com", "netlify.app", "ngrok.app", "ngrok.io", "onrender.com"),
        *("pages.dev", "run.app", "vercel.app", "web.app", "windows.net", "workers.dev"),
    }
)
"""Domains in which anybody gets a name for what they run (https://publicsuffix.org/list/)."""
_BASIC_HEADER: Final = re.compile(
    r"[Bb]asic \$\{base64\(\$\{credentials\.(?P<id>\w+)\}:\$\{credentials\.(?P<secret>\w+)\}\)\}"
)


def code_flow(entry: Place, texts: Texts) -> dict[str, Any]:
    """`authConfig` of the authorization code flow."""
    auth = _token_members(entry, texts)
    auth["authorizationUrl"] = _url(entry / "authorization_url", entry, texts)
    parameters = _parameters(entry / "authorization_params", texts)
    if parameters.get("response_type") == "code":
        del parameters["response_type"]
    replaced = {name: place.scalar() for name, place in _replacements(entry)}
    if replaced.pop("response_type", None) == "":
        auth["authorizationParams"] = {"response_type": None}
    scope = parameters.pop("scope", None)
    if scope and "scopes" not in auth:
        auth["scopes"] = [scope]
    for name in _SENT_BY_THE_FLOW & parameters.keys():
        del parameters[name]
    if parameters:
        auth["authorizationParams"] = {**parameters, **auth.get("authorizationParams", {})}
    if entry / "refresh_url":
        auth["refreshUrl"] = _url(entry / "refresh_url", entry, texts)
    refresh = _parameters(entry / "refresh_params", texts)
    own = {name: value for name, value in refresh.items() if name not in _SENT_BY_THE_FLOW}
    if entry / "refresh_params" and own != auth.get("tokenParams", {}):
        auth["refreshParams"] = own
    if entry / "disable_pkce":
        auth["pkce"] = "none"
    names: dict[str, Any] = {
        name.rstrip("="): value.rstrip("=") for name, value in replaced.items() if value
    }
    if code := (entry / "authorization_code_param_in_callback").text_or_none():
        names["code"] = {"callback": code}
    if names:
        auth["parameterNames"] = names
    if capture := _capture(entry, texts):
        auth["capture"] = capture
    return auth


def client_grant(entry: Place, texts: Texts) -> dict[str, Any]:
    """`authConfig` of a grant that needs nobody at a browser."""
    auth = _token_members(entry, texts)
    grant = entry / "token_params" / "grant_type"
    auth["grantType"] = grant.scalar() if grant else "client_credentials"
    return auth


def login_step(entry: Place, texts: Texts) -> None:
    """A step that posts the credentials and takes a token out of the answer."""
    draft = texts.draft
    method = (entry / "token_request_method").text_or_none() or "POST"
    if method not in ("POST", "GET"):
        raise ImportRefused(f"{entry.at}/token_request_method", "is neither POST nor GET")
    path = (entry / "token_response" / "token").text()
    if not path:
        raise ImportRefused(f"{entry.at}/token_response/token", "its token has no name")
    url = texts.url(Place(alternatives(entry / "token_url")[-1], f"{entry.at}/token_url"))
    request: dict[str, Any] = {"method": method, "url": url, **_login_headers(entry, texts)}
    kind = (entry / "body_format").text_or_none() or "json"
    given = entry / "token_params"
    if isinstance(given.value, str):
        raise ImportRefused(given.at, "is a text, not parameters")
    if method == "GET":
        query = {name: texts.template(place) for name, place in given.members()}
        request |= {"query": query} if query else {}
    elif kind == "form":
        request["safe"] = True
        request["body"] = {"form": {name: texts.template(place) for name, place in given.members()}}
    elif kind == "json":
        request["safe"] = True
        request["body"] = {"json": texts.json_template(Place(given.value or {}, given.at))}
    else:
        raise ImportRefused(f"{entry.at}/body_format", "is neither form nor json")
    draft.auth = {"type": "none"}
    obtain = {"access_token": pointer(*path.split("."))}
    draft.step("log in", "http", mandatory=True, auth=False, request=request, obtain=obtain)


def _login_headers(entry: Place, texts: Texts) -> dict[str, Any]:
    """The members `headers` and `basic` of a request that logs in."""
    members: dict[str, Any] = {}
    headers = {}
    for name, place in (entry / "token_headers").members():
        if name.lower() == "content-type":
            continue
        if pair := HeaderValue(place, texts).basic():
            members["basic"] = {"username": pair[0], "password": pair[1]}
        else:
            headers[name] = texts.template(place)
    if headers:
        members["headers"] = headers
    return members


def _token_members(entry: Place, texts: Texts) -> dict[str, Any]:
    for key, why in _UNKNOWN.items():
        if entry / key:
            raise ImportRefused(f"{entry.at}/{key}", why)
    auth: dict[str, Any] = {
        "type": "oauth2",
        "tokenUrl": _url(entry / "token_url", entry, texts),
        "clientAuth": _client_auth(entry),
    }
    if scopes := [texts.template(scope) for scope in (entry / "default_scopes").items()]:
        auth["scopes"] = scopes
    if separator := (entry / "scope_separator").text_or_none():
        auth["scopeSeparator"] = separator
    body = (entry / "body_format").text_or_none()
    if body and body not in _FORMATS:
        raise ImportRefused(f"{entry.at}/body_format", "is none of form, json, and query")
    if body:
        auth["tokenBodyFormat"] = body
    if method := (entry / "token_request_method").text_or_none():
        auth["tokenMethod"] = method
    parameters = _parameters(entry / "token_params", texts)
    if client := _own_client(parameters, entry):
        auth["clientAuth"] = client
    sent = _SENT_BY_THE_FLOW - (_OF_THE_CLIENT if client == "omit" else frozenset())
    own = {name: value for name, value in parameters.items() if name not in sent}
    if "scopes" not in auth and parameters.get("scope"):
        auth["scopes"] = parameters["scope"].split()
    if own:
        auth["tokenParams"] = own
    headers = {
        name: texts.template(place)
        for name, place in _token_headers(entry)
        if name.lower() not in _OF_THE_TRANSPORT
    }
    if headers:
        auth["tokenHeaders"] = headers
    if unit := (entry / "expires_in_unit").text_or_none():
        auth["expiresInUnit"] = unit
    if path := (entry / "alternate_access_token_response_path").text_or_none():
        auth["tokenResponse"] = {"accessToken": [f"/{path}/access_token", "/access_token"]}
    path = (entry / "token_response" / "token").text_or_none() or "access_token"
    if path != "access_token":
        auth["tokenResponse"] = {"accessToken": pointer(*path.split("."))}
    return auth


def _token_headers(entry: Place) -> list[tuple[str, Place]]:
    """Without the one that `clientAuth` sends."""
    is_basic = _is_basic_client(entry)
    return [
        (name, place)
        for name, place in (entry / "token_headers").members()
        if not (is_basic and name.lower() == "authorization")
    ]


def _is_basic_client(entry: Place) -> bool:
    for name, place in (entry / "token_headers").members():
        if name.lower() == "authorization":
            return bool(_BASIC_HEADER.fullmatch(place.scalar()))
    return False


def _own_client(parameters: dict[str, str], entry: Place) -> str | None:
    """How the client shows who it is, if the list says it by parameters and headers."""
    if (entry / "auth_mode").value != "TWO_STEP":
        return None
    if _is_basic_client(entry):
        return "basic_plain"
    asked = {name: parameters.get(name) for name in _OF_THE_CLIENT}
    if all(value == f"{{{{secrets.{name}}}}}" for name, value in asked.items()):
        return "body"
    return "omit"


def _client_auth(entry: Place) -> str:
    method = (entry / "token_request_auth_method").text_or_none()
    if method == "custom":
        raise ImportRefused(
            f"{entry.at}/token_request_auth_method", "it asks for tokens in a way of its own"
        )
    if method == "private_key_jwt":
        return "private_key_jwt"
    is_basic = method == "basic" or (entry / "authorization_method").value == "header"
    return "basic" if is_basic else "body"


def _parameters(given: Place, texts: Texts) -> dict[str, str]:
    if not isinstance(given.value, dict):
        return {}
    return {
        name: texts.template(place) for name, place in given.members() if place.value is not None
    }


def _replacements(entry: Place) -> list[tuple[str, Place]]:
    return list((entry / "authorization_url_replacements").members())


def _url(place: Place, entry: Place, texts: Texts) -> str:
    """The alternative that a variable of the provider's answers decides, or else the last."""
    every = alternatives(place)
    captured = [one for one in every if _captured(one, entry)]
    url = (captured or every)[-1]
    if len(every) > 1:
        texts.draft.notes.append(f"of the {len(every)} alternatives at {place.at} one was taken")
    return texts.url(Place(url, place.at))


def _captured(text: str, entry: Place) -> bool:
    names: set[str] = set()
    for key in ("redirect_uri_metadata", "token_response_metadata"):
        values = (entry / key).value
        if isinstance(values, list):
            names |= {name for name in values if isinstance(name, str)}
    return any(name in names for name in _CONFIG.findall(text))


def _capture(entry: Place, texts: Texts) -> dict[str, Any]:
    capture: dict[str, Any] = {}
    asked = set(_CONFIG.findall(str((entry / "authorization_url").value)))
    for key, place in (
        ("redirect_uri_metadata", "callback"),
        ("token_response_metadata", "tokenResponse"),
    ):
        for item in (entry / key).items():
            if not isinstance(item.value, str) or item.value in asked:
                continue  # a person has given it before the browser goes there
            source = item.value
            at = source if place == "callback" else pointer(*source.split("."))
            name = texts.draft.variable(source)
            target: Any = name
            if texts.draft.variables[name].get("format") in ("hostname", "uri"):
                target = {"variable": name, "hosts": [_hosts(entry)]}
                texts.draft.notes.append(
                    f"{name} may be any host of {target['hosts'][0]}: see that these are right"
                )
            capture.setdefault(place, {})[at] = target
            if name in texts.draft.required:
                texts.draft.required.remove(name)
    return capture


def _hosts(entry: Place) -> str:
    """The names that an author would allow: those of the provider's own domain."""
    for key in ("authorization_url", "token_url"):
        for url in alternatives(entry / key):
            host = url.partition("://")[2].partition("/")[0].lower()
            if host and "{" not in host and (domain := _own_domain(host)):
                return f"*.{domain}"
    raise ImportRefused(f"{entry.at}/token_url", "an answer decides a host of any domain")


def _own_domain(host: str) -> str | None:
    """The domain in which nobody but the provider gets names; None if it can't be said."""
    labels = host.split(".")
    ending = ".".join(labels[-2:])
    if ending in _SHARED_DOMAINS:
        return None
    is_of_country = len(labels[-1]) == 2 and len(labels) > 1 and labels[-2] in _SECOND_LEVELS
    wanted = 3 if is_of_country else 2
    return ".".join(labels[-wanted:]) if len(labels) >= wanted else None
