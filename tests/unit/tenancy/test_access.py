"""Permissions, and the authorizer's context."""

import itertools

import pytest

from patchbay.platform.errors import (
    NotFound,
    OutsideOwnSpace,
    PermissionDenied,
    TemporarilyUnavailable,
    Unauthenticated,
)
from patchbay.tenancy.access import OwnSpace, Permission, Principal, authorize
from patchbay.tenancy.authorizer_context import (
    admit,
    outage_context,
    principal_context,
    principal_of,
)

OWN, OTHER = "org_own", "org_other"


def holder(*permissions: Permission) -> Principal:
    return Principal(OWN, "key_1", frozenset(permissions))


@pytest.mark.parametrize(("held", "needed"), list(itertools.product(Permission, Permission)))
def test_a_permission_grants_itself_admin_all_but_use_and_manage_grants_test(
    held: Permission, needed: Permission
) -> None:
    implied = {
        Permission.ADMIN: {*Permission} - {Permission.USE},
        Permission.MANAGE: {Permission.TEST},
    }
    if needed is held or needed in implied.get(held, ()):
        authorize(holder(held), needed, OWN, "space")
    else:
        with pytest.raises(PermissionDenied):
            authorize(holder(held), needed, OWN, "space")


def test_in_another_organization_a_caller_is_the_operator_and_no_more() -> None:
    assert holder(Permission.ADMIN).subject_in(OWN) == "key_1"
    assert holder(Permission.ADMIN).subject_in(OTHER) == "operator"


def test_permissions_are_spelled_as_tokens_and_stored_keys_spell_them() -> None:
    assert {permission.name: permission.value for permission in Permission} == {
        "READ": "platform.integration.read",
        "TEST": "platform.integration.test",
        "MANAGE": "platform.integration.manage",
        "USE": "platform.credential.use",
        "WRITE_EVENTS": "platform.events.write",
        "ADMIN": "platform.admin",
    }


def test_a_refusal_names_the_permission_that_is_missing() -> None:
    with pytest.raises(PermissionDenied) as refused:
        authorize(holder(Permission.READ), Permission.MANAGE, OWN, "space")
    assert refused.value.details == {"permission": "platform.integration.manage"}


def test_without_the_permission_another_tenants_thing_is_a_403_and_not_a_404() -> None:
    with pytest.raises(PermissionDenied):
        authorize(holder(Permission.READ), Permission.MANAGE, OTHER, "space")


def test_nobody_grants_a_permission_they_do_not_hold() -> None:
    granter = holder(Permission.READ, Permission.MANAGE)
    granter.require_all([Permission.READ, Permission.MANAGE])
    granter.require_all([])
    holder(Permission.ADMIN).require_all(Permission)
    with pytest.raises(PermissionDenied) as refused:
        granter.require_all([Permission.READ, Permission.WRITE_EVENTS])
    assert refused.value.details == {"permission": "platform.events.write"}


def test_only_the_operator_finds_another_tenants_things() -> None:
    with pytest.raises(NotFound) as refused:
        authorize(holder(Permission.READ), Permission.READ, OTHER, "space")
    assert refused.value.code == "SPACE_NOT_FOUND"
    authorize(holder(Permission.ADMIN), Permission.READ, OTHER, "space")


def test_a_principal_of_one_space_finds_that_space_and_nothing_of_the_organization() -> None:
    confined = holder(Permission.READ)._replace(space=OwnSpace("uuid", "sandbox"))
    authorize(confined, Permission.READ, OWN, "space", "uuid")
    with pytest.raises(NotFound):
        authorize(confined, Permission.READ, OWN, "space", "other")
    with pytest.raises(NotFound):
        authorize(confined, Permission.READ, OTHER, "space", "uuid")
    with pytest.raises(PermissionDenied):
        authorize(confined, Permission.MANAGE, OWN, "space", "uuid")
    # What is not part of a space is the organization's
    with pytest.raises(OutsideOwnSpace) as refused:
        authorize(confined, Permission.READ, OWN, "organization")
    assert (refused.value.status, refused.value.details) == (403, {"space": "sandbox"})


def test_a_route_is_closed_to_a_principal_of_one_space_unless_it_says_otherwise() -> None:
    confined = holder(Permission.READ)._replace(space=OwnSpace("uuid", "sandbox"))
    context = principal_context(confined)
    assert principal_of(context) == confined
    for organization_id in (OWN, None):
        with pytest.raises(OutsideOwnSpace):
            admit(context, Permission.READ, organization_id)
        assert admit(context, Permission.READ, organization_id, in_space=True) == confined


def test_without_a_principal_nothing_is_allowed() -> None:
    with pytest.raises(Unauthenticated):
        authorize(None, Permission.READ, OWN, "space")
    for context in ({}, {"organization_id": OWN}, {"subject": "key_1", "permissions": "x"}):
        with pytest.raises(Unauthenticated):
            admit(context, Permission.READ, OWN)


def test_a_principal_is_read_from_its_context() -> None:
    principal = holder(Permission.READ, Permission.WRITE_EVENTS)
    assert principal_of(principal_context(principal)) == principal


def test_an_unknown_permission_grants_nothing() -> None:
    context = principal_context(holder(Permission.READ)) | {"permissions": "platform.root *"}
    assert principal_of(context) == holder()


def test_an_outage_of_the_key_store_is_not_a_missing_principal() -> None:
    with pytest.raises(TemporarilyUnavailable):
        admit(outage_context(), Permission.READ, OWN)


def test_admit_checks_the_organization_of_the_path() -> None:
    context = principal_context(holder(Permission.READ))
    assert admit(context, Permission.READ, OWN) == holder(Permission.READ)
    assert admit(context, Permission.READ, None) == holder(Permission.READ)
    with pytest.raises(NotFound):
        admit(context, Permission.READ, OTHER)
