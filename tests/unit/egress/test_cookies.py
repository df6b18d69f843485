"""The cookies of one test: kept as RFC 6265 says, and never sent to another origin."""

from datetime import UTC, datetime

import pytest

from patchbay.egress.cookies import MAX_COOKIE, MAX_COOKIES, MIN_SECRET, CookieJar
from patchbay.egress.url import parse_url

NOW = datetime(2026, 2, 17, 10, tzinfo=UTC)
LOGIN = "https://app.example.com/login"


def sent(set_cookie: str, to: str = "https://app.example.com/me", at: str = LOGIN) -> str | None:
    jar = CookieJar()
    jar.keep(parse_url(at), set_cookie, NOW)
    return jar.header(parse_url(to))


@pytest.mark.parametrize(
    ("set_cookie", "cookie"),
    [
        ("session=abc", "session=abc"),
        ("session=abc; Path=/; HttpOnly; Secure; SameSite=Lax", "session=abc"),
        ('session="abc"', "session=abc"),
        ("a=1, b=2; Path=/", "a=1; b=2"),
        ("a=1; Expires=Wed, 21 Oct 2037 07:28:00 GMT, b=2", "a=1; b=2"),
        ("a=1; Expires=Wed, 21-Oct-2037 07:28:00 GMT", "a=1"),
        ("a=1; Expires=nonsense", "a=1"),
        ("a=1; Expires=Wed, 21 Oct 99999999999999 07:28:00 GMT", "a=1"),
        ("a=1; Expires=Wed, 21 Oct 2037 07:28:00 +99999999999999999999", "a=1"),
        ("a=1; Max-Age=60", "a=1"),
        ("a=1; Domain=example.com", "a=1"),
        ("a=", "a="),
        ("a=1, SID=2", "a=1; SID=2"),
        ("a=XyX", "a=XyX"),
        # RFC 6265 §5.2.2: an age of anything but digits is ignored
        ("a=1; Max-Age=+0", "a=1"),
        ("a=1; Max-Age=--5", "a=1"),
        ("a=1; Max-Age=0=1", "a=1"),
        ("a=1; Max-Age=10", "a=1"),
        ("a=1; Expires=Tue, 17 Feb 2026 02:00:01 -0800", "a=1"),
        ("a=1; Expires=Tue, 17 Feb 2026 10:00:01", "a=1"),
        # one that is not valid before one that is
        ("a b=1, b=2", "b=2"),
        ("a=" + "x" * 5000 + ", b=2", "b=2"),
        ("a=\x00, b=2", "b=2"),
        ("a=1" + "; x" * 20 + "; Max-Age=0", "a=1"),
        ("a=b=c", "a=b=c"),
        # ended, or not a cookie
        ("a=1; Max-Age=0", None),
        ("a=1; Max-Age=-1", None),
        ("a=1; Max-Age=00", None),
        ("a=1; Max-Age=X5; Expires=Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("a=1" + "; x" * 19 + "; Max-Age=0", None),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("a=1; Expires=Thursday, 01-Jan-70 00:00:00 GMT", None),
        ("a=1; Expires=Thu, 01 Jan 1970 00:00:00", None),
        ("a=1; Expires=Tue, 17 Feb 2026 10:00:00 GMT", None),
        ("a b=1", None),
        ("=1", None),
        ("", None),
        ("a=" + "x" * 5000, None),
        ("a=\x00", None),
    ],
)
def test_a_cookie_is_kept_and_sent_again(set_cookie: str, cookie: str | None) -> None:
    assert sent(set_cookie) == cookie


@pytest.mark.parametrize(
    ("to", "is_sent"),
    [
        ("https://app.example.com/api", True),
        ("https://app.example.com/api/v1?x=1", True),
        ("https://app.example.com/api?x=1", True),
        ("https://app.example.com/api2", False),
        ("https://app.example.com/", False),
        ("http://app.example.com/api", False),
        ("https://app.example.com:8443/api", False),
        ("https://evil.example.com/api", False),
        ("https://example.com/api", False),
    ],
)
def test_a_cookie_goes_to_its_origin_and_path_only(to: str, is_sent: bool) -> None:
    assert sent("s=1; Path=/api; Domain=example.com", to) == ("s=1" if is_sent else None)


def test_the_size_of_a_cookie_is_of_its_name_and_value() -> None:
    assert MAX_COOKIE == 4096
    for length, is_kept in ((4095, True), (4096, False)):
        assert (sent("a=" + "x" * length) is not None) is is_kept


def test_a_path_may_have_an_equals_sign() -> None:
    assert sent("s=1; Path=/a=b", "https://app.example.com/a=b/c") == "s=1"
    assert sent("s=1; Path=/a=b", "https://app.example.com/a") is None


def test_cookies_of_longer_paths_go_first() -> None:
    cookies = "a=1; Path=/, b=2; Path=/api/v1, c=3; Path=/api"
    assert sent(cookies, "https://app.example.com/api/v1") == "b=2; c=3; a=1"


def test_the_value_of_a_name_is_the_last_that_was_set() -> None:
    # given
    jar, url = CookieJar(), parse_url(LOGIN)
    jar.keep(url, "a=1, csrf=2; Path=/x, csrf=3, b=4", NOW)

    # then
    assert (jar.value("a"), jar.value("csrf"), jar.value("none")) == ("1", "3", None)
    jar.keep(url, "csrf=5; Path=/y", NOW)
    assert jar.value("csrf") == "5"


def test_the_path_is_that_of_the_page_without_one() -> None:
    at = "https://app.example.com/a/login?next=/x?y"
    assert sent("s=1", "https://app.example.com/a/me", at) == "s=1"
    assert sent("s=1", "https://app.example.com/me", at) is None
    assert sent("s=1; Path=x", "https://app.example.com/a/me", at) == "s=1"


def test_cookies_are_replaced_ended_and_bounded() -> None:
    # given
    jar, url = CookieJar(), parse_url(LOGIN)
    jar.keep(url, "a=1, b=1", NOW)

    # when
    jar.keep(url, "a=2, b=; Max-Age=0", NOW)
    jar.keep(url, ", ".join(f"c{n}=x" for n in range(100)), NOW)

    # then
    header = jar.header(url) or ""
    assert header.startswith("a=2; c0=x")
    assert len(header.split("; ")) == MAX_COOKIES == 20


def test_values_of_8_characters_may_be_a_session_and_shorter_ones_are_ordinary_words() -> None:
    jar = CookieJar()
    jar.keep(parse_url(LOGIN), "a=true, b=12345, c=1234567, d=12345678, e=session-4242, f=", NOW)
    assert MIN_SECRET == 8
    assert set(jar.secret_values()) == {"12345678", "session-4242"}
