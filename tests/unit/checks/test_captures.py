"""What a code flow captures: where it comes from, and which hosts it may be."""

from typing import Any

import pytest

from patchbay.checks.captures import (
    MAX_CAPTURES,
    MAX_HOSTS,
    MAX_VALUE,
    Capture,
    is_parameter_name,
    unlimited,
)
from patchbay.checks.captures import captured as captures_of
from patchbay.checks.templates import ValueRefused
from tests.unit.checks.oauth_targets import HOSTNAME, STRING, URI, problems, recipe

HOSTS = ("accounts.zoho.com", "*.salesforce.com")
AT = "/authConfig/capture/callback/x"


@pytest.mark.parametrize(
    ("form", "raw", "value"),
    [
        ("text", "a b", "a b"),
        ("text", 12, "12"),
        ("text", "a", "a"),
        ("text", 1.5, "1.5"),
        ("text", "x" * MAX_VALUE, "x" * MAX_VALUE),
        ("hostname", "accounts.zoho.com", "accounts.zoho.com"),
        ("hostname", "Accounts.Zoho.Com.", "accounts.zoho.com"),
        ("hostname", "https://accounts.zoho.com", "accounts.zoho.com"),
        ("hostname", "https://accounts.zoho.com:443/", "accounts.zoho.com"),
        ("hostname", "acme.my.salesforce.com", "acme.my.salesforce.com"),
        ("uri", "https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ("uri", "https://acme.my.salesforce.com/a/b/", "https://acme.my.salesforce.com/a/b"),
        ("uri", "https://acme.my.salesforce.com/aX", "https://acme.my.salesforce.com/aX"),
    ],
)
def test_a_value_that_is_allowed(form: Any, raw: Any, value: str) -> None:
    assert Capture("x", "v", form, HOSTS).value(raw) == value


@pytest.mark.parametrize(
    ("form", "raw"),
    [
        ("text", ""),
        ("text", "x" * (MAX_VALUE + 1)),
        ("text", "a\r\nb"),
        ("text", True),
        ("text", None),
        ("text", ["a"]),
        ("hostname", "evil.example.com"),
        ("hostname", "salesforce.com"),
        ("hostname", "evilsalesforce.com"),
        ("hostname", "accounts.zoho.com.evil.example.com"),
        ("hostname", "a.accounts.zoho.com"),
        ("hostname", "accounts.zoho.com:8443"),
        ("hostname", "https://accounts.zoho.com:8443"),
        ("hostname", "http://accounts.zoho.com"),
        ("hostname", "https://accounts.zoho.com@evil.example.com"),
        ("hostname", "https://evil.example.com/accounts.zoho.com"),
        ("hostname", "https://evil.example.com\\@accounts.zoho.com"),
        ("hostname", "//accounts.zoho.com"),
        ("hostname", "accounts.zoho.com/x"),
        ("hostname", "127.0.0.1"),
        ("hostname", "[::1]"),
        ("hostname", "accounts。zoho.com"),
        ("uri", "acme.my.salesforce.com"),
        ("uri", "https://acme.my.salesforce.com?x=1"),
        ("uri", "https://acme.my.salesforce.com#x"),
        ("uri", "http://acme.my.salesforce.com"),
        ("uri", "https://acme.my.salesforce.com:444"),
        ("uri", "https://evil.example.com"),
    ],
)
def test_a_value_that_is_not(form: Any, raw: Any) -> None:
    with pytest.raises(ValueRefused) as refused:
        Capture("x", "v", form, HOSTS).value(raw)

    assert refused.value.problem.pointer == "/variables/v"
    assert str(raw) not in refused.value.problem.message or raw == ""


def test_variables_are_taken_from_a_document() -> None:
    document = {"a": {"id": 7}, "none": None, "empty": "", "list": [1]}
    captures = [
        Capture(f"/{name}", name.replace("/", "_")) for name in ("a/id", "none", "empty", "x")
    ]

    assert dict(captures_of(captures, document)) == {"a_id": "7"}
    with pytest.raises(ValueRefused):
        dict(captures_of([Capture("/list", "v")], document))
    assert dict(captures_of([Capture("/a/id", "v")], [])) == {}
    assert unlimited([Capture("a", "v"), Capture("b", "w", "hostname", HOSTS)]) == {"v"}


@pytest.mark.parametrize("name", ["a", "!", "~", "accounts-server", "x" * 64, "a[b]"])
def test_a_name_of_a_parameter(name: str) -> None:
    assert is_parameter_name(name)


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "é", "\x7f", "a\n", None, 1])
def test_no_name_of_a_parameter(name: object) -> None:
    assert not is_parameter_name(name)


