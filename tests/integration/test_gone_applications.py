"""Endpoints whose OAuth application was erased with its owner: they can be edited and deleted.

The count of what uses an application is kept exactly: it goes down with the endpoint, or the
application is not there when the endpoint goes. Nothing in between leaves a count behind.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from patchbay.connections.keys import application_key, connection_key, endpoint_key
from patchbay.platform.dynamodb import Delete, Put, Table, Update, Write
from tests.integration.api import Answer
from tests.integration.authorizing import authorization_server
from tests.integration.conftest import Tenant
from tests.integration.story import create_connection
from tests.integration.test_erase_organizations import grant_to

pytestmark = pytest.mark.enable_socket

type Act = Callable[[Tenant, dict[str, Any]], Answer]


@pytest.fixture
def granted(
    tenant: Tenant,
    stranger: Tenant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dict[str, Any]]:
    """A source that was connected through the application of another organization."""
    with authorization_server(tmp_path, monkeypatch) as served:
        source = grant_to(tenant, served)
        own = application_of(tenant, tenant, source)
        application = Table("IntegrationsTable").get(own)
        assert application
        theirs = application_of(stranger, tenant, source)
        table = Table("IntegrationsTable")
        table.write(Put({**application, **theirs._asdict(), "uses": 1}))
        of_source = endpoint_key(tenant.organization_id, source["id"])
        table.write(Update(of_source, values={"granted_by": stranger.organization_id}))
        yield source


def application_of(owner: Tenant, tenant: Tenant, source: dict[str, Any]) -> Any:
    item = Table("IntegrationsTable").get(endpoint_key(tenant.organization_id, source["id"]))
    assert item
    return application_key(owner.organization_id, item["integration_id"])


def delete(tenant: Tenant, source: dict[str, Any]) -> Answer:
    return tenant.client.delete(f"{tenant.connectors}/sources/{source['id']}")


def disconnect(tenant: Tenant, source: dict[str, Any]) -> Answer:
    return tenant.client.delete(f"{tenant.connectors}/sources/{source['id']}/grant")


def enter_tokens(tenant: Tenant, source: dict[str, Any]) -> Answer:
    """An edit that takes the place of the grant."""
    tokens = {"secrets": {"access_token": "entered"}}
    return tenant.client.patch(f"{tenant.connectors}/sources/{source['id']}", tokens)


def rename(tenant: Tenant, source: dict[str, Any]) -> Answer:
    return tenant.client.patch(f"{tenant.connectors}/sources/{source['id']}", {"name": "New"})


ACTS = [delete, disconnect, enter_tokens, rename]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_it_is_changed_and_deleted_when_its_application_is_gone(
    tenant: Tenant, stranger: Tenant, granted: dict[str, Any], act: Act
) -> None:
    application = application_of(stranger, tenant, granted)
    Table("IntegrationsTable").write(Delete(application))
    answer = act(tenant, granted)
    assert answer.status < 300, answer.text
    # And no count of an application that is not there
    assert Table("IntegrationsTable").get(application) is None


@pytest.mark.parametrize("act", [delete, disconnect, enter_tokens], ids=lambda act: act.__name__)
def test_its_application_is_counted_down_while_it_is_there(
    tenant: Tenant, stranger: Tenant, granted: dict[str, Any], act: Act
) -> None:
    application = application_of(stranger, tenant, granted)
    assert act(tenant, granted).status < 300
    item = Table("IntegrationsTable").get(application)
    assert item
    assert item["uses"] == 0


@pytest.mark.parametrize("act", [delete, disconnect, enter_tokens], ids=lambda act: act.__name__)
@pytest.mark.parametrize("order", ["goes", "goes and comes", "comes"])
def test_no_order_of_events_stops_it_or_spoils_a_count(
    tenant: Tenant,
    stranger: Tenant,
    granted: dict[str, Any],
    act: Act,
    order: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The application goes or comes between any two transactions of the request."""
    table, application = Table("IntegrationsTable"), application_of(stranger, tenant, granted)
    standing = table.get(application)
    assert standing
    if order == "comes":
        table.write(Delete(application))
    changes: list[Write] = {
        "goes": [Delete(application)],
        "goes and comes": [Delete(application), Put(standing)],
        "comes": [Put(standing)],
    }[order]  # type: ignore[assignment]  # of one type each
    transact = Table._transact_once
    pending = list(changes)

    def meanwhile(of: Table, actions: Sequence[Any]) -> bool:
        touches = any(application.pk in str(one) and application.sk in str(one) for one in actions)
        if touches and pending:
            one = pending.pop(0)
            of.write(one)  # type: ignore[arg-type]  # no Check
        return transact(of, actions)

    monkeypatch.setattr(Table, "_transact_once", meanwhile)
    assert act(tenant, granted).status < 300
    assert pending == []
    item = table.get(application)
    if order == "goes":
        assert item is None
    else:
        assert item
        assert item["uses"] == 0


def test_a_connection_goes_with_its_own_source_when_the_application_is_gone(
    tenant: Tenant, stranger: Tenant, granted: dict[str, Any]
) -> None:
    table, connection = Table("IntegrationsTable"), create_connection(tenant, granted)
    own = connection_key(tenant.organization_id, connection["id"])
    table.write(Update(own, values={"owns_source": True}))
    table.write(Delete(application_of(stranger, tenant, granted)))
    path, body = "/integrations/connection/delete/v1.0.0", {"connectionId": connection["id"]}
    assert tenant.client.post(path, body).status == 200
    assert tenant.client.get(f"{tenant.connectors}/sources/{granted['id']}").status == 404
