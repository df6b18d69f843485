"""Messages of refused input: in the words of JSON, whatever model and field it is."""

import importlib
import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticKnownError
from pydantic_core._pydantic_core import list_all_errors

from patchbay.alerts.rule_model import NewAlertRule
from patchbay.connections.connection_model import NewConnection
from patchbay.platform.errors import Problem
from patchbay.platform.validation import ONE_LINE_PATTERN, DisplayName, problems_of
from patchbay.registry.manifest import Manifest

PYTHON = re.compile(
    r"dictionary|instance of|\bNone\b|\bTrue\b|\bFalse\b|\blist\b|tuple|frozenset|timezone info|"
    r"after validation|discriminator|[Tt]ag |<|[Ss]hould"
)
WRONG: list[Any] = [1, 1.5, "", "?", None, True, [], {}, [1], [{}], [[]], {"x": 1}, "2026-01-01"]
WRONG += [
    {"kind": "?"},
    [{"kind": "?"}],
    ["?"] * 200,
    "?" * 5000,
    -1,
    10**30,
    "2026-01-01T00:00:00",
]
FUNCTIONS = ("alerts", "checks", "connections", "health", "registry", "tenancy")


def as_query(model: type[BaseModel], given: dict[str, Any]) -> None:
    model.model_validate(given)


def as_body(model: type[BaseModel], given: dict[str, Any]) -> None:
    model.model_validate_json(json.dumps(given), strict=True)


READ = (as_query, as_body)


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: Literal[Size.SMALL, Size.LARGE] = Size.SMALL
    any_size: Size = Size.SMALL
    at: AwareDatetime | None = None
    parts: list[int] = Field(default=[], min_length=1, max_length=2)
    rules: dict[str, int] = Field(default={}, max_length=1)
    only: Literal["this"] = "this"
    name: str = Field(default="ab", min_length=2, pattern="^[a-z]+$")
    ratio: float = Field(default=0.5, le=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": "huge"}, "must be one of small, large"),
        ({"any_size": "huge"}, "must be one of small, large"),
        ({"only": "other"}, "must be this"),
        ({"at": "2026-01-01T00:00:00"}, "must have a UTC offset, such as Z"),
        ({"parts": []}, "must have at least 1 item"),
        ({"parts": [1, 2, 3]}, "must have at most 2 items"),
        ({"parts": 1}, "must be an array"),
        ({"parts": ["one"]}, "must be an integer"),
        ({"name": 1}, "must be a string"),
        ({"name": "a"}, "must have at least 2 characters"),
        ({"name": "Abc"}, "must match ^[a-z]+$"),
        ({"rules": []}, "must be an object"),
        ({"rules": {"a": 1, "b": 2}}, "must have at most 1 member"),
        ({"ratio": 2}, "must be at most 1"),
        ({"color": 1}, "is not a known field"),
    ],
)
def test_a_message_speaks_of_json(given: dict[str, Any], message: str) -> None:
    for read in READ:
        with pytest.raises(ValidationError) as refused:
            read(Thing, given)
        [problem] = problems_of(refused.value)
        assert problem.message == message
        assert problem.pointer.startswith("/" + next(iter(given)))


def test_a_missing_field_is_required() -> None:
    class Body(BaseModel):
        name: str

    with pytest.raises(ValidationError) as refused:
        Body.model_validate({})
    assert problems_of(refused.value) == [Problem("/name", "is required")]


EVERY_TYPE: dict[str, Any] = {e["type"]: e.get("example_context") for e in list_all_errors()}
OURS = re.compile(r"(must|is|has|can't|no longer) .*")


@pytest.mark.parametrize("kind", sorted(EVERY_TYPE))
def test_every_error_of_pydantic_has_words_of_ours(kind: str) -> None:
    # given any error that pydantic can raise
    context = EVERY_TYPE[kind] or {}
    if "error" in context:
        context["error"] = "hunter2"
    if kind in ("value_error", "assertion_error"):
        context["error"] = ValueError("is wrong")

    def refuse(_: Any) -> Any:
        raise PydanticKnownError(kind, context or None)  # type: ignore[arg-type]  # any kind

    # when a field raises it
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Annotated[Any, BeforeValidator(refuse)]).validate_python("hunter2")

    # then
    [problem] = problems_of(refused.value)
    assert OURS.fullmatch(problem.message), problem.message
    assert "should" not in problem.message
    assert "hunter2" not in problem.message


def models() -> dict[str, type[BaseModel]]:
    """What requests are read as, and what is in some of them."""
    found: list[type[BaseModel]] = [Manifest, NewConnection, NewAlertRule]
    for name in FUNCTIONS:
        for route in importlib.import_module(name).api.routes:
            found += filter(None, (route.body, route.query))
    return {model.__name__: model for model in found}


def wrong(model: type[BaseModel]) -> Iterator[dict[str, Any]]:
    for name, field in model.model_fields.items():
        known = field.validation_alias or field.alias or name
        for value in WRONG:
            yield {str(known): value}
        for kind in ("webhook", "sns", "eventbridge", "success_rate", "stale", "connection_down"):
            for inner in WRONG:
                members = ("url", "id", "threshold", "integration_type", "connection_id")
                inside = {"kind": kind} | dict.fromkeys(members, inner)
                yield from ({str(known): inside}, {str(known): [inside]})


@pytest.mark.parametrize("name", sorted(models()))
def test_no_request_is_refused_in_the_words_of_python(name: str) -> None:
    model, found = models()[name], set()
    for given in wrong(model):
        for read in READ:
            try:
                read(model, given)
            except ValidationError as error:
                found |= {(p.pointer, p.message) for p in problems_of(error)}
    spoken = {(at, text) for at, text in found if PYTHON.search(text) or "[kind]" in at}
    assert spoken == set()


@pytest.mark.parametrize(
    "text",
    [
        *("a\x00b", "a\u202eb", "a\u200bb", "\ufeffa", "a\u2066b", "a\u00adb", "\u3164", "a\x85b"),
        *("a\u2060b", "a\U000e0041b", "a\u200f", "a\nb", "\u200d", "\ufe0f", " "),
    ],
)
def test_a_name_has_nothing_invisible(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(DisplayName).validate_python(text)


@pytest.mark.parametrize(
    "text", ["Ünïcode & Co.", "中文", "می\u200cخواهم", "👩\u200d🔧", "❤\ufe0f", "עברית", "a b"]
)
def test_a_name_of_any_script_is_taken(text: str) -> None:
    assert TypeAdapter(DisplayName).validate_python(text) == text
    assert re.search(ONE_LINE_PATTERN, text)
