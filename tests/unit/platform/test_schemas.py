"""JSON Schemas of strangers, and what they refuse."""

from typing import Any

import pytest

from patchbay.platform.schemas import document_problems, schema_problems, with_defaults

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


def test_a_good_schema_has_no_problems() -> None:
    assert schema_problems(SCHEMA, "/variablesSchema") == []
    assert schema_problems({}, "/variablesSchema") == []


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ([], "/s"),
        ({"type": "objekt"}, "/s/type"),
        ({"properties": {"a": {"minimum": "1"}}}, "/s/properties/a/minimum"),
        ({"pattern": "("}, "/s"),
        ({"$ref": "#/$defs/none"}, "/s"),
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


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
        "$ref": "#/$defs/a",
    }
    assert schema_problems(schema, "") == []
    assert document_problems({"a": {}}, schema, "") == []


def test_defaults_fill_what_is_left_out() -> None:
    assert with_defaults({"region": "eu"}, SCHEMA) == {"region": "eu", "size": 50}
    assert with_defaults({"size": 7}, SCHEMA) == {"size": 7}
    assert with_defaults({"a": 1}, {}) == {"a": 1}
