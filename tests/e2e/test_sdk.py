"""The Python SDK against the local cloud, as a back end would use it."""

import asyncio
from datetime import UTC, datetime

import pytest
from patchbay_sdk import AsyncPatchbay, HttpxTransport, Patchbay, Request, Response, errors

from local.provider import Provider
from tests.e2e.harness import PATIENT_MS, Stack, Tenant

PATIENT_SECONDS = 300
CONNECTION_TEST_PASSED = "Connection test passed"


class LosesAnswers:
    """Sends everything, and loses the first answer to each POST: what was asked is done."""

    def __init__(self) -> None:
        self._inner = HttpxTransport()
        self._seen: set[str] = set()
        self.lost = 0

    def send(self, request: Request) -> Response:
        response = self._inner.send(request)
        key = request.headers.get("Idempotency-Key")
        if request.method == "POST" and key and key not in self._seen:
            self._seen.add(key)
            self.lost += 1
            raise errors.ConnectionFailed(sent=True)
        return response

    def close(self) -> None:
        self._inner.close()


def client_of(tenant: Tenant) -> Patchbay:
    return Patchbay(tenant.client.api_key, base_url=tenant.client.api_url, timeout=PATIENT_SECONDS)


def published(client: Patchbay, tenant: Tenant, provider: Provider, slug: str) -> str:
    """A release of an integration with the provider, and how bodies name it."""
    step = {"name": "whoami", "kind": "http", "request": {"url": f"{provider.url}/me"}}
    draft = client.integrations.create(
        workspace_id=tenant.space_id,
        publisher=tenant.slug,
        slug=slug,
        name="Tracker",
        auth_config={"type": "api_key"},
        manifest={
            "baseUrl": provider.url,
            "checks": {"timeoutMs": PATIENT_MS, "steps": [step]},
        },
    )
    assert draft.current_version is None
    preview = client.integrations.preview_publish(integration_id=draft.id, version="1.0.0")
    assert preview.publishable
    release = client.integrations.publish(integration_id=draft.id, version="1.0.0")
    assert release.published_at <= datetime.now(UTC)
    return release.key


def test_a_back_end_connects_tests_uses_and_watches_something(
    tenant: Tenant, server: Provider
) -> None:
    organization_id = tenant.organization_id
    with client_of(tenant) as client:
        # Given an integration, and a source with a wrong key
        integration = published(client, tenant, server, "sdk")
        source = client.sources.create(
            organization_id=organization_id,
            name="Tracker",
            integration=integration,
            secrets={"api_key": "wrong-key"},
        )

        # When it is tried before it is connected, the answer says what is wrong
        result = client.knowledge_connectors.test_connection(
            organization_id=organization_id, source_id=source.id
        )
        assert (result.status, result.code, result.blame) == ("failed", "auth_invalid", "customer")
        # And once the right key is entered, it works
        changed = client.sources.update(
            organization_id=organization_id,
            source_id=source.id,
            secrets={"api_key": "right-key"},
            if_match=source.etag,
        )
        assert changed.secrets_set == ["api_key"]
        result = client.knowledge_connectors.test_connection(
            organization_id=organization_id, source_id=source.id
        )
        assert (result.status, result.message) == ("succeeded", CONNECTION_TEST_PASSED)

        # Then it can be connected, tested, and used
        connection = client.connections.create(
            organization_id=organization_id, name="c", source_id=source.id, space=tenant.slug
        )
        ids = {"organization_id": organization_id, "connection_id": connection.id}
        assert client.connections.test(**ids).status == "succeeded"
        given = client.connections.get_credentials(**ids)
        assert given.api_key == "right-key"
        assert "right-key" not in repr(given)
        answer = client.proxy.request("GET", "me", **ids)
        assert (answer.status, answer.is_proxied) == (200, True)
        assert b"octocat" in answer.content

        # And watched: events and health
        stored = client.events.add(
            slug=tenant.slug,
            events=[
                {"integration_type": "metadata_sync", "status": "SUCCESS"},
                {"integration_type": "webhook", "status": "ERROR", "error_code": "timeout"},
            ],
        )
        assert stored.accepted == 2
        kinds = [event.integration_type for event in client.events.list(slug=tenant.slug, limit=1)]
        assert {"metadata_sync", "webhook", "connection_test"} == set(kinds)
        assert client.health.get(slug=tenant.slug, days=1).total_events == len(kinds)

        # And an alert rule has the secret of its webhook once
        rule = client.alert_rules.create(
            slug=tenant.slug,
            name="down",
            condition={"kind": "connection_down", "connection_id": connection.id},
            channels=[{"kind": "webhook", "url": "https://hooks.example.com/patchbay"}],
        )
        [secret] = rule.secrets.values()
        assert secret.startswith("whsec_")
        assert secret not in repr(rule)
        assert rule.condition.kind == "connection_down"
        again = client.alert_rules.update(
            slug=tenant.slug,
            rule_id=rule.id,
            channels=rule.channels,
        )
        assert again.secrets == {}

        # And all of it is deleted
        client.alert_rules.delete(slug=tenant.slug, rule_id=rule.id)
        client.connections.delete(**ids)
        with pytest.raises(errors.NotFound) as missing:
            client.connections.get(**ids)
        assert missing.value.code == "CONNECTION_NOT_FOUND"
        assert missing.value.trace_id


