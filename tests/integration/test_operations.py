"""The operations `integrations.connection.*`: their shapes to the letter, and what they do."""

from typing import Any

import pytest

from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.story import (
    create_source,
    publish_integration,
)

pytestmark = pytest.mark.enable_socket


def call(tenant: Tenant, operation: str, **body: Any) -> Answer:
    return tenant.client.post(f"/integrations/connection/{operation}/v1.0.0", body)


def asked(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    """The input of a create, with its required fields."""
    return {
        "tenantId": tenant.organization_id,
        "integrationKey": "acme.crm",
        "integrationVersion": 1,
        "label": "Acme CRM",
        "ownershipMode": "managed",
        "secretProvider": "patchbay",
        "secretRef": "patchbay://none",
        "config": {"path": "me"},
        **changes,
    }


def test_x(tenant: Tenant) -> None:
    publish_integration(tenant)
    a = call(tenant, "create", **asked(tenant))
    print(a.text)
    s = create_source(tenant)
    b = call(
        tenant, "create", **asked(tenant, secretRef=f"patchbay://{s['id']}", externalAccountId="x")
    )
    print(b.text)
    print(
        tenant.client.get(
            f"/integrations/connection/list/v1.0.0?tenantId={tenant.organization_id}"
        ).text
    )
    print(
        call(tenant, "update", connectionId=b.json["id"], label="New", status="disconnected").text
    )
    print(call(tenant, "update", connectionId=b.json["id"], config={"path": "you"}).text)
    print(call(tenant, "update", connectionId=a.json["id"], status="connected").text)
    print(call(tenant, "delete", connectionId=b.json["id"]).text)
    print(call(tenant, "create", **asked(tenant, config={"path": 7})).text)
    print(
        call(
            tenant,
            "create",
            **asked(tenant, secretProvider="aws-secrets-manager", secretRef="aws://x"),
        ).text
    )
    assert 0