def test_the_form_of_the_variable_decides_what_is_kept() -> None:
    hosts = ["*.example.com"]
    of = recipe(
        capture={
            "callback": {
                "t": "text",
                "h": {"variable": "host", "hosts": hosts},
                "u": {"variable": "url", "hosts": hosts},
            }
        },
        variables={"text": STRING, "host": HOSTNAME, "url": URI},
    ).authorization
    assert of
    value = "https://a.example.com/b"
    assert of.callback({"t": value, "h": value, "u": value}).captured == {
        "text": value,
        "host": "a.example.com",
        "url": value,
    }
    assert [one.form for one in of.callback_captures] == ["text", "hostname", "uri"]


def captured(target: Any, variable: dict[str, Any], **more: Any) -> dict[str, str]:
    return problems(capture={"callback": {"x": target}}, variables={"v": variable}, **more)


def test_a_whole_host_needs_the_hosts_that_it_may_be() -> None:
    for rule in (HOSTNAME, URI):
        assert list(captured("v", rule)) == [AT]
        assert captured({"variable": "v", "hosts": ["a.example.com"]}, rule) == {}
        assert captured({"variable": "v", "hosts": ["*.example.com"]}, rule) == {}
        assert captured({"variable": "v", "hosts": ["a.example.com"] * MAX_HOSTS}, rule) == {}


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        "a.example.com",
        ["a.example.com"] * (MAX_HOSTS + 1),
        ["*"],
        ["com"],
        ["*.*.example.com"],
        ["a.*.example.com"],
        ["https://a.example.com"],
        ["a.example.com:443"],
        ["127.0.0.1"],
        ["*.0.0.1"],
        ["a.example.com."],
        [1],
        [""],
    ],
)
def test_hosts_are_names_or_all_names_below_one(hosts: Any) -> None:
    assert list(captured({"variable": "v", "hosts": hosts}, HOSTNAME)) == [f"{AT}/hosts"]


@pytest.mark.parametrize(
    "host",
    [
        *("*.com", "*.co.uk", "*.Co.UK", "*.com.au", "*.github.io", "*.herokuapp.com"),
        *("*.s3.amazonaws.com", "*.blob.core.windows.net", "*.xn--p1ai"),
    ],
)
def test_hosts_are_never_all_names_below_a_domain_of_nobody(host: str) -> None:
    stranger = (
        "allows names of strangers: anybody can get one below this domain. Use a domain of the "
        "provider's own, or list full names"
    )
    target = {"variable": "v", "hosts": ["a.example.com", host]}
    for variable in (HOSTNAME, URI):
        assert captured(target, variable) == {f"{AT}/hosts/1": stranger}
    answer = {"tokenResponse": {"/x": target}}
    assert problems(capture=answer, variables={"v": HOSTNAME}) == {
        "/authConfig/capture/tokenResponse/~1x/hosts/1": stranger
    }
    lookup = {"url": "https://a.example.com/", "captures": {"/x": target}}
    assert problems(lookup=lookup, variables={"v": HOSTNAME}) == {
        "/authConfig/lookup/captures/~1x/hosts/1": stranger
    }


def test_a_full_name_below_such_a_domain_is_one_host() -> None:
    hosts = ["acme.github.io", "*.acme.github.io", "acme.s3.amazonaws.com", "*.myshopify.com"]
    assert captured({"variable": "v", "hosts": hosts}, HOSTNAME) == {}


@pytest.mark.parametrize(
    ("hosts", "host"),
    [
        (("*.co.uk",), "evil.co.uk"),
        (("*.amazonaws.com",), "evil.s3.amazonaws.com"),
        (("*.windows.net",), "evil.blob.core.windows.net"),
    ],
)
def test_a_stranger_below_an_allowed_domain_is_refused(hosts: tuple[str, ...], host: str) -> None:
    # Whatever an earlier release was published with, and where strangers are further below.
    with pytest.raises(ValueRefused):
        Capture("x", "v", "hostname", hosts).value(host)


def test_hosts_in_capitals_are_the_same_hosts() -> None:
    of = recipe(
        capture={"callback": {"x": {"variable": "v", "hosts": ["A.Example.COM"]}}},
        variables={"v": HOSTNAME},
    ).authorization
    assert of
    assert of.callback({"x": "a.example.com"}).captured == {"v": "a.example.com"}


