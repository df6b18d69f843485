"""What the files of a folder may have, and which problems a value has."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypedDict

from patchbay_sdk import choices, params

Problem = tuple[str, str]
"""A JSON Pointer, and what is wrong there."""


class Reference(TypedDict):
    """Where a secret is: a file never has its value."""

    fromEnv: str


class ReleaseRemarks(TypedDict, total=False):
    """What its author says about a release."""

    deprecated: str | None
    yanked: str | None


class _DefinitionEntry(TypedDict):
    publisher: str
    slug: str
    name: str


class DefinitionEntry(_DefinitionEntry, total=False):
    """The body of a create of an integration."""

    description: str | None
    iconUrl: str | None
    trustTier: choices.TrustTier
    visibility: choices.Visibility
    retentionTier: choices.RetentionTier | None
    manifest: Mapping[str, Any]
    variablesSchema: Mapping[str, Any]
    authConfig: Mapping[str, Any]


class StatusPageEntry(TypedDict, total=False):
    enabled: bool
    title: str | None
    show_connections: bool


class _ConnectionEntry(TypedDict):
    name: str
    source: str


class ConnectionEntry(_ConnectionEntry, total=False):
    destination: str | None
    configurations: Mapping[str, Any]
    monitor: params.Monitor
    record_uses: bool
    status: choices.Lifecycle


class SuccessRateEntry(params.SuccessRate, total=False):
    connection: str


class StaleEntry(params.Stale, total=False):
    connection: str


class ConnectionDownEntry(params.ConnectionDown, total=False):
    connection: str


class WebhookEntry(TypedDict):
    kind: Literal["webhook"]
    url: Reference


class SnsEntry(TypedDict):
    kind: Literal["sns"]
    topic_arn: str


class EventBridgeEntry(TypedDict):
    kind: Literal["eventbridge"]


class _AlertRuleEntry(TypedDict):
    name: str
    condition: SuccessRateEntry | StaleEntry | ConnectionDownEntry


class AlertRuleEntry(_AlertRuleEntry, total=False):
    enabled: bool
    severity: choices.Severity
    for_seconds: int
    keep_firing_for_seconds: int
    reminder_seconds: int
    channels: Sequence[WebhookEntry | SnsEntry | EventBridgeEntry]


class _SpaceEntry(TypedDict):
    name: str


class SpaceEntry(_SpaceEntry, total=False):
    """A file of `spaces/`."""

    paused: bool
    record_deliveries: bool
    status_page: StatusPageEntry
    connections: Sequence[ConnectionEntry]
    alert_rules: Sequence[AlertRuleEntry]


class _EndpointEntry(TypedDict):
    name: str
    integration: str


class EndpointEntry(_EndpointEntry, total=False):
    version: str
    variables: Mapping[str, Any]
    secrets: Mapping[str, Reference]
    secret_ref: str | None
    environment: str | None
    external_account_id: str | None
    ownership_mode: choices.OwnershipMode


class _ApiKeyEntry(TypedDict):
    name: str
    permissions: Sequence[choices.Permission]


class ApiKeyEntry(_ApiKeyEntry, total=False):
    space: str | None
    expires_at: str | None


class OrganizationEntry(TypedDict, total=False):
    """`organization.json`"""

    workspace: str
    sources: Sequence[EndpointEntry]
    destinations: Sequence[EndpointEntry]
    api_keys: Sequence[ApiKeyEntry]


_NAMES: Mapping[Any, str] = {
    str: "a string",
    bool: "true or false",
    int: "an integer",
    float: "a number",
    type(None): "null",
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INLINE = 'is a secret in the clear: name where it is, as {"fromEnv": "NAME"}'


def problems_of(value: Any, shape: Any, pointer: str = "") -> Iterator[Problem]:
    """What is wrong with a value of JSON. No value is quoted: it may be a secret."""
    origin = typing.get_origin(shape)
    if typing.is_typeddict(shape):
        yield from _object_problems(value, shape, pointer)
    elif origin in (typing.Union, types.UnionType):
        yield from _union_problems(value, typing.get_args(shape), pointer)
    elif origin is Literal:
        if value not in typing.get_args(shape):
            yield pointer, f"must be one of {', '.join(typing.get_args(shape))}"
    elif origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            yield pointer, "must be an object"
            return
        for name, member in value.items():
            yield from problems_of(member, typing.get_args(shape)[1], f"{pointer}/{escaped(name)}")
    elif origin is not None and issubclass(origin, Sequence):
        if not isinstance(value, list):
            yield pointer, "must be a list"
            return
        for position, item in enumerate(value):
            yield from problems_of(item, typing.get_args(shape)[0], f"{pointer}/{position}")
    elif shape in _NAMES and not _is_a(value, shape):
        yield pointer, f"must be {_NAMES[shape]}"


def escaped(name: str) -> str:
    """A name as it is in a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _is_a(value: Any, kind: Any) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _object_problems(value: Any, shape: Any, pointer: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield pointer, _INLINE if shape is Reference else "must be an object"
        return
    members = typing.get_type_hints(shape)
    for name, member in value.items():
        at = f"{pointer}/{escaped(name)}"
        if name not in members:
            yield at, f"is not known here: {', '.join(members)} are"
        else:
            yield from problems_of(member, members[name], at)
    for name in sorted(shape.__required_keys__ - value.keys()):
        yield f"{pointer}/{name}", "is missing"
    variable = value.get("fromEnv")
    if shape is Reference and isinstance(variable, str) and not _VARIABLE.fullmatch(variable):
        yield f"{pointer}/fromEnv", "must be the name of an environment variable, and not a value"


def _union_problems(value: Any, shapes: Sequence[Any], pointer: str) -> Iterator[Problem]:
    if all(map(typing.is_typeddict, shapes)):
        # Which of them it is, its `kind` says.
        by_kind = {
            typing.get_args(typing.get_type_hints(shape)["kind"])[0]: shape for shape in shapes
        }
        kind = value.get("kind") if isinstance(value, dict) else None
        if isinstance(kind, str) and kind in by_kind:
            yield from _object_problems(value, by_kind[kind], pointer)
        else:
            yield f"{pointer}/kind", f"must be one of {', '.join(by_kind)}"
        return
    if value is None and type(None) in shapes:
        return
    found = [
        list(problems_of(value, shape, pointer)) for shape in shapes if shape is not type(None)
    ]
    if all(found):
        yield from found[0]
