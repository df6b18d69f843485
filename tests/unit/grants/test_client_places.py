"""Where a client secret may be sent, by the documents of a release."""

from datetime import UTC, datetime
from typing import Any

import pytest

from patchbay.grants.client_places import ClientPlaces, client_places
from patchbay.registry.model import Release

TEXT = {"type": "string"}
HOST = {"type": "string", "format": "hostname"}
AT = "https://login.example.com"
NOW = datetime(2026, 2, 17, tzinfo=UTC)


def places(url: str = f"{AT}/token", host: Any = TEXT, **config: Any) -> ClientPlaces:
    properties = {"host": host, "other": TEXT, "limited": {**TEXT, "enum": ["a", "b"]}}
    auth_config = {
        "type": "oauth2",
        "authorizationUrl": f"{AT}/authorize",
        "tokenUrl": url,
        **config,
    }
    documents: dict[str, Any] = {
        "id": "int_1",
        "version": "1.0.0",
        "published_at": NOW,
        "variables_schema": {"type": "object", "properties": properties},
        "auth_config": auth_config,
        "manifest": {},
    }
    return client_places(Release.model_construct(**documents))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://{{variables.host}}/token", HOST),
        ("https://{{variables.host}}:8443/token", HOST),
        ("https://{{variables.host}}.com/token", TEXT),
        ("https://{{variables.host}}.co.uk/token", TEXT),
        ("https://{{variables.host}}.com.au/token", TEXT),
        ("https://x{{variables.host}}.io/token", TEXT),
        ("https://x-{{variables.host}}x.org/token", TEXT),
        ("https://login.example.{{variables.host}}/token", TEXT),
        ("https://login.{{variables.host}}/token", TEXT),
        ("https://{{variables.host}}.{{variables.limited}}/token", TEXT),
        ("https://{{variables.host}}.{{variables.limited}}.uk/token", TEXT),
        ("https://{{variables.host}}.x{{variables.limited}}.uk/token", TEXT),
        ("https://{{variables.host}}.co.{{variables.limited}}/token", TEXT),
        ("https://{{variables.host}}.example.{{variables.host}}/token", TEXT),
        ("{{variables.host}}/token", {**TEXT, "format": "uri"}),
        ("{{variables.host}}://login.example.com/token", TEXT),
        ("https://login.example.com:{{variables.host}}/token", {"type": "integer"}),
        ("https://{{variables.host}}.example.com:{{variables.host}}/token", {}),
        ("https://{{variables.host}}/token", {**HOST, "enum": "a.example.com"}),
        ("https://{{variables.host}}/token", {**HOST, "const": 7}),
        ("https://{{variables.host}}/token", {**HOST, "default": "a.example.com"}),
        ("https://{{variables.host}}/token", {**HOST, "examples": ["a.example.com"]}),
    ],
)
def test_a_variable_that_lets_anyone_choose_the_host_is_open(url: str, host: Any) -> None:
    assert places(url, host).open_variables == ("host",)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://login.example.com/token", TEXT),
        ("https://login.example.com/{{variables.host}}/token?x={{variables.host}}", TEXT),
        ("https://{{variables.host}}.example.com/token", TEXT),
        ("https://x{{variables.host}}x.example.com/token", TEXT),
        ("https://{{variables.host}}.example.co.uk/token", TEXT),
        ("https://{{variables.host}}.box.io/token", TEXT),
        ("https://{{variables.host}}.co.example/token", TEXT),
        ("https://{{variables.host}}.x.co.uk/token", TEXT),
        ("https://{{variables.host}}.{{variables.limited}}.com/token", TEXT),
        ("https://{{variables.host}}.{{variables.limited}}.co.uk/token", TEXT),
        ("https://a.{{variables.host}}.{{variables.host}}.example.com/token", TEXT),
        ("https://{{variables.host}}.{{variables.limited}}.example.com/token", TEXT),
        ("https://{{variables.host}}.{{variables.other}}.example.com/token", TEXT),
        ("https://{{variables.host}}.example.{{variables.limited}}/token", TEXT),
        ("https://login.example.{{variables.limited}}/token", TEXT),
        ("https://{{variables.host}}/token", {**HOST, "enum": ["a.example.com"]}),
        ("https://{{variables.host}}/token", {**HOST, "const": "a.example.com"}),
        ("https://{{variables.host}}/token", {**HOST, "pattern": r"^[a-z]+\.example\.com$"}),
        ("https://{{variables.host}}/token", {**HOST, "pattern": r"^x\.example\.co\.uk$"}),
    ],
)
def test_a_host_that_the_author_limits_is_not(url: str, host: Any) -> None:
    assert places(url, host).open_variables == ()


