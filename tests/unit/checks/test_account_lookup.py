"""One GET after an account was connected."""

import json
from pathlib import Path
from typing import Any

import pytest

from patchbay.checks.account_lookup import MAX_LABEL, MAX_OPTIONS, LookupOption
from patchbay.checks.failures import CheckFailure
from patchbay.checks.templates import ValueRefused
from patchbay.egress.guard import EgressGuard
from tests.unit.checks.doubles import http_response
from tests.unit.checks.oauth_targets import HOST, HOSTNAME, STRING, TokenServer, problems, recipe

VARIABLES = {"cloud_id": STRING, "site": STRING, "host": HOSTNAME}
JIRA = [
    {"id": "c-1", "name": "Acme", "url": "https://acme.atlassian.net"},
    {"id": "c-2", "name": "Other", "url": "https://other.atlassian.net"},
]
CHOICE: dict[str, Any] = {"choose": {"from": "", "label": "/name"}, "captures": {"/id": "cloud_id"}}


def looked_up(
    tmp_path: Path, document: Any, status: str = "200 OK", **lookup: Any
) -> tuple[tuple[LookupOption, ...], TokenServer]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    server = TokenServer(tmp_path, http_response(status, body))

    async def ask(port: int, guard: EgressGuard, deadline: float) -> tuple[LookupOption, ...]:
        spec = {"url": f"https://{HOST}:{port}/sites?limit=2", **lookup}
        made = recipe(lookup=spec, variables=VARIABLES)
        assert made.problems == ()
        assert made.authorization
        call = made.authorization.lookup({}, "the-token", "the-client")
        assert call
        return await call.run(guard, deadline=deadline)

    return server.run(ask), server


@pytest.mark.enable_socket
def test_one_account_fills_its_variables(tmp_path: Path) -> None:
    found, server = looked_up(
        tmp_path,
        {"data": {"id": 7, "host": "https://eu.example.com"}},
        captures={
            "/data/id": "cloud_id",
            "/data/host": {"variable": "host", "hosts": ["*.example.com"]},
        },
        headers={"X-Version": "2"},
    )

    assert found == (LookupOption("7", {"cloud_id": "7", "host": "eu.example.com"}),)
    head = server.heads[0]
    assert head.startswith("GET /sites?limit=2 ")
    assert "Authorization: Bearer the-token\r\n" in head
    assert "X-Version: 2\r\n" in head


@pytest.mark.enable_socket
def test_a_person_chooses_among_several(tmp_path: Path) -> None:
    found, _ = looked_up(tmp_path, JIRA, **CHOICE)

    assert found == (
        LookupOption("Acme", {"cloud_id": "c-1"}),
        LookupOption("Other", {"cloud_id": "c-2"}),
    )


@pytest.mark.enable_socket
def test_the_list_may_be_inside_an_object_and_without_labels(tmp_path: Path) -> None:
    spec: dict[str, Any] = {
        "choose": {"from": "/values"},
        "captures": {"/id": "cloud_id", "/url": "site"},
    }
    found, _ = looked_up(tmp_path, {"values": JIRA[:1]}, **spec)

    assert found == (
        LookupOption("c-1", {"cloud_id": "c-1", "site": "https://acme.atlassian.net"}),
    )


@pytest.mark.enable_socket
def test_items_without_all_variables_are_left_out_and_many_are_cut_off(tmp_path: Path) -> None:
    found, _ = looked_up(tmp_path, [{"name": "no id"}, *JIRA], **CHOICE)
    assert [one.label for one in found] == ["Acme", "Other"]
    many = [{"id": str(n), "name": "x" * 300} for n in range(MAX_OPTIONS + 1)]
    found, _ = looked_up(tmp_path, many, **CHOICE)
    assert len(found) == MAX_OPTIONS
    assert found[0].label == "x" * MAX_LABEL


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("name", "label"),
    [("a\r\nb\x00", "ab"), ("", "c-1"), ("  ", "c-1"), (None, "c-1"), (True, "c-1"), (5, "5")],
)
def test_a_label_is_a_line_of_text(tmp_path: Path, name: Any, label: str) -> None:
    found, _ = looked_up(tmp_path, [{"id": "c-1", "name": name}], **CHOICE)

    assert found[0].label == label


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("document", "status", "spec", "code"),
    [
        ([], "200 OK", CHOICE, "config_invalid"),
        ({}, "200 OK", {"captures": {"/id": "cloud_id"}}, "unexpected_response"),
        ("text", "200 OK", CHOICE, "unexpected_response"),
        (b"<html>", "200 OK", CHOICE, "unexpected_response"),
        ({"error": "invalid_token"}, "401 Unauthorized", CHOICE, "auth_invalid"),
        ([], "302 Found", CHOICE, "unexpected_response"),
        (
            {"h": "evil.example.org"},
            "200 OK",
            {"captures": {"/h": {"variable": "host", "hosts": ["*.example.com"]}}},
            "unexpected_response",
        ),
    ],
)
def test_an_answer_that_is_not_as_expected(
    tmp_path: Path, document: Any, status: str, spec: dict[str, Any], code: str
) -> None:
    with pytest.raises(CheckFailure) as failed:
        looked_up(tmp_path, document, status, **spec)

    assert failed.value.code == code
    assert "evil" not in failed.value.summary


