"""Lists, models, options, and what never shows: the promises of the client beside its tries."""

import asyncio
import json
import pickle
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx2
import patchbay_sdk
import pytest
from patchbay_sdk import (
    OMIT,
    AsyncPatchbay,
    HttpxTransport,
    Patchbay,
    Request,
    Response,
    errors,
    models,
)
from patchbay_sdk.model import Model, Place, time
from patchbay_sdk.operation import authorization

from tests.unit.sdk.conftest import Call
from tests.unit.sdk.stand_in import KEY, ORGANIZATION, StandIn, answers, fails, listing

BASE = "https://patchbay.example.com"
SECRETS = ("right-key", "whsec_secret", "pbi_token", "pb_issued_key", "the-secret-part")


def many(count: int) -> list[dict[str, Any]]:
    return [{**ORGANIZATION, "id": f"org_{number}"} for number in range(count)]


class Recorder:
    """A transport of one's own."""

    def __init__(self, status: int = 200, body: Any = None) -> None:
        self.status = status
        self.body = body
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        return Response(self.status, {"etag": '"7"'}, json.dumps(self.body).encode())

    def close(self) -> None:
        pass


@pytest.mark.enable_socket
def test_a_list_goes_on_by_itself_and_asks_no_earlier_than_needed(
    client: Patchbay, server: StandIn
) -> None:
    server.does(listing(many(3)[:2], "more"), listing(many(3)[2:], None))

    pages = client.organizations.list(limit=2, q="acme")
    assert server.asked == []
    assert [one.id for one in pages] == ["org_0", "org_1", "org_2"]

    first, second = (one.path for one in server.asked)
    assert first == "/v1/organizations?limit=2&q=acme"
    assert second == "/v1/organizations?limit=2&cursor=more&q=acme"


@pytest.mark.enable_socket
def test_a_list_goes_on_by_itself_on_a_loop_too(server: StandIn) -> None:
    server.does(listing(many(3)[:2], "more"), listing(many(3)[2:], None))

    async def run() -> list[str]:
        async with AsyncPatchbay(KEY, base_url=server.url) as client:
            return [one.id async for one in client.organizations.list(limit=2)]

    assert asyncio.run(run()) == ["org_0", "org_1", "org_2"]


@pytest.mark.enable_socket
def test_pages_can_be_taken_one_by_one_and_gone_on_from(client: Patchbay, server: StandIn) -> None:
    server.does(listing(many(2), "more"), listing([], None))
    page = client.organizations.list().first_page()
    assert (len(page.items), page.next_cursor) == (2, "more")
    assert repr(page) == "<Page of 2>"

    [last] = client.organizations.list(cursor=page.next_cursor).pages()
    assert last.next_cursor is None
    assert server.asked[-1].path == "/v1/organizations?cursor=more"


@pytest.mark.enable_socket
def test_a_page_in_the_middle_is_tried_again(client: Patchbay, server: StandIn) -> None:
    limited = fails(429, "RATE_LIMITED", {"Retry-After": "0"})
    server.does(listing(many(1), "more"), limited, listing(many(1), None))
    assert len(list(client.organizations.list())) == 2


def test_fields_of_a_later_version_are_no_attributes_and_not_lost() -> None:
    transport = Recorder(body={**ORGANIZATION, "later": 1})
    made = Patchbay(base_url=BASE, transport=transport).organizations.get(organization_id="o")
    assert made.created_at == datetime(2026, 2, 17, 10, tzinfo=UTC)
    assert not hasattr(made, "later")
    assert made.to_dict()["later"] == 1
    assert made.last_response is not None
    assert made.etag == '"7"'


def test_a_field_that_is_missing_says_so() -> None:
    made = models.Organization({"id": "org_1"})
    with pytest.raises(AttributeError, match="the answer has no /name"):
        _ = made.name


def test_values_and_kinds_of_a_later_version_are_read() -> None:
    rule = {"condition": {"kind": "later", "x": 1}, "severity": "later"}
    made = models.AlertRule(rule)
    assert made.severity == "later"
    assert type(made.condition) is Model
    assert made.condition.to_dict() == rule["condition"]


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-02-17T10:00:00Z", 0),
        ("2026-02-17T10:00:00.337Z", 337000),
        ("2026-02-17T10:00:00.1+00:00", 100000),
        ("2026-02-17T11:00:00.123456789+01:00", 123456),
    ],
)
def test_times_are_aware(text: str, microsecond: int) -> None:
    expected = datetime(2026, 2, 17, 10, 0, 0, microsecond, tzinfo=UTC)
    assert time(text, Place()) == expected


def test_what_is_omitted_is_not_sent_and_none_is_null() -> None:
    transport = Recorder(body=ORGANIZATION)
    client = Patchbay(base_url=BASE, transport=transport)
    client.organizations.update(organization_id="o", name="n")
    client.organizations.update(organization_id="o", external_id=None, name=OMIT)
    bodies = [json.loads(request.content or b"") for request in transport.requests]
    assert bodies == [{"name": "n"}, {"external_id": None}]


