"""A manifest in the form of Airbyte's low-code connectors, in words of our own."""

import time
from typing import Any

import pytest
import yaml
from patchbay_importers import airbyte_manifest
from patchbay_importers.imported import Imported
from patchbay_importers.refusals import ImportRefused

from tests.unit.importers.publishable import published, steps_of

MANIFEST = """
version: 6.0.0
description: Reads bookings.
check: {type: CheckStream, stream_names: [bookings]}
definitions:
  requester:
    type: HttpRequester
    url_base: "https://{{ config['region'] }}.bookings.example/v1"
    http_method: GET
    request_headers: {X-Version: "3"}
    authenticator:
      type: BearerAuthenticator
      api_token: "{{ config['credentials']['token'] }}"
  bookings:
    $parameters: {path: /bookings}
    name: bookings
    retriever:
      requester:
        $ref: "#/definitions/requester"
        path: "{{ parameters['path'] }}"
        request_parameters: {limit: "1"}
streams: ["#/definitions/bookings"]
spec:
  connection_specification:
    type: object
    required: [region, credentials]
    properties:
      region: {type: string, title: Region}
      credentials:
        type: object
        required: [token]
        properties: {token: {type: string, airbyte_secret: true}}
"""


def manifest(**requester: Any) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(MANIFEST)
    document["definitions"]["requester"] |= requester
    return document


def imported(**requester: Any) -> Imported:
    return airbyte_manifest.imported_from(manifest(**requester), "source-bookings")


def test_the_stream_of_its_check_is_the_check() -> None:
    definition = published(imported())

    assert definition["name"] == "Bookings"
    assert definition["authConfig"] == {
        "type": "api_key",
        "authHeaderName": "Authorization",
        "authValuePrefix": "Bearer",
    }
    assert definition["manifest"]["secretsSchema"]["required"] == ["api_key"]
    assert definition["manifest"]["baseUrl"] == "https://{{variables.region}}.bookings.example/v1"
    assert steps_of(definition) == [
        {
            "name": "read bookings",
            "kind": "http",
            "mandatory": True,
            "request": {
                "method": "GET",
                "url": "https://{{variables.region}}.bookings.example/v1/bookings",
                "query": {"limit": "1"},
                "headers": {"X-Version": "3"},
            },
        }
    ]


def test_a_key_in_a_header_or_in_the_query() -> None:
    token = "{{ config.get('key') }}"
    header = imported(
        authenticator={"type": "ApiKeyAuthenticator", "header": "X-Key", "api_token": token}
    )
    query = imported(
        authenticator={
            "type": "ApiKeyAuthenticator",
            "api_token": "{{ config['credentials']['token'] }}",
            "inject_into": {"inject_into": "request_parameter", "field_name": "key"},
        }
    )

    assert published(header)["authConfig"]["authHeaderName"] == "X-Key"
    (step,) = steps_of(published(query))
    assert step["auth"] is False
    assert step["request"]["query"] == {"limit": "1", "key": "{{secrets.credentials_token}}"}


def test_a_user_name_that_is_the_key() -> None:
    one = imported(
        authenticator={"type": "BasicHttpAuthenticator", "username": "{{ config['key'] }}"}
    )

    definition = published(one)
    assert definition["authConfig"] == {
        "type": "basic",
        "username": "{{secrets.key}}",
        "password": "",
    }
    assert "key" not in definition["variablesSchema"]["properties"]


def test_a_refresh_token() -> None:
    one = imported(
        authenticator={
            "type": "OAuthAuthenticator",
            "token_refresh_endpoint": "https://login.bookings.example/token",
            "client_id": "{{ config['id'] }}",
            "client_secret": "{{ config['secret'] }}",
            "refresh_token": "{{ config['credentials']['token'] }}",
        }
    )

    definition = published(one)
    assert definition["authConfig"]["grantType"] == "refresh_token"
    assert [step["kind"] for step in steps_of(definition)] == ["oauth2_token", "http"]
    assert set(definition["manifest"]["secretsSchema"]["properties"]) == {
        "client_id",
        "client_secret",
        "refresh_token",
    }


