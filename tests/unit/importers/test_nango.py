"""A list in the form of Nango's, in words of our own."""

import time
from typing import Any

import pytest
import yaml
from patchbay_importers import nango
from patchbay_importers.imported import Imported
from patchbay_importers.refusals import ImportRefused

from tests.unit.importers.publishable import published, steps_of

LIST = """
tasks-key:
  display_name: Tasks (key)
  categories: [popular, dev-tools]
  auth_mode: API_KEY
  docs: https://docs.example.com/tasks
  proxy:
    base_url: https://api.tasks.example
    headers:
      authorization: Token token=${apiKey}
      x-version: "2"
      content-type: application/json
    verification:
      method: GET
      endpoints: [/v1/me]
      headers: {accept: application/json}
  credentials:
    apiKey:
      type: string
      title: API key
      pattern: ^[a-z]+$
      default_value: nonsense1
      example: abc
tasks-alias:
  alias: tasks-key
  display_name: Tasks (again)
query-key:
  display_name: Query
  auth_mode: API_KEY
  proxy:
    base_url: https://api.query.example
    query: {key: "${apiKey}", lang: en}
    verification: {endpoints: ["/ping?lang=de"]}
  credentials: {apiKey: {type: string, title: Key}}
path-key:
  display_name: Path
  auth_mode: API_KEY
  proxy:
    base_url: https://api.path.example/bot${apiKey}
    verification: {endpoints: [/getMe]}
  credentials: {apiKey: {type: string, title: Key}}
basic-key:
  display_name: Basic
  auth_mode: BASIC
  proxy:
    base_url: https://${connectionConfig.host}:${connectionConfig.port}/api
    verification: {endpoints: [/a, /b]}
  connection_config:
    host: {type: string, title: Host, format: hostname}
    port: {type: string, title: Port, default_value: "8443", pattern: "^[0-9]+$"}
  credentials:
    username: {type: string, title: API key, secret: true}
    password: {type: string, title: "", default_value: "", hidden: true}
pair:
  display_name: Pair
  auth_mode: API_KEY
  proxy:
    base_url: https://api.pair.example
    headers: {authorization: "Basic ${base64(${connectionConfig.mail}/token:${apiKey})}"}
  connection_config:
    mail: {type: string, title: Mail, format: email}
  credentials: {apiKey: {type: string, title: Key}}
code-flow:
  display_name: Code
  auth_mode: OAUTH2
  authorization_url: https://${connectionConfig.shop}.code.example/authorize
  token_url: https://${connectionConfig.shop}.code.example/token
  authorization_params: {response_type: code, access_type: offline, state: own}
  token_params: {grant_type: authorization_code, region: eu}
  refresh_params: {grant_type: refresh_token}
  scope_separator: ","
  default_scopes: [read, write]
  disable_pkce: true
  token_request_auth_method: basic
  body_format: json
  authorization_url_replacements: {client_id=: app_id=}
  token_response_metadata: [team.id]
  post_connection_script: codePostConnection
  proxy: {base_url: "https://api.github.com", paginate: {type: link}}
  connection_config:
    shop: {type: string, title: Shop, suffix: .code.example, order: 1}
    cloudId: {type: string, title: Cloud, automated: true}
client:
  display_name: Client
  auth_mode: OAUTH2_CC
  token_url: https://login.client.example/token || https://other.client.example/token
  proxy:
    base_url: https://api.client.example
    headers: {x-token: "${accessToken}"}
two-steps:
  display_name: Two
  auth_mode: TWO_STEP
  body_format: json
  token_url: https://api.two.example/login
  token_params: {user: "${credentials.email}", password: "${credentials.password}"}
  token_response: {token: data.session}
  proxy:
    base_url: https://api.two.example
    headers: {authorization: "Bearer ${accessToken}"}
    verification: {endpoints: [/me]}
  credentials:
    email: {type: string, title: Mail}
    password: {type: string, title: Password, secret: true}
two-steps-grant:
  display_name: Two with a grant
  auth_mode: TWO_STEP
  body_format: form
  token_url: https://api.grant.example/token
  token_params:
    grant_type: client_credentials
    client_id: ${credentials.clientId}
    client_secret: ${credentials.clientSecret}
  token_response: {token: access_token}
  proxy: {base_url: "https://api.grant.example"}
  credentials:
    clientId: {type: string, title: Client}
    clientSecret: {type: string, title: Secret, secret: true}
signs:
  display_name: Signs
  auth_mode: SIGNATURE
  proxy: {base_url: "https://api.signs.example"}
posts:
  display_name: Posts
  auth_mode: API_KEY
  proxy:
    base_url: https://api.posts.example
    headers: {authorization: "Bearer ${apiKey}", x-sign: "${sha256Hex(${random})}"}
    verification: {method: POST, endpoints: [/pages]}
  credentials: {apiKey: {type: string, title: Key, pattern: "^(?!x)y$"}}
"""


