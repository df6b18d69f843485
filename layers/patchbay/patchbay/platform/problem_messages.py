"""Validation messages in one language, whether pydantic or a JSON Schema finds the problem.

A message goes on where its JSON Pointer stops: `/name` "is required". Nothing of the input is
quoted: it may be a secret in the wrong field.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from patchbay.platform.strict_json import compact

UNKNOWN: Final = "is not a known field"
REQUIRED: Final = "is required"
A_STRING: Final = "must be a string"
AN_INTEGER: Final = "must be an integer"
A_NUMBER: Final = "must be a number"
AN_OBJECT: Final = "must be an object"
AN_ARRAY: Final = "must be an array"
A_TIMESTAMP: Final = "must be a timestamp such as 2026-02-17T10:00:00Z"

_MAX_LISTED: Final = 10
_PART: Final = {"Dictionary": "member"}
"""What a collection of pydantic has; others have items."""
_QUOTED: Final = re.compile("'([^']*)'")
_OR: Final = re.compile(", | or ")
"""Between the values that pydantic lists."""
_BRACED: Final = re.compile(r"\{(\w+)\}")

_PYDANTIC_TYPES: Final[Mapping[str, str]] = {
    REQUIRED: "missing",
    UNKNOWN: "extra_forbidden",
    A_STRING: "string_type string_unicode",
    "must match {pattern}": "string_pattern_mismatch",
    "must contain only ASCII characters": "string_not_ascii",
    "must be true or false": "bool_type bool_parsing",
    AN_INTEGER: "int_type int_parsing int_from_float",
    "must be a smaller number": "int_parsing_size",
    A_NUMBER: "float_type float_parsing decimal_type decimal_parsing fraction_type "
    "fraction_parsing complex_type complex_str_parsing",
    "must be a finite number": "finite_number",
    "must be greater than {gt}": "greater_than",
    "must be at least {ge}": "greater_than_equal",
    "must be less than {lt}": "less_than",
    "must be at most {le}": "less_than_equal",
    "must be a multiple of {multiple_of}": "multiple_of",
    "must have at most {max_digits} digits": "decimal_max_digits",
    "must have at most {decimal_places} decimals": "decimal_max_places",
    "must have at most {whole_digits} whole digits": "decimal_whole_digits",
    "must be null": "none_required",
    AN_OBJECT: "model_type model_attributes_type dataclass_type dict_type frozen_dict_type "
    "ordered_dict_type counter_type mapping_type named_tuple_type arguments_type",
    AN_ARRAY: "list_type tuple_type set_type frozen_set_type deque_type iterable_type",
    A_TIMESTAMP: "datetime_type datetime_parsing datetime_from_date_parsing "
    "datetime_object_invalid",
    "must have a UTC offset, such as Z": "timezone_aware",
    "must not have a UTC offset": "timezone_naive",
    "must have another UTC offset": "timezone_offset",
    "must be in the past": "datetime_past date_past",
    "must be in the future": "datetime_future date_future",
    "must be a date such as 2026-02-17": "date_type date_parsing date_from_datetime_parsing "
    "date_from_datetime_inexact",
    "must be a time such as 10:00:00": "time_type time_parsing",
    "must be a duration": "time_delta_type time_delta_parsing",
    "must be a URL": "url_type url_parsing url_syntax_violation url_scheme",
    "must be a UUID": "uuid_type uuid_parsing uuid_version",
    "must be valid JSON": "json_invalid json_type",
    "must have a known kind": "union_tag_invalid union_tag_not_found",
    # No JSON document causes these.
    "is not valid": "no_such_attribute get_attribute_error needs_python_object recursion_loop "
    "recursion_depth_exceeded frozen_field frozen_instance invalid_key dataclass_exact_type "
    "default_factory_not_called iteration_error set_item_not_hashable bytes_type "
    "bytes_invalid_encoding is_instance_of is_subclass_of callable_type missing_sentinel_error "
    "ellipsis_error missing_argument unexpected_keyword_argument missing_keyword_only_argument "
    "unexpected_positional_argument missing_positional_only_argument multiple_argument_values",
}
"""Our words, and the types of pydantic's errors that they stand for."""

_OF_PYDANTIC: Final = {
    kind: message for message, kinds in _PYDANTIC_TYPES.items() for kind in kinds.split()
}

