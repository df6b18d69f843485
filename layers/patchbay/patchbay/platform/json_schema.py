"""JSON Schema (2020-12): whether a schema is valid, and what is wrong with a document.

The library's messages quote the document; ours never do, because people put secrets into the wrong
field. References to other documents are rejected, and nothing is fetched: by itself, the library
would fetch a `$schema` that it does not know, from anywhere.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from patchbay.platform.errors import Problem
from patchbay.platform.problem_messages import schema_message
from patchbay.platform.validation import pointer

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_META_SCHEMA: Final = {"$ref": _DIALECT}
_MAX_PROBLEMS: Final = 50
_FOREIGN: Final = frozenset({"$id", "$schema"})

MAX_EXPANDED: Final = 5000
MAX_WORK: Final = 20_000
"""Parts of a schema times parts of a document up to which every error is collected. The library
collects them all at once, with those of every branch: at 300,000 that took 11 s and 470 MB. Beyond
this the first error is reported alone."""


def schema_problems(schema: Any, at: str) -> list[Problem]:
    """Why a schema can't be used; pointers begin with `at`."""
    if not isinstance(schema, dict):
        return [Problem(at, "must be an object: a JSON Schema (2020-12)")]
    import jsonschema_rs

    if schema.get("$schema", _DIALECT) not in (_DIALECT, f"{_DIALECT}#"):
        return [Problem(f"{at}/$schema", f"must be {_DIALECT}")]
    if unbounded := _reference_problems(schema, at):
        return unbounded
    errors = jsonschema_rs.Draft202012Validator(_META_SCHEMA).iter_errors(schema)
    problems = [
        Problem(at + pointer(error.instance_path), "is not valid in a JSON Schema (2020-12)")
        for error, _ in zip(errors, range(_MAX_PROBLEMS), strict=False)
    ]
    if not problems:
        try:
            jsonschema_rs.Draft202012Validator(
                _without_dialect(schema), pattern_options=_linear_time(), retriever=_fetch_nothing
            )
        except ValueError:
            problems = [Problem(at, "has a pattern or reference that can't be used")]
    return problems


def object_schema_problems(schema: Any, at: str) -> list[Problem]:
    """Why a schema can't be used for JSON objects."""
    problems = schema_problems(schema, at)
    if not problems and schema.get("type", "object") != "object":
        problems = [Problem(f"{at}/type", "must be object")]
    return problems


def default_problems(schema: Any, at: str) -> list[Problem]:
    """Defaults of properties that do not match their own schema."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or schema_problems(schema, at):
        return []
    return [
        Problem(f"{at}/properties{pointer([name])}/default", "does not match its own schema")
        for name, rule in properties.items()
        if isinstance(rule, dict)
        and "default" in rule
        and member_problems(name, rule["default"], schema, "")
    ]


def member_problems(name: str, value: Any, schema: Mapping[str, Any], at: str) -> list[Problem]:
    """What is wrong with one member of a document, whatever the others are."""
    alone = {keyword: rule for keyword, rule in schema.items() if keyword != "required"}
    place = at + pointer([name])
    found = document_problems({name: value}, alone, at)
    return [p for p in found if p.pointer == place or p.pointer.startswith(place + "/")]


def document_problems(document: Any, schema: Mapping[str, Any], at: str) -> list[Problem]:
    """What is wrong with a document by a schema without problems; pointers begin with `at`."""
    return DocumentSchema(schema).problems(document, at)


class DocumentSchema:
    """A schema without problems, compiled once for many documents. Threads may share it."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        import jsonschema_rs

        self._size = _Expansion(schema).size(schema, "")
        self._validator = jsonschema_rs.Draft202012Validator(
            _without_dialect(schema),
            validate_formats=True,
            pattern_options=_linear_time(),
            retriever=_fetch_nothing,
        )

    def problems(self, document: Any, at: str) -> list[Problem]:
        """What is wrong with a document; pointers begin with `at`.

        Everything, or only the first problem if schema and document are too large for that.
        """
        if self._size * _parts(document) > MAX_WORK:
            return self._first_problem(document, at)
        errors = self._validator.iter_errors(document)
        return [
            problem
            for error, _ in zip(errors, range(_MAX_PROBLEMS), strict=False)
            for problem in _problems_of(error, at)
        ]

    def _first_problem(self, document: Any, at: str) -> list[Problem]:
        import jsonschema_rs

        try:
            self._validator.validate(document)
        except jsonschema_rs.ValidationError as error:
            return _problems_of(error, at)
        return []


