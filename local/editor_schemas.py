"""Writes the JSON Schemas of docs/schemas, by which editors complete and check files.

    python -m local.editor_schemas            write them
    python -m local.editor_schemas --check    exit 1 if one of them is out of date

| schema | of | made from |
|---|---|---|
| `definition` | a definition file | the API document, the model of manifests, the members of each kind of check, and `auth-config` |
| `space`, `organization` | files of `patchbay apply` | the shapes that `apply` reads, with the words of the API document |
| `values` | `patchbay dev --values` | here |

`auth-config.schema.json`, beside them, is written by hand. So is `editor_schemas.json`: what steps
and forms have, in words. A kind whose members it does not know fails here, so none is forgotten.

A schema may accept what publishing refuses, such as a placeholder that is not declared. It must
never refuse what publishing accepts.
"""  # noqa: E501 - the rows of the table

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from patchbay_cli.applying.shapes import OrganizationEntry, SpaceEntry
from pydantic import TypeAdapter

from local.paths import ROOT
from local.written_files import settle
from patchbay.checks.auth_config import TOKEN_KEYS
from patchbay.checks.kinds import KINDS, kind_of
from patchbay.checks.status_meanings import CODES, PROVES_ACCESS
from patchbay.checks.tls_members import TLS_KEYS
from patchbay.platform.json_schema import DIALECT
from patchbay.registry.manifest import Manifest

FOLDER: Final = ROOT / "docs" / "schemas"
AUTH_CONFIG: Final = FOLDER / "auth-config.schema.json"
WORDS: Final = ROOT / "local" / "editor_schemas.json"
DOCUMENT: Final = ROOT / "layers/patchbay/patchbay/platform/openapi.json"

type Schema = dict[str, Any]

_BODIES: Final = {
    "SpaceEntry": "NewSpace",
    "StatusPageEntry": "StatusPage",
    "ConnectionEntry": "NewConnection",
    "AlertRuleEntry": "NewAlertRule",
    "EndpointEntry": "NewEndpoint",
    "ApiKeyEntry": "NewApiKey",
}
"""The bodies of the API that have the members of a file, and words for them."""
_OF_FORMS: Final = ("variablesSchema", "configurationSchema", "secretsSchema")


class Wordless(Exception):
    """Something has no words yet."""


def schemas() -> dict[str, Schema]:
    """All that are made here, by name."""
    words = json.loads(WORDS.read_text())
    document = json.loads(DOCUMENT.read_text())["components"]["schemas"]
    return {
        "definition": _definition(words, document),
        "space": _of_shape(SpaceEntry, "A space of `patchbay apply`", document),
        "organization": _of_shape(
            OrganizationEntry, "organization.json of `patchbay apply`", document
        ),
        "values": _values(),
    }


def _definition(words: Mapping[str, Any], document: Mapping[str, Any]) -> Schema:
    body = document["NewIntegration"]
    members = {name: rule for name, rule in body["properties"].items() if name != "workspaceId"}
    found = {name: _untitled(_resolved(rule, document)) for name, rule in members.items()}
    for name, definition in (
        ("manifest", "manifest"),
        ("variablesSchema", "form"),
        ("authConfig", "authConfig"),
    ):
        found[name] = {
            "description": found[name]["description"],
            "anyOf": [{"$ref": f"#/$defs/{definition}"}, {"type": "null"}],
        }
    auth_config = json.loads(AUTH_CONFIG.read_text())
    return {
        "$schema": DIALECT,
        "title": "A definition of an integration",
        "description": "A file of `patchbay lint`, `dev`, and `apply`. Publishing checks more than "
        "a schema can say: that a placeholder is declared, for example.",
        "type": "object",
        "required": [*(name for name in body["required"] if name != "workspaceId"), "version"],
        "additionalProperties": False,
        "properties": words["file"] | found,
        "$defs": {
            **words["$defs"],
            "meaning": {"enum": [*sorted(CODES), PROVES_ACCESS]},
            **_manifest(words),
            **_steps(words, auth_config),
            **{f"auth_{name}": rule for name, rule in _of_auth(auth_config["$defs"]).items()},
            "authConfig": _of_auth(
                {
                    name: rule
                    for name, rule in auth_config.items()
                    if name not in ("$schema", "$defs")
                }
            ),
        },
    }


def _manifest(words: Mapping[str, Any]) -> Schema:
    """The model of manifests, with words, and what its parts are."""
    schema = _untitled(Manifest.model_json_schema(by_alias=True))
    parts = schema.pop("$defs")
    schema["description"] = "How to test the integration, and what it offers."
    schema["properties"]["checks"] = {
        "type": "object",
        "additionalProperties": False,
        "properties": words["checks"],
    }
    for name in _OF_FORMS:
        if name in schema["properties"]:
            schema["properties"][name] = {"$ref": "#/$defs/form"}
    _same_names("the manifest", words["manifest"], schema["properties"])
    for name, text in words["manifest"].items():
        schema["properties"][name]["description"] = text
    return {"manifest": schema, **parts}


