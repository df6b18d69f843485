"""Values in the places of a template."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.checks.templates import (
    Declarations,
    TemplateError,
    UrlTemplate,
    ValueRefused,
    Values,
    fill,
    split_template,
)

DECLARED = Declarations(
    variables=frozenset({"region", "host", "team", "q", "base", "port", "scheme"}),
    secrets=frozenset({"api_key"}),
    hostnames=frozenset({"host"}),
    urls=frozenset({"base"}),
)


def filled(template: str, **variables: object) -> str:
    values = Values(variables, {"api_key": "k&y/1"})
    return UrlTemplate.parse(template, DECLARED).fill(values)


@given(region=st.text(max_size=12), team=st.text(max_size=12), q=st.text(max_size=12))
def test_no_value_changes_the_structure_of_a_url(region: str, team: str, q: str) -> None:
    # given a URL with a placeholder in each place
    template = (
        "https://{{variables.region}}.api.example.com/v1/a{{variables.team}}/me?q={{variables.q}}"
    )

    # when any values are filled in
    try:
        url = filled(template, region=region, team=team, q=q)
    except ValueRefused:
        return

    # then the parts are where they were, and hold exactly the values
    parts = urlsplit(url)
    assert (parts.scheme, parts.port, parts.username, parts.fragment) == ("https", None, None, "")
    assert parts.hostname == f"{region.lower()}.api.example.com"
    assert [unquote(segment) for segment in parts.path.split("/")] == ["", "v1", f"a{team}", "me"]
    assert parse_qsl(parts.query, keep_blank_values=True) == [("q", q)]


@given(st.text(max_size=12))
def test_no_header_value_carries_a_line_break(value: str) -> None:
    parts = split_template("Token {{variables.q}}", DECLARED)
    try:
        header = fill(parts, Values({"q": value}, {}), "header")
    except ValueRefused:
        return
    assert header == f"Token {value}"
    assert header.isascii()
    assert header.isprintable()


@pytest.mark.parametrize(
    ("value", "text"), [("eu", "eu"), (7, "7"), (1.5, "1.5"), (True, "true"), (False, "false")]
)
def test_scalars_are_written_as_json_writes_them(value: object, text: str) -> None:
    assert filled("https://api.example.com/{{variables.q}}", q=value).endswith("/" + text)


@pytest.mark.parametrize("value", [[], {}, float("nan"), float("inf")])
def test_what_is_no_scalar_is_refused(value: object) -> None:
    with pytest.raises(ValueRefused):
        filled("https://api.example.com/{{variables.q}}", q=value)


@pytest.mark.parametrize(
    ("template", "variables"),
    [
        ("https://{{variables.region}}.example.com/", {"region": "a.b"}),
        ("https://{{variables.region}}.example.com/", {"region": "evil.com/"}),
        ("https://{{variables.region}}.example.com/", {"region": "-x"}),
        ("https://{{variables.region}}.example.com/", {"region": "１"}),
        ("https://{{variables.region}}.example.com/", {"region": ""}),
        ("https://x{{variables.region}}.example.com/", {"region": "a" * 63}),
        ("https://{{variables.host}}/", {"host": "a.com:22"}),
        ("https://{{variables.host}}/", {"host": "u@a.com"}),
        ("https://{{variables.host}}/", {"host": "[::1]"}),
        ("https://{{variables.host}}/", {"host": "0x7f.1"}),
        ("https://a.example.com/{{variables.q}}", {"q": ""}),
        ("https://a.example.com/{{variables.q}}/x", {"q": ".."}),
        ("https://a.example.com/.{{variables.q}}/x", {"q": "."}),
        ("https://a.example.com/{{variables.q}}{{variables.team}}", {"q": ".", "team": "."}),
        ("https://a.example.com/{{variables.q}}/x", {"q": "../admin"}),
        ("https://a.example.com/{{variables.q}}/x", {"q": "a/../../admin"}),
        ("https://a.example.com/{{variables.q}}/x", {"q": "a\\..\\admin"}),
        ("https://a.example.com/.{{variables.q}}/x", {"q": "./admin"}),
        ("https://a.example.com/%2e{{variables.q}}/x", {"q": "."}),
        ("https://a.example.com/?x={{variables.q}}", {"q": "a\x00"}),
        ("https://a.example.com/?x={{variables.q}}", {"q": "\ud800"}),
    ],
)
def test_a_value_that_would_change_the_url_is_refused_by_its_field(
    template: str, variables: dict[str, object]
) -> None:
    with pytest.raises(ValueRefused) as refused:
        filled(template, **variables)
    assert refused.value.problem.pointer.removeprefix("/variables/") in variables
    assert refused.value.problem.code == "config_invalid"


@pytest.mark.parametrize("q", ["owner/name", "a..b", "...", "v1.2", "..x", "%2e%2e"])
def test_a_value_with_a_slash_or_dots_that_leads_nowhere_else_is_encoded(q: str) -> None:
    url = filled("https://a.example.com/{{variables.q}}/x", q=q)
    assert [unquote(segment) for segment in urlsplit(url).path.split("/")] == ["", q, "x"]


def test_a_whole_host_comes_from_a_variable_of_format_hostname() -> None:
    url = filled("https://{{variables.host}}:8443/v1", host="Shop.Example.com.")
    assert url == "https://shop.example.com:8443/v1"


def test_a_secret_in_a_query_is_encoded() -> None:
    assert filled("https://a.example.com/?k={{secrets.api_key}}") == (
        "https://a.example.com/?k=k%26y%2F1"
    )


@pytest.mark.parametrize(
    "template",
    [
        "{{secrets.api_key}}://a.example.com/",
        "h{{variables.region}}://a.example.com/",
        "https://{{variables.region}}/",
        "https://{{secrets.api_key}}.example.com/",
        "https://a.example.com:{{secrets.api_key}}/",
        "https://a.example.com:1{{variables.q}}/",
        "{{variables.q}}/me",
        "{{secrets.api_key}}/me",
        "{{variables.base}}me",
        "{{variables.base}}@a.example.com/",
        "{{variables.base}}#a",
        "https://{{variables.q}}@a.example.com/",
        "https://a.example.com/?{{variables.q}}=1",
        "https://a.example.com/?{{variables.q}}",
        "https://a.example.com/#{{variables.q}}",
        "https://a.example.com/{{variables.unknown}}",
        "https://a.example.com/{{secrets.unknown}}",
        "https://a.example.com/{{ variables.q }}",
        "https://a.example.com/{{env.HOME}}",
        "https://a.example.com/{{variables.q}",
        "https://a.example.com/{{{variables.q}}}",
        "https://a b.example.com/",
        "ftp://a.example.com/",
        "/v1/me",
        "",
    ],
)
def test_a_template_that_can_not_be_safe_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        UrlTemplate.parse(template, DECLARED)


def test_a_missing_value_names_its_field_and_kind() -> None:
    # given
    parts = split_template("{{variables.q}}", DECLARED)
    secret = split_template("{{secrets.api_key}}", DECLARED)

    # when
    with pytest.raises(ValueRefused) as variable_missing:
        fill(parts, Values({}, {}), "header")
    with pytest.raises(ValueRefused) as secret_missing:
        fill(secret, Values({}, {"api_key": ""}), "header")

    # then
    assert variable_missing.value.problem.code == "config_missing_field"
    assert secret_missing.value.problem.code == "secret_not_found"
    assert secret_missing.value.problem.pointer == "/secrets/api_key"


BASES = {
    "https://example.com": "https://example.com/v1/me?q=1",
    "https://example.com/": "https://example.com/v1/me?q=1",
    "http://Example.com:8080/a/b/": "http://example.com:8080/a/b/v1/me?q=1",
    "https://example.com/%20a": "https://example.com/%20a/v1/me?q=1",
    "https://[2606:4700::1]:8443/x": "https://[2606:4700::1]:8443/x/v1/me?q=1",
}


@pytest.mark.parametrize("base", BASES)
def test_a_url_may_begin_with_a_server_that_the_customer_runs(base: str) -> None:
    url = filled("{{variables.base}}/v1/me?q={{variables.q}}", base=base, q="1")

    assert url == BASES[base]


@pytest.mark.parametrize(
    "base",
    [
        "example.com",
        "//example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "https://user@example.com",
        "https://example.com?a=b",
        "https://example.com/#a",
        "https://example.com/../admin",
        "https://example.com/%2e%2e/admin",
        "https://example.com/a\\..\\b",
        "https://exa mple.com",
        "https://example.com:99999",
        "javascript:alert(1)",
        "",
        7,
    ],
)
def test_a_beginning_that_is_not_one_url_is_the_fault_of_its_field(base: object) -> None:
    with pytest.raises(ValueRefused) as refused:
        filled("{{variables.base}}/v1/me", base=base)

    assert refused.value.problem.pointer == "/variables/base"


def test_where_a_url_leads_is_decided_by_its_beginning() -> None:
    template = UrlTemplate.parse("{{variables.base}}/v1/me", DECLARED)

    origin = template.origin(Values({"base": "http://Example.com:8080/a"}, {}))

    assert origin == ("http", "example.com", 8080)
    assert template.host_pointer == "/variables/base"
    assert [p.name for p in template.placeholders()] == ["base"]


def test_a_scheme_and_a_port_may_be_variables() -> None:
    template = "{{variables.scheme}}://{{variables.host}}:{{variables.port}}/me"

    url = filled(template, scheme="http", host="a.example.com", port=8080)

    assert url == "http://a.example.com:8080/me"


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"scheme": "ftp", "port": 80}, "/variables/scheme"),
        ({"scheme": "https://evil.example/", "port": 80}, "/variables/scheme"),
        ({"scheme": "https", "port": "80"}, "/variables/port"),
        ({"scheme": "https", "port": 0}, "/variables/port"),
        ({"scheme": "https", "port": True}, "/variables/port"),
        ({"scheme": "https", "port": "80@evil.example"}, "/variables/port"),
    ],
)
def test_a_scheme_or_port_that_is_none_is_refused(values: dict[str, object], pointer: str) -> None:
    template = "{{variables.scheme}}://a.example.com:{{variables.port}}/me"

    with pytest.raises(ValueRefused) as refused:
        filled(template, **values)

    assert refused.value.problem.pointer == pointer
