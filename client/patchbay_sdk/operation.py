"""One operation of the API: how its request is made, and how its answer is read. No I/O."""

from __future__ import annotations

import json
import math
import platform
import re
import uuid
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from patchbay_sdk.errors import InvalidArgument, UnexpectedAnswer, error_of
from patchbay_sdk.messages import Request, Response
from patchbay_sdk.model import Model, Place, Reader, identifier, many, mapping, maybe
from patchbay_sdk.pages import Page
from patchbay_sdk.retries import Retries

VERSION: Final = "0.1.0"
_AGENT: Final = f"patchbay-sdk/{VERSION} python/{platform.python_version()}"
_MOST_IN_LABEL: Final = 63
_NO_ADDRESS: Final = "base_url is an address such as https://patchbay.example.com"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_DOTS: Final = frozenset({".", ".."})
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
KEY_HEADER: Final = "Idempotency-Key"
T = TypeVar("T")


class Omit:
    """The type of `OMIT`: a field that is not sent. None is sent, as null."""

    def __repr__(self) -> str:
        return "OMIT"


OMIT: Final = Omit()


@dataclass(frozen=True)
class Operation(Generic[T]):
    """One operation of the document. `read` makes a value of the body of its answer."""

    method: str
    path: str
    read: Callable[[Response], T]
    is_keyed: bool = False
    """Whether it honors an Idempotency-Key."""


@dataclass(frozen=True)
class ListOperation(Generic[T]):
    """One that answers a list in pages. `read` makes one item of it."""

    path: str
    read: Reader[T]
    items: str = "items"
    next_cursor: str = "next_cursor"

    def page(self, response: Response) -> Page[T]:
        whole = Place(response.trace_id)
        body = mapping(parsed(response), whole)
        items = many(self.read)(body.get(self.items), whole.of(self.items))
        cursor = maybe(identifier)(body.get(self.next_cursor) or None, whole.of(self.next_cursor))
        return Page(items, cursor, response)


@dataclass(frozen=True)
class Settings:
    """Where requests go, and how."""

    base_url: str
    authorization: str | None
    timeout_seconds: float
    retries: Retries

    def __repr__(self) -> str:
        return f"<Settings of {self.base_url}>"

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        media_type: str = "application/json",
        is_keyed: bool = False,
        is_once: bool = False,
        is_deletion: bool = False,
    ) -> Request:
        """A request to a path. `is_once` is for what is never repeated, whatever its method.

        Raises `InvalidArgument`.
        """
        method = method.upper()
        _check_path(path)
        own = {"User-Agent": _AGENT}
        if self.authorization is not None:
            own["Authorization"] = self.authorization
        sent = {**_headers(headers or {}, {name.lower() for name in own}), **own}
        names = {name.lower() for name in sent}
        if content is not None and "content-type" not in names:
            sent["Content-Type"] = media_type
        if is_keyed and KEY_HEADER.lower() not in names:
            sent[KEY_HEADER] = str(uuid.uuid4())
        pairs = [(name, _text(value)) for name, value in (query or {}).items() if value is not None]
        # A PATCH that was done changes the ETag, so its repetition would fail by its own If-Match.
        is_repeatable = not is_once and (
            method in _IDEMPOTENT
            or is_keyed
            or KEY_HEADER.lower() in names
            or (method == "PATCH" and "if-match" not in names)
        )
        return Request(
            method,
            self.base_url + path + (f"?{_encoded(pairs)}" if pairs else ""),
            sent,
            content,
            self.timeout_seconds,
            is_repeatable,
            is_deletion,
        )

    def but(self, timeout: float | None, max_retries: int | None) -> Settings:
        retries = self.retries if max_retries is None else replace(self.retries, most=max_retries)
        seconds = self.timeout_seconds if timeout is None else timeout
        check_patience(seconds, retries.most)
        return replace(self, timeout_seconds=seconds, retries=retries)


