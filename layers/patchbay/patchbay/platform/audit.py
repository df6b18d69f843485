"""The audit trail: who changed what, and when.

    audit event   AUDIT#<organization>   EVENT#<audit id>   expires after 400 days

An event is one more `Put` in the transaction of the change that it records: no change is stored
without its event, and no event of a change that was refused. So it needs no condition of its own:
where making a thing is repeated after its reply was lost, the thing's own condition refuses both.
The ids sort by time.

What an event shows of a thing is what answers show of it, field by field: secrets are in no answer.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel, Field

from patchbay.platform.actor import DEPLOYMENT, OPERATOR, current_actor
from patchbay.platform.clock import UtcTime, epoch_seconds, to_text
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import AFTER_ALL, PRESENT, Item, Key, Put, Table, Update
from patchbay.platform.errors import InvalidInput
from patchbay.platform.ids import first_id, new_id
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.masked_url import is_masked, masked_url
from patchbay.platform.model import Model
from patchbay.platform.strict_json import canonical, compact

KEPT_FOR: Final = timedelta(days=400)

MAX_VALUE_BYTES: Final = 1024
"""Of a longer value, such as a manifest, an event holds the size and the SHA-256."""

ERASED_SUBJECT: Final = "erased"
"""The subject in the trail of an organization that was erased."""

_PREFIX: Final = "aud"
_SK: Final = "EVENT#"
_TIMES: Final = frozenset({"updated_at", "updatedAt"})
"""Fields that say no more than the event's own time."""


class Entity(StrEnum):
    """What can be changed."""

    ORGANIZATION = "organization"
    SPACE = "space"
    API_KEY = "api_key"
    INTEGRATION = "integration"
    SOURCE = "source"
    DESTINATION = "destination"
    CONNECTION = "connection"
    DATA_KEY = "data_key"
    ALERT_RULE = "alert_rule"
    ALERT = "alert"
    INSTALL_SESSION = "install_session"
    OAUTH_APPLICATION = "oauth_application"
    GRANT = "grant"
    BROWSER_SESSION = "browser_session"
    SIGN_IN_LINK = "sign_in_link"


class Action(StrEnum):
    """What was done to it."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    RESTORED = "restored"
    PUBLISHED = "published"
    REMARKED = "remarked"
    RESEALED = "resealed"
    MADE_CURRENT = "made_current"
    ACKNOWLEDGED = "acknowledged"
    RESENT = "resent"
    OPENED = "opened"
    TESTED = "tested"
    COMPLETED = "completed"
    REVOKED = "revoked"
    REFUSED = "refused"
    CREDENTIALS_GIVEN = "credentials_given"
    PROXIED = "proxied"
    """The first request of a subject in an hour."""
    ERASED = "erased"
    AUTHORIZED = "authorized"
    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"


class AuditEvent(Model):
    """One change of one thing.

    `before` and `after` hold the fields that differ; `before` is null for what was made, `after`
    for what was deleted. A value of more than 1 KB is replaced by its `sha256` and `bytes`.
    """

    id: str
    organization_id: str
    at: UtcTime
    subject: str
    """An API key's id, `jwt:` with a token's subject, `operator` or `patchbay` itself; `erased` of
    an organization that was erased. Only the operator is shown which of its keys acted in another
    organization."""
    trace_id: str | None
    """Of the request, as in its log lines; null for what no request did."""
    entity: Entity
    entity_id: str
    action: Action
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    secrets_entered: list[str]
    """The names of the secrets that were set or replaced."""


class AuditQuery(ListQuery):
    """`since` is part of the time asked for, `until` is not."""

    entity: Entity | None = None
    entity_id: str | None = Field(default=None, max_length=256)
    subject: str | None = Field(default=None, max_length=256)
    since: UtcTime | None = None
    until: UtcTime | None = None


def audit_pk(organization_id: str) -> str:
    return f"AUDIT#{organization_id}"


def recorded(
    organization_id: str,
    entity: Entity,
    entity_id: str,
    action: Action,
    *,
    before: BaseModel | Mapping[str, Any] | None = None,
    after: BaseModel | Mapping[str, Any] | None = None,
    secrets_entered: Iterable[str] = (),
) -> Put:
    """The event of a change, for the end of the change's transaction.

    Models are shown as answers show them. The end, so that the positions of the other writes stay.
    """
    actor = current_actor()
    old, new = difference(_shown(before), _shown(after))
    return Put(
        {
            "pk": audit_pk(organization_id),
            "sk": _SK + new_id(_PREFIX, actor.at),
            "organization_id": organization_id,
            "at": to_text(actor.at),
            "subject": actor.subject,
            "by_stranger": actor.organization_id not in (None, organization_id),
            "trace_id": actor.trace_id,
            "entity": entity.value,
            "entity_id": entity_id,
            "action": action.value,
            # As text: a JSON number may have decimals.
            "before": None if old is None else compact(old).decode(),
            "after": None if new is None else compact(new).decode(),
            "secrets_entered": sorted(secrets_entered),
            "expires_at": epoch_seconds(actor.at, KEPT_FOR),
        }
    )


def stripped(item: Item) -> Update | None:
    """The write that takes names, values, and subjects from an event of an organization that is
    erased: what was done to which thing, and when, stays. None for one that was stripped."""
    if "stripped" in item:
        return None
    subject = OPERATOR if item.get("by_stranger") else item["subject"]
    return Update(
        Key(item["pk"], item["sk"]),
        values={
            "subject": subject if subject in (OPERATOR, DEPLOYMENT) else ERASED_SUBJECT,
            "by_stranger": False,
            "before": None,
            "after": None,
            "secrets_entered": [],
            "stripped": True,
        },
        condition=PRESENT,
    )


def difference(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The fields of two JSON objects that differ; all of one, where the other is None. Pure.

    Values are compared as JSON, where true is not 1.
    """
    if before is None or after is None:
        return _cut(before), _cut(after)
    differ = {
        name
        for name in {**before, **after}
        if name not in _TIMES and not _same(name, before, after)
    }
    return (
        _cut({name: value for name, value in before.items() if name in differ}),
        _cut({name: value for name, value in after.items() if name in differ}),
    )


