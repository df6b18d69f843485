"""OpenAPI documents: server, credential, and a GET that proves it."""

import json
import time
from typing import Any

import pytest
from patchbay_importers import openapi
from patchbay_importers.refusals import ImportRefused

from tests.unit.importers.publishable import published, steps_of


def document(**members: Any) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parcels", "description": "Where parcels are.", "version": "1"},
        "servers": [{"url": "https://api.parcels.example/v1/"}],
        "security": [{"key": []}],
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
        },
        "paths": {
            "/parcels": {"get": {}},
            "/parcels/{id}": {"get": {}},
            "/users/me": {"get": {}},
            "/health": {"get": {}},
            "/me/sessions": {"post": {}},
        },
        **members,
    }


def with_scheme(scheme: Any, **members: Any) -> dict[str, Any]:
    return document(components={"securitySchemes": {"key": scheme}}, **members)


def test_server_key_and_the_get_that_says_who_it_is() -> None:
    definition = published(openapi.imported_from(document()))

    assert definition["name"] == "Parcels"
    assert definition["slug"] == "parcels"
    assert definition["description"].startswith("Where parcels are. Imported from the OpenAPI")
    assert definition["manifest"]["baseUrl"] == "https://api.parcels.example/v1"
    assert definition["authConfig"] == {
        "type": "api_key",
        "authHeaderName": "X-Key",
        "authValuePrefix": "",
    }
    assert steps_of(definition) == [
        {
            "name": "GET /users/me",
            "kind": "http",
            "mandatory": True,
            "request": {"method": "GET", "url": "https://api.parcels.example/v1/users/me"},
        }
    ]


@pytest.mark.parametrize(
    ("scheme", "auth"),
    [
        ({"type": "http", "scheme": "Bearer"}, {"authHeaderName": "Authorization"}),
        ({"type": "http", "scheme": "basic"}, {"type": "basic"}),
        ({"type": "apiKey", "in": "query", "name": "key"}, {"type": "none"}),
    ],
)
def test_kinds_of_credentials(scheme: dict[str, str], auth: dict[str, str]) -> None:
    definition = published(openapi.imported_from(with_scheme(scheme)))

    assert auth.items() <= definition["authConfig"].items()


def test_a_key_in_the_query_is_sent_by_the_check() -> None:
    one = openapi.imported_from(with_scheme({"type": "apiKey", "in": "query", "name": "key"}))

    (step,) = steps_of(published(one))
    assert step["request"]["query"] == {"key": "{{secrets.api_key}}"}
    assert step["auth"] is False


def test_oauth_by_code_is_taken_before_the_grant_of_a_client() -> None:
    flows = {
        "clientCredentials": {"tokenUrl": "https://login.parcels.example/token", "scopes": {}},
        "authorizationCode": {
            "tokenUrl": "https://login.parcels.example/token",
            "authorizationUrl": "https://login.parcels.example/authorize",
            "refreshUrl": "https://login.parcels.example/refresh",
            "scopes": {"read": "", "write": ""},
        },
    }

    one = openapi.imported_from(with_scheme({"type": "oauth2", "flows": flows}))

    assert published(one)["authConfig"] == {
        "type": "oauth2",
        "tokenUrl": "https://login.parcels.example/token",
        "authorizationUrl": "https://login.parcels.example/authorize",
        "refreshUrl": "https://login.parcels.example/refresh",
        "clientAuth": "body",
        "scopes": ["read", "write"],
    }
    assert any("leave out what you do not need" in note for note in one.notes)


def test_the_grant_of_a_client_asks_for_a_token_first() -> None:
    flow = {"tokenUrl": "https://login.parcels.example/token", "scopes": {}}

    one = openapi.imported_from(
        with_scheme({"type": "oauth2", "flows": {"clientCredentials": flow}})
    )

    assert [step["kind"] for step in steps_of(published(one))] == ["oauth2_token", "http"]


