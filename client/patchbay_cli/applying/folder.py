"""What a folder says a deployment should have.

    integrations/*.json   definition files, as those of Patchbay's own catalog
    spaces/*.json         a space each; the name of the file is its slug
    organization.json     sources, destinations, and API keys

A folder that has none of these is one of definition files. All of it is read and checked before
anything is asked of the deployment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from patchbay_cli.applying.inline_secrets import inline_secrets
from patchbay_cli.applying.shapes import (
    DefinitionEntry,
    OrganizationEntry,
    Problem,
    ReleaseRemarks,
    SpaceEntry,
    escaped,
    problems_of,
)
from patchbay_cli.definition_files import DefinitionFile
from patchbay_cli.definition_rules import problems_of as problems_of_file
from patchbay_cli.engine import body_problems, has_engine
from patchbay_cli.json_files import (
    FileProblem,
    JsonFile,
    Unreadable,
    json_files_in,
    read_json_file,
)

ORGANIZATION: Final = "organization.json"
SPACES: Final = "spaces"
INTEGRATIONS: Final = "integrations"

INTEGRATION: Final = "integration"
SPACE: Final = "space"
SOURCE: Final = "source"
DESTINATION: Final = "destination"
CONNECTION: Final = "connection"
ALERT_RULE: Final = "alert_rule"
API_KEY: Final = "api_key"

_LIKE_JSON: Final = (".json", ".jsonc", ".json5", ".yaml", ".yml")
_SOME_ID: Final = "01KHNGNQ80TYJPTF7WZ6J4TT8T"
_LISTS: Final = {"sources": SOURCE, "destinations": DESTINATION, "api_keys": API_KEY}
_LISTS_OF_A_SPACE: Final = {"connections": CONNECTION, "alert_rules": ALERT_RULE}


class Identity(NamedTuple):
    """What a thing is called: it is the same thing in the folder and in the deployment."""

    kind: str
    name: str
    space: str | None = None

    def __str__(self) -> str:
        name = f'"{self.name}"' if " " in self.name else self.name
        within = "" if self.space is None else f" of {self.space}"
        return f"{self.kind.replace('_', ' ')} {name}{within}"


class Scope(NamedTuple):
    """All things of one kind, in a space if they are in one."""

    kind: str
    space: str | None = None


@dataclass(frozen=True)
class Wanted:
    """One thing that the folder has."""

    identity: Identity
    value: dict[str, Any]
    file: JsonFile
    pointer: str

    @property
    def where(self) -> str:
        """`spaces/main.json:12:7`"""
        place = self.file.place(self.pointer)
        return f"{self.file.name}:{place.line}:{place.column}"

    def problem(self, pointer: str, message: str) -> FileProblem:
        """One at a place within this thing."""
        return self.file.problem(self.pointer + pointer, message)


@dataclass(frozen=True)
class Definition(Wanted):
    """An integration, and the release that it should have."""

    version: str
    changelog: str | None
    remarks: Mapping[str, dict[str, Any]]
    """What is said about releases, by version."""


@dataclass
class Folder:
    """All that the files want."""

    definitions: list[Definition] = field(default_factory=list)
    things: list[Wanted] = field(default_factory=list)
    scopes: set[Scope] = field(default_factory=set)
    """What the folder speaks of: what else there is of it is not in the folder."""
    unread: list[Path] = field(default_factory=list)
    """Files that no part of a deployment is read from: they may be at the wrong place, or of a
    format that somebody takes for one of these."""
    workspace: str | None = None
    """The space that new integrations are built in."""

    def of(self, kind: str) -> list[Wanted]:
        return [thing for thing in self.things if thing.identity.kind == kind]


class FolderRefused(Exception):
    """The folder can't be applied, and nothing was done."""

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


def read_folder(path: Path) -> Folder:
    """Raises `FolderRefused` with all that is wrong with its files, and `OSError`."""
    folder = Folder()
    problems: list[FileProblem] = []
    definitions, spaces, organization = _files_of(path)
    if not definitions and not spaces and not organization:
        message = f"has no {INTEGRATIONS}/*.json, no {SPACES}/*.json, and no {ORGANIZATION}"
        raise FolderRefused([FileProblem(str(path), "", message)])
    for read, files in (
        (_read_definition, definitions),
        (_read_space, spaces),
        (_read_organization, organization),
    ):
        for file in files:
            problems += _problems_of(read, folder, file)
    folder.scopes |= {
        Scope(kind) for kind, files in ((INTEGRATION, definitions), (SPACE, spaces)) if files
    }
    if is_whole(path):
        folder.unread = sorted({*_nearby(path)} - {*definitions, *spaces, *organization})
    problems += _twice([*folder.definitions, *folder.things])
    if problems:
        raise FolderRefused(problems)
    return folder