@pytest.mark.parametrize(
    "pattern",
    [
        r"^.*example\.com$",
        r"[a-z]+\.example\.com$",
        r"^[a-z]+\.example\.com",
        r"^[a-z]+.example.com$",
        r"^[a-z]+\.example.com$",
        r"^a|b\.example\.com$",
        r"^[a-z]+\\.example\.com$",
        r"^[a-z]+\.com$",
        r"^[a-z]+\.co\.uk$",
        r"^[a-z]+\.example\.com$|x",
        "^[a-z\n]+\\.example\\.com$",
        r"^.*$",
        "",
        7,
    ],
)
def test_a_pattern_that_other_hosts_may_fit_limits_nothing(pattern: Any) -> None:
    found = places("https://{{variables.host}}/token", {**HOST, "pattern": pattern})
    assert found.open_variables == ("host",)


BELOW = r"^https://.+\.example\.com$"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/x.example.com",
        "https://evil.test?x.example.com",
        "https://evil.test:443/a/.example.com",
        "https://evil.test#x.example.com",
        "https://x@evil.test/.example.com",
        "evil.test/x.example.com",
    ],
)
def test_a_path_that_ends_as_the_pattern_says_is_no_host(url: str) -> None:
    found = places("{{variables.host}}/token", {**TEXT, "format": "uri", "pattern": BELOW})
    assert found.open_variables == ()
    [problem] = found.problems({"host": url}, {})
    assert problem.pointer == "/variables/host"
    assert problem.message == "is not one of the hosts that the integration allows"


def test_a_host_below_the_domain_of_the_pattern_may_have_the_secret() -> None:
    base = places("{{variables.host}}/token", {**TEXT, "format": "uri", "pattern": BELOW})
    assert list(base.problems({"host": "https://a.example.com"}, {})) == []
    host = places(
        "https://{{variables.host}}/token", {**HOST, "pattern": r"^[a-z]+\.example\.com$"}
    )
    for good in ({"host": "a.example.com"}, {"host": ""}, {"host": None}, {}):
        assert list(host.problems(good, {})) == []
    assert list(host.problems({"host": 7}, {}))
    rest = places("https://x{{variables.host}}/token", {**TEXT, "pattern": r"^.*\.example\.com$"})
    assert list(rest.problems({"host": ".example.com"}, {})) == []


SECOND_LEVELS = "ac co com edu go gob gov mil ne net nom or org sch"


@pytest.mark.parametrize("second", SECOND_LEVELS.split())
def test_anybody_may_register_a_name_below_a_second_level(second: str) -> None:
    for ending in ("{{variables.limited}}", "x{{variables.limited}}"):
        found = places(f"https://{{{{variables.host}}}}.{second}.{ending}/token")
        assert found.open_variables == ("host",)
    assert places(f"https://{{{{variables.host}}}}.{second}.example/token").open_variables == ()


@pytest.mark.parametrize(
    "domain", ["co.uk", "COM.AU", "github.io", "herokuapp.com", "s3.amazonaws.com"]
)
def test_anybody_may_get_a_name_below_a_public_suffix(domain: str) -> None:
    found = places(f"https://{{{{variables.host}}}}.{domain}/token")
    assert found.open_variables == ("host",)
    pattern = rf"^[a-z]+\.{domain.lower().replace('.', r'\.')}$"
    found = places("https://{{variables.host}}/token", {**HOST, "pattern": pattern})
    assert found.open_variables == ("host",)
    own = places(f"https://{{{{variables.host}}}}.acme.{domain}/token")
    assert own.open_variables == ()


def test_a_pattern_does_not_let_in_strangers_further_below() -> None:
    pattern = r"^[a-z0-9.]+\.amazonaws\.com$"
    found = places("https://{{variables.host}}/token", {**HOST, "pattern": pattern})
    assert found.open_variables == ()
    [problem] = found.problems({"host": "evil.s3.amazonaws.com"}, {})
    assert problem.message == "is not one of the hosts that the integration allows"


