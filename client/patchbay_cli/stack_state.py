"""What a stack's alarms, queues, tables, keys, schedules, and functions are like now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from patchbay_cli.aws_account import AwsRefused
from patchbay_cli.findings import OK, PROBLEM, WARNING, Finding
from patchbay_cli.stack import Stack

_OLD: Final = timedelta(days=180)
_LONG_WITHOUT_DATA: Final = timedelta(days=1)
_MOST_SKEW_SECONDS: Final = 60
_ENOUGH_CONCURRENCY: Final = 100
_LARGEST_SHARE_OF_QUEUES: Final = 0.5
LEAST_OF_QUEUES: Final = 78
"""What events, monitors, and alert rules may take if `QueueConcurrency` is 0. Requested tests and
notifications come on top, without a limit."""
_ALARMS_OF_A_CALL: Final = 100
_ENDS_OF_FAILURES: Final = ("DeadLetterQueue", "FailedRunQueue")


def deployment(stack: Stack) -> Iterator[Finding]:
    """Whether the stack is whole, and lately updated."""
    age = datetime.now(timezone.utc) - stack.changed_at
    found = []
    if not stack.status.endswith("_COMPLETE") or "ROLLBACK" in stack.status:
        found.append(
            Finding(
                "stack",
                PROBLEM,
                f"{stack.name} is {stack.status}",
                "the last change was not deployed, or not wholly",
                "read its events in CloudFormation, and deploy again",
            )
        )
    if age > _OLD:
        found.append(
            Finding(
                "stack",
                WARNING,
                f"nothing was deployed for {age.days} days",
                "dependencies of the functions get security updates by deploys alone",
                "deploy the newest version: docs/operating/upgrading.md",
            )
        )
    if stack.drift == "DRIFTED":
        found.append(
            Finding(
                "stack",
                WARNING,
                "CloudFormation found that resources were changed by hand",
                "the next deploy may undo it, or fail",
                "look at its drift in CloudFormation, and deploy again",
            )
        )
    if not stack.is_protected:
        found.append(
            Finding(
                "stack",
                WARNING,
                "the stack may be deleted by one call",
                "the tables and the key would be kept, but nothing would run",
                "aws cloudformation update-termination-protection --enable-termination-protection "
                f"--stack-name {stack.name}",
            )
        )
    yield from found
    if not found:
        yield Finding("stack", OK, f"{stack.name} is {stack.status}")


def clock(stack: Stack) -> Iterator[Finding]:
    """This machine's clock beside that of AWS."""
    stack.account.ask("sts", "get_caller_identity")
    if stack.account.date is None:
        return
    skew = abs((datetime.now(timezone.utc) - stack.account.date).total_seconds())
    if skew <= _MOST_SKEW_SECONDS:
        yield Finding("aws_clock", OK, "this machine and AWS have the same time")
    else:
        yield Finding(
            "aws_clock",
            PROBLEM,
            f"the clocks of this machine and of AWS are {skew:.0f} s apart",
            "signatures of requests to AWS, and of webhooks, are good for five minutes",
            "set the clock, such as by NTP",
        )


def capacity(stack: Stack) -> Iterator[Finding]:
    """Whether there is concurrency for what the stack may use."""
    found = stack.account.ask("lambda", "get_account_settings")["AccountLimit"]
    limit, free = found["ConcurrentExecutions"], found["UnreservedConcurrentExecutions"]
    queues = int(stack.parameters.get("QueueConcurrency", "0")) or LEAST_OF_QUEUES
    if limit < _ENOUGH_CONCURRENCY:
        yield Finding(
            "concurrency",
            PROBLEM,
            f"the account may run {limit} functions at once",
            "requests are answered by 503 while monitors run",
            "aws service-quotas request-service-quota-increase --service-code lambda "
            "--quota-code L-B99A9384 --desired-value 1000",
        )
    elif queues > limit * _LARGEST_SHARE_OF_QUEUES:
        yield Finding(
            "concurrency",
            WARNING,
            f"queues may take {queues} of the {limit} functions that may run at once",
            "little is left for requests",
            "limit them by QueueConcurrency, or request a higher quota: "
            "docs/operating/concurrency.md",
        )
    elif free < _ENOUGH_CONCURRENCY:
        yield Finding(
            "concurrency",
            WARNING,
            f"{limit - free} of {limit} are reserved for single functions of the account",
            "all others share the rest",
            "lower reservations, or request a higher quota",
        )
    else:
        yield Finding("concurrency", OK, f"{limit} functions may run at once, {free} unreserved")


