"""JSON Schema (2020-12): whether a schema is one, and what of a document it refuses.

The messages of the library quote the value that is wrong; ours never do, since people put secrets
into the wrong field. References to other documents are refused: nothing is fetched.
"""

from collections.abc import Mapping
from typing import Any, Final

from patchbay.platform.errors import Problem
from patchbay.platform.validation import pointer

_META_SCHEMA: Final = {"$ref": "https://json-schema.org/draft/2020-12/schema"}
_MASK: Final = "value"
_MAX_PROBLEMS: Final = 50


def schema_problems(schema: Any, at: str) -> list[Problem]:
    """Why this is no usable schema; pointers begin with `at`."""
    if not isinstance(schema, dict):
        return [Problem(at, "is an object, a JSON Schema (2020-12)")]
    import jsonschema_rs

    if foreign := _foreign_references(schema, at):
        return foreign
    errors = jsonschema_rs.Draft202012Validator(_META_SCHEMA).iter_errors(schema)
    problems = [
        Problem(at + pointer(error.instance_path), "is not valid in a JSON Schema (2020-12)")
        for error, _ in zip(errors, range(_MAX_PROBLEMS), strict=False)
    ]
    if not problems:
        try:
            jsonschema_rs.Draft202012Validator(schema, pattern_options=_linear_time())
        except ValueError:
            problems = [Problem(at, "holds a pattern or reference that can't be used")]
    return problems


def document_problems(document: Any, schema: Mapping[str, Any], at: str) -> list[Problem]:
    """What a schema without problems refuses of a document; pointers begin with `at`."""
    import jsonschema_rs

    validator = jsonschema_rs.Draft202012Validator(
        dict(schema), mask=_MASK, validate_formats=True, pattern_options=_linear_time()
    )
    return [
        problem
        for error, _ in zip(validator.iter_errors(document), range(_MAX_PROBLEMS), strict=False)
        for problem in _problems_of(error, at)
    ]


def with_defaults(document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the `default` of each property of the schema that it leaves out."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    defaults = {
        name: rule["default"]
        for name, rule in properties.items()
        if isinstance(rule, dict) and "default" in rule
    }
    return {**defaults, **document}


def _problems_of(error: Any, at: str) -> list[Problem]:
    """One finding of the library; a missing or needless member is pointed at itself."""
    place = at + pointer(error.instance_path)
    match error.kind.name, error.kind.as_dict():
        case "required", {"property": name}:
            return [Problem(place + pointer([name]), "is required")]
        case _, {"unexpected": [*names]}:
            return [Problem(place + pointer([name]), "is not expected here") for name in names]
        case _:
            return [Problem(place, error.message.removeprefix(f"{_MASK} "))]


def _linear_time() -> Any:
    """Patterns come from strangers: an engine that can't be made to backtrack for ever."""
    import jsonschema_rs

    return jsonschema_rs.RegexOptions(size_limit=1 << 20)


def _foreign_references(value: Any, at: str) -> list[Problem]:
    """Where `$ref` and its kin lead out of the document."""
    if isinstance(value, list):
        members: list[tuple[str | int, Any]] = list(enumerate(value))
    elif isinstance(value, dict):
        members = list(value.items())
    else:
        return []
    found = []
    for name, inner in members:
        here = at + pointer([name])
        if name in {"$ref", "$dynamicRef"} and not str(inner).startswith("#"):
            found.append(Problem(here, "refers to another document"))
        else:
            found += _foreign_references(inner, here)
    return found
