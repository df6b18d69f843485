"""Someone who may edit a source, but does not know its password, tries to have it sent elsewhere.

The sources are those of the catalog's databases. tests/unit/checks has the other side: servers that
ask for a file, for the password itself, or to be followed into the network.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.integration.conftest import Tenant
from tests.integration.story import SECRET

CATALOG = Path(__file__).parents[2] / "catalog"
VARIABLES: dict[str, dict[str, Any]] = {
    "mysql": {"host": "db.example.com", "user": "app", "database": "sales"},
    "redis": {"host": "db.example.com", "user": "app", "database": 0},
}
OTHER_DATABASE: dict[str, Any] = {"mysql": "reports", "redis": 1}


def source_of(tenant: Tenant, slug: str) -> str:
    """The path of a source of this entry, with a password."""
    entry = json.loads((CATALOG / f"{slug}.json").read_text())
    draft = {name: entry[name] for name in ("name", "variablesSchema", "authConfig", "manifest")}
    address = {"workspaceId": tenant.space_id, "publisher": "acme", "slug": slug}
    made = tenant.client.post("/v1/integrations", address | draft).json
    tenant.client.post(f"/v1/integrations/{made['id']}/publish", {"version": "1.0.0"})
    answer = tenant.client.post(
        f"{tenant.connectors}/sources",
        {
            "name": slug,
            "integration": f"acme/{slug}",
            "variables": VARIABLES[slug],
            "secrets": {"password": SECRET},
        },
    )
    assert answer.status == 201, answer.text
    return f"{tenant.connectors}/sources/{answer.json['id']}"


@pytest.mark.parametrize("slug", VARIABLES)
def test_a_password_is_not_sent_to_another_server_user_or_impostor(
    tenant: Tenant, slug: str
) -> None:
    # given a source whose password is stored
    path = source_of(tenant, slug)
    own_authority = trustme.CA().cert_pem.bytes().decode()

    # when its server, user, or database, or who may vouch for the server, is changed without it
    answers = [
        tenant.client.patch(path, {"variables": change})
        for change in (
            {"host": "evil.example.net"},
            {"port": 4000 if slug == "mysql" else 6380},
            {"user": "other"},
            {"database": OTHER_DATABASE[slug]},
            {"ca_certificate": own_authority},
        )
    ]

    # then it has to be entered again
    assert {answer.code for answer in answers} == {"SECRET_REENTRY_REQUIRED"}
