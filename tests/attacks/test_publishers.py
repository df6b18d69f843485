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
        "stripe_official",
        "stripe.com",
        "Stripe, Inc.",
        "\uff53tripe",  # a letter of full width
        "stripe\u0301",
        "str\u0131pe",  # an i without its dot
        "\u0430\u0440\u0440\u04cf\u0435",  # apple, all Cyrillic
        "\ua731\u1d1b\u0280\u026a\u1d18\u1d07",  # small capitals
        "\u0261oogle",  # a script g
        "\u0251pple",  # a Latin alpha
        "\u13da\u13a2\u13a1\u13b7\u13e2\u13ac",  # Cherokee letters look like Latin capitals
        "\ua4e2\ua4d4\ua4e3\ua4f2\ua4d1\ua4f0",  # so do those of Lisu
    ],
)
def test_a_well_known_name_in_other_letters_is_the_operators_too(
    tenant: Tenant, operator: Tenant, publisher: str
) -> None:
    refused = draft(tenant, publisher, tenant)
    assert (refused.status, refused.code) == (409, "PUBLISHER_RESERVED"), refused.text
    assert draft(operator, publisher, operator).status == 201


@pytest.mark.parametrize(
    "publisher",
    [
        "stripe\n",
        "str\u200bipe",  # a space of no width
        "str\u2060ipe",  # a joiner of words
        "str\u00adipe",  # a hyphen that may be there
        "str\u0456pe",  # a Cyrillic i
        "\u202eepirts",  # from right to left
        "",
        "\u3164",  # a letter that is blank
        "str\u3164ipe",
        "\uffa0stripe",
    ],
)
def test_a_name_that_hides_something_is_refused(tenant: Tenant, publisher: str) -> None:
    refused = draft(tenant, publisher, tenant)
    assert refused.status in (400, 409), refused.text
    assert refused.code in ("VALIDATION_ERROR", "PUBLISHER_RESERVED")


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
