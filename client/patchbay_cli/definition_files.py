"""Definition files: one integration each, as those of Patchbay's own catalog.

A file is the body of `POST /v1/integrations` without `workspaceId`, with the `version` to publish
and, for its readers, links to the provider's `documentation`, and the day on which somebody
`reviewed` it there. `changelog` is of that version, and `releases` says of which versions that they
are deprecated or yanked. Its `$schema` is for editors, and goes no further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patchbay_cli.json_files import (
    FileProblem,
    JsonFile,
    Unreadable,
    json_files_in,
    read_json_file,
)


@dataclass(frozen=True)
class DefinitionFile:
    """One integration, as its author wrote it."""

    json: JsonFile
    version: Any
    """The release to publish; None if the file has none."""
    documentation: Any
    reviewed: Any
    definition: dict[str, Any]
    """The body of a create, without `workspaceId`."""
    changelog: Any
    """What is new in the release; None if the file does not say."""
    releases: Any
    """What is said about releases, by version: that they are `deprecated`, or `yanked`."""

    @classmethod
    def of(cls, file: JsonFile) -> DefinitionFile:
        content = {name: value for name, value in file.value.items() if name != "$schema"}
        version = content.pop("version", None)
        documentation = content.pop("documentation", None)
        reviewed = content.pop("reviewed", None)
        changelog = content.pop("changelog", None)
        releases = content.pop("releases", {})
        return cls(file, version, documentation, reviewed, content, changelog, releases)

    @property
    def name(self) -> str:
        """Of the file."""
        return self.json.name

    @property
    def key(self) -> str:
        """How sources name the integration: `publisher/slug`."""
        return f"{self.definition.get('publisher')}/{self.definition.get('slug')}"


def read_definition(path: Path) -> DefinitionFile:
    """The definition of a file. Raises `Unreadable`, and `OSError`."""
    return DefinitionFile.of(read_json_file(path))


def read_definitions(paths: Sequence[Path]) -> tuple[list[DefinitionFile], list[FileProblem]]:
    """The definitions of files and folders, and what could not be read. Raises `OSError` if a path
    itself is not there."""
    found: list[DefinitionFile] = []
    problems: list[FileProblem] = []

    def read(file: Path) -> None:
        try:
            found.append(read_definition(file))
        except Unreadable as unreadable:
            problems.extend(unreadable.problems)
        except OSError as error:
            if file in paths:
                raise
            problems.append(FileProblem.of_system(file, error))

    # A file may be named beside its folder.
    for file in dict.fromkeys(file for path in paths for file in definition_paths(path)):
        read(file)
    return found, problems


def definition_paths(path: Path) -> list[Path]:
    """A file itself, or the JSON files of a folder, by name."""
    return json_files_in(path) if path.is_dir() else [path]
