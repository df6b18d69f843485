"""Publish the integrations of `catalog/` through the API, to a local cloud or a deployment in AWS.

    PATCHBAY_API_KEY=… python -m local.catalog --api-url https://… --workspace-id <space id>

A file is the body of `POST /v1/integrations` without `workspaceId`, with the `version` to publish
and, for its readers, links to the provider's `documentation`.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from local.client import Answer, Client
from local.paths import CATALOG
from local.problems import Problem


@dataclass(frozen=True)
class Entry:
    """One file of the catalog."""

    version: str
    definition: dict[str, Any]

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
            content.pop("documentation", None)
            entries.append(Entry(content.pop("version"), content))
        except (ValueError, KeyError) as error:
            raise Problem(f"{path} is not a catalog entry: {error!r}") from error
    return entries


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
    current = client.call("GET", f"/v1/catalog/{entry.key}")
    if current.status == 200 and current.body["currentVersion"] == entry.version:
        return False
    integration_id = current.body["id"] if current.status == 200 else drafts.find(entry.key)
    if integration_id is None:
        body = entry.definition | {"workspaceId": workspace_id}
        integration_id = _succeeded(client.call("POST", "/v1/integrations", body)).body["id"]
    else:
        body = {k: v for k, v in entry.definition.items() if k not in ("publisher", "slug")}
        _succeeded(client.call("PATCH", f"/v1/integrations/{integration_id}", body))
    publication = {"version": entry.version}
    _succeeded(client.call("POST", f"/v1/integrations/{integration_id}/publish", publication))
    return True


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


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m local.catalog", description=__doc__)
    parser.add_argument("--api-url", required=True, help="the stack's ApiUrl output")
    parser.add_argument("--workspace-id", required=True, help="id of the space that owns them")
    parser.add_argument("--api-key", help="better in PATCHBAY_API_KEY: others see arguments")
    options = parser.parse_args()
    key = options.api_key or os.environ.get("PATCHBAY_API_KEY")
    if not key:
        parser.error("an API key is needed, in PATCHBAY_API_KEY or --api-key")
    try:
        report = publish(Client(options.api_url, key), options.workspace_id, read())
    except Problem as problem:
        print(f"patchbay: {problem}", file=sys.stderr)
        return 1
    print("\n".join(report.published) or "nothing new")
    for refused in report.refused:
        print(f"patchbay: {refused}", file=sys.stderr)
    return 1 if report.refused else 0


if __name__ == "__main__":
    sys.exit(main())
