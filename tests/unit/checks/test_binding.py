"""What stored secrets are bound to: which edits need them again, and which do not."""

import json
import re
from typing import Any

import pytest

from patchbay.checks.binding import BindingRule
from patchbay.checks.credentials import credential
from patchbay.checks.recipe import Recipe
from patchbay.checks.templates import Declarations
from patchbay.platform.errors import Problem

STRING = {"type": "string"}
HOST = {"type": "string", "format": "hostname"}
FREE = {"type": "string", "x-binding": "free"}
API_KEY = {"type": "api_key"}
NOTHING = Declarations(frozenset(), frozenset(), frozenset())
Schema = dict[str, Any]


def http(url: str, name: str = "call", *, auth: bool = True, **request: Any) -> dict[str, Any]:
    return {"name": name, "kind": "http", "auth": auth, "request": {"url": url, **request}}


def rule(
    *steps: dict[str, Any], auth: dict[str, Any] | None = None, **properties: Schema
) -> BindingRule:
    """The rule of an integration with these steps and variables."""
    auth, schema = auth or API_KEY, {"type": "object", "properties": properties}
    recipe = Recipe({"checks": {"steps": [*steps]}}, auth, schema)
    assert recipe.problems == ()
    templates = [step.template for step in recipe.steps]
    return BindingRule(templates, credential(auth, NOTHING), auth.get("tokenUrl"), schema)


def bound(made: BindingRule, **variables: Any) -> dict[str, Any]:
    binding = made.binding("int_1", variables)
    found: dict[str, Any] = binding["variables"]
    return found


def test_secrets_are_bound_to_the_integration_the_destination_and_how_they_are_sent() -> None:
    made = rule(
        http("https://{{variables.host}}/v1/{{variables.account}}"), host=HOST, account=STRING
    )
    variables = {"host": "API.Example.com.", "account": "acme"}
    assert made.binding("int_1", variables) == {
        "version": 2,
        "integration": "int_1",
        "destination": ["https://@api.example.com:443"],
        "placement": ["authorization", "Bearer "],
        "token_url": None,
        "variables": {"account": "acme", "host": "api.example.com"},
    }
    # and those that were sealed before, to the same without a version
    assert made.first_binding("int_1", variables) == {
        "integration": "int_1",
        "destination": ["https://@api.example.com:443"],
        "placement": ["authorization", "Bearer "],
        "token_url": None,
        "variables": {"account": "acme", "host": "api.example.com"},
    }


def test_another_integration_is_another_binding() -> None:
    made = rule(http("https://api.example.com/"))
    for binding in (made.binding, made.first_binding):
        assert binding("int_1", {}) != binding("int_2", {})


@pytest.mark.parametrize(
    ("auth", "placement"),
    [
        (API_KEY, ["authorization", "Bearer "]),
        ({"type": "api_key", "authValuePrefix": "Token"}, ["authorization", "Token "]),
        ({"type": "api_key", "authHeaderName": "X-Api-Key"}, ["x-api-key", ""]),
        ({"type": "api_key", "authHeaderName": "x-API-key"}, ["x-api-key", ""]),
        ({"type": "none"}, []),
    ],
)
def test_the_header_and_the_prefix_of_the_credential_are_bound(
    auth: dict[str, Any], placement: list[str]
) -> None:
    made = rule(http("https://api.example.com/"), auth=auth)
    assert made.binding("int_1", {})["placement"] == placement
    assert made.first_binding("int_1", {})["placement"] == placement


def test_the_token_url_is_bound() -> None:
    def with_token_url(url: str) -> BindingRule:
        return rule(http("https://api.example.com/"), auth={"type": "oauth2", "tokenUrl": url})

    one, other = with_token_url("https://a.example/token"), with_token_url("https://b.example/")
    assert one.binding("int_1", {})["token_url"] == "https://a.example/token"
    assert other.first_binding("int_1", {})["token_url"] == "https://b.example/"


