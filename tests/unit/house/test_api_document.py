"""The API document as linters, client generators, and people want it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from local.openapi import DOCUMENT
from local.openapi_schemas import Json, nodes, operations
from local.openapi_words import unused

_API: Json = json.loads(DOCUMENT.read_text())
_SCHEMAS: Json = _API["components"]["schemas"]
_OPERATIONS = list(operations(_API))
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_TIMES = re.compile(r"(\w+_at|\w+At|at|since|until|\w+_until|timestamp)")


def _fields() -> Iterator[tuple[str, str, Json]]:
    for model, schema in _SCHEMAS.items():
        for name, field in schema.get("properties", {}).items():
            yield model, name, field


def _contents() -> Iterator[tuple[str, Json]]:
    """Bodies, answers, and errors."""
    for operation in _OPERATIONS:
        found = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (c for one in found for c in one.get("content", {}).values()):
            yield operation["operationId"], content
    for name, response in _API["components"]["responses"].items():
        for content in response["content"].values():
            yield name, content


def _problems(schema: Json, example: Any) -> list[str]:
    """What is wrong with an example, by the schema that it stands beside."""
    rules = {name: value for name, value in schema.items() if name not in ("example", "examples")}
    if '"$ref"' in json.dumps(rules):
        rules = {"components": _API["components"], "allOf": [rules]}
    validator = jsonschema_rs.Draft202012Validator(rules, validate_formats=True)
    return [error.message for error in validator.iter_errors(example)]


def test_every_field_has_a_description_and_a_valid_example() -> None:
    for model, name, field in _fields():
        assert re.match(r"[A-Z0-9`].*[.]", field["description"]), f"{model}.{name}"
        for example in field["examples"]:
            assert not _problems(field, example), f"{model}.{name}"


def test_every_parameter_has_a_description_and_a_valid_example() -> None:
    for operation in _OPERATIONS:
        for parameter in operation.get("parameters", []):
            where = f"{operation['operationId']}.{parameter['name']}"
            assert parameter["description"].endswith("."), where
            assert not _problems(parameter["schema"], parameter["example"]), where


def test_every_body_and_every_answer_has_a_valid_example() -> None:
    for where, content in _contents():
        assert not _problems(content["schema"], content["example"]), where


def test_every_model_operation_tag_and_answer_is_described() -> None:
    described = [
        *_SCHEMAS.values(),
        *_API["tags"],
        *_OPERATIONS,
        *_API["components"]["responses"].values(),
        *(a for o in _OPERATIONS for a in o["responses"].values() if "$ref" not in a),
    ]
    assert not [one for one in described if not one.get("description")]


def test_no_words_are_left_over() -> None:
    assert not list(unused(_API))


def test_a_time_has_the_format_of_one() -> None:
    """By its name or by its example, whatever type the model gives it."""
    for model, name, schema in _fields():
        [example] = schema["examples"]
        is_time = isinstance(example, str) and _TIME.fullmatch(example) is not None
        assert is_time == (_TIMES.fullmatch(name) is not None), f"{model}.{name}"
        if is_time:
            kinds = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
            assert [one.get("format") for one in kinds] == ["date-time"], f"{model}.{name}"


def test_a_map_is_written_as_generators_know_it() -> None:
    """A client made without `patternProperties` drops the secrets that it is given."""
    assert not [node for node in nodes(_SCHEMAS) if "patternProperties" in node]
    secrets, _ = _SCHEMAS["NewEndpoint"]["properties"]["secrets"]["anyOf"]
    assert secrets["additionalProperties"]["format"] == "password"
    assert secrets["propertyNames"] == {"pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"}


def test_a_rule_beside_a_type_is_not_written_as_a_union() -> None:
    """Generators make a type of each member; `if` and `not` say the same and are left alone."""
    for schema in nodes(_SCHEMAS):
        if "anyOf" in schema or "oneOf" in schema:
            assert not {"type", "properties"} & set(schema)


def test_a_union_says_which_member_it_is() -> None:
    unions = [schema for schema in _SCHEMAS.values() if "oneOf" in schema]
    assert unions
    for union in unions:
        names = [one["$ref"] for one in union["oneOf"]]
        assert sorted(union["discriminator"]["mapping"].values()) == sorted(names)


def test_a_field_with_a_default_may_be_left_out() -> None:
    """openapi-typescript makes a member that must be there of each `default`."""
    assert not [name for _, name, field in _fields() if "default" in field]
    enabled = _SCHEMAS["NewAlertRule"]["properties"]["enabled"]
    assert enabled["description"].endswith("Default: `true`.")
    assert "enabled" not in _SCHEMAS["NewAlertRule"]["required"]


def test_an_answer_has_every_field_that_is_always_sent_and_may_have_more() -> None:
    assert "paused" in _SCHEMAS["Organization"]["required"]
    assert "resolved_at" in _SCHEMAS["Alert"]["required"]
    assert "errorCode" not in _SCHEMAS["TestConnectionOutput"]["required"]
    assert "additionalProperties" not in _SCHEMAS["Event"]
    # What is also part of a body can be left out there, and takes nothing else
    assert "enabled" not in _SCHEMAS["Monitor"].get("required", [])
    assert _SCHEMAS["Monitor"]["additionalProperties"] is False


def test_no_schema_has_a_title_that_would_name_a_class() -> None:
    names = [name for name, schema in _SCHEMAS.items() if isinstance(schema.get("title"), str)]
    assert not names
    assert not [name for _, name, field in _fields() if "title" in field]
    assert all(re.fullmatch("[A-Z][A-Za-z]+", name) for name in _SCHEMAS)


def test_a_parameter_is_never_null() -> None:
    schemas = [p["schema"] for o in _OPERATIONS for p in o.get("parameters", [])]
    assert not [schema for schema in schemas if '"null"' in json.dumps(schema)]


def test_operation_ids_are_unique_and_in_snake_case() -> None:
    names = [operation["operationId"] for operation in _OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+(_[a-z]+)+", name) for name in names)


def test_every_tag_is_declared_and_used() -> None:
    declared = [tag["name"] for tag in _API["tags"]]
    assert sorted(declared) == sorted({tag for one in _OPERATIONS for tag in one["tags"]})


def test_no_component_is_left_over() -> None:
    used = {node["$ref"] for node in nodes(_API) if "$ref" in node}
    for kind in ("schemas", "responses"):
        for name in _API["components"][kind]:
            assert f"#/components/{kind}/{name}" in used


def test_nothing_comes_with_a_204() -> None:
    empty = [o["responses"]["204"] for o in _OPERATIONS if "204" in o["responses"]]
    assert empty
    assert not [answer for answer in empty if "content" in answer]
