"""What is wrong with a definition file: the integration in it, by the rules of publishing, and what
else it has.

The deployment never sees `version`, `documentation`, and `reviewed` of a file, so it has no rules
for them as they are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from patchbay_cli.definition_files import DefinitionFile
from patchbay_cli.engine import definition_problems
from patchbay_cli.json_files import FileProblem

if TYPE_CHECKING:
    from patchbay_cli.engine import Integration

_SEMVER: Final = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)
_LONGEST_VERSION: Final = 64
"""Of a release, as the API takes it."""
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def problems_of(file: DefinitionFile) -> list[FileProblem]:
    """All that is wrong with one file. The engine must be installed."""
    return judged(file)[0]


def judged(file: DefinitionFile) -> tuple[list[FileProblem], Integration | None]:
    """The same; and the draft that it is, if it can be one."""
    found, draft = definition_problems(file)
    return [*found, *_file_problems(file, is_sound=not found)], draft


def _file_problems(file: DefinitionFile, *, is_sound: bool) -> Iterator[FileProblem]:
    """What is wrong with `version`, `documentation`, and `reviewed`.

    Only of a definition that `is_sound` is it said which facts have no link.
    """
    if file.version is None:
        yield file.json.problem("/version", "is required")
    elif not isinstance(file.version, str) or not _SEMVER.fullmatch(file.version):
        yield file.json.problem("/version", "is not a semantic version such as 1.4.0")
    elif len(file.version) > _LONGEST_VERSION:
        yield file.json.problem("/version", f"must have at most {_LONGEST_VERSION} characters")
    if "workspaceId" in file.definition:
        message = "is not of a file: the space is chosen when it is published"
        yield file.json.problem("/workspaceId", message)
    if file.documentation is not None and not _are_links(file.documentation):
        message = "must have https links to the provider's documentation, by fact"
        yield file.json.problem("/documentation", message)
    if file.reviewed is not None:
        for message in _review_problems(file, is_sound=is_sound):
            yield file.json.problem("/reviewed", message)


def repeated_keys(files: Iterable[DefinitionFile]) -> Iterator[FileProblem]:
    """Files that define an integration of another file."""
    first: dict[str, str] = {}
    for file in files:
        other = first.setdefault(file.key, file.name)
        if other is not file.name and {"publisher", "slug"} <= file.definition.keys():
            yield file.json.problem("/slug", f"is that of {other}")


def _are_links(documentation: Any) -> bool:
    links = list(documentation.values()) if isinstance(documentation, dict) else documentation
    return (
        isinstance(links, list)
        and bool(links)
        and all(isinstance(link, str) and link.startswith("https://") for link in links)
    )


def _review_problems(file: DefinitionFile, *, is_sound: bool) -> Iterator[str]:
    """Why the file can't say that it was reviewed on that day."""
    day = _day(file.reviewed)
    if day is None:
        yield "is not a day such as 2026-11-29"
    elif day > datetime.now(timezone.utc).date():
        yield "is in the future"
    sources = file.documentation if isinstance(file.documentation, dict) else {}
    if is_sound and (missing := sorted(_facts(file.definition) - sources.keys())):
        yield f"needs a link under /documentation for: {', '.join(missing)}"


def _facts(definition: Mapping[str, Any]) -> set[str]:
    """What a review reads: how requests authenticate, which scopes they need, and each step."""
    # Null is what is left out.
    manifest, auth_config = (definition.get(name) or {} for name in ("manifest", "authConfig"))
    steps = manifest.get("checks", {}).get("steps", [])
    scopes = ["scopes"] if auth_config.get("type") == "oauth2" else []
    return {"authentication", *scopes, *(step["name"] for step in steps)}


def _day(value: Any) -> date | None:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
