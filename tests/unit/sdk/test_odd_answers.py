"""An answer that is not Patchbay's, or of another version, is an error of this package, not one
from within it."""

import pickle
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from patchbay_sdk import errors, models
from patchbay_sdk.messages import Response

from tests.unit.sdk.conftest import Call
from tests.unit.sdk.stand_in import ORGANIZATION, Behavior, StandIn, answers, listing

pytestmark = pytest.mark.enable_socket

DEEP = b"[" * 200_000
HUGE_NUMBER = b'{"id": ' + b"9" * 5000 + b"}"


def written(status: int, content: bytes) -> Behavior:
    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return behave


def read(client: Any) -> Any:
    return client.organizations.get(organization_id="o")


def first_page(client: Any) -> Any:
    return client.organizations.list().first_page()


@pytest.mark.parametrize("content", [DEEP, HUGE_NUMBER, b"<html>", b"", b"\xff", b"NaN", b"[]"])
def test_what_is_not_an_object_of_json(run: Call, server: StandIn, content: bytes) -> None:
    server.does(written(200, content))
    with pytest.raises(errors.UnexpectedAnswer):
        run(read)

    server.does(written(500, content))
    with pytest.raises(errors.ServerError) as failed:
        run(read, max_retries=0)
    assert failed.value.code is None


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ({**ORGANIZATION, "created_at": 5}, read),
        ({**ORGANIZATION, "created_at": "yesterday"}, read),
        ({"items": [1], "next_cursor": None}, first_page),
        ({"items": [None], "next_cursor": None}, first_page),
        ({"items": {}, "next_cursor": None}, first_page),
        ({"items": [], "next_cursor": 7}, first_page),
    ],
)
def test_values_of_another_kind(
    run: Call, server: StandIn, body: Any, call: Callable[[Any], Any]
) -> None:
    server.does(answers(200, body))
    with pytest.raises(errors.UnexpectedAnswer):
        run(call)


@pytest.mark.parametrize("condition", [[], "stale", {"kind": ["stale"]}, {"kind": {}}])
def test_a_part_of_another_kind_is_named_without_its_value(condition: Any) -> None:
    with pytest.raises(errors.UnexpectedAnswer, match="condition of this AlertRule"):
        models.AlertRule({"condition": condition})
    with pytest.raises(errors.UnexpectedAnswer, match="condition of this Alert"):
        models.AlertRule({"channels": [], "condition": 5})


def test_a_field_that_is_missing_is_an_error_of_this_package() -> None:
    made = models.Organization({"id": "org_1"})
    with pytest.raises(errors.MissingField, match="name"):
        _ = made.name
    # What asks whether it is there still gets an answer
    assert not hasattr(made, "name")


def test_a_list_that_leads_in_a_circle_ends(run: Call, server: StandIn) -> None:
    server.does(listing([], "a"), listing([], "b"), listing([], "a"), listing([], "b"))

    def every(client: Any) -> Any:
        return list(client.organizations.list())

    async def each(client: Any) -> Any:
        return [one async for one in client.organizations.list()]

    with pytest.raises(errors.UnexpectedAnswer, match="does not go on"):
        run(lambda client: each(client) if hasattr(client, "__aenter__") else every(client))
    assert len(server.asked) == 3


def test_an_empty_page_in_the_middle_is_not_the_end(run: Call, server: StandIn) -> None:
    server.does(listing([], "a"), listing([ORGANIZATION], ""))
    page = run(first_page)
    assert (page.items, page.next_cursor) == ([], "a")
    assert run(first_page).next_cursor is None


@pytest.mark.parametrize(
    "error",
    [
        errors.error_of(Response(404, {}, b'{"error": {"code": "SOURCE_NOT_FOUND"}}')),
        errors.TimedOut(sent=True),
        errors.ConnectionFailed("no answer: ReadError", sent=False),
        errors.WebhookInvalid("too old"),
    ],
)
def test_an_error_can_be_passed_to_another_process(error: errors.PatchbayError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again).keys() == vars(error).keys()
    assert getattr(again, "sent", None) == getattr(error, "sent", None)