def test_other_problems_of_a_capture() -> None:
    undeclared = "must name a variable that variablesSchema declares"
    assert captured("other", STRING) == {AT: undeclared}
    assert captured({"variable": 1}, STRING) == {AT: undeclared}
    assert captured({"variable": "v", "hosts": ["a.example.com"]}, STRING) == {
        f"{AT}/hosts": 'needs a variable of "format": "hostname" or "uri"'
    }
    assert captured({"variable": "v", "more": 1}, STRING) == {f"{AT}/more": "is not a known key"}
    assert captured(1, STRING) == {AT: "must be an object"}
    assert problems(capture={"callback": []}) == {
        "/authConfig/capture/callback": "must be an object"
    }
    assert problems(capture={"tokenResponse": {"x": "v"}}, variables={"v": STRING}) == {
        "/authConfig/capture/tokenResponse/x": "is not a JSON Pointer"
    }
    assert problems(capture={"tokenResponse": {"": "v"}}, variables={"v": STRING}) == {
        "/authConfig/capture/tokenResponse/": "is not a JSON Pointer"
    }
    assert problems(capture={"callback": {"a b": "v"}}, variables={"v": STRING}) == {
        "/authConfig/capture/callback/a b": "is not a name of a parameter"
    }
    many = {f"x{n}": f"v{n}" for n in range(MAX_CAPTURES + 1)}
    variables = dict.fromkeys(many.values(), STRING)
    assert problems(capture={"callback": many}, variables=variables) == {
        "/authConfig/capture/callback": "has more than 10 variables"
    }
    del many["x0"]
    assert problems(capture={"callback": many}, variables=variables) == {}


OWN_DOMAIN = "has a captured variable in a host that does not end with a domain of your own"
NO_PART = "has a captured variable as its scheme or port"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://{{variables.v}}.example.com/t", None),
        ("https://a-{{variables.v}}.eu.example.com/t", None),
        ("https://{{variables.v}}.{{variables.w}}.example.com/t", None),
        ("https://{{variables.w}}.{{variables.v}}.example.com/t", None),
        ("https://api.example.com/{{variables.v}}/t", None),
        ("https://{{variables.v}}.example.com:{{variables.p}}/t", None),
        ("{{variables.w}}://{{variables.v}}.example.com/t", None),
        ("{{variables.w}}://{{variables.v}}.com/t", OWN_DOMAIN),
        ("https://{{variables.v}}.example.com.{{variables.v}}.net/t", OWN_DOMAIN),
        ("https://{{variables.v}}.com/t", OWN_DOMAIN),
        ("https://api.{{variables.v}}/t", OWN_DOMAIN),
        ("https://api.{{variables.v}}.{{variables.w}}/t", OWN_DOMAIN),
        ("https://api.{{variables.v}}.co/t", OWN_DOMAIN),
        ("https://{{variables.v}}.co.uk/t", OWN_DOMAIN),
        ("https://a-{{variables.v}}.github.io/t", OWN_DOMAIN),
        ("https://{{variables.v}}.s3.amazonaws.com/t", OWN_DOMAIN),
        ("https://{{variables.v}}.acme.github.io/t", None),
        ("https://{{variables.v}}.myshopify.com/t", None),
        ("{{variables.v}}://api.example.com/t", NO_PART),
        ("https://api.example.com:{{variables.v}}/t", NO_PART),
    ],
)
def test_a_part_of_a_host_stays_below_the_domain_of_the_author(
    url: str, problem: str | None
) -> None:
    capture = {"callback": {"x": "v"}}
    variables = {"v": STRING, "w": STRING, "p": {"type": "integer"}, "any": {}}
    found = problems(tokenUrl=url, capture=capture, variables=variables)

    assert found == ({} if problem is None else {"/authConfig/tokenUrl": problem})
    found = problems({"baseUrl": url}, capture=capture, variables=variables)
    assert found == ({} if problem is None else {"/manifest/baseUrl": problem})
    step = {"name": "a", "kind": "http", "request": {"url": url}}
    found = problems({"checks": {"steps": [step]}}, capture=capture, variables=variables)
    assert found == ({} if problem is None else {"/manifest/checks/steps/0": problem})


@pytest.mark.parametrize("kind", ["integer", "number", "boolean", ["integer", "null"]])
def test_a_variable_that_is_no_string_could_never_be_captured(kind: Any) -> None:
    found = problems(capture={"callback": {"x": "v"}}, variables={"v": {"type": kind}})

    assert found == {AT: "must name a variable of the type string: what is captured is a string"}


@pytest.mark.parametrize("schema", [{}, STRING, {"type": ["string", "integer"]}])
def test_a_variable_that_may_be_a_string_is_captured(schema: Any) -> None:
    assert problems(capture={"callback": {"x": "v"}}, variables={"v": schema}) == {}


def test_a_host_that_a_person_enters_is_not_limited() -> None:
    variables = {"v": STRING, "h": HOSTNAME, "p": {"type": "integer"}}
    capture = {"callback": {"x": "v"}}

    for url in (
        "https://{{variables.h}}/{{variables.v}}",
        "https://a.example.com:{{variables.p}}/",
    ):
        assert problems(tokenUrl=url, capture=capture, variables=variables) == {}


def test_an_allowed_host_may_be_the_whole_host_of_a_step() -> None:
    step = {"name": "a", "kind": "http", "request": {"url": "https://{{variables.v}}/me"}}
    capture = {"callback": {"x": {"variable": "v", "hosts": ["*.example.com"]}}}

    assert problems({"checks": {"steps": [step]}}, capture=capture, variables={"v": HOSTNAME}) == {}
