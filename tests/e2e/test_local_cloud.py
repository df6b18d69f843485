"""What `make run` promises about starting, stopping and starting again."""

import json
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.client import Client
from local.paths import StateDir
from local.provider import provider
from local.publishing import catalog_files, publish_catalog
from local.sam import STACK_NAME
from local.tenant import recall
from tests.e2e.browsing import Browser
from tests.e2e.harness import STOP_SECONDS, LocalCloud, Stack, Tenant, processes_of, spawn
from tests.e2e.test_async_tests import finished
from tests.e2e.test_monitors import until
from tests.integration.cloudformation import read_template
from tests.integration.test_local_state import LOST_SECONDS, open_to_others

FreePort = Callable[[], int]


@dataclass(frozen=True)
class Stopped:
    """The folder of a local cloud that ran once, and an organization that was made in it."""

    folder: Path
    organization_id: str

    @property
    def stack_file(self) -> Path:
        return StateDir(self.folder).stack_file

    @property
    def api_key(self) -> str:
        """Of its last run."""
        return str(json.loads(self.stack_file.read_text())["api_key"])


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, free_port: FreePort) -> Stopped:
    """A local cloud with an organization more, stopped as a service manager does."""
    folder = tmp_path_factory.mktemp("stopped")
    cloud = LocalCloud(folder, free_port())
    created = cloud.stack.client.call("POST", "/v1/organizations", {"name": "Kept"})
    assert created.status == 201, created.problem
    assert cloud.stop(signal.SIGTERM) == 0
    assert processes_of(folder) == {}
    return Stopped(folder, created.body["id"])


def test_data_and_key_are_found_again_after_a_restart(
    stopped: Stopped, free_port: FreePort
) -> None:
    # given a local cloud that was stopped
    api_key = stopped.api_key

    # when it is started again, on another port
    again = LocalCloud(stopped.folder, free_port())
    kept = again.stack.client.call("GET", f"/v1/organizations/{stopped.organization_id}")
    assert_links_work(again)
    ended = again.stop(signal.SIGINT)

    # then the old key reads the old data
    assert again.stack.api_key == api_key
    assert kept.body["name"] == "Kept"
    # and Ctrl-C is a clean end too
    assert ended == 0
    assert processes_of(stopped.folder) == {}


def assert_links_work(cloud: LocalCloud) -> None:
    """The links that are printed: the dashboard's, and one for each way to connect something."""
    links = [line.strip() for line in cloud.said if line.startswith("    http")]
    dashboard, by_key, by_account = links
    api_url = cloud.stack.api_url
    browser = Browser(cloud.stack.state.authority_certificate)
    # A code is good once, and the page of the dashboard is there.
    page, _, code = dashboard.partition("#")
    browser.open(page)
    assert (browser.status, page) == (200, f"{api_url}/app/sign-in")
    for status in (201, 401):
        body = json.dumps({"code": code}).encode()
        browser.open(
            f"{api_url}/v1/browser-sessions", body, media_type="application/json", origin=api_url
        )
        assert browser.status == status, browser.page
    browser.open(f"{api_url}/v1/browser-sessions/current")
    who = json.loads(browser.page)
    assert who["organization"]["id"] == cloud.stack.organization_id
    assert "platform.integration.manage" in who["permissions"]
    # By the key
    given = {"variables": {"team": "sales"}, "secrets": {"api_key": "right-key"}}
    end_user = Client(api_url, by_key.partition("#")[2])
    connected = end_user.call("POST", "/v1/install/complete", given).body
    assert connected["test"]["status"] == "succeeded", connected
    # By an account
    end_user = Client(api_url, by_account.partition("#")[2])
    started = end_user.call("POST", "/v1/install/authorize", {})
    assert started.status == 200, started.problem
    # Its cookie is that of the browser that began, which is another here.
    browser.open(started.body["authorization_url"])
    assert "asks for access" in browser.page


