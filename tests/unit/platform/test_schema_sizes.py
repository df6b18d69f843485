"""The sizes of schemas and documents, and what a validation is reckoned to cost, to the number."""

from typing import Any

import pytest

from patchbay.platform.errors import Problem
from patchbay.platform.regular_expressions import (
    MAX_COMPILED,
    MAX_COUNT,
    MAX_READING,
    MAX_TEXT,
    TOO_LARGE,
    reading_effort,
)
from patchbay.platform.schema_costs import (
    MAX_LEVELS,
    MAX_PARTS,
    MAX_PATHS,
    MAX_PATTERN_BYTES,
    DocumentSize,
    SchemaCost,
    SchemaSize,
    Work,
)

KB = 1024
"""What a short pattern compiles to, in bytes."""

AHEAD = "has a look-ahead (?= at character 1, which is not supported"


def size(schema: dict[str, Any]) -> SchemaSize:
    """Of a schema that has no problems."""
    cost = SchemaCost(schema)
    assert cost.problems == []
    return cost.total


def refused(schema: dict[str, Any], at: str = "") -> list[Problem]:
    return SchemaCost(schema, at).problems


# Sizes of documents


@pytest.mark.parametrize(
    ("document", "parts", "text", "effort", "path"),
    [
        (None, 1, 0, 8, 0),
        (True, 1, 0, 8, 0),
        (15, 1, 0, 8, 0),
        ("abc", 1, 3, 11, 0),
        # Bytes, as many as a character may have.
        ("äb", 1, 6, 14, 0),
        (1.5, 1, 0, 1008, 0),
        # Whole numbers are exact from the 54th bit on.
        (2**53 - 1, 1, 0, 8, 0),
        (2**53, 1, 0, 8 + 1000 + 18**2, 0),
        (-(2**53), 1, 0, 8 + 1000 + 18**2, 0),
        (2**299, 1, 0, 8 + 1000 + 100**2, 0),
        (2**54, 1, 0, 8 + 1000 + 18**2, 0),
        ([2**53, 2**53], 3, 0, 24 + 2 * (1000 + 18**2), 6),
        ([1.5, 1.5], 3, 0, 24 + 2000, 6),
        (["ab", "c"], 3, 3, 27, 6),
        ({}, 1, 0, 8, 0),
        ([], 1, 0, 8, 0),
        ({"abc": 1}, 2, 3, 19, 4),
        ({"ab": {"c": 1}, "d": 2}, 4, 4, 36, 5),
        # An index has up to five digits.
        ([1, 2], 3, 0, 24, 6),
        ([[1], "xy"], 4, 2, 34, 12),
    ],
)
def test_the_size_of_a_document(
    document: Any, parts: int, text: int, effort: int, path: int
) -> None:
    assert DocumentSize.of(document) == (parts, text, effort, path)


def test_a_member_of_a_document_has_its_name_in_its_pointer() -> None:
    assert DocumentSize.of({"ab": [1]}, "name") == (3, 2, 26, 4 + 3 + 6)


# Sizes of schemas


def test_sizes_are_added_and_the_deepest_counts() -> None:
    one, other = SchemaSize(1, 2, 3, 4, 5, 6), SchemaSize(10, 20, 30, 1, 50, 60)
    assert one.plus(other) == other.plus(one) == (11, 22, 33, 4, 50, 66)
    assert one.times(3) == (3, 6, 9, 4, 5, 18)
    assert one.within("abc") == (1, 2, 3, 5, 5 + 4, 6 + 1 * 4)
    assert SchemaSize(7).within(10) == (7, 0, 0, 1, 3, 7 * 3)
    assert SchemaSize() == (0, 0, 0, 0, 0, 0)
    assert Work() == (0, 0, 0)


