"""template.yaml: what every deployment must have."""

import importlib
import json
import re
import ssl
import tomllib
from base64 import b64encode
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

import pytest

from bench.prices import PRICES
from patchbay.checks.codes import CodeCategory
from patchbay.connection_tests import history, time_budgets
from patchbay.egress.nameservers import PUBLIC, Nameservers
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.tls import read_authorities
from patchbay.monitors.sweeper import SweepLimits
from patchbay.monitors.wheel import MAX_LANES
from patchbay.platform.api_reference import DOCUMENT
from patchbay.platform.branding import (
    COLOR_PATTERN,
    LOGO_PATTERN,
    MAX_LOGO_URL,
    MAX_NAME,
    NAME_PATTERN,
)
from patchbay.platform.dynamodb import CALL_ATTEMPTS, CONNECT_SECONDS, READ_SECONDS
from patchbay.platform.metrics import Trouble
from patchbay.platform.public_url import read_origin
from patchbay.platform.settings import Setting, Settings
from tests.integration.api import FUNCTIONS, ROOT
from tests.integration.cloudformation import by_default
from tests.unit.egress.certificates import Authority

type Resource = dict[str, Any]


def resources(template: dict[str, Any], kind: str) -> dict[str, Resource]:
    found = {
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }
    assert found
    return found


def functions(template: dict[str, Any]) -> dict[str, Resource]:
    return resources(template, "AWS::Serverless::Function")


