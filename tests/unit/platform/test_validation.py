"""Messages of refused input: in the words of JSON, whatever model and field it is."""

import importlib
import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from patchbay.alerts.rule_model import NewAlertRule
from patchbay.connections.model import NewConnection
from patchbay.platform.validation import problems_of
from patchbay.registry.manifest import Manifest

PYTHON = re.compile(
    r"dictionary|instance of|\bNone\b|\bTrue\b|\bFalse\b|\blist\b|tuple|frozenset|timezone info|"
    r"after validation|discriminator|[Tt]ag |<"
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
    rules: dict[str, int] = {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": "huge"}, "Input should be 'small' or 'large'"),
        ({"any_size": "huge"}, "Input should be 'small' or 'large'"),
        ({"at": "2026-01-01T00:00:00"}, "Input should have a time zone, such as Z"),
        ({"parts": []}, "should have at least 1"),
        ({"parts": [1, 2, 3]}, "should have at most 2"),
        ({"parts": 1}, "Input should be an array"),
        ({"rules": []}, "Input should be an object"),
        ({"colour": 1}, "is not a field of this request"),
    ],
)
def test_a_message_speaks_of_json(given: dict[str, Any], message: str) -> None:
    for read in READ:
        with pytest.raises(ValidationError) as refused:
            read(Thing, given)
        [problem] = problems_of(refused.value)
        assert problem.message == message
        assert problem.pointer == "/" + next(iter(given))


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
    model, told = models()[name], set()
    for given in wrong(model):
        for read in READ:
            try:
                read(model, given)
            except ValidationError as error:
                told |= {(p.pointer, p.message) for p in problems_of(error)}
    spoken = {(at, text) for at, text in told if PYTHON.search(text) or "[kind]" in at}
    assert spoken == set()