# Variables that no step uses


@pytest.mark.parametrize(
    "name",
    [
        *("user", "username", "login", "account", "scheme", "host", "hostname", "domain", "port"),
        *("url", "base_url", "endpoint", "token_url", "proxy", "http_proxy", "https_proxy", "tls"),
        *("tls_mode", "ssl", "ssl_mode", "sslmode", "verify", "verify_tls", "verify_ssl"),
        *("insecure", "skip_verify", "ca", "ca_bundle", "ca_cert", "ca_certificate"),
        # In any spelling.
        *("tokenUrl", "token-url", "TOKEN_URL", "TokenURL", "baseURL", "skipVerify", "CACert"),
        # Places at the end of a longer name, one or several.
        *("db_host", "dbHost", "DBHost", "db-hostname", "mail_domain", "api_port", "apiUrl"),
        *("webhook_endpoint", "outbound_proxy", "db_hosts", "ports", "Urls"),
    ],
)
def test_a_variable_whose_name_decides_where_secrets_go_is_bound(name: str) -> None:
    made = rule(http("https://api.example.com/"), **{name: STRING})
    assert bound(made, **{name: "x"}) == {name: "x"}
    assert made.first_binding("int_1", {name: "x"})["variables"] == {name: "x"}


@pytest.mark.parametrize(
    "name",
    [
        *("region", "page_size", "userAgent", "user_id", "hostess", "important", "portable"),
        *("curl", "verify_count", "host_name_of_it", "casa", "sslx", "account_name"),
    ],
)
def test_a_variable_that_decides_nothing_is_not_bound(name: str) -> None:
    made = rule(http("https://api.example.com/"), **{name: STRING})
    assert bound(made, **{name: "x"}) == {}


@pytest.mark.parametrize(
    ("format_", "is_bound"),
    [
        *[("hostname", True), ("idn-hostname", True), ("ipv4", True), ("ipv6", True)],
        *[("uri", True), ("uri-reference", True), ("email", False), ("date", False)],
    ],
)
def test_a_variable_with_the_format_of_a_place_is_bound(format_: str, is_bound: bool) -> None:
    schema = {"type": "string", "format": format_}
    assert (bound(rule(http("https://a.example/"), x=schema), x="y") == {"x": "y"}) is is_bound
    many = {"type": "array", "items": schema}
    assert (bound(rule(http("https://a.example/"), x=many), x=["y"]) == {"x": ["y"]}) is is_bound


@pytest.mark.parametrize(
    ("format_", "one", "other", "same"),
    [
        ("hostname", "API.Example.com", "api.example.com", True),
        ("hostname", "api.example.com.", "api.example.com", True),
        ("hostname", "api.example.com", "api.example.org", False),
        # The case of a path matters.
        ("uri", "https://a.example/Path", "https://a.example/path", False),
        ("uri", "https://a.example/x.", "https://a.example/x", False),
    ],
)
def test_a_place_is_compared_in_its_canonical_form(
    format_: str, one: str, other: str, same: bool
) -> None:
    schema = {"type": "string", "format": format_}
    made = rule(http("https://a.example/"), x=schema)
    assert (bound(made, x=one) == bound(made, x=other)) is same
    nested = rule(http("https://a.example/"), at={"type": "object", "properties": {"x": schema}})
    assert (bound(nested, at={"x": one}) == bound(nested, at={"x": other})) is same


def test_what_has_a_deciding_name_and_no_format_is_compared_as_it_is() -> None:
    made = rule(http("https://a.example/"), host=STRING, ports={"type": "array"})
    assert bound(made, host="A.example", ports=[1, "B."]) == {
        "host": "A.example",
        "ports": [1, "B."],
    }


