"""What validating a document by a stranger's schema may cost, computed before it begins. Pure.

Every applied part of a schema stands at one depth of the document: subschemas apply to the same
value or to its members, and references never lead back. So each part meets each value of the
document at most once, and the cost is at most the sum of *parts × values*. A rule of the root's
`properties` meets its own member only.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from functools import reduce
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from patchbay.platform.errors import Problem
from patchbay.platform.regular_expressions import (
    MAX_COMPILED,
    MAX_COUNT,
    MAX_READING,
    MAX_TEXT,
    TOO_LARGE,
    compiled_bytes,
    reading_effort,
    refusal,
)
from patchbay.platform.validation import pointer

MAX_PARTS: Final = 5000
MAX_LEVELS: Final = 100
MAX_PATHS: Final = 1 << 21
"""Characters of the pointers of all parts: the library keeps them."""
MAX_PATTERN_BYTES: Final = 2 * MAX_COMPILED

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,5}")
_FOREIGN: Final = frozenset({"$id", "$schema"})
_DEFINITIONS: Final = frozenset({"$defs", "definitions"})
"""What stands there is applied by reference only."""
_SCHEMAS: Final = frozenset(
    {
        *("additionalProperties", "unevaluatedProperties", "propertyNames", "contentSchema"),
        *("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"),
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    }
)
"""Keywords that have a schema, or a list of schemas."""
_MAPS: Final = frozenset(
    {"properties", "patternProperties", "dependentSchemas", "dependencies", *_DEFINITIONS}
)
"""Keywords that have schemas by name: the names are data, whatever they look like."""


class _Role(Enum):
    """What a value within a schema is. Data is compared or ignored, whatever it looks like: the
    values of `const`, `enum`, `default`, and of every keyword that has no schema."""

    SCHEMA = auto()
    SCHEMAS = auto()
    MAP = auto()
    DATA = auto()

    def of_member(self, name: str | int, value: Any) -> "_Role":
        if self is _Role.MAP or self is _Role.SCHEMAS:
            return _Role.SCHEMA
        if self is _Role.SCHEMA and name in _MAPS:
            return _Role.MAP
        if self is _Role.SCHEMA and name in _SCHEMAS:
            return _Role.SCHEMAS if isinstance(value, list) else _Role.SCHEMA
        return _Role.DATA


_EFFORT: Final[Mapping[str, int]] = {
    "uniqueItems": 10,
    "minimum": 10,
    "maximum": 10,
    "exclusiveMinimum": 10,
    "exclusiveMaximum": 10,
    "multipleOf": 100,
    "format": 10,
}
"""How many times longer a keyword may take than one that compares."""
_EFFORT_OF_FORMAT: Final[Mapping[str, int]] = {"regex": 100, "idn-hostname": 20}
_REPEATING: Final = frozenset({"unevaluatedProperties", "unevaluatedItems"})
"""To know what was evaluated, the library evaluates the keywords beside these again, and within
those again: n levels take 2.62 to the power of n (measured)."""
_REPEATED: Final = 3
_VALUE_EFFORT: Final = 8
_EXACT_EFFORT: Final = 1000
"""Of a number that is compared with exact arithmetic, as 1.5 and 2**53 are."""
_EXACT_BITS: Final = 53
_VALUE_BYTES: Final = 64
ERROR_BYTES: Final = 2000
"""Of one error, without a copy of its value and its pointers."""


class SchemaSize(NamedTuple):
    """Of a part of a schema with its references expanded.

    `parts` are its values, `effort` is more where a keyword takes longer than others,
    `pattern_bytes` are those of its compiled patterns, `levels` is its nesting, `path` the
    characters of its longest pointer, and `paths` those of the pointers of all parts.
    """

    parts: int = 0
    effort: int = 0
    pattern_bytes: int = 0
    levels: int = 0
    path: int = 0
    paths: int = 0

    def plus(self, other: "SchemaSize") -> "SchemaSize":
        return SchemaSize(
            self.parts + other.parts,
            self.effort + other.effort,
            self.pattern_bytes + other.pattern_bytes,
            max(self.levels, other.levels),
            max(self.path, other.path),
            self.paths + other.paths,
        )

    def times(self, factor: int) -> "SchemaSize":
        """As if it stood there several times."""
        return self._replace(
            parts=self.parts * factor,
            effort=self.effort * factor,
            pattern_bytes=self.pattern_bytes * factor,
            paths=self.paths * factor,
        )

    def within(self, name: str | int) -> "SchemaSize":
        token = len(str(name)) + 1
        return self._replace(
            levels=self.levels + 1,
            path=self.path + token,
            paths=self.paths + self.parts * token,
        )


class DocumentSize(NamedTuple):
    """Of a JSON value: its values, the bytes of its strings, the `effort` of comparing all of it,
    and the characters of its longest pointer."""

    parts: int
    text: int
    effort: int
    path: int

    @classmethod
    def of(cls, document: Any, name: str = "") -> "DocumentSize":
        """The size of a value that is the member `name` of a document."""
        parts = text = effort = longest = 0
        rest: list[tuple[Any, int]] = [(document, len(name))]
        while rest:
            value, path = rest.pop()
            parts += 1
            longest = max(longest, path)
            match value:
                case dict():
                    text += sum(map(_bytes, value))
                    rest.extend((inner, path + len(key) + 1) for key, inner in value.items())
                case list():
                    rest.extend((inner, path + 6) for inner in value)
                case str():
                    text += _bytes(value)
                case float():
                    effort += _EXACT_EFFORT
                case int() if value.bit_length() > _EXACT_BITS:
                    # Digits are compared in quadratic time.
                    effort += _EXACT_EFFORT + (value.bit_length() // 3) ** 2
        return cls(parts, text, effort + parts * _VALUE_EFFORT + text, longest)


class Work(NamedTuple):
    """What a validation may cost, estimated from above.

    `checks` are nanoseconds. `searched` is for patterns: compiled bytes times bytes of text.
    `errors` are the bytes of all errors at once.
    """

    checks: int = 0
    searched: int = 0
    errors: int = 0


class SchemaCost:
    """The size of a schema, and why it can't be used at that size."""

    def __init__(self, root: Mapping[str, Any], at: str = "") -> None:
        self.problems: list[Problem] = []
        self.patterns: dict[str, int] = {}
        """Each different pattern, and the bytes it compiles to."""
        self.rules: dict[str, SchemaSize] = {}
        """Of the root's `properties`, by name."""
        self.rest = SchemaSize(1, 1)
        """Of everything else that applies to a document."""
        self._root = root
        self._sizes: dict[str, SchemaSize] = {}
        self._open: set[str] = set()
        self._level = 0
        definitions = SchemaSize()
        for keyword, inner in root.items():
            here = at + pointer([keyword])
            if keyword == "properties" and isinstance(inner, dict):
                for name, rule in inner.items():
                    self.rules[name] = self._member(name, rule, here, _Role.MAP).within(keyword)
            elif keyword in _DEFINITIONS:
                definitions = definitions.plus(self._member(keyword, inner, at, _Role.SCHEMA))
            else:
                size = self._member(keyword, inner, at, _Role.SCHEMA, is_root=True)
                self.rest = self.rest.plus(size)
        if _REPEATING & root.keys():
            self.rest = self.rest.times(_REPEATED)
        self.total = reduce(SchemaSize.plus, self.rules.values(), self.rest.plus(definitions))
        self._bound(self.total, at)

    def work(self, document: Any) -> Work:
        """What validating this document costs at most."""
        if not isinstance(document, dict):
            return _sum([(self.rest, DocumentSize.of(document))])
        sizes = {name: DocumentSize.of(value, name) for name, value in document.items()}
        whole = DocumentSize(
            1 + sum(size.parts for size in sizes.values()),
            sum(size.text + _bytes(name) for name, size in sizes.items()),
            _VALUE_EFFORT + sum(size.effort + _bytes(name) for name, size in sizes.items()),
            max((size.path for size in sizes.values()), default=0),
        )
        rules = ((self.rules[name], size) for name, size in sizes.items() if name in self.rules)
        return _sum([(self.rest, whole), *rules])

    def _size(self, value: Any, at: str, role: _Role) -> SchemaSize:
        total = SchemaSize(1, 1)
        if not isinstance(value, list | dict) or not self._bound(total, at):
            return total
        self._level += 1
        for name, inner in _members(value):
            total = total.plus(self._member(name, inner, at, role))
            if not self._bound(total, at):
                break
        self._level -= 1
        if role is _Role.SCHEMA and isinstance(value, dict) and _REPEATING & value.keys():
            total = total.times(_REPEATED)
            self._bound(total, at)
        return total

    def _member(
        self, name: str | int, inner: Any, at: str, role: _Role, is_root: bool = False
    ) -> SchemaSize:
        """The size of a member of a value that has this role."""
        here = at + pointer([name])
        if self.problems:
            return SchemaSize()
        if role is not _Role.SCHEMA:
            return self._size(inner, here, role.of_member(name, inner)).within(name)
        if isinstance(inner, str):
            if name in _FOREIGN and not is_root:
                return self._refuse(here, "is not supported inside a schema")
            if name in {"$dynamicRef", "$recursiveRef"}:
                return self._refuse(here, "is not supported: use $ref with a JSON Pointer")
            if name == "$ref":
                return self._target_size(inner, here).within(name)
            if name == "pattern":
                return SchemaSize(1, 1, self._pattern_bytes(inner, here))
            if name == "format":
                return SchemaSize(1, _EFFORT_OF_FORMAT.get(inner, _EFFORT["format"]))
        size = self._size(inner, here, role.of_member(name, inner)).within(name)
        searched = 0
        if name == "patternProperties" and isinstance(inner, dict):
            for pattern in inner:
                searched += self._pattern_bytes(pattern, here + pointer([pattern]))
        return size.plus(SchemaSize(0, _EFFORT.get(str(name), 0), searched))

    def _pattern_bytes(self, pattern: str, at: str) -> int:
        if pattern not in self.patterns and not self.problems:
            texts = [*self.patterns, pattern]
            if len(texts) > MAX_COUNT or sum(map(len, texts)) > MAX_TEXT:
                self._refuse(
                    at,
                    f"is one too many: a schema has at most {MAX_COUNT} different patterns, of "
                    f"{MAX_TEXT} characters in all",
                )
            elif sum(map(reading_effort, texts)) > MAX_READING:
                self._refuse(at, r"is one too many: use [...] for most of \w, \d, \s, and \c")
            elif why := refusal(pattern, MAX_COMPILED):
                self._refuse(at, why)
            else:
                self.patterns[pattern] = compiled_bytes(pattern, MAX_COMPILED) or MAX_COMPILED
                self._bound(SchemaSize(pattern_bytes=sum(self.patterns.values())), at)
        return self.patterns.get(pattern, 0)

    def _target_size(self, reference: str, at: str) -> SchemaSize:
        if not (reference == "#" or reference.startswith("#/")):
            return self._refuse(at, "must be a JSON Pointer into the same schema")
        if reference in self._open:
            return self._refuse(at, "must not refer to itself")
        if reference not in self._sizes:
            try:
                target = self._target(reference)
            except LookupError:
                # The validator may read it otherwise: then its cost would not be known.
                return self._refuse(at, "must point at a part of the same schema")
            self._open.add(reference)
            self._sizes[reference] = self._size(target, at, _Role.SCHEMA)
            self._open.discard(reference)
        return self._sizes[reference]

    def _target(self, reference: str) -> Any:
        """The part of the schema, as the library finds it. Raises LookupError."""
        target: Any = self._root
        # RFC 6901, section 6: the fragment is decoded before it is divided into tokens.
        for token in unquote(reference).split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and _INDEX.fullmatch(name):
                target = target[int(name)]
            elif isinstance(target, dict):
                target = target[name]
            else:
                raise LookupError
        return target

    def _bound(self, size: SchemaSize, at: str) -> bool:
        if size.parts > MAX_PARTS:
            self._refuse(at, f"must have at most {MAX_PARTS} parts in all")
        elif size.pattern_bytes > MAX_PATTERN_BYTES:
            self._refuse(at, TOO_LARGE)
        elif size.paths > MAX_PATHS:
            self._refuse(
                at, f"must have at most {MAX_PATHS} characters in the pointers of all parts"
            )
        elif max(size.levels, self._level) > MAX_LEVELS:
            self._refuse(
                at, f"must not be nested deeper than {MAX_LEVELS} levels, with its references"
            )
        return not self.problems

    def _refuse(self, at: str, why: str) -> SchemaSize:
        if not self.problems:
            self.problems.append(Problem(at, why))
        return SchemaSize()


def _members(value: list[Any] | dict[str, Any]) -> Iterator[tuple[str | int, Any]]:
    yield from value.items() if isinstance(value, dict) else enumerate(value)


def _sum(pairs: Iterable[tuple[SchemaSize, DocumentSize]]) -> Work:
    checks = searched = errors = 0
    for schema, document in pairs:
        checks += schema.effort * document.effort
        searched += schema.pattern_bytes * document.text
        # An error has a copy of the value and both pointers.
        one = ERROR_BYTES + _VALUE_BYTES + schema.path + document.path
        errors += schema.parts * (document.text + document.parts * one)
    return Work(checks, searched, errors)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else 3 * len(text)
