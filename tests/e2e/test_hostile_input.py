"""What the pages' modules make of schemas and addresses that somebody wrote to harm a reader."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browser import visitor
from tests.e2e.harness import Stack

UNREADABLE: Final = {"valueOf": 1, "toString": 1}
"""Nothing compares, adds, or writes such an object without an exception."""


@pytest.fixture(scope="module")
def blank(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A page that may read the pages' code."""
    with visitor(browser, stack) as visiting:
        visiting.page.goto("/app/sign-in")
        yield visiting.page


def called(page: Page, module: str, function: str, *arguments: Any) -> Any:
    """What a function of a module of web/kit returns, and how many milliseconds it took."""
    return page.evaluate(
        """async ([module, name, given]) => {
            const started = document.querySelector("script[type=module]").src;
            const loaded = await import(new URL(`../kit/${module}`, started));
            const words = given.map((one) => one === "words" ? (key) => key : one);
            const begun = performance.now();
            const said = loaded[name](...words);
            const took = performance.now() - begun;
            return [said instanceof Map ? Object.fromEntries(said) : said, took];
        }""",
        [module, function, arguments],
    )


@pytest.mark.parametrize("value", ["..", "."])
def test_a_value_is_no_step_up_in_a_path(blank: Page, value: str) -> None:
    path, _ = called(blank, "api.js", "at", ["/v1/organizations/", "/api-keys"], value)
    assert path == "/v1/organizations/%20/api-keys"


def problems(page: Page, schema: Any, value: Any) -> Any:
    return called(page, "schema_form.js", "problemsOf", schema, value, "words")


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"x-order": UNREADABLE}, "b": {}}},
        {"oneOf": [{"properties": {"a": {}}, "required": [UNREADABLE]}]},
    ],
)
def test_a_form_is_drawn_whatever_its_schema_says(blank: Page, schema: Any) -> None:
    assert problems(blank, schema, {"a": "x"})[0] == {}


def test_a_large_schema_is_not_copied_for_each_of_its_references(blank: Page) -> None:
    large: dict[str, Any] = {f"x{number}": 0 for number in range(3000)}
    large["minLength"] = 2
    schema = {
        "properties": {f"a{number}": {"$ref": "#/$defs/b"} for number in range(1200)},
        "$defs": {"b": {"$ref": "#/$defs/large", "minLength": 3}, "large": large},
    }
    found, took = problems(blank, schema, {"a1": "xy", "a2": "xyz"})
    assert found == {"/a1": "form.error.minLength"}
    assert took < 2000


def test_many_branches_may_have_the_same_members(blank: Page) -> None:
    members: dict[str, Any] = {f"a{number}": {} for number in range(2500)}
    members["kind"] = {"const": "one"}
    schema = {
        "oneOf": [{"$ref": "#/$defs/b"}] * 1400,
        "$defs": {"b": {"properties": members}},
    }
    found, took = problems(blank, schema, {"kind": "other"})
    assert found == {}, "it is entered as text, and the server says what is wrong"
    assert took < 1000


def test_a_form_of_more_fields_than_a_browser_draws_is_entered_as_text(blank: Page) -> None:
    members = {f"a{number}": {"type": "string"} for number in range(800)}
    schema = {
        "properties": {f"b{number}": {"$ref": "#/$defs/b"} for number in range(800)},
        "$defs": {"b": {"type": "object", "properties": members}},
    }
    fields, took = blank.evaluate(
        """async (schema) => {
            const started = document.querySelector("script[type=module]").src;
            const read = (path) => import(new URL(path, started));
            const { SchemaForm } = await read("../kit/schema_form.js");
            const { html, render } = await read("../vendor/preact.js");
            const place = document.createElement("div");
            const begun = performance.now();
            render(html`<${SchemaForm} schema=${schema} value=${{}} onChange=${() => {}}
                errors=${new Map()} locked=${new Set()} t=${(key) => key} />`, place);
            return [place.querySelectorAll("input, textarea").length, performance.now() - begun];
        }""",
        schema,
    )
    assert fields == 800
    assert took < 10_000