def test_values_inside_a_variable_are_bound_by_their_path() -> None:
    entry = {"type": "object", "properties": {"at": HOST, "note": STRING}}
    made = rule(
        http("https://a.example/"),
        database={"type": "object", "properties": {"at": HOST, "note": STRING}},
        replicas={"type": "array", "items": entry},
    )
    assert bound(
        made,
        database={"at": "DB.example.", "note": "x", "inner": {"port": 5}},
        replicas=["plain", {"at": "R1.example", "note": "y"}, {"db_host": "Z"}],
    ) == {
        "database/at": "db.example",
        "database/inner/port": 5,
        "replicas/1/at": "r1.example",
        "replicas/2/db_host": "Z",
    }


# Variables that a step sends


def test_a_variable_that_a_step_sends_is_bound_wherever_it_is_sent() -> None:
    made = rule(
        http(
            "https://a.example/{{variables.in_path}}?q={{variables.in_query}}",
            method="POST",
            safe=True,
            headers={"X-Team": "{{variables.in_header}}"},
            body={"json": {"x": "{{variables.in_body}}"}},
        ),
        **dict.fromkeys(("in_path", "in_query", "in_header", "in_body", "nowhere"), STRING),
    )
    variables = {f"in_{place}": "A." for place in ("path", "query", "header", "body")}
    assert bound(made, **variables, nowhere="B") == variables
    assert made.first_binding("int_1", variables)["variables"] == {}


_KEYS = {
    "accessKeyId": "{{secrets.access_key_id}}",
    "secretAccessKey": "{{secrets.secret_access_key}}",
}
_SERVER = {"host": "{{variables.host}}", "port": "{{variables.port}}"}
_LOGIN = {"user": "{{variables.user}}", "password": "{{secrets.password}}"}
_TRUST = {"authorities": "{{variables.trust}}"}


@pytest.mark.parametrize(
    "step",
    [
        {
            "kind": "s3",
            "endpoint": "https://{{variables.part}}.example/{{variables.path}}",
            "region": "{{variables.region}}",
            "bucket": "{{variables.bucket}}",
            "prefix": "{{variables.prefix}}",
            **_KEYS,
            **_TRUST,
        },
        {"kind": "s3", "region": "{{variables.region}}", "bucket": "{{variables.bucket}}", **_KEYS},
        {"kind": "smtp", "from": "{{variables.sender}}", **_SERVER, **_LOGIN, **_TRUST},
        {
            "kind": "websocket",
            "url": "wss://{{variables.part}}.example/{{variables.path}}",
            "query": {"q": {"optional": "{{variables.query}}"}},
            "headers": {"X-Team": "{{variables.team}}", "X-Key": "{{secrets.key}}"},
            "send": {"json": {"to": "{{variables.topic}}"}},
            **_TRUST,
        },
        {
            "kind": "grpc",
            "service": "{{variables.service}}",
            "metadata": {
                "x-key": "{{secrets.key}}",
                "x-team": {"optional": "{{variables.team}}"},
            },
            **_SERVER,
            **_TRUST,
        },
        {
            "kind": "postgres",
            "database": "{{variables.database}}",
            "tls": "{{variables.mode}}",
            "options": {
                "search_path": "{{variables.path}}",
                "endpoint": "{{variables.part}}",
                "options": "{{variables.options}}",
            },
            **_SERVER,
            **_LOGIN,
            **_TRUST,
        },
        {"kind": "mysql", "database": "{{variables.database}}", **_SERVER, **_LOGIN, **_TRUST},
        {"kind": "redis", "command": ["EXISTS", "{{variables.path}}"], **_SERVER, **_LOGIN},
        {
            "kind": "any_of",
            "anyOf": [
                {"kind": "tcp", **_SERVER},
                {"kind": "s3", "bucket": "{{variables.bucket}}", **_KEYS},
            ],
        },
    ],
    ids=lambda step: str(step["kind"]),
)
def test_every_variable_that_a_step_uses_is_bound(step: dict[str, Any]) -> None:
    # given: a step of each kind, with variables wherever it takes them
    names = sorted(set(re.findall(r"variables\.(\w+)", json.dumps(step))))
    schemas = dict.fromkeys(names, STRING) | {"host": HOST, "port": {"type": "integer"}}
    secrets = re.findall(r"secrets\.(\w+)", json.dumps(step))
    recipe = Recipe(
        {
            "secretsSchema": {"properties": dict.fromkeys(secrets, STRING)},
            "checks": {"steps": [{"name": "only", **step}]},
        },
        {"type": "none"},
        {"properties": schemas},
    )
    assert recipe.problems == ()
    # A name of a bucket with a dot is in the path of Amazon's, not in its host.
    variables: dict[str, Any] = {name: f"a-{name}" for name in names}
    known = {
        "bucket": "a.bucket",
        "host": "a.example",
        "mode": "require",
        "trust": "",
        "region": "us-east-1",
        "port": 443,
    }
    variables |= {name: value for name, value in known.items() if name in names}

    # when
    before = recipe.binding("int_1", variables)

    # then: an edit of any of them is another binding
    for name in names:
        after = {**variables, name: 444 if name == "port" else f"{variables[name]}x"}
        assert recipe.binding("int_1", after) != before, name


