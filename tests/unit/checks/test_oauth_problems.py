"""What publishing says of the OAuth members of an `authConfig`: all at once, each at its place."""

from typing import Any

import pytest

from patchbay.checks.auth_config import auth_config_problems
from patchbay.checks.expiry_times import UNITS
from tests.unit.checks.oauth_targets import STRING, auth_config, problems, recipe

OWN_DOMAIN = "has a captured variable in a host that does not end with a domain of your own"
NO_PLACEHOLDER = "must be a string without placeholders"
NO_URL = "must be an absolute http or https URL without a fragment"
CASES: list[tuple[dict[str, Any], dict[str, str]]] = [
    (
        {
            "scopes": ["a b"],
            "expiresInUnit": "x",
            "defaultExpiresIn": 316224001,
            "pkce": "x",
            "callbackHmac": "",
            "tokenUrl": 1,
            "refreshUrl": 2,
            "authorizationUrl": 3,
            "capture": {"x": {}},
            "authorizationParams": {
                "state": "x",
                "response_type": {"optional": "{{variables.a}}"},
                "s": "{{secrets.client_id}}",
            },
            "revocationUrl": 4,
        },
        {
            "/authConfig/scopes/0": "must be a scope: visible characters",
            "/authConfig/tokenUrl": "must be a string, here or in authConfig",
            "/authConfig/refreshUrl": "must be a string, here or in authConfig",
            "/authConfig/expiresInUnit": f"must be one of {', '.join(UNITS)}",
            "/authConfig/defaultExpiresIn": "must be a number of seconds from 1 to 316224000",
            "/authConfig/capture/x": "is not a known key",
            "/authConfig/authorizationUrl": "must be a string, here or in authConfig",
            "/authConfig/pkce": "must be one of S256, none",
            "/authConfig/authorizationParams/state": "is sent without it",
            "/authConfig/authorizationParams/response_type": NO_PLACEHOLDER,
            "/authConfig/authorizationParams/s": "may not have a secret: a browser shows it",
            "/authConfig/callbackHmac": "must be the name of a parameter",
            "/authConfig/revocationUrl": "must be a string, here or in authConfig",
        },
    ),
    (
        {
            "authorizationUrl": "https://a.example.com/?State=1&b=2",
            "tokenUrl": "https://a.example.com/?x=1&code=2",
            "authorizationParams": {"Client_ID": "x"},
        },
        {
            "/authConfig/authorizationUrl": "has a parameter that is sent without it",
            "/authConfig/authorizationParams/Client_ID": "is sent without it",
            "/authConfig/tokenUrl": "has a parameter that is sent without it",
        },
    ),
    (
        {
            "grantType": "client_credentials",
            "authorizationUrl": ...,
            "refreshUrl": "https://a.example.com/",
            "refreshParams": {},
            "pkce": "none",
            "authorizationParams": {},
            "capture": {},
            "lookup": {},
            "callbackHmac": "x",
            "issuer": "https://a.example.com",
        },
        {
            "/authConfig/lookup/url": "must be a string, here or in authConfig",
            "/authConfig/authorizationParams": "is only for the grant authorization_code",
            "/authConfig/pkce": "is only for the grant authorization_code",
            "/authConfig/capture": "is only for the grant authorization_code",
            "/authConfig/lookup": "is only for the grant authorization_code",
            "/authConfig/callbackHmac": "is only for the grant authorization_code",
            "/authConfig/issuer": "is only for the grant authorization_code",
            "/authConfig/refreshUrl": "is only for a grant with a refresh token",
            "/authConfig/refreshParams": "is only for a grant with a refresh token",
        },
    ),
    (
        {"capture": {"callback": {"x": "a", "y": "a"}}},
        {"/authConfig/capture": "has a variable twice"},
    ),
    (
        {
            "capture": {"callback": {"x": "a"}, "tokenResponse": {"/y": "b"}},
            "authorizationUrl": "https://a.example.com/{{variables.b}}",
            "tokenUrl": "https://a.example.com/{{variables.b}}",
            "lookup": {"url": "https://a.example.com/", "captures": {"/z": "a"}},
        },
        {
            "/authConfig/capture": "has a variable twice",
            "/authConfig/authorizationUrl": "uses a variable that is captured later",
            "/authConfig/tokenUrl": "uses a variable that is captured later",
        },
    ),
    (
        {
            "capture": {"callback": {"x": "a"}},
            "tokenUrl": "https://{{variables.a}}.com/",
            "refreshUrl": "https://{{variables.a}}.com/",
            "revocationUrl": "https://{{variables.a}}.com/",
            "lookup": {"url": "https://{{variables.a}}.com/", "captures": {"/z": "b"}},
        },
        {
            "/authConfig/tokenUrl": OWN_DOMAIN,
            "/authConfig/refreshUrl": OWN_DOMAIN,
            "/authConfig/revocationUrl": OWN_DOMAIN,
            "/authConfig/lookup/url": OWN_DOMAIN,
        },
    ),
    (
        {"type": "api_key", "pkce": "none", "lookup": {}, "issuer": "x"},
        {
            "/authConfig/issuer": "is only for the type oauth2",
            "/authConfig/lookup": "is only for the type oauth2",
            "/authConfig/pkce": "is only for the type oauth2",
        },
    ),
    (
        {"type": "api_key", "stateInExchange": True, "redirectUriInRefresh": True},
        {
            "/authConfig/stateInExchange": "is only for the type oauth2",
            "/authConfig/redirectUriInRefresh": "is only for the type oauth2",
        },
    ),
    (
        {"stateInExchange": "yes", "redirectUriInRefresh": None},
        {
            "/authConfig/stateInExchange": "must be true or false",
            "/authConfig/redirectUriInRefresh": "must be true or false",
        },
    ),
    *(
        (
            {"type": kind, "tokenUrl": "nonsense", "authorizationUrl": 7},
            {
                "/authConfig/tokenUrl": NO_URL,
                "/authConfig/authorizationUrl": "must be a string, here or in authConfig",
            },
        )
        for kind in ("api_key", "basic", "none")
    ),
    (
        {
            "type": "api_key",
            "tokenUrl": "http://a.example.com/t",
            "authorizationUrl": "a.example.com",
        },
        {
            "/authConfig/tokenUrl": "must be an https URL",
            "/authConfig/authorizationUrl": NO_URL,
        },
    ),
    ({"type": "none", "tokenUrl": None, "authorizationUrl": None}, {}),
    (
        {"grantType": "client_credentials", "authorizationUrl": "nonsense"},
        {"/authConfig/authorizationUrl": NO_URL},
    ),
    (
        {"scopes": ["a", "{{variables.a}}"]},
        {"/authConfig/scopes/1": "is sent as it is: it has no placeholders"},
    ),
    (
        {"authValuePrefix": "Token {{secrets.access_token}}"},
        {"/authConfig/authValuePrefix": "is sent as it is: it has no placeholders"},
    ),
    (
        {"defaultExpiresIn": "60"},
        {"/authConfig/defaultExpiresIn": "must be a number of seconds from 1 to 316224000"},
    ),
    (
        {"defaultExpiresIn": 0},
        {"/authConfig/defaultExpiresIn": "must be a number of seconds from 1 to 316224000"},
    ),
    ({"scopes": "x"}, {}),
    ({"issuer": 1}, {"/authConfig/issuer": "must be a string, here or in authConfig"}),
    ({"issuer": "http://a.example.com"}, {"/authConfig/issuer": "must be an https URL"}),
]


