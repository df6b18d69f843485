"""The code flow as `authConfig` says it: the URL, the callback, the exchange, and what publishing
refuses."""

import hmac
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from patchbay.checks.auth_config import auth_config_problems
from patchbay.checks.authorization_code import (
    MAX_PARAMETER,
    MAX_QUERY,
    MAX_URL,
    AuthorizationRecipe,
    CallbackAnswer,
    callback_parameters,
)
from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.templates import ValueRefused
from tests.unit.checks.oauth_targets import (
    CLIENT,
    HOSTNAME,
    REDIRECT_URI,
    STRING,
    auth_config,
    problems,
    recipe,
)


def flow(**more: Any) -> AuthorizationRecipe:
    made = recipe(**more)
    assert made.problems == ()
    assert made.authorization is not None
    return made.authorization


def url(
    of: AuthorizationRecipe, scopes: list[str] | None = None, **variables: object
) -> dict[str, str]:
    """The parameters of the authorization URL, and its beginning as `url`."""
    text = of.url(
        variables,
        "client:1",
        redirect_uri=REDIRECT_URI,
        state="st&te",
        code_challenge="challenge" if of.uses_pkce else None,
        scopes=scopes,
    )
    parts = urlsplit(text)
    assert not parts.fragment
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    assert len({name for name, _ in pairs}) == len(pairs)
    return {"url": f"{parts.scheme}://{parts.netloc}{parts.path}", **dict(pairs)}


def exchange(of: AuthorizationRecipe, **variables: object) -> tuple[str, dict[str, str]]:
    call = of.exchange(
        variables, CLIENT, code="c&de", redirect_uri=REDIRECT_URI, code_verifier="verifier"
    )
    return call.request.target.url, dict(parse_qsl(call.request.body.decode()))


def test_the_url_has_what_rfc_6749_and_rfc_7636_ask_for() -> None:
    assert url(flow()) == {
        "url": "https://auth.example.net/authorize",
        "response_type": "code",
        "client_id": "client:1",
        "redirect_uri": REDIRECT_URI,
        "scope": "read write",
        "state": "st&te",
        "code_challenge": "challenge",
        "code_challenge_method": "S256",
    }


def test_a_provider_without_pkce_gets_none_of_it() -> None:
    of = flow(pkce="none")

    assert not of.uses_pkce
    assert not {"code_challenge", "code_challenge_method"} & url(of).keys()
    assert "code_verifier" not in exchange(of)[1]


def test_pkce_needs_both_of_its_halves() -> None:
    of = flow()

    with pytest.raises(ValueError, match="challenge"):
        of.url({}, "id", redirect_uri=REDIRECT_URI, state="s", code_challenge=None)
    with pytest.raises(ValueError, match="verifier"):
        of.exchange({}, CLIENT, code="c", redirect_uri=REDIRECT_URI, code_verifier=None)


def test_scopes_are_joined_as_the_provider_wants_them_and_may_be_others() -> None:
    of = flow(scopeSeparator=",")
    text = of.url(
        {}, "id", redirect_uri=REDIRECT_URI, state="s", code_challenge="c", scopes=["a", "b:c"]
    )

    assert "&scope=a,b%3Ac&" in text
    assert "scope" not in url(flow(), scopes=[])
    assert of.scopes == ("read", "write")


@pytest.mark.parametrize("scope", ["", "a b", "a\r\nX: y", 'a"b', "a\\b", "é", "x" * 257])
def test_a_scope_that_is_none_is_refused(scope: str) -> None:
    with pytest.raises(ValueRefused) as refused:
        url(flow(), scopes=["read", scope])

    assert refused.value.problem.pointer == "/scopes/1"
    assert problems(scopes=["read", scope]) == {
        "/authConfig/scopes/1": "must be a scope: visible characters"
    }


