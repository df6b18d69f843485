"""JSON Schema (2020-12): whether a schema is valid, and what is wrong with a document.

The library's messages quote the document; ours never do, because people put secrets into the wrong
field. References to other documents are rejected, and nothing is fetched: by itself, the library
would fetch a `$schema` that it does not know, from anywhere. What a validation may cost is computed
before it begins: see `schema_costs`.
"""

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from patchbay.platform.bounded_cache import BoundedCache
from patchbay.platform.errors import Problem
from patchbay.platform.problem_messages import REQUIRED
from patchbay.platform.regular_expressions import (
    MAX_COMPILED,
    fetch_nothing,
    linear_time,
    search_limit,
)
from patchbay.platform.schema_costs import ERROR_BYTES, SchemaCost
from patchbay.platform.schema_defaults import TooManyDefaults, with_defaults
from patchbay.platform.schema_problems import problems_of
from patchbay.platform.validation import pointer

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MAX_CHECKS: Final = 200_000_000
"""`Work.checks` of one validation: 0.2 s."""
MAX_SEARCHED: Final = 1 << 33
"""`Work.searched` of one validation: 0.15 s at most."""
MAX_ERROR_BYTES: Final = 20_000_000
"""Up to this all errors are collected. The library collects them at once, each with a copy of the
value and those of every branch: for a body of 4 KB these were 1.6 GB. Above it, the first is
reported alone."""
MAX_KEPT_BYTES: Final = 48 << 20
"""What the compiled schemas of a process may take, as `DocumentSchema.bytes` estimates it."""

