"""Requests of nobody cost no read, and a guess costs one: a flood of them is paid by its maker."""

from typing import Any

import pytest

import authorizer
from tests.integration.api import Client, sample_event
from tests.integration.conftest import Tenant
from tests.integration.documented import NEVER_MADE, NOBODYS, ROUTES, Names
from tests.integration.table_calls import counted_calls

SECRET = "N8s-eLkWm1c0Zr5vYt2uXb7aHd4Jg6Pq9oFi3TnKwRE"
NOBODY: dict[str, str] = {}

MALFORMED = {
    "no scheme": f"pb_k3x9q2mv_{SECRET}",
    "another scheme": f"Basic pb_k3x9q2mv_{SECRET}",
    "no token": "Bearer ",
    "two tokens": f"Bearer pb_k3x9q2mv_{SECRET} pb_k3x9q2mv_{SECRET}",
    "no prefix": f"Bearer {SECRET}",
    "another prefix": f"Bearer sk_k3x9q2mv_{SECRET}",
    "the prefix in capitals": f"Bearer PB_k3x9q2mv_{SECRET}",
    "a short name": f"Bearer pb_k3x9q2m_{SECRET}",
    "a name in capitals": f"Bearer pb_K3X9Q2MV_{SECRET}",
    "a short secret": f"Bearer pb_k3x9q2mv_{SECRET[:-1]}",
    "a long secret": f"Bearer pb_k3x9q2mv_{SECRET}A",
    "another alphabet": f"Bearer pb_k3x9q2mv_{SECRET[:-1]}+",
    "letters of another script": f"Bearer pb_k3x9q2mv_{SECRET[:-1]}Е",
    "digits of another script": f"Bearer pb_k3x9q2m٣_{SECRET}",
    "a line after it": f"Bearer pb_k3x9q2mv_{SECRET}\n",
    "a short token of a session": f"Bearer pbi_{SECRET[:-1]}",
    "a cookie": f"Bearer pbs_{SECRET}",
    "three parts": "Bearer a.b.c",
    "much": f"Bearer pb_k3x9q2mv_{'A' * 9_000}",
}

GUESSES = {
    "key": {"authorization": f"Bearer pb_k3x9q2mv_{SECRET}"},
    "token of a session": {"authorization": f"Bearer pbi_{SECRET}"},
    "cookie": {"cookie": f"__Host-patchbay_session=pbs_{SECRET}", "sec-fetch-site": "same-origin"},
}


def context(headers: dict[str, str], cookies: list[str] | None = None) -> dict[str, str]:
    """What the authorizer says of a request."""
    event = sample_event("authorizer") | {"headers": headers, "cookies": cookies or []}
    said: dict[str, Any] = authorizer.handler(event, None)
    known: dict[str, str] = said["context"]
    return known


@pytest.mark.parametrize("header", MALFORMED.values(), ids=MALFORMED)
def test_what_can_not_be_a_key_costs_no_read(tenant: Tenant, header: str) -> None:
    with counted_calls() as calls:
        assert context({"authorization": header}) == NOBODY
    assert not calls


@pytest.mark.parametrize(
    "cookie", ["", "pbs_", f"pbs_{SECRET[:-1]}", f"pbs_{SECRET}A", f"pb_k3x9q2mv_{SECRET}"]
)
def test_what_can_not_be_a_cookie_costs_no_read(tenant: Tenant, cookie: str) -> None:
    guess = GUESSES["cookie"] | {"cookie": f"__Host-patchbay_session={cookie}"}
    with counted_calls() as calls:
        assert context(guess) == NOBODY
    assert not calls


def test_no_key_costs_no_read(tenant: Tenant) -> None:
    with counted_calls() as calls:
        assert context({}) == NOBODY
    assert not calls


@pytest.mark.parametrize("guess", GUESSES.values(), ids=GUESSES)
def test_a_guess_costs_one_read(tenant: Tenant, guess: dict[str, str]) -> None:
    with counted_calls() as calls:
        assert context(guess) == NOBODY
    assert calls == {"GetItem": 1}


def test_guesses_at_one_key_cost_two_reads_a_minute(tenant: Tenant) -> None:
    # Given a key whose name is known: it is in lists and logs
    _, name, secret = str(tenant.client.key).split("_", 2)
    wrong = [n for n in "0123456789a" if n != secret[0]][:10]
    first, *others = (f"Bearer pb_{name}_{n}{secret[1:]}" for n in wrong)
    # When a flood guesses at its secret
    with counted_calls() as calls:
        assert context({"authorization": first}) == NOBODY
    assert calls == {"GetItem": 2}  # the key, and its organization
    # Then no further guess costs anything
    with counted_calls() as calls:
        assert [context({"authorization": other}) for other in others] == [NOBODY] * 9
    assert not calls


TEST = f"tst_{NEVER_MADE}"
NAMES = Names.of(
    {
        "organization_id": f"org_{NEVER_MADE}",
        "slug": "nowhere",
        "publisher": "nobody",
        "integration_slug": "nothing",
        "source_id": f"src_{NEVER_MADE}",
        "destination_id": f"dst_{NEVER_MADE}",
        "connection_id": f"con_{NEVER_MADE}",
        "source_test_id": TEST,
        "destination_test_id": TEST,
        "connection_test_id": TEST,
        "progress": NOBODYS,
    }
)


@pytest.mark.parametrize("key", [None, "pb_wrong"])
def test_no_route_reads_for_nobody(deployed: object, key: str | None) -> None:
    for route in ROUTES:
        target = NAMES.and_(dict.fromkeys((*route.parameters, *route.required), "x")).path(route)
        with counted_calls() as calls:
            answer = Client(key).call(route.method, target, "{}" if route.has_body else None)
        assert answer.status == 401, route.name
        assert route.method == "HEAD" or answer.code == "UNAUTHENTICATED", route.name
        assert not calls, route.name


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/status/nothing/badges/uptime.svg", 404),
        (f"/status/{'a' * 33}/badges/uptime.svg", 404),
        (f"/oauth/callback?state={SECRET}&code=x", 303),
        ("/oauth/callback?state=x", 303),
    ],
)
def test_an_address_that_was_never_given_away_costs_no_read(
    deployed: object, path: str, status: int
) -> None:
    with counted_calls() as calls:
        assert Client(None).get(path).status == status
    assert not calls
