"""The body of a request: how a manifest writes it, and its bytes. Pure.

```json
{"json": {"filter": {"region": "{{variables.region}}", "limit": 1}}}
{"form": {"token": "{{secrets.token}}", "limit": "1"}}
{"graphql": {"query": "query ($id: ID!) { shop(id: $id) { name } }",
             "variables": {"id": "{{variables.shop_id}}"}}}
{"xml": "<ping key=\"{{secrets.key}}\"/>"}
{"text": "ping", "contentType": "text/plain"}
```

A value is encoded for the place it lands in. In JSON it becomes part of a string; a placeholder
that is a whole string keeps its own type (`"{{variables.limit}}"` of an integer is a number). In a
form it is percent-encoded, in XML its markup is escaped. In the text of a GraphQL query there are
no placeholders: values go into its variables. A query is never a mutation or a subscription.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote_plus

from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    ANY,
    Parts,
    Placeholder,
    TemplateError,
    ValueRefused,
    Values,
    placeholders_of,
    require_room,
    split_template,
)
from patchbay.egress.headers import value_problem
from patchbay.platform.xml_text import escaped

MAX_BODY: Final = 16 * 1024
"""Bytes of a body, before and after its values are filled in."""

MAX_QUERY: Final = 4000
"""Characters of the text of a GraphQL query."""

type BodyForm = Literal["json", "form", "graphql", "xml", "text"]
type Tree = Template | int | float | bool | list[Tree] | dict[str, Tree] | None
"""A JSON value whose strings are templates."""


@dataclass(frozen=True, slots=True)
class Template:
    """A string with its placeholders."""

    parts: Parts


_FORMS: Final[Mapping[BodyForm, str]] = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "graphql": "application/json",
    "xml": "text/xml; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}
_TYPED: Final = frozenset({"json", "graphql"})
_GRAPHQL_KEYS: Final = frozenset({"query", "variables", "operationName"})
_COMMENT_OR_STRING: Final = re.compile(
    r'#[^\n]*|"""(?:[^\\]|\\.)*?"""|"(?:[^"\\\n]|\\.)*"', re.DOTALL
)
_PLACEHOLDER: Final = re.compile(r"\{\{\s*(?:variables|secrets)\.")
_OPERATION: Final = re.compile(r"[A-Za-z_]\w*|[{}]")
_XML_ASIDE: Final = re.compile(r"<!--.*?-->|<\?.*?\?>", re.DOTALL)
"""A comment or a processing instruction, in which nothing can be escaped."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class BodyTemplate:
    """A body before its values are filled in; `content` as its form has it."""

    form: BodyForm
    content: Tree
    content_type: str

    def placeholders(self) -> Iterator[Placeholder]:
        return _placeholders(self.content)

    def fill(self, values: Values) -> bytes:
        """Raises ValueRefused."""
        require_room(self.placeholders(), values, MAX_BODY)
        for placeholder in self.placeholders():
            if _SURROGATE.search(values.text(placeholder)):
                raise ValueRefused(placeholder.pointer, "is not valid Unicode text")
        match self.form, _filled(self.content, values, self.form):
            case "form", dict() as fields:
                body = "&".join(f"{quote_plus(k)}={quote_plus(v)}" for k, v in fields.items())
            case (("xml" | "text"), text):
                body = str(text)
            case _, document:
                body = json.dumps(document, ensure_ascii=False)
        data = body.encode("utf-8", "replace")
        if len(data) > MAX_BODY:
            first = next(self.placeholders(), None)
            raise ValueRefused(first.pointer if first else "/variables", "is too long for a body")
        return data


def read_body(reader: StepReader, at: str, spec: object) -> BodyTemplate | None:
    """The body of a step's request; None with problems if it has any."""
    before = len(reader.problems)
    members = reader.members(at, spec, frozenset({*_FORMS, "contentType"}))
    if members is None:
        return None
    forms = [form for form in _FORMS if form in members]
    if len(forms) != 1:
        reader.report(at, f"must have one of {', '.join(_FORMS)}")
        return None
    [form] = forms
    content = reader.attempt(f"{at}/{form}", lambda: _read(reader, form, members[form]))
    content_type = members.get("contentType", _FORMS[form])
    problem = value_problem(content_type) if isinstance(content_type, str) else "must be a string"
    if problem:
        reader.report(f"{at}/contentType", problem)
    if len(json.dumps(members)) > MAX_BODY:
        reader.report(at, f"is longer than {MAX_BODY} bytes")
    if len(reader.problems) > before or content is None:
        return None
    return BodyTemplate(form, content.tree, str(content_type))


def read_fields(
    reader: StepReader, at: str, spec: object, form: Literal["json", "form"]
) -> dict[str, Tree]:
    """The members of a body; with the form `form` each is a string. Problems are reported."""
    members = reader.members(at, spec)
    if members is None:
        return {}
    content = reader.attempt(at, lambda: _read(reader, form, members))
    return content.tree if content and isinstance(content.tree, dict) else {}