_MAX_PROBLEMS: Final = 50
_PART_BYTES: Final = 400
_PATH_BYTES: Final = 3
_PER_PATTERN_BYTE: Final = 2
_META_ERRORS: Final = 8
"""How many errors the schema of schemas may report of one part."""
_TOO_LARGE: Final = "is too large to be validated by this schema"
_UNUSABLE: Final = (
    "can't be validated: its schema is not valid, or too large; publish a new release"
)
_INVALID: Final = "is not valid in a JSON Schema (2020-12)"
_OTHER_PROBLEM: Final = "does not match its schema"
_SCHEMA: Final = frozenset(
    {
        *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"),
        *("propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"),
    }
)
_SCHEMAS_BY_NAME: Final = frozenset(
    {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
)
_SCHEMAS_IN_ORDER: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""The keywords whose value is a schema, an object of schemas, or an array of them.
https://json-schema.org/draft/2020-12/json-schema-core#section-10"""
_OF_WHOLE_RESOURCES: Final = frozenset({"$schema", "$id"})


def schema_problems(schema: Any, at: str) -> list[Problem]:
    """Why a schema can't be used; pointers begin with `at`."""
    if not isinstance(schema, dict):
        return [Problem(at, "must be an object: a JSON Schema (2020-12)")]
    if schema.get("$schema", DIALECT) not in (DIALECT, f"{DIALECT}#"):
        return [Problem(f"{at}/$schema", f"must be {DIALECT}")]
    cost = SchemaCost(schema, at)
    problems = cost.problems or _invalid_places(schema, cost, at)
    if not problems:
        try:
            _compiled(schema, cost)
        except ValueError:
            problems = [Problem(at, "has a pattern or reference that can't be used")]
    return problems


def object_schema_problems(schema: Any, at: str) -> list[Problem]:
    """Why a schema can't be used for JSON objects."""
    problems = schema_problems(schema, at)
    if not problems and schema.get("type", "object") != "object":
        problems = [Problem(f"{at}/type", "must be object")]
    return problems


def secret_problems(schema: Any, at: str) -> list[Problem]:
    """Where a schema of values that everybody may read says that a value is secret."""
    return [
        Problem(
            place,
            "is a secret by its schema, but these values are shown: "
            "declare it in manifest.secretsSchema and use it as {{secrets.<name>}}",
        )
        for place, part in _subschemas(schema, at)
        if part.get("writeOnly") is True or part.get("format") == "password"
    ]


def _subschemas(schema: Any, at: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A schema and all schemas in it, with pointers: not what only looks like one, in an enum."""
    if not isinstance(schema, dict):
        return
    yield at, schema
    for keyword, value in schema.items():
        place = at + pointer([keyword])
        if keyword in _SCHEMA:
            yield from _subschemas(value, place)
        elif keyword in _SCHEMAS_BY_NAME and isinstance(value, dict):
            for name, part in value.items():
                yield from _subschemas(part, place + pointer([name]))
        elif keyword in _SCHEMAS_IN_ORDER and isinstance(value, list):
            for position, part in enumerate(value):
                yield from _subschemas(part, place + pointer([position]))


def default_problems(schema: Any, at: str) -> list[Problem]:
    """Defaults of properties that do not match their own schema; none if it is not valid itself."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return []
    try:
        defaults = with_defaults({}, schema)
    except TooManyDefaults as error:
        return [Problem(at, str(error))]
    found = DocumentSchema(schema).member_problems(defaults, "")
    if [problem for problem in found if not problem.pointer]:
        return [Problem(at, "has defaults that are too large to be validated by it")]
    # A default may have several problems: it is told once.
    members = dict.fromkeys("/".join(problem.pointer.split("/")[:2]) for problem in found)
    return [
        Problem(f"{at}/properties{member}/default", "does not match its own schema")
        for member in members
    ]


class DocumentSchema:
    """A schema, compiled once for many documents. Threads may share it."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._cost = SchemaCost(schema)
        self._validator = self._usable(schema)
        self.bytes = _PART_BYTES if self._validator is None else _compiled_bytes(self._cost)
        """What it may take in memory, estimated from above."""

    def problems(self, document: Any, at: str) -> list[Problem]:
        """What is wrong with a document; pointers begin with `at`.

        Everything, or only the first problem if schema and document are too large for that.
        """
        if refused := self._refusal(document, at):
            return refused
        if self._validator is None or self._validator.is_valid(document):
            return []
        if self._cost.work(document).errors <= MAX_ERROR_BYTES:
            return _all_problems(self._validator, document, at)
        return self._first_problem(document, at)

    def member_problems(self, members: Mapping[str, Any], at: str) -> list[Problem]:
        """What is wrong with each of these members of a document, whatever the others are."""
        if refused := self._refusal(members, at):
            return [] if self._validator is None else refused
        return list(islice(self._of_members(members, at), _MAX_PROBLEMS))

    @cached_property
    def _alone(self) -> "Draft202012Validator | None":
        """For a document that has only some of its members."""
        rules = {keyword: rule for keyword, rule in self._schema.items() if keyword != "required"}
        return self._validator if len(rules) == len(self._schema) else self._usable(rules)

    def _usable(self, schema: Mapping[str, Any]) -> "Draft202012Validator | None":
        """Of a stored schema that was accepted before it would be refused, None."""
        if self._cost.problems:
            return None
        try:
            return _compiled(schema, self._cost)
        except ValueError:
            return None

    def _refusal(self, document: Any, at: str) -> list[Problem]:
        if self._validator is None:
            return [Problem(at, _UNUSABLE)]
        work = self._cost.work(document)
        if work.checks > MAX_CHECKS or work.searched > MAX_SEARCHED:
            return [Problem(at, _TOO_LARGE)]
        return []

    def _first_problem(self, document: Any, at: str) -> list[Problem]:
        if isinstance(document, dict):
            for name in self._schema.get("required", []):
                if name not in document:
                    return [Problem(at + pointer([name]), REQUIRED)]
            for problem in self._of_members(document, at):
                return [problem]
        return [Problem(at, _OTHER_PROBLEM)]

    def _of_members(self, members: Mapping[str, Any], at: str) -> Iterator[Problem]:
        if self._alone is None:
            return
        spent = 0
        for name, value in members.items():
            document, place = {name: value}, at + pointer([name])
            if self._alone.is_valid(document):
                continue
            spent += self._cost.work(document).errors
            if spent > MAX_ERROR_BYTES:
                yield Problem(place, _OTHER_PROBLEM)
                continue
            for problem in _all_problems(self._alone, document, at):
                if problem.pointer == place or problem.pointer.startswith(place + "/"):
                    yield problem


def document_schema(schema: Mapping[str, Any]) -> DocumentSchema:
    """The compiled schema of a release: the same one for the same object, which must not change."""

    def make() -> tuple[tuple[Mapping[str, Any], DocumentSchema], int]:
        compiled = DocumentSchema(schema)
        # As long as the schema is kept, no other object has its id.
        return (schema, compiled), compiled.bytes

    return _KEPT.get(id(schema), make)[1]


_KEPT: Final = BoundedCache[int, tuple[Mapping[str, Any], DocumentSchema]](MAX_KEPT_BYTES)


def _invalid_places(schema: dict[str, Any], cost: SchemaCost, at: str) -> list[Problem]:
    """What the schema of schemas refuses: all of it, or the first place if that is too much."""
    validator = _schema_of_schemas()
    if validator.is_valid(schema):
        return []
    if cost.total.parts * _META_ERRORS * (ERROR_BYTES + cost.total.path) <= MAX_ERROR_BYTES:
        errors = islice(validator.iter_errors(schema), _MAX_PROBLEMS)
        return [Problem(at + pointer(error.instance_path), _INVALID) for error in errors]
    return [Problem(at + pointer(_first_error(validator, schema).instance_path), _INVALID)]


def _first_error(validator: "Draft202012Validator", document: Any) -> "ValidationError":
    """The first error of a document that has one."""
    import jsonschema_rs

    try:
        validator.validate(document)
    except jsonschema_rs.ValidationError as error:
        return error
    raise AssertionError("the document is valid")


@cache
def _schema_of_schemas() -> "Draft202012Validator":
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator({"$ref": DIALECT}, retriever=fetch_nothing)


def _compiled(schema: Mapping[str, Any], cost: SchemaCost) -> "Draft202012Validator":
    """The validator of a schema. Raises ValueError.

    Releases that name another dialect were once stored: they are read as if they named none, and
    so with `$id`. With them the retriever would be asked and would refuse, and every document with
    it. It stands behind all other references.
    """
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(
        {keyword: rule for keyword, rule in schema.items() if keyword not in _OF_WHOLE_RESOURCES},
        validate_formats=True,
        pattern_options=linear_time(MAX_COMPILED, search_limit(len(cost.patterns))),
        retriever=fetch_nothing,
    )


def _compiled_bytes(cost: SchemaCost) -> int:
    """Of a schema that is compiled twice: as it is, and for single members."""
    patterns = cost.patterns
    return 2 * (
        cost.total.parts * _PART_BYTES
        + cost.total.paths * _PATH_BYTES
        + sum(patterns.values()) * _PER_PATTERN_BYTE
        + len(patterns) * search_limit(len(patterns))
    )


def _all_problems(validator: "Draft202012Validator", document: Any, at: str) -> list[Problem]:
    found = (
        problem for error in validator.iter_errors(document) for problem in problems_of(error, at)
    )
    return list(islice(found, _MAX_PROBLEMS))