def test_monitors_and_queued_tests_go_on_after_a_stop_and_after_a_kill(
    tmp_path: Path, free_port: FreePort
) -> None:
    with provider() as server:
        # Given a local cloud that was stopped, with a connection that is tested every minute
        cloud = LocalCloud(tmp_path, free_port())
        tenant = Tenant(cloud.stack)
        path = tenant.monitored(server.port)
        assert cloud.stop() == 0
        # When it is started again, then both the queue and the schedule reach the connection
        cloud = LocalCloud(tmp_path, free_port())
        tenant.client = Client(cloud.stack.api_url, tenant.client.api_key)
        assert_tests_are_queued_and_run(tenant, path)
        seen = len(tenant.get(f"{path}/tests")["items"])
        tests = until(
            lambda: tenant.get(f"{path}/tests")["items"], lambda tests: len(tests) > seen, 180
        )
        assert {test["status"] for test in tests} == {"succeeded"}
        # And when all of it is killed, once its answers are older than it may lose
        space = {"slug": tenant.slug + "-2", "name": "Made late"}
        made = tenant.post(f"{tenant.organization}/spaces", space).body
        events = tenant.get(f"/spaces/{tenant.slug}/integration-health")["total_events"]
        time.sleep(LOST_SECONDS)
        cloud.kill()
        assert open_to_others(tmp_path) == []
        # Then it starts with all of them
        cloud = LocalCloud(tmp_path, free_port())
        tenant.client = Client(cloud.stack.api_url, tenant.client.api_key)
        assert tenant.get(f"/spaces/{made['slug']}")["id"] == made["id"]
        health = tenant.get(f"/spaces/{tenant.slug}/integration-health")
        assert health["total_events"] >= events
        assert_tests_are_queued_and_run(tenant, path)
        assert open_to_others(tmp_path) == []
        assert cloud.stop() == 0


def assert_tests_are_queued_and_run(tenant: Tenant, path: str) -> None:
    queued = tenant.post(f"{path}/test?mode=async", {}, status=202).body
    assert finished(tenant, queued["href"])["status"] == "succeeded"


def test_data_of_an_older_layout_is_refused_with_what_to_do(
    tmp_path: Path, free_port: FreePort
) -> None:
    services = StateDir(tmp_path).emulator / "services"
    services.mkdir(parents=True)
    (services / "dynamodb.json").write_text("{}")
    process = spawn(tmp_path, free_port())
    said, _ = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 1
    [line] = said.splitlines()
    assert line.startswith("patchbay: ")
    assert "data of layout 1" in line
    assert "make clean" in line


def test_a_stop_in_the_middle_of_the_start_leaves_nothing_behind(
    tmp_path: Path, free_port: FreePort
) -> None:
    # given a local cloud whose emulator runs and whose build has begun
    process = spawn(tmp_path, free_port())
    build_log = StateDir(tmp_path).logs / "sam-build.log"
    while not build_log.exists() and process.poll() is None:
        time.sleep(0.02)

    # when it is told to stop
    process.terminate()
    said, _ = process.communicate(timeout=STOP_SECONDS)

    # then it does
    assert process.returncode == 0, said
    assert processes_of(tmp_path) == {}


def test_a_taken_port_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = spawn(tmp_path, port)
        said, _ = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == 1
    assert said == f"patchbay: port {port} is taken; choose another: make run PORT=…\n"


def test_the_stack_file_is_for_its_owner_alone(stack: Stack) -> None:
    assert stack.stack_file.stat().st_mode & 0o777 == 0o600


def test_the_loops_of_the_template_make_the_resources_that_the_tests_read(stack: Stack) -> None:
    # Given the resources as CloudFormation expands them, and as the tests of the template do
    template = stack.aws("cloudformation").get_template(
        StackName=STACK_NAME, TemplateStage="Processed"
    )
    deployed = template["TemplateBody"]["Resources"]
    read = read_template()["Resources"]
    looped = {"AWS::CloudWatch::Alarm", "AWS::Logs::LogGroup", "AWS::SQS::Queue"}

    def counted(resources: dict[str, Any]) -> dict[str, str]:
        return {name: r["Type"] for name, r in resources.items() if r["Type"] in looped}

    # Then they are the same
    assert counted(deployed) == counted(read)
    # And an alarm watches what it is named after
    watched = {
        name: resource["Properties"]["Dimensions"]
        for name, resource in deployed.items()
        if name.endswith("DeadLetterAlarm")
    }
    assert watched == {
        name: [
            {
                "Name": "QueueName",
                "Value": {"Fn::GetAtt": [name.replace("Alarm", "Queue"), "QueueName"]},
            }
        ]
        for name in ("DeadLetterAlarm", "IngestDeadLetterAlarm")
    }