@pytest.mark.parametrize(
    ("schema", "parts", "effort", "pattern_bytes", "levels", "path", "paths"),
    [
        ({}, 1, 1, 0, 0, 0, 0),
        ({"type": "string"}, 2, 2, 0, 1, 5, 5),
        ({"enum": ["x", "y"]}, 4, 4, 0, 2, 7, 5 * 3 + 2 * 2),
        ({"not": {"type": "string"}}, 3, 3, 0, 2, 9, 4 * 2 + 5),
        # What a rule of `properties` has is inside it and `properties`.
        ({"properties": {"ab": {"type": "x"}}}, 3, 3, 0, 3, 11 + 3 + 5, 22 + 6 + 5),
        ({"properties": 5}, 2, 2, 0, 1, 11, 11),
        # Keywords that take longer than those that compare.
        *[
            ({keyword: 1}, 2, 2 + effort, 0, 1, len(keyword) + 1, len(keyword) + 1)
            for keyword, effort in (
                *[("uniqueItems", 10), ("minimum", 10), ("maximum", 10), ("multipleOf", 100)],
                *[("exclusiveMinimum", 10), ("exclusiveMaximum", 10), ("minLength", 0)],
                ("format", 10),
            )
        ],
        ({"format": "date"}, 2, 11, 0, 0, 0, 0),
        ({"format": "regex"}, 2, 101, 0, 0, 0, 0),
        ({"format": "idn-hostname"}, 2, 21, 0, 0, 0, 0),
        ({"pattern": "a"}, 2, 2, KB, 0, 0, 0),
        ({"pattern": 5}, 2, 2, 0, 1, 8, 8),
        ({"patternProperties": {"a": True, "b": True}}, 4, 4, 2 * KB, 2, 20, 18 * 3 + 4),
        ({"patternProperties": ["a"]}, 3, 3, 0, 2, 20, 18 * 2 + 2),
        # A pattern counts where it stands, but is compiled once.
        ({"allOf": [{"pattern": "a"}, {"pattern": "a"}]}, 6, 6, 2 * KB, 2, 8, 6 * 5 + 4 * 2),
        # Data is not read as keywords.
        ({"not": {"const": {"pattern": "*.txt", "$ref": "x"}}}, 5, 5, 0, 3, 18, 18 + 15 + 10 + 4),
        # What is evaluated again counts three times at each level.
        ({"unevaluatedProperties": False}, 6, 6, 0, 1, 22, 3 * 22),
        ({"unevaluatedItems": False}, 6, 6, 0, 1, 17, 3 * 17),
        ({"not": {"unevaluatedItems": False}}, 7, 7, 0, 2, 21, 3 * 17 + 6 * 4),
        # Definitions count in all, once for themselves and once for each reference.
        ({"$defs": {"a": {"type": "x"}}}, 4, 4, 0, 3, 6 + 2 + 5, 6 * 3 + 2 * 2 + 5),
        ({"definitions": {"a": True}}, 3, 3, 0, 2, 14, 12 * 2 + 2),
        (
            {"$defs": {"a": {"type": "x"}}, "not": {"$ref": "#/$defs/a"}},
            *(4 + 3, 4 + 3, 0, 3, 14, 6 * 3 + 4 + 5 + 4 * 3 + 5 * 2 + 5),
        ),
        ({"$schema": "x", "$id": "y"}, 3, 3, 0, 1, 8, 8 + 4),
    ],
)
def test_the_size_of_a_schema(
    schema: dict[str, Any],
    parts: int,
    effort: int,
    pattern_bytes: int,
    levels: int,
    path: int,
    paths: int,
) -> None:
    assert size(schema) == (parts, effort, pattern_bytes, levels, path, paths)


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("#/$defs/a", {"type": "x"}),
        ("#/$defs/a%25b", {"minimum": 1}),
        ("#/$defs/c~1d", {"multipleOf": 1}),
        ("#/$defs/c~0d", {"uniqueItems": 1}),
        ("#/%24defs/a", {"type": "x"}),
        ("#%2F$defs%2Fa", None),
        ("#/anyOf/1", {"maximum": 1}),
    ],
)
def test_a_reference_counts_as_what_it_points_at(
    reference: str, target: dict[str, Any] | None
) -> None:
    schema: dict[str, Any] = {
        "$defs": {
            "a": {"type": "x"},
            "a%b": {"minimum": 1},
            "c/d": {"multipleOf": 1},
            "c~d": {"uniqueItems": 1},
        },
        "anyOf": [True, {"maximum": 1}],
    }
    if target is None:
        [problem] = refused({**schema, "not": {"$ref": reference}})
        assert problem == Problem("/not/$ref", "must be a JSON Pointer into the same schema")
        return
    whole = size({**schema, "not": {"$ref": reference}})
    plain = size({**schema, "not": target})
    # The object that has the reference is one part more.
    assert (whole.parts - 1, whole.effort - 1) == (plain.parts, plain.effort)


