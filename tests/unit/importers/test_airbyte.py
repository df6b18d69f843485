"""A registry in the form of Airbyte's, in words of our own."""

import time
from typing import Any

import pytest
from patchbay_importers import airbyte
from patchbay_importers.imported import Imported, totals
from patchbay_importers.refusals import ImportRefused

from tests.unit.importers.publishable import published, steps_of


def connector(specification: Any, name: str = "Ledger", **members: Any) -> dict[str, Any]:
    return {
        "name": name,
        "dockerRepository": f"airbyte/source-{name.lower()}",
        "documentationUrl": "https://docs.example.com/ledger",
        "license": "MIT",
        "spec": {"connectionSpecification": specification},
        **members,
    }


def imported(specification: Any, **members: Any) -> Imported:
    (one,) = airbyte.imported_from({"sources": [connector(specification, **members)]})
    return one


def test_a_flat_form() -> None:
    one = imported(
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "required": ["api_key", "account"],
            "additionalProperties": True,
            "properties": {
                "api_key": {
                    "type": "string",
                    "airbyte_secret": True,
                    "examples": ["k"],
                    "order": 1,
                },
                "account": {
                    "type": "string",
                    "title": "Account",
                    "order": 0,
                    "pattern": "^[a-z]+$",
                    "pattern_descriptor": "letters",
                    "group": "auth",
                    "always_show": True,
                },
                "hidden": {"type": "string", "airbyte_hidden": True},
                "query": {"type": "string", "multiline": True},
                "limit": {"type": "integer", "minimum": 1, "default": "ten"},
                "look": {"type": "string", "pattern": "^(?!x)"},
            },
        }
    )

    definition = published(one)
    assert definition["slug"] == "source-ledger"
    assert definition["authConfig"] == {"type": "none"}
    assert definition["description"].endswith("source-ledger. License: MIT.")
    assert definition["manifest"]["roles"] == ["source"]
    assert definition["manifest"]["secretsSchema"] == {
        "type": "object",
        "required": ["api_key"],
        "properties": {"api_key": {"type": "string", "x-order": 1}},
    }
    assert definition["variablesSchema"] == {
        "type": "object",
        "required": ["account"],
        "properties": {
            "account": {
                "type": "string",
                "title": "Account",
                "pattern": "^[a-z]+$",
                "x-order": 0,
                "x-pattern-words": "letters",
                "x-group": "auth",
            },
            "query": {"type": "string", "x-multiline": True},
            "limit": {"type": "integer", "minimum": 1},
            "look": {"type": "string"},
        },
    }
    assert one.line([]).startswith("Ledger: published, no check\n")


def test_one_choice_of_several_with_secrets_is_flattened() -> None:
    one = imported(
        {
            "type": "object",
            "required": ["credentials"],
            "properties": {
                "credentials": {
                    "title": "How",
                    "oneOf": [
                        {
                            "required": ["auth_type", "token"],
                            "properties": {
                                "auth_type": {"const": "token"},
                                "token": {"type": "string", "airbyte_secret": True},
                            },
                        },
                        {
                            "properties": {
                                "auth_type": {"const": "pair"},
                                "user": {"type": "string"},
                                "password": {"type": "string", "airbyte_secret": True},
                            }
                        },
                    ],
                }
            },
        },
        name="Choice",
    )

    definition = published(one)
    assert set(definition["manifest"]["secretsSchema"]["properties"]) == {
        "credentials_token",
        "credentials_password",
    }
    assert definition["variablesSchema"] == {
        "type": "object",
        "properties": {
            "credentials_auth_type": {"type": "string", "enum": ["token", "pair"], "title": "How"},
            "credentials_user": {"type": "string"},
        },
    }
    assert one.notes[0].startswith("credentials is one choice of 2")


