"""Attacks run against the same deployed account as the integration tests."""

from tests.integration.conftest import (
    aws,
    connection,
    deployed,
    events_table,
    integrations_table,
    log,
    operator,
    server,
    stranger,
    tables,
    template,
    tenant,
)

__all__ = [
    "aws",
    "connection",
    "deployed",
    "events_table",
    "integrations_table",
    "log",
    "operator",
    "server",
    "stranger",
    "tables",
    "template",
    "tenant",
]
