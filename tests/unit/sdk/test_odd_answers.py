"""An answer that is not Patchbay's, or of another version, is an error of this package, not one
from within it."""

import json
import pickle
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from patchbay_sdk import errors, models
from patchbay_sdk.messages import Response
from patchbay_sdk.model import Model, Place

from local.openapi import DOCUMENT
from tests.unit.sdk.conftest import Call
from tests.unit.sdk.stand_in import ORGANIZATION, Behavior, StandIn, answers, listing

pytestmark = pytest.mark.enable_socket

DEEP = b"[" * 200_000
SCHEMAS = json.loads(DOCUMENT.read_text())["components"]["schemas"]
MODELS = [kind for kind in Model.__subclasses__() if kind.__module__ == models.__name__]
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
    ("body", "call", "pointer"),
    [
        ({**ORGANIZATION, "created_at": 5}, read, "/created_at"),
        ({**ORGANIZATION, "created_at": "yesterday"}, read, "/created_at"),
        ({**ORGANIZATION, "created_at": "2026-02-17T10:00:00"}, read, "/created_at"),
        ({**ORGANIZATION, "created_at": "0001-01-01T00:00:00+23:59"}, read, "/created_at"),
        ({**ORGANIZATION, "id": None}, read, "/id"),
        ({**ORGANIZATION, "id": ""}, read, "/id"),
        ({**ORGANIZATION, "id": "\ud800"}, read, "/id"),
        ({**ORGANIZATION, "name": {}}, read, "/name"),
        ({**ORGANIZATION, "paused": 0}, read, "/paused"),
        ([], read, ""),
        ({"items": [ORGANIZATION, 1], "next_cursor": None}, first_page, "/items/1"),
        ({"items": [{**ORGANIZATION, "id": 5}]}, first_page, "/items/0/id"),
        ({"items": {}, "next_cursor": None}, first_page, "/items"),
        ({"next_cursor": None}, first_page, "/items"),
        ({"items": [], "next_cursor": 7}, first_page, "/next_cursor"),
        ({"items": [], "next_cursor": "\ud800"}, first_page, "/next_cursor"),
    ],
)
def test_a_value_of_another_type_is_named_and_the_request_too(
    run: Call, server: StandIn, body: Any, call: Callable[[Any], Any], pointer: str
) -> None:
    server.does(answers(200, body, {"apigw-requestid": "Yf3kJh1uFiAEMZg="}))

    with pytest.raises(errors.UnexpectedAnswer) as failed:
        run(call)

    assert failed.value.pointer == pointer
    assert failed.value.trace_id == "Yf3kJh1uFiAEMZg="
    assert str(failed.value).endswith("(trace Yf3kJh1uFiAEMZg=)")


@pytest.mark.parametrize("kind", MODELS, ids=[kind.__name__ for kind in MODELS])
def test_every_typed_field_of_every_model_is_checked(kind: type[Model]) -> None:
    schema = SCHEMAS[kind.__name__]["properties"]
    aliases = {attribute: key for key, attribute in kind._aliases.items()}
    checked = {aliases.get(name, name) for name in kind._readers}
    unchecked = schema.keys() - checked
    # Only what may be any JSON has no type.
    assert all("JsonValue" in json.dumps(schema[name]) for name in unchecked), unchecked

    for name in checked:
        # No type has both of these.
        values: tuple[Any, ...] = (0.5, [])
        pointers = [pointer_of(kind, {name: value}) for value in values]
        assert f"/{name}" in pointers


def pointer_of(kind: type[Model], body: dict[str, Any]) -> str | None:
    try:
        kind(body)
    except errors.UnexpectedAnswer as error:
        return error.pointer
    return None


@pytest.mark.parametrize("number", [10**400, -(2**63), True, "5"], ids=range(4))
def test_a_count_that_is_none(number: Any) -> None:
    with pytest.raises(errors.UnexpectedAnswer) as failed:
        models.IngestResult({"accepted": number})
    assert failed.value.pointer == "/accepted"


def test_a_whole_number_may_be_written_as_a_fraction() -> None:
    accepted = models.IngestResult({"accepted": 5.0}).accepted
    assert (accepted, type(accepted)) == (5, int)


@pytest.mark.parametrize(
    ("condition", "pointer"),
    [
        ([], "/condition"),
        ("stale", "/condition"),
        ({"kind": ["stale"]}, "/condition/kind"),
        ({"kind": "stale", "after_seconds": {}}, "/condition/after_seconds"),
    ],
)
def test_a_part_of_another_kind_is_named_without_its_value(condition: Any, pointer: str) -> None:
    with pytest.raises(errors.UnexpectedAnswer) as failed:
        models.AlertRule({"condition": condition})
    assert failed.value.pointer == pointer
    with pytest.raises(errors.UnexpectedAnswer) as failed:
        models.AlertRule({"channels": [{"kind": "webhook", "url": ["secret"]}]})
    assert failed.value.pointer == "/channels/0/url"
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("body", [b'{"id": NaN}', b'{"id": 1e999}'])
def test_numbers_that_json_has_not(run: Call, server: StandIn, body: bytes) -> None:
    server.does(written(200, body))
    with pytest.raises(errors.UnexpectedAnswer, match="not JSON"):
        run(read)


@pytest.mark.parametrize("wrong", [5, [], {}, True])
def test_an_envelope_of_another_kind_is_still_an_error_of_its_status(
    run: Call, server: StandIn, wrong: Any
) -> None:
    names = ("code", "message", "type", "details", "trace_id", "timestamp")
    server.does(answers(404, {"error": dict.fromkeys(names, wrong)}))
    with pytest.raises(errors.NotFound) as failed:
        run(read)
    assert (failed.value.code, failed.value.trace_id, failed.value.details) == (None, None, {})


def test_a_field_that_is_missing_is_an_error_of_this_package() -> None:
    made = models.Integration({"id": "int_1"}, Place("trace").of("items").of(3))
    with pytest.raises(errors.MissingField, match="has no /items/3/trustTier") as failed:
        _ = made.trust_tier
    assert (failed.value.pointer, failed.value.trace_id) == ("/items/3/trustTier", "trace")
    # What asks whether it is there still gets an answer
    assert not hasattr(made, "trust_tier")


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
        errors.UnexpectedAnswer("what", pointer="/items/0", trace_id="trace"),
        errors.MissingField("what", pointer="/items/0/id", trace_id="trace"),
    ],
)
def test_an_error_can_be_passed_to_another_process(error: errors.PatchbayError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again).keys() == vars(error).keys()
    assert getattr(again, "sent", None) == getattr(error, "sent", None)
