"""docs/schemas: what editors check files by. They take all that is accepted, and refuse most of
what is not."""

import copy
import importlib
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest
from patchbay_cli.applying.folder import FolderRefused, read_folder
from patchbay_cli.applying.shapes import OrganizationEntry, SpaceEntry, problems_of
from patchbay_cli.definition_files import DefinitionFile
from patchbay_cli.definition_rules import problems_of as problems_of_file
from patchbay_cli.json_files import read_json

from local import editor_schemas
from local.editor_schemas import FOLDER, schemas
from local.paths import ROOT
from patchbay.checks.kinds import KINDS
from patchbay.checks.manifest_steps import MAX_NAME, MAX_STEPS, MAX_TIMEOUT_MS
from patchbay.checks.obtained_secrets import MAX_SECRETS
from patchbay.checks.status_meanings import MAX_MEANINGS
from patchbay.egress.redirects import MAX_REDIRECTS
from patchbay.registry.model import MAX_CHANGELOG, MAX_REASON

CATALOG: Final = {path.stem: json.loads(path.read_text()) for path in (ROOT / "catalog").glob("*")}
PLACEHOLDER: Final = re.compile(r"\{\{(variables|secrets)\.(\w+)\}\}")
EXAMPLE: Final = re.compile(r"```json\n(.*?)```", re.DOTALL)

RULES: Final = {
    "domain": {"type": "string", "format": "hostname"},
    "host": {"type": "string", "format": "hostname"},
    "endpoint": {"type": "string", "format": "uri"},
    "port": {"type": "integer"},
}
CLIENTS_OWN: Final = {
    "type": "oauth2",
    "grantType": "client_credentials",
    "tokenUrl": "https://a.example.com/token",
}


def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        json.loads((FOLDER / f"{name}.schema.json").read_text())
    )


DEFINITION: Final = validator("definition")


def example_of(kind: str) -> dict[str, Any]:
    """A definition with the step that a kind shows in its documentation."""
    text = importlib.import_module(f"patchbay.checks.kinds.{kind}").__doc__ or ""
    found = EXAMPLE.search(text)
    assert found, kind
    names: dict[str, set[str]] = {"variables": set(), "secrets": set()}
    for source, name in PLACEHOLDER.findall(found[1]):
        names[source].add(name)
    return {
        "publisher": "acme",
        "slug": kind.replace("_", "-"),
        "name": kind,
        "version": "1.0.0",
        "variablesSchema": {
            "properties": {
                name: RULES.get(name, {"type": "string"}) for name in sorted(names["variables"])
            }
        },
        "authConfig": CLIENTS_OWN if kind == "oauth2_token" else {"type": "api_key"},
        "manifest": {
            "secretsSchema": {"properties": {name: {} for name in sorted(names["secrets"])}},
            "checks": {"steps": [json.loads(found[1])]},
        },
    }


def refusals(definition: Mapping[str, Any]) -> list[str]:
    file = DefinitionFile.of(read_json("x.json", json.dumps(definition).encode()))
    return [str(problem) for problem in problems_of_file(file)]


def test_the_schemas_are_up_to_date() -> None:
    stale = [
        name
        for name, schema in schemas().items()
        if json.loads((FOLDER / f"{name}.schema.json").read_text()) != schema
    ]

    assert stale == [], "run `make schemas` and commit them"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.name)
