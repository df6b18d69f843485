"""What the parameters of a stack say that its operator should think over."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from patchbay_cli.aws_account import AwsRefused
from patchbay_cli.findings import OK, PROBLEM, WARNING, Finding
from patchbay_cli.stack import Stack

KNOWN: Final = frozenset(
    {
        *("AlarmTopicArn", "AlertTopicArns", "Architecture", "AuthorizerConcurrency"),
        *("AutoDisableDays", "AutoDisableFailures", "BrandColor", "BrandLogoUrl", "BrandName"),
        *("CertificateArn", "ConnectionUsesPerMinute", "CorsAllowOrigins", "CredentialUse"),
        *("DeletionProtection", "DeliveriesPerMinute", "DnsResolver", "EgressAllow"),
        *("EgressAuthorities", "JwtAudience", "JwtClientId", "JwtIssuer", "JwtJwksUrl"),
        *("JwtOrganizationClaim", "JwtPermissionsClaim", "JwtPermissionsPrefix", "JwtScopes"),
        *("JwtSpaceClaim", "LogLevel", "LogRetentionDays", "MaxAlertChannels"),
        *("MaxAlertRules", "MaxApiKeys", "MaxConnections", "MaxDeletedReleases"),
        *("MaxEndpoints", "MaxInstallSessions", "MaxIntegrations", "MaxMonitoredConnections"),
        *("MaxMonitoredTestsPerDay", "MaxOauthApplications", "MaxReleases", "MaxSpaces"),
        *("MonitorCanary", "MonitorLanes", "OperatorViews", "OwnHostNames", "PooledRuns"),
        *("PublicUrl", "QueueConcurrency", "RawEventDays", "RequestsPerMinute", "RouteBurst"),
        *("RouteRequestsPerSecond", "TableEncryption", "TestsInFlight", "TestsPerMinute"),
        *("Tracing", "UnauthenticatedRequestsPerMinute", "UsesInFlight", "UsesPerMinute"),
        *("VpcSecurityGroupIds", "VpcSubnetIds"),
    }
)
"""Those of the template of this version."""

_LOOPBACK: Final = [ipaddress.ip_network(one) for one in ("127.0.0.0/8", "::1/128")]
_METADATA: Final = [ipaddress.ip_network(one) for one in ("169.254.0.0/16", "fd00:ec2::/32")]
_LARGEST: Final = {4: 16, 6: 48}
"""The shortest prefix of a private network that is no surprise, by the version of IP."""


def parameters(stack: Stack) -> Iterator[Finding]:
    found = [*_drift(stack), *_alarm_topic(stack), *_settings(stack)]
    found += _egress(stack.parameters.get("EgressAllow", ""))
    yield from found
    if not found:
        yield Finding("parameters", OK, f"{len(stack.parameters)} parameters")


def _drift(stack: Stack) -> Iterator[Finding]:
    given = stack.parameters.keys()
    if newer := sorted(given - KNOWN):
        yield Finding(
            "parameters",
            WARNING,
            f"this program does not know {', '.join(newer)}",
            "the deployment is newer, so what it says of parameters is not all",
            "pip install --upgrade patchbay-sdk",
        )
    if older := sorted(KNOWN - given):
        yield Finding(
            "parameters",
            WARNING,
            f"the stack has no {', '.join(older)}",
            "it was deployed from an older version",
            "deploy this version: docs/operating/upgrading.md",
        )


def _alarm_topic(stack: Stack) -> Iterator[Finding]:
    topic = stack.parameters.get("AlarmTopicArn")
    if topic == "":
        yield Finding(
            "AlarmTopicArn",
            PROBLEM,
            "no topic is set: alarms tell nobody",
            "a deployment that fails at night is noticed by customers",
            "make an SNS topic with a subscription, and deploy with AlarmTopicArn",
        )
    if not topic:
        return
    try:
        subscriptions = list(
            stack.account.all("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=topic)
        )
    except AwsRefused as error:
        subscriptions = []
        if error.code != "NotFound":
            raise
    if not any(one["SubscriptionArn"].startswith("arn:") for one in subscriptions):
        pending = "only subscriptions that wait for confirmation" if subscriptions else "none"
        yield Finding(
            "AlarmTopicArn",
            PROBLEM,
            f"{topic} has no subscription that is confirmed ({pending})",
            "alarms tell nobody",
            "subscribe an address to the topic, and confirm it",
        )


def _settings(stack: Stack) -> Iterator[Finding]:
    value = stack.parameters.get
    if value("DeletionProtection") == "disabled":
        yield Finding(
            "DeletionProtection",
            WARNING,
            "the tables may be deleted",
            "one wrong call deletes all tenants",
            "deploy with DeletionProtection=enabled",
        )
    if value("PublicUrl", "").startswith("http://"):
        yield Finding(
            "PublicUrl",
            PROBLEM,
            "browsers are sent to an address without TLS",
            "it is for a local cloud only",
            "deploy with an https address",
        )
    origins = [one.strip() for one in value("CorsAllowOrigins", "").split(",")]
    if "*" in origins or any(one.startswith("http://") for one in origins):
        yield Finding(
            "CorsAllowOrigins",
            WARNING,
            "pages of any origin, or without TLS, may call the API with a key",
            "a key in a page can be read by anyone who changes that page",
            "list the https origins of your own pages",
        )
    for name, whose in (
        ("RequestsPerMinute", "an organization"),
        ("UnauthenticatedRequestsPerMinute", "callers without a key"),
    ):
        if value(name) == "0":
            yield Finding(
                name,
                WARNING,
                f"{whose} may make any number of requests",
                "one caller can use up the concurrency of all",
                f"deploy with its default, or another limit: {name}",
            )
    if value("LogLevel") == "DEBUG":
        yield Finding(
            "LogLevel", WARNING, "DEBUG", "each request costs more log lines", "LogLevel=INFO"
        )


def _egress(allowed: str) -> Iterator[Finding]:
    """What tests and webhooks may dial beside the public internet."""
    for entry in (one.strip() for one in allowed.split(",") if one.strip()):
        target, _, ports = entry.rpartition(":")
        if target == "public":
            yield Finding(
                "EgressAllow",
                WARNING,
                f"ports {ports} of any public address may be dialed",
                "tests can reach services that are not meant for the public",
                "keep it if integrations need it",
            )
            continue
        network = ipaddress.ip_network(target.strip("[]"), strict=False)
        if any(network.version == one.version and network.overlaps(one) for one in _METADATA):
            yield _private(entry, PROBLEM, "credentials of the functions can be asked for there")
        elif any(network.version == one.version and network.overlaps(one) for one in _LOOPBACK):
            yield _private(entry, PROBLEM, "it is the machine of the functions themselves")
        elif network.prefixlen < _LARGEST[network.version]:
            yield _private(entry, WARNING, "every tenant's tests may dial all of this network")


def _private(entry: str, status: str, why: str) -> Finding:
    return Finding(
        "EgressAllow", status, f"{entry} may be dialed", why, "name single hosts and ports"
    )
