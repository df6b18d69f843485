"""What an answer is compared with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.checks.contradictions import conflicts, contradiction
from patchbay.checks.expectations import Expectation, read_expectation
from patchbay.checks.json_pointer import MISSING, is_pointer, resolve
from patchbay.checks.matchers import TYPES, Matcher
from patchbay.checks.patterns import is_found
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Declarations

NOTHING = Declarations(frozenset(), frozenset(), frozenset())
DOCUMENT = {"ok": True, "n": 1, "s": "x", "l": [1, {"a/b": None}], "o": {"~": 2.5}, "": 0}


def expectation_of(spec: dict[str, object]) -> Expectation:
    found = read_expectation(StepReader({"expect": spec}, "", NOTHING, None), "/expect")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT),
        ("/ok", True),
        ("/l/1/a~1b", None),
        ("/o/~0", 2.5),
        ("/", 0),
        ("/l/2", MISSING),
        ("/l/01", MISSING),
        ("/l/-", MISSING),
        ("/l/١", MISSING),
        ("/s/0", MISSING),
        ("/none", MISSING),
    ],
)
def test_a_pointer_leads_to_one_value_or_nowhere(pointer: str, value: object) -> None:
    assert is_pointer(pointer)
    assert resolve(DOCUMENT, pointer) is value or resolve(DOCUMENT, pointer) == value


@pytest.mark.parametrize("text", ["ok", "/a~2", "/~"])
def test_what_is_no_pointer_is_known(text: str) -> None:
    assert not is_pointer(text)


@pytest.mark.parametrize(
    ("expected", "fits"),
    [
        ({"/ok": True}, True),
        ({"/ok": 1}, False),
        ({"/n": 1.0}, True),
        ({"/n": True}, False),
        ({"/l": [1, {"a/b": None}]}, True),
        ({"/l": [True, {"a/b": None}]}, False),
        ({"/o": {"equals": {"~": 2.5}}}, True),
        ({"/o": {"equals": {}}}, False),
        ({"/none": {"exists": False}}, True),
        ({"/l/1/a~1b": {"exists": True}}, True),
        ({"/none": {"equals": None}}, False),
        ({"/none": {"type": "null"}}, False),
        ({"/l/1/a~1b": {"type": "null"}}, True),
        ({"/ok": {"type": "boolean"}}, True),
        ({"/ok": {"type": "integer"}}, False),
        ({"/n": {"type": "number"}}, True),
        ({"/n": {"type": "boolean"}}, False),
        ({"/o/~0": {"type": "integer"}}, False),
        ({"/l": {"type": "array"}, "/o": {"type": "object"}, "/s": {"type": "string"}}, True),
    ],
)
def test_json_is_compared_by_value_and_type(expected: dict[str, object], fits: bool) -> None:
    expectation = expectation_of({"json": expected})
    assert (expectation.json_mismatch(DOCUMENT) is None) == fits


def test_the_first_mismatch_is_named() -> None:
    expectation = expectation_of({"json": {"/ok": True, "/n": 2}, "headers": {"X-A": "b"}})
    assert expectation.json_mismatch(DOCUMENT) == "/n"
    assert expectation.header_mismatch({"x-a": "c"}) == "x-a"
    assert expectation.header_mismatch({"x-a": "b"}) is None


def test_any_success_is_expected_by_default() -> None:
    assert expectation_of({}).status == frozenset(range(200, 300))


def problems_with(expect: object, *, has_body: bool = True) -> list[str]:
    reader = StepReader({"expect": expect}, "", NOTHING, None)
    read_expectation(reader, "/expect", has_body=has_body)
    return [f"{problem.pointer} {problem.message}" for problem in reader.problems]


HOLDS: list[tuple[object, list[object], list[object]]] = [
    ({"contains": "pong"}, ["pong", "a pong b"], ["PONG", 5, None]),
    ({"startsWith": "application/json"}, ["application/json; charset=x"], ["text/html", 1]),
    ({"matches": "^v[0-9]+$"}, ["v1", "v12"], ["v", "xv1", 1]),
    ({"enum": ["a", 1, None]}, ["a", 1, 1.0, None], ["b", True, 2]),
    ({"above": 1}, [2, 1.5], [1, "2", True, None]),
    ({"atLeast": 1, "atMost": 3}, [1, 2, 3], [0, 4]),
    ({"below": 1}, [0, -1.5], [1]),
    ({"length": 2}, ["ab", [1, 2], {"a": 1, "b": 2}], ["a", [1], 2]),
    ({"length": {"atLeast": 1}}, ["a", [1]], ["", [], {}]),
    ({"anyOf": [{"equals": 1}, {"type": "string"}, None]}, [1, "x", None], [2, True]),
    ({"type": "integer"}, [1, 1.0], [1.5, True, "1"]),
    ({"type": "string", "length": {"above": 2}}, ["abc"], ["ab", [1, 2, 3]]),
    ({"anyOf": [{"exists": False}, {"equals": 1}]}, [MISSING, 1], [2]),
]


@pytest.mark.parametrize(("operators", "accepted", "refused"), HOLDS)
def test_operators_hold_together(
    operators: object, accepted: list[object], refused: list[object]
) -> None:
    reader = StepReader({"expect": {"json": {"/a": operators}}}, "", NOTHING, None)
    expectation = read_expectation(reader, "/expect")
    assert expectation is not None, reader.problems
    [(_, matcher)] = expectation.json

    assert [value for value in accepted if not matcher.accepts(value)] == []
    assert [value for value in refused if matcher.accepts(value)] == []


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        (
            {"headers": {"x-a": 5}},
            "/expect/headers/x-a can never hold: what is compared is a string",
        ),
        ({"headers": {"x-a": {"type": "string"}}}, "/expect/headers/x-a/type must be one of"),
        ({"headers": {"x-a": {"above": 5}}}, "/expect/headers/x-a/above must be one of"),
        ({"headers": {"x-a": {"enum": [1]}}}, "/expect/headers/x-a/enum can never hold"),
        ({"headers": {"x-a": {"anyOf": [1]}}}, "/expect/headers/x-a/anyOf/0 can never hold"),
        ({"text": {"equals": 1}}, "/expect/text/equals can never hold"),
        ({"text": {"exists": True}}, "/expect/text/exists must be one of"),
        ({"json": {"/a": {"enum": []}}}, "/expect/json/~1a/enum must be a list of values"),
        ({"json": {"/a": {"atLeast": 5, "atMost": 4}}}, "/expect/json/~1a can never hold"),
        ({"json": {"/a": {"above": 5, "atMost": 5}}}, "/expect/json/~1a can never hold"),
        ({"json": {"/a": {"type": "string", "equals": 5}}}, "/expect/json/~1a can never hold"),
        ({"json": {"/a": {"type": "integer", "length": 3}}}, "/expect/json/~1a can never hold"),
        ({"json": {"/a": {"type": "boolean", "above": 3}}}, "/expect/json/~1a can never hold"),
        ({"json": {"/a": {"contains": "x", "atLeast": 3}}}, "/expect/json/~1a can never hold"),
        ({"json": {"/a": {"exists": False, "type": "string"}}}, "/expect/json/~1a can never hold"),
        (
            {"json": {"/a": {"length": {"above": 5, "below": 5}}}},
            "/expect/json/~1a/length can never",
        ),
        ({"json": {"/a": {}}}, "/expect/json/~1a must have an operator"),
        ({"json": {"/a": {"matches": "(a"}}}, "/expect/json/~1a/matches is not a regular"),
        ({"json": {"/a": {"matches": "(?=a)"}}}, "/expect/json/~1a/matches has a look-ahead"),
        ({"json": {"/a": {"contains": ""}}}, "/expect/json/~1a/contains must be a string of 1"),
        ({"status": [204], "json": {"/a": 1}}, "/expect/json can never hold: the answer has no"),
        # one value
        ({"json": {"/a": {"equals": 3, "enum": [1, 2]}}}, "/expect/json/~1a can never hold"),
        (
            {"json": {"/a": {"type": "integer", "above": 5, "below": 6}}},
            "/expect/json/~1a can never hold: its least",
        ),
        (
            {"json": {"/a": {"anyOf": [{"type": "string"}, {"above": 3}], "type": "boolean"}}},
            "/expect/json/~1a can never hold",
        ),
        (
            {"json": {"/a": {"anyOf": [{"exists": False}, 1], "type": "string"}}},
            "/expect/json/~1a can never hold",
        ),
        ({"json": {"/a": {"contains": "abc", "length": 2}}}, "/expect/json/~1a can never hold"),
        ({"json": {"/a": {"length": 70_000}}}, "/expect/json/~1a can never hold"),
        ({"json": {"/a": {"length": {"below": 0}}}}, "/expect/json/~1a/length can never"),
        ({"json": {"/a": {"length": {"above": 2, "below": 3}}}}, "/expect/json/~1a/length can"),
        (
            {"json": {"/a": {"matches": "^x-", "startsWith": "y"}}},
            "/expect/json/~1a can never hold: it can't begin in two ways",
        ),
        ({"json": {"/a": {"matches": "^x", "enum": ["y", 1]}}}, "/expect/json/~1a can never"),
        # two values, one below the other
        *(
            (
                {"json": {"/a": above, below: 1}},
                f"/expect/json/{below.replace('/', '~1')} can never",
            )
            for above, below in (
                ({"type": "string"}, "/a/b"),
                ("x", "/a/b"),
                (None, "/a/b/c"),
                ({"exists": False}, "/a/b"),
                ({"above": 1}, "/a/b"),
                ({"type": "array"}, "/a/b"),
                ({"type": "array"}, "/a/01"),
                ({"type": "array", "length": {"atMost": 1}}, "/a/1"),
                ({"type": "object", "length": 0}, "/a/b"),
                ({"equals": {"b": 2}}, "/a/b"),
                ({"enum": [{"b": 2}, "x"]}, "/a/b"),
                ({"anyOf": [{"type": "string"}, {"equals": [5]}]}, "/a/0"),
            )
        ),
        ({"json": {"": {"type": "array"}, "/a": 1}}, "/expect/json/~1a can never hold"),
        # the text and its JSON
        ({"text": "hello", "json": {"/a": 1}}, "/expect/text can never hold"),
        ({"text": {"startsWith": "<html"}, "json": {"/a": 1}}, "/expect/text can never hold"),
        ({"text": '{"a": 2}', "json": {"/a": 1}}, "/expect/text can never hold"),
        # headers
        ({"headers": {"X": "a", "x": "b"}}, "/expect/headers has a header twice"),
        ({"headers": {"x": "a\nb"}}, "/expect/headers/x can never hold"),
        ({"headers": {"x": " a"}}, "/expect/headers/x can never hold"),
        ({"headers": {"x": {"contains": "日"}}}, "/expect/headers/x/contains can never hold"),
    ],
)
def test_what_can_never_hold_is_refused(expect: object, problem: str) -> None:
    [first, *_] = problems_with(expect)

    assert first.startswith(problem)


@pytest.mark.parametrize(
    "expect",
    [
        {"json": {"/a": {"type": "object"}, "/a/b": 1}},
        {"json": {"/a": {"type": "array", "length": {"atLeast": 1}}, "/a/0": 1}},
        {"json": {"/a": {"anyOf": [{"type": "string"}, {"type": "object"}]}, "/a/b": 1}},
        {"json": {"/a": {"type": "string"}, "/a/b": {"exists": False}}},
        {"json": {"/a": {"enum": [{"b": 1}, {"b": 2}]}, "/a/b": 2}},
        {"json": {"/a": "x", "/ab": 1}},
        {"json": {"/a": {"anyOf": [{"exists": False}, {"equals": 1}]}}},
        {"json": {"/a": {"matches": "^x|^y", "startsWith": "y"}}},
        {"json": {"/a": {"matches": "^xy?z", "startsWith": "xz"}}},
        {"json": {"/a": {"atLeast": 5, "atMost": 5, "type": "integer"}}},
        {"json": {"/a": {"above": 5, "below": 6}}},
        {"text": {"startsWith": ' {"'}, "json": {"/a": 1}},
        {"text": {"contains": "pong"}, "json": {"/a": 1}},
        {"headers": {"x": "a b", "y": {"startsWith": "a "}, "z": ""}},
    ],
)
def test_what_can_hold_is_not_refused(expect: object) -> None:
    assert problems_with(expect) == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([0.5, "", "a", "ab", "b"]),
    lambda below: (
        st.lists(below, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b", "0"]), below, max_size=2)
    ),
    max_leaves=4,
)
LIMITS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("above", "atLeast", "below", "atMost"), st.integers(-1, 3))
)
PLAIN = st.fixed_dictionaries(
    {},
    optional={
        "equals": VALUES,
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "type": st.sampled_from(sorted(TYPES)),
        "contains": st.sampled_from(["a", "b", "ab"]),
        "startsWith": st.sampled_from(["a", "b", "ab"]),
        "matches": st.sampled_from(["^a", "b$", "^ab", "^a*b"]),
        "length": st.integers(0, 3) | LIMITS.filter(bool),
        "exists": st.booleans(),
    },
)
MATCHERS = st.builds(
    lambda own, limits, others: Matcher(
        {**own, **limits, **({"anyOf": others} if others else {})} or {"exists": True}
    ),
    PLAIN,
    LIMITS,
    st.lists(PLAIN.filter(bool), max_size=2),
)


@given(MATCHERS, VALUES)
def test_no_value_is_accepted_where_a_contradiction_is_reported(
    matcher: Matcher, value: object
) -> None:
    if contradiction(matcher):
        assert not matcher.accepts(value)


@given(MATCHERS, MATCHERS, VALUES)
def test_no_document_is_accepted_where_a_conflict_is_reported(
    above: Matcher, below: Matcher, value: object
) -> None:
    for name in ("b", "0"):
        expected = [("/a", above), (f"/a/{name}", below)]
        if list(conflicts(expected)):
            document = {"a": value}
            assert not all(m.accepts(resolve(document, at)) for at, m in expected)


def test_the_answer_to_a_head_request_has_no_body_to_expect_anything_of() -> None:
    assert problems_with({"json": {"/a": 1}}, has_body=False)
    assert problems_with({"text": "a"}, has_body=False)
    assert problems_with({"headers": {"x-a": "1"}}, has_body=False) == []


def test_a_step_has_a_bounded_number_of_matchers() -> None:
    many = {"anyOf": [{"anyOf": [1] * 30}, {"anyOf": [2] * 30}]}

    assert "one matcher too many" in problems_with({"json": {"/a": many}})[0]
    assert problems_with({"json": {"/a": {"anyOf": [1] * 40}}}) == []


def test_a_pattern_takes_time_that_is_linear_in_the_text() -> None:
    # a backtracking engine would never come back from this
    assert not is_found("^(a+)+$", "a" * 60_000 + "!")