def texts(value: Any) -> Iterator[str]:
    """Every string in a part of the template."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


def test_a_function_has_one_name_in_all_places(template: dict[str, Any]) -> None:
    names = []
    for logical_id, function in functions(template).items():
        properties = function["Properties"]
        module, _, attribute = properties["Handler"].partition(".")
        names.append(module)
        assert logical_id == f"{module.title().replace('_', '')}Function"
        assert callable(getattr(importlib.import_module(module), attribute))
        assert (ROOT / "events" / f"{module}.json").is_file()
        assert (ROOT / "tests/integration" / f"test_{module}.py").is_file()
        variables = properties["Environment"]["Variables"]
        assert variables["POWERTOOLS_SERVICE_NAME"] == module
    assert sorted(names) == FUNCTIONS


def test_the_sections_are_those_of_the_architecture_in_its_order() -> None:
    sections = re.findall(r"^  # -{64} (.+)$", (ROOT / "template.yaml").read_text(), re.MULTILINE)
    page = " ".join((ROOT / "docs" / "architecture.md").read_text().split())
    assert f"in this order: {', '.join(sections)}." in page


def test_every_variable_of_a_function_is_a_setting(template: dict[str, Any]) -> None:
    """`test_policies` checks that each function reads all of its variables."""
    settings = {
        name.upper() for name, member in vars(Settings).items() if isinstance(member, Setting)
    }
    given: set[str] = set()
    for function in functions(template).values():
        given |= set(function["Properties"]["Environment"]["Variables"])
    assert given - {"POWERTOOLS_SERVICE_NAME"} == settings


REFERENCED_SECRETS = (
    "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:patchbay/*"
)
"""Secrets that tenants refer to: tenants choose their names, and AWS adds a random suffix."""


OFF_WITH_THE_USE_OF_CREDENTIALS = {"!If": ["UsesCredentials", "Allow", "Deny"]}


def statements(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, function in functions(template).items():
        for policy in function["Properties"].get("Policies", []):
            for statement in policy["Statement"]:
                yield name, statement


def test_no_policy_has_a_wildcard_but_for_the_secrets_that_are_referred_to(
    template: dict[str, Any],
) -> None:
    readers = []
    for name, statement in statements(template):
        assert statement["Effect"] in ("Allow", OFF_WITH_THE_USE_OF_CREDENTIALS)
        if statement["Resource"] == {"!Sub": REFERENCED_SECRETS}:
            # Neither listing nor changing them is allowed
            assert statement["Action"] == [
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
            ]
            readers.append(name)
            continue
        if statement["Action"] == ["secretsmanager:BatchGetSecretValue"]:
            # It has no resources, and returns only what GetSecretValue is allowed on
            assert (name, statement["Resource"]) == ("RunMonitorsFunction", "*")
            continue
        for text in texts([statement["Action"], statement["Resource"]]):
            assert "*" not in text, name
            assert not text.startswith("secretsmanager:"), name
    # Only functions that send a secret somewhere
    assert readers == [
        "ConnectionsFunction",
        "CredentialsFunction",
        "ChecksFunction",
        "RunTestsFunction",
        "InstallsFunction",
        "RunMonitorsFunction",
    ]


def test_tables_are_kept_backed_up_encrypted_and_paid_by_use(template: dict[str, Any]) -> None:
    tables = resources(template, "AWS::DynamoDB::Table")
    assert set(tables) == {"IntegrationsTable", "EventsTable"}
    for table in tables.values():
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
        properties = table["Properties"]
        assert properties["BillingMode"] == "PAY_PER_REQUEST"
        assert properties["PointInTimeRecoverySpecification"] == {
            "PointInTimeRecoveryEnabled": True
        }
        # By the key that AWS owns, unless another is asked for
        assert by_default(properties["SSESpecification"], template) == {"SSEEnabled": False}
        assert by_default(properties["DeletionProtectionEnabled"], template) is False
        assert properties["TimeToLiveSpecification"] == {
            "AttributeName": "expires_at",
            "Enabled": True,
        }


def test_tables_have_the_account_s_key_and_are_protected_if_asked(
    template: dict[str, Any],
) -> None:
    template = deepcopy(template)
    template["Parameters"]["TableEncryption"]["Default"] = "aws-managed"
    template["Parameters"]["DeletionProtection"]["Default"] = "enabled"
    for table in resources(template, "AWS::DynamoDB::Table").values():
        properties = by_default(table["Properties"], template)
        assert properties["SSESpecification"] == {"SSEEnabled": True}
        assert properties["DeletionProtectionEnabled"] is True
    # In production they are protected
    assert "DeletionProtection=enabled" in environment("prod")["parameter_overrides"]
    assert "parameter_overrides" not in environment("dev")


def environment(name: str) -> dict[str, Any]:
    """How an environment of samconfig.toml is deployed."""
    found: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text())[name]
    deploy: dict[str, Any] = found["deploy"]["parameters"]
    return deploy


DIALING = {"EGRESS_ALLOW", "DNS_RESOLVER"}
"""Variables of functions that dial for tenants. One that only judges addresses has the first."""


def test_functions_that_dial_can_be_in_a_vpc_and_no_others(template: dict[str, Any]) -> None:
    template = deepcopy(template)
    dialing = {
        name
        for name, function in functions(template).items()
        if function["Properties"]["Environment"]["Variables"].keys() >= DIALING
    }
    networks = {
        name: function["Properties"]["VpcConfig"]
        for name, function in functions(template).items()
        if "VpcConfig" in function["Properties"]
    }
    assert networks.keys() == dialing
    assert {by_default(network, template) for network in networks.values()} == {None}
    template["Parameters"]["VpcSubnetIds"]["Default"] = "subnet-1"
    template["Parameters"]["VpcSecurityGroupIds"]["Default"] = "sg-1"
    for network in networks.values():
        assert by_default(network, template) == {
            "SubnetIds": "subnet-1",
            "SecurityGroupIds": "sg-1",
        }
    # SAM gives them a policy of AWS's for network interfaces, which is for Lambda alone
    policy = template["Resources"]["NoNetworkInterfacesPolicy"]["Properties"]
    assert {role["!Ref"] for role in policy["Roles"]} == {f"{name}Role" for name in dialing}
    [statement] = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Deny", ["ec2:*"])
    assert statement["Condition"] == {"Null": {"lambda:SourceFunctionArn": "false"}}


def test_pages_of_other_origins_may_call_only_if_they_are_named(template: dict[str, Any]) -> None:
    template = deepcopy(template)
    [api] = resources(template, "AWS::Serverless::HttpApi").values()
    configured = api["Properties"]["CorsConfiguration"]
    assert by_default(configured, template) is None
    template["Parameters"]["CorsAllowOrigins"]["Default"] = "https://app.example.com"
    allowed = by_default(configured, template)
    assert allowed["AllowOrigins"] == "https://app.example.com"
    # A page of another origin has no use of the cookie of a session
    assert "AllowCredentials" not in allowed
    # All that a caller may send, and needs of an answer
    paths = json.loads(DOCUMENT.read_text())["paths"].values()
    operations = [operation for path in paths for operation in path.values()]
    sent = {
        parameter["name"].lower()
        for operation in operations
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "header"
    }
    assert set(allowed["AllowHeaders"]) == sent | {"authorization", "content-type"}
    methods = {method.upper() for path in paths for method in path}
    assert methods <= set(allowed["AllowMethods"])


def test_a_custom_domain_is_the_host_of_the_public_url(template: dict[str, Any]) -> None:
    template = deepcopy(template)
    for name, kind in (
        ("CustomDomain", "AWS::ApiGatewayV2::DomainName"),
        ("CustomDomainMapping", "AWS::ApiGatewayV2::ApiMapping"),
    ):
        resource = template["Resources"][name]
        assert (resource["Type"], resource["Condition"]) == (kind, "HasCustomDomain")
    # A mapping without a path, which pages and redirect URIs need
    assert "ApiMappingKey" not in template["Resources"]["CustomDomainMapping"]["Properties"]
    template["Parameters"]["PublicUrl"]["Default"] = "https://connect.example.com"
    named = template["Resources"]["CustomDomain"]["Properties"]["DomainName"]
    assert selected(named, template) == "connect.example.com"


def selected(value: dict[str, Any], template: dict[str, Any]) -> str:
    """What CloudFormation selects of a text, with the defaults of the parameters."""
    position: int = value["!Select"][0]
    between, text = value["!Select"][1]["!Split"][0], str(value["!Select"][1]["!Split"][1]["!Sub"])
    for name in re.findall(r"\$\{(\w+)\}", text):
        text = text.replace(f"${{{name}}}", template["Parameters"][name]["Default"])
    parts = text.split(between)
    return parts[position]


def calls(value: Any, function: str) -> Iterator[dict[str, Any]]:
    """Every call of a function of CloudFormation in a part of the template."""
    if isinstance(value, dict) and function in value:
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from calls(inner, function)


def test_what_a_condition_leaves_out_can_be_looked_up_all_the_same(
    template: dict[str, Any],
) -> None:
    """CloudFormation looks up whatever a template names, also in a branch of an Fn::If that it does
    not take, and in a resource that it does not make. What is not there ends the deploy.

    https://github.com/aws-cloudformation/aws-cloudformation-templates/issues/271
    https://github.com/aws-cloudformation/cfn-language-discussion/issues/113
    https://github.com/aws-cloudformation/cfn-language-discussion/issues/159
    """
    lookups = list(calls(template["Resources"], "!FindInMap"))
    assert lookups
    for lookup in lookups:
        name, first, second = lookup["!FindInMap"]
        for asked in template["Parameters"][first["!Ref"]]["AllowedValues"]:
            assert second in template["Mappings"][name][asked], (name, asked, second)
    selections = list(calls(template["Resources"], "!Select"))
    assert selections
    for selection in selections:
        assert selected(selection, template) == ""


def test_the_vault_key_is_kept_and_rotated(template: dict[str, Any]) -> None:
    for key in resources(template, "AWS::KMS::Key").values():
        assert key["DeletionPolicy"] == key["UpdateReplacePolicy"] == "Retain"
        assert key["Properties"]["EnableKeyRotation"] is True


def test_every_route_but_pages_has_the_authorizer(template: dict[str, Any]) -> None:
    [api] = resources(template, "AWS::Serverless::HttpApi").values()
    auth = api["Properties"]["Auth"]
    assert auth["DefaultAuthorizer"] in auth["Authorizers"]
    opened = [
        name
        for name, function in functions(template).items()
        for event in function["Properties"].get("Events", {}).values()
        if event["Properties"].get("Auth", {}).get("Authorizer") == "NONE"
    ]
    functions_with_pages = {"DocsFunction", "OauthFunction", "StatusPagesFunction", "WebFunction"}
    assert set(opened) == {"BrowserSessionsFunction", *functions_with_pages}
    # What the sign-in page asks before anybody is signed in; a sign-in itself takes a turn.
    assert opened.count("BrowserSessionsFunction") == 1
    # The redirect URI and the page after it: a browser comes without a key.
    assert opened.count("OauthFunction") == 2


def test_logs_expire(template: dict[str, Any]) -> None:
    groups = resources(template, "AWS::Logs::LogGroup")
    assert all("RetentionInDays" in group["Properties"] for group in groups.values())
    assert len(groups) == len(functions(template)) + 1


def test_a_store_that_hangs_is_reported_before_the_function_times_out(
    template: dict[str, Any],
) -> None:
    pauses = sum(2**attempt for attempt in range(CALL_ATTEMPTS - 1))
    longest = CALL_ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + pauses
    default = template["Globals"]["Function"]["Timeout"]
    for function in functions(template).values():
        assert function["Properties"].get("Timeout", default) > longest


def test_a_queue_waits_for_its_function_and_gives_up_in_the_end(template: dict[str, Any]) -> None:
    queues = resources(template, "AWS::SQS::Queue")
    fed = 0
    for function in functions(template).values():
        for event in function["Properties"].get("Events", {}).values():
            if event["Type"] != "SQS":
                continue
            fed += 1
            [name] = texts(event["Properties"]["Queue"])
            queue = queues[name.removesuffix(".Arn")]["Properties"]
            # AWS recommends six times the timeout, so that throttled batches do not come twice.
            assert queue["VisibilityTimeout"] >= 6 * function["Properties"]["Timeout"]
            assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
            [dead_letters] = texts(queue["RedrivePolicy"]["deadLetterTargetArn"])
            assert dead_letters.removesuffix(".Arn") in queues
    assert fed


def test_every_queue_gives_up_only_at_the_fifth_time(template: dict[str, Any]) -> None:
    # A batch that a busy account throttles counts as received.
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    for name, queue in resources(template, "AWS::SQS::Queue").items():
        if "RedrivePolicy" in queue["Properties"]:
            properties = queue["Properties"]
            most = properties["RedrivePolicy"]["maxReceiveCount"]
            assert most >= 5, name
            # And is there long enough for that, which is half an hour at least
            assert properties["MessageRetentionPeriod"] > most * properties["VisibilityTimeout"]
            assert most * properties["VisibilityTimeout"] >= 1800, name


def sources(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The mappings of queues to functions, by queue."""
    return {
        event["Properties"]["Queue"]["!GetAtt"].removesuffix("Queue.Arn"): event["Properties"]
        for function in functions(template).values()
        for event in function["Properties"].get("Events", {}).values()
        if event["Type"] == "SQS"
    }


