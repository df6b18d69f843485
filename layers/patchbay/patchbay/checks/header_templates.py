"""Headers that a manifest sets, with placeholders in their values. Pure."""

from collections.abc import Collection

from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Parts, TemplateError, split_template
from patchbay.egress.headers import name_problem, value_problem
from patchbay.platform.validation import pointer


def read_headers(
    reader: StepReader, at: str, headers: object, taken: Collection[str | None]
) -> tuple[tuple[str, Parts], ...]:
    """The headers of an object at `at`. Problems are reported; `taken` are the names, in lower
    case, that the request sets by itself."""
    members = reader.members(at, headers) or {}
    if len({name.lower() for name in members}) < len(members):
        reader.report(at, "has a header twice")
    read = []
    for name, value in members.items():
        place = f"{at}{pointer([name])}"
        problem = name_problem(name)
        if problem:
            reader.report(place, problem)
        elif name.lower() in taken:
            reader.report(place, "is set by the credential or the body")
        else:
            read.append((name, _read_value(reader, place, value)))
    return tuple(read)


def read_template(reader: StepReader, at: str, text: object) -> Parts:
    """The template at `at`; empty with a problem reported if it is not one."""

    def parts() -> Parts:
        if not isinstance(text, str):
            raise TemplateError("must be a string")
        return split_template(text, reader.declared)

    return reader.attempt(at, parts) or ()


def _read_value(reader: StepReader, at: str, value: object) -> Parts:
    parts = read_template(reader, at, value)
    # Any harmless value will do: only the author's own part is judged here.
    sample = "".join(part if isinstance(part, str) else "x" for part in parts)
    problem = value_problem(sample)
    if parts and problem:
        reader.report(at, problem)
    return parts
