"""Tests of what is connected, over the API, against real servers on loopback."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

import checks
from local.provider import Provider
from patchbay.connection_tests import finished_test, time_budgets
from patchbay.connection_tests import tester as engine
from patchbay.connections.vault import Vault
from patchbay.platform.errors import TemporarilyUnavailable
from tests.integration.api import Answer, sample_event
from tests.integration.conftest import Tenant
from tests.integration.story import (
    PATIENT_MS,
    SECRET,
    calling,
    create_connection,
    create_source,
    publish_integration,
)

pytestmark = pytest.mark.enable_socket


def source_asking(
    tenant: Tenant, server: Provider, path: str, timeout_ms: int = PATIENT_MS
) -> dict[str, Any]:
    if tenant.client.get("/v1/catalog/acme/crm").status == 404:
        publish_integration(tenant, manifest=calling(server.port, timeout_ms))
    return create_source(tenant, variables={"path": path})


def dry_run(tenant: Tenant, source_id: str, **more: Any) -> Answer:
    return tenant.client.post(
        f"{tenant.connectors}/connections/test", {"source_id": source_id, **more}
    )


def health(tenant: Tenant) -> dict[str, Any]:
    summary: dict[str, Any] = tenant.client.get("/spaces/acme/integration-health").json
    return summary


def events(tenant: Tenant) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = tenant.client.get("/spaces/acme/integration-events").json["items"]
    return items


def test_the_sample_event_asks_for_a_source_that_does_not_exist(deployed: object) -> None:
    answer = checks.handler(sample_event("checks"), None)
    assert answer["statusCode"] == 404
    assert '"SOURCE_NOT_FOUND"' in answer["body"]


def test_a_dry_run_with_the_right_key_succeeds_and_stores_nothing(
    tenant: Tenant, server: Provider
) -> None:
    source = source_asking(tenant, server, "me")
    answer = dry_run(tenant, source["id"])
    assert answer.status == 200
    assert answer.json["status"] == "succeeded"
    assert answer.json["message"] == "Connection test passed"
    assert answer.json["verified"] is True
    assert answer.json["account"] == "octocat"
    assert [path for path, _ in server.requests] == ["/me"]
    assert events(tenant) == []
    assert tenant.client.get(f"{tenant.connectors}/connections").json["items"] == []


@pytest.mark.parametrize(
    ("path", "code", "blame"),
    [
        ("401", "auth_invalid", "customer"),
        ("403", "permission_denied", "customer"),
        ("429", "rate_limited", "provider"),
        ("500", "provider_error", "provider"),
        ("302", "unexpected_response", "provider"),
        ("silent", "provider_timeout", "provider"),
    ],
)
def test_a_dry_run_says_what_is_wrong_and_whose_move_it_is(
    tenant: Tenant, server: Provider, path: str, code: str, blame: str
) -> None:
    timeout_ms = 1000 if path == "silent" else PATIENT_MS
    source = source_asking(tenant, server, path, timeout_ms)
    answer = dry_run(tenant, source["id"])
    assert answer.status == 200
    assert answer.json["status"] == "failed"
    assert (answer.json["code"], answer.json["blame"]) == (code, blame)
    assert "whoami" in answer.json["message"]
    failed = [step for step in answer.json["steps"] if step["status"] == "failed"]
    assert [step["name"] for step in failed] == ["whoami"]
    assert failed[0]["diagnosis"]["remediation"]
    assert SECRET not in answer.text
    # A redirect is never followed
    assert [asked for asked, _ in server.requests] == [f"/{path}"]


@pytest.fixture
def took(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that each test ran, without the tables: moto is slower than DynamoDB."""
    seconds: list[float] = []
    run = engine.Tester.run

    async def timed(*arguments: Any) -> finished_test.FinishedTest:
        started = time.monotonic()
        try:
            return await run(*arguments)
        finally:
            seconds.append(time.monotonic() - started)

    monkeypatch.setattr(engine.Tester, "run", timed)
    return seconds


def within(limit: float, took: list[float], again: Callable[[], object]) -> bool:
    """Whether a test ends within this limit; retries in case the machine paused."""
    for _ in range(3):
        if took[-1] < limit:
            return True
        again()
    return took[-1] < limit


