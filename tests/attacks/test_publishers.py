"""A tenant tries to publish under a name that users trust."""

from typing import Any

import pytest

from patchbay.platform.dynamodb import Put, Table
from patchbay.registry.keys import publisher_key
from tests.integration.api import Answer
from tests.integration.conftest import Tenant


def draft(maker: Tenant, publisher: str, workspace: Tenant, slug: str = "payments") -> Answer:
    body: dict[str, Any] = {
        "workspaceId": workspace.space_id,
        "publisher": publisher,
        "slug": slug,
        "name": "Payments",
        "visibility": "public",
    }
    return maker.client.post("/v1/integrations", body)


@pytest.mark.parametrize(
    "publisher",
    [
        "stripe",
        "str1pe",
        "stripes",
        "stripe-inc",
        "stripe-official",
        "stripe-payments",
        "acme-stripe",
        "mystripepay",
        "strripe",
        "git-hub",
    ],
)
def test_a_well_known_name_is_the_operators_to_use(
    tenant: Tenant, operator: Tenant, publisher: str
) -> None:
    refused = draft(tenant, publisher, tenant)
    assert (refused.status, refused.code) == (409, "PUBLISHER_RESERVED")
    assert refused.json["error"]["details"] == {"publisher": publisher}
    assert draft(operator, publisher, operator).status == 201
    # Nor is it a tenant's after the operator has used it
    assert draft(tenant, publisher, tenant).status == 409


@pytest.mark.parametrize(
    "publisher",
    [
        "Stripe",
        "Stripe, Inc.",
        "Stripe™",
        "stripe_official",
        "stripe.com",
        "stripe ",
        "stripe\n",
        "str\u200bipe",  # a space of no width
        "\uff53tripe",  # a letter of full width
        "stripe\u0301",
        "-stripe",
        "stripe-",
        "\u0405\u04cf\u0430\u0441\u043a",  # Slack, all of it Cyrillic
    ],
)
def test_a_well_known_name_is_reserved_in_every_spelling(tenant: Tenant, publisher: str) -> None:
    assert draft(tenant, publisher, tenant).code == "PUBLISHER_RESERVED"


@pytest.mark.parametrize(
    "publisher",
    [
        "str\u0456pe",  # a Cyrillic i
        "\u202eepirts",  # from right to left
        "",
        "!!",
    ],
)
def test_what_no_one_can_read_is_no_publisher(
    tenant: Tenant, operator: Tenant, publisher: str
) -> None:
    for maker in (tenant, operator):
        refused = draft(maker, publisher, maker)
        assert (refused.status, refused.code) == (400, "VALIDATION_ERROR")
        assert refused.json["error"]["details"]["errors"][0]["pointer"] == "/publisher"


def test_the_operator_assigns_a_name_to_its_owner(
    tenant: Tenant, stranger: Tenant, operator: Tenant
) -> None:
    assert draft(operator, "stripe", tenant).status == 201
    assert draft(tenant, "stripe", tenant, "billing").status == 201
    assert draft(stranger, "stripe", stranger).code == "PUBLISHER_RESERVED"
    assert draft(tenant, "str1pe", tenant).code == "PUBLISHER_RESERVED"


def test_who_owned_a_name_before_it_was_reserved_keeps_it(
    tenant: Tenant, stranger: Tenant, integrations_table: Table
) -> None:
    owner = {"organization_id": tenant.organization_id}
    integrations_table.write(Put({**publisher_key("stripe")._asdict(), **owner}))
    assert draft(tenant, "stripe", tenant).status == 201
    assert draft(stranger, "stripe", stranger).code == "PUBLISHER_RESERVED"
