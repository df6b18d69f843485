"""What of a request is bound, kind by kind, and what an edit or a release may move."""

from typing import Any

import pytest

from patchbay.checks.recipe import Recipe

KEY = {"type": "api_key"}
TEXT = {"type": "string"}
HOST = {"type": "string", "format": "hostname"}


def step(url: str, *, name: str = "x", **more: Any) -> dict[str, Any]:
    request = {"url": url, **more.pop("request", {})}
    return {"name": name, "kind": "http", "request": request, **more}


def recipe(
    *steps: dict[str, Any],
    auth: dict[str, Any] | None = None,
    secrets: tuple[str, ...] = (),
    **variables: Any,
) -> Recipe:
    manifest = {
        "checks": {"steps": list(steps)},
        "secretsSchema": {"properties": dict.fromkeys(secrets, TEXT)},
    }
    made = Recipe(manifest, KEY if auth is None else auth, {"properties": variables})
    assert made.problems == ()
    return made


def bound(made: Recipe, **values: Any) -> dict[str, Any]:
    return made.binding("int_1", values)


def differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {part for part in one.keys() | other.keys() if one.get(part) != other.get(part)}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"authValuePrefix": "Token"}, "placement"),
        ({"authValuePrefix": ""}, "placement"),
        ({"authHeaderName": "X-Key", "authValuePrefix": "Bearer"}, "placement"),
        ({"tokenUrl": "https://auth.example.com/other"}, "token_url"),
    ],
)
def test_a_release_that_sends_the_credential_otherwise_has_another_binding(
    change: dict[str, Any], part: str
) -> None:
    before = recipe(step("https://api.example.com/"), auth={**KEY, "tokenUrl": "https://a.example"})
    after = recipe(
        step("https://api.example.com/"), auth={**KEY, "tokenUrl": "https://a.example", **change}
    )
    assert differing(bound(before), bound(after)) == {part}


@pytest.mark.parametrize("schema", [{"format": "uri"}, {"format": "uri-reference"}])
def test_the_case_of_the_path_of_a_url_matters(schema: dict[str, Any]) -> None:
    made = recipe(base=schema)
    assert bound(made, base="https://a.example/Acme") != bound(made, base="https://a.example/acme")


def test_the_case_and_the_last_dot_of_a_host_do_not_matter() -> None:
    nested = {"type": "object", "properties": {"at": HOST, "note": TEXT}}
    made = recipe(server=nested, host=HOST)
    one = bound(made, server={"at": "A.example.com.", "note": "n"}, host="B.example.")
    other = bound(made, server={"at": "a.example.com", "note": "m"}, host="b.example")
    assert one == other
    assert one["variables"] == {"server/at": "a.example.com", "host": "b.example"}
    # Only one dot is that of the root
    assert bound(made, host="b.example..")["variables"] == {"host": "b.example."}
    # And another host is another binding
    moved = bound(made, server={"at": "c.example.com"}, host="b.example")
    assert differing(moved, other) == {"variables"}