def test_what_queues_run_at_once_is_the_sum_that_was_asked_for(template: dict[str, Any]) -> None:
    template = deepcopy(template)
    parameter = template["Parameters"]["QueueConcurrency"]
    shares = template["Mappings"]["ConcurrencyOfQueues"]
    assert parameter["AllowedValues"] == list(shares)
    for asked in parameter["AllowedValues"]:
        parameter["Default"] = asked
        found = {
            name: config["MaximumConcurrency"]
            for name, source in sources(template).items()
            if (config := by_default(source["ScalingConfig"], template))
        }
        assert all(most >= 2 for most in found.values())
        if asked != "0":
            assert sum(found.values()) == int(asked)
            assert len(found) == len(sources(template))
        else:
            # Without a sum, what one organization could fill alone
            assert found == {"Ingest": 8, "Monitor": 50, "Evaluation": 20}


def test_the_authorizer_can_have_concurrency_of_its_own(template: dict[str, Any]) -> None:
    template = deepcopy(template)
    reserved = {
        name: function["Properties"]["ReservedConcurrentExecutions"]
        for name, function in functions(template).items()
        if "ReservedConcurrentExecutions" in function["Properties"]
    }
    assert by_default(reserved, template) == {"AuthorizerFunction": None}
    template["Parameters"]["AuthorizerConcurrency"]["Default"] = 20
    assert by_default(reserved, template) == {"AuthorizerFunction": 20}