def test_what_has_no_secret_keeps_its_form() -> None:
    one = imported(
        {
            "type": "object",
            "properties": {
                "range": {
                    "type": "object",
                    "oneOf": [
                        {"title": "Days", "properties": {"days": {"type": ["integer", "null"]}}},
                        {"title": "All", "properties": {"all": {"type": "bool"}}},
                    ],
                }
            },
        }
    )

    assert published(one)["variablesSchema"]["properties"]["range"] == {
        "type": "object",
        "oneOf": [
            {"title": "Days", "properties": {"days": {"type": ["integer", "null"]}}},
            {"title": "All", "properties": {"all": {}}},
        ],
    }


def test_connections_by_oauth_need_code() -> None:
    one = imported({"type": "object", "properties": {}})
    (other,) = airbyte.imported_from(
        {
            "destinations": [
                {
                    **connector({"type": "object", "properties": {}}),
                    "spec": {
                        "connectionSpecification": {"type": "object"},
                        "advanced_auth": {"auth_flow_type": "oauth2.0"},
                    },
                }
            ]
        }
    )

    assert not one.needs_code
    assert other.needs_code
    assert published(other)["manifest"]["roles"] == ["destination"]
    assert totals([(one, []), (other, ["/x: wrong"])]) == {
        "published": 1,
        "draft": 1,
        "not imported": 0,
        "no check": 2,
        "needs code": 1,
    }


def test_only_those_that_are_named_by_name_or_repository() -> None:
    form = {"type": "object", "properties": {}}
    registry = {"sources": [connector(form, name) for name in ("One", "Two", "Three")]}

    found = airbyte.imported_from(registry, only=["One", "source-two", "Four"])

    assert [one.name for one in found] == ["One", "Two", "Four"]


@pytest.mark.parametrize(
    ("specification", "said"),
    [
        (None, "must be an object"),
        ({"properties": ["a"]}, "/properties: must be an object"),
        ({"properties": {"a": 1}}, "/properties/a: must be an object"),
        (
            {"properties": {"l": {"type": "array", "items": {"airbyte_secret": True}}}},
            "/properties/l: is a list with secrets in it",
        ),
    ],
)
def test_a_wrong_form_is_refused_at_its_place(specification: object, said: str) -> None:
    one = imported(specification)

    assert one.definition is None
    assert one.refused is not None
    assert one.refused.startswith("/sources/0/spec/connectionSpecification")
    assert said in one.refused


def test_a_form_that_is_nested_without_end_is_refused() -> None:
    form: dict[str, Any] = {"type": "object", "properties": {}}
    form["properties"]["self"] = {"type": "object", "properties": {"deep": {}}}
    level = form["properties"]["self"]
    for _ in range(50):
        level["properties"]["deep"] = {"type": "object", "properties": {"deep": {}}}
        level = level["properties"]["deep"]

    assert "nested" in str(imported(form).refused)


def test_a_connector_without_a_name_is_refused_at_its_place() -> None:
    found = list(airbyte.imported_from({"sources": [{}, 3, {"name": "x"}]}))

    assert [one.refused for one in found] == [
        "/sources/0/dockerRepository: must be a string",
        "/sources/1/dockerRepository: must be a string",
        "/sources/2/dockerRepository: must be a string",
    ]


@pytest.mark.parametrize("document", [None, [], {"a": 1}])
def test_what_is_no_registry_is_refused(document: object) -> None:
    with pytest.raises(ImportRefused, match="sources or destinations"):
        list(airbyte.imported_from(document))


def test_no_check_is_made_up() -> None:
    assert steps_of(published(imported({"type": "object", "properties": {}}))) == []


def test_choices_are_each_there_once_and_many_take_no_time() -> None:
    many = [str(number) for number in range(60_000)]
    rule = {"type": "string", "enum": ["a", 1, True, "a", *many]}
    began = time.process_time()

    [one] = airbyte.imported_from(
        {"sources": [connector({"type": "object", "properties": {"choice": rule}})]}
    )

    assert one.definition is not None
    choices = one.definition["variablesSchema"]["properties"]["choice"]["enum"]
    assert choices == ["a", 1, True, *many]
    assert time.process_time() - began < 5
