"""What the members of `authConfig` and the base URL add to the binding: only where a release has
them."""

from typing import Any

import pytest

from patchbay.checks.templates import Values
from patchbay.checks.url_members import url_place
from tests.unit.checks.oauth_targets import HOSTNAME, STRING, URI, problems, recipe

BEFORE = {
    "version": 2,
    "destination": [],
    "placement": ["authorization", "Bearer "],
    "token_url": "https://auth.example.net/token",
    "integration": "int_1",
    "variables": {},
}


def bound(values: dict[str, Any] | None = None, /, **more: Any) -> dict[str, Any]:
    made = recipe(more.pop("manifest", None), **more)
    assert made.problems == ()
    return made.binding("int_1", values or {})


def test_a_release_without_new_members_has_the_binding_that_it_had() -> None:
    assert bound() == BEFORE
    assert bound(grantType="client_credentials") == BEFORE
    # What does not decide where a secret goes is not in it.
    more: dict[str, Any] = {
        "pkce": "none",
        "authorizationParams": {"prompt": "consent"},
        "refreshParams": {"a": "b"},
        "tokenResponse": {"accessToken": "/t"},
        "defaultExpiresIn": 60,
        "capture": {"callback": {"realmId": "realm"}},
        "variables": {"realm": STRING},
    }
    assert bound({"realm": "1"}, **more) == BEFORE


def test_urls_that_get_secrets_are_a_part_of_it() -> None:
    found = bound(
        manifest={"baseUrl": "https://api.example.net/v1"},
        refreshUrl="https://auth.example.net/refresh",
        revocationUrl="https://auth.example.net/app-{{secrets.client_id}}-{{variables.v}}?a=b&c={{variables.v}}",
        lookup={"url": "https://api.example.net/me", "captures": {"/id": "realm"}},
        variables={"realm": STRING, "v": STRING | {"default": "v-1"}},
    )

    assert found == {
        **BEFORE,
        "variables": {"v": "v-1"},
        "urls": {
            "refreshUrl": "https://auth.example.net:443/refresh",
            "revocationUrl": "https://auth.example.net:443/app-{{secrets.client_id}}-v-1?a=b&c=v-1",
            "lookup/url": "https://api.example.net:443/me",
            "baseUrl": "https://api.example.net:443/v1",
        },
    }


def test_variables_of_a_token_url_are_filled_in() -> None:
    more: dict[str, Any] = {
        "tokenUrl": "https://{{variables.region}}.example.net/{{variables.tenant}}/token",
        "variables": {"region": STRING, "tenant": STRING},
    }
    found = bound({"region": "eu", "tenant": "T-1"}, **more)

    assert found["urls"] == {"tokenUrl": "https://eu.example.net:443/T-1/token"}
    for other in ({"region": "us", "tenant": "T-1"}, {"region": "eu", "tenant": "t-1"}):
        assert bound(other, **more)["urls"] != found["urls"]
    assert bound({}, **more)["urls"] == {"tokenUrl": "none: /variables/region"}
    assert bound({"region": "eu"}, **more)["urls"] == {
        "tokenUrl": "https://eu.example.net:443/{{variables.tenant}}/token"
    }


def test_a_captured_host_is_bound_like_one_that_was_entered() -> None:
    more: dict[str, Any] = {
        "tokenUrl": "https://{{variables.accounts}}/token",
        "capture": {"callback": {"s": {"variable": "accounts", "hosts": ["*.zoho.com"]}}},
        "variables": {"accounts": HOSTNAME},
    }

    assert bound({"accounts": "a.zoho.com"}, **more) != bound({"accounts": "b.zoho.com"}, **more)
    assert bound({"accounts": "A.zoho.com"}, **more) == bound({"accounts": "a.zoho.com"}, **more)


def test_what_a_request_for_a_token_sends_is_bound() -> None:
    members: list[dict[str, Any]] = [
        {"tokenParams": {"account_id": "{{variables.account}}"}},
        {"refreshParams": {"account_id": "{{variables.account}}"}},
        {"tokenHeaders": {"X-Account": {"optional": "{{variables.account}}"}}},
        {
            "revocationUrl": "https://auth.example.net/revoke",
            "revocation": {"headers": {"X-Account": "{{variables.account}}"}},
        },
    ]
    for member in members:
        more: dict[str, Any] = {**member, "variables": {"account": STRING}}
        assert bound({"account": "a"}, **more)["variables"] == {"account": "a"}
        free = {**member, "variables": {"account": STRING | {"x-binding": "free"}}}
        assert bound({"account": "a"}, **free)["variables"] == {}


@pytest.mark.parametrize(
    "member",
    [
        {"tokenUrl": "https://auth.example.net/{{variables.v}}"},
        {"refreshUrl": "https://{{variables.v}}.example.net/"},
        {"revocationUrl": "https://auth.example.net/?a={{variables.v}}"},
    ],
)
def test_a_variable_of_these_urls_can_not_be_free(member: dict[str, Any]) -> None:
    made = recipe(**member, variables={"v": STRING | {"x-binding": "free"}})

    assert [one.pointer for one in made.binding_problems()] == [
        "/variablesSchema/properties/v/x-binding"
    ]


def test_the_base_url_has_a_host_and_no_query() -> None:
    at = "/manifest/baseUrl"
    assert problems({"baseUrl": "https://a.example.net/?x=1"}) == {at: "may not have a query"}
    assert problems({"baseUrl": 1}) == {at: "must be a string"}
    assert list(problems({"baseUrl": "ftp://a.example.net/"})) == [at]
    made = recipe({"baseUrl": "{{variables.api}}/v1"}, variables={"api": URI})
    assert made.base_url
    assert made.base_url.fill(Values({"api": "https://a.example.net/x"}, {})) == (
        "https://a.example.net/x/v1"
    )
    assert url_place(made.base_url, Values({"api": "https://a.example.net/x"}, {})) == (
        "https://a.example.net/x/v1"
    )


def test_secrets_are_in_it_by_their_names() -> None:
    made = recipe({"baseUrl": "https://a.example.net/bot{{secrets.client_id}}"})

    assert made.base_url
    assert url_place(made.base_url, Values({}, {"client_id": "hush"})) == (
        "https://a.example.net:443/bot{{secrets.client_id}}"
    )


def test_a_draft_whose_credential_is_wrong_has_a_binding() -> None:
    made = recipe({"baseUrl": "https://a.example.net/"}, authHeaderName="Host")

    assert made.base_url is None
    assert made.binding("int_1", {})["placement"] == []