def test_every_route_has_a_throttle(template: dict[str, Any]) -> None:
    [api] = resources(template, "AWS::Serverless::HttpApi").values()
    assert by_default(api["Properties"]["DefaultRouteSettings"], template) == {
        "ThrottlingRateLimit": 1000,
        "ThrottlingBurstLimit": 2000,
    }


GATEWAY_VALUES = {
    "requestId": "JKJaXmPLvHcESHA=",
    "requestTime": "17/Feb/2026:10:00:00 +0000",
    "identity.sourceIp": "2001:db8::1",
    "routeKey": "GET /spaces/{slug}",
    "status": "503",
    "responseLength": "33",
    "responseLatency": "29012",
    "integrationLatency": "29000",
    "integrationStatus": "-",
    "error.message": "Service Unavailable",
    "error.responseType": "INTEGRATION_FAILURE",
}
"""What API Gateway writes for variables: names of ours, numbers, or fixed texts of its own.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html"""


@pytest.mark.parametrize(
    "error", ["-", "Not Found", "Too Many Requests", "Request Entity Too Large", "null"]
)
def test_a_line_of_the_access_log_is_json_also_for_errors_of_the_gateway(
    error: str, template: dict[str, Any]
) -> None:
    [api] = resources(template, "AWS::Serverless::HttpApi").values()
    line = api["Properties"]["AccessLogSettings"]["Format"]
    values = GATEWAY_VALUES | {"error.message": error}
    found = re.findall(r'"\$context\.([A-Za-z.]+)"', line)
    # All are in quotes, which a value that is missing (-) needs
    assert len(found) == line.count("$")
    # And none may contain a quote: no path, no text of a function, no error with quotes of its own
    assert set(found) == GATEWAY_VALUES.keys()
    for name in sorted(found, key=len, reverse=True):
        line = line.replace(f"$context.{name}", values[name])
    assert json.loads(line)["error"] == error


def test_the_access_log_is_where_services_of_aws_may_write(template: dict[str, Any]) -> None:
    group = template["Resources"]["ApiAccessLog"]["Properties"]["LogGroupName"]
    assert group == {"!Sub": "/aws/vendedlogs/patchbay/${AWS::StackName}/access"}


def test_a_claim_lasts_as_long_as_the_function_that_runs_queued_tests(
    template: dict[str, Any],
) -> None:
    limit = functions(template)["RunTestsFunction"]["Properties"]["Timeout"]
    assert history.TO_RUN.total_seconds() == limit
    # The longest test, and the slowest call to the store before and after it
    assert time_budgets.ASYNCHRONOUS.most_ms / 1000 + 2 * 9 <= limit
    assert history.TO_FINISH > 2 * history.TO_RUN


