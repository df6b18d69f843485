"""JSON Schemas of strangers, and what they refuse."""

import resource
import socket
from typing import Any

import pytest

from patchbay.platform.errors import Problem
from patchbay.platform.json_schema import (
    DocumentSchema,
    default_problems,
    schema_problems,
)

SCHEMA = {
    "type": "object",
    "required": ["region"],
    "additionalProperties": False,
    "properties": {
        "region": {"enum": ["eu", "us"]},
        "size": {"type": "integer", "default": 50},
        "a/b": {"type": "string", "pattern": "^a+$"},
    },
}


def document_problems(document: Any, schema: dict[str, Any], at: str) -> list[Problem]:
    return DocumentSchema(schema).problems(document, at)


def test_a_good_schema_has_no_problems() -> None:
    assert schema_problems(SCHEMA, "/variablesSchema") == []
    assert schema_problems({}, "/variablesSchema") == []


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ([], "/s"),
        ({"type": "objekt"}, "/s/type"),
        ({"properties": {"a": {"minimum": "1"}}}, "/s/properties/a/minimum"),
        ({"pattern": "("}, "/s/pattern"),
        ({"$ref": "#/$defs/none"}, "/s/$ref"),
        ({"$ref": "https://example.com/schema"}, "/s/$ref"),
        ({"$ref": "file:///etc/passwd"}, "/s/$ref"),
        ({"allOf": [{"$dynamicRef": "other.json"}]}, "/s/allOf/0/$dynamicRef"),
    ],
)
def test_a_bad_schema_is_pointed_at(schema: Any, pointer: str) -> None:
    assert [problem.pointer for problem in schema_problems(schema, "/s")] == [pointer]


def test_a_document_is_pointed_at_where_it_is_wrong() -> None:
    document = {"size": "sk_live_1", "a/b": "sk_live_2", "extra": "sk_live_3"}
    problems = document_problems(document, SCHEMA, "/variables")
    assert {problem.pointer for problem in problems} == {
        "/variables/region",
        "/variables/size",
        "/variables/a~1b",
        "/variables/extra",
    }
    assert "sk_live" not in repr(problems)
    assert document_problems({"region": "eu"}, SCHEMA, "/variables") == []


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "string"}, 7, "must be a string"),
        ({"type": ["null", "integer"]}, "x", "must be an integer or null"),
        ({"type": "boolean"}, "x", "must be true or false"),
        ({"enum": ["eu", "us", 3, None]}, "x", "must be one of eu, us, 3, null"),
        ({"enum": list(range(12))}, "x", "must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … (2 more)"),
        ({"const": "eu"}, "x", "must be eu"),
        ({"format": "date"}, "x", "must have the format date"),
        ({"pattern": "^a{2}$"}, "x", "must match ^a{2}$"),
        ({"minLength": 2}, "x", "must have at least 2 characters"),
        ({"maxLength": 1}, "xx", "must have at most 1 character"),
        ({"minimum": 3}, 1, "must be at least 3"),
        ({"maximum": 3}, 5, "must be at most 3"),
        ({"exclusiveMinimum": 3}, 3, "must be greater than 3"),
        ({"exclusiveMaximum": 3}, 3, "must be less than 3"),
        ({"multipleOf": 5}, 3, "must be a multiple of 5"),
        ({"minItems": 1}, [], "must have at least 1 item"),
        ({"maxItems": 1}, [1, 2], "must have at most 1 item"),
        ({"uniqueItems": True}, [1, 1], "must not have duplicate items"),
        ({"contains": {"const": 1}}, [2], "does not contain the required items"),
        ({"unevaluatedItems": False}, ["x"], "must not have more items"),
        ({"minProperties": 1}, {}, "must have at least 1 member"),
        ({"maxProperties": 0}, {"x": 1}, "must have at most 0 members"),
        ({"anyOf": [{"type": "null"}, {"minimum": 9}]}, 1, "must be at least 9"),
        (
            {"anyOf": [{"minimum": 8}, {"minimum": 9}]},
            1,
            "does not match any of the allowed schemas",
        ),
        ({"anyOf": [{"type": "null"}, {"type": "array"}]}, 1, "must be an array or null"),
        (
            {"oneOf": [{}, {}]},
            1,
            "must match exactly one of the allowed schemas, and matches several",
        ),
        ({"oneOf": [False]}, 1, "is not allowed"),
        ({"not": {}}, 1, "is not allowed"),
        (False, 1, "is not allowed"),
    ],
)
def test_a_message_is_in_the_words_of_the_api(schema: Any, value: Any, message: str) -> None:
    [problem] = document_problems({"v": value}, {"properties": {"v": schema}}, "")
    assert (problem.pointer, problem.message) == ("/v", message)


