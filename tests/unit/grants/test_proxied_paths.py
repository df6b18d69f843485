"""A proxied request stays on its host and below its base, whatever its path looks like."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.egress.url import HttpUrl, parse_url
from patchbay.grants.proxied_paths import MAX_TARGET, location_within, path_problem, target_of
from patchbay.platform.errors import InvalidInput

BASE = parse_url("https://api.example.com/v1")


@pytest.mark.parametrize(
    ("path", "query", "sent"),
    [
        ("issues", "", "/v1/issues"),
        ("issues/", "", "/v1/issues/"),
        ("issues", "page=2&q=a%20b", "/v1/issues?page=2&q=a%20b"),
        ("issues", "filter[x]=1", "/v1/issues?filter[x]=1"),
        ("issues", 'q={"a":"b"}', "/v1/issues?q=%7B%22a%22:%22b%22%7D"),
        ("issues", "q=100%", "/v1/issues?q=100%25"),
        (
            "issues",
            "next=https://elsewhere.example/#x",
            "/v1/issues?next=https://elsewhere.example/%23x",
        ),
        # As the gateway gives it: everything decoded but the percent sign
        ("a b/é", "", "/v1/a%20b/%C3%A9"),
        ("what?/#now", "", "/v1/what%3F/%23now"),
        ("a%2520b", "", "/v1/a%2520b"),
        # A slash within a segment, an account, and a URL in a path are as good as anything
        ("projects/group%2Fproject", "", "/v1/projects/group%2Fproject"),
        ("users/@me", "", "/v1/users/@me"),
        ("sites/https://example.com/x", "", "/v1/sites/https://example.com/x"),
        ("sites/https%3A%2F%2Fexample.com", "", "/v1/sites/https%3A%2F%2Fexample.com"),
        ("...", "", "/v1/..."),
        ("a..b/.well-known/x", "", "/v1/a..b/.well-known/x"),
        ("v2;version=1/x", "", "/v1/v2;version=1/x"),
    ],
)
def test_a_path_below_the_base_is_passed_on(path: str, query: str, sent: str) -> None:
    assert target_of(BASE, path, query) == HttpUrl("https", "api.example.com", 443, sent)


@pytest.mark.parametrize(
    "path",
    [
        "..",
        ".",
        "../v2/x",
        "x/../../admin",
        "x/..",
        "%2e%2e/admin",
        "%2E%2E/admin",
        ".%2e/admin",
        "%252e%252e/admin",
        "%25252e%25252e/admin",
        "x%2f..%2f..%2fadmin",
        "x%252f%252e%252e%252fadmin",
        "..%2fadmin",
        "..%5cadmin",
        "x\\..\\admin",
        "x%5c..%5cadmin",
        "x%255c..%255cadmin",
        "\\\\evil.example\\x",
        "..;/admin",
        "..;jsessionid=1/admin",
        "%2e%2e%3b/admin",
        " .. /admin",
        "..%20/admin",
        "\N{FULLWIDTH FULL STOP}\N{FULLWIDTH FULL STOP}/admin",
        "\N{TWO DOT LEADER}/admin",
        "\N{ONE DOT LEADER}\N{ONE DOT LEADER}/admin",
        "..\N{FULLWIDTH SOLIDUS}admin",
        "%EF%BC%8E%EF%BC%8E/admin",
        "%c0%ae%c0%ae/admin",
        "%uff0e%uff0e/admin",
        "%25u002e%25u002e/admin",
        "%e0%80%ae%e0%80%ae/admin",
        "/evil.example/x",
        "//evil.example/x",
        "%2fevil.example/x",
        "%2f%2fevil.example/x",
        "%252f%252fevil.example/x",
        "x\r\nHost: evil.example",
        "x%0d%0aHost:%20evil.example",
        "x%250d%250aHost:%20evil.example",
        "x%00",
        "x%7f",
        "x\N{REPLACEMENT CHARACTER}",
        "\ud800",
        "a" * MAX_TARGET,
        quote(quote(quote(quote(quote(quote("x y")))))),
    ],
)
def test_a_path_that_may_lead_out_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        target_of(BASE, path, "")
    assert [problem.pointer for problem in refused.value.problems] == ["/path/path"]
    assert "evil" not in str(refused.value.details)


def test_a_query_has_no_part_in_where_it_goes() -> None:
    for query in ("/../../admin", "@evil.example/", "\\evil", "x=\r\nHost: evil.example", "//evil"):
        target = target_of(BASE, "x", query)
        assert target.origin == BASE.origin
        assert target.path.startswith("/v1/x?")
        assert "\r" not in target.path


def test_a_base_without_a_path_is_a_base() -> None:
    assert target_of(parse_url("https://api.example.com"), "x", "").path == "/x"
    assert target_of(parse_url("https://api.example.com/v1/"), "x", "").path == "/v1/x"


TRICKY = st.lists(
    st.sampled_from(
        [*"./\\%25eEfFcC0a;@:?# \t\r\n", "%2e", "%2f", "%5c", "%25", "\uff0e", "\u2025", "é"]
    ),
    max_size=12,
).map("".join)


@given(TRICKY, TRICKY)
def test_whatever_is_sent_is_below_the_base_in_every_reading(path: str, query: str) -> None:
    try:
        target = target_of(BASE, path, query)
    except InvalidInput:
        return
    assert target.origin == BASE.origin
    assert target == parse_url(target.url)
    reading = target.path.partition("?")[0]
    for _ in range(4):
        assert reading.startswith("/v1/")
        assert not reading.startswith("/v1//")
        assert not {"..", "."} & {part.partition(";")[0] for part in reading.split("/")}
        assert "\\" not in reading
        reading = unquote(reading)


@pytest.mark.parametrize(
    ("location", "within"),
    [
        ("/v1/issues/7", "issues/7"),
        ("https://api.example.com/v1/issues/7?x=1", "issues/7?x=1"),
        ("https://API.example.com:443/v1/issues/7", "issues/7"),
        ("//api.example.com/v1/issues/7", "issues/7"),
        ("8", "issues/8"),
        ("?page=2", "issues/7?page=2"),
        ("#part", "issues/7"),
        ("/v2/issues", None),
        ("/v1", None),
        ("/v1/", None),
        ("/v1x/issues", None),
        ("../../v2/issues", None),
        ("http://api.example.com/v1/issues/7", None),
        ("https://api.example.com:8443/v1/issues/7", None),
        ("https://evil.example/v1/issues/7", None),
        ("//evil.example/v1/issues/7", None),
        ("https://api.example.com@evil.example/v1/issues/7", None),
        ("https://user@api.example.com/v1/issues/7", None),
        ("/v1/%2e%2e/admin", None),
        ("\\\\evil.example\\v1\\x", None),
        ("javascript:alert(1)", None),
        ("http://169.254.169.254/latest/meta-data", None),
        ("http://[::1", None),
    ],
)
def test_only_a_location_below_the_base_is_one_of_ours(location: str, within: str | None) -> None:
    target = target_of(BASE, "issues/7", "")
    assert location_within(BASE, target, location) == within


def test_reading_a_path_does_not_take_long() -> None:
    assert path_problem("%25" * 2700) is None
    assert path_problem("a/" * 4000) is None


@pytest.mark.parametrize("path", ["..?x", "a/..%3Fx", "a/..%23", "a/%2e%2e%253fx"])
def test_dots_before_a_query_or_a_fragment_that_a_server_decodes(path: str) -> None:
    assert path_problem(path) == "may not lead to another path with dots (./ or ../)"
