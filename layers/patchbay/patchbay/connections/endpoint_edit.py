"""What a patch makes of an endpoint. Pure: nothing is read, opened, or stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final

from patchbay.connections.endpoint_model import (
    Endpoint,
    EndpointPatch,
    MemberChange,
    OwnershipMode,
)
from patchbay.connections.endpoint_values import (
    changed_parts,
    revealed,
    settled_variables,
    value_problems,
)
from patchbay.connections.installed_members import (
    edited_members,
    members_problems,
    upgraded_members,
)
from patchbay.platform.errors import InvalidConfig, InvalidInput, Problem, SecretReentryRequired
from patchbay.platform.revisions import changes_nothing, merge_patch
from patchbay.platform.strict_json import same
from patchbay.registry.manifest import Manifest
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of

MAX_NAMED_CONNECTIONS = 20
"""Connections of an endpoint that a response names."""

_TOKENS: Final = frozenset({"access_token", "refresh_token"})
"""The secrets that a grant has newer ones of."""


class GrantChange(Enum):
    """What an edit does to the grant of an endpoint, if it has one."""

    NONE = "none"
    CLIENT_ENTERED = "client_entered"
    """Secrets of its client were entered: what failed with the old ones is tried again."""
    TOKEN_ENTERED = "token_entered"  # noqa: S105 - a name
    """An access token was entered, which goes before that of the grant."""
    DROPPED = "dropped"
    """Its tokens were entered or removed, or would be sent elsewhere."""
    REPLACED = "replaced"
    """The account was connected again. The writer of the edit stores the new grant with it, and
    sets `granted_by` of the endpoint."""


@dataclass(frozen=True, slots=True)
class EndpointEdit:
    """An endpoint before and after a patch. It may be stored only if `require_valid` passes."""

    old: Endpoint
    endpoint: Endpoint
    """The endpoint after the patch."""
    release: Release
    problems: list[Problem]
    """What the release refuses; pointers lead into the patch."""
    changed: list[str]
    """The parts of the binding that differ: the secrets would be sent elsewhere."""
    entered: dict[str, str] = field(repr=False)
    """New secrets."""
    kept: list[str]
    """The names of stored secrets that stay."""
    reference_entered: bool
    """Whether the patch gives the reference to the secrets, or removes it."""
    grant: GrantChange = GrantChange.NONE
    members: Sequence[MemberChange] = ()
    """What happens to each member."""
    invalid_connections: Mapping[str, list[Problem]] = field(default_factory=dict)
    """By their ids, the connections whose configurations the new release refuses."""

    @property
    def upgrades(self) -> bool:
        return self.release.version != self.old.version

    @property
    def secrets_to_enter(self) -> list[str]:
        """The secrets that the patch keeps although it changes where they are sent."""
        return self.kept if self.changed else []

    @property
    def reference_to_enter(self) -> bool:
        """Whether the patch keeps the reference although it changes where its secrets are sent."""
        kept = self.endpoint.secret_ref is not None and not self.reference_entered
        return kept and bool(self.changed)

    @property
    def grant_to_renew(self) -> bool:
        """Whether the patch keeps a grant although it changes where its tokens are sent."""
        kept = self.grant not in (GrantChange.DROPPED, GrantChange.REPLACED)
        return kept and self.old.granted_at is not None and bool(self.changed)

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to store. A secret that is entered is stored, even if it may be
        the one that is stored already: nobody learns whether it is."""
        return not self.changes_secrets and changes_nothing(self.old, self.endpoint)

    @property
    def stored(self) -> Endpoint:
        """What is stored when the edit is."""
        return self.old if self.changes_nothing else self.endpoint

    @property
    def changes_secrets(self) -> bool:
        """Whether the stored secrets are written or deleted."""
        is_sealed_alike = same(self.old.binding, self.endpoint.binding)
        if self.grant is GrantChange.DROPPED:
            return True
        return bool(self.entered) or self.kept != self.old.secrets_set or not is_sealed_alike

    @property
    def reseals_kept(self) -> bool:
        """Whether stored secrets are opened, to be sealed again with others or without some."""
        return bool(self.kept) and self.changes_secrets

    def require_valid(self) -> None:
        """Raises `InvalidConfig` and `SecretReentryRequired`."""
        if problems := [*self.problems, *upgrade_problems(self.invalid_connections)]:
            raise InvalidConfig(problems)
        pointers = [f"/secrets/{name}" for name in self.secrets_to_enter]
        if self.reference_to_enter:
            pointers.append("/secret_ref")
        if self.grant_to_renew:
            pointers.append("/grant")
        if pointers:
            raise SecretReentryRequired(pointers, self.changed)


