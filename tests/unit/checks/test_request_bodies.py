"""Bodies of requests: read from a manifest, filled in, never changed in structure by a value."""

import json
from urllib.parse import parse_qsl
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.checks.request_bodies import MAX_BODY, MAX_QUERY, BodyTemplate, read_body
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Declarations, ValueRefused, Values

DECLARED = Declarations(frozenset({"name", "limit"}), frozenset({"key"}), frozenset())


def read(spec: object) -> tuple[BodyTemplate | None, list[str]]:
    """The body, and what is wrong with it."""
    reader = StepReader({}, "", DECLARED, None)
    body = read_body(reader, "/body", spec)
    return body, [f"{problem.pointer} {problem.message}" for problem in reader.problems]


def filled(spec: object, *, name: object = "a", limit: object = 1, key: str = "k") -> bytes:
    body, problems = read(spec)
    assert body is not None, problems
    return body.fill(Values({"name": name, "limit": limit}, {"key": key}))


GRAPHQL = {
    "query": "query ($n: String) { shop(name: $n) { id } }",
    "variables": {"n": "{{variables.name}}"},
}
BODIES = {
    "JSON": (
        {"json": {"a": ["{{variables.name}}!", {"k": "{{secrets.key}}"}], "n": None, "t": True}},
        b'{"a": ["a!", {"k": "k"}], "n": null, "t": true}',
    ),
    "a number of its own type": ({"json": {"limit": "{{variables.limit}}"}}, b'{"limit": 1}'),
    "a number within a text": ({"json": "limit {{variables.limit}}"}, b'"limit 1"'),
    "null": ({"json": None}, b"null"),
    "a form": (
        {"form": {"a b": "{{variables.name}}&c", "n": "{{variables.limit}}"}},
        b"a+b=a%26c&n=1",
    ),
    "XML": ({"xml": "<a b='{{secrets.key}}'>{{variables.name}}</a>"}, b"<a b='k'>a</a>"),
    "text": ({"text": "ping {{variables.name}}"}, b"ping a"),
    "GraphQL": (
        {"graphql": GRAPHQL},
        b'{"query": "query ($n: String) { shop(name: $n) { id } }", "variables": {"n": "a"}}',
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_written_as_its_form_says(name: str) -> None:
    spec, expected = BODIES[name]

    assert filled(spec) == expected


@given(st.text())
def test_no_value_changes_the_structure_of_json(value: str) -> None:
    body = filled(
        {"json": {"a": "<{{variables.name}}>", "b": 1}},
        name=value.encode("utf-8", "replace").decode(),
    )

    assert json.loads(body) == {"a": f"<{value.encode('utf-8', 'replace').decode()}>", "b": 1}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_value_changes_the_structure_of_a_form(value: str) -> None:
    body = filled({"form": {"a": "{{variables.name}}", "b": "1"}}, name=value).decode()

    assert parse_qsl(body, keep_blank_values=True) == [("a", value), ("b", "1")]


@pytest.mark.parametrize("form", ["json", "form", "xml", "text"])
def test_half_a_character_is_refused_at_its_field(form: str) -> None:
    spec = {"json": {"a": "{{variables.name}}"}, "form": {"a": "{{variables.name}}"}}
    content = spec.get(form, "<a>{{variables.name}}</a>")

    with pytest.raises(ValueRefused) as refused:
        filled({form: content}, name="a\ud800")

    assert refused.value.problem.pointer == "/variables/name"


def test_lines_of_a_value_are_kept_in_an_attribute() -> None:
    body = filled({"xml": "<a b='{{variables.name}}'/>"}, name="one\r\ntwo\tthree")

    root = fromstring(body.decode())  # noqa: S314 - written here
    assert root.get("b") == "one\r\ntwo\tthree"


@given(st.text(st.characters(codec="utf-8")))
def test_no_value_changes_the_structure_of_xml(value: str) -> None:
    try:
        body = filled({"xml": "<a>{{variables.name}}<b/></a>"}, name=value)
    except ValueRefused:
        return  # a character that XML has no way to carry
    root = fromstring(body.decode())  # noqa: S314 - written here

    assert (root.text or "", [child.tag for child in root]) == (value, ["b"])


@pytest.mark.parametrize("form", ["xml", "json", "form", "text"])
def test_a_value_that_is_too_long_is_refused_at_its_field(form: str) -> None:
    spec = {"xml": "<a>{{variables.name}}</a>", "form": {"a": "{{variables.name}}"}}
    with pytest.raises(ValueRefused) as refused:
        filled({form: spec.get(form, "{{variables.name}}")}, name="x" * (MAX_BODY + 1))

    assert refused.value.problem.pointer == "/variables/name"


BAD = {
    "no object": ("ping", "/body must be an object"),
    "no form": ({}, "/body must have one of json, form, graphql, xml, text"),
    "two forms": (
        {"json": 1, "text": "a"},
        "/body must have one of json, form, graphql, xml, text",
    ),
    "an unknown key": ({"json": 1, "yaml": 1}, "/body/yaml is not a known key"),
    "a name that is not declared": (
        {"json": ["{{variables.other}}"]},
        "/body/json {{variables.other}} is not declared",
    ),
    "a placeholder in a name": (
        {"json": [{"{{variables.name}}": 1}]},
        "/body/json has a placeholder in a name: only values may have one",
    ),
    "a form of numbers": ({"form": {"a": 1}}, "/body/form must be an object of strings"),
    "XML that is not well-formed": ({"xml": "<a>"}, "/body/xml is not well-formed XML"),
    "a placeholder for a name": (
        {"xml": "<{{variables.name}} <a/>"},
        "/body/xml is not well-formed XML",
    ),
    "a document type": (
        {"xml": "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"},
        "/body/xml has a document type or a CDATA section, which are not allowed",
    ),
    "a mutation": (
        {"graphql": {"query": "mutation { delete }"}},
        "/body/graphql must be a query: a mutation changes or keeps something",
    ),
    "a mutation beside a query": (
        {"graphql": {"query": "query A { a } mutation B { b }"}},
        "/body/graphql must be a query: a mutation changes or keeps something",
    ),
    "a query with a placeholder": (
        {"graphql": {"query": "{ a(n: {{variables.name}}) }"}},
        "/body/graphql has a placeholder in its query: values go into its variables",
    ),
    "a query that is too long": (
        {"graphql": {"query": "{" + "a " * MAX_QUERY + "}"}},
        f"/body/graphql must have a query, a string of at most {MAX_QUERY} characters",
    ),
    "a value in a comment of XML": (
        {"xml": "<a><!-- {{variables.name}}> --></a>"},
        "/body/xml has a placeholder in a comment or a processing instruction",
    ),
    "a value in a processing instruction": (
        {"xml": "<?style {{variables.name}}?><a/>"},
        "/body/xml has a placeholder in a comment or a processing instruction",
    ),
    "a query that does not end": (
        {"graphql": {"query": "{ shop { name }"}},
        "/body/graphql has a brace without its counterpart in its query",
    ),
    "a query that ends twice": (
        {"graphql": {"query": "{ shop } }"}},
        "/body/graphql has a brace without its counterpart in its query",
    ),
    "a content type that ends its line": (
        {"text": "a", "contentType": "text/plain\r\nX: y"},
        "/body/contentType has characters that a header can't carry: line breaks, control or "
        "non-ASCII characters, or spaces around it",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_a_body_is_found(name: str) -> None:
    spec, problem = BAD[name]

    body, problems = read(spec)

    assert (body, problems[0]) == (None, problem)


@pytest.mark.parametrize(
    "query",
    [
        "{ mutation }",
        "query { a } # mutation",
        'query { a(note: "} mutation {") }',
        "query mutationLog { mutation: a }",
        "fragment f on T { subscription } query { ...f }",
    ],
)
def test_the_word_mutation_is_not_yet_one(query: str) -> None:
    assert read({"graphql": {"query": query}})[1] == []
