"""template.yaml on moto's CloudFormation: a second opinion beside the local cloud's emulator.

SAM's own translator makes the template, and a server of moto creates, changes, and deletes it. What
moto can't do is listed in `second_opinion`; an entry that is no longer true fails.
"""

import ast
import fnmatch
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.integration.moto_server import MotoServer, serving
from tests.integration.second_opinion import (
    BY_CALLS,
    DROPPED,
    NEVER_DELETED,
    NOT_REFERRED_TO,
    UNKNOWN,
    Stack,
    complete,
    create,
)
from tests.integration.transformed import transformed

pytestmark = pytest.mark.enable_socket

ITEM = {"pk": {"S": "ORG#1"}, "sk": {"S": "META"}}


@pytest.fixture(scope="module")
def defaults() -> dict[str, Any]:
    """The template as CloudFormation deploys it."""
    return transformed()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    with serving(tmp_path_factory.mktemp("moto")) as served:
        yield served


@pytest.fixture(scope="module")
def bare(server: MotoServer, defaults: dict[str, Any]) -> Stack:
    """What moto's CloudFormation alone creates."""
    return create(server, "bare", defaults)


@pytest.fixture(scope="module")
def stack(server: MotoServer, defaults: dict[str, Any]) -> Stack:
    """With what is made by calls."""
    created = create(server, "patchbay", defaults)
    complete(created)
    return created


def wanted(template: Mapping[str, Any]) -> dict[str, str]:
    """Types of the resources, by logical id, without those that only parameters bring."""
    optional = {"HasCustomDomain", "RunsOnX86"}
    return {
        name: resource["Type"]
        for name, resource in template["Resources"].items()
        if resource.get("Condition") not in optional
    }


def test_moto_creates_all_but_what_is_listed(bare: Stack) -> None:
    made = {name: kind for name, (kind, _) in bare.summaries.items()}
    listed = BY_CALLS.keys() | UNKNOWN.keys()
    assert made == {
        name: kind for name, kind in wanted(bare.template).items() if kind not in listed
    }
    assert listed < {resource["Type"] for resource in bare.template["Resources"].values()}


def test_what_is_listed_is_still_not_created(server: MotoServer) -> None:
    resources = {
        f"Probe{number}": {"Type": kind, "Properties": {}}
        for number, kind in enumerate([*BY_CALLS, *UNKNOWN])
    }
    formation = server.client("cloudformation")
    formation.create_stack(StackName="probe", TemplateBody=json.dumps({"Resources": resources}))
    listed = formation.list_stack_resources(StackName="probe")["StackResourceSummaries"]
    assert {one["LogicalResourceId"] for one in listed} == {""}


