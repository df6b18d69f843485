"""Reads an error from the headers of an answer and from a body of JSON, XML, HTML, a form, or plain
text. Pure.

Providers put their errors in a few places: at the top, below `error`, `errors`, `details`,
`extensions`, `fault`, and similar keys, and in lists of these, at any depth. There, `code`,
`reason`, `type`, and similar keys have the *name* of the error, and `message` and similar keys have
a *sentence*. Other places are the provider's data and are ignored.

A server may be hostile, so the cost is bounded: `MAX_CONTENT` characters, `MAX_PLACES` places, and
`MAX_SENTENCES` sentences of a limited length. A body that is cut off is read as far as it goes.
"""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final
from urllib.parse import parse_qsl

from patchbay.checks.codes import Code
from patchbay.checks.refusal_words import STATUSES
from patchbay.checks.web_pages import is_html
from patchbay.checks.word_meanings import (
    code_of_word,
    codes_of_number,
    codes_of_numbered_sentence,
    codes_of_sentence,
    firm_codes,
    hints_of_sentence,
)
from patchbay.egress.content import MAX_CONTENT

MAX_PLACES: Final = 200
MAX_SENTENCES: Final = 20
_MAX_SENTENCE: Final = 500
_MAX_DEPTH: Final = 32
_MAX_SCOPES: Final = 50

# All by letters and digits alone: `error_code`, `errorCode`, and `ErrorCode` are one key.
_ERRORS: Final = frozenset(
    {
        *("error", "errors", "fault", "faults", "exception", "exceptions", "innererror"),
        *("odataerror", "errordetail", "errordetails", "oerrordetails", "errorinfo"),
        *("apierrors", "errorresponse", "rootcause", "originalerror", "errorchain"),
    }
)
_PARTS_OF_ERRORS: Final = _ERRORS | {
    *("details", "detail", "extensions", "cause", "causes", "problems", "reason", "message"),
    # https://www.jsonrpc.org/specification#error_object
    "data",
}
_ENVELOPES: Final = frozenset(
    {
        *("meta", "status", "response", "result", "responsestatus", "header", "http"),
        *("parameters", "context"),
    }
)
_NAMES: Final = frozenset(
    {
        *("error", "errors", "code", "type", "status", "reason", "category", "errorcode"),
        *("errortype", "errorkey", "errorname", "oerrorcode", "statuscode", "httpstatus"),
        *("subcode", "errorsubcode", "faultcode", "exceptioncode", "exceptiontype", "exception"),
        *("err", "errcode", "errno", "errorcategory", "tag", "documentationurl", "retcode"),
        "oauthproblem",
    }
)
_NAMES_OF_ERRORS: Final = _NAMES | {"name", "title", "message", "detail", "value", "key"}
_SENTENCES: Final = frozenset(
    {
        *("message", "errormessage", "errordescription", "description", "detail", "details"),
        *("title", "msg", "errormsg", "errmsg", "reason", "error", "errors", "faultstring"),
        *("statusmessage", "messages", "errormessages", "usermessage", "developermessage"),
        *("errorsummary", "text", "value", "data", "retmsg", "summary"),
        *("oauthproblem", "oauthproblemadvice"),
    }
)
_SCOPES: Final = frozenset(
    {
        *("needed", "scope", "scopes", "requiredscope", "requiredscopes", "missingscope"),
        *("missingscopes", "requiredgranularscopes"),
    }
)
_WAITS: Final = frozenset(
    {"retryafter", "retryafterseconds", "retryinseconds", "retrydelay", "secondsuntilretry"}
)
_TRUE_IF_GOOD: Final = ("ok", "success", "succeeded", "successful")
_TRUE_IF_BAD: Final = ("error", "iserror", "haserror", "haserrors")
_ZERO_IF_GOOD: Final = ("errcode", "errno", "errorcode", "retcode", "code", "error")
_TEXTS_OF_ERRORS: Final = frozenset({"errmsg", "errormessage", "message", "msg", "retmsg"})
_BAD_STATUSES: Final = ("error", "fail", "failed", "failure")
_PARTS_OF_KEYS: Final = re.compile(r"[^a-z0-9]+")
_NAME: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?")
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(?:s|sec|seconds?)?", re.I)
_WAIT_IN_SENTENCE: Final = re.compile(
    r"(?:again|retry|available) (?:after|in) (\d{1,6}(?:\.\d{1,6})?) ?(ms|s|seconds?|m|minutes?)\b"
)
_SECONDS: Final = {"ms": 0.001, "m": 60.0, "minute": 60.0, "minutes": 60.0}