_JSON_TYPES: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "object": "an object",
    "array": "an array",
    "boolean": "true or false",
    "null": "null",
}
_AT_LEAST: Final = {"minLength": "character", "minItems": "item", "minProperties": "member"}
_AT_MOST: Final = {"maxLength": "character", "maxItems": "item", "maxProperties": "member"}
_OF_SCHEMAS: Final = {
    "minimum": "must be at least {limit}",
    "maximum": "must be at most {limit}",
    "exclusiveMinimum": "must be greater than {limit}",
    "exclusiveMaximum": "must be less than {limit}",
    "multipleOf": "must be a multiple of {multiple_of}",
    "pattern": "must match {pattern}",
    "uniqueItems": "must not have duplicate items",
    "contains": "does not contain the required items",
    "unevaluatedItems": "must not have more items",
    "additionalItems": "must not have more items",
    "propertyNames": "has a member whose name is not valid",
    "falseSchema": "is not allowed",
    "not": "is not allowed",
    "anyOf": "does not match any of the allowed schemas",
    "oneOf": "must match exactly one of the allowed schemas",
    "contentEncoding": "is not encoded as required",
    "contentMediaType": "does not have the required media type",
}


def one_of(values: Sequence[str]) -> str:
    """The message for a value that is none of these; of many, the first ten are listed."""
    if len(values) == 1:
        return f"must be {values[0]}"
    return f"must be one of {listing(values)}"


def listing(values: Sequence[str]) -> str:
    """These values in a message; of many, the first ten."""
    more = f", … ({len(values) - _MAX_LISTED} more)" if len(values) > _MAX_LISTED else ""
    return ", ".join(values[:_MAX_LISTED]) + more


def at_least(number: int, unit: str) -> str:
    """The message for less than a number of `unit`, a singular such as `item`."""
    return f"must have at least {number} {unit if number == 1 else unit + 's'}"


def at_most(number: int, unit: str) -> str:
    """The message for more than a number of `unit`."""
    return f"must have at most {number} {unit if number == 1 else unit + 's'}"


def pydantic_message(found: Mapping[str, Any]) -> str:
    """The message for an error of pydantic, as its `errors()` has it."""
    kind, context = found["type"], found.get("ctx", {})
    match kind:
        case "value_error" | "assertion_error":
            return str(context["error"])
        case "enum" | "literal_error":
            expected: str = context["expected"]
            return one_of(_QUOTED.findall(expected) or _OR.split(expected))
        case "too_short":
            return at_least(context["min_length"], _PART.get(context["field_type"], "item"))
        case "too_long":
            return at_most(context["max_length"], _PART.get(context["field_type"], "item"))
        case "string_too_short":
            return at_least(context["min_length"], "character")
        case "string_too_long" | "url_too_long":
            return at_most(context["max_length"], "character")
        case "bytes_too_short":
            return at_least(context["min_length"], "byte")
        case "bytes_too_long":
            return at_most(context["max_length"], "byte")
        case _ if kind in _OF_PYDANTIC:
            return _filled(_OF_PYDANTIC[kind], context)
        case _:
            own: str = found["msg"]  # a custom error of one of our models
            return own


def schema_message(kind: str, facts: Mapping[str, Any]) -> str:
    """The message for an error of the JSON Schema library: its kind, and what the schema says."""
    match kind:
        case "type":
            names = sorted(facts["types"], key=list(_JSON_TYPES).index)
            return "must be " + " or ".join(_JSON_TYPES[name] for name in names)
        case "enum":
            return one_of([_shown(option) for option in facts["options"]])
        case "const":
            return one_of([_shown(facts["expected_value"])])
        case "format":
            return f"must have the format {facts['format']}"
        case _ if kind in _AT_LEAST:
            return at_least(facts["limit"], _AT_LEAST[kind])
        case _ if kind in _AT_MOST:
            return at_most(facts["limit"], _AT_MOST[kind])
        case _:
            return _filled(_OF_SCHEMAS.get(kind, "is not valid"), facts)


def _filled(template: str, limits: Mapping[str, Any]) -> str:
    return _BRACED.sub(lambda field: _shown(limits[field[1]]), template)


def _shown(value: Any) -> str:
    """A value of a schema as JSON, a text without quotes, and 1.0 as 1."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_json = isinstance(value, int | float | list | dict | None)
    return compact(value).decode() if is_json else str(value)
