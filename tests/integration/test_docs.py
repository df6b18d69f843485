"""The OpenAPI document and the page that shows it."""

import base64
import gzip
import json
from typing import Any

from openapi_spec_validator import validate

import docs
from tests.integration.api import ROOT, Client, sample_event

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
        (event["Properties"]["Method"].upper(), event["Properties"]["Path"])
        for resource in template["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "HttpApi" and "Path" in event.get("Properties", {})
    } - {("ANY", "/{proxy+}")}
    documented = {
        (method.upper(), path)
        for path, operations in ANYBODY.get("/openapi.json").json["paths"].items()
        for method in operations
    }
    assert documented == {route for route in deployed_routes if route[1] != "$default"}


def test_every_operation_says_who_may_call_it_and_how_it_fails(deployed: object) -> None:
    paths = ANYBODY.get("/openapi.json").json["paths"]
    for path, operations in paths.items():
        for operation in operations.values():
            assert operation["summary"]
            if path in ("/openapi.json", "/docs"):
                continue
            assert operation["security"] == [{"apiKey": []}]
            assert operation["description"].startswith("Permission: `platform.")
            failures = {s: a for s, a in operation["responses"].items() if s >= "400"}
            assert {"401", "403", "500", "503"} <= set(failures)
            for failure in failures.values():
                schema = failure["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}


def test_the_page_loads_nothing_from_elsewhere(deployed: object) -> None:
    page = ANYBODY.get("/docs", accept_encoding="gzip")
    html = gzip.decompress(base64.b64decode(page.text)).decode()
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "SwaggerUIBundle({url: '/openapi.json'" in html
    assert "<script src=" not in html
    assert "<link " not in html


def test_the_committed_document_is_the_one_that_is_served(deployed: object) -> None:
    committed = ROOT / "layers/patchbay/patchbay/platform/openapi.json"
    assert ANYBODY.get("/openapi.json").text == committed.read_text()
