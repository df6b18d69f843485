"""`patchbay doctor --stack` with the template on moto: what is right, and what somebody broke."""

import ast
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from patchbay_cli import stack_parameters, stack_roles, stack_state
from patchbay_cli.aws_account import AwsAccount, AwsRefused, Unseen
from patchbay_cli.findings import Finding
from patchbay_cli.profiles import FOLDER_VARIABLE, KEY_VARIABLE, URL_VARIABLE
from patchbay_cli.program import main
from patchbay_cli.stack import Stack
from patchbay_cli.stack_parameters import KNOWN

from local.paths import ROOT
from tests.integration.cloudformation import read_template
from tests.integration.moto_server import MotoServer, serving
from tests.integration.second_opinion import Stack as Deployed
from tests.integration.second_opinion import complete, create
from tests.integration.transformed import REGION, transformed

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    with serving(tmp_path_factory.mktemp("moto")) as served:
        yield served


@pytest.fixture(scope="module")
def deployed(server: MotoServer) -> Deployed:
    created = create(server, "patchbay", transformed())
    complete(created)
    roles = server.client("iam")
    for role in created.ids("AWS::IAM::Role").values():
        for policy in roles.list_role_policies(RoleName=role)["PolicyNames"]:
            # moto stores what CloudFormation gives it as Python writes it
            kept = roles.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            document = json.dumps({"Version": "2012-10-17", **ast.literal_eval(kept)})
            roles.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document)
    [key] = created.resources("AWS::KMS::Key").values()
    for key_id in created.ids("AWS::KMS::Key").values():
        policy = json.dumps(key["KeyPolicy"])
        server.client("kms").put_key_policy(KeyId=key_id, PolicyName="default", Policy=policy)
    return created


@pytest.fixture
def account(
    server: MotoServer, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> AwsAccount:
    """The account on moto, with credentials of the environment."""
    for name, value in {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        FOLDER_VARIABLE: str(tmp_path_factory.mktemp("config")),
    }.items():
        monkeypatch.setenv(name, value)
    for name in (URL_VARIABLE, KEY_VARIABLE, "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return AwsAccount(region=None, profile=None)


@pytest.fixture
def stack(account: AwsAccount, deployed: Deployed) -> Stack:
    """As AWS would list it: moto's CloudFormation has no alarms."""
    found = Stack.read(account, "patchbay")
    alarms = deployed.resources("AWS::CloudWatch::Alarm")
    found.resources.update({name: ("AWS::CloudWatch::Alarm", name) for name in alarms})
    # It names a rule of a bus without its bus
    kind, rule = found.resources["IngestRule"]
    buses = deployed.server.client("events").list_event_buses()["EventBuses"]
    [bus] = [one["Name"] for one in buses if one["Name"] != "default"]
    found.resources["IngestRule"] = (kind, f"{bus}|{rule.rpartition('|')[2]}")
    return found


def problems(found: Iterator[Finding]) -> list[str]:
    return [one.message for one in found if one.status not in ("ok",)]


def test_the_parameters_that_it_knows_are_those_of_the_template() -> None:
    assert set(read_template()["Parameters"]) == KNOWN


def test_its_page_has_the_permissions_that_it_uses() -> None:
    code = "".join(path.read_text() for path in (ROOT / "client/patchbay_cli").glob("stack*.py"))
    called = re.findall(r'\.(?:ask|all)\(\s*"(\w+)",\s*"(\w+)"', code)
    used = {f"{service}:{name.title().replace('_', '')}" for service, name in called}
    page = (ROOT / "client/doctor.md").read_text()
    [policy] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    [statement] = json.loads(policy)["Statement"]
    assert {*statement["Action"]} == used - {"sts:GetCallerIdentity"}


def test_what_is_deployed_as_it_should_be_has_no_problem(stack: Stack) -> None:
    for look in (
        stack_state.clock,
        stack_state.queues,
        stack_state.tables,
        stack_state.keys,
        stack_state.schedules,
        stack_state.functions,
        stack_roles.roles,
    ):
        found = list(look(stack))
        assert {one.status for one in found} == {"ok"}, found


def test_each_thing_that_somebody_broke_is_found(server: MotoServer, stack: Stack) -> None:
    def physical(logical: str) -> str:
        return stack.resources[logical][1]

    # An alarm that rings, and one that tells nobody
    watch = server.client("cloudwatch")
    watch.set_alarm_state(AlarmName="LateAlarm", StateValue="ALARM", StateReason="late")
    assert "LateAlarm: " in "".join(problems(stack_state.alarms(stack)))
    assert len(problems(stack_state.alarms(stack))) == 1
    stack.parameters["AlarmTopicArn"] = TOPIC
    assert "LateAlarm has no action, though AlarmTopicArn is set" in problems(
        stack_state.alarms(stack)
    )
    # One that is gone
    watch.delete_alarms(AlarmNames=["LateAlarm"])
    assert "LateAlarm is gone" in problems(stack_state.alarms(stack))

    # A message that was given up
    server.client("sqs").send_message(QueueUrl=physical("DeadLetterQueue"), MessageBody="{}")
    assert problems(stack_state.queues(stack)) == ["DeadLetterQueue has 1 messages"]

    # A table without recovery
    tables = server.client("dynamodb")
    tables.update_continuous_backups(
        TableName=physical("EventsTable"),
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
    )
    assert problems(stack_state.tables(stack)) == ["EventsTable has no point-in-time recovery"]

    # A schedule that is off
    server.client("events").disable_rule(Name=physical("EveryMinuteRule"))
    assert problems(stack_state.schedules(stack)) == ["EveryMinuteRule is disabled"]

    # A function that may not run
    server.client("lambda").put_function_concurrency(
        FunctionName=physical("HealthFunction"), ReservedConcurrentExecutions=0
    )
    assert problems(stack_state.functions(stack)) == ["HealthFunction: its concurrency is 0"]

    # Roles that may more than the template says
    roles = server.client("iam")
    anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [anything]})
    wide = roles.create_policy(PolicyName="wide", PolicyDocument=document)["Policy"]["Arn"]
    roles.attach_role_policy(RoleName=physical("TenancyFunctionRole"), PolicyArn=wide)
    roles.put_role_policy(
        RoleName=physical("HealthFunctionRole"), PolicyName="extra", PolicyDocument=document
    )
    assert problems(stack_roles.roles(stack)) == [
        f"TenancyFunctionRole has {wide}",
        "HealthFunctionRole has extra",
    ]

    # A key that will be gone, with all secrets
    server.client("kms").schedule_key_deletion(KeyId=physical("VaultKey"), PendingWindowInDays=7)
    assert problems(stack_state.keys(stack)) == ["VaultKey will be deleted"]