def test_a_create_whose_answer_is_lost_makes_one_thing(tenant: Tenant) -> None:
    transport = LosesAnswers()
    with Patchbay(
        tenant.client.api_key,
        base_url=tenant.client.api_url,
        timeout=PATIENT_SECONDS,
        max_retries=5,
        transport=transport,
    ) as client:
        made = {
            client.integrations.create(
                workspace_id=tenant.space_id, publisher=tenant.slug, slug=slug, name=slug
            ).id
            for slug in ("one", "two")
        }
        assert transport.lost == 2
        listed = [one.id for one in client.integrations.list(limit=1)]
        assert sorted(listed) == sorted(made)


def test_errors_have_their_codes_and_pointers(tenant: Tenant, stack: Stack) -> None:
    with client_of(tenant) as client:
        with pytest.raises(errors.InvalidRequest) as invalid:
            client.spaces.create(
                organization_id=tenant.organization_id, slug="Not a slug", name="n"
            )
        assert invalid.value.pointers == ("/slug",)
        with pytest.raises(errors.InvalidCursor):
            client.spaces.list(organization_id=tenant.organization_id, cursor="x").first_page()
        with pytest.raises(errors.PreconditionFailed):
            client.spaces.update(slug=tenant.slug, name="n", if_match='"another"')
        with pytest.raises(errors.PermissionDenied):
            client.organizations.create(name="not mine to make")
    with Patchbay("pb_not_a_key", base_url=stack.api_url) as stranger:
        with pytest.raises(errors.Unauthenticated):
            stranger.spaces.get(slug=tenant.slug)
        document = stranger.documentation.get_openapi_document()
        assert document["info"]["title"] == "Patchbay"


def test_the_async_client_does_several_things_at_once(tenant: Tenant) -> None:
    async def run() -> None:
        async with AsyncPatchbay(
            tenant.client.api_key, base_url=tenant.client.api_url, timeout=PATIENT_SECONDS
        ) as client:
            made = await asyncio.gather(
                *(
                    client.integrations.create(
                        workspace_id=tenant.space_id,
                        publisher=tenant.slug,
                        slug=f"s{number}",
                        name="Side by side",
                    )
                    for number in range(3)
                )
            )
            listed = [one.id async for one in client.integrations.list(limit=2)]
            assert sorted(listed) == sorted(one.id for one in made)
            space = await client.spaces.get(slug=tenant.slug)
            assert space.id == tenant.space_id

    asyncio.run(run())