def _steps(words: Mapping[str, Any], auth_config: Schema) -> Schema:
    """A step, an alternative of `any_of`, and the members of each kind."""
    _same_names("the kinds of checks", words["kinds"], KINDS)
    _same_names("TLS", words["tls"], TLS_KEYS)
    made: Schema = {}
    for name, kind in words["kinds"].items():
        members = dict(kind["properties"])
        keys = kind_of(name).keys
        if keys >= TLS_KEYS:
            members |= words["tls"]
        if keys >= TOKEN_KEYS:
            of_auth = _of_auth(auth_config["properties"])
            members |= {key: of_auth[key] for key in sorted(TOKEN_KEYS)}
        _same_names(f"the kind {name}", members, keys)
        made[f"kind_{name}"] = kind | {"properties": members}
    branches = [
        {
            "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
            "then": {"$ref": f"#/$defs/kind_{name}"},
        }
        for name in KINDS
    ]
    kinds = {"kind": words["step"]["kind"] | {"enum": list(KINDS)}}

    def step(required: list[str], properties: Schema, description: str) -> Schema:
        return {
            "description": description,
            "type": "object",
            "required": required,
            "properties": properties,
            "allOf": branches,
            "unevaluatedProperties": False,
        }

    made["step"] = step(["name", "kind"], words["step"] | kinds, "One step of a test.")
    made["alternative"] = step(["kind"], kinds, "A step without a name.")
    return made


def _values() -> Schema:
    by_name = {"type": "object", "additionalProperties": True}
    return {
        "$schema": DIALECT,
        "title": "Values of `patchbay dev --values`",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "$schema": {"description": "For your editor."},
            "variables": by_name | {"description": "Of the definition's variablesSchema."},
            "secrets": by_name
            | {
                "description": "By their names. Nobody but you may read the file then.",
                "additionalProperties": {"type": "string"},
            },
            "configurations": by_name | {"description": "Of a connection."},
        },
    }


def _of_shape(shape: Any, title: str, document: Mapping[str, Any]) -> Schema:
    """The schema of a file that `apply` reads."""
    made = TypeAdapter(shape).json_schema()
    parts = made.pop("$defs")
    for name, part in [(shape.__name__, made), *parts.items()]:
        part.pop("description", None)
        if "properties" not in part:
            continue
        part["additionalProperties"] = False
        body = document.get(_BODIES.get(name, name), {}).get("properties", {})
        for member, rule in part["properties"].items():
            if text := body.get(member, {}).get("description"):
                rule["description"] = text
    made["properties"] = {
        "$schema": {"description": "For your editor."},
        **made["properties"],
    }
    whole = _untitled(made | {"$defs": dict(sorted(parts.items()))})
    return {"$schema": DIALECT, "title": title, **whole}


def _resolved(rule: Any, document: Mapping[str, Any]) -> Any:
    """A rule of the API document that refers to nothing outside itself."""
    match rule:
        case {"$ref": str(place)}:
            return _resolved(document[place.rpartition("/")[2]], document)
        case dict():
            return {name: _resolved(value, document) for name, value in rule.items()}
        case list():
            return [_resolved(item, document) for item in rule]
    return rule


def _of_auth(rules: Any) -> Any:
    """Rules of `authConfig`, whose definitions have a prefix here."""
    match rules:
        case {"$ref": str(place), **others}:
            return others | {"$ref": place.replace("#/$defs/", "#/$defs/auth_")}
        case dict():
            return {name: _of_auth(rule) for name, rule in rules.items()}
        case list():
            return [_of_auth(rule) for rule in rules]
    return rules


def _untitled(schema: Schema) -> Schema:
    """Without pydantic's titles, which repeat the names."""
    return {
        name: _untitled_members(rule) if name in ("properties", "$defs") else _untitled_part(rule)
        for name, rule in schema.items()
        if name != "title"
    }


def _untitled_members(members: Schema) -> Schema:
    return {name: _untitled_part(rule) for name, rule in members.items()}


def _untitled_part(part: Any) -> Any:
    if isinstance(part, dict):
        return _untitled(part)
    return [_untitled_part(item) for item in part] if isinstance(part, list) else part


def _same_names(what: str, words: Iterable[str], code: Iterable[str]) -> None:
    """Raises `Wordless` if one side has a name that the other does not have."""
    if different := sorted({*words} ^ {*code}):
        raise Wordless(f"{WORDS.name} and {what} differ in: {', '.join(different)}")


def _texts(made: Mapping[str, Schema]) -> Iterator[tuple[str, str]]:
    for name, schema in made.items():
        yield name, json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """The command line."""
    wanted = {FOLDER / f"{name}.schema.json": text for name, text in _texts(schemas())}
    present = {*FOLDER.glob("*.schema.json")} - {AUTH_CONFIG}
    return settle(wanted, "make schemas", check="--check" in sys.argv[1:], present=present)


if __name__ == "__main__":
    sys.exit(main())
