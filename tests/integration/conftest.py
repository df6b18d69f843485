"""The tables of template.yaml on moto."""

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from moto import mock_aws

from local.provider import Provider, provider
from patchbay.monitors.canary import OwnNetwork
from patchbay.monitors.own_network import OwnEvidence
from patchbay.platform import aws as services
from patchbay.platform.botocore_session import session
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table, connect
from patchbay.platform.ids import Stamp
from patchbay.platform.logging import logger
from patchbay.tenancy.access import Permission
from patchbay.tenancy.api_key_store import ApiKeyStore
from patchbay.tenancy.model import NewApiKey, NewOrganization, NewSpace
from patchbay.tenancy.quotas import Quotas
from patchbay.tenancy.store import TenancyStore
from tests.integration.account import REGION, made_once
from tests.integration.api import ENVIRONMENTS, Client, Environment, start_cold
from tests.integration.cloudformation import read_template
from tests.integration.moto_as_dynamodb import make_exact, nothing_refused
from tests.integration.story import (
    SECRET,
    calling,
    create_connection,
    create_source,
    publish_integration,
)
from tests.integration.table_calls import MotoTransport

TENANT_PERMISSIONS = [
    Permission.READ,
    Permission.MANAGE,
    Permission.USE,
    Permission.WRITE_EVENTS,
]


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """template.yaml as plain data."""
    return read_template()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty AWS account on moto; the clients of the process belong to it."""
    with account(monkeypatch):
        yield


@contextmanager
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As the fixture `aws`."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"):
        monkeypatch.delenv(name, raising=False)
    make_exact(monkeypatch)
    monkeypatch.setattr("patchbay.platform.dynamodb.transport_to", MotoTransport)
    with mock_aws(), nothing_refused():
        session.cache_clear()
        connect.cache_clear()
        services._client.cache_clear()
        yield
    session.cache_clear()
    connect.cache_clear()
    services._client.cache_clear()


@pytest.fixture
def tables(aws: None, template: dict[str, Any]) -> dict[str, Table]:
    """Both tables of the template, by their logical ids, which are their names here too."""
    names = made_once("dynamodb", lambda: create_tables(template))
    return {name: Table(name) for name in names}


def create_tables(template: dict[str, Any]) -> list[str]:
    """The names of the template's tables, which are there now."""
    schemas = {
        name: {
            field: resource["Properties"][field]
            for field in (
                "BillingMode",
                "AttributeDefinitions",
                "KeySchema",
                "GlobalSecondaryIndexes",
            )
            if field in resource["Properties"]
        }
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::DynamoDB::Table"
    }
    for name, schema in schemas.items():
        services.client("dynamodb").create_table(TableName=name, **schema)
    return list(schemas)


@pytest.fixture
def integrations_table(tables: dict[str, Table]) -> Table:
    return tables["IntegrationsTable"]


@pytest.fixture
def events_table(tables: dict[str, Table]) -> Table:
    return tables["EventsTable"]


@pytest.fixture
def deployed(
    tables: dict[str, Table], template: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Table]:
    """Both tables, a vault key and queues; every function has its variables of the template."""
    deploy(template, monkeypatch)
    return tables