def alarms(stack: Stack) -> Iterator[Finding]:
    """Alarms that ring, can't ring, or tell nobody."""
    names = [physical for _, physical in stack.of("AWS::CloudWatch::Alarm")]
    found: list[dict[str, Any]] = []
    for start in range(0, len(names), _ALARMS_OF_A_CALL):
        chosen = names[start : start + _ALARMS_OF_A_CALL]
        found += stack.account.all(
            "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=chosen
        )
    # Without a topic none has an action, which the parameters say once.
    has_topic = stack.parameters.get("AlarmTopicArn") != ""
    problems = [problem for alarm in found for problem in _of_alarm(alarm, has_topic)]
    problems += [
        Finding("alarms", PROBLEM, f"{missing} is gone", "nobody will know", "deploy again")
        for missing in sorted(set(names) - {one["AlarmName"] for one in found})
    ]
    if not names:
        problems.append(Finding("alarms", PROBLEM, "the stack has no alarms", "nobody will know"))
    yield from problems
    if not problems:
        yield Finding("alarms", OK, f"{len(names)} alarms, none rings")


def _of_alarm(alarm: dict[str, Any], has_topic: bool) -> Iterator[Finding]:
    name, state = alarm["AlarmName"], alarm["StateValue"]
    if state == "ALARM":
        yield Finding(
            "alarms",
            PROBLEM,
            f"{name}: {alarm.get('AlarmDescription') or alarm.get('StateReason', '')}",
            "it rings now",
            "docs/operations.md says for each alarm what to do",
        )
    changed = alarm.get("StateUpdatedTimestamp")
    now = datetime.now(timezone.utc)
    if state == "INSUFFICIENT_DATA" and changed and now - changed > _LONG_WITHOUT_DATA:
        yield Finding(
            "alarms",
            WARNING,
            f"{name} has had no data since {changed:%Y-%m-%d}",
            "it can't ring",
            "see whether what it measures still exists, and deploy again",
        )
    if not alarm.get("ActionsEnabled", True):
        yield Finding(
            "alarms",
            PROBLEM,
            f"the actions of {name} are disabled",
            "it tells nobody",
            f"aws cloudwatch enable-alarm-actions --alarm-names {name}",
        )
    elif has_topic and not alarm.get("AlarmActions"):
        message = f"{name} has no action, though AlarmTopicArn is set"
        yield Finding("alarms", PROBLEM, message, "it tells nobody", "deploy again")


def queues(stack: Stack) -> Iterator[Finding]:
    """Messages that were given up."""
    problems = []
    ends = [one for one in stack.of("AWS::SQS::Queue") if one[0].endswith(_ENDS_OF_FAILURES)]
    for logical, url in ends:
        name = "ApproximateNumberOfMessages"
        answer = stack.account.ask(
            "sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=[name]
        )
        count = int(answer["Attributes"][name])
        if count:
            problems.append(
                Finding(
                    "queues",
                    PROBLEM,
                    f"{logical} has {count} messages",
                    "work was given up, and messages are kept for 14 days at most",
                    "read one, remove the cause, and redrive: docs/operations.md",
                )
            )
    yield from problems
    if not problems:
        yield Finding("queues", OK, f"{len(ends)} queues of failures, all empty")


def tables(stack: Stack) -> Iterator[Finding]:
    """Whether the tables are there, can be restored, and can't be deleted."""
    found = list(stack.of("AWS::DynamoDB::Table"))
    problems = [problem for logical, name in found for problem in _of_table(stack, logical, name)]
    yield from problems
    if not problems:
        yield Finding("tables", OK, f"{len(found)} tables, with point-in-time recovery")


def _of_table(stack: Stack, logical: str, name: str) -> Iterator[Finding]:
    again = "deploy again, which enables it"
    try:
        table = stack.account.ask("dynamodb", "describe_table", TableName=name)["Table"]
    except AwsRefused as error:
        yield Finding("tables", PROBLEM, f"{logical}: {error}", "nothing works without it")
        return
    if table["TableStatus"] not in ("ACTIVE", "UPDATING"):
        why = "it can't be read or written"
        yield Finding("tables", PROBLEM, f"{logical} is {table['TableStatus']}", why)
    backups = stack.account.ask("dynamodb", "describe_continuous_backups", TableName=name)
    recovery = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        message, why = f"{logical} has no point-in-time recovery", "what is deleted is lost"
        yield Finding("tables", PROBLEM, message, why, again)
    live = stack.account.ask("dynamodb", "describe_time_to_live", TableName=name)
    if live["TimeToLiveDescription"].get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
        message, why = f"{logical} deletes nothing that has expired", "it only grows"
        yield Finding("tables", PROBLEM, message, why, again)
    protects = stack.parameters.get("DeletionProtection") == "enabled"
    if protects and not table.get("DeletionProtectionEnabled"):
        message = f"{logical} may be deleted, though DeletionProtection is enabled"
        yield Finding("tables", PROBLEM, message, "somebody changed it by hand", again)


