"""Recipes are read once for a release, and never served for another."""

import json
from typing import Any

import pytest

from patchbay.checks import recipe
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of

URL = "https://{{variables.region}}.api.example.com/v1/me"


def release(version: str = "1.0.0", url: str = URL, **changes: Any) -> Release:
    """A release as it comes from the table: no document is shared with another one."""
    published = {
        "id": "int_01",
        "workspaceId": "space",
        "slug": "tracker",
        "name": "Tracker",
        "description": None,
        "iconUrl": None,
        "publisher": "acme",
        "trustTier": "community",
        "currentVersion": version,
        "manifest": {
            "checks": {"steps": [{"name": "whoami", "kind": "http", "request": {"url": url}}]},
            "configurationSchema": {"properties": {"depth": {"type": "integer"}}},
        },
        "variablesSchema": {"properties": {"region": {"type": "string"}}},
        "authConfig": {"type": "api_key"},
        "visibility": "private",
        "createdBy": "usr",
        "deletedAt": None,
        "retentionTier": None,
        "createdAt": "2026-02-17T10:00:00Z",
        "updatedAt": "2026-02-17T10:00:00Z",
        "organization_id": "org_01",
        "revision": 1,
        "version": version,
        "publishedAt": "2026-02-17T10:00:00Z",
        "publishedBy": "usr",
    }
    return Release.model_validate_json(json.dumps(published | changes))


def test_a_release_is_read_once_however_often_it_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    # given
    read = []

    def read_once(*given: Any) -> tuple[list[Any], list[Any]]:
        read.append(given)
        return [], []

    monkeypatch.setattr(recipe, "read_steps", read_once)

    # when
    for _ in range(3):
        tested = release("2.0.0")
        recipe_of(tested).binding(tested.id, {"region": "eu"})
        recipe_of(tested).plan({"region": "eu"}, {"api_key": "key"})
        recipe_of(tested).configuration_problems({})

    # then
    assert len(read) == 1


def test_each_release_has_its_own_recipe() -> None:
    assert recipe_of(release()) is recipe_of(release(visibility="public", revision=7))
    assert recipe_of(release()) is not recipe_of(release("1.0.1"))


def test_a_release_with_other_documents_is_not_served_what_was_kept() -> None:
    # given two that are the same by name only
    first, second = release(), release(url="https://elsewhere.example.net/me")
    variables, secrets = {"region": "eu"}, {"api_key": "key"}
    recipe_of(first)

    # when
    plan = recipe_of(second).plan(variables, secrets)

    # then
    assert recipe_of(second).binding("int_01", variables)["destination"] == [
        "https://@elsewhere.example.net:443"
    ]
    assert plan.problems == ()
    assert recipe_of(second) is not recipe_of(first)


def test_the_recipe_that_was_not_used_for_longest_goes_first() -> None:
    # given a large release that is used again and again, and one that is not
    padding = {"properties": {"region": {"type": "string", "description": "x" * 60_000}}}
    oldest, used = (recipe_of(release(v, variablesSchema=padding)) for v in ("3.0.0", "3.1.0"))

    # when others come that are as large
    for minor in range(2, 40):
        recipe_of(release(f"3.{minor}.0", variablesSchema=padding))
        assert recipe_of(release("3.1.0", variablesSchema=padding)) is used

    # then
    assert recipe_of(release("3.0.0", variablesSchema=padding)) is not oldest


def test_a_binding_is_of_one_integration() -> None:
    one = recipe_of(release())
    assert one.binding("int_01", {}) != one.binding("int_02", {})


def test_configurations_are_held_to_the_schema() -> None:
    one = recipe_of(release())
    assert one.configuration_problems({"depth": 3}) == []
    assert [p.pointer for p in one.configuration_problems({"depth": "deep"})] == [
        "/configurations/depth"
    ]