def test_each_is_a_schema_that_refers_to_nothing_outside_itself(path: Path) -> None:
    schema = json.loads(path.read_text())

    jsonschema_rs.meta.validate(schema)
    references = re.findall(r'"\$ref": "([^"]*)"', path.read_text())
    assert [one for one in references if not one.startswith("#/$defs/")] == []
    assert {one.removeprefix("#/$defs/") for one in references} <= schema.get("$defs", {}).keys()


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_every_entry_of_the_catalog_is_valid(name: str) -> None:
    assert [one.message for one in DEFINITION.iter_errors(CATALOG[name])] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_every_kind_is_valid(kind: str) -> None:
    example = example_of(kind)

    assert refusals(example) == []
    assert [one.message for one in DEFINITION.iter_errors(example)] == []


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("version",), 1),
        (("workspaceId",), "x"),
        (("authconfig",), {}),
        (("slug",), "No Slug"),
        (("visibility",), "everybody"),
        (("authConfig", "type"), "key"),
        (("authConfig", "header"), "X-Key"),
        (("manifest", "check"), {}),
        (("manifest", "roles"), ["sink"]),
        (("manifest", "checks", "steps", 0, "kind"), "htp"),
        (("manifest", "checks", "steps", 0, "url"), "https://api.example.com"),
        (("manifest", "checks", "steps", 0, "request", "methods"), "GET"),
        (("manifest", "checks", "steps", 0, "request", "url"), None),
        (("manifest", "checks", "steps", 0, "timeoutMs"), 0),
        (("manifest", "checks", "steps", 0, "expect"), {"status": 200}),
        (("manifest", "checks", "steps", 0, "meaning"), {"403": "wrong_key"}),
        (("variablesSchema", "type"), "array"),
        (("documentation",), {"user": "http://docs.example.com"}),
    ],
)
def test_a_mistake_is_underlined(at: tuple[str | int, ...], value: Any) -> None:
    definition = copy.deepcopy(CATALOG["github"])
    place: Any = definition
    for part in at[:-1]:
        place = place[part]
    place[at[-1]] = value

    assert not DEFINITION.is_valid(definition)
    assert refusals(definition)


def test_no_edit_of_a_definition_is_refused_by_the_schema_alone() -> None:
    whole = [*CATALOG.values(), *(example_of(kind) for kind in KINDS)]
    edits = Edits(whole, seed=20261129)
    found: Counter[tuple[bool, bool]] = Counter()
    for _ in range(2500):
        edited = edits.edited()
        accepted, valid = not refusals(edited), DEFINITION.is_valid(edited)
        assert valid or not accepted, json.dumps(edited)
        found[accepted, valid] += 1

    # It is of use: most of what is refused is underlined while it is typed.
    assert found[False, False] > 0.8 * (found[False, False] + found[False, True])
    assert found[True, True] > 200


SPACE: Final = {
    "$schema": "../schemas/space.schema.json",
    "name": "Production",
    "paused": False,
    "status_page": {"enabled": True, "title": "Acme", "show_connections": True},
    "connections": [
        {
            "name": "Tickets",
            "source": "CRM",
            "destination": None,
            "configurations": {"depth": 3},
            "monitor": {"enabled": True, "interval": "1h"},
            "status": "paused",
        }
    ],
    "alert_rules": [
        {
            "name": "Tickets are down",
            "severity": "critical",
            "for_seconds": 300,
            "condition": {"kind": "connection_down", "connection": "Tickets"},
            "channels": [
                {"kind": "eventbridge"},
                {"kind": "webhook", "url": {"fromEnv": "HOOK"}},
                {"kind": "sns", "topic_arn": "arn:aws:sns:eu-central-1:123456789012:alerts"},
            ],
        },
        {"name": "Silent", "condition": {"kind": "stale", "after_seconds": 3600}},
    ],
}
ORGANIZATION: Final = {
    "workspace": "production",
    "sources": [
        {
            "name": "CRM",
            "integration": "acme/crm",
            "version": "1.0.0",
            "variables": {"path": "me"},
            "secrets": {"api_key": {"fromEnv": "CRM_KEY"}},
        }
    ],
    "api_keys": [
        {"name": "back end", "permissions": ["platform.events.write"], "space": "production"}
    ],
}


@pytest.mark.parametrize(
    ("name", "shape", "whole"),
    [("space", SpaceEntry, SPACE), ("organization", OrganizationEntry, ORGANIZATION)],
)
def test_no_edit_of_a_file_of_apply_is_refused_by_the_schema_alone(
    name: str, shape: Any, whole: dict[str, Any]
) -> None:
    of_files, edits = validator(name), Edits([whole], seed=1)
    assert [one.message for one in of_files.iter_errors(whole)] == []
    found: Counter[tuple[bool, bool]] = Counter()
    for _ in range(3000):
        edited = edits.edited()
        content = {name: value for name, value in edited.items() if name != "$schema"}
        accepted, valid = not [*problems_of(content, shape)], of_files.is_valid(edited)
        assert valid or not accepted, json.dumps(edited)
        found[accepted, valid] += 1

    assert found[False, False] > 0.9 * (found[False, False] + found[False, True])