def test_more_parameters_are_templates_of_variables() -> None:
    of = flow(
        authorizationParams={
            "access_type": "offline",
            "audience": "https://{{variables.site}}.example.com/",
            "login_hint": {"optional": "{{variables.user}}"},
        },
        variables={"site": STRING, "user": STRING},
    )

    assert url(of, site="a&b=c")["audience"] == "https://a&b=c.example.com/"
    assert url(of, site="eu")["access_type"] == "offline"
    assert "login_hint" not in url(of, site="eu")
    assert url(of, site="eu", user="ann@example.com")["login_hint"] == "ann@example.com"


def test_parameters_have_the_names_of_the_provider() -> None:
    of = flow(parameterNames={"client_id": "client_key", "state": "customField"})

    assert url(of)["client_key"] == "client:1"
    assert url(of)["customField"] == "st&te"
    assert of.state_parameter == "customField"
    assert of.callback({"customField": "s", "code": "c"}).code == "c"


def test_a_name_may_be_another_one_in_one_place_only() -> None:
    of = flow(parameterNames={"code": {"callback": "spapi_oauth_code"}}, clientAuth="body")

    assert of.callback({"spapi_oauth_code": "c", "code": "other"}).code == "c"
    assert exchange(of)[1]["code"] == "c&de"


def test_the_response_type_may_be_another_or_none() -> None:
    assert url(flow(authorizationParams={"response_type": "auth_code"}))["response_type"] == (
        "auth_code"
    )
    assert "response_type" not in url(flow(authorizationParams={"response_type": None}))


def test_urls_have_placeholders_of_hosts_labels_and_segments() -> None:
    of = flow(
        authorizationUrl="https://{{variables.host}}/{{variables.tenant}}/authorize?a=1",
        tokenUrl="https://{{variables.region}}.example.com/{{variables.tenant}}/token",
        variables={"host": HOSTNAME, "tenant": STRING, "region": STRING},
        clientAuth="body",
    )
    values: dict[str, Any] = {"host": "login.example.org", "tenant": "a/b", "region": "eu"}

    assert url(of, **values)["url"] == "https://login.example.org/a%2Fb/authorize"
    assert url(of, **values)["a"] == "1"
    assert exchange(of, **values)[0] == "https://eu.example.com/a%2Fb/token"


def test_a_variable_of_a_whole_url_must_lead_to_https() -> None:
    of = flow(
        authorizationUrl="{{variables.base}}/authorize",
        variables={"base": {"type": "string", "format": "uri"}},
    )

    assert url(of, base="https://a.example.com/x")["url"] == "https://a.example.com/x/authorize"
    with pytest.raises(ValueRefused) as refused:
        url(of, base="http://a.example.com")
    assert refused.value.problem.pointer == "/variables/base"


def test_a_variable_takes_the_default_of_its_schema() -> None:
    of = flow(
        authorizationUrl="https://{{variables.host}}/authorize",
        tokenUrl="https://{{variables.host}}/token",
        variables={"host": HOSTNAME | {"default": "login.example.com"}},
    )

    assert url(of)["url"] == "https://login.example.com/authorize"
    assert exchange(of)[0] == "https://login.example.com/token"


def test_a_missing_variable_is_named() -> None:
    of = flow(
        authorizationUrl="https://{{variables.shop}}.example.com/a", variables={"shop": STRING}
    )

    with pytest.raises(ValueRefused) as refused:
        url(of)
    assert refused.value.problem.pointer == "/variables/shop"


def test_the_id_of_the_client_may_be_a_part_of_the_url() -> None:
    of = flow(authorizationUrl="https://auth.example.net/authorize/{{secrets.client_id}}")

    assert url(of)["url"] == "https://auth.example.net/authorize/client%3A1"
    members: list[dict[str, Any]] = [
        {"authorizationUrl": "https://auth.example.net/{{secrets.client_secret}}"},
        {"authorizationUrl": "https://auth.example.net/a?b={{secrets.client_secret}}"},
        {"authorizationParams": {"x": "{{secrets.client_secret}}"}},
    ]
    for member in members:
        [message] = problems(**member).values()
        assert message == "may not have a secret: a browser shows it"