_NAME_IN_HEADER: Final = re.compile(r";|:http")
_NAMED_IN: Final = (
    "x-amzn-errortype",
    "x-ms-error-code",
    "x-mashery-error-code",
    "ratelimit-reason",
    "x-authentication-denied-reason",
    "x-seraph-loginreason",
)
"""Headers that have the name of an error: of AWS, Azure, Mashery, and Jira."""

# Google and Facebook put these before JSON so that no script can load it.
_GUARD: Final = re.compile(r"\s*(?:\)\]\}'?,?|for ?\(;;\);|while ?\(1\);)\s*")
_PAIR: Final = re.compile(
    r"([A-Za-z][A-Za-z_-]{0,40})\s*=\s*(?:\"((?:[^\"\\]|\\.){0,1000})\"|([^\s\",]{1,200}))"
)
# Possessive, so that no body makes it try again.
_ELEMENT: Final = re.compile(
    r"<(?:[\w.-]{1,40}:)?([A-Za-z][\w.-]{0,40})(?:\s[^<>]{0,300}+)?>\s*+(?:<!\[CDATA\[)?+"
    r"([^<>]{1,500}+)>?+\s*+</"
)
_ATTRIBUTES: Final = re.compile(
    r"<(?:[\w.-]{1,40}:)?(?:error|err|fault|status)\s([^<>]{1,500})>", re.I
)
_XML_RPC_FAULT: Final = re.compile(
    r"<name>\s{0,9}faultString\s{0,9}</name>\s{0,99}<value>\s{0,99}(?:<string>)?([^<>]{1,500})"
)
_HEADING: Final = re.compile(r"<(?:title|h[1-4])\b[^<>]{0,200}>([^<>]{1,300})<", re.I)
# Apache has the reason behind its text (`ap_get_status_line`, server/protocol.c).
_REASON: Final = re.compile(r"\bReason: ([^<>]{1,200})<")
# A string that is cut off is one to the end.
_JSON_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.S)


@dataclass(slots=True)
class ErrorContent:
    """The codes of an error by their source: `numbered` are from numbers with one meaning, `names`
    from names, `sentences` from sentences, `statuses` from an HTTP status in the body, and `hints`
    from the description of an OAuth error. `firm` are those that count with any status.

    `scopes` are those that the error asks for. `is_fault`: it is a SOAP fault, which is always sent
    with status 500.
    """

    numbered: set[Code] = field(default_factory=set)
    names: set[Code] = field(default_factory=set)
    sentences: set[Code] = field(default_factory=set)
    hints: set[Code] = field(default_factory=set)
    statuses: set[Code] = field(default_factory=set)
    scopes: set[str] = field(default_factory=set)
    wait_seconds: float | None = None
    is_fault: bool = False
    firm: set[Code] = field(default_factory=set)
    _kept: int = 0

    def add_place(self, place: Mapping[str, object], *, is_error: bool) -> None:
        """Adds one object. Without `is_error` it may be the provider's data."""
        keys = {_squeezed(key): value for key, value in place.items()}
        marks = frozenset(place) | {
            f"{key}={value}" for key, value in place.items() if isinstance(value, str)
        }
        is_error = is_error or _says_no(keys)
        for key in (_NAMES_OF_ERRORS if is_error else _NAMES) & keys.keys():
            self._add_name(keys[key], marks)
        if is_error:
            for key in _SENTENCES & keys.keys():
                self._add_sentences(keys[key])
            description = keys.get("errordescription")
            if isinstance(description, str):
                self.hints |= set(hints_of_sentence(description[:_MAX_SENTENCE]))
        for key in _SCOPES & keys.keys():
            self._add_scopes(keys[key])
        for key in _WAITS & keys.keys():
            self._add_wait(keys[key])

    def add_text(self, text: str) -> None:
        """Adds a plain-text body or a title, which is a name or a sentence."""
        self._add_name(text.strip(), frozenset())
        self._add_sentences(text)

    def _add_name(self, value: object, marks: frozenset[str]) -> None:
        if isinstance(value, list):
            for item in value[:MAX_SENTENCES]:
                if not isinstance(item, list):
                    self._add_name(item, marks)
        elif isinstance(value, int) and not isinstance(value, bool):
            self._add_number(value, marks)
        elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
            self._add_number(int(value), marks)
        elif isinstance(value, str) and _NAME.fullmatch(value):
            self.firm |= set(firm_codes(value))
            code = code_of_word(value)
            if code:
                self.names.add(code)

    def _add_number(self, number: int, marks: frozenset[str]) -> None:
        if number in STATUSES:
            self.statuses.add(STATUSES[number])
        self.names |= set(codes_of_number(number, marks))

    def _add_sentences(self, value: object) -> None:
        for sentence in value if isinstance(value, list) else [value]:
            if not isinstance(sentence, str) or self._kept >= MAX_SENTENCES:
                continue
            self._kept += 1
            sentence = " ".join(sentence[:_MAX_SENTENCE].split())
            self.numbered |= set(codes_of_numbered_sentence(sentence))
            self.sentences |= set(codes_of_sentence(sentence))
            self.firm |= set(firm_codes(sentence))
            wait = _WAIT_IN_SENTENCE.search(sentence.lower())
            if wait and self.wait_seconds is None:
                self.wait_seconds = float(wait[1]) * _SECONDS.get(wait[2], 1.0)

    def _add_scopes(self, value: object) -> None:
        for item in value[:_MAX_SCOPES] if isinstance(value, list) else [value]:
            if isinstance(item, str):
                self.scopes.update(re.split(r"[\s,]+", item[:1000])[:_MAX_SCOPES])

    def _add_wait(self, value: object) -> None:
        match = _DURATION.fullmatch(str(value))
        if match and not isinstance(value, bool):
            self.wait_seconds = float(match[1])