def test_a_shop_of_shopify_is_a_host_of_shopify() -> None:
    assert places("https://{{variables.host}}.myshopify.com/token").open_variables == ()


def test_of_two_variables_the_last_one_decides() -> None:
    found = places("https://{{variables.host}}.{{variables.other}}.com/token")
    assert found.open_variables == ("other",)
    side_by_side = places("https://{{variables.host}}{{variables.other}}.com/token")
    assert side_by_side.open_variables == ("other",)


def test_a_rule_that_is_no_schema_limits_nothing() -> None:
    assert places("https://{{variables.host}}.com/token", True).open_variables == ("host",)


def test_a_port_that_a_variable_gives_is_part_of_the_origin() -> None:
    found = places("https://login.example.com:{{variables.host}}/token", {"type": "integer"})
    assert found.origins == ("https://login.example.com:{{variables.host}}",)


def test_the_origins_are_those_of_every_url_that_gets_the_secret() -> None:
    found = places(
        "https://{{variables.host}}.Example.com:8443/token",
        refreshUrl="https://refresh.example.com/a",
        revocationUrl="https://revoke.example.com/b",
    )
    assert found.origins == (
        "https://{{variables.host}}.example.com:8443",
        "https://refresh.example.com",
        "https://revoke.example.com",
    )
    same = places(refreshUrl=f"{AT}/a", revocationUrl=f"{AT}/b")
    assert same.origins == (AT,)
    base = places("{{variables.host}}/x", {**TEXT, "format": "uri"})
    assert base.origins == ("{{variables.host}}",)


def test_a_release_without_oauth_sends_it_nowhere() -> None:
    found = places(type="api_key")
    assert (found.origins, found.open_variables) == ((), ())


def test_an_open_variable_has_to_be_named_with_its_value() -> None:
    found = places("https://{{variables.host}}/token", HOST)
    named = {"host": "git.example.com"}
    assert list(found.problems(named, named)) == []
    [unnamed] = found.problems(named, {})
    assert unnamed.pointer == "/variables/host"
    assert "has to name its value" in unnamed.message
    for other in ({"host": "evil.example"}, {}, {"host": None}):
        [problem] = found.problems(other, named)
        assert problem.pointer == "/variables/host"
        assert problem.message == "is not the value that the OAuth application is for"


def test_the_default_of_a_variable_counts_as_its_value() -> None:
    found = places("https://{{variables.host}}/token", {**HOST, "default": "git.example.com"})
    assert list(found.problems({}, {"host": "git.example.com"})) == []
    assert list(found.problems({"host": "evil.example"}, {"host": "git.example.com"}))


CAPTURED = {"callback": {"server": {"variable": "host", "hosts": ["*.example.com"]}}}


def test_a_captured_host_is_one_of_the_list_wherever_it_comes_from() -> None:
    found = places("https://{{variables.host}}/token", HOST, capture=CAPTURED)
    assert found.open_variables == ()
    for good in ({"host": "a.example.com"}, {"host": None}, {"host": ""}, {}):
        assert list(found.problems(good, {})) == []
    for bad in ("evil.example", "a.example.com.evil.test", "A.example.com", 7):
        [problem] = found.problems({"host": bad}, {})
        assert problem.pointer == "/variables/host"
        assert problem.message == "is not one of the hosts that the integration allows"


def test_each_captured_host_is_judged_and_what_is_less_than_a_host_is_not() -> None:
    capture = {
        "callback": {
            "first": {"variable": "host", "hosts": ["*.example.com"]},
            "label": "other",
        },
    }
    refresh = "https://{{variables.other}}.example.com/t"
    found = places("https://{{variables.host}}/token", HOST, refreshUrl=refresh, capture=capture)
    assert list(found.problems({"host": "", "other": "any"}, {})) == []
    assert set(found.captures) == {"host"}


def test_a_captured_host_that_gets_no_secret_is_not_judged() -> None:
    found = places(host=HOST, capture=CAPTURED)
    assert list(found.problems({"host": "evil.example"}, {})) == []
