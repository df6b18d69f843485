"""The API against its own document: requests that fit it and requests that don't, by schemathesis.

No fault of ours (5xx), no status and no answer that the document does not tell, every error in the
envelope, nothing open without a key. Run with keys of every kind, on an organization of its own.
`make fuzz` asks more: FUZZ_EXAMPLES is the number of requests of each route and key.
"""

import json
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from local.openapi import DOCUMENT
from tests.e2e.harness import TENANT, Stack, Tenant

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1"))
KEYS = ["operator", *TENANT]

# What fits the document may name what is not there, or break a rule that no schema can tell.
LEFT_OUT = [positive_data_acceptance]


def names(tenant: Tenant) -> dict[str, str]:
    """Real names for some of the requests, so that they reach what is behind the 404."""
    tenant.publish_asking(9)
    source_id, connection_id = tenant.connect("me")
    integrations = tenant.get("/v1/integrations")["items"]
    return {
        "organization_id": tenant.organization_id,
        "slug": tenant.slug,
        "source_id": source_id,
        "connection_id": connection_id,
        "integration_id": integrations[0]["id"],
        "publisher": tenant.slug,
        "version": "1.0.0",
    }


@pytest.mark.parametrize("permission", KEYS)
def test_the_api_does_what_its_document_says(stack: Stack, tenant: Tenant, permission: str) -> None:
    real = names(tenant)
    key = stack.api_key if permission == "operator" else issued(tenant, stack, permission)
    schema = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text()))
    # What a missing or wrong key gets does not depend on which key it is not.
    left_out = LEFT_OUT if permission == "operator" else [*LEFT_OUT, ignored_auth]
    found: list[str] = []
    tried = 0
    for result in schema.exclude(path="/docs").get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]  # the document is valid

        def call(case: Any) -> None:
            nonlocal tried
            tried += 1
            # Every other request goes to what is there.
            if tried % 2:
                parameters = case.path_parameters or {}
                case.path_parameters = {
                    name: real.get(name, value) for name, value in parameters.items()
                }
            case.headers["Authorization"] = f"Bearer {key}"
            answer = case.call(base_url=stack.api_url)
            case.validate_response(answer, excluded_checks=left_out)
            if answer.status_code >= 400:
                error = answer.json()["error"]
                assert error["status"] == answer.status_code

        for mode in GenerationMode:
            try:
                fuzzed(operation.as_strategy(generation_mode=mode), call)
            except Unsatisfiable:
                pass  # nothing could be wrong with a request that has no parameters
            except (Exception, BaseExceptionGroup) as error:
                found.append(f"{operation.method.upper()} {operation.path} {mode}\n{error}")
    assert tried >= EXAMPLES
    assert not found, "\n\n".join(found)


def fuzzed(cases: Any, call: Any) -> None:
    @seed(20260217)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=cases)
    def run(case: Any) -> None:
        call(case)

    run()


def issued(tenant: Tenant, stack: Stack, permission: str) -> str:
    """A key with one permission."""
    body = {"name": "fuzz", "permissions": [permission]}
    path = f"{tenant.organization}/api-keys"
    answer = stack.client.call("POST", path, body)
    key: str = answer.body["key"]
    return key


def test_all_checks_are_known() -> None:
    assert len(CHECKS.get_all()) > len(LEFT_OUT)
