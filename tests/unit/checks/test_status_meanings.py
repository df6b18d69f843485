"""What a step's author may say that a status means, and what is refused."""

import pytest

from patchbay.checks.expectations import DEFAULT_STATUS
from patchbay.checks.problems import ManifestProblems
from patchbay.checks.status_meanings import StatusMeanings, read_meanings
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Declarations


def read(
    spec: object, *, expected: frozenset[int] = DEFAULT_STATUS, sends_credential: bool = True
) -> StatusMeanings:
    step = {} if spec is None else {"meaning": spec}
    reader = StepReader(step, "", Declarations(frozenset(), frozenset(), frozenset()), None)
    meanings = read_meanings(reader, expected=expected, sends_credential=sends_credential)
    if reader.problems:
        raise reader.refused()
    return meanings


def problems(spec: object, *, sends_credential: bool = True) -> dict[str, str]:
    with pytest.raises(ManifestProblems) as raised:
        read(spec, sends_credential=sends_credential)
    return {problem.pointer: problem.message for problem in raised.value.problems}


def test_a_status_means_a_code_or_proves_access() -> None:
    meanings = read({"400": "proves_access", "403": "auth_invalid", "500": "rate_limited"})
    assert meanings.codes == {403: "auth_invalid", 500: "rate_limited"}
    assert meanings.proving == {400}


def test_an_expected_status_may_prove_access_too() -> None:
    assert read({"400": "proves_access"}, expected=frozenset({400})).proving == {400}


def test_a_step_that_says_nothing_means_nothing() -> None:
    assert read(None) == read({}) == StatusMeanings()


@pytest.mark.parametrize(
    ("spec", "pointer", "message"),
    [
        ([], "/meaning", "must be an object"),
        ({str(status): "auth_invalid" for status in range(400, 430)}, "/meaning", "at most 20"),
        ({"teapot": "auth_invalid"}, "/meaning/teapot", "is not a status"),
        ({"40": "auth_invalid"}, "/meaning/40", "is not a status"),
        ({"700": "auth_invalid"}, "/meaning/700", "is not a status"),
        ({"４００": "auth_invalid"}, "/meaning/４００", "is not a status"),
        ({"a/b~": "auth_invalid"}, "/meaning/a~1b~0", "is not a status"),
        ({"403": "dns_error"}, "/meaning/403", "must be proves_access or one of"),
        ({"403": "internal_error"}, "/meaning/403", "must be proves_access or one of"),
        ({"403": ["auth_invalid"]}, "/meaning/403", "must be proves_access or one of"),
        ({"403": None}, "/meaning/403", "must be proves_access or one of"),
        ({"200": "auth_invalid"}, "/meaning/200", "is also a status that the step expects"),
    ],
)
def test_what_can_not_be_meant_is_not_published(spec: object, pointer: str, message: str) -> None:
    found = problems(spec)
    assert list(found) == [pointer]
    assert message in found[pointer]


@pytest.mark.parametrize("status", ["200", "302", "401", "404", "405", "407", "429", "498", "500"])
def test_access_is_not_proved_by_what_a_wrong_key_or_address_is_answered_with(status: str) -> None:
    assert "can't prove access" in problems({status: "proves_access"})[f"/meaning/{status}"]


@pytest.mark.parametrize("status", ["400", "402", "403", "409", "415", "422"])
def test_access_may_be_proved_by_a_request_that_the_api_rejects(status: str) -> None:
    assert read({status: "proves_access"}).proving == {int(status)}


def test_access_is_not_proved_without_a_credential() -> None:
    found = problems({"400": "proves_access"}, sends_credential=False)
    assert found == {"/meaning/400": "can't prove access: the request has no credential"}