def test_times_are_sent_with_their_zone_and_what_was_read_can_be_sent_back() -> None:
    transport = Recorder(body={"accepted": 1, "duplicates": 0})
    client = Patchbay(base_url=BASE, transport=transport)
    at = datetime(2026, 2, 17, 11, tzinfo=timezone(timedelta(hours=1)))
    client.events.add(
        slug="main",
        events=[{"integration_type": "webhook", "status": "SUCCESS", "occurred_at": at}],
    )
    [request] = transport.requests
    [event] = json.loads(request.content or b"")["events"]
    assert event["occurred_at"] == "2026-02-17T11:00:00+01:00"

    client.connections.create(
        organization_id="o",
        name="c",
        source_id="s",
        space="main",
        monitor=models.Monitor({"enabled": True}),
    )
    assert json.loads(transport.requests[1].content or b"")["monitor"] == {"enabled": True}
    with pytest.raises(ValueError, match="time zone"):
        client.audit_events.list(organization_id="o", since=at.replace(tzinfo=None)).first_page()


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_an_id_that_would_be_another_path_is_refused(part: str) -> None:
    client = Patchbay(base_url=BASE, transport=Recorder())
    with pytest.raises(ValueError, match="slug"):
        client.spaces.get(slug=part)


def test_an_id_stays_within_its_part_of_the_path() -> None:
    transport = Recorder(body={})
    Patchbay(base_url=BASE, transport=transport).spaces.get(slug="a/../b?c#d")
    assert transport.requests[0].url == f"{BASE}/spaces/a%2F..%2Fb%3Fc%23d"


def test_the_environment_says_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHBAY_API_URL", f"{BASE}/prefix/")
    monkeypatch.setenv("PATCHBAY_API_KEY", KEY)
    transport = Recorder(body=ORGANIZATION)
    Patchbay(transport=transport).organizations.get(organization_id="o")
    [request] = transport.requests
    assert request.url == f"{BASE}/prefix/v1/organizations/o"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["User-Agent"].startswith(f"patchbay-sdk/{patchbay_sdk.__version__} ")


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it() -> None:
    for key in (f"{KEY}\r\nX: 1", f"{KEY} ", "ключ", ""):
        with pytest.raises(ValueError, match="api_key") as failed:
            authorization(key)
        assert "secret-part" not in repr(failed.value)


@pytest.mark.enable_socket
def test_no_secret_is_in_any_repr(run: Call, client: Patchbay, server: StandIn) -> None:
    server.does(
        answers(
            201,
            {"id": "key_1", "name": "n", "key": "pb_issued_key", "token": "pbi_token"},
        )
    )
    issued = run(lambda c: c.api_keys.create(organization_id="o", name="n", permissions=[]))
    shown = [repr(issued), str(issued), repr(issued.last_response), repr([issued])]
    secret = models.IssuedWebhookSecret({"channel_id": "c", "secret": "whsec_secret"})
    given = models.GivenCredentials(
        {
            "type": "api_key",
            "api_key": "right-key",
            "secrets": {"a": "right-key"},
            "header": {"name": "Authorization", "value": "Bearer right-key"},
        }
    )
    shown += [repr(secret), repr(given), repr(given.header)]
    shown += [repr(client), repr(client._settings), repr(client.sources), repr(vars(client))]
    shown.append(repr(client._settings.request("POST", "/x", content=b"right-key")))
    server.does(fails(400, "VALIDATION_ERROR"))
    try:
        client.sources.create(
            organization_id="o", name="n", integration="a/b", secrets={"api_key": SECRETS[0]}
        )
    except errors.ApiError as error:
        shown += [repr(error), str(error), repr(vars(error)), *traceback.format_exception(error)]
    assert issued.key == "pb_issued_key"
    assert [text for text in shown for one in SECRETS if one in text] == []


def test_a_transport_of_one_s_own_carries_everything() -> None:
    proxied = httpx2.Client(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(200, json=ORGANIZATION))
    )
    with Patchbay(KEY, base_url=BASE, transport=HttpxTransport(proxied)) as client:
        assert client.organizations.get(organization_id="o").name == "Acme"
    assert proxied.is_closed


@pytest.mark.enable_socket
def test_a_cookie_is_not_kept_and_a_redirect_is_not_followed(
    client: Patchbay, server: StandIn
) -> None:
    server.does(answers(303, None, {"Set-Cookie": "session=1; Path=/", "Location": "/elsewhere"}))
    assert client.request("GET", "/oauth/callback").status == 303
    assert client.request("GET", "/oauth/callback").status == 303
    assert [one.path for one in server.asked] == ["/oauth/callback"] * 2
    assert "Cookie" not in server.asked[1].headers


@pytest.mark.enable_socket
def test_one_client_serves_many_threads(client: Patchbay, server: StandIn) -> None:
    server.does(answers(200, ORGANIZATION))
    with ThreadPoolExecutor(8) as pool:
        names = set(
            pool.map(lambda _: client.organizations.get(organization_id="o").name, range(40))
        )
    assert names == {"Acme"}
    assert len(server.asked) == 40


def test_options_share_the_connections() -> None:
    transport = Recorder(body=ORGANIZATION)
    patient = Patchbay(base_url=BASE, transport=transport).with_options(timeout=1.5)
    patient.organizations.get(organization_id="o")
    assert transport.requests[0].timeout_seconds == 1.5
    with pytest.raises(ValueError, match="timeout"):
        Patchbay(base_url=BASE, timeout=0)


def test_models_compare_by_what_they_hold_and_can_be_pickled() -> None:
    made = models.Organization(ORGANIZATION)
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own
    assert made != models.Organization({**ORGANIZATION, "name": "Other"})
    assert made != models.Space(ORGANIZATION)


@pytest.mark.parametrize("module", ["httpx2", "asyncio", "pydantic", "hashlib", "ssl"])
def test_what_is_heavy_is_not_imported_before_it_is_needed(module: str) -> None:
    code = f"import sys, patchbay_sdk; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