@dataclass(frozen=True, slots=True)
class _Content:
    """A content that was read: it may be `null` itself."""

    tree: Tree


def _read(reader: StepReader, form: BodyForm, content: object) -> _Content:
    match form:
        case "json":
            return _Content(_tree(reader, content))
        case "form":
            if not isinstance(content, dict) or not all(map(_is_string, content.values())):
                raise TemplateError("must be an object of strings")
            return _Content(_tree(reader, content))
        case "graphql":
            return _Content(_read_graphql(reader, content))
    if not isinstance(content, str) or not content:
        raise TemplateError("must be a string")
    parts = split_template(content, reader.declared)
    if form == "xml":
        _require_xml(parts)
    return _Content(Template(parts))


def _read_graphql(reader: StepReader, content: object) -> Tree:
    if not isinstance(content, dict) or content.keys() - _GRAPHQL_KEYS:
        raise TemplateError(f"must be an object of {', '.join(sorted(_GRAPHQL_KEYS))}")
    query = content.get("query")
    if not isinstance(query, str) or not 0 < len(query) <= MAX_QUERY:
        raise TemplateError(f"must have a query, a string of at most {MAX_QUERY} characters")
    if "{{variables." in query or "{{secrets." in query:
        raise TemplateError("has a placeholder in its query: values go into its variables")
    if not isinstance(content.get("variables", {}), dict):
        raise TemplateError("must have variables that are an object")
    _require_query(query)
    rest = {name: value for name, value in content.items() if name != "query"}
    return {
        "query": Template((query,)),
        **{name: _tree(reader, value) for name, value in rest.items()},
    }


def _require_query(text: str) -> None:
    """Raises TemplateError unless every operation of a GraphQL document is a query."""
    depth = 0
    for word in _OPERATION.findall(_COMMENT_OR_STRING.sub(" ", text)):
        if word == "{":
            depth += 1
        elif word == "}":
            depth -= 1
            if depth < 0:
                break
        elif depth == 0 and word in {"mutation", "subscription"}:
            raise TemplateError(f"must be a query: a {word} changes or keeps something")
    if depth:
        raise TemplateError("has a brace without its counterpart in its query")


def _require_xml(parts: Parts) -> None:
    """Raises TemplateError unless the author's part is well-formed, without a document type."""
    from xml.etree.ElementTree import ParseError, fromstring

    sample = "".join(part if isinstance(part, str) else "x" for part in parts)
    text = "".join(part if isinstance(part, str) else "{{variables.x}}" for part in parts)
    if any(_PLACEHOLDER.search(aside) for aside in _XML_ASIDE.findall(text)):
        raise TemplateError("has a placeholder in a comment or a processing instruction")
    if "<!" in sample.replace("<!--", ""):
        raise TemplateError("has a document type or a CDATA section, which are not allowed")
    try:
        fromstring(sample)  # noqa: S314 - the author's text, and no document type is in it
    except ParseError as error:
        raise TemplateError("is not well-formed XML") from error


def _tree(reader: StepReader, value: object) -> Tree:
    """A JSON value with its strings read as templates. Raises TemplateError."""
    match value:
        case str():
            return Template(split_template(value, reader.declared, types=ANY))
        case dict():
            if any(_PLACEHOLDER.search(str(name)) for name in value):
                raise TemplateError("has a placeholder in a name: only values may have one")
            return {str(name): _tree(reader, inner) for name, inner in value.items()}
        case list():
            return [_tree(reader, inner) for inner in value]
        case None | bool() | int() | float():
            return value
    raise TemplateError("must be a JSON value")


def _placeholders(tree: Tree) -> Iterator[Placeholder]:
    match tree:
        case Template(parts):
            yield from placeholders_of(parts)
        case dict():
            for inner in tree.values():
                yield from _placeholders(inner)
        case list():
            for inner in tree:
                yield from _placeholders(inner)


def _filled(tree: Tree, values: Values, form: BodyForm) -> object:
    """The value with its templates filled in. Raises ValueRefused."""
    match tree:
        case Template((Placeholder(source="variables", name=name) as whole,)) if form in _TYPED:
            # Of its own type, unless it is missing or no scalar: then `text` says so.
            text = values.text(whole)
            value = values.variables.get(name)
            return text if isinstance(value, str) else value
        case Template(parts):
            return "".join(_part(part, values, form) for part in parts)
        case dict():
            return {name: _filled(inner, values, form) for name, inner in tree.items()}
        case list():
            return [_filled(inner, values, form) for inner in tree]
    return tree


def _part(part: str | Placeholder, values: Values, form: BodyForm) -> str:
    if isinstance(part, str):
        return part
    value = values.text(part)
    if form != "xml":
        return value
    if _NOT_XML.search(value):
        raise ValueRefused(part.pointer, "has characters that XML can't carry")
    return escaped(value)


def _is_string(value: object) -> bool:
    return isinstance(value, str)