@pytest.fixture(scope="module")
def found() -> dict[str, Imported]:
    return {one.name: one for one in nango.imported_from(yaml.safe_load(LIST))}


def test_a_key_in_a_header_and_the_verification_as_a_check(found: dict[str, Imported]) -> None:
    definition = published(found["tasks-key"])

    assert definition["name"] == "Tasks (key)"
    assert definition["slug"] == "tasks-key"
    assert definition["visibility"] == "private"
    assert definition["documentation"] == ["https://docs.example.com/tasks"]
    assert definition["manifest"]["category"] == "developer-tools"
    assert definition["authConfig"] == {
        "type": "api_key",
        "authHeaderName": "authorization",
        "authValuePrefix": "Token token=",
    }
    assert steps_of(definition) == [
        {
            "name": "verification",
            "kind": "http",
            "request": {
                "method": "GET",
                "url": "https://api.tasks.example/v1/me",
                "headers": {"x-version": "2", "accept": "application/json"},
            },
        }
    ]


def test_where_it_comes_from_and_its_license_are_in_the_description(
    found: dict[str, Imported],
) -> None:
    description = published(found["tasks-key"])["description"]

    assert description == (
        "Imported from your copy of providers.yaml of NangoHQ/nango. "
        "License: Elastic License 2.0, for your own use."
    )


def test_a_secret_has_neither_a_default_nor_an_example(found: dict[str, Imported]) -> None:
    schema = published(found["tasks-key"])["manifest"]["secretsSchema"]

    assert schema["properties"] == {
        "api_key": {"type": "string", "title": "API key", "pattern": "^[a-z]+$"}
    }
    assert schema["required"] == ["api_key"]


def test_an_alias_has_what_it_does_not_say_itself(found: dict[str, Imported]) -> None:
    definition = published(found["tasks-alias"])

    assert definition["name"] == "Tasks (again)"
    assert steps_of(definition)


def test_a_key_in_the_query_is_sent_by_the_check_alone(found: dict[str, Imported]) -> None:
    definition = published(found["query-key"])

    assert definition["authConfig"] == {"type": "none"}
    assert steps_of(definition)[0]["request"] == {
        "method": "GET",
        "url": "https://api.query.example/ping?lang=de",
        "query": {"key": "{{secrets.api_key}}"},
    }
    assert any("the proxy" in note for note in found["query-key"].notes)


def test_a_key_in_the_path(found: dict[str, Imported]) -> None:
    (step,) = steps_of(published(found["path-key"]))

    assert step["request"]["url"] == "https://api.path.example/bot{{secrets.api_key}}/getMe"


def test_a_user_name_that_is_the_key_and_a_host_and_port_of_the_customer(
    found: dict[str, Imported],
) -> None:
    definition = published(found["basic-key"])

    assert definition["authConfig"] == {"type": "basic", "password": ""}
    assert definition["variablesSchema"]["properties"] == {
        "host": {"type": "string", "title": "Host", "format": "hostname"},
        "port": {"type": "integer", "title": "Port", "default": 8443},
    }
    (step,) = steps_of(definition)
    assert step["kind"] == "any_of"
    assert len(step["anyOf"]) == 2


def test_a_pair_in_base64_is_basic(found: dict[str, Imported]) -> None:
    assert published(found["pair"])["authConfig"] == {
        "type": "basic",
        "username": "{{variables.mail}}/token",
        "password": "{{secrets.api_key}}",
    }