def test_the_emulator_refuses_what_dynamodb_refuses(stack: Stack) -> None:
    found = stack.aws("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}
    dynamodb = stack.aws("dynamodb")
    with pytest.raises(
        dynamodb.exceptions.ClientError, match="outside query boundaries"
    ) as refused:
        dynamodb.query(
            TableName=outputs["IntegrationsTableName"],
            KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
            ExpressionAttributeValues={
                ":pk": {"S": "a"},
                ":low": {"S": "c"},
                ":high": {"S": "e"},
            },
            ExclusiveStartKey={"pk": {"S": "a"}, "sk": {"S": "b"}},
        )
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_every_entry_of_the_catalog_is_published(client: Client) -> None:
    entries = catalog_files()
    assert entries
    for entry in entries:
        found = client.call("GET", f"/v1/catalog/{entry.key}")
        assert (entry.key, found.status) == (entry.key, 200)
        assert found.body["currentVersion"] == entry.version


def test_publishing_the_catalog_again_changes_nothing(client: Client, stack: Stack) -> None:
    def revisions() -> list[str]:
        paths = [f"/v1/catalog/{entry.key}" for entry in catalog_files()]
        ids = [client.call("GET", path).body["id"] for path in paths]
        found = [client.call("GET", f"/v1/integrations/{one}").body for one in ids]
        return [one["updatedAt"] for one in found]

    before = revisions()
    caller = recall(stack.stack_file, stack.api_url)
    assert caller is not None
    assert publish_catalog(client, caller) == []
    assert revisions() == before


class TestTheFrontDoor:
    """What a client of API Gateway sees, it sees here."""

    def test_a_caller_without_a_key_gets_the_error_envelope(self, stack: Stack) -> None:
        answer = Client(stack.api_url, "none").call("GET", "/v1/organizations")
        assert answer.status == 401
        assert answer.body["error"]["code"] == "UNAUTHENTICATED"

    def test_an_unknown_path_gets_the_error_envelope(self, client: Client) -> None:
        answer = client.call("GET", "/no/such/path")
        assert answer.status == 404
        assert answer.body["success"] is False

    def test_a_body_in_chunks_arrives_whole(self, stack: Stack) -> None:
        parts = [b'{"name": ', b'"In chunks"}']
        connection = _connect(stack)
        connection.request(
            "POST",
            "/v1/organizations",
            iter(parts),
            {"Authorization": f"Bearer {stack.api_key}", "Content-Type": "application/json"},
            encode_chunked=True,
        )
        answer = connection.getresponse()
        assert answer.status == 201
        assert b'"In chunks"' in answer.read()
        # and the connection is good for another request
        connection.request("GET", "/openapi.json")
        assert connection.getresponse().read().startswith(b"{")
        connection.close()

    def test_a_body_above_the_limit_of_the_gateway_is_413(self, stack: Stack) -> None:
        connection = _connect(stack)
        connection.putrequest("POST", "/v1/organizations")
        connection.putheader("Content-Length", str(10 * 1024 * 1024 + 1))
        connection.endheaders(b" " * (10 * 1024 * 1024 + 1))
        assert connection.getresponse().status == 413
        connection.close()

    def test_the_gateway_adds_no_header_of_its_own(self, stack: Stack) -> None:
        connection = _connect(stack)
        connection.request("GET", "/v1/catalog")
        names = {name.lower() for name, _ in connection.getresponse().getheaders()}
        connection.close()
        assert not names & {"server", "via", "access-control-allow-origin"}


def _connect(stack: Stack) -> HTTPConnection:
    return HTTPConnection(urlsplit(stack.api_url).netloc, timeout=30)


def test_a_lost_stack_file_is_made_again_with_the_same_data(
    stopped: Stopped, free_port: FreePort
) -> None:
    # given a local cloud that was stopped, and whose stack.json is gone
    before = json.loads(stopped.stack_file.read_text())
    stopped.stack_file.unlink()

    # when it is started again
    again = LocalCloud(stopped.folder, free_port())
    space = again.stack.client.call("GET", f"/spaces/{again.stack.space_slug}")
    assert again.stop() == 0

    # then it is the same space, with another key
    assert space.body["id"] == before["space_id"]
    assert again.stack.api_key != before["api_key"]


def test_a_wrong_egress_rule_is_one_line_and_exit_code_1(
    tmp_path: Path, free_port: FreePort
) -> None:
    for wrong in ("garbage", "127.0.0.1/32", "10.0.0.0/8:443,"):
        process = spawn(tmp_path, free_port(), egress_allow=wrong)
        said, _ = process.communicate(timeout=STOP_SECONDS)
        assert process.returncode == 1
        assert len(said.splitlines()) == 1
        assert said.startswith("patchbay: EGRESS_ALLOW: ")
