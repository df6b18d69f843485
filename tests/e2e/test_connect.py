"""An account is connected over https, through the deployed template."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local import certificates
from local.paths import StateDir
from local.provider import Provider, provider
from tests.e2e.harness import PATIENT_MS, Tenant


def publish(tenant: Tenant, slug: str, auth_config: dict[str, Any], url: str, **more: Any) -> str:
    """Publishes an integration whose check asks this URL; returns its key."""
    steps = [{"name": "whoami", "kind": "http", "request": {"url": url}}]
    draft = {
        "workspaceId": tenant.space_id,
        "publisher": tenant.slug,
        "slug": slug,
        "name": slug,
        "authConfig": auth_config,
        "manifest": {"checks": {"timeoutMs": PATIENT_MS, "steps": steps}, **more},
    }
    integration_id = tenant.post("/v1/integrations", draft).body["id"]
    tenant.post(f"/v1/integrations/{integration_id}/publish", {"version": "1.0.0"})
    return f"{tenant.slug}/{slug}"


def test_the_local_cloud_trusts_its_own_authority_and_no_other(
    tenant: Tenant, server: Provider, tmp_path: Path
) -> None:
    # Given a provider with the certificate of this cloud, and one with that of another
    other = StateDir(tmp_path)
    certificates.prepare(other, datetime.now(UTC))
    with provider(certificate=other.server_certificate) as stranger:
        for slug, served, status in (
            ("own", server, "succeeded"),
            ("stranger", stranger, "failed"),
        ):
            integration = publish(tenant, slug, {"type": "api_key"}, f"{served.https_url}/me")
            # When a connection to it is tested, then only the first is trusted
            body = {"integration": integration, "secrets": {"api_key": "right-key"}}
            tested = tenant.post(f"{tenant.connectors}/sources/test", body, 200).body
            assert tested["status"] == status, tested
        assert tested["code"] == "certificate_chain_incomplete"