def test_the_code_flow_with_all_that_the_list_says(found: dict[str, Imported]) -> None:
    definition = published(found["code-flow"])

    assert definition["authConfig"] == {
        "type": "oauth2",
        "authorizationUrl": "https://{{variables.shop}}.code.example/authorize",
        "tokenUrl": "https://{{variables.shop}}.code.example/token",
        "scopes": ["read", "write"],
        "scopeSeparator": ",",
        "clientAuth": "basic",
        "tokenBodyFormat": "json",
        "authorizationParams": {"access_type": "offline"},
        "tokenParams": {"region": "eu"},
        "refreshParams": {},
        "pkce": "none",
        "parameterNames": {"client_id": "app_id"},
        "capture": {"tokenResponse": {"/team/id": "team_id"}},
    }
    shop = definition["variablesSchema"]["properties"]["shop"]
    assert shop == {"type": "string", "title": "Shop", "x-suffix": ".code.example", "x-order": 1}
    assert definition["variablesSchema"]["required"] == ["shop"]


def test_what_the_list_does_by_code_is_said(found: dict[str, Imported]) -> None:
    assert found["code-flow"].needs_code == (
        "it fills in cloudId after connecting",
        "post_connection_script: codePostConnection",
    )


def test_a_known_host_has_a_check_of_our_own(found: dict[str, Imported]) -> None:
    (step,) = steps_of(published(found["code-flow"]))

    assert step["name"] == "whoami"
    assert step["request"]["url"] == "https://api.github.com/user"


def test_the_grant_of_a_client_is_checked_by_a_token(found: dict[str, Imported]) -> None:
    definition = published(found["client"])

    assert definition["authConfig"] == {
        "type": "oauth2",
        "grantType": "client_credentials",
        "tokenUrl": "https://other.client.example/token",
        "clientAuth": "body",
        "authHeaderName": "x-token",
        "authValuePrefix": "",
    }
    assert [step["kind"] for step in steps_of(definition)] == ["oauth2_token"]
    assert any("alternatives" in note for note in found["client"].notes)


def test_two_steps_log_in_and_use_the_token(found: dict[str, Imported]) -> None:
    log_in, read = steps_of(published(found["two-steps"]))

    assert log_in["request"]["body"] == {
        "json": {"user": "{{secrets.email}}", "password": "{{secrets.password}}"}
    }
    assert log_in["obtain"] == {"access_token": "/data/session"}
    assert read["request"]["headers"] == {"authorization": "Bearer {{secrets.access_token}}"}


def test_two_steps_with_a_grant_are_oauth(found: dict[str, Imported]) -> None:
    definition = published(found["two-steps-grant"])

    assert definition["authConfig"]["grantType"] == "client_credentials"
    assert definition["authConfig"]["clientAuth"] == "body"


def test_what_signs_its_requests_is_not_imported(found: dict[str, Imported]) -> None:
    assert found["signs"].definition is None
    assert found["signs"].line(None).startswith("signs: not imported\n  it signs its requests")


def test_a_post_is_no_check_and_what_is_computed_needs_code(found: dict[str, Imported]) -> None:
    assert steps_of(published(found["posts"])) == []
    assert any("verified by a POST of /pages" in note for note in found["posts"].notes)
    assert found["posts"].needs_code == ("its header x-sign is computed",)
    assert found["posts"].line([]).startswith("posts: published, no check, needs code\n")


def test_only_those_that_are_named() -> None:
    found = list(nango.imported_from(yaml.safe_load(LIST), only=["pair", "unknown"]))

    assert [(one.name, one.refused) for one in found] == [
        ("unknown", "is not in the list"),
        ("pair", None),
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("text", "/x: must be an object"),
        ({"auth_mode": 3}, "/x/auth_mode: must be a string"),
        ({}, "/x/auth_mode: must be a string"),
        ({"alias": "x"}, "/x/alias: leads in a circle"),
        ({"alias": "y"}, "/x/alias: is not the name of a provider of the list"),
        (
            {"auth_mode": "API_KEY", "connection_config": ["a"]},
            "/x/connection_config: must be an object",
        ),
        (
            {"auth_mode": "API_KEY", "connection_config": {"a/b": {"title": 1}}},
            "/x/connection_config/a~1b/title: must be a string",
        ),
        (
            {"auth_mode": "API_KEY", "proxy": {"base_url": "no address"}},
            "/x/proxy/base_url: must be an absolute URL of http or https",
        ),
        (
            {"auth_mode": "API_KEY", "proxy": {"base_url": "https://${now:X}.example"}},
            "/x/proxy/base_url: has a placeholder that only code can fill in",
        ),
        (
            {"auth_mode": "OAUTH2", "token_url": {"a": 1}},
            "/x/token_url: must be a string",
        ),
        (
            {"auth_mode": "OAUTH2_CC", "token_url": "https://a.example", "body_format": "xml"},
            "/x/body_format: is none of form, json, and query",
        ),
    ],
)
def test_a_wrong_entry_is_refused_at_its_place_and_the_others_are_not(
    entry: object, said: str
) -> None:
    good = {"auth_mode": "NONE", "proxy": {"base_url": "https://api.example.com"}}

    wrong, right = nango.imported_from({"x": entry, "z": good})

    assert (wrong.definition, wrong.refused) == (None, said)
    published(right)


