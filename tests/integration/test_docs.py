"""The OpenAPI document and the page that shows it."""

import base64
import gzip
import hashlib
import importlib
import json
import re
from typing import Any

import pytest
from openapi_spec_validator import validate

import docs
from local.openapi import DOCUMENT, example_of
from tests.integration.api import FUNCTIONS, ROOT, Client, sample_event

ANYBODY = Client(key=None)


def test_the_sample_event_gets_a_valid_openapi_3_1_document(deployed: object) -> None:
    answer = docs.handler(sample_event("docs"), None)
    assert answer["statusCode"] == 200
    document: dict[str, Any] = json.loads(answer["body"])
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_the_document_has_the_routes_of_the_template_and_no_others(
    deployed: object, template: dict[str, Any]
) -> None:
    deployed_routes = {
        (event["Properties"]["Method"].upper(), event["Properties"]["Path"].replace("+}", "}"))
        for resource in template["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "HttpApi" and "Path" in event.get("Properties", {})
    } - {("ANY", "/{proxy}")}
    documented = {
        (method.upper(), path)
        for path, operations in ANYBODY.get("/openapi.json").json["paths"].items()
        for method in operations
    }
    assert documented == {route for route in deployed_routes if route[1] != "$default"}


def test_every_operation_says_who_may_call_it_and_how_it_fails(deployed: object) -> None:
    document = ANYBODY.get("/openapi.json").json
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            if operation["description"] == "Open to everybody.":
                continue
            failures = {s: a for s, a in operation["responses"].items() if s >= "400"}
            for failure in failures.values():
                assert failure["$ref"].startswith("#/components/responses/")
            if path.startswith("/v1/install"):
                assert operation["security"] == [{"installToken": []}]
                assert {"401", "410", "500", "503"} <= set(failures)
                continue
            if path.startswith("/v1/browser-sessions"):
                assert operation["security"] == [{"apiKey": []}, {"browserSession": []}]
                assert {"401", "403", "429", "500", "503"} <= set(failures)
                continue
            assert operation["security"] == [{"apiKey": []}]
            assert operation["description"].startswith("Permission: `platform.")
            assert {"401", "403", "500", "503"} <= set(failures)
    for response in document["components"]["responses"].values():
        schema = response["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}


def test_every_body_has_an_example_that_the_api_takes() -> None:
    for path, operations in json.loads(DOCUMENT.read_text())["paths"].items():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                assert content["example"], path
    for name in FUNCTIONS:
        api = getattr(importlib.import_module(name), "api", None)
        for body in {route.body for route in api.routes if route.body} if api else ():
            assert body.model_validate_json(json.dumps(example_of(body)), strict=True)


def test_a_refusal_before_the_route_is_documented_on_every_one() -> None:
    """An unknown query parameter, or an invalid Idempotency-Key."""
    for operations in json.loads(DOCUMENT.read_text())["paths"].values():
        for operation in operations.values():
            assert not operation.get("security") or "400" in operation["responses"]


def test_a_publish_answers_a_release_even_if_it_is_repeated() -> None:
    document = json.loads(DOCUMENT.read_text())
    publish = document["paths"]["/v1/integrations/{integration_id}/publish"]["post"]
    made, repeated = (
        json.dumps(publish["responses"][status]["content"]) for status in ("201", "200")
    )
    assert "/Release" in made
    assert "/Release" in repeated
    assert not [name for name in document["components"]["schemas"] if name.startswith("Reply")]


def test_the_bounds_of_a_query_parameter_are_documented() -> None:
    paths = json.loads(DOCUMENT.read_text())["paths"]
    [limit] = [p for p in paths["/v1/catalog"]["get"]["parameters"] if p["name"] == "limit"]
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 100)


def test_a_number_of_a_query_has_the_bounds_that_are_enforced() -> None:
    """The API accepts at most nine digits, and documents that for each number."""
    paths = json.loads(DOCUMENT.read_text())["paths"]
    bounds = {
        (path, parameter["name"]): parameter["schema"].get("maximum")
        for path, operations in paths.items()
        for operation in operations.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query" and parameter["schema"].get("type") == "integer"
    }
    assert bounds
    unbounded = [where for where, maximum in bounds.items() if not 0 < (maximum or 0) < 10**9]
    assert not unbounded


def test_the_page_loads_nothing_from_elsewhere(deployed: object) -> None:
    page = ANYBODY.get("/docs", accept_encoding="gzip")
    html = gzip.decompress(base64.b64decode(page.text)).decode()
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    [script] = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert not re.findall('<script [^>]*src=|<link |innerHTML|https?://[^\\"]', html)


def test_the_page_links_every_guide(deployed: object) -> None:
    html = ANYBODY.get("/docs").text
    [index] = re.findall('<script type="application/json" id="guides">(.*?)</script>', html)
    names = {guide["name"] for guide in json.loads(index)}
    assert names == {path.stem for path in (ROOT / "docs").glob("*.md")}
    for name in names:
        guide = ANYBODY.get(f"/docs/guides/{name}")
        assert guide.text == (ROOT / "docs" / f"{name}.md").read_text()
        assert guide.headers["content-type"].startswith("text/markdown")


@pytest.mark.parametrize("name", ["adr", "README", "..%2fREADME", "health.md", "nothing"])
def test_what_is_no_guide_is_not_found(deployed: object, name: str) -> None:
    assert ANYBODY.get(f"/docs/guides/{name}").status == 404


def test_each_tag_links_a_guide(deployed: object) -> None:
    for tag in ANYBODY.get("/openapi.json").json["tags"]:
        [name] = re.findall(r"/docs#/guides/([\w-]+)", tag["description"])
        assert ANYBODY.get(f"/docs/guides/{name}").status == 200


def test_all_that_the_page_can_load_is_at_most_250_kb_gzipped(deployed: object) -> None:
    guides = [f"/docs/guides/{path.stem}" for path in (ROOT / "docs").glob("*.md")]
    sizes = {
        path: len(base64.b64decode(ANYBODY.get(path, accept_encoding="gzip").text))
        for path in ["/docs", "/openapi.json", *guides]
    }
    assert sum(sizes.values()) <= 250_000
    assert sizes["/docs"] <= 20_000


def test_the_committed_document_is_the_one_that_is_served(deployed: object) -> None:
    committed = ROOT / "layers/patchbay/patchbay/platform/openapi.json"
    assert ANYBODY.get("/openapi.json").text == committed.read_text()


def test_the_operations_say_what_their_contract_says_of_them() -> None:
    """`integrations.connection.test` as it is published; its family is alike."""
    paths = json.loads(DOCUMENT.read_text())["paths"]
    contract = paths["/integrations/connection/test/v1.0.0"]["post"]["x-contract"]
    assert contract == {
        "key": "integrations.connection.test",
        "type": "operation (command)",
        "title": "Test Integration Connection",
        "goal": "Validate credentials and connectivity for external providers.",
        "context": "Triggered manually or by background monitors to confirm provider availability.",
        "version": "1.0.0",
        "stability": "experimental",
        "owners": ["@platform.integrations"],
        "tags": ["integration", "connections"],
        "policy": {
            "auth": "admin",
            "policies": [{"key": "platform.integration.manage", "version": "1.0.0"}],
        },
    }
    operations = [one for methods in paths.values() for one in methods.values()]
    others = {one["x-contract"]["key"]: one for one in operations if "x-contract" in one}
    assert len(others) == 5
    for key, operation in others.items():
        [policy] = operation["x-contract"]["policy"]["policies"]
        assert f"`{policy['key']}`" in operation["description"]
        assert operation["operationId"] == key.replace(".", "_")
    reading = others["integrations.connection.list"]["x-contract"]["policy"]["policies"]
    assert reading == [{"key": "platform.integration.read", "version": "1.0.0"}]
