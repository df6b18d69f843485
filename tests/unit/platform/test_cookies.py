import json
from typing import Any

import pytest

from patchbay.platform.cookies import HostCookie, cookies_of
from patchbay.platform.http import HttpApi, Reply
from tests.integration.api import sample_event


@pytest.mark.parametrize(
    "event",
    [
        {"cookies": ["a=1", "b=2=3", "a=later", "none"]},
        {"headers": {"cookie": "a=1; b=2=3; a=later; none"}},
    ],
)
def test_the_gateway_and_the_emulator_give_the_same_cookies(event: dict[str, Any]) -> None:
    assert cookies_of(event) == {"a": "1", "b": "2=3"}


def test_a_request_without_cookies_has_none() -> None:
    assert cookies_of({}) == {}
    assert cookies_of({"headers": None, "cookies": None}) == {}


def test_a_cookie_is_for_this_host_alone_and_no_script_reads_it() -> None:
    cookie = HostCookie("__Host-a", "secret-value", 600)

    assert str(cookie) == (
        "__Host-a=secret-value; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax"
    )
    assert "secret-value" not in repr(cookie)


def test_a_route_gets_the_cookies_and_the_query_as_it_came_and_sets_cookies() -> None:
    # given
    api = HttpApi("Trial")

    @api.get("/openapi.json", permission=None)
    def read(cookies: dict[str, str], raw_query: str) -> Reply[dict[str, Any]]:
        seen = {"cookies": cookies, "query": raw_query}
        return Reply(seen, cookies=(HostCookie("__Host-b", "2", 60),))

    event = sample_event("docs") | {"cookies": ["a=1"], "rawQueryString": "x=%20&x=2"}
    event["rawPath"] = event["requestContext"]["http"]["path"] = "/openapi.json"

    # when
    answer = api.resolve(event)

    # then
    assert json.loads(answer["body"]) == {"cookies": {"a": "1"}, "query": "x=%20&x=2"}
    assert answer["cookies"] == [str(HostCookie("__Host-b", "2", 60))]
