"""The steps of a connection's test that dial nothing."""

from patchbay.checks.connection_steps import configurations_step
from patchbay.platform.errors import Problem
from tests.unit.checks.doubles import KEY


def test_a_secret_in_place_of_a_configurations_name_is_not_shown() -> None:
    # given a secret where the name of a configuration belongs, which may have any
    problems = [
        Problem(f"/configurations/{KEY}/depth", "is not a known field"),
        Problem("/configurations/correcthorse", "is not a known field"),
        Problem("/configurations/depth", "must be a number"),
    ]

    # when
    step = configurations_step(problems, [KEY, "correcthorse"])

    # then
    assert step.summary == (
        "/configurations/[redacted]/depth is not a known field; "
        "/configurations/[redacted] is not a known field; "
        "/configurations/depth must be a number."
    )
    assert step.field_pointer == "/configurations"
    assert configurations_step(problems[2:], [KEY]).field_pointer == ("/configurations/depth")