@pytest.mark.parametrize("document", [None, [], "text", {}, 3])
def test_what_is_no_list_is_refused(document: object) -> None:
    with pytest.raises(ImportRefused, match="must be an object of providers"):
        list(nango.imported_from(document))


def test_every_name_and_text_of_a_stranger_is_published_or_refused() -> None:
    strange = {
        "ünï cödé \x00 / ~ ": {
            "display_name": "\u202eevil\x00\n" + "x" * 500,
            "auth_mode": "API_KEY",
            "categories": ["Über \x00"],
            "docs": "javascript:alert(1)",
            "connection_config": {
                "1 {{variables.x}}": {"title": "a\x00b", "enum": ["a", "a"], "default_value": "q"},
                "1__variables_x": {"title": "the same name"},
            },
            "proxy": {
                "base_url": "https://api.example.com",
                "headers": {"authorization": "Bearer ${apiKey}", "Host": "evil.example"},
                "verification": {"endpoints": ["/a\r\nb"]},
            },
        }
    }

    (one,) = nango.imported_from(strange)

    assert one.definition is not None
    assert "documentation" not in one.definition
    assert one.definition["name"].startswith("evil x")
    assert len(one.definition["variablesSchema"]["properties"]) == 2


@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        ("login.desk.example", "*.desk.example"),
        ("login.desk.co.uk", "*.desk.co.uk"),
        ("LOGIN.desk.com.au", "*.desk.com.au"),
        ("desk.auth.eu-1.amazonaws.com", None),
        ("desk.github.io", None),
        ("co.uk", None),
    ],
)
def test_an_answer_decides_no_host_of_others(host: str, hosts: str | None) -> None:
    """Anybody can get a name in co.uk, or in github.io, and so the tokens of an account."""
    entry = {
        "auth_mode": "OAUTH2",
        "authorization_url": f"https://{host}/authorize",
        "token_url": f"https://{host}/token",
        "redirect_uri_metadata": ["api"],
        "proxy": {"base_url": "https://${connectionConfig.api}"},
    }

    [one] = nango.imported_from({"desk": entry})

    if hosts is None:
        assert one.refused == "/desk/token_url: an answer decides a host of any domain"
    else:
        capture = published(one)["authConfig"]["capture"]["callback"]["api"]
        assert capture == {"variable": "api", "hosts": [hosts]}


@pytest.mark.parametrize(
    "entry",
    [
        {"proxy": {"base_url": "https://a.example/" + " " * 60_000 + "x"}},
        {
            "proxy": {
                "base_url": "https://a.example",
                "headers": {"authorization": "Basic ${base64(" + ":" * 60_000},
            }
        },
        {
            "proxy": {"base_url": "https://a.example"},
            "connection_config": {f"n{number}": {} for number in range(20_000)},
        },
        {"proxy": {"base_url": "https://{{variables.host}}"}},
        {"proxy": {"base_url": "https://a.example:{{variables.port}}"}},
    ],
)
def test_what_is_too_much_or_of_another_format_is_refused_soon(entry: dict[str, Any]) -> None:
    began = time.process_time()
    [one] = nango.imported_from({"x": {"auth_mode": "API_KEY", **entry}})
    assert one.refused
    assert len(one.refused) < 200
    assert time.process_time() - began < 5


def test_names_in_other_scripts_have_slugs_of_their_own() -> None:
    document = {name: {"auth_mode": "API_KEY"} for name in ("日本", "中国", "Связь")}

    slugs = [published(one)["slug"] for one in nango.imported_from(document)]

    assert len({*slugs}) == 3
    assert slugs == [published(one)["slug"] for one in nango.imported_from(document)]