def test_a_url_of_the_longest_length_is_made() -> None:
    assert MAX_URL == 8192
    of = flow(pkce="none", scopes=[])

    def made(state: str) -> str:
        return of.url({}, "id", redirect_uri=REDIRECT_URI, state=state, code_challenge=None)

    room = MAX_URL - len(made("x")) + 1
    assert len(made("x" * room)) == MAX_URL
    with pytest.raises(ValueRefused):
        made("x" * (room + 1))


def test_values_are_encoded_for_a_query() -> None:
    of = flow(authorizationParams={"x": "{{variables.v}}"}, variables={"v": STRING})

    assert url(of, v="")["x"] == ""
    with pytest.raises(ValueRefused):
        url(of, v="a\x00b")
    named = flow(parameterNames={"state": "a/b&c"})
    assert "&a%2Fb%26c=st%26te&" in named.url(
        {}, "id", redirect_uri=REDIRECT_URI, state="st&te", code_challenge="c"
    )


def test_the_issuer_is_a_template() -> None:
    of = flow(
        issuer="https://{{variables.region}}.example.com/{{variables.tenant}}",
        variables={"region": STRING, "tenant": STRING | {"default": "t-1"}},
    )

    assert of.expected_issuer({"region": "eu"}) == "https://eu.example.com/t-1"
    assert flow().expected_issuer({}) is None
    with pytest.raises(ValueRefused):
        of.expected_issuer({})


def test_a_lookup_has_the_variables_and_the_token() -> None:
    of = flow(
        lookup={"url": "https://{{variables.region}}.example.com/me", "captures": {"/id": "site"}},
        variables={"region": STRING | {"default": "eu"}, "site": STRING},
    )
    call = of.lookup({}, "the-token", "c")
    assert call
    assert call.request.target.host == "eu.example.com"
    assert ("Authorization", "Bearer the-token") in call.request.headers
    call = of.lookup({"region": "us"}, "t", "c")
    assert call
    assert call.request.target.host == "us.example.com"
    assert flow().lookup({}, "t", "c") is None
    assert of.captured == of.open_captures == {"site"}


def test_an_exchange_captures_and_knows_the_unit_of_the_expiry() -> None:
    call = flow(
        capture={"tokenResponse": {"/id": "site"}},
        variables={"site": STRING},
        expiresInUnit="milliseconds",
        defaultExpiresIn=60,
    ).exchange({}, CLIENT, code="c", redirect_uri=REDIRECT_URI, code_verifier="v")

    assert [one.variable for one in call.captures] == ["site"]
    assert (call.expiry.unit, call.expiry.default_seconds) == ("milliseconds", 60)


def test_a_refresh_captures_nothing_that_could_cost_its_tokens() -> None:
    of = recipe(capture={"tokenResponse": {"/id": "site"}}, variables={"site": STRING})
    assert of.renewal

    assert of.renewal.refresh({}, CLIENT, secrets={"refresh_token": "r"}).captures == ()


def test_an_answer_without_anything_has_nothing() -> None:
    assert CallbackAnswer() == CallbackAnswer(None, None, None, None, {})
    assert "c0de" not in repr(CallbackAnswer("c0de"))
    assert "code=" not in repr(CallbackAnswer("c0de"))


