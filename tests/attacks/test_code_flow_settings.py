"""Attacks on how a code flow is set up: by the values that a tenant enters, by a callback that an
attacker wrote, by a provider that answers with them, and by an author who would bend the flow.

The prize is the code, a token, or the secret of a client at a server of the attacker's.
"""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from patchbay.checks.authorization_code import AuthorizationRecipe, callback_parameters
from patchbay.checks.templates import ValueRefused
from tests.unit.checks.oauth_targets import (
    CLIENT,
    HOSTNAME,
    REDIRECT_URI,
    STRING,
    URI,
    problems,
    recipe,
)

EVIL = "evil.example.org"


def flow(**more: Any) -> AuthorizationRecipe:
    made = recipe(**more)
    assert made.problems == ()
    assert made.authorization
    return made.authorization


def destination(of: AuthorizationRecipe, **variables: object) -> tuple[str, str]:
    """The host and path that the code and the secret of the client go to."""
    call = of.exchange(
        variables, CLIENT, code="c", redirect_uri=REDIRECT_URI, code_verifier="v" * 43
    )
    return call.request.target.host, call.request.target.path


ZOHO = {
    "tokenUrl": "https://{{variables.accounts}}/oauth/v2/token",
    "capture": {
        "callback": {"accounts-server": {"variable": "accounts", "hosts": ["*.zoho.com"]}},
        "tokenResponse": {"/api_domain": {"variable": "api", "hosts": ["*.zohoapis.com"]}},
    },
    "variables": {"accounts": HOSTNAME | {"default": "accounts.zoho.com"}, "api": URI},
}


@pytest.mark.parametrize(
    "server",
    [
        f"https://{EVIL}",
        EVIL,
        f"https://{EVIL}/accounts.zoho.com",
        f"https://accounts.zoho.com@{EVIL}",
        f"https://accounts.zoho.com:x@{EVIL}",
        f"https://{EVIL}#.zoho.com",
        f"https://{EVIL}?.zoho.com",
        f"https://{EVIL}\\.zoho.com",
        f"https://{EVIL}%2f.zoho.com",
        f"https://{EVIL}%00.zoho.com",
        f"https://{EVIL}\x00.zoho.com",
        f"https://{EVIL}\r\n.zoho.com",
        f"https://accounts.zoho.com.{EVIL}",
        "https://zoho.com",
        "https://evilzoho.com",
        "https://accounts.zoho.com:8443",
        "https://accounts.zoho.com/redirect?to=",
        "http://accounts.zoho.com",
        "ftp://accounts.zoho.com",
        "https://169.254.169.254",
        "https://[::ffff:169.254.169.254]",
        "https://localhost",
        "https://.zoho.com",
        "https://accounts..zoho.com",
        "https://ａccounts.zoho.com",
        "https://" + "a" * 300 + ".zoho.com",
        " https://accounts.zoho.com",
    ],
)
def test_a_callback_can_not_send_the_code_elsewhere(server: str) -> None:
    of = flow(**ZOHO)

    with pytest.raises(ValueRefused) as refused:
        of.callback([("code", "c"), ("state", "s"), ("accounts-server", server)])
    assert refused.value.problem.pointer == "/variables/accounts"
    assert EVIL not in str(refused.value)


def test_the_second_of_two_parameters_does_not_count_either() -> None:
    query = f"code=c&accounts-server=https://accounts.zoho.com&accounts-server=https://{EVIL}"

    with pytest.raises(ValueRefused, match="twice"):
        flow(**ZOHO).callback(callback_parameters(query))
    for other in ("code=a&code=b", "state=a&state=b&code=c", "iss=a&iss=b&code=c"):
        with pytest.raises(ValueRefused, match="twice"):
            flow().callback(callback_parameters(other))


def test_a_callback_fills_no_variable_that_it_is_not_asked_for() -> None:
    of = flow(**ZOHO)
    found = of.callback({"code": "c", "accounts": EVIL, "api": f"https://{EVIL}", "realmId": "1"})

    assert found.captured == {}


@pytest.mark.parametrize(
    "value", ["a/b", "a?b", "a#b", "a@b", "a:b", "a.b", f"{EVIL}/", "..", "", "a\\b", "a%2eb"]
)
def test_a_label_of_the_host_stays_one(value: str) -> None:
    of = flow(tokenUrl="https://{{variables.shop}}.myshopify.com/token", variables={"shop": STRING})

    with pytest.raises(ValueRefused):
        destination(of, shop=value)


@pytest.mark.parametrize("value", ["..", "a/../../b", "%2e%2e", "a\\..\\b", ".", "a/..;/b"])
def test_a_segment_of_the_path_stays_one(value: str) -> None:
    of = flow(
        tokenUrl="https://a.example.com/{{variables.tenant}}/token", variables={"tenant": STRING}
    )

    try:
        host, path = destination(of, tenant=value)
    except ValueRefused:
        return
    assert host == "a.example.com"
    assert path.count("/") == 2