AUTH: dict[str, Any] = {
    "oneOf": [
        {
            "type": "object",
            "required": ["kind", "client_id"],
            "properties": {"kind": {"const": "oauth"}, "client_id": {"type": "string"}},
        },
        {
            "type": "object",
            "required": ["kind", "key_name"],
            "properties": {
                "kind": {"const": "key"},
                "key_name": {"type": "string", "minLength": 3},
                "place": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/place"}]},
            },
        },
        {"type": "string", "format": "uri"},
    ]
}
PLACE: dict[str, Any] = {"type": "object", "properties": {"port": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # The branch is known by its constant.
        ({"kind": "key", "key_name": "a"}, [("/key_name", "must have at least 3 characters")]),
        ({"kind": "oauth", "key_name": "abc"}, [("/client_id", "is required")]),
        # No branch has this constant.
        ({"kind": "basic"}, [("/kind", "must be one of oauth, key")]),
        # What all branches need.
        ({}, [("/kind", "is required")]),
        # As wrong in both branches, but deeper in one.
        (
            {"key_name": "a"},
            [("/kind", "is required"), ("/key_name", "must have at least 3 characters")],
        ),
        # A branch within a branch.
        (
            {"kind": "key", "key_name": "abc", "place": {"port": "x"}},
            [("/place/port", "must be an integer")],
        ),
        (
            {"kind": "key", "key_name": "abc", "place": 5},
            [("/place", "must be a string or an object")],
        ),
        # Branches for other types of value don't count.
        ("no uri", [("", "must have the format uri")]),
    ],
)
def test_of_several_branches_the_one_that_fits_best_is_reported(
    value: Any, expected: list[tuple[str, str]]
) -> None:
    schema = {"properties": {"auth": AUTH}, "$defs": {"place": PLACE}}
    problems = document_problems({"auth": value}, schema, "/v")
    assert [(p.pointer, p.message) for p in problems] == [
        (f"/v/auth{pointer}", message) for pointer, message in expected
    ]


def test_a_choice_of_required_members_names_them() -> None:
    schema = {"anyOf": [{"required": ["token"]}, {"required": ["user"]}]}
    assert document_problems({}, schema, "/v") == [Problem("/v", "must have one of token, user")]


def test_a_member_with_a_bad_name_is_pointed_at() -> None:
    schema = {"properties": {"tags": {"propertyNames": {"pattern": "^[a-z]+$"}}}}
    [problem] = document_problems({"tags": {"ok": 1, "Not": 2}}, schema, "")
    assert problem == Problem("/tags/Not", "is not a valid name: it must match ^[a-z]+$")


@pytest.mark.parametrize("keyword", ["additionalProperties", "unevaluatedProperties"])
def test_a_member_that_no_schema_describes_is_not_a_known_field(keyword: str) -> None:
    schema = {"properties": {"known": {}}, keyword: False}
    problems = document_problems({"known": 1, "other": 2}, schema, "/variables")
    assert problems == [Problem("/variables/other", "is not a known field")]


def test_no_message_or_pointer_quotes_the_document() -> None:
    secret = "sk_live_1"
    for schema in (
        {"unevaluatedItems": False},
        {"items": False},
        {"contains": {"type": "null"}},
        {"items": {"const": 1}},
        {"uniqueItems": True},
        {"items": {"not": {"const": secret}}},
    ):
        problems = document_problems([secret, secret], {**schema}, "")
        assert problems
        assert secret not in repr(problems)


def doubling(times: int) -> dict[str, Any]:
    """Each definition refers twice to the next: 2 ** times parts, written out."""
    definitions: dict[str, Any] = {
        f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(times)
    }
    return {"$defs": {**definitions, f"a{times}": {}}, "$ref": "#/$defs/a0"}


@pytest.mark.parametrize(
    "schema",
    [
        doubling(40),
        {"$ref": "#"},
        {"properties": {"a": {"$ref": "#"}}},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"$defs": {"a/b": {"items": {"$ref": "#/$defs/a~1b"}}}},
        {"$anchor": "here", "items": {"$ref": "#here"}},
        {"$dynamicAnchor": "x", "items": {"$dynamicRef": "#x"}},
        {"properties": {"a": {"$id": "https://example.com/", "$ref": "#/$defs/x"}}},
    ],
)
def test_a_schema_whose_validation_might_not_end_is_refused(schema: dict[str, Any]) -> None:
    assert len(schema_problems(schema, "/variablesSchema")) == 1


def test_definitions_may_be_shared() -> None:
    shared = {
        "$id": "https://example.com/schema",
        "$defs": {"region": {"enum": ["eu", "us"]}},
        "properties": {"a": {"$ref": "#/$defs/region"}, "b": {"$ref": "#/$defs/region"}},
    }
    assert schema_problems(shared, "") == []
    assert schema_problems(doubling(5), "") == []
    problems = document_problems({"a": "eu", "b": "mars"}, shared, "/variables")
    assert [problem.pointer for problem in problems] == ["/variables/b"]


def test_a_default_is_held_to_its_own_schema() -> None:
    schema = {"properties": {"a": {"type": "string", "default": 7}, "b": {"default": None}}}
    assert [p.pointer for p in default_problems(schema, "/s")] == ["/s/properties/a/default"]


@pytest.mark.enable_socket
@pytest.mark.parametrize("depth", ["root", "within"])
def test_no_schema_is_fetched(depth: str) -> None:
    # given a server that a schema names as its dialect
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        schema: dict[str, Any] = {"$schema": f"http://127.0.0.1:{server.getsockname()[1]}/s.json"}
        if depth == "within":
            schema = {"properties": {"a": schema}}

        # when
        problems = schema_problems(schema, "/s")
        DocumentSchema(schema).problems({}, "")

        # then
        assert [p.pointer for p in problems] == [
            "/s/$schema" if depth == "root" else "/s/properties/a/$schema"
        ]
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_schema_may_name_the_dialect_that_it_is_in() -> None:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}

    assert schema_problems(schema, "") == []
    assert DocumentSchema(schema).problems([], "")


def test_the_errors_of_many_branches_cost_no_more_than_the_first() -> None:
    # given a schema and a document whose errors would fill the memory
    rule = {"items": {"anyOf": [{"const": f"v{n}"} for n in range(1500)]}}
    schema = {"properties": {"v": rule}}
    document = {"v": ["x"] * 6000}

    # when
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    problems = DocumentSchema(schema).problems(document, "/a")
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    # then
    assert [p.pointer for p in problems] == ["/a/v"]
    assert grown_kb < 100_000
    assert DocumentSchema(schema).problems({"v": ["v7"] * 6000}, "/a") == []