def with_defaults(document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the `default` of each property of the schema that it leaves out."""
    properties = schema.get("properties")
    defaults = {
        name: rule["default"]
        for name, rule in (properties.items() if isinstance(properties, dict) else ())
        if isinstance(rule, dict) and "default" in rule
    }
    return {**defaults, **document}


def _problems_of(error: Any, at: str) -> list[Problem]:
    """The problems of one error; a missing or unknown member is pointed at itself."""
    place = at + pointer(error.instance_path)
    kind, facts = error.kind.name, error.kind.as_dict()
    match kind:
        case "required":
            return [Problem(place + pointer([facts["property"]]), "is required")]
        case "additionalProperties" | "unevaluatedProperties":
            names = facts["unexpected"]
            return [Problem(place + pointer([name]), "is not a known field") for name in names]
        case _:
            return [Problem(place, schema_message(kind, facts))]


def _parts(document: Any) -> int:
    """How many values there are in a JSON document."""
    total, rest = 0, [document]
    while rest:
        value = rest.pop()
        total += 1
        if isinstance(value, dict):
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)
    return total


def _without_dialect(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {keyword: rule for keyword, rule in schema.items() if keyword != "$schema"}


def _fetch_nothing(uri: str) -> Any:
    raise ValueError(f"{uri} is not part of the schema")


def _linear_time() -> Any:
    """Patterns come from tenants: an engine that never backtracks."""
    import jsonschema_rs

    return jsonschema_rs.RegexOptions(size_limit=1 << 20)


def _reference_problems(schema: dict[str, Any], at: str) -> list[Problem]:
    """References that could make a validation fetch something, or never end.

    A few definitions that each refer twice to the next double the work with every step, and the
    validator can't be interrupted. So a reference is a JSON Pointer into the same document, never
    back to itself, and the schema with all references expanded has a bounded size.
    """
    expansion = _Expansion(schema)
    expansion.size(schema, at)
    return expansion.problems


class _Expansion:
    """Counts the subschemas of a schema as if its references were expanded."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.problems: list[Problem] = []
        self._root = root
        self._sizes: dict[str, int] = {}
        self._open: set[str] = set()

    def size(self, value: Any, at: str) -> int:
        """The size of a part; its problem is recorded with its pointer."""
        if isinstance(value, list):
            members: list[tuple[str | int, Any]] = list(enumerate(value))
        elif isinstance(value, dict):
            members = list(value.items())
        else:
            return 1
        total = 1
        for name, inner in members:
            here = at + pointer([name])
            if name in _FOREIGN and isinstance(inner, str) and value is not self._root:
                self._refuse(here, "is not supported inside a schema")
            elif name in {"$dynamicRef", "$recursiveRef"} and isinstance(inner, str):
                self._refuse(here, "is not supported: use $ref with a JSON Pointer")
            elif name == "$ref" and isinstance(inner, str):
                total += self._target_size(inner, here)
            else:
                total += self.size(inner, here)
            if total > MAX_EXPANDED:
                self._refuse(at, f"must have at most {MAX_EXPANDED} parts in all")
                return total
        return total

    def _target_size(self, reference: str, at: str) -> int:
        if not (reference == "#" or reference.startswith("#/")):
            self._refuse(at, "must be a JSON Pointer into the same schema")
            return 1
        if reference in self._open:
            self._refuse(at, "must not refer to itself")
            return 1
        if reference not in self._sizes:
            self._open.add(reference)
            self._sizes[reference] = self.size(self._target(reference), at)
            self._open.discard(reference)
        return self._sizes[reference]

    def _target(self, reference: str) -> Any:
        target: Any = self._root
        for token in reference.split("/")[1:]:
            name = unquote(token).replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
                target = target[int(name)]
            else:
                # The validator reports what does not exist.
                target = target.get(name) if isinstance(target, dict) else None
        return target

    def _refuse(self, at: str, why: str) -> None:
        if not self.problems:
            self.problems.append(Problem(at, why))
