"""What a validation may cost, and which schemas cost too much."""

from typing import Any

import pytest

from patchbay.platform.json_schema import (
    MAX_KEPT_BYTES,
    DocumentSchema,
    document_schema,
    schema_problems,
)
from patchbay.platform.regular_expressions import MAX_COMPILED, compiled_bytes, is_pattern
from patchbay.platform.schema_costs import (
    MAX_LEVELS,
    MAX_PARTS,
    MAX_PATHS,
    DocumentSize,
    SchemaCost,
)


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"enum": ["x"] * MAX_PARTS}, "/enum"),
        ({"properties": {f"a{n}": {"enum": ["x"] * 999} for n in range(6)}}, ""),
        (nested(MAX_LEVELS + 1), ""),
        ({"pattern": "x{1000}" * 586}, "/pattern"),
        ({"patternProperties": {f"a{n}": {} for n in range(101)}}, "/patternProperties/a100"),
        ({"items": {"pattern": "(?=a)"}}, "/items/pattern"),
        ({"items": {"pattern": "[^x]{2000}"}}, "/items/pattern"),
        ({"allOf": [{"pattern": f"[^x]{{99{n}}}"} for n in range(3)]}, "/allOf/2/pattern"),
        ({"properties": {"x" * (MAX_PATHS // 400): {"enum": ["y"] * 500}}}, ""),
    ],
)
def test_a_schema_beyond_a_bound_is_refused_and_a_stored_one_is_not_used(
    schema: dict[str, Any], pointer: str
) -> None:
    assert [problem.pointer for problem in schema_problems(schema, "/s")] == ["/s" + pointer]
    assert [problem.pointer for problem in DocumentSchema(schema).problems({}, "/d")] == ["/d"]


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": [str(n) for n in range(MAX_PARTS - 10)]},
        nested(MAX_LEVELS - 1),
        {"properties": {"a": {"default": {"pattern": "*.txt"}}}},
        {"properties": {f"a{n}": {"pattern": f"^[a-z]{{1,{n + 1}}}$"} for n in range(100)}},
        {"pattern": "^.{1,255}$"},
        {"properties": {"format": {"minimum": 1}, "pattern": {"type": "string"}}},
    ],
)
def test_a_schema_within_the_bounds_is_taken(schema: dict[str, Any]) -> None:
    assert schema_problems(schema, "/s") == []


def test_a_rule_of_the_root_meets_its_own_member_only() -> None:
    rule = {"type": "string", "minLength": 1}
    one = SchemaCost({"properties": {"a0": rule}}).work({"a0": "x"})
    many = SchemaCost({"properties": {f"a{n}": rule for n in range(500)}}).work(
        {f"a{n}": "x" for n in range(500)}
    )
    assert many.checks < 1000 * one.checks


def test_a_long_number_counts_for_the_time_that_it_takes() -> None:
    assert DocumentSize.of(10**4299).effort > 10**7
    assert DocumentSize.of(1.5).effort > 100 * DocumentSize.of(15).effort


def test_the_same_schema_is_compiled_once_and_what_is_kept_is_bounded() -> None:
    # given
    schema = {"properties": {"a": {"enum": [str(n) for n in range(4000)]}}}
    kept = document_schema(schema)
    assert document_schema(schema) is kept

    # when
    others = [document_schema({**schema}) for _ in range(MAX_KEPT_BYTES // kept.bytes)]

    # then
    assert kept not in others
    assert document_schema(schema) is not kept


def test_a_schema_of_any_size_is_counted_with_what_it_takes() -> None:
    small, large = DocumentSchema({"pattern": "a"}), DocumentSchema({"pattern": "[^x]{500}"})
    assert large.bytes - small.bytes > 1_000_000


@pytest.mark.parametrize(
    ("pattern", "size"), [("abc", 1 << 10), ("[^x]{900}", 1 << 20), ("[^x]{2000}", None)]
)
def test_the_size_of_a_pattern_is_that_of_what_it_compiles_to(
    pattern: str, size: int | None
) -> None:
    assert compiled_bytes(pattern, MAX_COMPILED) == size


def test_a_text_that_is_no_pattern_is_known() -> None:
    assert is_pattern("a+")
    assert not is_pattern("*.txt")