def test_a_silent_server_holds_a_test_no_longer_than_its_deadline(
    tenant: Tenant, server: Provider, took: list[float]
) -> None:
    source = source_asking(tenant, server, "silent", timeout_ms=1000)
    answer = dry_run(tenant, source["id"])
    assert answer.json["code"] == "provider_timeout"
    # The plan allows 1 s, and the design half a second more
    assert within(1.5, took, lambda: dry_run(tenant, source["id"]))


def test_configurations_are_validated_by_the_schema_of_the_release(
    tenant: Tenant, server: Provider
) -> None:
    source = source_asking(tenant, server, "me")
    answer = dry_run(tenant, source["id"], configurations={"depth": 0})
    assert answer.status == 400
    assert answer.code == "CONNECTOR_INVALID_CONFIG"
    assert answer.pointers == ["/configurations/depth"]
    assert dry_run(tenant, source["id"], configurations={"depth": 1}).json["status"] == "succeeded"
    assert dry_run(tenant, "src_01K0Z3NDEKTSV4RRFFQ69G5FAV").code == "SOURCE_NOT_FOUND"
    assert dry_run(tenant, "nonsense").code == "SOURCE_NOT_FOUND"
    assert dry_run(tenant, source["id"], destination_id="src_x").code == "DESTINATION_NOT_FOUND"
    assert tenant.client.post(f"{tenant.connectors}/connections/test", {}).pointers == [
        "/source_id"
    ]


def test_a_source_without_its_secret_names_the_secret(tenant: Tenant, server: Provider) -> None:
    source_asking(tenant, server, "me")
    source = create_source(tenant, secrets={})
    answer = tenant.client.post(f"{tenant.connectors}/sources/{source['id']}/test", {})
    assert answer.json["code"] == "secret_not_found"
    [step] = [step for step in answer.json["steps"] if step["status"] == "failed"]
    assert step["field_pointer"] == "/secrets/api_key"
    assert server.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:80/",
        "http://10.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]:8080/",
    ],
)
def test_a_target_that_the_operator_did_not_allow_is_never_dialed(tenant: Tenant, url: str) -> None:
    manifest = calling(1024)
    manifest["checks"]["steps"][0]["request"]["url"] = url
    publish_integration(tenant, manifest=manifest)
    answer = dry_run(tenant, create_source(tenant)["id"])
    assert answer.json["status"] == "failed"
    assert answer.json["code"] == "egress_blocked"
    assert answer.json["steps"][2]["name"] == "egress"
    assert answer.json["steps"][2]["status"] == "failed"


def test_the_operation_of_the_contract_tests_a_connection_and_leaves_events(
    tenant: Tenant, server: Provider
) -> None:
    # Given a connection that works and one whose key is wrong
    good = create_connection(tenant, source_asking(tenant, server, "me"))
    bad = create_connection(tenant, source_asking(tenant, server, "401"))
    operation = "/integrations/connection/test/v1.0.0"
    # When they are tested
    passed = tenant.client.post(operation, {"connectionId": good["id"]})
    failed = tenant.client.post(operation, {"connectionId": bad["id"]})
    # Then the responses have the shape of the operation
    assert passed.status == failed.status == 200
    assert set(passed.json) == {"success", "status", "latencyMs"}
    assert (passed.json["success"], passed.json["status"]) == (True, "connected")
    assert set(failed.json) == {"success", "status", "latencyMs", "error", "errorCode"}
    assert (failed.json["success"], failed.json["status"]) == (False, "error")
    assert failed.json["errorCode"] == "auth_invalid"
    # And each test is an event, and is counted
    found = {event["connection_id"]: event for event in events(tenant)}
    assert found[good["id"]]["status"] == "SUCCESS"
    assert found[bad["id"]]["status"] == "ERROR"
    assert found[bad["id"]]["error_code"] == "auth_invalid"
    summary = health(tenant)
    assert (summary["total_events"], summary["success_rate"]) == (2, 50.0)
    [by_type] = summary["by_integration_type"]
    assert by_type["integration_type"] == "connection_test"
    # And the connection has its health
    path = f"{tenant.connectors}/connections/{bad['id']}"
    read = tenant.client.get(path).json["health"]
    assert (read["status"], read["error_code"]) == ("error", "auth_invalid")


def test_the_rest_route_tests_a_connection_step_by_step(tenant: Tenant, server: Provider) -> None:
    connection = create_connection(tenant, source_asking(tenant, server, "me"))
    answer = tenant.client.post(f"{tenant.connectors}/connections/{connection['id']}/test", {})
    assert answer.json["status"] == "succeeded"
    names = [step["name"] for step in answer.json["steps"]]
    gates = ["config", "secrets", "egress", "dns", "tcp", "tls"]
    assert names == [*gates, "whoami", "configurations"]
    assert len(events(tenant)) == 1