def test_swagger_2() -> None:
    one = openapi.imported_from(
        {
            "swagger": "2.0",
            "info": {"title": "Old"},
            "host": "api.old.example",
            "basePath": "/v2",
            "schemes": ["http", "https"],
            "securityDefinitions": {
                "login": {
                    "type": "oauth2",
                    "flow": "accessCode",
                    "tokenUrl": "https://api.old.example/token",
                    "authorizationUrl": "https://api.old.example/authorize",
                    "scopes": {"a": ""},
                }
            },
            "security": [{"login": ["a"]}],
            "paths": {
                "/accounts": {
                    "get": {
                        "parameters": [
                            {"name": "page", "in": "query", "required": True, "default": 1}
                        ]
                    }
                }
            },
        }
    )

    definition = published(one)
    assert definition["manifest"]["baseUrl"] == "https://api.old.example/v2"
    assert steps_of(definition)[0]["request"]["query"] == {"page": "1"}


def test_variables_of_a_server() -> None:
    server = {
        "url": "https://{region}.parcels.example:{port}/{version}",
        "variables": {
            "region": {"default": "eu", "enum": ["eu", "us"], "description": "Where."},
            "port": {"default": "443"},
            "version": {"default": "v1"},
        },
    }

    definition = published(openapi.imported_from(document(servers=[server])))

    properties = definition["variablesSchema"]["properties"]
    assert properties["region"]["enum"] == ["eu", "us"]
    assert properties["port"] == {"type": "integer", "title": "port", "default": 443}


def test_what_needs_parameters_or_no_credential_is_no_check() -> None:
    parameter = {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}
    one = openapi.imported_from(
        document(
            paths={
                "/me": {"get": {"security": []}},
                "/self": {"get": {"security": [{"key": []}, {}]}},
                "/account": {"get": {"deprecated": True}},
                "/users": {"parameters": [{"$ref": "#/components/parameters/q"}], "get": {}},
                "/revoke/me": {"get": {}},
            },
            components={
                "securitySchemes": document()["components"]["securitySchemes"],
                "parameters": {"q": parameter},
            },
        )
    )

    assert not one.has_check
    assert "no GET of it asks for the credential without parameters" in one.notes


def test_a_known_host_has_a_check_of_our_own() -> None:
    one = openapi.imported_from(
        with_scheme({"type": "http", "scheme": "bearer"}), "https://api.github.com"
    )

    assert [step["name"] for step in steps_of(published(one))] == ["whoami"]


def test_schemes_that_cannot_be_expressed_need_code() -> None:
    one = openapi.imported_from(with_scheme({"type": "openIdConnect", "openIdConnectUrl": "x"}))

    assert one.needs_code == ("key: it is neither a key, http, nor oauth2",)
    assert not one.has_check


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ({"type": "apiKey", "in": "header"}, "/components/securitySchemes/key/name"),
        ({"$ref": "#/components/securitySchemes/key"}, "or a circle"),
        ({"$ref": "other.yaml#/x"}, "refers to another document"),
        (
            {
                "type": "oauth2",
                "flows": {"clientCredentials": {"tokenUrl": "http://a.example", "scopes": {}}},
            },
            "has a URL that is not https",
        ),
    ],
)
def test_a_scheme_that_is_wrong_is_named_and_the_next_one_taken(scheme: Any, said: str) -> None:
    alone = openapi.imported_from(with_scheme(scheme))
    assert said in alone.needs_code[0]
    assert not alone.has_check

    bearer = {"type": "http", "scheme": "bearer"}
    both = openapi.imported_from(
        document(
            security=[{"key": []}, {"none_of_them": []}, {"bearer": []}],
            components={"securitySchemes": {"key": scheme, "bearer": bearer}},
        )
    )
    assert published(both)["authConfig"]["authValuePrefix"] == "Bearer"
    assert both.has_check


