"""JSON from strangers, read strictly.

Python's `json` and pydantic's own parser are both more generous than RFC 8259: they take `NaN`,
let the last of two equal names win, and pass on lone surrogates that no store can encode. Bodies
are read here first, so that what is accepted means one thing only.
"""

import codecs
import json
import re
from collections import Counter
from typing import Any, Final

from patchbay.platform.errors import InvalidJson, Problem

MAX_DEPTH: Final = 40
"""Nesting of a whole body; documents inside it have tighter limits of their own."""


# `json.dumps` makes an encoder for each call.
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_CANONICAL: Final = json.JSONEncoder(separators=(",", ":"), sort_keys=True, allow_nan=False)
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.-]{0,31}")


class _Ambiguous(ValueError):
    """What other parsers read differently; the message is for the caller."""


def loads(raw: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises `InvalidJson`, which never quotes the text: it may hold a secret.
    """
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object_of_unique_names,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        if raw.startswith(codecs.BOM_UTF8):
            raise InvalidJson([Problem("", "the text begins with a byte order mark")]) from None
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidJson([Problem("", f"{error.msg} at {place}")]) from None
    except UnicodeDecodeError:
        raise InvalidJson([Problem("", "the text is not UTF-8")]) from None
    except RecursionError:
        raise InvalidJson([Problem("", f"nested deeper than {MAX_DEPTH} levels")]) from None
    except _Ambiguous as error:
        raise InvalidJson([Problem("", str(error))]) from None
    except ValueError:
        raise InvalidJson([Problem("", "a number is too large")]) from None
    if depth(value) > MAX_DEPTH:
        raise InvalidJson([Problem("", f"nested deeper than {MAX_DEPTH} levels")])
    try:
        compact(value)
    except UnicodeEncodeError:
        raise InvalidJson([Problem("", "a string has an unpaired surrogate")]) from None
    except ValueError:
        raise InvalidJson([Problem("", "a number is too large")]) from None
    return value


def compact(value: Any) -> bytes:
    """The shortest JSON text of a value, in UTF-8, names in the order they have."""
    return _COMPACT.encode(value).encode()


def canonical(value: Any) -> bytes:
    """One text for equal values: names sorted. For hashes, never for storage."""
    return _CANONICAL.encode(value).encode()


def meaning(value: Any) -> bytes:
    """One text for what means the same in JSON: names sorted, and `1.0` and `1e0` as `1`.

    JSON Schema (2020-12, section 6.3 of the core) and RFC 8785 know one kind of number. For hashes.
    """
    return canonical(with_whole_numbers(value))


def with_whole_numbers(value: Any) -> Any:
    """The value with an integer for each number that has no fraction, however it is written."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [with_whole_numbers(item) for item in value]
        case dict():
            return {name: with_whole_numbers(item) for name, item in value.items()}
        case _:
            return value


def same(one: Any, other: Any) -> bool:
    """Whether two values are one in JSON: Python takes `1`, `1.0` and `true` for equal."""
    return canonical(one) == canonical(other)


def depth(value: Any) -> int:
    """How many containers deep a value goes: 0 for a scalar, 1 for a flat object."""
    deepest, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        deepest += 1
        level = [
            inner for item in level for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return deepest


def _object_of_unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        # What does not look like a name may be a value, and a secret.
        which = f": {twice}" if _NAME.fullmatch(twice) else ""
        raise _Ambiguous(f"an object has the same name twice{which}")
    return result


def _refuse_constant(name: str) -> None:
    raise _Ambiguous(f"{name} is not a JSON number")