# What can't be used


@pytest.mark.parametrize(
    ("schema", "pointer", "why"),
    [
        *[
            ({"not": {name: "x"}}, f"/not/{name}", "is not supported inside a schema")
            for name in ("$id", "$schema")
        ],
        *[
            ({name: "#"}, f"/{name}", "is not supported: use $ref with a JSON Pointer")
            for name in ("$dynamicRef", "$recursiveRef")
        ],
        *[
            ({"$ref": reference}, "/$ref", "must be a JSON Pointer into the same schema")
            for reference in ("x", "#x", "/x", "https://example.com/#/x", "")
        ],
        ({"not": {"$ref": "#"}}, "/not/$ref/not/$ref", "must not refer to itself"),
        ({"not": {"$ref": "#/not"}}, "/not/$ref/$ref", "must not refer to itself"),
        (
            {"$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}}},
            "/$defs/a/not/$ref/not/$ref/not/$ref",
            "must not refer to itself",
        ),
        *[
            (
                {"$ref": reference, "allOf": [True]},
                "/$ref",
                "must point at a part of the same schema",
            )
            for reference in (
                *("#/nothing", "#/allOf/1", "#/allOf/00", "#/allOf/-1", "#/allOf/x"),
                *("#/allOf/0/x", "#/allOf/1000000"),
            )
        ],
        ({"pattern": "(?=a)"}, "/pattern", AHEAD),
        ({"patternProperties": {"(?=a)": True}}, "/patternProperties/(?=a)", AHEAD),
    ],
)
def test_what_can_not_be_counted_is_refused(schema: dict[str, Any], pointer: str, why: str) -> None:
    assert refused(schema, "/s")[:1] == [Problem(f"/s{pointer}", why)]


def test_a_part_may_be_referred_to_twice() -> None:
    twice = {"$defs": {"a": True}, "allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}
    assert refused(twice) == []


def test_a_pointer_begins_where_the_schema_stands() -> None:
    assert SchemaCost({"$ref": "z"}).problems[0].pointer == "/$ref"
    assert SchemaCost({"$ref": "z"}, "/s").problems[0].pointer == "/s/$ref"


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"enum": ["x"] * MAX_PARTS}, "/enum"),
        ({"properties": {f"a{n}": {"enum": ["x"] * 999} for n in range(6)}}, ""),
        ({"not": {"enum": ["x"] * 1700, "unevaluatedItems": False}}, "/not"),
        ({"not": {"anyOf": [True] * 3000, "oneOf": [True] * 3000}}, "/not"),
        ({"allOf": [{"pattern": f"[^x]{{99{n}}}"} for n in range(3)]}, "/allOf/2/pattern"),
        ({"allOf": [{"pattern": "[^x]{900}"}] * 9}, "/allOf"),
        ({"not": {"properties": {"x" * 5000: {"enum": ["y"] * 500}}}}, "/not"),
    ],
)
def test_a_bound_is_reported_where_it_is_passed(schema: dict[str, Any], pointer: str) -> None:
    [problem] = refused(schema, "/s")
    assert problem.pointer.startswith(f"/s{pointer}")
    assert problem.pointer.count("/") <= pointer.count("/") + 2


