"""Publish the integrations of `catalog/` through the API, to a local cloud or a deployment in AWS.

    python -m local.catalog --lint
    PATCHBAY_API_KEY=… python -m local.catalog --api-url https://… --workspace-id <space id>

A file is the body of `POST /v1/integrations` without `workspaceId`, with the `version` to publish
and, for its readers, links to the provider's `documentation`, each by the fact that is from there.
`reviewed` is the day on which the authentication and every request of its checks were read in what
the provider itself publishes: its documentation, its description of its API, or its own client. A
file without it has facts that nobody has read there since they were written.

`--folder` reads a folder of your own. `--lint` says what is wrong with the files, by the rules of
publishing, and calls nothing.

An edit of a file needs a higher `version`: what is published never changes. Only what is not part
of a release (`visibility`, `trustTier`, `retentionTier`) is changed without one.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from local.client import Answer, Client
from local.paths import CATALOG, LAYER
from local.problems import Problem

_CONTENT = {
    "name": "",
    "description": None,
    "iconUrl": None,
    "manifest": {},
    "variablesSchema": {},
    "authConfig": {"type": "none"},
}
"""What a release has of a definition, with the defaults of a create."""
_BESIDE = {"visibility": "private", "trustTier": "community"}
"""What an integration has beside its releases, and the catalog shows."""


_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Entry:
    """One file of the catalog."""

    version: str
    definition: dict[str, Any]
    documentation: Any = None
    file: str = ""
    reviewed: Any = None

    @property
    def key(self) -> str:
        """How endpoints name the integration."""
        return f"{self.definition['publisher']}/{self.definition['slug']}"


def read(folder: Path = CATALOG) -> list[Entry]:
    """The files of the folder, by name."""
    entries = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text())
            documentation = content.pop("documentation", None)
            reviewed = content.pop("reviewed", None)
            entry = Entry(content.pop("version"), content, documentation, path.name, reviewed)
            entry.key  # noqa: B018 - an entry without one is none
            entries.append(entry)
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise Problem(f"{path} is not a catalog entry: {error!r}") from error
    if not entries:
        raise Problem(f"{folder} has no catalog entries (*.json)")
    return entries


def lint(entries: Sequence[Entry]) -> list[str]:
    """What keeps these entries from being published, a line each. Dependencies are not looked
    up."""
    sys.path.insert(0, str(LAYER))
    from pydantic import ValidationError

    from patchbay.platform.clock import utc_now
    from patchbay.platform.ids import new_id
    from patchbay.platform.validation import problems_of
    from patchbay.registry.model import Integration, NewIntegration
    from patchbay.registry.publishing import draft_problems
    from patchbay.registry.versions import is_semver

    found: list[str] = []
    known: set[str] = set()
    for entry in entries:
        wrong: list[tuple[str, str]] = []
        if not isinstance(entry.version, str) or not is_semver(entry.version):
            wrong.append(("/version", "is not a semantic version such as 1.4.0"))
        sources = entry.documentation
        links = list(sources.values()) if isinstance(sources, dict) else sources
        if not (isinstance(links, list) and links and all(map(_is_https, links))):
            wrong.append(
                ("/documentation", "must have https links to the provider's documentation, by fact")
            )
        if entry.key in known:
            wrong.append(("/slug", "is that of another file"))
        known.add(entry.key)
        try:
            body = json.dumps(entry.definition | {"workspaceId": "a-space"})
            new = NewIntegration.model_validate_json(body, strict=True)
        except ValidationError as error:
            wrong += [(problem.pointer, problem.message) for problem in problems_of(error)]
        else:
            now = utc_now()
            draft = Integration(
                **new.model_dump(),
                id=new_id("int", now),
                current_version=None,
                created_by="lint",
                deleted_at=None,
                created_at=now,
                updated_at=now,
                organization_id=new_id("org", now),
                revision=1,
            )
            wrong += [(problem.pointer, problem.message) for problem in draft_problems(draft)]
        if entry.reviewed is not None:
            wrong += [("/reviewed", text) for text in _review_problems(entry, is_sound=not wrong)]
        found += [f"{entry.file}: {pointer} {message}" for pointer, message in wrong]
    return found


def _review_problems(entry: Entry, *, is_sound: bool) -> Iterator[str]:
    """Why the entry can't say that it was reviewed on that day."""
    if not _is_day(entry.reviewed):
        yield "is not a day such as 2026-11-29"
    elif date.fromisoformat(entry.reviewed) > datetime.now(UTC).date():
        yield "is in the future"
    sources = entry.documentation if isinstance(entry.documentation, dict) else {}
    if is_sound and (missing := sorted(_facts(entry.definition) - sources.keys())):
        yield f"needs a link under /documentation for: {', '.join(missing)}"


def _facts(definition: Mapping[str, Any]) -> set[str]:
    """What a review reads: how requests authenticate, which scopes they need, and each step."""
    steps = definition["manifest"].get("checks", {}).get("steps", [])
    scopes = ["scopes"] if definition.get("authConfig", {}).get("type") == "oauth2" else []
    return {"authentication", *scopes, *(step["name"] for step in steps)}


