"""Ten operations by a client of openapi-python-client. Prints what the test looks at, as JSON."""

import datetime as dt
import json
import os
from http import HTTPStatus

from patchbay_client import AuthenticatedClient
from patchbay_client.api.alerts import create_alert_rule
from patchbay_client.api.connections import (
    change_source,
    create_connection,
    create_source,
    delete_connection,
    get_source,
    list_connections,
)
from patchbay_client.api.health import add_events, get_health
from patchbay_client.api.registry import create_integration, publish_integration
from patchbay_client.models import (
    ConnectionDown,
    EndpointPatch,
    ErrorEnvelope,
    EventBatch,
    EventDraft,
    EventStatus,
    IntegrationType,
    NewAlertRule,
    NewConnection,
    NewEndpoint,
    NewIntegration,
    Publication,
)

ORGANIZATION, SPACE = os.environ["ORGANIZATION_ID"], os.environ["SPACE_SLUG"]
api = AuthenticatedClient(
    base_url=os.environ["API_URL"],
    token=os.environ["API_KEY"],
    timeout=float(os.environ["PATIENCE"]),
)

made = create_integration.sync(
    client=api,
    body=NewIntegration.from_dict(
        {
            "workspaceId": os.environ["SPACE_ID"],
            "publisher": SPACE,
            "slug": "python",
            "name": "Made by a client",
            "authConfig": {"type": "api_key"},
            "manifest": json.loads(os.environ["MANIFEST"]),
        }
    ),
)
release = publish_integration.sync(made.id, client=api, body=Publication(version="1.0.0"))
body = {
    "name": "s",
    "integration": f"{SPACE}/python",
    "secrets": {"api_key": "one of the provider"},
}
source = create_source.sync(ORGANIZATION, client=api, body=NewEndpoint.from_dict(body))
patch = EndpointPatch.from_dict({"name": "changed", "secrets": {"api_key": "another one"}})
changed = change_source.sync(ORGANIZATION, source.id, client=api, body=patch)
read = get_source.sync(ORGANIZATION, source.id, client=api)
connection = create_connection.sync(
    ORGANIZATION, client=api, body=NewConnection(name="c", source_id=source.id, space=SPACE)
)
event = EventDraft(integration_type=IntegrationType.METADATA_SYNC, status=EventStatus.SUCCESS)
stored = add_events.sync(SPACE, client=api, body=EventBatch(events=[event]))
health = get_health.sync(SPACE, client=api, days=1)
rule = create_alert_rule.sync(
    SPACE,
    client=api,
    body=NewAlertRule(name="down", condition=ConnectionDown(kind="connection_down")),
)
found = list_connections.sync(ORGANIZATION, client=api, space=SPACE, limit=10)
gone = delete_connection.sync_detailed(ORGANIZATION, connection.id, client=api)
last = "1" if source.id.endswith("0") else "0"
missing = get_source.sync(ORGANIZATION, source.id[:-1] + last, client=api)

assert isinstance(source.created_at, dt.datetime)
assert isinstance(release.published_at, dt.datetime)
assert isinstance(health.last_success_at, dt.datetime)
assert isinstance(rule.condition, ConnectionDown)
assert isinstance(missing, ErrorEnvelope)
print(
    json.dumps(
        {
            "secrets_set": source.secrets_set,
            "name": read.name,
            "changed": changed.name,
            "connections": [one.name for one in found.items],
            "accepted": stored.accepted,
            "total_events": health.total_events,
            "condition": rule.condition.kind,
            "deleted": HTTPStatus(gone.status_code).name,
            "missing": missing.error.code,
        }
    )
)