def checked_base_url(url: str) -> str:
    """The address without a slash at its end. Raises `InvalidArgument` for one that would carry
    the key in the clear, or is none."""
    try:
        parts = urlsplit(url)
        labels = (parts.hostname or "").removesuffix(".").split(".")
        # Python resolves no other ones.
        is_address = all(0 < len(one) <= _MOST_IN_LABEL for one in labels) and parts.port != 0
    except ValueError:
        raise InvalidArgument(_NO_ADDRESS) from None
    if parts.username is not None or parts.password is not None:
        raise InvalidArgument("base_url may not have a user name or a password")
    # urlsplit drops line ends, and takes a backslash for a part of the host.
    has_more = any(one in "?#\\" or one.isspace() or not one.isprintable() for one in url)
    if not is_address or has_more:
        raise InvalidArgument(_NO_ADDRESS)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise InvalidArgument("base_url must be https, or http on this machine")
    return url.rstrip("/")


def check_patience(timeout: float, max_retries: int) -> None:
    """Raises `InvalidArgument`."""
    if not 0 < timeout < math.inf or max_retries < 0:
        raise InvalidArgument("timeout must be more than 0 s, and max_retries not less than 0")


def authorization(api_key: str | None) -> str | None:
    """The header of a key. Raises `InvalidArgument`, which does not show the key."""
    if api_key is None:
        return None
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise InvalidArgument("api_key is empty, or has characters that no key has")
    return f"Bearer {api_key}"


def filled(path: str, values: Mapping[str, Any], rest: str | None = None) -> str:
    """A path with its values in it. `rest` is the one that may have slashes."""
    for name, value in values.items():
        text = str(value)
        if not text or _DOTS.intersection(text.split("/") if name == rest else (text,)):
            raise InvalidArgument(f"{name} may not be empty or dots: it is a part of the path")
        path = path.replace(f"{{{name}}}", _quoted(text, safe="/" if name == rest else ""))
    return path


def body_of(values: Mapping[str, Any]) -> bytes:
    """The JSON of what is not omitted."""
    sent = {name: value for name, value in values.items() if not isinstance(value, Omit)}
    return json.dumps(sent, default=_plain, separators=(",", ":"), allow_nan=False).encode()


def successful(response: Response) -> Response:
    """Raises `ApiError`."""
    if 200 <= response.status < 300:
        return response
    raise error_of(response)


def parsed(response: Response) -> Any:
    """The JSON of an answer. Raises `UnexpectedAnswer`."""
    try:
        return response.json()
    except ValueError:
        raise UnexpectedAnswer(
            "the answer is not JSON: is it Patchbay that answers?", trace_id=response.trace_id
        ) from None


def model(read: Reader[T]) -> Callable[[Response], T]:
    """Reads the JSON of an answer."""

    def made(response: Response) -> T:
        value = read(parsed(response), Place(response.trace_id))
        if isinstance(value, Model):
            value._response = response
        return value

    return made


def text(response: Response) -> str:
    return response.text


def nothing(response: Response) -> None:
    """For answers without a body."""


def _check_path(path: str) -> None:
    if not path.startswith("/"):
        raise InvalidArgument("a path begins with /")
    # Dots would be resolved on the way, and lead to another operation than the one that is meant.
    if _DOTS.intersection(path.partition("?")[0].split("/")) or not path.isprintable():
        raise InvalidArgument("a path may not have dots as a part, or characters without a shape")


def _quoted(text: str, safe: str) -> str:
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        # As Python reads an argument of a program that is not UTF-8.
        raise InvalidArgument("a part of the path has half a character") from None


def _encoded(pairs: list[tuple[str, str]]) -> str:
    try:
        return urlencode(pairs, quote_via=quote)
    except UnicodeEncodeError:
        raise InvalidArgument("a value of the query has half a character") from None


def _headers(given: Mapping[str, Any], own: Container[str]) -> dict[str, str]:
    """What is given, but for what the client sends itself, which must not be there twice."""
    headers = {name: _text(value) for name, value in given.items() if value is not None}
    for name, text in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not text.isascii() or not text.isprintable():
            raise InvalidArgument(f"the header {name!r} has characters that no header has")
    return {name: text for name, text in headers.items() if name.lower() not in own}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(_plain(value)) if isinstance(value, datetime) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidArgument("a time needs its time zone: datetime.now(timezone.utc)")
        return value.isoformat()
    if isinstance(value, Model):
        return value.to_dict()
    raise TypeError(f"a {type(value).__name__} can't be sent as JSON")
