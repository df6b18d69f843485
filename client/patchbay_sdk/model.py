"""What answers are made of.

A model keeps the JSON that it was read from. Fields that this version does not know are no
attributes, but they are in `to_dict()`. A repr shows what names a thing and never all of it,
because some answers hold secrets.

A reader makes a value of JSON, or raises `UnexpectedAnswer` with the place of what it can't read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from patchbay_sdk.errors import MissingField, UnexpectedAnswer
from patchbay_sdk.messages import Response

_SHOWN: Final = ("id", "kind", "name", "slug", "label", "version", "status", "code", "message")
_MICROSECOND_DIGITS: Final = 6
_MOST: Final = 2**63
"""Of a count or a duration. One of thousands of digits can't even be divided."""
_T = TypeVar("_T")
_Model = TypeVar("_Model", bound="Model")


class Place:
    """Where in an answer a value is."""

    __slots__ = ("_key", "_outer", "trace_id")

    def __init__(
        self, trace_id: str | None = None, outer: Place | None = None, key: str | int = ""
    ) -> None:
        self.trace_id = trace_id
        self._outer = outer
        self._key = key

    def of(self, key: str | int) -> Place:
        """The place of what is in this one."""
        return Place(self.trace_id, self, key)

    @property
    def pointer(self) -> str:
        """As a JSON Pointer."""
        if self._outer is None:
            return ""
        return f"{self._outer.pointer}/{str(self._key).replace('~', '~0').replace('/', '~1')}"

    def is_not(self, wanted: str) -> UnexpectedAnswer:
        """The error about a value that is something else than what is wanted."""
        where = self.pointer
        message = (
            f"the answer is not what the API document says: {where} is not {wanted}"
            if where
            else f"the answer is not {wanted}: is it Patchbay that answers?"
        )
        return UnexpectedAnswer(message, pointer=where, trace_id=self.trace_id)

    def is_missing(self) -> MissingField:
        """The error about a field that is not there."""
        where = self.pointer
        return MissingField(
            f"the answer has no {where}: does the deployment have another version?",
            pointer=where,
            trace_id=self.trace_id,
        )


Reader = Callable[[Any, Place], _T]


