"""The strict URL parser."""

import time
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patchbay.egress.failures import EgressBlocked
from patchbay.egress.url import MAX_URL, HttpUrl, literal_address, parse_host, parse_url

# Characters that parsers are known to disagree about, and enough others to make URLs of them.
_TEXT = st.text(
    st.sampled_from("abcx019.-_:/?#@[]%\\ \t\n{}|^`&=+,;!~١０①。ａé\u00ad\u200b\u212a\u017f"),
    max_size=24,
)
_URLS = st.builds(
    lambda scheme, host, port, rest: f"{scheme}://{host}{port}{rest}",
    st.sampled_from(["http", "https", "HTTP"]),
    st.one_of(
        _TEXT,
        st.sampled_from(
            ["api.example.com", "EXAMPLE.com.", "[2600::1]", "1.2.3.4", "xn--bcher-kva.de"]
        ),
    ),
    st.one_of(st.just(""), st.integers(0, 70000).map(lambda n: f":{n}"), _TEXT),
    st.one_of(_TEXT, _TEXT.map(lambda text: "/" + text)),
)


@given(_URLS)
@example("http://example.com:٣/")
@example("http://example.com:８０/")
@example("http://\N{KELVIN SIGN}ube.example.com/")
def test_what_is_accepted_reads_the_same_a_second_time_and_to_another_parser(url: str) -> None:
    # given a URL that the parser takes
    try:
        target = parse_url(url)
    except EgressBlocked:
        return

    # when it is rebuilt and parsed again, by us and by the standard library
    again, other = parse_url(target.url), urlsplit(target.url)

    # then all agree, and nothing in it is left to interpretation
    assert again == target
    assert parse_host(target.host) == target.host
    assert other.hostname == target.host
    default = {"http": 80, "https": 443}[target.scheme]
    assert (default if other.port is None else other.port) == target.port
    assert other.username is None
    assert other.fragment == ""
    assert target.url.isascii()
    assert target.url.isprintable()


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("HTTPS://API.Example.COM", HttpUrl("https", "api.example.com", 443, "/")),
        ("http://example.com.:8080/a?b=c", HttpUrl("http", "example.com", 8080, "/a?b=c")),
        ("http://[2600:0:0::1]:443/", HttpUrl("http", "2600::1", 443, "/")),
        (
            "https://x.example.com?filter[a]=1",
            HttpUrl("https", "x.example.com", 443, "/?filter[a]=1"),
        ),
    ],
)
def test_a_url_is_taken_apart_into_canonical_parts(url: str, target: HttpUrl) -> None:
    assert parse_url(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com:080/",
        "http://example.com:/",
        "http://example.com:65536/",
        "http://example.com:８０/",
        "http://example.com: 80/",
        "http://user@example.com/",
        "http://user:pw@example.com/",
        "http://@example.com/",
        "http://example.com/%zz",
        "http://example.com/a b",
        "http://example.com/\\evil",
        "http://example.com/é",
        "http://example.com/#x",
        "http://example..com/",
        "http://.example.com/",
        "http://example.com../",
        "http://exa%6dple.com/",
        "http://a.-b.com/",
        "http://a.b-.com/",
        "http://1.2.3.04/",
        "http://1.2.3/",
        "http://example.0x7f/",
        "http://foo.123/",
        "http://[1.2.3.4]/",
        "http://[::1/",
        "http://::1/",
        "http://[fe80::1%eth0]/",
        "http://[::1]x/",
        "http:///path",
        "http://" + "a" * 64 + ".com/",
        "http://" + "a." * 127 + "com/",
        " http://example.com/",
        "http://example.com/\n",
    ],
)
def test_a_url_that_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(EgressBlocked) as refused:
        parse_url(url)
    assert refused.value.detail == "parse"


@pytest.mark.parametrize("url", ["ftp://a.com/", "file:///etc/passwd", "gopher://127.0.0.1/_x"])
def test_another_scheme_is_refused_as_a_scheme(url: str) -> None:
    with pytest.raises(EgressBlocked) as refused:
        parse_url(url)
    assert refused.value.detail == "scheme"


def test_only_addresses_are_literal() -> None:
    assert str(literal_address("1.2.3.4")) == "1.2.3.4"
    assert str(literal_address("2600::1")) == "2600::1"
    assert literal_address("example.com") is None


@pytest.mark.parametrize("path", ["/", "/v1/me", "/a%20b?filter[x]=1&y", "/?", "/a?b?c"])
def test_another_url_of_an_origin_is_the_one_that_parsing_gives(path: str) -> None:
    origin = parse_url("https://Example.com:443/elsewhere")

    assert origin.at(path) == parse_url(f"https://example.com{path}")


@pytest.mark.parametrize("path", ["/a b", "/a#b", "/%", "/\n", "/é", "/" + "a" * MAX_URL])
def test_another_url_of_an_origin_is_as_strict(path: str) -> None:
    with pytest.raises(EgressBlocked) as refused:
        parse_url("https://example.com/").at(path)

    assert refused.value.detail == "parse"


def test_a_long_url_that_is_not_valid_is_refused_in_linear_time() -> None:
    started = time.process_time()

    for _ in range(100):
        with pytest.raises(EgressBlocked):
            parse_url("https://example.com/" + "a" * 1000 + "?" + "b" * 1000 + "#")

    assert time.process_time() - started < 0.5