def _is_day(value: Any) -> bool:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_https(link: Any) -> bool:
    return isinstance(link, str) and link.startswith("https://")


@dataclass(frozen=True)
class Report:
    """What publishing came to."""

    published: list[str]
    refused: list[str]


def publish(client: Client, workspace_id: str, entries: Sequence[Entry]) -> Report:
    """Bring the catalog to these entries; one that is refused does not keep back the others.

    Doing it twice changes nothing, and what an interrupted run left is taken up.
    """
    report = Report([], [])
    drafts = _Drafts(client, workspace_id)
    for entry in entries:
        try:
            if _publish(client, workspace_id, entry, drafts):
                report.published.append(entry.key)
        except Problem as problem:
            report.refused.append(f"{entry.key} can't be published: {problem}")
    return report


def _publish(client: Client, workspace_id: str, entry: Entry, drafts: "_Drafts") -> bool:
    """Whether there was anything to do."""
    current = client.call("GET", f"/v1/catalog/{quote(entry.key)}")
    integration_id = current.body["id"] if current.status == 200 else drafts.find(entry.key)
    if integration_id is None:
        body = entry.definition | {"workspaceId": workspace_id}
        integration_id = _succeeded(client.call("POST", "/v1/integrations", body)).body["id"]
    else:
        path = f"/v1/integrations/{integration_id}"
        standing = client.call("GET", f"{path}/versions/{entry.version}")
        if standing.status == 200:
            return _brought_up_to_date(client, path, entry, standing.body, current)
        body = {k: v for k, v in entry.definition.items() if k not in ("publisher", "slug")}
        _succeeded(client.call("PATCH", path, body))
    publication = {"version": entry.version}
    _succeeded(client.call("POST", f"/v1/integrations/{integration_id}/publish", publication))
    return True


def _brought_up_to_date(
    client: Client, path: str, entry: Entry, release: dict[str, Any], current: Answer
) -> bool:
    """Whether what is beside the release had to be changed. Raises `Problem` if the file has other
    content than the release."""
    edited = [
        name
        for name, default in _CONTENT.items()
        if not _same(entry.definition.get(name, default), release[name])
    ]
    if edited:
        raise Problem(
            f"{', '.join(edited)} changed since {entry.version} was published: raise its version"
        )
    shown = current if current.status == 200 else _succeeded(client.call("GET", path))
    beside = {name: entry.definition.get(name, default) for name, default in _BESIDE.items()}
    changes = {name: value for name, value in beside.items() if shown.body[name] != value}
    retention = entry.definition.get("retentionTier")
    if retention != _succeeded(client.call("GET", path)).body["retentionTier"]:
        changes["retentionTier"] = retention
    if changes:
        _succeeded(client.call("PATCH", path, changes))
    return bool(changes)


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


class _Drafts:
    """The integrations of a workspace that may not be in the catalog, asked for at most once."""

    def __init__(self, client: Client, workspace_id: str) -> None:
        self._client = client
        self._workspace_id = workspace_id

    def find(self, key: str) -> str | None:
        """The id of the integration with this key."""
        return self._ids.get(key)

    @cached_property
    def _ids(self) -> dict[str, str]:
        found: dict[str, str] = {}
        query = {"workspaceId": self._workspace_id, "limit": "100"}
        while True:
            page = _succeeded(self._client.call("GET", "/v1/integrations", query=query)).body
            found |= {f"{item['publisher']}/{item['slug']}": item["id"] for item in page["items"]}
            if page["next_cursor"] is None:
                return found
            query["cursor"] = page["next_cursor"]


def _succeeded(answer: Answer) -> Answer:
    if not 200 <= answer.status < 300:
        raise Problem(answer.problem)
    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m local.catalog", description=__doc__)
    parser.add_argument("--folder", type=Path, default=CATALOG, help="of the files (catalog/)")
    parser.add_argument("--lint", action="store_true", help="check the files, and call nothing")
    parser.add_argument("--api-url", help="the stack's ApiUrl output")
    parser.add_argument("--workspace-id", help="id of the space that owns them")
    parser.add_argument("--api-key", help="better in PATCHBAY_API_KEY: others see arguments")
    options = parser.parse_args(arguments)
    key = options.api_key or os.environ.get("PATCHBAY_API_KEY")
    if not options.lint and not (options.api_url and options.workspace_id):
        parser.error("--api-url and --workspace-id are needed, or --lint")
    if not options.lint and not key:
        parser.error("an API key is needed, in PATCHBAY_API_KEY or --api-key")
    try:
        entries = read(options.folder)
        wrong = lint(entries)
        if wrong or options.lint:
            print("\n".join(wrong) or f"{len(entries)} entries can be published")
            return 1 if wrong else 0
        report = publish(Client(options.api_url, key or ""), options.workspace_id, entries)
    except Problem as problem:
        print(f"patchbay: {problem}", file=sys.stderr)
        return 1
    print("\n".join(report.published) or "nothing new")
    for refused in report.refused:
        print(f"patchbay: {refused}", file=sys.stderr)
    return 1 if report.refused else 0


if __name__ == "__main__":
    sys.exit(main())