def read_error(headers: Mapping[str, str], text: str, *, is_error: bool) -> ErrorContent:
    """Reads the error of an answer. `headers` are by lower-case name. `is_error`: the status is
    one; otherwise only what is clearly an error counts."""
    result = ErrorContent()
    for pairs in _challenges(headers):
        result.add_place(pairs, is_error=True)
    for name in _NAMED_IN:
        if name in headers:
            result.add_place({"code": _NAME_IN_HEADER.split(headers[name][:200])[0]}, is_error=True)
    _add_body(
        result, headers.get("content-type", "").lower(), text[:MAX_CONTENT], is_error=is_error
    )
    return result


def _challenges(headers: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """The parameters of every challenge in `WWW-Authenticate` (RFC 9110 §11.6.1), one at a time. A
    server with several schemes puts the error into one of them."""
    for name, quoted, bare in _PAIR.findall(headers.get("www-authenticate", "")[:8192]):
        if name.lower() in {"error", "error_description", "scope"}:
            yield {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or bare}


def _add_body(result: ErrorContent, content_type: str, text: str, *, is_error: bool) -> None:
    text = text.removeprefix("\ufeff")
    start = text.lstrip()[:1]
    if start and (start in "{[)" or _GUARD.match(text)):
        for place, is_place_of_error in _places(_json(text), is_error=is_error):
            result.add_place(place, is_error=is_place_of_error)
    elif is_html(content_type, text):
        if is_error:
            for heading in (*_HEADING.findall(text)[:5], *_REASON.findall(text)[:1]):
                result.add_text(heading)
    elif start == "<":
        _add_xml(result, text, is_error=is_error)
    elif "x-www-form-urlencoded" in content_type or re.match(
        r"(?:error|oauth_problem)(?:_\w+)?=\S", text
    ):
        pairs = parse_qsl(text[:4096]) if text.count("&") < 50 else []
        result.add_place(dict(pairs), is_error=is_error)
    elif is_error and start:
        result.add_text(_string(text))


def _add_xml(result: ErrorContent, text: str, *, is_error: bool) -> None:
    """Adds the elements and attributes with the keys of errors. This is no XML parser, because
    entities are unwanted and the body may be cut off."""
    result.is_fault = re.search(r"<(?:[\w.-]{1,40}:)?Fault\b", text) is not None
    is_error = is_error or result.is_fault
    for fault in _XML_RPC_FAULT.findall(text)[:5]:
        result.add_place({"faultstring": fault}, is_error=True)
    elements: dict[str, list[object]] = {}
    for name, value in islice(_ELEMENT.findall(text), 10 * MAX_PLACES):
        values = elements.setdefault(name, [])
        if len(values) < MAX_SENTENCES and _squeezed(name) in _NAMES_OF_ERRORS | _SENTENCES:
            values.append(value.strip().removesuffix("]]"))
    result.add_place(elements, is_error=is_error)
    for attributes in _ATTRIBUTES.findall(text)[:20]:
        pairs = {name: quoted or bare for name, quoted, bare in _PAIR.findall(attributes)}
        result.add_place(pairs, is_error=is_error)


def _json(text: str) -> object:
    """The first JSON value of a text, or the complete part of one that is cut off."""
    guard = _GUARD.match(text)
    text = text[guard.end() if guard else 0 :].lstrip()
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except RecursionError:
        return None
    except ValueError:
        pass
    try:
        return json.loads(_completed(text))
    except (ValueError, RecursionError):
        return None


def _completed(text: str) -> str:
    """The beginning of a JSON text up to its last complete member, with its brackets closed."""
    closers: list[str] = []
    whole = 0
    for match in _JSON_TOKEN.finditer(text):
        match match[0]:
            case "{" | "[" as bracket:
                closers.append("}" if bracket == "{" else "]")
                whole = match.end()
            case "}" | "]" if closers:
                closers.pop()
                whole = match.end()
            case ",":
                whole = match.start()
        if len(closers) > _MAX_DEPTH:
            break
    return text[:whole] + "".join(reversed(closers))


def _places(document: object, *, is_error: bool) -> Iterator[tuple[Mapping[str, object], bool]]:
    """The objects in which errors have their names, nearest first, and whether each is clearly an
    error."""
    found = 0
    queue: deque[tuple[object, bool]] = deque([(document, is_error)])
    while queue and found < MAX_PLACES:
        value, is_of_error = queue.popleft()
        found += 1
        if isinstance(value, list):
            queue.extend((item, is_of_error) for item in value[:MAX_PLACES])
        elif isinstance(value, str) and is_of_error:
            yield {"error": value}, True
        elif isinstance(value, dict):
            yield value, is_of_error
            for key, below in value.items():
                if not isinstance(below, dict | list):
                    continue
                squeezed = _squeezed(key)
                if squeezed == "errors" and isinstance(below, dict):
                    yield {"messages": list(_of_fields(below))}, True
                if squeezed in (_PARTS_OF_ERRORS if is_of_error else _ERRORS):
                    queue.append((below, True))
                elif squeezed in _ENVELOPES:
                    queue.append((below, is_of_error))


def _of_fields(errors: Mapping[str, object]) -> Iterator[str]:
    """The sentences of errors by field, as in Rails: `{"token": ["is invalid"]}`."""
    for name, messages in islice(errors.items(), MAX_SENTENCES):
        for message in messages[:3] if isinstance(messages, list) else [messages]:
            if isinstance(message, str):
                yield f"{name.replace('_', ' ')} {message}"


def _says_no(keys: Mapping[str, object]) -> bool:
    """Whether an object is marked as an error, such as by Slack's `"ok": false`, JSend's `"status":
    "fail"`, or WeChat's `"errcode": 40001` beside a text."""
    status = keys.get("status", keys.get("stat"))
    return (
        any(keys.get(key) is False for key in _TRUE_IF_GOOD)
        or any(keys.get(key) is True for key in _TRUE_IF_BAD)
        or (isinstance(status, str) and status.lower() in _BAD_STATUSES)
        or (
            not _TEXTS_OF_ERRORS.isdisjoint(keys)
            and any(_is_number_of_an_error(keys.get(key)) for key in _ZERO_IF_GOOD)
        )
    )


def _is_number_of_an_error(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value not in (0, 200)


def _string(text: str) -> str:
    """The value of a body that is one JSON string; any other body as it is."""
    if not text.lstrip().startswith('"'):
        return text
    try:
        value: str = json.loads(text)
    except ValueError:
        return text
    return value


def _squeezed(key: str) -> str:
    return _PARTS_OF_KEYS.sub("", key[:60].lower())
