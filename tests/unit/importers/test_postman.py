"""Postman collections: address, kind of credential, and a GET; never a value that may be a key."""

import json
import time
from typing import Any

import pytest
from patchbay_importers import postman
from patchbay_importers.refusals import ImportRefused

from tests.unit.importers.publishable import published, steps_of

KEY = "sk-live-0123456789abcdef"


def request(url: Any, method: str = "GET", name: str = "one", **members: Any) -> dict[str, Any]:
    return {"name": name, "request": {"method": method, "url": url, **members}}


def collection(*items: Any, **members: Any) -> dict[str, Any]:
    return {
        "info": {"name": "Rooms", "description": {"content": "Rooms of a hotel."}},
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": KEY}]},
        "variable": [
            {"key": "host", "value": "https://api.rooms.example/v1"},
            {"key": "token", "value": KEY},
        ],
        "item": list(items),
        **members,
    }


def test_address_credential_and_the_get_that_says_who_it_is() -> None:
    one = postman.imported_from(
        collection(
            {"name": "Folder", "item": [request("{{host}}/rooms", name="list")]},
            request({"raw": "{{host}}/users/me?limit=1&key=" + KEY}, name="who am I"),
            request("{{host}}/rooms", method="DELETE"),
        )
    )

    definition = published(one)
    assert definition["name"] == "Rooms"
    assert definition["description"].startswith("Rooms of a hotel. Imported from the Postman")
    assert definition["manifest"]["baseUrl"] == "https://api.rooms.example"
    assert definition["authConfig"]["authValuePrefix"] == "Bearer"
    (step,) = steps_of(definition)
    assert step["name"] == "who am I"
    assert step["request"] == {"method": "GET", "url": "https://api.rooms.example/v1/users/me"}


def test_no_key_of_the_collection_is_taken_over() -> None:
    one = postman.imported_from(
        collection(
            request(
                {
                    "raw": f"{{{{host}}}}/me?key={KEY}",
                    "query": [
                        {"key": "key", "value": KEY},
                        {"key": "page", "value": "2"},
                        {"key": "off", "value": "1", "disabled": True},
                    ],
                },
                header=[
                    {"key": "X-Api-Key", "value": KEY},
                    {"key": "Api-Version", "value": "2026-01-01"},
                    {"key": "Authorization", "value": f"Bearer {KEY}"},
                ],
                body={"raw": KEY},
            )
        )
    )

    definition = published(one)
    assert KEY not in json.dumps([definition, one.notes, one.needs_code])
    (step,) = steps_of(definition)
    assert step["request"]["query"] == {"page": "2"}
    assert step["request"]["headers"] == {"Api-Version": "2026-01-01"}
    assert "its header X-Api-Key was left out: it may be a key" in one.notes


def test_variables_of_the_address_are_asked_for() -> None:
    one = postman.imported_from(
        collection(
            request("https://{{shop}}.rooms.example/:tenant/account"),
            request("https://{{shop}}.rooms.example/:tenant/rooms/{{room}}"),
        )
    )

    definition = published(one)
    assert definition["variablesSchema"]["required"] == ["shop", "tenant"]
    assert steps_of(definition)[0]["request"]["url"] == (
        "https://{{variables.shop}}.rooms.example/{{variables.tenant}}/account"
    )


def test_an_address_that_is_a_variable_without_a_value_is_the_customers() -> None:
    definition = published(postman.imported_from(collection(request("{{baseUrl}}/me"))))

    assert definition["manifest"]["baseUrl"] == "{{variables.baseUrl}}"
    assert definition["variablesSchema"]["properties"]["baseUrl"]["format"] == "uri"


@pytest.mark.parametrize(
    ("auth", "config"),
    [
        ({"type": "basic", "basic": []}, {"type": "basic"}),
        ({"type": "noauth"}, {"type": "none"}),
        (
            {"type": "apikey", "apikey": [{"key": "key", "value": "X-Key"}]},
            {"type": "api_key", "authHeaderName": "X-Key"},
        ),
        (
            {"type": "apikey", "apikey": {"key": "key", "value": KEY, "in": "query"}},
            {"type": "none"},
        ),
        (
            {
                "type": "oauth2",
                "oauth2": [
                    {"key": "accessTokenUrl", "value": "https://login.rooms.example/token"},
                    {"key": "authUrl", "value": "https://login.rooms.example/authorize"},
                    {"key": "scope", "value": "a b"},
                    {"key": "clientSecret", "value": KEY},
                ],
            },
            {"type": "oauth2", "scopes": ["a", "b"]},
        ),
        ({"type": "oauth2", "oauth2": []}, {"type": "api_key"}),
        (
            {"type": "oauth2", "oauth2": {"accessTokenUrl": "https://login.example.com/t"}},
            {"type": "api_key"},
        ),
    ],
)
def test_kinds_of_credentials(auth: dict[str, Any], config: dict[str, Any]) -> None:
    one = postman.imported_from(collection(request("{{host}}/me"), auth=auth))

    definition = published(one)
    assert config.items() <= definition["authConfig"].items()
    assert KEY not in json.dumps(definition)