def test_what_is_dropped_is_listed_and_no_more(bare: Stack, server: MotoServer) -> None:
    dropped = set()
    functions, tables = server.client("lambda"), server.client("dynamodb")
    for name, function in bare.ids("AWS::Lambda::Function").items():
        configured = functions.get_function_configuration(FunctionName=function)
        properties = bare.template["Resources"][name]["Properties"]
        for field in properties.keys() - {"Code", "Tags", "Role", "Environment"}:
            given = properties[field]
            # Some have a value only with a parameter
            needs_parameter = isinstance(given, dict) and "Fn::If" in given
            if not needs_parameter and configured.get(field) != given:
                dropped.add(f"Function.{field}")
    for table in bare.ids("AWS::DynamoDB::Table").values():
        lives = tables.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        if lives["TimeToLiveStatus"] == "DISABLED":
            dropped.add("Table.TimeToLiveSpecification")
        kept = tables.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        if kept["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED":
            dropped.add("Table.PointInTimeRecoverySpecification")
    assert dropped == DROPPED.keys()


@pytest.mark.parametrize("kind", NOT_REFERRED_TO)
def test_what_is_not_referred_to_still_gives_no_text(bare: Stack, kind: str) -> None:
    assert " object at 0x" in bare.reference(kind)


def test_tables_have_their_keys_indexes_expiry_and_recovery(stack: Stack) -> None:
    client = stack.server.client("dynamodb")
    for name, table in stack.ids("AWS::DynamoDB::Table").items():
        given = stack.template["Resources"][name]["Properties"]
        made = client.describe_table(TableName=table)["Table"]
        assert made["KeySchema"] == given["KeySchema"]
        assert made["AttributeDefinitions"] == given["AttributeDefinitions"]
        assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert [
            {field: index[field] for field in ("IndexName", "KeySchema", "Projection")}
            for index in made["GlobalSecondaryIndexes"]
        ] == given.get("GlobalSecondaryIndexes", [])
        assert client.describe_time_to_live(TableName=table)["TimeToLiveDescription"] == {
            "TimeToLiveStatus": "ENABLED",
            "AttributeName": "expires_at",
        }
        kept = client.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        assert kept["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def queue_attributes(stack: Stack) -> dict[str, dict[str, str]]:
    """Attributes of the queues, by logical id."""
    client = stack.server.client("sqs")
    return {
        name: client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for name, url in stack.ids("AWS::SQS::Queue").items()
    }


def test_what_queues_give_up_is_in_the_queues_of_dead_letters(stack: Stack) -> None:
    queues = queue_attributes(stack)
    arns = {attributes["QueueArn"]: name for name, attributes in queues.items()}
    given_up = {}
    for name, attributes in queues.items():
        if "RedrivePolicy" in attributes:
            redrive = json.loads(attributes["RedrivePolicy"])
            assert redrive["maxReceiveCount"] >= 5
            given_up[name] = arns[redrive["deadLetterTargetArn"]]
    assert given_up == {
        "IngestQueue": "IngestDeadLetterQueue",
        "TestQueue": "DeadLetterQueue",
        "MonitorQueue": "DeadLetterQueue",
        "EvaluationQueue": "DeadLetterQueue",
        "NotificationQueue": "DeadLetterQueue",
    }
    assert queues.keys() - given_up.keys() == {
        "IngestDeadLetterQueue",
        "DeadLetterQueue",
        "FailedRunQueue",
    }
    for attributes in queues.values():
        assert attributes["SqsManagedSseEnabled"] == "true"


def test_queues_are_the_sources_of_their_functions(stack: Stack) -> None:
    queues = {one["QueueArn"]: name for name, one in queue_attributes(stack).items()}
    functions = {found: name for name, found in stack.ids("AWS::Lambda::Function").items()}
    sources = {}
    for mapping in stack.ids("AWS::Lambda::EventSourceMapping").values():
        found = stack.server.client("lambda").get_event_source_mapping(UUID=mapping)
        assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        name = functions[found["FunctionArn"].rpartition(":")[2]]
        most = found.get("ScalingConfig", {}).get("MaximumConcurrency")
        sources[queues[found["EventSourceArn"]]] = (name, most)
    assert sources == {
        "IngestQueue": ("IngestEventsFunction", 8),
        "TestQueue": ("RunTestsFunction", None),
        "MonitorQueue": ("RunMonitorsFunction", 50),
        "EvaluationQueue": ("EvaluateAlertsFunction", 20),
        "NotificationQueue": ("DeliverNotificationsFunction", None),
    }


def rules(stack: Stack) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each rule of the stack with its targets."""
    client = stack.server.client("events")
    for bus in ("default", f"{stack.name}-integrations"):
        for rule in client.list_rules(EventBusName=bus)["Rules"]:
            if rule["Name"].startswith(f"{stack.name}-"):
                found = client.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)
                yield rule, found["Targets"]


def policy(stack: Stack, function: str) -> list[dict[str, Any]]:
    """Who may invoke a function, by its ARN."""
    found = stack.server.client("lambda").get_policy(FunctionName=function.rpartition(":")[2])
    statements: list[dict[str, Any]] = json.loads(found["Policy"])["Statement"]
    return statements


def test_a_rule_may_start_each_of_its_targets_and_keeps_what_it_could_not(stack: Stack) -> None:
    queues = {one["QueueArn"]: name for name, one in queue_attributes(stack).items()}
    functions = {found: name for name, found in stack.ids("AWS::Lambda::Function").items()}
    started: dict[str, set[str]] = {}
    for rule, targets in rules(stack):
        trigger = rule.get("ScheduleExpression") or rule["EventPattern"]
        for target in targets:
            arn = target["Arn"]
            dead = queues[target["DeadLetterConfig"]["Arn"]]
            if arn in queues:
                started.setdefault(trigger, set()).add(queues[arn])
                assert dead == "IngestDeadLetterQueue"
                continue
            started.setdefault(trigger, set()).add(functions[arn.rpartition(":")[2]])
            assert dead == "FailedRunQueue"
            assert any(
                statement["Principal"] == {"Service": "events.amazonaws.com"}
                and statement["Condition"]["ArnLike"]["AWS:SourceArn"] == rule["Arn"]
                for statement in policy(stack, arn)
            )
    assert started == {
        '{"detail-type": ["integration.event"]}': {"IngestQueue"},
        "rate(1 minute)": {
            "DispatchMonitorsFunction",
            "EvaluateAlertsFunction",
            "DeliverNotificationsFunction",
            "EraseOrganizationsFunction",
        },
        "rate(5 minutes)": {"RefreshGrantsFunction"},
        "rate(15 minutes)": {"FoldCountsFunction"},
    }


def test_rules_may_send_to_the_queues_that_they_name_and_no_others(stack: Stack) -> None:
    queues = {one["QueueArn"]: one for one in queue_attributes(stack).values()}
    senders: dict[str, set[str]] = {}
    for rule, targets in rules(stack):
        for target in targets:
            for arn in {target["Arn"], target["DeadLetterConfig"]["Arn"]} & queues.keys():
                senders.setdefault(arn, set()).add(rule["Arn"])
    assert senders
    for arn, wanted in senders.items():
        [statement] = json.loads(queues[arn]["Policy"])["Statement"]
        assert arn in statement["Resource"]
        # By their ARNs: the names that CloudFormation makes have only a part of a long stack's name
        allowed = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
        assert wanted == set([allowed] if isinstance(allowed, str) else allowed)


def test_an_asynchronous_run_that_fails_is_kept(stack: Stack) -> None:
    failed = queue_attributes(stack)["FailedRunQueue"]["QueueArn"]
    configured = stack.resolved("AWS::Lambda::EventInvokeConfig").values()
    assert len(configured) == 6
    for config in configured:
        found = stack.server.client("lambda").get_function_event_invoke_config(
            FunctionName=config["FunctionName"], Qualifier=config["Qualifier"]
        )
        assert found["DestinationConfig"]["OnFailure"]["Destination"] == failed


def test_an_alarm_watches_what_there_is(stack: Stack) -> None:
    names = {
        "ApiId": {stack.api_id},
        "QueueName": {url.rpartition("/")[2] for url in stack.ids("AWS::SQS::Queue").values()},
        "FunctionName": set(stack.ids("AWS::Lambda::Function").values()),
    }
    alarms = stack.server.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {one["AlarmName"] for one in alarms} == stack.resources("AWS::CloudWatch::Alarm").keys()
    assert len(alarms) == 10
    for alarm in alarms:
        if alarm["Namespace"] == f"Patchbay/{stack.name}":
            assert alarm["Dimensions"] == []
            continue
        [dimension] = alarm["Dimensions"]
        assert dimension["Value"] in names[dimension["Name"]]


def test_each_route_leads_to_its_function_which_the_gateway_may_invoke(
    stack: Stack, template: dict[str, Any]
) -> None:
    gateway = stack.server.client("apigatewayv2")
    integrations = {
        one["IntegrationId"]: one for one in gateway.get_integrations(ApiId=stack.api_id)["Items"]
    }
    functions = {found: name for name, found in stack.ids("AWS::Lambda::Function").items()}
    routes = {}
    for route in gateway.get_routes(ApiId=stack.api_id)["Items"]:
        integration = integrations[route["Target"].removeprefix("integrations/")]
        assert integration["PayloadFormatVersion"] == "2.0"
        arn = integration["IntegrationUri"].partition("/functions/")[2].removesuffix("/invocations")
        method, _, path = route["RouteKey"].partition(" ")
        routes[method.removeprefix("X-AMAZON-APIGATEWAY-").removesuffix("-METHOD"), path] = arn
    assert {key: functions[arn.rpartition(":")[2]] for key, arn in routes.items()} == {
        (
            event["Properties"].get("Method", "ANY"),
            event["Properties"].get("Path", "$default"),
        ): name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "HttpApi"
    }
    allowed = {
        arn: [
            statement["Condition"]["ArnLike"]["AWS:SourceArn"] for statement in policy(stack, arn)
        ]
        for arn in set(routes.values())
    }
    for (method, path), arn in routes.items():
        called = f":{stack.api_id}/$default/{path if path == '$default' else method + path}"
        assert any(
            fnmatch.fnmatchcase(called, f"*{source[source.rindex(':') :]}")
            for source in allowed[arn]
        )
    [stage] = gateway.get_stages(ApiId=stack.api_id)["Items"]
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 1000


def test_who_may_invoke_a_function_fits_into_its_policy(stack: Stack) -> None:
    """Lambda: 20,480 characters, of which each route takes some 500.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    functions = stack.ids("AWS::Lambda::Function")
    allowed = [one["FunctionName"] for one in stack.resources("AWS::Lambda::Permission").values()]
    invoked = {one["Ref"] if "Ref" in one else one["Fn::GetAtt"][0] for one in allowed}
    assert len(invoked) > 10
    longest_name = 64
    for name in invoked:
        statements = policy(stack, functions[name])
        # Names of functions may be longer in another stack
        longer = len(statements) * (longest_name - len(functions[name]))
        size = len(json.dumps(statements, separators=(",", ":"))) + longer
        assert size < 20_480 * 0.9, (name, len(statements))


def test_each_function_has_a_role_of_its_own_that_names_what_there_is(stack: Stack) -> None:
    functions, roles = stack.server.client("lambda"), stack.server.client("iam")
    used = []
    for name, function in stack.ids("AWS::Lambda::Function").items():
        configured = functions.get_function_configuration(FunctionName=function)
        assert "${" not in json.dumps(configured["Environment"])
        role = configured["Role"].rpartition("/")[2]
        used.append(role)
        assert role == stack.ids("AWS::IAM::Role")[f"{name}Role"]
        [trusted] = roles.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
        assert trusted["Principal"] == {"Service": ["lambda.amazonaws.com"]}
        given = stack.template["Resources"][f"{name}Role"]["Properties"].get("Policies", [])
        written = roles.list_role_policies(RoleName=role)["PolicyNames"]
        assert written == [one["PolicyName"] for one in given]
        for one in written:
            document = roles.get_role_policy(RoleName=role, PolicyName=one)["PolicyDocument"]
            assert "${" not in document
            # moto prints a dictionary of Python
            for statement in ast.literal_eval(document)["Statement"]:
                # Named in full: an attribute that moto does not know would be left out
                assert statement["Resource"], name
    assert len(set(used)) == len(used)


def test_the_dashboard_names_what_there_is(stack: Stack) -> None:
    client = stack.server.client("cloudwatch")
    body = client.get_dashboard(DashboardName=stack.name)["DashboardBody"]
    assert json.loads(body)["widgets"]
    assert "${" not in body
    assert stack.ids("AWS::DynamoDB::Table")["EventsTable"] in body


def remaining(server: MotoServer, stack: str) -> dict[str, set[str]]:
    """What there is of a stack, by type: all names that begin with the stack's."""
    functions, gone = server.client("lambda"), server.client("sqs")
    events, roles = server.client("events"), server.client("iam")
    buses = [bus["Name"] for bus in events.list_event_buses()["EventBuses"]]
    queues = gone.list_queues(QueueNamePrefix=f"{stack}-").get("QueueUrls", [])
    found = {
        "AWS::DynamoDB::Table": server.client("dynamodb").list_tables()["TableNames"],
        "AWS::Lambda::Function": [
            one["FunctionName"] for one in functions.list_functions()["Functions"]
        ],
        "AWS::Lambda::EventSourceMapping": [
            one["FunctionArn"].rpartition(":")[2]
            for one in functions.list_event_source_mappings()["EventSourceMappings"]
        ],
        "AWS::Lambda::LayerVersion": [
            f"{stack}-{one['LayerName']}" for one in functions.list_layers()["Layers"]
        ],
        "AWS::SQS::Queue": [url.rpartition("/")[2] for url in queues],
        "AWS::Events::EventBus": buses,
        "AWS::Events::Rule": [
            rule["Name"] for bus in buses for rule in events.list_rules(EventBusName=bus)["Rules"]
        ],
        "AWS::IAM::Role": [one["RoleName"] for one in roles.list_roles(MaxItems=1000)["Roles"]],
        "AWS::IAM::ManagedPolicy": [
            one["PolicyName"] for one in roles.list_policies(Scope="Local")["Policies"]
        ],
        "AWS::Logs::LogGroup": [
            one["logGroupName"].replace(f"/patchbay/{stack}/", f"{stack}-")
            for one in server.client("logs").describe_log_groups()["logGroups"]
        ],
    }
    of_stack = {
        kind: {name for name in names if name.startswith(f"{stack}-")}
        for kind, names in found.items()
    }
    return {kind: names for kind, names in of_stack.items() if names}


def test_an_update_changes_what_was_changed_and_a_delete_keeps_what_is_retained(
    server: MotoServer, defaults: dict[str, Any]
) -> None:
    # Given a stack with an item in a table, and something that its key has encrypted
    stack = create(server, "changing", defaults)
    before = stack.summaries
    tables, keys = server.client("dynamodb"), server.client("kms")
    names = stack.ids("AWS::DynamoDB::Table")
    tables.put_item(TableName=names["IntegrationsTable"], Item=ITEM)
    key = stack.ids("AWS::KMS::Key")["VaultKey"]
    sealed = keys.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    # When it is updated without a change, nothing is replaced
    stack.update({})
    assert stack.summaries == before
    # When it is updated with other parameters, what they are for has them
    stack.update({"QueueConcurrency": "10", "RequestsPerMinute": "100"})
    assert stack.summaries.keys() == before.keys()
    functions = server.client("lambda")
    most = [
        functions.get_event_source_mapping(UUID=mapping)["ScalingConfig"]["MaximumConcurrency"]
        for mapping in stack.ids("AWS::Lambda::EventSourceMapping").values()
    ]
    assert most == [2] * 5
    authorizer = stack.ids("AWS::Lambda::Function")["AuthorizerFunction"]
    variables = functions.get_function_configuration(FunctionName=authorizer)["Environment"]
    assert str(variables["Variables"]["REQUESTS_PER_MINUTE"]) == "100"
    # And the tables and the key are those that they were
    assert stack.ids("AWS::DynamoDB::Table") == names
    assert stack.ids("AWS::KMS::Key") == {"VaultKey": key}
    # When it is deleted, only they are there, with what they hold
    assert "AWS::Lambda::Function" in remaining(server, "changing")
    stack.delete()
    kept = remaining(server, "changing")
    assert kept.pop("AWS::DynamoDB::Table") == set(names.values())
    assert kept.keys() == NEVER_DELETED.keys()
    found = tables.get_item(TableName=names["IntegrationsTable"], Key=ITEM)
    assert found["Item"] == ITEM
    assert keys.decrypt(KeyId=key, CiphertextBlob=sealed)["Plaintext"] == b"secret"
