"""The defaults of schemas and of authors, as every create, edit, and upgrade applies them."""

import time
from typing import Any

import pytest

from patchbay.platform.schema_defaults import TooManyDefaults, with_defaults

PORT = {"type": "integer", "default": 443}
SERVER: dict[str, Any] = {
    "type": "object",
    "properties": {"host": {"type": "string"}, "port": PORT, "path": {"default": "/"}},
}


def of(rule: Any, **definitions: Any) -> dict[str, Any]:
    return {"properties": {"v": rule}, "$defs": definitions}


@pytest.mark.parametrize(
    ("schema", "given", "expected"),
    [
        ({"properties": {"port": PORT}}, {}, {"port": 443}),
        ({"properties": {"port": PORT}}, {"port": 1, "other": 2}, {"port": 1, "other": 2}),
        # An object that is there is completed, one that is not stays absent.
        (of(SERVER), {"v": {"port": 1}}, {"v": {"port": 1, "path": "/"}}),
        (of(SERVER), {}, {}),
        (of({**SERVER, "default": {}}), {}, {"v": {"port": 443, "path": "/"}}),
        # Behind references and in parts.
        (of({"$ref": "#/$defs/a"}, a=PORT), {}, {"v": 443}),
        (of({"$ref": "#/$defs/a"}, a=SERVER), {"v": {}}, {"v": {"port": 443, "path": "/"}}),
        (of({"$ref": "#/$defs/a", "default": 7}, a=PORT), {}, {"v": 7}),
        (of({"allOf": [{"type": "integer"}, PORT]}), {}, {"v": 443}),
        ({"allOf": [{"properties": {"port": PORT}}]}, {}, {"port": 443}),
        ({"$ref": "#/$defs/a", "$defs": {"a": SERVER}}, {}, {"port": 443, "path": "/"}),
        # In items, and in members that no property describes.
        (of({"items": SERVER}), {"v": [{}, 5]}, {"v": [{"port": 443, "path": "/"}, 5]}),
        (
            of({"prefixItems": [SERVER], "items": False}),
            {"v": [{}]},
            {"v": [{"port": 443, "path": "/"}]},
        ),
        ({"additionalProperties": SERVER}, {"x": {}}, {"x": {"port": 443, "path": "/"}}),
        # A null where none is allowed is as good as absent.
        ({"properties": {"port": PORT}}, {"port": None}, {"port": 443}),
        (of({"type": ["string", "null"], "default": "x"}), {"v": None}, {"v": None}),
        ({"properties": {"a": {"enum": [1, None], "default": 1}}}, {"a": None}, {"a": None}),
        ({"properties": {"a": {"type": "string"}}}, {"a": None}, {}),
        ({}, {"a": None}, {"a": None}),
        (of(SERVER), {"v": {"port": None}}, {"v": {"port": 443, "path": "/"}}),
        # Whole numbers.
        ({"properties": {"port": PORT}}, {"port": 8080.0}, {"port": 8080}),
        ({"properties": {"ratio": {"type": "number"}}}, {"ratio": 1.5}, {"ratio": 1.5}),
    ],
)
def test_what_is_left_out_has_the_default_of_its_schema(
    schema: dict[str, Any], given: dict[str, Any], expected: dict[str, Any]
) -> None:
    filled = with_defaults(given, schema)
    assert filled == expected
    assert [type(value) for value in filled.values()] == [type(v) for v in expected.values()]
    # Twice is once.
    assert with_defaults(filled, schema) == filled


KEYED: dict[str, Any] = {
    "oneOf": [
        {
            "required": ["kind"],
            "properties": {"kind": {"const": "oauth"}, "flow": {"default": "code"}},
        },
        {
            "required": ["kind"],
            "properties": {"kind": {"const": "key"}, "place": {"default": "header"}},
        },
        {"type": "string"},
    ]
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kind": "oauth"}, {"kind": "oauth", "flow": "code"}),
        ({"kind": "key", "place": "query"}, {"kind": "key", "place": "query"}),
        # Two branches may be meant, or none: no default is guessed.
        ({}, {}),
        ({"kind": "basic"}, {"kind": "basic"}),
        ("text", "text"),
    ],
)
def test_defaults_come_from_the_branch_that_is_meant(given: Any, expected: Any) -> None:
    assert with_defaults({"v": given}, of(KEYED)) == {"v": expected}


def test_the_required_members_may_tell_the_branch() -> None:
    union = {
        "anyOf": [
            {"required": ["url"], "properties": {"tls": {"default": True}}},
            {"required": ["socket"], "properties": {"mode": {"default": "rw"}}},
        ]
    }
    assert with_defaults({"v": {"url": "x"}}, of(union)) == {"v": {"url": "x", "tls": True}}


def test_what_the_author_chose_goes_before_the_schema_and_after_what_is_given() -> None:
    schema = {"properties": {"region": {"type": "string"}, "port": PORT, "server": SERVER}}
    chosen = {"region": "eu", "port": 2, "server": {"port": 3}}
    assert with_defaults({}, schema, chosen) == {
        "region": "eu",
        "port": 2,
        "server": {"port": 3, "path": "/"},
    }
    given = {"region": "us", "port": None, "server": {"host": "a"}}
    assert with_defaults(given, schema, chosen) == {
        "region": "us",
        "port": 2,
        "server": {"host": "a", "port": 3, "path": "/"},
    }


def test_an_object_of_one_branch_is_not_completed_by_members_of_another() -> None:
    chosen = {"v": {"kind": "oauth", "flow": "device"}}
    assert with_defaults({"v": {"kind": "key"}}, of(KEYED), chosen) == {
        "v": {"kind": "key", "place": "header"}
    }


def test_a_default_is_a_copy() -> None:
    schema: dict[str, Any] = {"properties": {"tags": {"default": []}}}
    with_defaults({}, schema)["tags"].append("x")
    assert with_defaults({}, schema) == {"tags": []}


def test_the_cost_of_filling_is_bounded() -> None:
    # Each of many items gets a large default
    large = of({"items": {"properties": {"a": {"default": "x" * 30_000}}}})
    with pytest.raises(TooManyDefaults, match="bytes of defaults"):
        with_defaults({"v": [{}] * 1000}, large)
    # Each of many items meets many rules
    wide = of({"items": {"oneOf": [{"properties": {"a": {"const": n}}} for n in range(1000)]}})
    began = time.thread_time()
    with pytest.raises(TooManyDefaults, match="too large"):
        with_defaults({"v": [{"a": -1}] * 3000}, wide)
    assert time.thread_time() - began < 3
    # A reference that leads back, as a schema that was never checked may have it
    with pytest.raises(TooManyDefaults):
        with_defaults({}, {"$ref": "#"})