def test_what_signs_needs_code() -> None:
    one = postman.imported_from(collection(request("{{host}}/me"), auth={"type": "awsv4"}))

    assert one.needs_code == ("it authenticates by awsv4",)
    assert not one.has_check


def test_a_known_host_has_a_check_of_our_own() -> None:
    one = postman.imported_from(collection(request("https://api.github.com/repos")))

    assert [step["name"] for step in steps_of(published(one))] == ["whoami"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "must be an object with info and item"),
        ({"info": {"name": "x"}}, "/item: is missing"),
        (collection(), "/item: has no request"),
        (collection(3), "/item: has no request"),
        (collection(info={"name": 3}), "/info/name: must be a string"),
        (collection(item={"a": 1}), "/item: must be a list"),
        (collection(request("{{host}}/me"), variable="x"), "/variable: must be a list"),
        (collection(request("")), "/item: has no request with an absolute URL"),
        (collection(request("{{a}}{{b}}/me")), "/item: has no request with an absolute URL"),
        ({"collection": {"info": {"name": "x"}}}, "/collection/item: is missing"),
    ],
)
def test_a_wrong_collection_is_refused_at_its_place(given: object, said: str) -> None:
    with pytest.raises(ImportRefused) as caught:
        postman.imported_from(given)

    assert said in str(caught.value)


def test_a_request_with_a_password_in_its_address_is_left_out() -> None:
    one = postman.imported_from(
        collection(request(f"https://user:{KEY}@api.rooms.example/me"), request("{{host}}/me"))
    )

    assert KEY not in json.dumps([one.definition, one.notes])
    assert "a request was left out: /item/0/request/url: has a user name or a password" in one.notes


def test_folders_without_end_are_refused() -> None:
    item: dict[str, Any] = request("{{host}}/me")
    for _ in range(40):
        item = {"name": "folder", "item": [item]}

    with pytest.raises(ImportRefused, match="is in more than 30 folders"):
        postman.imported_from(collection(item))


@pytest.mark.parametrize(
    "path",
    [
        "bot123456:AAE-dGhpc2lzYXNlY3JldA/users/me",
        "k/9f86d081884c7d659a2feaa0c55ad015/me",
        "users/550e8400-e29b-41d4-a716-446655440000/profile",
        "{{keyed}}/me",
        "k%2F9f86d081884c7d65/me",
    ],
)
def test_a_path_with_a_key_is_no_check(path: str) -> None:
    keyed = {"key": "keyed", "value": "https://api.rooms.example/9f86d081884c7d659a2feaa0"}
    url = path if path.startswith("{{") else f"https://api.rooms.example/{path}"
    one = postman.imported_from(collection(request(url), variable=[keyed]))

    definition = published(one)
    assert definition["manifest"]["baseUrl"] == "https://api.rooms.example"
    assert not one.has_check
    said = json.dumps([definition, one.notes])
    assert not any(key in said for key in ("dGhpc2", "9f86d0", "550e84"))
    assert "/item/0/request is no check: its path may have a key" in one.notes


def test_names_and_descriptions_have_no_keys() -> None:
    one = postman.imported_from(
        collection(
            request("{{host}}/me", name=f"me, as {KEY}"),
            info={"name": f"Rooms {KEY}", "description": f"Use {KEY} to try it."},
        )
    )

    definition = published(one)
    assert KEY not in json.dumps([definition, one.notes, one.name])
    assert definition["name"] == "Rooms …"
    assert steps_of(definition)[0]["name"] == "me, as …"
    assert "its description was left out: it may have a key" in one.notes


def test_a_password_of_words_is_not_in_a_description_or_a_query() -> None:
    url = {
        "raw": "{{host}}/me",
        "query": [{"key": "access_token", "value": "hunter"}, {"key": "page", "value": "2"}],
    }
    one = postman.imported_from(
        collection(request(url), info={"name": "R", "description": "The password is hunter."})
    )

    assert steps_of(published(one))[0]["request"]["query"] == {"page": "2"}
    assert "hunter" not in json.dumps([one.definition, one.notes])