class Model:
    """One object of an answer."""

    _fields: ClassVar[frozenset[str]] = frozenset()
    _aliases: ClassVar[Mapping[str, str]] = {}
    """The attribute of each name in JSON that is another one."""
    _optional: ClassVar[tuple[str, ...]] = ()
    """What an answer may leave out: the attribute is None then."""
    _readers: ClassVar[Mapping[str, Reader[Any]]] = {}
    """How values are read, by attribute. One without a reader may be anything."""

    def __init_subclass__(cls) -> None:
        cls._fields = frozenset(cls.__annotations__)

    def __init__(self, json: Mapping[str, Any], place: Place | None = None) -> None:
        self._place = place or Place()
        self._json = mapping(json, self._place)
        self._response: Response | None = None
        attributes = self.__dict__
        attributes.update(dict.fromkeys(self._optional))
        for key, value in json.items():
            name = self._aliases.get(key, key)
            if name in self._fields:
                reader = self._readers.get(name)
                attributes[name] = value if reader is None else reader(value, self._place.of(key))

    def to_dict(self) -> dict[str, Any]:
        """The JSON of it, as it was read: all fields, and secrets if it has any."""
        return dict(self._json)

    @property
    def last_response(self) -> Response | None:
        """The answer that it came with; None for a part of one."""
        return self._response

    @property
    def etag(self) -> str | None:
        """The revision that was read, for `if_match`; None for what has none."""
        return self._response.etag if self._response else None

    @classmethod
    def complete(cls, json: Mapping[str, Any]) -> bool:
        """Whether this has all that an object of the class has."""
        names = {cls._aliases.get(key, key) for key in json}
        return cls._fields - set(cls._optional) <= names

    @classmethod
    def size(cls) -> int:
        """How many fields it always has."""
        return len(cls._fields) - len(cls._optional)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            kind = type(self)
            if name in kind._fields:
                in_json = {attribute: key for key, attribute in kind._aliases.items()}
                raise self._place.of(in_json.get(name, name)).is_missing()
            raise AttributeError(f"{kind.__name__} has no {name}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._json == getattr(other, "_json", None)

    __hash__ = None  # type: ignore[assignment]  # what it was read from can change

    def __repr__(self) -> str:
        shown = "".join(
            f" {name}={self.__dict__[name]!r}"
            for name in _SHOWN
            if isinstance(self.__dict__.get(name), (str, int))
        )
        return f"<{type(self).__name__}{shown}>"


def checked_json(model: Model) -> dict[str, Any]:
    """The JSON of a model. A key that it lacks, or an object within it, is a `MissingField`."""
    found: dict[str, Any] = _checked(model._json, model._place)
    return found


class _Checked(dict[str, Any]):
    def __init__(self, value: Mapping[str, Any], place: Place) -> None:
        super().__init__({key: _checked(item, place.of(key)) for key, item in value.items()})
        self._place = place

    def __missing__(self, key: str) -> Any:
        raise self._place.of(key).is_missing()


def _checked(value: Any, place: Place) -> Any:
    if isinstance(value, Mapping):
        return _Checked(value, place)
    if isinstance(value, list):
        return [_checked(item, place.of(index)) for index, item in enumerate(value)]
    return value


def anything(value: Any, place: Place) -> Any:  # noqa: ARG001 - a reader is given it
    """Whatever JSON has."""
    return value


def mapping(value: Any, place: Place) -> dict[str, Any]:
    """An object as it is."""
    if not isinstance(value, Mapping):
        raise place.is_not("an object")
    return dict(value)


def string(value: Any, place: Place) -> str:
    if not isinstance(value, str):
        raise place.is_not("a string")
    return value


def identifier(value: Any, place: Place) -> str:
    """A string that can be sent back, as a part of a path or of a query."""
    found = string(value, place)
    try:
        is_whole = found.isascii() or bool(found.encode())
    except UnicodeEncodeError:
        # JSON can have half a character.
        is_whole = False
    if not found or not is_whole:
        raise place.is_not("a string of one or more characters")
    return found


def integer(value: Any, place: Place) -> int:
    """A whole number, which something on the way may have written as 5.0."""
    found = number(value, place)
    if found != int(found):
        raise place.is_not("a whole number")
    return int(found)


def number(value: Any, place: Place) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_MOST < value < _MOST:
        raise place.is_not("a number")
    return value


def boolean(value: Any, place: Place) -> bool:
    if not isinstance(value, bool):
        raise place.is_not("true or false")
    return value


def time(value: Any, place: Place) -> datetime:
    """A time of RFC 3339, aware."""
    text = string(value, place)
    text = text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text
    head, dot, rest = text.partition(".")
    if dot:
        # Python 3.10 takes 3 or 6 digits only.
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        exact = digits[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")
        text = f"{head}.{exact}{rest[len(digits) :]}"
    try:
        found = datetime.fromisoformat(text)
        # Those of the first and the last day may have none in UTC.
        is_time = found.tzinfo is not None and found.astimezone(timezone.utc) is not None
    except (ValueError, OverflowError):
        is_time = False
    if not is_time:
        raise place.is_not("a time")
    return found


def maybe(reader: Reader[_T]) -> Reader[_T | None]:
    """A value, or null."""
    return lambda value, place: None if value is None else reader(value, place)


def many(reader: Reader[_T]) -> Reader[list[_T]]:
    """Each item of a list."""

    def read(value: Any, place: Place) -> list[_T]:
        if not isinstance(value, list):
            raise place.is_not("a list")
        return [reader(item, place.of(index)) for index, item in enumerate(value)]

    return read


def each(reader: Reader[_T]) -> Reader[dict[str, _T]]:
    """Each value of an object."""

    def read(value: Any, place: Place) -> dict[str, _T]:
        items = mapping(value, place).items()
        return {key: reader(item, place.of(key)) for key, item in items}

    return read


def by(key: str, kinds: Mapping[str, type[_Model]]) -> Reader[_Model]:
    """One of several, as a constant in it says. One that is new is just a `Model`."""

    def read(value: Any, place: Place) -> _Model:
        chosen = string(mapping(value, place).get(key), place.of(key))
        kind: Any = kinds.get(chosen, Model)
        made: _Model = kind(value, place)
        return made

    return read


def either(*kinds: type[_Model]) -> Reader[_Model]:
    """The one of several that has the most of its fields there."""
    largest_first = sorted(kinds, key=lambda kind: kind.size(), reverse=True)

    def read(value: Any, place: Place) -> _Model:
        body = mapping(value, place)
        chosen = next((kind for kind in largest_first if kind.complete(body)), largest_first[-1])
        return chosen(body, place)

    return read