def deploy(template: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As the fixture `deployed`, in an account that has the tables."""
    key_id = made_once("kms", lambda: services.client("kms").create_key()["KeyMetadata"]["KeyId"])
    queues = made_once(
        "sqs", lambda: create_queues("notifications", "evaluations", "TestQueue", "MonitorQueue")
    )
    made_once("events", lambda: services.client("events").create_event_bus(Name="integrations"))
    topic = made_once("sns", lambda: services.client("sns").create_topic(Name="alerts"))
    for name, value in {
        "INTEGRATIONS_TABLE": "IntegrationsTable",
        "EVENTS_TABLE": "EventsTable",
        "VAULT_KEY_ID": key_id,
        "RAW_EVENT_DAYS": "35",
        "JWT_ISSUER": "",
        "JWT_AUDIENCE": "",
        "REQUESTS_PER_MINUTE": "0",
        "UNAUTHENTICATED_REQUESTS_PER_MINUTE": "0",
        "JWT_JWKS_URL": "",
        "JWT_ORGANIZATION_CLAIM": "organization_id",
        "JWT_PERMISSIONS_CLAIM": "permissions",
        "JWT_PERMISSIONS_PREFIX": "patchbay/",
        "JWT_SPACE_CLAIM": "",
        "JWT_CLIENT_ID": "",
        "JWT_SCOPES": "openid",
        "EGRESS_ALLOW": "127.0.0.1/32:1024-65535",
        "EGRESS_AUTHORITIES": "",
        "OWN_HOST_NAMES": "patchbay.acme.com, Connect.Acme.com.",
        "PUBLIC_URL": "https://go.acme.com",
        "BRAND_NAME": "Acme & Co.",
        "BRAND_LOGO_URL": "https://acme.example/logo.svg",
        "BRAND_COLOR": "#0a7d5c",
        "DNS_RESOLVER": "1.1.1.1,9.9.9.9",
        "ALERT_TOPIC_ARNS": topic["TopicArn"],
        "NOTIFICATION_QUEUE_URL": queues["notifications"],
        "EVALUATION_QUEUE_URL": queues["evaluations"],
        "DELIVERIES_PER_MINUTE": "300",
        "INTEGRATION_BUS": "integrations",
        "TESTS_PER_MINUTE": "120",
        "TESTS_IN_FLIGHT": "20",
        "TEST_QUEUE_URL": queues["TestQueue"],
        "CREDENTIAL_USE": "enabled",
        "USES_PER_MINUTE": "3000",
        "CONNECTION_USES_PER_MINUTE": "600",
        "USES_IN_FLIGHT": "50",
        "API_HOST": "api.example.com",
        "MONITOR_QUEUE_URL": queues["MonitorQueue"],
        "MONITOR_LANES": "4",
        "MONITOR_CANARY": "",
        "POOLED_RUNS": "enabled",
        "AUTO_DISABLE_FAILURES": "0",
        "AUTO_DISABLE_DAYS": "0",
        **quotas(template),
    }.items():
        monkeypatch.setenv(name, value)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            name = resource["Properties"]["Handler"].partition(".")[0]
            ENVIRONMENTS[name] = Environment(resource["Properties"]["Environment"]["Variables"])
    start_cold()

    async def look_at_nothing(_: OwnNetwork) -> OwnEvidence:
        return OwnEvidence()

    # Nothing outside this machine is asked.
    monkeypatch.setattr(OwnNetwork, "look", look_at_nothing)


def quotas(template: dict[str, Any]) -> dict[str, str]:
    """The variables of the quotas, with the template's defaults."""
    return {
        re.sub(r"(?<!^)([A-Z])", r"_\1", name).upper(): str(parameter["Default"])
        for name, parameter in template["Parameters"].items()
        if name.startswith("Max")
    }


def create_queues(*names: str) -> dict[str, str]:
    """The URLs of these queues, by name."""
    sqs = services.client("sqs")
    return {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in names}


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organization with a space, and a client that holds its operator key."""

    organization_id: str
    space_id: str
    space_slug: str
    client: Client

    @property
    def connectors(self) -> str:
        return f"/v1/organizations/{self.organization_id}/knowledge/connectors"


def new_tenant(name: str, permissions: list[Permission]) -> Tenant:
    """A tenant made as the operator makes one, with a key of these permissions."""
    stamp = Stamp.fresh(utc_now())
    table = Table("IntegrationsTable")
    quotas = Quotas.without_limits(table)
    tenants = TenancyStore(table, quotas)
    organization = tenants.create_organization(NewOrganization(name=name), stamp)
    space = tenants.create_space(organization.id, NewSpace(slug=name, name=name), stamp)
    key = NewApiKey(name="test", permissions=permissions)
    issued = ApiKeyStore(table, tenants, quotas).issue(organization.id, key, "test", stamp)
    return Tenant(organization.id, space.id, space.slug, Client(issued.key))


@pytest.fixture
def operator(deployed: dict[str, Table]) -> Tenant:
    return new_tenant("operator", [Permission.ADMIN])


@pytest.fixture
def tenant(deployed: dict[str, Table]) -> Tenant:
    """A tenant with every permission but the operator's."""
    return new_tenant("acme", TENANT_PERMISSIONS)


@pytest.fixture
def stranger(deployed: dict[str, Table]) -> Tenant:
    """Another tenant, to try the doors of the first."""
    return new_tenant("globex", TENANT_PERMISSIONS)


@pytest.fixture
def server() -> Iterator[Provider]:
    """A provider's API on loopback, which takes the secret of the tests."""
    with provider() as served:
        served.valid_key = SECRET
        yield served


@pytest.fixture
def connection(tenant: Tenant, server: Provider) -> dict[str, Any]:
    """A connection that a test finds to work."""
    publish_integration(tenant, manifest=calling(server.port))
    return create_connection(tenant, create_source(tenant))


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that the functions write to CloudWatch Logs, as they format it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logger.registered_formatter)
    underlying = logging.getLogger(logger.name)
    underlying.addHandler(handler)
    yield written
    underlying.removeHandler(handler)