def test_an_action_that_was_added_to_a_policy_is_found(server: MotoServer, stack: Stack) -> None:
    roles = server.client("iam")
    name = stack.resources["ChecksFunctionRole"][1]
    policy, *_ = roles.list_role_policies(RoleName=name)["PolicyNames"]
    document = roles.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    statement = {"Effect": "Allow", "Action": ["dynamodb:DeleteTable"], "Resource": "*"}
    document["Statement"].append(statement)
    roles.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))

    found = problems(stack_roles.roles(stack))

    assert f"ChecksFunctionRole may dynamodb:DeleteTable by {policy}" in found


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"AlarmTopicArn": ""}, "no topic is set: alarms tell nobody"),
        ({"EgressAllow": "10.0.0.0/8:1-65535"}, "10.0.0.0/8:1-65535 may be dialed"),
        ({"EgressAllow": "169.254.169.254/32:80"}, "169.254.169.254/32:80 may be dialed"),
        ({"EgressAllow": "[::1/128]:80"}, "[::1/128]:80 may be dialed"),
        ({"EgressAllow": "public:25"}, "ports 25 of any public address may be dialed"),
        ({"PublicUrl": "http://localhost:3000"}, "browsers are sent to an address without TLS"),
        ({"CorsAllowOrigins": "*"}, "pages of any origin, or without TLS, may call the API"),
        ({"RequestsPerMinute": "0"}, "an organization may make any number of requests"),
        ({"DeletionProtection": "disabled"}, "the tables may be deleted"),
        ({"LogLevel": "DEBUG"}, "DEBUG"),
        ({"FromTheFuture": "1"}, "this program does not know FromTheFuture"),
    ],
)
def test_a_risky_parameter_is_named(stack: Stack, settings: dict[str, str], said: str) -> None:
    stack.parameters = sound() | settings
    found = problems(stack_parameters.parameters(stack))
    assert len(found) == 1, found
    assert found[0].startswith(said)


def sound() -> dict[str, str]:
    """Parameters that nobody has to think over."""
    declared = read_template()["Parameters"]
    defaults = {name: str(declared[name].get("Default", "")) for name in KNOWN}
    return {name: one for name, one in defaults.items() if name != "AlarmTopicArn"} | {
        "DeletionProtection": "enabled",
        "EgressAllow": "10.1.2.0/24:443",
        "AlarmTopicArn": TOPIC,
    }