def test_source_and_destination_are_both_tested(tenant: Tenant, server: Provider) -> None:
    manifest = calling(server.port) | {"roles": ["source", "destination"]}
    publish_integration(tenant, manifest=manifest)
    source = create_source(tenant)
    made = tenant.client.post(
        f"{tenant.connectors}/destinations",
        {
            "name": "d",
            "integration": "acme/crm",
            "variables": {"path": "500"},
            "secrets": {"api_key": "x"},
        },
    )
    answer = dry_run(tenant, source["id"], destination_id=made.json["id"])
    assert answer.json["status"] == "failed"
    assert answer.json["code"] == "provider_error"
    assert answer.json["message"].startswith("destination: ")
    steps = {step["name"]: step["status"] for step in answer.json["steps"]}
    assert steps["source: whoami"] == "passed"
    assert steps["destination: whoami"] == "failed"


def test_another_tenants_connection_is_not_tested(
    tenant: Tenant, stranger: Tenant, server: Provider
) -> None:
    source = source_asking(tenant, server, "me")
    connection = create_connection(tenant, source)
    operation = "/integrations/connection/test/v1.0.0"
    answer = stranger.client.post(operation, {"connectionId": connection["id"]})
    assert answer.code == "CONNECTION_NOT_FOUND"
    assert dry_run(stranger, source["id"]).code == "SOURCE_NOT_FOUND"
    theirs = f"{tenant.connectors}/connections/{connection['id']}/test"
    assert stranger.client.post(theirs, {}).status == 404
    assert server.requests == []
    assert events(tenant) == []