def test_a_stream_that_goes_through_another_one_is_asked_for_that() -> None:
    document = manifest()
    document["definitions"]["guests"] = {
        "name": "guests",
        "retriever": {
            "requester": {"$ref": "#/definitions/requester", "path": "/{{ stream_slice.id }}"},
            "partition_router": {
                "type": "SubstreamPartitionRouter",
                "parent_stream_configs": [{"stream": "#/definitions/bookings"}],
            },
        },
    }
    document["streams"].append("#/definitions/guests")
    document["check"]["stream_names"] = ["guests"]

    (step,) = steps_of(published(airbyte_manifest.imported_from(document, "x")))

    assert step["request"]["url"].endswith("/v1/bookings")


@pytest.mark.parametrize(
    ("requester", "why"),
    [
        ({"http_method": "POST"}, "its check is a POST, which is not safe"),
        ({"type": "CustomRequester"}, "its requests are made by code"),
        ({"authenticator": {"type": "CustomAuthenticator"}}, "its authenticator is code"),
        ({"request_headers": {"X": "{{ now_utc() }}"}}, "its check needs a value that is computed"),
        ({"url_base": None}, "its check has no URL"),
    ],
)
def test_what_is_done_by_code_is_said_and_leaves_the_form(
    requester: dict[str, Any], why: str
) -> None:
    one = imported(**requester)

    assert one.needs_code == (why,)
    assert not one.has_check
    published(one)


def test_a_circle_of_references_is_named_at_its_place_and_the_form_is_kept() -> None:
    document = manifest()
    document["definitions"] |= {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}
    document["streams"] = ["#/definitions/a"]

    one = airbyte_manifest.imported_from(document, "x")

    assert not one.has_check
    [note] = [note for note in one.notes if "a circle" in note]
    assert note.startswith("its check was left out: /definitions/")
    assert published(one)["variablesSchema"]["properties"].keys() == {"region"}


def test_a_circle_in_another_stream_is_no_matter() -> None:
    document = manifest()
    document["definitions"]["a"] = {"$ref": "#/definitions/a"}
    document["streams"].insert(0, "#/definitions/a")

    assert airbyte_manifest.imported_from(document, "x").has_check


def test_a_reference_may_stand_for_a_text() -> None:
    document = manifest(
        url_base={"$ref": "#/definitions/linked/url_base"},
        request_headers={"X-Version": {"$ref": "#/definitions/linked/version"}, "X-None": None},
    )
    document["definitions"]["linked"] = {
        "url_base": "https://{{ config['region'] }}.bookings.example/v2",
        "version": "3",
    }

    [step] = steps_of(published(airbyte_manifest.imported_from(document, "x")))
    assert step["request"]["url"] == "https://{{variables.region}}.bookings.example/v2/bookings"
    assert step["request"]["headers"] == {"X-Version": "3"}


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("https://evil.example/x.yaml", "which is not fetched"),
        ("#/definitions/none", "is not in the document"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(reference: str, said: str) -> None:
    document = manifest()
    document["streams"] = [{"$ref": reference}]

    one = airbyte_manifest.imported_from(document, "x")

    assert not one.has_check
    [note] = [note for note in one.notes if said in note]
    assert note.startswith("its check was left out: /streams/0: ")


@pytest.mark.parametrize("document", [None, [], {"version": 1}, {"check": {}}])
def test_what_is_no_manifest_is_refused(document: object) -> None:
    with pytest.raises(ImportRefused, match="must be an object with version and check"):
        airbyte_manifest.imported_from(document, "x")


def test_a_check_that_is_a_text_is_no_stream() -> None:
    one = airbyte_manifest.imported_from({"version": "1", "check": "x"}, "x")

    assert one.needs_code == ("its check is no stream",)


@pytest.mark.parametrize("path", ["/x{{" + " " * 20_000, "/x{{ {'a': 1}['a'] }}", "/x{{{ a }}}"])
def test_an_expression_of_another_form_is_computed(path: str) -> None:
    document = manifest()
    document["definitions"]["bookings"]["retriever"]["requester"]["path"] = path
    began = time.process_time()

    one = airbyte_manifest.imported_from(document, "source-bookings")

    assert "its check needs a value that is computed" in one.needs_code
    assert time.process_time() - began < 5


def test_a_pattern_that_takes_long_costs_its_default() -> None:
    document = manifest()
    form = document["spec"]["connection_specification"]["properties"]
    form["region"] |= {"pattern": "^(a+)+$", "default": "a" * 40 + "!"}
    began = time.process_time()

    one = airbyte_manifest.imported_from(document, "source-bookings")

    assert "default" not in published(one)["variablesSchema"]["properties"]["region"]
    assert any("could take long" in note for note in one.notes)
    assert time.process_time() - began < 5
