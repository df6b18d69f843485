"""Drafts in a deployment that imports made: they are updated, and nothing else is."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from patchbay_cli.applying.differences import merge_patch

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay

_CONTENT: Final = ("name", "description", "variablesSchema", "authConfig", "manifest")
"""What an import writes again. An icon, a tier, and who sees it are left as somebody set them."""


class Drafts:
    """The drafts of a publisher."""

    def __init__(
        self, client: Patchbay, workspace_id: str, publisher: str, *, publish: bool
    ) -> None:
        self._client = client
        self._workspace_id = workspace_id
        self._publisher = publisher
        self._publish = publish
        self._run = uuid.uuid4().hex
        patient = client.with_options(max_retries=5)
        listed = patient.integrations.list(publisher=publisher, limit=100)
        self._ids = {one.slug: one.id for one in listed}
        deleted = patient.integrations.list(publisher=publisher, deleted=True, limit=100)
        self._deleted = {one.slug for one in deleted}

    def needed(self, definitions: Iterable[Mapping[str, Any]]) -> dict[str, int]:
        """How much of which quota the definitions take that have no draft yet."""
        taken = self._ids.keys() | self._deleted
        return {"integrations": sum(one["slug"] not in taken for one in definitions)}

    def bring(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        """Make or update the draft, and publish it if that is wanted and possible. Raises
        `PatchbayError`."""
        from patchbay_sdk.model import checked_json

        integration_id = self._ids.get(definition["slug"])
        if integration_id is None and definition["slug"] in self._deleted:
            why = f"{self._publisher}/{definition['slug']} is deleted, and keeps its slug"
            return {
                "state": "not imported",
                "actions": ["kept"],
                "id": None,
                "problems": None,
                "notes": [f"{why}: restore it first"],
            }
        if integration_id is None:
            integration_id, action = self._create(definition), "created"
        else:
            found = self._client.integrations.get(integration_id=integration_id)
            if kept := self._kept(checked_json(found), definition):
                return {**kept, "id": integration_id}
            changes = merge_patch(
                {name: checked_json(found)[name] for name in _CONTENT},
                {name: definition[name] for name in _CONTENT},
            )
            action = "updated" if changes else "unchanged"
            if changes:
                self._change(integration_id, changes, found.etag)
        return self._judged(integration_id, definition["version"], action)

    def _create(self, definition: Mapping[str, Any]) -> str:
        return self._client.integrations.create(
            workspace_id=self._workspace_id,
            publisher=self._publisher,
            slug=definition["slug"],
            name=definition["name"],
            description=definition["description"],
            manifest=definition["manifest"],
            variables_schema=definition["variablesSchema"],
            auth_config=definition["authConfig"],
            visibility=definition["visibility"],
            # The same for all tries of this run, so that a lost answer makes no second one.
            idempotency_key=f"import-{self._run}-{definition['slug']}",
        ).id

    def _change(self, integration_id: str, changes: Mapping[str, Any], etag: str | None) -> None:
        from patchbay_sdk import OMIT

        self._client.integrations.update(
            integration_id=integration_id,
            name=changes.get("name", OMIT),
            description=changes.get("description", OMIT),
            manifest=changes.get("manifest", OMIT),
            variables_schema=changes.get("variablesSchema", OMIT),
            auth_config=changes.get("authConfig", OMIT),
            if_match=etag,
        )

    def _kept(
        self, found: Mapping[str, Any], definition: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Why this integration is left alone, if it is."""
        from patchbay_importers.drafts import source_of

        published = found["currentVersion"]
        ours = source_of(found["description"]) == source_of(definition["description"])
        if ours and published is None:
            return None
        same = all(found[name] == definition[name] for name in _CONTENT)
        why = f"is published as {published}" if published else "was not made by this import"
        return {
            "state": "published" if published else "draft",
            "actions": ["unchanged" if same else "kept"],
            "problems": None,
            "notes": [] if same else [f"{found['key']} {why}: it was left alone"],
        }

    def _judged(self, integration_id: str, version: str, action: str) -> dict[str, Any]:
        """The state of a draft, and what keeps it from being published."""
        report = self._client.integrations.preview_publish(
            integration_id=integration_id, version=version
        )
        state, actions = "draft", [action]
        if self._publish and report.publishable:
            self._client.integrations.publish(
                integration_id=integration_id,
                version=version,
                idempotency_key=f"import-{self._run}-{integration_id}",
            )
            state = "published"
            actions.append("published")
        problems = [{"pointer": one.pointer, "message": one.message} for one in report.errors]
        return {
            "state": state,
            "actions": actions,
            "id": integration_id,
            "problems": problems,
            "notes": [],
        }