@pytest.mark.parametrize("beside", [{}, {"allOf": [{}]}])
def test_what_is_nested_too_deep_is_not_read_to_its_end(beside: dict[str, Any]) -> None:
    schema: dict[str, Any] = {}
    for _ in range(20_000):
        schema = {**beside, "not": schema}
    [problem] = refused(schema, "/s")
    assert problem.pointer.startswith("/s/not/not/not")
    assert len(problem.pointer) < 500


def test_the_effort_of_reading_patterns_is_bounded_to_the_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert MAX_READING == 100_000
    # Neither is a pattern, which is not what is asked here: 96,191 and 3,809.
    monkeypatch.setattr("patchbay.platform.schema_costs.refusal", lambda *_: None)
    one, other = "*" + r"\w" * 43, r"*\w" + "a" * 3756
    assert reading_effort(one) + reading_effort(other) == MAX_READING
    assert refused({"allOf": [{"pattern": one}, {"pattern": other}]}) == []
    [problem] = refused({"allOf": [{"pattern": one}, {"pattern": f"{other}a"}]})
    assert problem.pointer == "/allOf/1/pattern"
    assert problem.message.startswith("is one too many: use [...] for most of \\w")


def test_a_member_with_the_name_of_a_keyword_is_none() -> None:
    for name in ("$id", "$schema", "$ref", "$dynamicRef", "pattern", "format", "const", "default"):
        assert refused({"properties": {name: {"type": "string"}}}) == []
    # The names of a property of this name are no patterns.
    named = {"properties": {"patternProperties": {"type": "object", "title": "(?=a)"}}}
    assert SchemaCost(named).patterns == {}


@pytest.mark.parametrize("keyword", ["const", "default", "enum", "examples", "x-form", "$comment"])
def test_data_that_looks_like_a_keyword_is_data(keyword: str) -> None:
    data = {"$ref": "#/nowhere", "$id": "https://example.com", "pattern": "(?=a)", "format": "no"}
    value = [data] if keyword in {"enum", "examples"} else data
    for schema in ({keyword: value}, {"properties": {"a": {keyword: value}}}):
        assert refused(schema) == []
    # Unless it is applied: then it is a schema.
    pointing = {"$ref": "#/x-form", "x-form": {"$id": "https://example.com"}}
    assert refused(pointing) == [Problem("/$ref/$id", "is not supported inside a schema")]
    assert refused({"not": {"$id": 5, "$ref": ["x"]}}) == []


def test_only_the_first_problem_is_told() -> None:
    [problem] = refused({"allOf": [{"$id": "x"}, {"$id": "y"}], "$ref": "z"})
    assert problem.pointer == "/allOf/0/$id"


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


def test_each_bound_is_met_to_the_number() -> None:
    assert (MAX_PARTS, MAX_LEVELS, MAX_PATHS) == (5000, 100, 2**21)
    # One part each for the schema and `enum`.
    assert refused({"enum": ["x"] * (MAX_PARTS - 2)}) == []
    [parts] = refused({"enum": ["x"] * (MAX_PARTS - 1)})
    assert parts.message == "must have at most 5000 parts in all"
    assert refused(deep(MAX_LEVELS)) == []
    [levels] = refused(deep(MAX_LEVELS + 1))
    assert levels.message.startswith("must not be nested deeper than 100 levels")
    # 512 parts with a pointer of 4096 characters each
    long = "x" * (4096 - len("/properties/"))
    paths = SchemaCost({"properties": {long: {"not": True}}}).total.paths
    assert paths == 2 * 4096 + len("/not")
    # Patterns: how many, and how long in all.
    assert refused({"allOf": [{"pattern": f"a{n}"} for n in range(MAX_COUNT)]}) == []
    assert refused({"allOf": [{"pattern": "a"} for _ in range(MAX_COUNT + 1)]}) == []
    [count] = refused({"allOf": [{"pattern": f"a{n}"} for n in range(MAX_COUNT + 1)]})
    assert count.message.startswith(f"is one too many: a schema has at most {MAX_COUNT} different")
    assert refused({"pattern": "a" * MAX_TEXT}) == []
    [text] = refused({"pattern": "a" * (MAX_TEXT + 1)})
    assert text.pointer == "/pattern"