TOPIC = f"arn:aws:sns:{REGION}:123456789012:alarms"


@pytest.fixture(autouse=True)
def topic(server: MotoServer) -> str:
    """With a subscription."""
    sns = server.client("sns")
    arn: str = sns.create_topic(Name="alarms")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:1:q")
    return arn


def test_a_topic_that_nobody_reads_is_found(server: MotoServer, stack: Stack) -> None:
    silent = server.client("sns").create_topic(Name="silent")["TopicArn"]
    for arn in (silent, f"{TOPIC}-gone"):
        stack.parameters = sound() | {"AlarmTopicArn": arn}
        [message] = problems(stack_parameters.parameters(stack))
        assert message == f"{arn} has no subscription that is confirmed (none)"


@pytest.mark.parametrize(
    ("limit", "free", "queues", "status"),
    [
        (10, 10, "0", "problem"),
        (1000, 900, "0", "ok"),
        (1000, 900, "1000", "warning"),
        (1000, 50, "0", "warning"),
        # Without a limit of all, queues have limits of their own
        (150, 150, "0", "warning"),
        (150, 150, "50", "ok"),
    ],
)
def test_concurrency_is_compared_with_what_queues_take(
    stack: Stack, limit: int, free: int, queues: str, status: str
) -> None:
    found = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": free}
    stack.parameters["QueueConcurrency"] = queues
    stack.account = Answering({"get_account_settings": {"AccountLimit": found}})
    assert [one.status for one in stack_state.capacity(stack)] == [status]


def test_what_queues_take_without_a_limit_is_as_in_the_template() -> None:
    shares = read_template()["Mappings"]["ConcurrencyOfQueues"]["0"]
    limited = [shares[name] for name in ("Ingest", "Monitors", "Evaluations")]
    assert sum(limited) == stack_state.LEAST_OF_QUEUES


class Answering(AwsAccount):
    """Answers as it is told; what it is not told, it may not see."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    def ask(self, service: str, operation: str, **_: Any) -> dict[str, Any]:
        if operation not in self._answers:
            raise Unseen(f"needs {service}:{operation}")
        answer: dict[str, Any] = self._answers[operation]
        return answer


def test_a_permission_that_is_missing_is_said(
    account: AwsAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    # AWS says so in several words
    for code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"):
        with refusing(monkeypatch, code), pytest.raises(Unseen) as unseen:
            account.ask("cloudformation", "describe_stacks", StackName="patchbay")
        assert str(unseen.value) == "needs cloudformation:DescribeStacks"
    with refusing(monkeypatch, "ValidationError"), pytest.raises(AwsRefused):
        list(account.all("iam", "list_role_policies", "PolicyNames", RoleName="r"))


@contextmanager
def refusing(monkeypatch: pytest.MonkeyPatch, code: str) -> Iterator[None]:
    """AWS refuses every call."""
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    def refuse(_: object, operation: str, __: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

    with monkeypatch.context() as patched:
        patched.setattr(BaseClient, "_make_api_call", refuse)
        yield


def test_the_command_reports_all_of_it(
    account: AwsAccount, deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["doctor", "--stack", "patchbay", "--json"])

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 1
    assert found[0]["status"] == "unseen"
    assert {one["what"] for one in found} >= {
        *("deployment", "stack", "AlarmTopicArn", "DeletionProtection", "aws_clock"),
        *("capacity", "alarms", "queues", "tables", "keys", "schedules", "functions", "roles"),
    }
    assert all(one["why"] for one in found if one["status"] in ("problem", "warning")), found

    assert main(["doctor", "--stack", "nobody"]) == 1
    assert f"there is no stack nobody in {REGION}" in capsys.readouterr().err


def test_without_permissions_each_look_says_what_it_needs(
    account: AwsAccount,
    deployed: Deployed,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with refusing(monkeypatch, "AccessDenied"):
        assert main(["doctor", "--stack", "patchbay"]) == 1
    assert "? stack: can't be seen: needs cloudformation:DescribeStacks" in capsys.readouterr().out


def test_without_boto3_it_says_what_to_install(
    account: AwsAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    assert main(["doctor", "--stack", "patchbay"]) == 1
    assert "pip install 'patchbay-sdk[aws]'" in capsys.readouterr().err


def test_without_a_region_it_asks_for_one(
    account: AwsAccount, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    boto3.DEFAULT_SESSION = None
    assert main(["doctor", "--stack", "patchbay"]) == 1
    assert "the region is missing" in capsys.readouterr().err
