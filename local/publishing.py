"""What a local cloud offers from its start, published by the code of `patchbay apply`."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from patchbay_cli.applying.deployment import Deployment
from patchbay_cli.applying.execution import Result, execute
from patchbay_cli.applying.folder import Folder, FolderRefused, folder_of, read_folder
from patchbay_cli.applying.new_secrets import NewSecrets
from patchbay_cli.applying.planning import planned
from patchbay_cli.bulk import told
from patchbay_cli.definition_files import DefinitionFile, read_definitions
from patchbay_cli.json_files import read_json
from patchbay_sdk import Patchbay
from patchbay_sdk.errors import PatchbayError

from local.client import Client
from local.paths import CATALOG
from local.problems import Problem
from local.tenant import Tenant

_AT_ONCE: Final = 4


def catalog_files() -> list[DefinitionFile]:
    """The entries of the catalog, by the names of their files. Raises `Problem`."""
    files, problems = read_definitions([CATALOG])
    if problems:
        raise Problem("; ".join(map(str, problems)))
    return files


def publish_catalog(client: Client, tenant: Tenant) -> list[str]:
    """Returns what is wrong with an entry, or was refused. It keeps back no other entry."""
    try:
        folder = read_folder(CATALOG)
    except FolderRefused as refused:
        return list(map(str, refused.problems))
    return _publish(client, tenant, folder)


def publish(client: Client, tenant: Tenant, definitions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Publishes definitions as they are in a file. Returns what was refused."""
    files = [
        read_json(f"{one['slug']}.json", json.dumps(one, indent=2).encode()) for one in definitions
    ]
    return _publish(client, tenant, folder_of(files))


def _publish(client: Client, tenant: Tenant, folder: Folder) -> list[str]:
    with Patchbay(client.api_key, base_url=client.api_url) as sdk:
        try:
            caller = sdk.browser_sessions.get_caller()
            deployment = Deployment(sdk, tenant.organization_id, caller, at_once=_AT_ONCE)
            plan = planned(folder, deployment, lambda: tenant.space_slug, NewSecrets(None))
        except PatchbayError as error:
            raise Problem(f"what there is can't be read: {error}") from error
        results = [Result(change) for change in plan.changes]
        execute(
            sdk.with_options(max_retries=0),
            results,
            at_once=_AT_ONCE,
            told=lambda _: None,
            counted=lambda _, __: None,
        )
    refused = [f"{one.change.identity}: {told(one.failure)}" for one in results if one.failure]
    return [*map(str, plan.problems), *refused]