def folder_of(definitions: Iterable[JsonFile]) -> Folder:
    """The folder that has these definition files alone. Raises `FolderRefused`."""
    folder = Folder(scopes={Scope(INTEGRATION)})
    problems = [one for file in definitions for one in _read_definition(folder, file, Path())]
    if problems:
        raise FolderRefused(problems)
    return folder


def is_whole(path: Path) -> bool:
    """Whether it is a folder of a deployment, and not only of definition files."""
    return any((path / part).exists() for part in (INTEGRATIONS, SPACES, ORGANIZATION))


def is_part(path: Path) -> bool:
    """Whether it is a file of such a folder that has no definition, or all of its spaces."""
    in_folder = path.resolve()
    return (
        path.name == ORGANIZATION
        or in_folder.parent.name == SPACES
        or (in_folder.name == SPACES and path.is_dir())
    )


def part_problems(file: Path) -> list[FileProblem]:
    """What is wrong with such a file by itself."""
    read = _read_organization if file.name == ORGANIZATION else _read_space
    folder = Folder()
    found = _problems_of(read, folder, file)
    return [*found, *_twice(folder.things)]


def files_in(path: Path) -> list[Path]:
    """The files of a folder that are read."""
    return [file for files in _files_of(path) for file in files]


def _files_of(path: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """The definitions of a folder, its spaces, and what is of its organization."""
    definitions = json_files_in(path / INTEGRATIONS if is_whole(path) else path)
    organization = path / ORGANIZATION
    return (
        definitions,
        json_files_in(path / SPACES),
        [organization] if organization.exists() else [],
    )


def _nearby(path: Path) -> Iterator[Path]:
    folders = (path, path / INTEGRATIONS, path / SPACES)
    inner = (below for folder in folders for below in folder.glob("[!.]*/"))
    for folder in {*folders, *inner}:
        for file in folder.glob("[!.]*"):
            if file.suffix.lower() in _LIKE_JSON and not file.is_dir():
                yield file


def _problems_of(
    read: Callable[[Folder, JsonFile, Path], Iterator[FileProblem]], folder: Folder, file: Path
) -> list[FileProblem]:
    try:
        return list(read(folder, read_json_file(file), file))
    except Unreadable as unreadable:
        return unreadable.problems
    except OSError as error:
        return [FileProblem.of_system(file, error)]


def _read_definition(folder: Folder, json: JsonFile, _: Path) -> Iterator[FileProblem]:
    file = DefinitionFile.of(json)
    found = [*_at(json, _remark_problems(file)), *_definition_problems(file)]
    found += _at(json, _blanks(file.definition))
    yield from found
    if not found:
        definition, identity = file.definition, Identity(INTEGRATION, file.key)
        remarks = file.releases
        folder.definitions.append(
            Definition(identity, definition, json, "", file.version, file.changelog, remarks)
        )


def _remark_problems(file: DefinitionFile) -> Iterator[Problem]:
    shape = [
        *problems_of(file.changelog, str | None, "/changelog"),
        *problems_of(file.releases, Mapping[str, ReleaseRemarks], "/releases"),
    ]
    yield from shape
    if shape or not has_engine():
        return
    yield from body_problems("release", {"changelog": file.changelog})
    for version, remarks in file.releases.items():
        for pointer, message in body_problems("release", remarks):
            yield f"/releases/{escaped(version)}{pointer}", message


def _definition_problems(file: DefinitionFile) -> Iterable[FileProblem]:
    """By the rules of publishing, if the engine that has them is installed."""
    if has_engine():
        return problems_of_file(file)
    found = [
        *problems_of(file.definition, DefinitionEntry),
        *problems_of(file.version, str, "/version"),
    ]
    return _at(file.json, found)


def _read_space(folder: Folder, json: JsonFile, path: Path) -> Iterator[FileProblem]:
    value, slug = _without_schema(json), path.stem
    found = list(problems_of(value, SpaceEntry))
    yield from _at(json, found)
    if not found:
        lists = {name: value.pop(name) for name in _LISTS_OF_A_SPACE if name in value}
        space = Wanted(Identity(SPACE, slug), value, json, "")
        folder.things.append(space)
        yield from _own_problems(space)
        yield from _read_lists(folder, json, lists, _LISTS_OF_A_SPACE, slug)


def _read_organization(folder: Folder, json: JsonFile, _: Path) -> Iterator[FileProblem]:
    value = _without_schema(json)
    found = list(problems_of(value, OrganizationEntry))
    yield from _at(json, found)
    if not found:
        folder.workspace = value.pop("workspace", None)
        yield from _read_lists(folder, json, value, _LISTS, None)


def _read_lists(
    folder: Folder,
    json: JsonFile,
    lists: Mapping[str, list[dict[str, Any]]],
    kinds: Mapping[str, str],
    space: str | None,
) -> Iterator[FileProblem]:
    for name, items in lists.items():
        kind = kinds[name]
        folder.scopes.add(Scope(kind, space))
        for position, item in enumerate(items):
            identity = Identity(kind, item["name"], space)
            thing = Wanted(identity, item, json, f"/{name}/{position}")
            folder.things.append(thing)
            yield from _own_problems(thing)


def _own_problems(thing: Wanted) -> Iterator[FileProblem]:
    """What the shape of a thing can't say."""
    value, kind = thing.value, thing.identity.kind
    if kind == ALERT_RULE and "connection_id" in value["condition"]:
        yield thing.problem(
            "/condition/connection_id", "is of one deployment: name a connection of the space here"
        )
    if kind in (SOURCE, DESTINATION) and value.get("secrets") and value.get("secret_ref"):
        yield thing.problem("/secret_ref", "is instead of secrets: it has both")
    yield from _at_thing(thing, [*_blanks(value), *inline_secrets(value)])
    if has_engine():
        for kind_of_body, body in _bodies(thing):
            for pointer, message in body_problems(kind_of_body, body):
                yield thing.problem(pointer, message)


def _blanks(value: Mapping[str, Any]) -> Iterator[Problem]:
    """Names that the deployment would change, so that they would be new at every run."""
    page = value.get("status_page")
    texts = {f"/{name}": value.get(name) for name in ("name", "publisher")}
    texts["/status_page/title"] = page.get("title") if isinstance(page, dict) else None
    for pointer, text in texts.items():
        if isinstance(text, str) and text != text.strip():
            yield pointer, "has white space around it, which the deployment leaves out"


def _at_thing(thing: Wanted, problems: Iterable[Problem]) -> Iterator[FileProblem]:
    for pointer, message in problems:
        yield thing.problem(pointer, message)


def _bodies(thing: Wanted) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is sent of a thing, with ids and secrets that only look like some."""
    value, kind = {**thing.value}, thing.identity.kind
    value.pop("secrets", None)
    if kind == SPACE:
        yield kind, {"slug": thing.identity.name, "name": value["name"]}
        yield "space settings", value
        return
    if kind == CONNECTION:
        value["space"] = thing.identity.space
        value["source_id"] = f"src_{_SOME_ID}"
        del value["source"]
        value.pop("destination", None)
        # One that begins as active can be paused at once.
        value.pop("status", None)
    if kind == ALERT_RULE:
        value["condition"] = condition = {**value["condition"]}
        if condition.pop("connection", None) is not None:
            condition["connection_id"] = f"con_{_SOME_ID}"
        if "channels" in value:
            some = {"url": "https://hooks.example.com"}
            value["channels"] = [
                {**one, **some} if one["kind"] == "webhook" else one for one in value["channels"]
            ]
    yield kind, value


def _without_schema(json: JsonFile) -> dict[str, Any]:
    """`$schema` is for editors."""
    return {name: value for name, value in json.value.items() if name != "$schema"}


def _at(json: JsonFile, problems: Iterable[Problem]) -> Iterator[FileProblem]:
    for pointer, message in problems:
        yield json.problem(pointer, message)


def _twice(things: Iterable[Wanted]) -> Iterator[FileProblem]:
    first: dict[Identity, Wanted] = {}
    for thing in things:
        known = first.setdefault(thing.identity, thing)
        if known is not thing:
            yield thing.problem("", f"is called as another one, at {known.where}")