def test_a_value_adds_no_parameter_to_the_authorization_url() -> None:
    of = flow(
        authorizationUrl="https://a.example.com/{{variables.v}}?tenant={{variables.v}}",
        authorizationParams={"audience": "{{variables.v}}"},
        variables={"v": STRING},
    )
    bent = f"x&redirect_uri=https://{EVIL}&state=1#"
    text = of.url(
        {"v": bent}, "id", redirect_uri=REDIRECT_URI, state="real", code_challenge="challenge"
    )
    pairs = parse_qsl(urlsplit(text).query)

    assert urlsplit(text).fragment == ""
    assert [value for name, value in pairs if name == "redirect_uri"] == [REDIRECT_URI]
    assert [value for name, value in pairs if name == "state"] == ["real"]
    assert dict(pairs)["audience"] == dict(pairs)["tenant"] == bent


@pytest.mark.parametrize("scope", ["a\r\nX-Evil: 1", "a&redirect_uri=x", "a b", "a#b", "é", "\x00"])
def test_a_scope_bends_neither_the_url_nor_a_header(scope: str) -> None:
    try:
        text = flow().url(
            {}, "id", redirect_uri=REDIRECT_URI, state="s", code_challenge="c", scopes=[scope]
        )
    except ValueRefused:
        return
    assert dict(parse_qsl(urlsplit(text).query))["scope"] == scope
    assert dict(parse_qsl(urlsplit(text).query))["redirect_uri"] == REDIRECT_URI
    assert urlsplit(text).fragment == ""


def test_no_parameter_of_the_flow_can_be_overridden() -> None:
    for name in ("client_id", "redirect_uri", "scope", "state", "code_challenge", "STATE"):
        assert problems(authorizationParams={name: "x"}), name
        assert problems(authorizationUrl=f"https://a.example.com/?{name}=x"), name
    assert problems(authorizationUrl="https://a.example.com/?a=b&redirect%5Furi=x")
    for name in ("code", "redirect_uri", "code_verifier", "grant_type", "Code_Verifier"):
        assert problems(tokenParams={name: "x"}), name
    for name in ("code", "redirect_uri", "code_verifier"):
        assert problems(tokenUrl=f"https://a.example.com/?{name}=x"), name
    assert problems(refreshParams={"refresh_token": "x"})
    assert problems(tokenParams={"client_secret": "x"}, clientAuth="body")


def test_renaming_gives_no_second_parameter_of_a_name() -> None:
    for names in (
        {"client_id": "state"},
        {"scope": "redirect_uri"},
        {"code": {"callback": "state"}},
        {"iss": "error"},
        {"code": {"token": "client_id"}},
        {"code_verifier": "code"},
    ):
        assert problems(parameterNames=names, clientAuth="body"), names
    # A name that is free may be taken: the flow's own parameter has another one.
    renamed = {"parameterNames": {"state": "opaque"}, "authorizationParams": {"state": "x"}}
    assert problems(**renamed) == {}
    assert problems(**renamed | {"authorizationParams": {"opaque": "x"}})


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example.com/t#fragment",
        "https://user@a.example.com/t",
        "https://user:{{secrets.client_secret}}@a.example.com/t",
        "https://{{secrets.client_secret}}.example.com/t",
        "https://{{variables.v}}/t",
        "https://a.example.com\\@b.example.com/t",
        "https://a.example.com/{{variables.v",
        "https://a.example.com/?{{variables.v}}=1",
        "http://a.example.com/t",
        "javascript://a.example.com/%0aalert(1)",
        "//a.example.com/t",
        "https:///t",
        "https://a.example.com/\r\nHost: b",
    ],
)
def test_urls_that_could_be_read_in_two_ways_can_not_be_published(url: str) -> None:
    for member in ("authorizationUrl", "tokenUrl", "refreshUrl", "revocationUrl"):
        more: dict[str, Any] = {member: url}
        assert f"/authConfig/{member}" in problems(variables={"v": STRING}, **more), member
    lookup = {"url": url, "captures": {"/id": "v"}}
    assert problems(variables={"v": STRING}, lookup=lookup)


def test_no_header_is_injected() -> None:
    for headers in ({"X": "a\r\nY: b"}, {"X\r\nY": "b"}, {"Host": "b"}, {"Content-Length": "0"}):
        assert problems(tokenHeaders=headers)
        assert problems(revocationUrl="https://a.example.com/", revocation={"headers": headers})
    of = flow(tokenHeaders={"X-Tenant": "{{variables.v}}"}, variables={"v": STRING})
    with pytest.raises(ValueRefused):
        destination(of, v="a\r\nX-Evil: 1")


def test_secrets_do_not_reach_the_browser() -> None:
    for member in (
        {"authorizationUrl": "https://a.example.com/{{secrets.access_token}}"},
        {"authorizationParams": {"x": "{{secrets.client_secret}}"}},
        {"authorizationParams": {"x": {"optional": "{{secrets.refresh_token}}"}}},
    ):
        assert problems(None, **member)


def test_values_that_are_too_long_are_refused_before_they_are_used() -> None:
    of = flow(
        tokenUrl="https://a.example.com/{{variables.v}}",
        authorizationParams={"x": "{{variables.v}}"},
        variables={"v": STRING},
    )
    with pytest.raises(ValueRefused):
        destination(of, v="x" * 3000)
    with pytest.raises(ValueRefused):
        of.url({"v": "x" * 20_000}, "id", redirect_uri=REDIRECT_URI, state="s", code_challenge="c")
