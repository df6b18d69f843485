"""What an answer is compared with."""

import pytest

from patchbay.checks.expectations import Expectation, read_expectation
from patchbay.checks.json_pointer import MISSING, is_pointer, resolve
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