def test_a_sent_variable_without_a_value_is_bound_to_none() -> None:
    made = rule(http("https://a.example/{{variables.team}}"), team=STRING)
    assert bound(made) == {"team": None}
    assert bound(made, team="x") == {"team": "x"}


def test_a_sent_variable_that_is_a_host_is_compared_in_its_canonical_form() -> None:
    made = rule(http("https://a.example/{{variables.site}}"), site=HOST)
    assert bound(made, site="Acme.Example.") == {"site": "acme.example"}


def test_a_free_variable_may_change_unless_it_decides_the_destination() -> None:
    made = rule(
        http("https://{{variables.region}}.example/{{variables.size}}/{{variables.team}}"),
        region=FREE,
        size=FREE,
        team=STRING,
        host=FREE,
        site={**HOST, "x-binding": "free"},
        sites={"type": "array", "items": HOST, "x-binding": "free"},
        nested={"type": "object", "properties": {"at": HOST}, "x-binding": "free"},
        odd={"type": "string", "x-binding": "Free"},
    )
    assert made.free == {"size", "host"}
    variables = {"region": "eu", "size": "10", "team": "t", "host": "h", "site": "s.example"}
    assert bound(made, **variables) == {"team": "t", "site": "s.example"}
    assert made.binding("int_1", variables)["destination"] == ["https://@eu.example:443"]


def test_marks_that_can_not_be_used_are_problems() -> None:
    made = rule(
        http("https://{{variables.region}}.example/"),
        region=FREE,
        size={"type": "string", "x-binding": "bound"},
        fine=FREE,
        site={**HOST, "x-binding": "free"},
        nested={"type": "object", "properties": {"inner": FREE, "x-binding": STRING}},
        many={"type": "array", "items": FREE, "default": [{"x-binding": "free"}]},
        either={"anyOf": [STRING, FREE], "$defs": {"one": FREE}},
    )
    at = "/variablesSchema/properties"
    decides = "can't be set: the variable decides where secrets are sent"
    misplaced = "can be set only on a variable itself, under properties"
    assert [*made.problems()] == [
        Problem(f"{at}/region/x-binding", decides),
        Problem(f"{at}/size/x-binding", 'must be "free"'),
        Problem(f"{at}/site/x-binding", decides),
        Problem(f"{at}/nested/properties/inner/x-binding", misplaced),
        Problem(f"{at}/many/items/x-binding", misplaced),
        Problem(f"{at}/either/anyOf/1/x-binding", misplaced),
        Problem(f"{at}/either/$defs/one/x-binding", misplaced),
    ]