def test_a_folder_of_these_files_is_read(tmp_path: Path) -> None:
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces/production.json").write_text(json.dumps(SPACE))
    (tmp_path / "organization.json").write_text(json.dumps(ORGANIZATION))

    assert len(read_folder(tmp_path).things) == 6

    (tmp_path / "organization.json").write_text('{"source": []}')
    assert not validator("organization").is_valid({"source": []})
    with pytest.raises(FolderRefused):
        read_folder(tmp_path)


def test_the_files_that_the_guide_of_apply_shows_are_valid() -> None:
    guide = (ROOT / "client/applying.md").read_text()
    shown = re.findall(
        r"cat > deployment/(\w+)[\w./-]*json <<'?EOF'?\n(.*?)\nEOF", guide, re.DOTALL
    )
    schema_of = {"integrations": "definition", "spaces": "space", "organization": "organization"}

    assert {folder for folder, _ in shown} == schema_of.keys()
    for folder, text in shown:
        assert validator(schema_of[folder]).is_valid(json.loads(text)), text


@pytest.mark.parametrize(
    ("content", "valid"),
    [
        ({"variables": {"a": 1}, "secrets": {"b": "c"}, "configurations": {}}, True),
        ({"secrets": {"b": 1}}, False),
        ({"secret": {}}, False),
    ],
)
def test_a_file_of_values_has_a_schema_too(content: dict[str, Any], valid: bool) -> None:
    assert validator("values").is_valid(content) is valid


def test_the_schema_knows_the_bounds_of_the_code() -> None:
    words = json.loads(editor_schemas.WORDS.read_text())
    http, request = words["kinds"]["http"]["properties"], words["$defs"]["request"]["properties"]
    assert words["checks"]["steps"]["maxItems"] == MAX_STEPS
    assert words["checks"]["timeoutMs"]["maximum"] == MAX_TIMEOUT_MS
    assert words["step"]["timeoutMs"]["maximum"] == MAX_TIMEOUT_MS
    assert words["step"]["name"]["maxLength"] == MAX_NAME
    assert request["redirects"]["maximum"] == MAX_REDIRECTS
    assert http["meaning"]["maxProperties"] == MAX_MEANINGS
    assert http["obtain"]["maxProperties"] == MAX_SECRETS
    assert words["file"]["changelog"]["maxLength"] == MAX_CHANGELOG
    remarks = words["file"]["releases"]["additionalProperties"]["properties"]
    assert {remark["maxLength"] for remark in remarks.values()} == {MAX_REASON}


def test_a_kind_without_words_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editor_schemas, "KINDS", [*KINDS, "ftp"])

    with pytest.raises(editor_schemas.Wordless, match="the kinds of checks differ in: ftp"):
        schemas()


class Edits:
    """Mistakes that people make, and others: parts that are gone, moved, or of another type."""

    _VALUES: Final[tuple[Any, ...]] = (
        *(None, 0, 1, -1, 1.5, "", "x", "{{variables.x}}", True, False, "https://a.example"),
        *([], {}, ["x"], {"x": "y"}, {"optional": "x"}),
    )

    def __init__(self, whole: list[dict[str, Any]], seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - the same edits in each run
        self._whole = whole
        self._parts = [part for one in whole for _, _, part in _places(one)]
        self._names = sorted(
            {name for one in whole for _, name, _ in _places(one) if str(name)[:1].isalpha()},
            key=str,
        )

    def edited(self) -> dict[str, Any]:
        one = copy.deepcopy(self._random.choice(self._whole))
        for _ in range(self._random.choice([1, 1, 1, 2])):
            holder, name, part = self._random.choice([*_places(one)])
            match self._random.randrange(5):
                case 0:
                    del holder[name]
                case 1:
                    holder[name] = copy.deepcopy(self._random.choice(self._VALUES))
                case 2:
                    holder[name] = copy.deepcopy(self._random.choice(self._parts))
                case 3 if isinstance(part, dict):
                    part[self._random.choice(self._names)] = copy.deepcopy(
                        self._random.choice(self._parts)
                    )
                case 4 if isinstance(part, str):
                    holder[name] = part + self._random.choice([" ", "{", "x", "/"])
        return one


def _places(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Each part of a value: what holds it, under which name, and itself."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in [*members]:
        yield value, name, part
        if isinstance(part, dict | list):
            yield from _places(part)