def test_the_pattern_of_egress_rules_is_what_the_guard_reads(template: dict[str, Any]) -> None:
    pattern = template["Parameters"]["EgressAllow"]["AllowedPattern"]
    good = ["", "10.0.0.0/8:443", "127.0.0.1/32:1024-65535, [fd00::/8]:443"]
    for text in good:
        assert re.fullmatch(pattern, text)
        EgressPolicy.parse(text)
    for text in ("garbage", "127.0.0.1/32", "10.0.0.0/8:443,", "10.0.0.0/8:443 10.1.0.0/16:1"):
        assert not re.fullmatch(pattern, text)
        with pytest.raises(ValueError, match="cidr"):
            EgressPolicy.parse(text)


def test_the_pattern_of_the_public_url_is_what_the_setting_reads(template: dict[str, Any]) -> None:
    pattern = template["Parameters"]["PublicUrl"]["AllowedPattern"]
    for text in (
        *("", "https://connect.acme.com", "https://connect.acme.com:8443"),
        *("http://127.0.0.1:3000", "http://localhost", "http://[::1]:3000"),
        *("https://127.0.0.1:3000", "https://localhost:3000"),
    ):
        assert re.fullmatch(pattern, text)
        assert read_origin(text) == text
    for text in (
        *("https://connect.acme.com/", "https://connect.acme.com/api", "https://Connect.acme.com"),
        *("http://connect.acme.com", "connect.acme.com", "https://acme", "https://a@acme.com"),
        *("https://acme.com:0", "https://acme.com?", "https://acme.com#", "https://acme.com "),
        *(
            "https://-acme.com",
            "https://acme..com",
            "http://127.0.0.1:3000\n",
            "javascript:alert(1)",
        ),
    ):
        assert not re.fullmatch(pattern, text)
        with pytest.raises(ValueError, match="origin"):
            read_origin(text)


def test_the_patterns_of_the_brand_are_what_the_pages_read(template: dict[str, Any]) -> None:
    parameters = template["Parameters"]
    patterns = [
        parameters[name]["AllowedPattern"] for name in ("BrandName", "BrandLogoUrl", "BrandColor")
    ]
    assert patterns == [f"^{one}$" for one in (NAME_PATTERN, LOGO_PATTERN, COLOR_PATTERN)]
    assert parameters["BrandLogoUrl"]["MaxLength"] == MAX_LOGO_URL
    for text in ("", "Acme", "a" * MAX_NAME):
        assert re.fullmatch(patterns[0], text)
    assert not re.fullmatch(patterns[0], "a" * (MAX_NAME + 1))


def test_the_pattern_of_authorities_is_what_the_guard_reads(
    template: dict[str, Any], tmp_path: Path
) -> None:
    pattern = template["Parameters"]["EgressAuthorities"]["AllowedPattern"]
    der = ssl.PEM_cert_to_DER_cert(Authority(tmp_path).pem)
    authority = b64encode(der).decode()
    for text, count in (("", 0), (authority, 1), (f"{authority}, {authority}", 2)):
        assert re.fullmatch(pattern, text)
        assert read_authorities(text) == der * count
    for text in (f"{authority},", f"{authority} {authority}", "-----BEGIN CERTIFICATE-----"):
        assert not re.fullmatch(pattern, text)
        with pytest.raises(ValueError, match="certificate"):
            read_authorities(text)


def test_the_variables_of_a_function_have_room_for_authorities(template: dict[str, Any]) -> None:
    # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    most_bytes = 4096
    parameters = template["Parameters"]
    longest_name = 128  # of a table, a queue, a key
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    for function in functions(template).values():
        size = 0
        for name, value in (shared | function["Properties"]["Environment"]["Variables"]).items():
            parameter = parameters.get(value.get("Ref")) if isinstance(value, dict) else None
            if parameter:
                size += len(name) + parameter.get("MaxLength", len(str(parameter.get("Default"))))
            else:
                size += len(name) + longest_name
        # What else an operator enters, such as rules of egress
        assert size <= most_bytes - 512


def test_the_pattern_of_name_servers_is_what_the_guard_reads(template: dict[str, Any]) -> None:
    parameter = template["Parameters"]["DnsResolver"]
    assert parameter["Default"] == PUBLIC
    for text in (PUBLIC, "9.9.9.9:5353, 2620:fe::fe", "[2620:fe::fe]:5353", "::1,[::1]"):
        assert re.fullmatch(parameter["AllowedPattern"], text)
        Nameservers(text)
    for text in ("", "dns.example.com", "9.9.9.9,", "9.9.9.9:", "9.9.9.9 1.1.1.1", "[::1]:x"):
        assert not re.fullmatch(parameter["AllowedPattern"], text)
        with pytest.raises(ValueError, match="address"):
            Nameservers(text)