@pytest.mark.parametrize(("members", "found"), CASES)
def test_every_problem_is_told_at_its_place(members: dict[str, Any], found: dict[str, str]) -> None:
    assert problems(variables={"a": STRING, "b": STRING}, **members) == found


def test_the_longest_default_expiry_is_allowed() -> None:
    for seconds in (1, 316_224_000):
        renewal = recipe(defaultExpiresIn=seconds, expiresInUnit="minutes").renewal
        assert renewal
        assert (renewal.expiry.default_seconds, renewal.expiry.unit) == (seconds, "minutes")
    renewal = recipe().renewal
    assert renewal
    assert (renewal.expiry.default_seconds, renewal.expiry.unit) == (None, "seconds")


def test_what_a_recipe_has_been_read_from() -> None:
    made = recipe(
        capture={"callback": {"x": "a"}, "tokenResponse": {"/y": "b"}},
        callbackHmac="hmac",
        revocationUrl="https://a.example.com/revoke",
        variables={"a": STRING | {"default": "1"}, "b": STRING},
    )
    of, renewal = made.authorization, made.renewal
    assert of
    assert renewal
    assert made.oauth.revocation
    assert of.hmac_parameter == "hmac"
    assert of.defaults == renewal.defaults == made.oauth.revocation.defaults == {"a": "1"}
    assert [one.variable for one in of.token_captures] == ["b"]
    assert of.scopes == ("read", "write")
    assert renewal.request.grant == "refresh_token"
    assert renewal.request.url == of.request.url
    assert of.request.grant == "authorization_code"