def test_the_bytes_of_patterns_are_bounded_where_they_stand_too() -> None:
    assert MAX_PATTERN_BYTES == 2 * MAX_COMPILED
    big = {"pattern": "[^x]{900}"}
    times = MAX_PATTERN_BYTES // size(big).pattern_bytes
    assert refused({"allOf": [big] * times}) == []
    [problem] = refused({"allOf": [big] * (times + 1)})
    assert problem.message == TOO_LARGE


def test_the_pointers_of_all_parts_are_bounded_to_the_character() -> None:
    def paths(padding: int) -> dict[str, Any]:
        """A schema with one more character of pointers for each of padding."""
        return {"properties": {"x" * 4000: {"enum": ["y"] * 500}}, "z" * padding: True}

    padding = 1 + MAX_PATHS - SchemaCost(paths(1)).total.paths
    assert SchemaCost(paths(padding)).total.paths == MAX_PATHS
    assert refused(paths(padding)) == []
    [problem] = refused(paths(padding + 1))
    assert (
        problem.message == f"must have at most {MAX_PATHS} characters in the pointers of all parts"
    )


# What a validation costs


def test_the_work_is_parts_times_values() -> None:
    # given
    cost = SchemaCost({"type": "string", "pattern": "a"})

    # then
    assert cost.rest == (3, 3, KB, 1, 5, 5)
    text = DocumentSize.of("abc")
    error = 2000 + 64 + 5 + 0
    assert cost.work("abc") == Work(3 * text.effort, KB * 3, 3 * (3 + 1 * error))


def test_the_members_of_a_document_meet_their_rule_and_the_rest_of_the_schema() -> None:
    # given
    cost = SchemaCost({"properties": {"ab": {"pattern": "a"}, "cd": True}, "minProperties": 1})
    ab, other = DocumentSize.of("xyz", "ab"), DocumentSize.of([1], "other")

    # when
    work = cost.work({"ab": "xyz", "other": [1]})

    # then: the whole document meets the rest, and `ab` its rule
    whole = DocumentSize(1 + 1 + 2, 3 + 2 + 5, 8 + (ab.effort + 2) + (other.effort + 5), 11)
    rest, rule = cost.rest, cost.rules["ab"]
    assert rest == (2, 2, 0, 1, 14, 14)
    assert rule.pattern_bytes == KB
    assert work == Work(
        rest.effort * whole.effort + rule.effort * ab.effort,
        rule.pattern_bytes * 3,
        rest.parts * (whole.text + whole.parts * (2064 + rest.path + whole.path))
        + rule.parts * (ab.text + ab.parts * (2064 + rule.path + ab.path)),
    )
    assert cost.work({}) == Work(2 * 8, 0, 2 * (0 + 1 * (2064 + 14 + 0)))


def test_every_pattern_that_a_document_meets_is_searched() -> None:
    cost = SchemaCost({"properties": {"a": {"pattern": "a"}}, "propertyNames": {"pattern": "b"}})
    assert cost.work({"a": "xyz"}).searched == KB * (1 + 3) + KB * 3


def test_definitions_cost_nothing_until_they_are_referred_to() -> None:
    idle = SchemaCost({"$defs": {"a": {"pattern": "a"}}, "type": "object"})
    used = SchemaCost({"$defs": {"a": {"pattern": "a"}}, "$ref": "#/$defs/a"})
    assert idle.work("x").searched == 0
    assert used.work("x").searched == KB
    older = SchemaCost({"definitions": {"a": {"pattern": "a"}}, "type": "object"})
    assert older.work("x").searched == 0
    assert idle.total.pattern_bytes == KB
    assert used.total.pattern_bytes == 2 * KB