def test_urls_of_oauth_may_be_relative_to_the_server() -> None:
    flow = {"tokenUrl": "/oauth/token", "authorizationUrl": "authorize", "scopes": {}}
    one = openapi.imported_from(
        with_scheme({"type": "oauth2", "flows": {"authorizationCode": flow}})
    )

    auth = published(one)["authConfig"]
    assert auth["tokenUrl"] == "https://api.parcels.example/oauth/token"
    assert auth["authorizationUrl"] == "https://api.parcels.example/v1/authorize"


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"$ref": "paths/me.yaml"}, "refers to another document"),
        ({"$ref": "#/paths/~1me"}, "or a circle"),
        (
            {"get": {"parameters": [{"$ref": "#/components/parameters/none"}]}},
            "not in the document",
        ),
    ],
)
def test_a_path_that_leads_nowhere_is_passed_over(item: Any, said: str) -> None:
    one = openapi.imported_from(document(paths={"/me": item, "/users": {"get": {}}}))

    assert [step["name"] for step in steps_of(published(one))] == ["GET /users"]
    assert [note for note in one.notes if said in note]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "must be an object with openapi, or swagger"),
        ({"info": {}}, "must be an object with openapi, or swagger"),
        (document(servers=None), "/servers: is missing: say --server"),
        (document(servers=[{"url": "/v1"}]), "/servers/0/url: is no absolute URL: say --server"),
        (document(servers={}), "/servers: must be a list"),
        (document(info={"title": 3}), "/info/title: must be a string"),
        (document(paths=[]), "/paths: must be an object"),
        ({"swagger": "2.0", "info": {"title": "x"}}, "/host: is missing: say --server"),
    ],
)
def test_a_wrong_document_is_refused_at_its_place(given: object, said: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        openapi.imported_from(given)

    assert said in str(caught.value)


def test_a_document_with_too_many_paths_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "MAX_PATHS", 3)

    with pytest.raises(ImportRefused, match="has more than 3 paths"):
        openapi.imported_from(document())


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://api.parcels.example/v1", "https://api.parcels.example/v1"),
        ("https://api.parcels.example/v1?key=hunter2", "https://api.parcels.example/v1"),
        ("https://api.parcels.example/v1#hunter2", "https://api.parcels.example/v1"),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_no_credential_is_in_an_address_or_sent_in_the_clear(url: str, base: str) -> None:
    one = openapi.imported_from(document(servers=[{"url": url}]))

    definition = one.definition or {}
    assert definition["manifest"]["baseUrl"] == base
    assert steps_of(definition)[0]["request"]["url"] == f"{base}/users/me"
    assert "hunter2" not in json.dumps([definition, one.notes])
    assert len(one.notes) == (2 if base != url else 1)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@api.parcels.example",
        "file:///etc/passwd",
        "javascript://x/%0aalert(1)",
        "ftp://api.parcels.example",
    ],
)
def test_an_address_that_is_none_of_an_api_is_refused(url: str) -> None:
    with pytest.raises(ImportRefused, match="/servers/0") as caught:
        openapi.imported_from(document(servers=[{"url": url}]))
    assert "hunter2" not in str(caught.value)


def test_a_value_of_the_document_is_no_placeholder() -> None:
    parameter = {"name": "to", "in": "query", "required": True}
    given = {**parameter, "schema": {"default": "{{secrets.api_key}}"}}
    one = openapi.imported_from(document(paths={"/users/me": {"get": {"parameters": [given]}}}))
    assert not one.has_check

    with pytest.raises(ImportRefused, match="a placeholder of Patchbay's"):
        openapi.imported_from(document(), "https://{{variables.host}}")


def test_a_get_of_many_parameters_is_no_check() -> None:
    """However many GETs share them."""
    shared = {"get": {}, "parameters": [{"required": False}] * 100_000}
    paths = {f"/users/{n}": {"$ref": "#/paths/~1users~10"} for n in range(1, 10_000)}
    began = time.process_time()
    one = openapi.imported_from(document(paths={"/users/0": shared, **paths}))
    assert not one.has_check
    assert time.process_time() - began < 10