def edited(
    old: Endpoint,
    patch: EndpointPatch,
    before: Mapping[str, Any],
    release: Release,
    now: datetime,
    variables: Mapping[str, Any] | None = None,
    grant: GrantChange = GrantChange.NONE,
) -> EndpointEdit:
    """The edit that a patch comes to, with `release` as the endpoint's release.

    `grant` is what else happens to the grant: what was done to its tokens follows from the patch.

    `before` is the binding of the old endpoint, as `binding_before` has it.
    `variables`, if given, replace the old ones instead of those of the patch. The dependencies stay
    as they were, and no connections are looked at. Raises `InvalidInput` for a null name.
    """
    upgrades = release.version != old.version
    manifest = Manifest.of(release.manifest)
    merged: Mapping[str, Any] = old.variables
    if upgrades or variables is not None or "variables" in patch.model_fields_set:
        given = _merged_variables(old, patch) if variables is None else variables
        merged = settled_variables(given, release)
    entered, kept = revealed(patch.secrets or {}), _kept_secrets(old, patch)
    if grant in (GrantChange.DROPPED, GrantChange.REPLACED):
        kept = [name for name in kept if name not in _TOKENS]
    else:
        grant = _grant_change(old, entered, kept)
    reference_entered = "secret_ref" in patch.model_fields_set
    secret_ref = patch.secret_ref if reference_entered else old.secret_ref
    problems = value_problems(release, merged, entered, kept, secret_ref)
    members = upgraded_members(old.members, manifest.members) if upgrades else old.members
    members, refused = edited_members(members, patch.members or [], manifest.members)
    problems += refused or members_problems(members)
    if old.role not in manifest.roles:
        problems.insert(0, Problem("/version", "does not support this role"))
    binding = dict(before) if problems else recipe_of(release).binding(release.id, merged)
    changed = changed_parts(before, binding)
    if changed and old.granted_at is None and grant is not GrantChange.REPLACED:
        # Its tokens were issued for secrets that are replaced, and are for another place.
        grant = GrantChange.DROPPED
    endpoint = old.model_copy(
        update={
            **_plain_changes(patch),
            "version": release.version,
            "category": manifest.category,
            "variables": dict(merged),
            "secrets_set": sorted([*kept, *entered]),
            "secret_ref": secret_ref,
            "secrets_entered_at": _entered_at(old, secret_ref, kept, entered, now),
            "granted_at": _granted_at(old, grant, now),
            "granted_by": None if grant is GrantChange.DROPPED else old.granted_by,
            "members": members,
            "binding": binding,
            "updated_at": now,
            "revision": old.revision + 1,
        }
    )
    return EndpointEdit(
        old=old,
        endpoint=endpoint,
        release=release,
        problems=problems,
        changed=changed,
        entered=entered,
        kept=kept,
        reference_entered=reference_entered,
        grant=grant,
    )


def upgrade_problems(invalid: Mapping[str, list[Problem]]) -> list[Problem]:
    """Why an upgrade is refused that would make configurations of connections invalid."""
    return [
        Problem(
            "/version",
            f"no longer accepts the configurations of {connection_id}: "
            + "; ".join(f"{p.pointer} {p.message}" for p in problems),
        )
        for connection_id, problems in list(invalid.items())[:MAX_NAMED_CONNECTIONS]
    ]


def _merged_variables(old: Endpoint, patch: EndpointPatch) -> dict[str, Any]:
    reset = "variables" in patch.model_fields_set and patch.variables is None
    return {} if reset else merge_patch(old.variables, patch.variables or {})


def _kept_secrets(old: Endpoint, patch: EndpointPatch) -> list[str]:
    if "secrets" in patch.model_fields_set and patch.secrets is None:
        return []
    return [name for name in old.secrets_set if name not in (patch.secrets or {})]


def _grant_change(old: Endpoint, entered: Mapping[str, str], kept: Sequence[str]) -> GrantChange:
    changed = {*entered, *(name for name in old.secrets_set if name not in kept)}
    if "refresh_token" in changed or (old.granted_at and changed & _TOKENS):
        return GrantChange.DROPPED
    if "access_token" in changed:
        is_renewed = "refresh_token" in kept and "access_token" in entered
        return GrantChange.TOKEN_ENTERED if is_renewed else GrantChange.DROPPED
    return GrantChange.CLIENT_ENTERED if changed else GrantChange.NONE


def _granted_at(old: Endpoint, grant: GrantChange, now: datetime) -> datetime | None:
    if grant is GrantChange.REPLACED:
        return now
    return None if grant is GrantChange.DROPPED else old.granted_at


def _entered_at(
    old: Endpoint,
    secret_ref: str | None,
    kept: Sequence[str],
    entered: Mapping[str, str],
    now: datetime,
) -> datetime | None:
    """When the newest of the secrets, or the reference to them, was entered."""
    if entered or (secret_ref and secret_ref != old.secret_ref):
        return now
    return old.secrets_entered_at if kept or secret_ref else None


def _plain_changes(patch: EndpointPatch) -> dict[str, Any]:
    """The fields that a patch may change as they are; null resets."""
    names = {"name", "environment", "external_account_id", "ownership_mode"}
    changes = {name: getattr(patch, name) for name in names & patch.model_fields_set}
    if "name" in changes and changes["name"] is None:
        raise InvalidInput.at("/name", "is required")
    if "ownership_mode" in changes and changes["ownership_mode"] is None:
        changes["ownership_mode"] = OwnershipMode.MANAGED
    return changes