def _same(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    if name not in before or name not in after:
        return False
    return canonical(before[name]) == canonical(after[name])


def _cut(fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if fields is None else {name: _brief(value) for name, value in fields.items()}


def _brief(value: Any) -> Any:
    text = canonical(value)
    if len(text) <= MAX_VALUE_BYTES:
        return value
    return {"sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)}


def _shown(thing: BaseModel | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if isinstance(thing, BaseModel):
        shown: dict[str, Any] = thing.model_dump(mode="json", by_alias=True)
        return shown
    return thing


class AuditTrail:
    """The events of organizations, newest first."""

    def __init__(self, table: Table) -> None:
        self._lists = Lists(table, CursorSeal(table))

    def events(
        self, organization_id: str, query: AuditQuery, now: datetime, *, to_operator: bool = False
    ) -> Listing[AuditEvent]:
        """One page. Raises `InvalidInput` for an `until` that is not after `since`."""
        if query.since and query.until and query.until <= query.since:
            raise InvalidInput.at("/query/until", "must be after since")
        wanted = {
            name: getattr(query, name)
            for name in ("entity", "entity_id", "subject")
            if getattr(query, name) is not None
        }

        def shown(item: Item) -> Item:
            hidden = item.get("by_stranger") and not to_operator
            return {**item, "subject": OPERATOR} if hidden else item

        def keep(item: Item) -> bool:
            seen = shown(item)
            return all(seen[name] == value for name, value in wanted.items())

        page = self._lists.page(
            organization_id,
            query,
            now,
            lambda item: read_audit_event(shown(item)),
            pk=audit_pk(organization_id),
            between=(
                _SK + first_id(_PREFIX, query.since) if query.since else _SK,
                _SK + first_id(_PREFIX, query.until) if query.until else _SK + AFTER_ALL,
            ),
            newest_first=True,
            keep=keep if wanted else None,
        )
        # DynamoDB deletes what has expired within some days.
        live = [event for event in page.items if event.at > now - KEPT_FOR]
        return Listing(items=live, next_cursor=page.next_cursor)


def read_audit_event(item: Item) -> AuditEvent:
    documents = {
        name: None if item[name] is None else json.loads(item[name]) for name in ("before", "after")
    }
    for document in filter(None, documents.values()):
        _mask_channels(document)
    return AuditEvent.model_validate({**item, **documents, "id": item["sk"].removeprefix(_SK)})


def _mask_channels(document: dict[str, Any]) -> None:
    """Addresses of webhooks were recorded as they are until answers began to mask them."""
    channels = document.get("channels")
    for channel in channels if isinstance(channels, list) else []:
        if "url" in channel and not is_masked(channel["url"]):
            channel["url"] = masked_url(channel["url"], channel["id"])