def test_a_mark_outside_the_variables_is_a_problem() -> None:
    # Given names that are keywords elsewhere, and data that looks like a mark
    schema = {
        "x-binding": "free",
        "patternProperties": {"default": FREE},
        "$defs": {"enum": FREE, "x-binding": STRING},
        "dependentSchemas": {"const": FREE},
        "allOf": [{"properties": {"examples": FREE}}],
        **{keyword: [FREE] for keyword in ("default", "const", "enum", "examples")},
    }
    made = BindingRule([], None, None, schema)
    assert [problem.pointer.removeprefix("/variablesSchema/") for problem in made.problems()] == [
        "x-binding",
        "patternProperties/default/x-binding",
        "$defs/enum/x-binding",
        "dependentSchemas/const/x-binding",
        "allOf/0/properties/examples/x-binding",
    ]


def test_the_author_is_told_what_an_edit_of_each_sent_variable_means() -> None:
    made = rule(
        http("https://{{variables.region}}.example/{{variables.size}}/{{variables.team}}"),
        http("https://a.example/{{variables.region}}", "two"),
        region=STRING,
        size=FREE,
        team=STRING,
        unused=STRING,
    )
    found = {problem.pointer: problem.message for problem in made.notices()}
    assert [*found] == [
        "/variablesSchema/properties/size/x-binding",
        "/variablesSchema/properties/team",
    ]
    assert "keep stored secrets" in found["/variablesSchema/properties/size/x-binding"]
    assert '"x-binding": "free"' in found["/variablesSchema/properties/team"]


# Destinations


def test_where_each_secret_goes_is_bound_if_there_are_several_destinations() -> None:
    one, other = "https://a.example/", "https://b.example/"
    key = {"X-Key": "{{secrets.api_key}}"}
    to_a = rule(http(one, "one", headers=key, auth=False), http(other, "two", auth=False))
    to_b = rule(http(one, "one", auth=False), http(other, "two", headers=key, auth=False))
    hosts = ["https://@a.example:443", "https://@b.example:443"]
    for made, sent in ((to_a, hosts[0]), (to_b, hosts[1])):
        binding = made.binding("int_1", {})
        assert binding["destination"] == hosts
        assert binding["sent"] == [f"api_key to {sent}"]
        assert made.first_binding("int_1", {})["sent"] == binding["sent"]
    # Moving a variable between the two needs no secrets again.
    both = rule(http(one, "one"), http(other, "two"))
    assert both.binding("int_1", {})["sent"] == [f"api_key to {host}" for host in hosts]
    assert "sent" not in rule(http(one, "one"), http(f"{one}x", "two")).binding("int_1", {})


def test_a_destination_that_can_not_be_dialed_is_a_place_of_its_own() -> None:
    made = rule(http("https://{{variables.host}}/"), host=HOST)
    refused = made.binding("int_1", {"host": "a b"})["destination"]
    assert refused == ["none: /variables/host"]
    assert made.binding("int_1", {"host": "a.example"})["destination"] != refused


def test_the_places_are_the_hosts_that_the_steps_dial() -> None:
    made = rule(
        http("https://{{variables.host}}/x", "one"),
        http("https://{{variables.host}}/y", "two"),
        http("http://b.example:8080/", "three"),
        {"name": "four", "kind": "tcp", "host": "{{variables.host}}", "port": 5432},
        host=HOST,
    )
    assert made.places({"host": "A.example."}) == [
        "http://b.example:8080",
        "https://a.example:443",
        "tcp://a.example:5432",
    ]
    assert made.places({"host": "a b"}) == ["http://b.example:8080"]


def test_a_place_is_without_what_is_trusted_there() -> None:
    step = {"name": "db", "kind": "tls", "host": "{{variables.host}}", "port": 5432}
    made = rule({**step, "authorities": "{{variables.ca}}"}, host=HOST, ca=STRING)
    variables = {"host": "db.example", "ca": "certificates"}
    [destination] = made.binding("int_1", variables)["destination"]
    assert destination.startswith("tls://db.example:5432 ")
    assert made.places(variables) == ["tls://db.example:5432"]