def test_moving_a_variable_to_another_step_needs_no_secret_but_moving_a_secret_does() -> None:
    def of(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
        made = recipe(
            step("https://a.example/", name="a", auth=False, request={"headers": first}),
            step("https://b.example/", name="b", auth=False, request={"headers": second}),
            secrets=("token",),
            team=TEXT,
        )
        return bound(made, team="t")

    variable, secret = {"X-Team": "{{variables.team}}"}, {"X-Token": "{{secrets.token}}"}
    assert of(variable, {}) == of({}, variable)
    assert differing(of(secret, {}), of({}, secret)) == {"sent"}
    assert of(secret, {})["sent"] == ["token to https://@a.example:443"]


def test_a_client_key_is_a_secret_that_goes_somewhere() -> None:
    tls = {"clientCertificate": "{{secrets.cert}}", "clientKey": "{{secrets.key}}"}
    made = recipe(
        step("https://a.example/", name="a", auth=False, **tls),
        step("https://b.example/", name="b", auth=False),
        secrets=("cert", "key"),
    )
    assert bound(made)["sent"] == [
        "cert to https://@a.example:443",
        "key to https://@a.example:443",
    ]
    # The first version knew required secrets only
    assert made.first_binding("int_1", {})["sent"] == []


def test_the_default_of_a_variable_is_bound() -> None:
    made = recipe(
        step("https://a.example/{{variables.tenant}}"), tenant={"type": "string", "default": "t"}
    )
    assert bound(made) == bound(made, tenant="t")
    assert bound(made)["variables"] == {"tenant": "t"}


def test_a_variable_of_a_host_and_of_a_path_is_bound_in_both() -> None:
    made = recipe(step("https://{{variables.t}}.example.com/{{variables.t}}"), t=TEXT)
    one, other = bound(made, t="Acme"), bound(made, t="acme")
    assert differing(one, other) == {"variables"}
    only_host = recipe(step("https://{{variables.t}}.example.com/"), t=TEXT)
    assert bound(only_host, t="Acme") == bound(only_host, t="acme")


POSTGRES = {
    "name": "db",
    "kind": "postgres",
    "host": "{{variables.server}}",
    "user": "{{variables.who}}",
    "database": "{{variables.db}}",
    "password": "{{secrets.password}}",
    "options": {"search_path": "{{variables.path}}"},
}


def test_the_database_and_its_options_are_bound() -> None:
    made = recipe(
        POSTGRES, auth={}, secrets=("password",), server=HOST, who=TEXT, db=TEXT, path=TEXT
    )
    values = {"server": "db.example.com", "who": "u", "db": "d", "path": "p"}
    before = bound(made, **values)
    for name, part in (("who", "destination"), ("db", "variables"), ("path", "variables")):
        assert differing(before, bound(made, **{**values, name: "x"})) == {part}


TOKEN = {
    "name": "token",
    "kind": "oauth2_token",
    "grant": "client_credentials",
    "tokenUrl": "https://auth.example.com/{{variables.tenant}}/token",
    "audience": "{{variables.audience}}",
}
OAUTH = {"type": "oauth2", "tokenUrl": "https://a.example/t", "grantType": "client_credentials"}


@pytest.mark.parametrize("name", ["tenant", "audience"])
def test_what_a_token_is_requested_with_is_bound(name: str) -> None:
    made = recipe(TOKEN, auth=OAUTH, tenant=TEXT, audience=TEXT)
    values = {"tenant": "t", "audience": "a"}
    assert differing(bound(made, **values), bound(made, **{**values, name: "x"})) == {"variables"}


def test_a_record_of_the_dns_decides_nothing() -> None:
    made = recipe(
        {
            "name": "x",
            "kind": "dns",
            "record": {
                "type": "TXT",
                "name": "{{variables.zone}}.example.com",
                "contains": "{{variables.proof}}",
            },
        },
        zone=TEXT,
        proof=TEXT,
    )
    assert bound(made, zone="a", proof="p")["variables"] == {}
    assert made.places({"zone": "a", "proof": "p"}) == []


def test_the_places_are_hosts_whatever_users_and_options_say() -> None:
    made = recipe(
        step(
            "https://{{variables.h}}/",
            name="a",
            request={"basic": {"username": "{{variables.u}}", "password": "{{secrets.api_key}}"}},
        ),
        {**POSTGRES, "options": {"options": "{{variables.path}}"}},
        secrets=("password",),
        h=HOST,
        u=TEXT,
        server=HOST,
        who=TEXT,
        db=TEXT,
        path=TEXT,
    )
    values = {
        "h": "A.example",
        "u": "x@good.example 1",
        "server": "evil.example",
        "who": "y@good.example",
        "db": "d",
        "path": "endpoint=x@good.example",
    }
    assert made.places(values) == ["https://a.example:443", "postgres://evil.example:5432"]