def test_a_test_whose_secrets_can_not_be_read_is_our_fault_and_leaves_an_event(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a connection, and an outage of the vault
    connection = create_connection(tenant, source_asking(tenant, server, "me"))

    def out(*_: object, **__: object) -> None:
        raise TemporarilyUnavailable

    monkeypatch.setattr(Vault, "open", out)
    # When it is tested
    operation = "/integrations/connection/test/v1.0.0"
    answer = tenant.client.post(operation, {"connectionId": connection["id"]}).json
    # Then the failure counts against no one, but the test is recorded
    assert (answer["success"], answer["status"]) == (False, "unknown")
    assert answer["errorCode"] == "secret_store_unavailable"
    summary = health(tenant)
    assert (summary["total_events"], summary["platform_faults"]) == (0, 1)
    assert len(events(tenant)) == 1
    assert server.requests == []


def check(tenant: Tenant, kind: str, thing: dict[str, Any]) -> Answer:
    return tenant.client.call("POST", f"{tenant.connectors}/{kind}/{thing['id']}/test", None)


def test_more_tests_a_minute_than_allowed_are_429_and_dial_nothing(
    tenant: Tenant, stranger: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTS_PER_MINUTE", "3")
    connection = create_connection(tenant, source_asking(tenant, server, "me"))
    source = {"id": connection["source_id"]}
    # When every kind of test is asked for once, and then again
    assert dry_run(tenant, source["id"]).status == 200
    assert check(tenant, "sources", source).status == 200
    path = f"{tenant.connectors}/connections/{connection['id']}/test?mode=async"
    assert tenant.client.call("POST", path, None).status == 202
    dialed = len(server.requests)
    operation = "/integrations/connection/test/v1.0.0"
    refusals = [
        dry_run(tenant, source["id"]),
        check(tenant, "sources", source),
        tenant.client.call("POST", path, None),
        tenant.client.post(operation, {"connectionId": connection["id"]}),
    ]
    # Then each of them is refused, and says when to retry
    for refused in refusals:
        assert (refused.status, refused.code) == (429, "RATE_LIMITED")
        assert 0 < int(refused.headers["retry-after"]) <= 120
    assert len(server.requests) == dialed
    # Another tenant is not affected
    assert dry_run(stranger, "src_01K0Z3NDEKTSV4RRFFQ69G5FAV").status == 404


def test_more_tests_in_flight_than_allowed_are_429(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTS_IN_FLIGHT", "1")
    connection = create_connection(tenant, source_asking(tenant, server, "me"))
    path = f"{tenant.connectors}/connections/{connection['id']}/test"
    # Given one in the queue
    assert tenant.client.call("POST", f"{path}?mode=async", None).status == 202
    # Then there is no room for another
    refused = tenant.client.call("POST", path, None)
    assert (refused.status, refused.headers["retry-after"]) == (429, "2")


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_a_blocked_target_reveals_nothing_about_its_ports(
    tenant: Tenant, server: Provider, kind: str
) -> None:
    # Given an open and a closed port of an address that the operator did not allow
    with socket.create_server(("127.0.0.2", 0)) as listener, socket.socket() as unused:
        unused.bind(("127.0.0.2", 0))
        answers = []
        for name, port in (("open", listener.getsockname()[1]), ("shut", unused.getsockname()[1])):
            manifest = calling(1024)
            [step] = manifest["checks"]["steps"]
            if kind == "http":
                step["request"]["url"] = f"http://127.0.0.2:{port}/"
            else:
                manifest["checks"]["steps"] = [
                    {"name": "port", "kind": "tcp", "host": "127.0.0.2", "port": port}
                ]
            publish_integration(tenant, slug=name, manifest=manifest)
            source = create_source(tenant, integration=f"acme/{name}")
            answers.append(dry_run(tenant, source["id"]).json)
        # Then both results are the same except for the time, and nothing was dialed
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert answers[0]["code"] == "egress_blocked"
    for answer in answers:
        answer["latency_ms"] = 0
        for step in answer["steps"]:
            step["duration_ms"] = 0
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "called",
    ["api.patchbay.example.net", "patchbay.acme.com", "eu.connect.acme.com", "go.acme.com"],
)
def test_a_test_must_not_call_its_own_api(tenant: Tenant, called: str) -> None:
    manifest = calling(1024)
    own = sample_event("docs")["requestContext"]["domainName"]
    # The host name of the sample event is an address; only the gateway knows its own name.
    assert own == "127.0.0.1"
    manifest["checks"]["steps"][0]["request"]["url"] = f"https://{called}/v1/catalog"
    publish_integration(tenant, manifest=manifest)
    source = create_source(tenant)
    event = sample_event("checks")
    path = f"{tenant.connectors}/connections/test"
    event |= {"rawPath": path, "body": json.dumps({"source_id": source["id"]})}
    event["requestContext"]["http"]["path"] = path
    event["requestContext"]["domainName"] = "api.patchbay.example.net"
    event["requestContext"]["authorizer"]["lambda"]["organization_id"] = tenant.organization_id
    answer = json.loads(checks.handler(event, None)["body"])
    assert answer["code"] == "egress_blocked"
    assert [s["detail"] for s in answer["steps"] if s["status"] == "failed"] == ["name"]


def slow_manifest(server: Provider, **limits: Any) -> dict[str, Any]:
    """Two optional steps that a server does not answer, after a gate that it does."""
    manifest = calling(server.port)
    whoami = manifest["checks"]["steps"][0]
    silent = whoami | {"category": "capability", "mandatory": False}
    silent["request"] = {"method": "GET", "url": f"{server.url}/silent"}
    steps = [whoami, silent | {"name": "first"}, silent | {"name": "second"}]
    manifest["checks"] = {"steps": steps, **limits}
    return manifest


def test_a_step_without_time_is_skipped_and_says_so(
    tenant: Tenant, server: Provider, took: list[float]
) -> None:
    # Given a total of 1 s, all of which the first silent server takes
    publish_integration(tenant, manifest=slow_manifest(server, timeoutMs=1000))
    source = create_source(tenant)
    answer = check(tenant, "sources", source).json
    assert within(1.5, took, lambda: check(tenant, "sources", source))
    outcome = {step["name"]: (step["status"], step["skip_reason"]) for step in answer["steps"]}
    assert outcome["whoami"] == ("passed", None)
    assert outcome["first"] == ("warning", None)
    assert outcome["second"] == ("skipped", "budget_exhausted")
    # An optional step does not decide
    assert answer["status"] == "succeeded"


def test_the_time_of_a_test_is_that_of_its_manifest_or_the_default_of_its_mode() -> None:
    said = time_budgets.TimeBudget(25_000, 10_000)
    assert (time_budgets.SYNCHRONOUS, time_budgets.ASYNCHRONOUS.most_ms) == (said, 60_000)
    assert time_budgets.ASYNCHRONOUS.default_ms > time_budgets.SYNCHRONOUS.default_ms


def test_a_manifest_may_ask_for_the_minute_that_only_a_queued_test_has(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given the total of the manifest below, and that of a synchronous test cut to a second
    publish_integration(tenant, manifest=slow_manifest(server, timeoutMs=60_000))
    monkeypatch.setattr(engine, "SYNCHRONOUS", time_budgets.TimeBudget(1000, 1000))
    answer = check(tenant, "sources", create_source(tenant)).json
    skipped = [
        step["name"] for step in answer["steps"] if step["skip_reason"] == "budget_exhausted"
    ]
    assert skipped == ["second"]


def test_a_capability_that_fails_affects_only_itself(tenant: Tenant, server: Provider) -> None:
    manifest = calling(server.port)
    whoami = manifest["checks"]["steps"][0]
    manifest["capabilities"] = ["metadata_sync", "profiling", "webhook"]
    for capability, path in (("metadata_sync", "me"), ("profiling", "403")):
        request = {"method": "GET", "url": f"{server.url}/{path}"}
        step = {"name": f"can {capability}", "kind": "http", "request": request}
        manifest["checks"]["steps"].append(
            step | {"category": "capability", "capability": capability}
        )
    assert whoami["name"] == "whoami"
    publish_integration(tenant, manifest=manifest)
    connection = create_connection(tenant, create_source(tenant))
    answer = check(tenant, "connections", connection).json
    assert answer["status"] == "succeeded"
    assert answer["capabilities"] == [
        {"role": "source", "name": "metadata_sync", "status": "proven"},
        {"role": "source", "name": "profiling", "status": "at_risk"},
        {"role": "source", "name": "webhook", "status": "untested"},
    ]


@pytest.mark.parametrize(
    ("gives", "takes", "status", "verdict"),
    [
        (["metadata_sync"], ["metadata_sync", "alert"], "passed", "succeeded"),
        (["metadata_sync", "webhook"], ["metadata_sync"], "warning", "succeeded"),
        (["webhook"], ["metadata_sync"], "failed", "failed"),
        ([], ["metadata_sync"], "skipped", "succeeded"),
    ],
)
def test_the_last_step_is_whether_the_destination_accepts_what_the_source_gives(
    tenant: Tenant,
    server: Provider,
    gives: list[str],
    takes: list[str],
    status: str,
    verdict: str,
) -> None:
    for slug, capabilities in (("giver", gives), ("taker", takes)):
        manifest = calling(server.port) | {
            "roles": ["source", "destination"],
            "capabilities": capabilities,
        }
        publish_integration(tenant, slug=slug, manifest=manifest)
    source = create_source(tenant, integration="acme/giver")
    body = {
        "name": "d",
        "integration": "acme/taker",
        "variables": {"path": "me"},
        "secrets": {"api_key": SECRET},
    }
    destination = tenant.client.post(f"{tenant.connectors}/destinations", body).json
    answer = dry_run(tenant, source["id"], destination_id=destination["id"]).json
    last = answer["steps"][-1]
    assert (last["name"], last["status"]) == ("capabilities", status)
    assert answer["status"] == verdict
    if verdict == "failed":
        assert (answer["code"], answer["blame"]) == ("config_invalid", "customer")
        assert last["field_pointer"] == "/destination_id"
        assert answer["verified"] is False


def test_configurations_that_are_missing_in_a_draft_are_a_result_of_the_test(
    tenant: Tenant, server: Provider
) -> None:
    # Given a draft whose source is upgraded to a release that requires more
    connection = create_connection(tenant, source_asking(tenant, server, "me"), status="draft")
    manifest = calling(server.port)
    manifest["configurationSchema"]["required"] = ["depth"]
    integration = tenant.client.get("/v1/catalog/acme/crm").json
    path = f"/v1/integrations/{integration['id']}"
    tenant.client.patch(path, {"manifest": manifest})
    assert tenant.client.post(f"{path}/publish", {"version": "1.1.0"}).status == 201
    source = f"{tenant.connectors}/sources/{connection['source_id']}"
    upgraded = tenant.client.patch(source, {"version": "1.1.0"})
    assert upgraded.status == 200, upgraded.text
    # When it is tested
    answer = check(tenant, "connections", connection).json
    # Then a failed step says which field is missing; it is not an error
    assert (answer["status"], answer["code"]) == ("failed", "config_invalid")
    [step] = [step for step in answer["steps"] if step["status"] == "failed"]
    assert (step["name"], step["field_pointer"]) == ("configurations", "/configurations/depth")
    assert "is required" in answer["message"]