@pytest.mark.enable_socket
def test_a_dial_that_fails_is_a_failure(tmp_path: Path) -> None:
    async def ask(port: int, guard: EgressGuard, deadline: float) -> None:
        spec = {"url": "https://other.example.net/", "captures": {"/id": "site"}}
        made = recipe(lookup=spec, variables=VARIABLES).authorization
        assert made
        call = made.lookup({}, "t", "c")
        assert call
        await call.run(guard, deadline=deadline)

    with pytest.raises(CheckFailure) as failed:
        TokenServer(tmp_path).run(ask)
    assert failed.value.code == "dns_error"


def test_a_release_without_a_lookup_asks_nothing() -> None:
    made = recipe().authorization

    assert made
    assert made.lookup({}, "t", "c") is None


def test_a_variable_leads_to_https_only() -> None:
    made = recipe(
        lookup={"url": "{{variables.base}}/me", "captures": {"/id": "site"}},
        variables={**VARIABLES, "base": {"type": "string", "format": "uri"}},
    ).authorization
    assert made
    with pytest.raises(ValueRefused):
        made.lookup({"base": "http://a.example.com"}, "t", "c")


@pytest.mark.parametrize(
    ("lookup", "pointer"),
    [
        ([], ""),
        ({"captures": {"/id": "site"}}, "/url"),
        ({"url": "http://a.example.com/", "captures": {"/id": "site"}}, "/url"),
        ({"url": "https://a.example.com/"}, "/captures"),
        ({"url": "https://a.example.com/", "captures": {"id": "site"}}, "/captures/id"),
        ({"url": "https://a.example.com/", "captures": {"/id": "none"}}, "/captures/~1id"),
        (
            {"url": "https://a.example.com/", "captures": {"/i": "site"}, "method": "POST"},
            "/method",
        ),
        (
            {
                "url": "https://a.example.com/",
                "captures": {"/i": "site"},
                "choose": {"label": "/n"},
            },
            "/choose/from",
        ),
        (
            {"url": "https://a.example.com/", "captures": {"/i": "site"}, "choose": {"from": "x"}},
            "/choose/from",
        ),
        (
            {
                "url": "https://a.example.com/",
                "captures": {"/i": "site"},
                "choose": {"from": "", "label": 1},
            },
            "/choose/label",
        ),
        (
            {
                "url": "https://a.example.com/",
                "captures": {"/i": "site"},
                "headers": {"authorization": "x"},
            },
            "/headers/authorization",
        ),
    ],
)
def test_what_can_not_be_is_a_problem(lookup: Any, pointer: str) -> None:
    assert list(problems(lookup=lookup, variables=VARIABLES)) == [f"/authConfig/lookup{pointer}"]


def test_a_lookup_may_name_the_client_and_never_its_secret() -> None:
    spec = {
        "url": f"https://{HOST}/{{{{secrets.client_id}}}}/me",
        "headers": {"Client-Id": "{{secrets.client_id}}"},
        "captures": {"/id": "cloud_id"},
    }
    made = recipe(lookup=spec, variables=VARIABLES).authorization
    assert made
    call = made.lookup({}, "the-token", "the-client")
    assert call
    assert call.request.target.path == "/the-client/me"
    assert ("Client-Id", "the-client") in call.request.headers

    only = "may not have a secret other than access_token and client_id"
    for name in ("client_secret", "refresh_token", "signing"):
        of_secret = f"{{{{secrets.{name}}}}}"
        manifest = {"secretsSchema": {"properties": {"signing": {"type": "string"}}}}
        found = problems(
            manifest,
            variables=VARIABLES,
            lookup=spec | {"url": f"https://{HOST}/{of_secret}", "headers": {"X-Key": of_secret}},
        )
        assert found == {
            "/authConfig/lookup/url": only,
            "/authConfig/lookup/headers/X-Key": only,
        }