def test_a_url_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueRefused) as refused:
        url(flow(), scopes=["x" * 250 for _ in range(MAX_URL // 250)])

    assert refused.value.problem.pointer == "/scopes"


def test_a_callback_has_a_code_or_an_error() -> None:
    of = flow()

    found = of.callback([("code", "c"), ("state", "s"), ("iss", "https://auth.example.net")])
    assert (found.code, found.error, found.iss) == ("c", None, "https://auth.example.net")
    found = of.callback({"error": "access_denied", "error_description": "No.", "code": "c"})
    assert (found.code, found.error, found.error_description) == (None, "access_denied", "No.")
    assert of.callback({"code": ""}).code is None
    assert "c0de" not in repr(of.callback({"code": "c0de"}))


@pytest.mark.parametrize(
    "query",
    ["code=a&code=b", "state=a&code=c&state=b", "x=1&x=1", f"code={'c' * (MAX_PARAMETER + 1)}"],
)
def test_a_parameter_that_is_there_twice_or_is_too_long_is_refused(query: str) -> None:
    with pytest.raises(ValueRefused) as refused:
        flow().callback(callback_parameters(query))

    assert refused.value.problem.pointer == "/callback"


@pytest.mark.parametrize("query", ["x" * (MAX_QUERY + 1), "&".join(["a=1"] * 51)])
def test_a_callback_that_is_too_long_is_refused(query: str) -> None:
    with pytest.raises(ValueRefused) as refused:
        callback_parameters(query)
    assert refused.value.problem.pointer == "/callback"
    longest = "x=" + "y" * (MAX_QUERY - 2)
    assert callback_parameters(longest) == [("x", longest[2:])]


def test_a_callback_of_the_longest_parameters_is_read() -> None:
    query = f"code={'c' * MAX_PARAMETER}&state="

    assert callback_parameters(query) == [("code", "c" * MAX_PARAMETER), ("state", "")]
    assert flow().callback(callback_parameters(query)).code == "c" * MAX_PARAMETER
    assert len(callback_parameters("&".join(f"a{n}=1" for n in range(50)))) == 50


def test_variables_of_a_callback_are_captured() -> None:
    of = flow(
        tokenUrl="https://{{variables.accounts}}/token",
        capture={
            "callback": {
                "realmId": "realm",
                "accounts-server": {"variable": "accounts", "hosts": ["accounts.zoho.eu"]},
            }
        },
        variables={
            "realm": STRING,
            "accounts": HOSTNAME | {"default": "accounts.zoho.com"},
        },
    )

    found = of.callback(
        {"code": "c", "realmId": "12", "accounts-server": "https://accounts.zoho.eu"}
    )
    assert found.captured == {"realm": "12", "accounts": "accounts.zoho.eu"}
    assert of.captured == {"realm", "accounts"}
    assert exchange(of, **found.captured)[0] == "https://accounts.zoho.eu/token"
    assert of.callback({"code": "c"}).captured == {}
    assert exchange(of)[0] == "https://accounts.zoho.com/token"


def test_an_error_captures_nothing() -> None:
    of = flow(capture={"callback": {"realmId": "realm"}}, variables={"realm": STRING})

    assert of.callback({"error": "access_denied", "realmId": "12"}).captured == {}


def test_the_exchange_has_what_the_flow_began_with() -> None:
    of = flow(clientAuth="body", tokenParams={"expiring": "1"}, refreshParams={"other": "1"})

    assert exchange(of) == (
        "https://auth.example.net/token",
        {
            "grant_type": "authorization_code",
            "code": "c&de",
            "redirect_uri": REDIRECT_URI,
            "code_verifier": "verifier",
            "client_id": "client:1",
            "client_secret": "s3cret/of+client",
            "expiring": "1",
        },
    )


def test_the_state_goes_with_the_code_where_the_provider_wants_it() -> None:
    given: dict[str, Any] = {"code": "c", "redirect_uri": REDIRECT_URI, "code_verifier": "v"}
    of = flow(stateInExchange=True)
    body = parse_qs(of.exchange({}, CLIENT, **given, state="st4te").request.body.decode())
    assert body["state"] == ["st4te"]
    renamed = flow(stateInExchange=True, parameterNames={"state": {"token": "nonce"}})
    body = parse_qs(renamed.exchange({}, CLIENT, **given, state="st4te").request.body.decode())
    assert body["nonce"] == ["st4te"]
    assert "state" not in body
    for unasked in (flow(), flow(stateInExchange=False)):
        call = unasked.exchange({}, CLIENT, **given, state="st4te")
        assert b"st4te" not in call.request.body
    with pytest.raises(ValueError, match="the state with the code"):
        of.exchange({}, CLIENT, **given)


def test_the_redirect_uri_goes_with_a_refresh_where_the_provider_wants_it() -> None:
    secrets = {"refresh_token": "r"}

    def sent(redirect_uri: str | None, **config: Any) -> dict[str, list[str]]:
        renewal = recipe(**config).renewal
        assert renewal
        call = renewal.refresh({}, CLIENT, secrets=secrets, redirect_uri=redirect_uri)
        return parse_qs(call.request.body.decode())

    refresh = {"grant_type": ["refresh_token"], "refresh_token": ["r"]}
    wanted = {"redirectUriInRefresh": True}
    assert sent(REDIRECT_URI) == refresh
    assert sent(REDIRECT_URI, redirectUriInRefresh=False) == refresh
    assert sent(REDIRECT_URI, **wanted) == refresh | {"redirect_uri": [REDIRECT_URI]}
    names = {"redirect_uri": {"token": "callback"}}
    assert sent(REDIRECT_URI, **wanted, parameterNames=names) == refresh | {
        "callback": [REDIRECT_URI]
    }
    # Of tokens that were pasted nobody knows it.
    assert sent(None, **wanted) == refresh


def test_what_is_sent_again_clashes_with_no_other_parameter() -> None:
    twice = "is sent without it"
    assert problems(stateInExchange=True, tokenParams={"State": "x"}) == {
        "/authConfig/tokenParams": f'has "State", which {twice}'
    }
    assert problems(stateInExchange=True, tokenUrl="https://a.example.com/?state=1") == {
        "/authConfig/tokenUrl": "has a parameter that is sent without it"
    }
    assert problems(redirectUriInRefresh=True, refreshParams={"redirect_uri": "x"}) == {
        "/authConfig/refreshParams": f'has "redirect_uri", which {twice}'
    }
    refresh_url = "https://a.example.com/?redirect_uri=x"
    assert problems(redirectUriInRefresh=True, refreshUrl=refresh_url) == {
        "/authConfig/refreshUrl": "has a parameter that is sent without it"
    }
    # Without these members, they are parameters like others.
    assert problems(tokenParams={"state": "x"}, refreshParams={"redirect_uri": "x"}) == {}


def test_the_code_and_what_proves_it_are_secret() -> None:
    call = flow(stateInExchange=True).exchange(
        {}, CLIENT, code="c0de", redirect_uri=REDIRECT_URI, code_verifier="ver1fy", state="st4te"
    )

    assert {"c0de", "ver1fy", "st4te"} <= {*call.secret_values}
    assert "c0de" not in repr(call)
    assert "s3cret" not in repr(CLIENT)


def test_parameters_of_a_token_request_may_have_declared_secrets() -> None:
    manifest = {"secretsSchema": {"properties": {"subscription": {"type": "string"}}}}
    of = recipe(manifest, tokenParams={"key": "{{secrets.subscription}}"}, clientAuth="none")
    assert of.authorization is not None
    call = of.authorization.exchange(
        {},
        OAuthClient("public"),
        code="c",
        redirect_uri=REDIRECT_URI,
        code_verifier="v",
        secrets={"subscription": "s"},
    )

    assert b"key=s" in call.request.body
    assert of.asked_secrets == ("subscription",)


def test_a_client_without_its_secret_is_named() -> None:
    with pytest.raises(ValueRefused) as refused:
        flow().exchange(
            {}, OAuthClient("id"), code="c", redirect_uri=REDIRECT_URI, code_verifier="v"
        )

    assert refused.value.problem.pointer == "/secrets/client_secret"


def _signed(secret: str, **parameters: str) -> dict[str, str]:
    text = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()))
    return {**parameters, "hmac": hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()}


def test_a_callback_is_signed_as_shopify_does_it() -> None:
    # https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/authorization-code-grant
    of = flow(callbackHmac="hmac")
    query = _signed(
        "hush", code="0907a61c0c8d55e99db179b68161bc00", shop="a.myshopify.com", state="1"
    )

    client = OAuthClient("id", "hush")
    assert of.callback(query, client).code == "0907a61c0c8d55e99db179b68161bc00"
    for wrong in (
        {**query, "shop": "b.myshopify.com"},
        {**query, "extra": "1"},
        {**query, "hmac": ""},
        {**query, "hmac": "é"},
        {name: value for name, value in query.items() if name != "hmac"},
    ):
        with pytest.raises(ValueRefused, match="not signed") as refused:
            of.callback(wrong, client)
        assert refused.value.problem.pointer == "/callback"
    for other in (None, OAuthClient("id"), OAuthClient("id", "")):
        with pytest.raises(ValueRefused, match="not signed"):
            of.callback(_signed("", code="c"), other)


@pytest.mark.parametrize(
    ("member", "pointer", "message"),
    [
        ({"pkce": "plain"}, "/pkce", "must be one of S256, none"),
        ({"callbackHmac": "a b"}, "/callbackHmac", "must be the name of a parameter"),
        ({"expiresInUnit": "weeks"}, "/expiresInUnit", "must be one of seconds, "),
        ({"defaultExpiresIn": 0}, "/defaultExpiresIn", "must be a number of seconds from 1 to "),
        ({"defaultExpiresIn": True}, "/defaultExpiresIn", "must be a number of seconds"),
        ({"refresh": 1}, "/refresh", "is not a known key"),
        ({"tokenUrl": "http://a.example.com/t"}, "/tokenUrl", "must be an https URL"),
        ({"tokenUrl": "https://a.example.com/t#x"}, "/tokenUrl", "must be an absolute"),
        ({"tokenUrl": "https://u:p@a.example.com/t"}, "/tokenUrl", "can never be dialed"),
        ({"authorizationUrl": "https://a.example.com/t#x"}, "/authorizationUrl", "must be an abs"),
        ({"authorizationUrl": "https://u@a.example.com/"}, "/authorizationUrl", "is not a valid"),
        ({"refreshUrl": "https://{{variables.x}}/t"}, "/refreshUrl", "{{variables.x}} is not decl"),
        ({"refreshUrl": 1}, "/refreshUrl", "must be a string"),
        ({"capture": {"header": {}}}, "/capture/header", "is not a known key"),
        ({"tokenParams": {"code": "x"}}, "/tokenParams", 'has "code", which is sent without it'),
        ({"tokenParams": {"redirect_uri": "x"}}, "/tokenParams", 'has "redirect_uri", which'),
        ({"tokenParams": {"code_verifier": "x"}}, "/tokenParams", 'has "code_verifier", which'),
        ({"refreshParams": {"refresh_token": "x"}}, "/refreshParams", 'has "refresh_token", which'),
        ({"authorizationParams": {"state": "x"}}, "/authorizationParams/state", "is sent without"),
        ({"authorizationParams": {"redirect_uri": "x"}}, "/authorizationParams/redirect_uri", "is"),
        (
            {
                "authorizationParams": {"response_type": "{{variables.x}}"},
                "variables": {"x": STRING},
            },
            "/authorizationParams/response_type",
            "must be a string without placeholders",
        ),
        ({"parameterNames": {"state": "s", "code": "s"}}, "/parameterNames", "has a name twice"),
        ({"parameterNames": {"iss": {"token": "s"}}}, "/parameterNames/iss", "is not sent or"),
        (
            {"parameterNames": {"code": {"callback": "a b"}}},
            "/parameterNames/code",
            "must be a name",
        ),
        ({"parameterNames": {"code": 1}}, "/parameterNames/code", "must be a name"),
        ({"parameterNames": {"nonce": "n"}}, "/parameterNames/nonce", "is not a known key"),
    ],
)
def test_what_can_not_be_is_a_problem(member: dict[str, Any], pointer: str, message: str) -> None:
    found = problems(**member)
    for one in auth_config_problems(
        auth_config(**{k: v for k, v in member.items() if k != "variables"})
    ):
        found.setdefault(one.pointer, one.message)

    assert list(found) == [f"/authConfig{pointer}"]
    assert found[f"/authConfig{pointer}"].startswith(message)


def test_what_is_captured_is_not_needed_before() -> None:
    variables = {"a": STRING, "b": STRING}
    late = "uses a variable that is captured later"
    callback, token = {"callback": {"x": "a"}}, {"tokenResponse": {"/x": "a"}}

    assert problems(
        authorizationUrl="https://a.example.com/{{variables.a}}",
        capture=callback,
        variables=variables,
    ) == {"/authConfig/authorizationUrl": late}
    assert problems(
        authorizationParams={"y": "{{variables.a}}"}, capture=callback, variables=variables
    ) == {"/authConfig/authorizationUrl": late}
    assert problems(
        tokenUrl="https://a.example.com/{{variables.a}}", capture=token, variables=variables
    ) == {"/authConfig/tokenUrl": late}
    assert (
        problems(
            tokenUrl="https://a.example.com/{{variables.a}}", capture=callback, variables=variables
        )
        == {}
    )
    lookup = {"url": "https://a.example.com/{{variables.b}}", "captures": {"/x": "b"}}
    assert problems(lookup=lookup, variables=variables) == {"/authConfig/lookup/url": late}
    lookup = {"url": "https://a.example.com/{{variables.a}}", "captures": {"/x": "b"}}
    assert problems(lookup=lookup, capture=token, variables=variables) == {}


def test_a_variable_is_captured_once() -> None:
    assert problems(
        capture={"callback": {"x": "a"}, "tokenResponse": {"/x": "a"}}, variables={"a": STRING}
    ) == {"/authConfig/capture": "has a variable twice"}


def test_members_of_the_code_flow_are_refused_elsewhere() -> None:
    only = "is only for the grant authorization_code"
    members: list[dict[str, Any]] = [
        {"authorizationParams": {}},
        {"pkce": "none"},
        {"capture": {}},
        {"lookup": {"url": "https://a.example.com/", "captures": {"/a": "a"}}},
        {"callbackHmac": "hmac"},
        {"stateInExchange": True},
        {"redirectUriInRefresh": False},
    ]
    for member in members:
        found = problems(grantType="client_credentials", variables={"a": STRING}, **member)
        assert found == {f"/authConfig/{next(iter(member))}": only}
    assert problems(grantType="client_credentials", refreshUrl="https://a.example.com/") == {
        "/authConfig/refreshUrl": "is only for a grant with a refresh token"
    }
    assert problems(type="api_key", pkce="none") == {
        "/authConfig/pkce": "is only for the type oauth2"
    }


def test_secrets_of_the_client_stand_in_for_a_token_of_its_own() -> None:
    step = {"name": "me", "kind": "http", "request": {"url": "https://a.example.com/me"}}
    manifest = {"checks": {"steps": [step]}}

    assert recipe(manifest).required_secrets == {"access_token"}
    assert recipe(manifest, grantType="refresh_token").required_secrets == {"access_token"}
    own = recipe(manifest, grantType="client_credentials")
    assert own.required_secrets == {"client_id", "client_secret"}
    without = {"checks": {"steps": [{**step, "auth": False}]}}
    assert recipe(without, grantType="client_credentials").required_secrets == frozenset()


def test_which_secrets_a_person_is_asked_for() -> None:
    assert recipe().asked_secrets == ()
    assert recipe().secret_names[:2] == ("access_token", "refresh_token")
    assert recipe(grantType="client_credentials").asked_secrets == ("client_id", "client_secret")
    jwt = recipe(grantType="client_credentials", clientAuth="private_key_jwt")
    assert jwt.asked_secrets == ("client_id", "private_key")
    assert recipe(type="api_key").asked_secrets == ("api_key",)
    assert recipe(type="none").asked_secrets == ()
    zoom = recipe(
        grantType="account_credentials",
        tokenParams={"id": "{{variables.a}}"},
        variables={"a": STRING},
    )
    assert zoom.asked_secrets == ("client_id", "client_secret")


def test_a_release_without_the_code_flow_has_no_authorization() -> None:
    assert recipe(grantType="client_credentials").authorization is None
    assert recipe(type="none", authorizationUrl=..., tokenUrl=...).authorization is None
    assert recipe(type="none").renewal is None
    assert recipe(pkce="plain").authorization is None