def keys(stack: Stack) -> Iterator[Finding]:
    """Whether the key of the vault works."""
    for logical, key_id in stack.of("AWS::KMS::Key"):
        state = stack.account.ask("kms", "describe_key", KeyId=key_id)["KeyMetadata"]["KeyState"]
        if state == "PendingDeletion":
            yield Finding(
                "keys",
                PROBLEM,
                f"{logical} will be deleted",
                "all stored secrets are lost with it, for good",
                f"aws kms cancel-key-deletion --key-id {key_id}, and enable-key",
            )
        elif state != "Enabled":
            yield Finding(
                "keys",
                PROBLEM,
                f"{logical} is {state}",
                "no secret can be read or stored",
                f"aws kms enable-key --key-id {key_id}",
            )
        elif not stack.account.ask("kms", "get_key_rotation_status", KeyId=key_id).get(
            "KeyRotationEnabled"
        ):
            yield Finding(
                "keys",
                WARNING,
                f"{logical} is not rotated",
                "its material is the same for ever",
                f"aws kms enable-key-rotation --key-id {key_id}",
            )
        else:
            yield Finding("keys", OK, f"{logical} is enabled, and rotated each year")


def schedules(stack: Stack) -> Iterator[Finding]:
    """Whether what runs by itself runs."""
    problems = []
    rules = list(stack.of("AWS::Events::Rule"))
    for logical, physical in rules:
        try:
            rule = _rule(stack, physical)
        except AwsRefused as error:
            why = "monitors, alerts, or events of the bus stand still"
            problems.append(Finding("schedules", PROBLEM, f"{logical}: {error}", why))
            continue
        if rule["State"] == "DISABLED":
            problems.append(
                Finding(
                    "schedules",
                    PROBLEM,
                    f"{logical} is disabled",
                    "monitors, alerts, or events of the bus stand still",
                    f"aws events enable-rule --name {rule['Name']}",
                )
            )
    yield from problems
    if not problems:
        yield Finding("schedules", OK, f"{len(rules)} rules, all enabled")


def _rule(stack: Stack, physical: str) -> dict[str, Any]:
    """A rule by its id, `<bus>|<name>`, or a name alone, which may be of the stack's own bus."""
    bus, _, name = physical.rpartition("|")
    if bus:
        return stack.account.ask("events", "describe_rule", Name=name, EventBusName=bus)
    try:
        return stack.account.ask("events", "describe_rule", Name=name)
    except AwsRefused:
        for _, own in stack.of("AWS::Events::EventBus"):
            return stack.account.ask("events", "describe_rule", Name=name, EventBusName=own)
        raise


def functions(stack: Stack) -> Iterator[Finding]:
    """Functions that can't run, and queues that nobody reads."""
    problems = []
    names = list(stack.of("AWS::Lambda::Function"))
    for logical, name in names:
        found = stack.account.ask("lambda", "get_function_configuration", FunctionName=name)
        wrong = [
            f"{field} is {found[field]}"
            for field in ("State", "LastUpdateStatus")
            if found.get(field) == "Failed"
        ]
        reserved = stack.account.ask("lambda", "get_function_concurrency", FunctionName=name)
        if reserved.get("ReservedConcurrentExecutions") == 0:
            wrong.append("its concurrency is 0")
        fix = "remove the cause, and deploy again"
        problems += [
            Finding("functions", PROBLEM, f"{logical}: {what}", "it does not run", fix)
            for what in wrong
        ]
    for logical, mapping in stack.of("AWS::Lambda::EventSourceMapping"):
        state = stack.account.ask("lambda", "get_event_source_mapping", UUID=mapping)["State"]
        if state in ("Disabled", "Disabling"):
            problems.append(
                Finding(
                    "functions",
                    PROBLEM,
                    f"{logical} is disabled",
                    "messages of its queue wait",
                    f"aws lambda update-event-source-mapping --enabled --uuid {mapping}",
                )
            )
    yield from problems
    if not problems:
        yield Finding("functions", OK, f"{len(names)} functions")
