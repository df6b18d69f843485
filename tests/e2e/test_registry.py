"""The registry under many writers at once, through the deployed functions."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.e2e.harness import AT_ONCE, Tenant


def draft(tenant: Tenant, slug: str) -> dict[str, Any]:
    return {
        "workspaceId": tenant.space_id,
        "publisher": tenant.slug,
        "slug": slug,
        "name": slug,
    }


def test_of_50_concurrent_creates_of_one_slug_one_wins(tenant: Tenant) -> None:
    def create(number: int) -> tuple[int, str]:
        answer = tenant.insist("/v1/integrations", draft(tenant, "once"), f"create-{number}")
        return answer.status, answer.body.get("error", {}).get("code", "")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = Counter(pool.map(create, range(50)))
    assert answers == {(201, ""): 1, (409, "SLUG_TAKEN"): 49}
    assert len(tenant.get("/v1/integrations")["items"]) == 1
    # The one that won counts once in its space, so that the space goes with it
    [only] = tenant.get("/v1/integrations")["items"]
    assert tenant.client.call("DELETE", f"/spaces/{tenant.slug}").status == 409
    assert tenant.client.call("DELETE", f"/v1/integrations/{only['id']}").status == 204
    assert tenant.client.call("DELETE", f"/spaces/{tenant.slug}").status == 204


def test_concurrent_patches_of_different_fields_lose_nothing(tenant: Tenant) -> None:
    # Given an integration, and writers that each own one member of its manifest
    made = tenant.post("/v1/integrations", draft(tenant, "many")).body
    path = f"/v1/integrations/{made['id']}"

    def patch(number: int) -> bool:
        body = {"manifest": {f"field{number}": number}}
        # A writer who lost on and on is told to try again
        return tenant.insist(path, body, method="PATCH").status == 200

    # When they write at once
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert all(pool.map(patch, range(24)))
    # Then everything is there
    assert tenant.get(path)["manifest"] == {f"field{n}": n for n in range(24)}


def test_of_concurrent_publishes_each_version_is_one_release(tenant: Tenant) -> None:
    made = tenant.post("/v1/integrations", draft(tenant, "versions")).body
    path = f"/v1/integrations/{made['id']}"

    def publish(number: int) -> int:
        body = {"version": f"1.{number % 4}.0"}
        return tenant.insist(f"{path}/publish", body, f"publish-{number}").status

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = Counter(pool.map(publish, range(16)))
    assert set(statuses) <= {200, 201, 409}
    versions = [item["version"] for item in tenant.get(f"{path}/versions")["items"]]
    assert len(versions) == statuses[201]
    assert versions == sorted(set(versions), reverse=True)
    assert tenant.get(path)["currentVersion"] == versions[0]


def test_a_create_that_is_sent_many_times_under_one_key_is_one(tenant: Tenant) -> None:
    def create(_: int) -> tuple[int, str]:
        # A caller that comes while the first is at work has to come back
        answer = tenant.insist("/v1/integrations", draft(tenant, "keyed"), "a-key")
        return answer.status, answer.body.get("id", "")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = set(pool.map(create, range(16)))
    [made] = tenant.get("/v1/integrations")["items"]
    assert answers == {(201, made["id"])}