def alarms(template: dict[str, Any], metric: str) -> dict[str, Resource]:
    """The properties of the alarms of a metric, by what they watch: a resource, or nothing."""
    found = {}
    for alarm in resources(template, "AWS::CloudWatch::Alarm").values():
        properties = alarm["Properties"]
        if properties["MetricName"] == metric:
            [target] = list(texts([d["Value"] for d in properties.get("Dimensions", [])])) or [""]
            found[target.partition(".")[0]] = properties
    return found


def set_aside_by(value: Any) -> str:
    """The queue that a redrive policy, a target, or a destination names."""
    [arn] = [text for text in texts(value) if text.endswith("Queue.Arn")]
    return arn.removesuffix(".Arn")


def rates(template: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The functions that schedules start: their rates, and where what can't be started is put."""
    for name, function in functions(template).items():
        for event in function["Properties"].get("Events", {}).values():
            if event["Type"] == "Schedule":
                yield name, event["Properties"]["Schedule"], event["Properties"]["DeadLetterConfig"]
    for rule in resources(template, "AWS::Events::Rule").values():
        if rate := rule["Properties"].get("ScheduleExpression"):
            for target in rule["Properties"]["Targets"]:
                [name] = texts(target["Arn"])
                yield name.removesuffix(".Arn"), rate, target["DeadLetterConfig"]


def test_an_alarm_says_when_it_begins_and_when_it_ends(template: dict[str, Any]) -> None:
    topic = {"!If": ["HasAlarmTopic", [{"!Ref": "AlarmTopicArn"}], {"!Ref": "AWS::NoValue"}]}
    for name, alarm in resources(template, "AWS::CloudWatch::Alarm").items():
        properties = alarm["Properties"]
        assert properties["AlarmActions"] == properties["OKActions"] == topic, name


def test_whatever_is_set_aside_raises_an_alarm(template: dict[str, Any]) -> None:
    set_aside = {
        set_aside_by(queue["Properties"]["RedrivePolicy"])
        for queue in resources(template, "AWS::SQS::Queue").values()
        if "RedrivePolicy" in queue["Properties"]
    }
    for rule in resources(template, "AWS::Events::Rule").values():
        for target in rule["Properties"]["Targets"]:
            set_aside.add(set_aside_by(target["DeadLetterConfig"]))
    of_runs = {set_aside_by(put) for _, _, put in rates(template)}
    watched = alarms(template, "ApproximateNumberOfMessagesVisible")
    assert watched.keys() == set_aside
    for queue, alarm in watched.items():
        # One message is too many, but a run of a schedule may fail, and the next one does its work
        assert alarm["Threshold"] == (2 if queue in of_runs else 0)
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        assert alarm["TreatMissingData"] == "notBreaching"


def test_every_function_that_fails_raises_an_alarm(template: dict[str, Any]) -> None:
    watched = alarms(template, "ApproximateNumberOfMessagesVisible")
    queues = resources(template, "AWS::SQS::Queue")
    # What a request starts: the API answers with a 5xx for it, and for its authorizer.
    assert alarms(template, "5xx")["Api"]["Threshold"] == 0
    [api] = resources(template, "AWS::Serverless::HttpApi").values()
    [authorizer] = api["Properties"]["Auth"]["Authorizers"].values()
    [started, *_] = texts(authorizer["FunctionArn"])
    seen = {started.removesuffix(".Arn")}
    for name, function in functions(template).items():
        for event in function["Properties"].get("Events", {}).values():
            seen.add(name)
            if event["Type"] == "SQS":
                # Its messages are set aside, or wait until they are too old.
                queue = queues[set_aside_by(event["Properties"]["Queue"])]["Properties"]
                assert set_aside_by(queue["RedrivePolicy"]) in watched, name
            else:
                assert event["Type"] in ("HttpApi", "Schedule"), name
    # What a schedule starts: a run that fails, and one that can't be started.
    for name, rate, unstarted in rates(template):
        seen.add(name)
        failed = set_aside_by(functions(template)[name]["Properties"]["EventInvokeConfig"])
        assert failed == set_aside_by(unstarted)
        # Enough of them are there at the same time
        [number] = re.findall(r"^rate\((\d+) minutes?\)$", rate)
        kept = queues[failed]["Properties"]["MessageRetentionPeriod"]
        assert kept > int(number) * 60 * (watched[failed]["Threshold"] + 1), name
    assert seen == functions(template).keys()


def test_a_sweep_that_fails_raises_an_alarm_before_its_message_returns(
    template: dict[str, Any],
) -> None:
    queue = resources(template, "AWS::SQS::Queue")["MonitorQueue"]["Properties"]
    alarm = alarms(template, "ApproximateAgeOfOldestMessage")["MonitorQueue"]
    assert alarm["Threshold"] <= queue["VisibilityTimeout"]


def test_a_schedule_that_stops_raises_an_alarm(template: dict[str, Any]) -> None:
    # All that runs each minute is started by one rule, which is allowed to
    rule = resources(template, "AWS::Events::Rule")["EveryMinuteRule"]["Properties"]
    started = [next(texts(target["Arn"])).removesuffix(".Arn") for target in rule["Targets"]]
    assert [name for name, rate, _ in rates(template) if rate == "rate(1 minute)"] == started
    allowed = [
        permission["Properties"]["FunctionName"]["!Ref"]
        for permission in resources(template, "AWS::Lambda::Permission").values()
        if permission["Properties"]["SourceArn"] == {"!GetAtt": "EveryMinuteRule.Arn"}
    ]
    assert sorted(allowed) == sorted(started)
    # So one of them shows whether it does
    [(shown, alarm)] = alarms(template, "Invocations").items()
    assert shown in started
    assert alarm["ComparisonOperator"] == "LessThanThreshold"
    assert alarm["TreatMissingData"] == "breaching"


def test_every_metric_of_our_own_has_an_alarm_that_its_first_value_raises(
    template: dict[str, Any],
) -> None:
    namespace = template["Globals"]["Function"]["Environment"]["Variables"]["METRICS_NAMESPACE"]
    of_our_own = {
        alarm["Properties"]["MetricName"]: alarm["Properties"]
        for alarm in resources(template, "AWS::CloudWatch::Alarm").values()
        if alarm["Properties"]["Namespace"] == namespace
    }
    assert of_our_own.keys() == set(get_args(Trouble.__value__))
    for alarm in of_our_own.values():
        assert "Dimensions" not in alarm
        assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
        # It does not end between two runs of a function that publishes it
        assert alarm["Period"] * alarm["EvaluationPeriods"] >= 2 * 15 * 60


def dashboard(template: dict[str, Any]) -> list[dict[str, Any]]:
    """The properties of the widgets, with what a deployment names left as it is."""
    body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["!Sub"]
    return [widget["properties"] for widget in json.loads(body)["widgets"]]


def test_the_dashboard_is_one_that_costs_nothing(template: dict[str, Any]) -> None:
    # Three dashboards of up to 50 metrics are free (bench/prices.py)
    metrics = [metric for one in dashboard(template) for metric in one.get("metrics", ())]
    named = [metric for metric in metrics if isinstance(metric[0], str)]
    assert 0 < len(named) <= 50
    # And a metric of our own would be paid for
    assert {metric[0] for metric in named} == {
        "AWS/SQS",
        "AWS/ApiGateway",
        "AWS/Lambda",
        "AWS/DynamoDB",
    }


def test_the_dashboard_names_what_there_is(template: dict[str, Any]) -> None:
    body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["!Sub"]
    for name in re.findall(r"\$\{(\w+)[^}:]*\}", body):
        assert name == "AWS" or name in template["Resources"], name
    [failures] = [one["query"] for one in dashboard(template) if "category" in one["title"]]
    assert set(re.findall(r"test_failures_(\w+)\)", failures)) == set(
        get_args(CodeCategory.__value__)
    )


def test_the_cost_of_a_day_is_by_the_prices_of_the_bench(template: dict[str, Any]) -> None:
    [cost] = [one for one in dashboard(template) if one["title"].startswith("Cost")]
    [tables, requests] = [metric[0]["expression"] for metric in cost["metrics"] if len(metric) == 1]
    written, read = (PRICES[name].dollars for name in ("write unit", "read unit"))
    assert tables == f"(w1+w2)*{written:.9f}+(r1+r2)*{read:.9f}"
    assert requests == f"q1*{PRICES['API request'].dollars:.6f}"


def test_a_saved_query_reads_lines_of_the_functions_that_write_them(
    template: dict[str, Any],
) -> None:
    queries = resources(template, "AWS::Logs::QueryDefinition")
    of_functions = {f"{name.removesuffix('Function')}Log" for name in functions(template)}
    page = (ROOT / "docs" / "operating" / "dashboard.md").read_text()
    for query in queries.values():
        properties = query["Properties"]
        groups = {group["!Ref"] for group in properties["LogGroupNames"]}
        assert groups in (of_functions, {"ApiAccessLog"}, {"RunMonitorsLog"})
        # Operators read of each, by its name
        assert f"`{properties['Name']['!Sub'].partition('/')[2]}`" in page
    assert all(
        resource["Condition"] == "HasOperatorViews"
        for resource in (*queries.values(), template["Resources"]["Dashboard"])
    )


def test_operators_read_of_every_alarm_and_parameter(template: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    for name in resources(template, "AWS::CloudWatch::Alarm"):
        assert f"`{name}`" in page, name
    described = "".join(line for line in page.splitlines() if line.startswith("| `"))
    for name in template["Parameters"]:
        assert f"`{name}`" in described, name


def test_the_first_deploy_names_what_there_is(template: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "operating" / "first-deploy.md").read_text()
    outputs = re.findall(r"\boutput ([A-Z]\w+)", page)
    assert outputs
    assert set(outputs) <= template["Outputs"].keys()
    made = re.findall(r"\(name (\w+)\)", page)
    assert made
    # A function has a role, by SAM
    assert {name.removesuffix("Role") for name in made} <= template["Resources"].keys()
    overrides = re.findall(r"--parameter-overrides (.+)", page)
    parameters = re.findall(r"(\w+)=", " ".join(overrides))
    assert parameters
    assert set(parameters) <= template["Parameters"].keys()
    assert "\n     10 OK\n" in page
    assert len(resources(template, "AWS::CloudWatch::Alarm")) == 10
    assert "'length(queryDefinitions)'\n7\n" in page
    assert len(resources(template, "AWS::Logs::QueryDefinition")) == 7


def test_what_a_queue_delivers_is_not_delivered_to_a_second_function_meanwhile(
    template: dict[str, Any],
) -> None:
    queues = resources(template, "AWS::SQS::Queue")
    default = template["Globals"]["Function"]["Timeout"]
    for function in functions(template).values():
        properties = function["Properties"]
        for event in properties.get("Events", {}).values():
            if event["Type"] != "SQS":
                continue
            source = event["Properties"]
            assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
            queue = queues[source["Queue"]["!GetAtt"].partition(".")[0]]["Properties"]
            window = source.get("MaximumBatchingWindowInSeconds", 0)
            needed = 6 * properties.get("Timeout", default) + window
            assert queue["VisibilityTimeout"] >= needed
            dead = queue["RedrivePolicy"]["deadLetterTargetArn"]["!GetAtt"].partition(".")[0]
            # Dead letters are kept at least as long as messages.
            kept = queues[dead]["Properties"]["MessageRetentionPeriod"]
            assert kept >= queue["MessageRetentionPeriod"]


def test_queues_are_encrypted(template: dict[str, Any]) -> None:
    for queue in resources(template, "AWS::SQS::Queue").values():
        assert queue["Properties"]["SqsManagedSseEnabled"] is True


def test_only_the_rule_of_the_bus_may_send_to_the_ingest_queue(template: dict[str, Any]) -> None:
    policy = template["Resources"]["IngestQueuePolicy"]["Properties"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    condition = {"ArnEquals": {"aws:SourceArn": {"!GetAtt": "IngestRule.Arn"}}}
    assert statement["Condition"] == condition
    rule = template["Resources"]["IngestRule"]["Properties"]
    assert rule["EventPattern"] == {"detail-type": ["integration.event"]}
    [target] = rule["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"!GetAtt": "IngestDeadLetterQueue.Arn"}}


def test_only_a_function_that_bounds_its_own_messages_may_send_them_in_a_loop(
    template: dict[str, Any],
) -> None:
    loops, allowed = [], []
    for name, function in functions(template).items():
        properties = function["Properties"]
        queues = {
            source["Properties"]["Queue"]["!GetAtt"]
            for source in properties.get("Events", {}).values()
            if source["Type"] == "SQS"
        }
        sends = {
            text
            for owner, statement in statements(template)
            if owner == name and "sqs:SendMessage" in statement["Action"]
            for text in texts(statement["Resource"])
        }
        if queues & sends:
            loops.append(name)
        if properties.get("RecursiveLoop") == "Allow":
            allowed.append(name)
    # A schedule starts the evaluation of alerts; what its queue starts sends it nothing more
    assert loops == ["RunMonitorsFunction", "EvaluateAlertsFunction"]
    assert allowed == ["RunMonitorsFunction"]


def test_the_monitors_fit_into_their_functions_and_queues(template: dict[str, Any]) -> None:
    runner = functions(template)["RunMonitorsFunction"]["Properties"]
    assert runner["Timeout"] > 2 * SweepLimits().page_seconds
    queue = resources(template, "AWS::SQS::Queue")["MonitorQueue"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * runner["Timeout"]
    [source] = runner["Events"].values()
    assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    lanes = template["Parameters"]["MonitorLanes"]
    assert (lanes["Default"], lanes["MaxValue"]) == (4, MAX_LANES)
    for name in ("AutoDisableFailures", "AutoDisableDays"):
        assert template["Parameters"][name]["Default"] == 0
