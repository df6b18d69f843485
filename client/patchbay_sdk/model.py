"""What answers are made of.

A model keeps the JSON that it was read from. Fields that this version does not know are no
attributes, but they are in `to_dict()`. A repr shows what names a thing and never all of it,
because some answers hold secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from patchbay_sdk.errors import MissingField, UnexpectedAnswer
from patchbay_sdk.messages import Response

Reader = Callable[[Any], Any]
_Model = TypeVar("_Model", bound="Model")
_SHOWN: Final = ("id", "kind", "name", "slug", "label", "version", "status", "code", "message")
_MICROSECOND_DIGITS: Final = 6


class Model:
    """One object of an answer."""

    _fields: ClassVar[frozenset[str]] = frozenset()
    _aliases: ClassVar[Mapping[str, str]] = {}
    """The attribute of each name in JSON that is another one."""
    _optional: ClassVar[tuple[str, ...]] = ()
    """What an answer may leave out: the attribute is None then."""
    _readers: ClassVar[Mapping[str, Reader]] = {}
    """How values that are more than JSON are read, by attribute."""

    def __init_subclass__(cls) -> None:
        cls._fields = frozenset(cls.__annotations__)

    def __init__(self, json: Mapping[str, Any]) -> None:
        if not isinstance(json, Mapping):
            raise UnexpectedAnswer(f"there is no {type(self).__name__} where one should be")
        self._json = json
        self._response: Response | None = None
        attributes = self.__dict__
        attributes.update(dict.fromkeys(self._optional))
        for key, value in json.items():
            name = self._aliases.get(key, key)
            if name in self._fields:
                reader = self._readers.get(name)
                attributes[name] = (
                    value if reader is None or value is None else self._read(name, reader, value)
                )

    def _read(self, name: str, reader: Reader, value: Any) -> Any:
        try:
            return reader(value)
        except (AttributeError, TypeError, ValueError):
            # Without the value, which may be a secret.
            raise UnexpectedAnswer(
                f"{name} of this {type(self).__name__} is not what the API document says"
            ) from None

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
                raise MissingField(
                    f"this {kind.__name__} has no {name}: does the deployment have another version?"
                )
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


def time(value: str) -> datetime:
    """A time of RFC 3339, aware."""
    text = value[:-1] + "+00:00" if value.endswith(("Z", "z")) else value
    head, dot, rest = text.partition(".")
    if dot:
        # Python 3.10 takes 3 or 6 digits only.
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        exact = digits[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, "0")
        text = f"{head}.{exact}{rest[len(digits) :]}"
    return datetime.fromisoformat(text)


def many(reader: Reader) -> Reader:
    """Each item of a list."""
    return lambda value: [None if item is None else reader(item) for item in value]


def each(reader: Reader) -> Reader:
    """Each value of an object."""
    return lambda value: {
        key: None if item is None else reader(item) for key, item in value.items()
    }


def by(key: str, kinds: Mapping[str, type[_Model]]) -> Callable[[Any], _Model]:
    """One of several, as a constant in it says. One that is new is just a `Model`."""

    def read(value: Any) -> _Model:
        kind: Any = kinds.get(value.get(key), Model)
        made: _Model = kind(value)
        return made

    return read


def either(*kinds: type[_Model]) -> Callable[[Any], _Model]:
    """The one of several that has the most of its fields there."""
    largest_first = sorted(kinds, key=lambda kind: kind.size(), reverse=True)

    def read(value: Any) -> _Model:
        for kind in largest_first:
            if kind.complete(value):
                return kind(value)
        return largest_first[-1](value)

    return read