def test_the_urls_of_oauth_have_no_query() -> None:
    oauth = [
        {"key": "accessTokenUrl", "value": "https://login.rooms.example/t?client_secret=hunter2"},
        {"key": "authUrl", "value": "https://login.rooms.example/a?login_hint=hunter2"},
        {"key": "scope", "value": f"rooms.read {KEY}"},
    ]
    one = postman.imported_from(
        collection(request("{{host}}/me"), auth={"type": "oauth2", "oauth2": oauth})
    )

    auth = published(one)["authConfig"]
    assert auth["tokenUrl"] == "https://login.rooms.example/t"
    assert auth["authorizationUrl"] == "https://login.rooms.example/a"
    assert auth["scopes"] == ["rooms.read"]


def test_a_variable_of_another_name_is_none_of_ours() -> None:
    definition = published(
        postman.imported_from(collection(request("https://{{variables.host}}/{{secrets.key}}/me")))
    )
    assert definition["variablesSchema"]["required"] == ["secrets_key", "variables_host"]


def test_a_variable_without_an_end_is_refused_at_once() -> None:
    began = time.process_time()
    url = "https://api.rooms.example/{{" + " " * 20_000 + "/me"
    one = postman.imported_from(collection(request(url), request("{{host}}/me")))
    assert one.has_check
    assert any("has a variable without an end" in note for note in one.notes)
    assert time.process_time() - began < 5


def test_the_check_is_sent_with_the_credential_of_the_definition() -> None:
    # Given a collection whose folders have credentials of their own
    basic = {"type": "basic", "basic": [{"key": "username", "value": "u"}]}
    one = postman.imported_from(
        collection(
            {"name": "Admin", "auth": basic, "item": [request("{{host}}/users/me", name="admin")]},
            {"name": "Public", "auth": {"type": "noauth"}, "item": [request("{{host}}/account")]},
            request("{{host}}/rooms", name="rooms"),
            request("{{host}}/rooms/list"),
        )
    )

    # Then most requests say which it is, and the check is one of them
    definition = published(one)
    assert definition["authConfig"]["authValuePrefix"] == "Bearer"
    assert [step["name"] for step in steps_of(definition)] == ["rooms"]
    assert "of the 2 credentials of its requests bearer was taken" in one.notes


def test_keys_in_different_places_are_different_credentials() -> None:
    def key(header: str) -> dict[str, Any]:
        attributes = [{"key": "key", "value": header}, {"key": "value", "value": KEY}]
        return {"type": "apikey", "apikey": attributes}

    one = postman.imported_from(
        collection(
            request("{{host}}/users/me", name="other", auth=key("X-Other")),
            request("{{host}}/rooms", name="rooms", auth=key("X-Key")),
            request("{{host}}/beds", auth=key("X-Key")),
        )
    )

    definition = published(one)
    assert definition["authConfig"]["authHeaderName"] == "X-Key"
    assert [step["name"] for step in steps_of(definition)] != ["other"]


@pytest.mark.parametrize(
    "auth", [{"type": 5}, {"type": ["basic"]}, {"type": "apikey", "apikey": 3}, {"basic": []}]
)
def test_a_credential_that_can_not_be_read_is_that_of_no_check(auth: Any) -> None:
    odd = request("{{host}}/users/me", name="odd", auth=auth)
    one = postman.imported_from(collection(odd, request("{{host}}/rooms", name="rooms")))

    definition = published(one)
    assert definition["authConfig"]["authValuePrefix"] == "Bearer"
    assert [step["name"] for step in steps_of(definition)] == ["rooms"]


def test_a_credential_for_each_request_takes_no_long_time() -> None:
    items = [
        request(f"{{{{host}}}}/r{n}", auth={"type": "apikey", "apikey": {"key": f"X-{n}"}})
        for n in range(postman.MAX_REQUESTS)
    ]
    began = time.process_time()

    assert postman.imported_from(collection(*items)).definition
    assert time.process_time() - began < 10


def test_odd_addresses_are_left_out_and_the_others_are_read() -> None:
    whole = {"protocol": "https", "host": ["api", "rooms", "example"], "path": ["v1", "me"]}
    one = postman.imported_from(
        collection(
            request("", method="POST"),
            request({"raw": ""}),
            request(None),
            request("{{a}}{{b}}/me"),
            request("{{a}}{{b}}/you"),
            request(whole, name="me"),
        )
    )

    definition = published(one)
    assert definition["manifest"]["baseUrl"] == "https://api.rooms.example"
    assert [step["request"]["url"] for step in steps_of(definition)] == [
        "https://api.rooms.example/v1/me"
    ]
    assert "a request was left out: /item/1/request/url: is empty" in one.notes


def test_a_collection_as_the_api_of_postman_answers_it_is_one() -> None:
    one = postman.imported_from({"collection": collection(request("{{host}}/me"))})

    assert one.has_check
