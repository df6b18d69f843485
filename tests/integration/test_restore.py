"""The restore of docs/operations.md, as far as an emulator has it: with the page's own script."""

import re
import sys
import textwrap
from pathlib import Path

import pytest

from local.provider import provider
from patchbay.deployment import Deployment
from patchbay.platform import aws
from patchbay.platform.clock import utc_now
from tests.integration.api import start_cold
from tests.integration.conftest import Tenant
from tests.integration.story import (
    SECRET,
    calling,
    create_connection,
    create_source,
    publish_integration,
)

pytestmark = pytest.mark.enable_socket

PAGE = Path(__file__).parents[2] / "docs/operations.md"
TABLE = "IntegrationsTable"


def run_script(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """The block of the page that calls itself restore.py."""
    [script] = re.findall(r"^ *```python\n(.*?)^ *```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    monkeypatch.setattr(sys, "argv", ["restore.py", *arguments])
    exec(compile(textwrap.dedent(script), "restore.py", "exec"), {})  # noqa: S102 - our own page


def test_the_tables_are_what_they_were_and_secrets_open(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with provider() as server:
        server.valid_key = SECRET
        # Given a connection that works, and a table restored to this moment
        publish_integration(tenant, manifest=calling(server.port))
        source = create_source(tenant)
        connection = create_connection(tenant, source)
        path = f"{tenant.connectors}/connections/{connection['id']}"
        assert tenant.client.post(f"{path}/test", {}).json["status"] == "succeeded"
        before = tenant.client.get(path).json
        aws.client("dynamodb").update_continuous_backups(
            TableName=TABLE,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
        aws.client("dynamodb").restore_table_to_point_in_time(
            SourceTableName=TABLE, TargetTableName="restored", UseLatestRestorableTime=True
        )
        # When everything is deleted since, its data key too, and something else is made
        source_path = f"{tenant.connectors}/sources/{source['id']}"
        assert tenant.client.delete(path).status == 204
        assert tenant.client.delete(source_path).status == 204
        keys = Deployment().vault.keys
        keys.delete_all(tenant.organization_id, 1, utc_now())
        # And the deployment key, after its successor was made
        assert keys.deployment_keys.rotate(utc_now()).number == 2
        keys.deployment_keys.delete(1)
        late = create_source(tenant)
        # And the restored table is copied back, twice as after a break
        run_script(monkeypatch, "restored", TABLE)
        run_script(monkeypatch, "restored", TABLE)
        start_cold()
        # Then it is there again, works with its secret, and what was made since is not
        assert tenant.client.get(path).json == before
        assert tenant.client.post(f"{path}/test", {}).json["status"] == "succeeded"
        assert tenant.client.get(f"{tenant.connectors}/sources/{late['id']}").status == 404
        # And what belongs together holds: the source is in use, until it is not
        assert tenant.client.delete(source_path).code == "IN_USE"
        assert tenant.client.delete(path).status == 204
        assert tenant.client.delete(source_path).status == 204
        # And the trail has what was undone
        trail = (
            f"/v1/organizations/{tenant.organization_id}/audit-events?entity_id={connection['id']}"
        )
        actions = [event["action"] for event in tenant.client.get(trail).json["items"]]
        assert actions == ["deleted", "deleted", "created"]