OWN = ("client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")


@pytest.mark.parametrize("name", OWN)
def test_what_the_flow_sends_can_not_be_sent_twice(name: str) -> None:
    url = f"https://a.example.com/?x=1&{name}=a=b"

    assert list(problems(authorizationParams={name: "x"})) == [
        f"/authConfig/authorizationParams/{name}"
    ]
    assert list(problems(authorizationUrl=url)) == ["/authConfig/authorizationUrl"]


def test_the_response_type_is_sent_beside_other_parameters() -> None:
    of = recipe(authorizationParams={"prompt": "consent"}).authorization
    assert of
    assert of.has_response_type
    assert list(problems(authorizationUrl="https://a.example.com/?response_type=token")) == [
        "/authConfig/authorizationUrl"
    ]
    assert list(problems(authorizationParams={"": "x"})) == ["/authConfig/authorizationParams/"]


def test_members_that_were_always_allowed_stay_so_for_other_types() -> None:
    assert problems(type="api_key", grantType="client_credentials", clientAuth="body") == {}


def test_a_refresh_url_is_that_of_a_pasted_refresh_token_too() -> None:
    url = "https://b.example.com/refresh"
    for grant in ("refresh_token", "authorization_code", "device_code"):
        renewal = recipe(grantType=grant, refreshUrl=url).renewal
        assert renewal
        assert renewal.request.url.host_pointer is None
        assert renewal.request.url.path == (("refresh",),)
        assert renewal.request.scopes == ()
    own = recipe(grantType="client_credentials").renewal
    assert own
    assert own.request.scopes == ("read", "write")
    without = recipe(grantType="client_credentials", scopes=...).renewal
    assert without
    assert without.request.scopes == ()


def test_what_a_lookup_captures_is_no_host_either() -> None:
    lookup = {"url": "https://a.example.com/", "captures": {"/z": "a"}}
    found = problems(
        lookup=lookup, refreshUrl="https://{{variables.a}}.com/", variables={"a": STRING}
    )

    assert found == {"/authConfig/refreshUrl": OWN_DOMAIN}


@pytest.mark.parametrize("kind", ["oauth2", "api_key", "basic", "none"])
@pytest.mark.parametrize("grant", ["nonsense value", 7, [], None])
def test_a_grant_is_a_grant_whatever_the_type_is(kind: str, grant: object) -> None:
    config = auth_config(type=kind, grantType=grant)
    found = {one.pointer: one.message for one in auth_config_problems(config)}
    assert found == {"/authConfig/grantType": "must be a grant type, such as client_credentials"}
