"""Alerts and the states of their subjects in the integrations table.

A transition is one transaction: the state under the generation it was read at, the alert, one
delivery for each channel, and a check that the rule has not changed. Of several evaluations at the
same time, one is written and the others change nothing. So a notification is never lost, and never
made twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from patchbay.alerts.conditions import AlertSubject
from patchbay.alerts.keys import (
    ALERTS,
    STATES,
    alert_key,
    rule_key,
    space_pk,
    state_key,
    states_of,
)
from patchbay.alerts.model import (
    Alert,
    AlertFilter,
    AlertQuery,
    AlertResolution,
    AlertState,
    AlertWords,
    NoticeKind,
    RuleSubject,
)
from patchbay.alerts.outbox import Notification, new_deliveries
from patchbay.alerts.rule_model import AlertRule, Channel
from patchbay.alerts.state_machine import (
    AlertPhase,
    AlertTransition,
    SubjectState,
    TrackedSubject,
)
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import epoch_seconds, from_text, to_text
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    ABSENT,
    MAX_TRANSACTION_ITEMS,
    Check,
    Delete,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
)
from patchbay.platform.errors import Conflict, NotFound
from patchbay.platform.ids import is_id, new_id
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.revisions import serially
from patchbay.tenancy.model import Space

_ALERTS_KEPT: Final = timedelta(days=90)
_STATE_TIMES: Final = ("since", "clear_since", "notified_at")


@dataclass(frozen=True, slots=True)
class FiringAlerts:
    """How many alerts are firing, and some of them."""

    count: int
    alerts: list[Alert]


class AlertStore:
    """The alerts of spaces, and the subjects that rules track."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lists = Lists(table, CursorSeal(table))

    def tracked_subjects(self, space_id: str) -> dict[tuple[str, str], TrackedSubject]:
        """All tracked subjects of a space, by rule id and subject key."""
        found = {}
        for item in self._table.query_all(space_pk(space_id), prefix=STATES):
            _, rule_id, subject = item["sk"].split("#", 2)
            found[rule_id, subject] = read_tracked(item)
        return found

    def firing(self, space_id: str, most: int) -> FiringAlerts:
        """The alerts of a space that are firing, and up to `most` of them, longest first.

        Reads the tracked subjects of the space, as each evaluation does.
        """
        found = [
            one
            for one in self.tracked_subjects(space_id).values()
            if one.state.phase is AlertPhase.FIRING
        ]
        # An id begins with its time.
        ids = sorted(one.alert_id for one in found)[:most]
        items = self._table.get_all(alert_key(space_id, alert_id) for alert_id in ids)
        alerts = [Alert.model_validate(item) for item in items.values()]
        return FiringAlerts(len(found), sorted(alerts, key=lambda alert: alert.id))

    def subjects(
        self, space: Space, rule: AlertRule, query: ListQuery, now: datetime
    ) -> Listing[RuleSubject]:
        """The subjects of a rule that were not ok at least once, with their present states."""
        return self._lists.page(
            space.organization_id,
            query,
            now,
            _rule_subject,
            pk=space_pk(space.id),
            prefix=states_of(rule.id),
        )

    def advance(
        self,
        rule: AlertRule,
        before: TrackedSubject,
        transition: AlertTransition,
        words: AlertWords,
        now: datetime,
        resolution: AlertResolution = AlertResolution.RECOVERED,
    ) -> list[Key]:
        """Writes a transition and returns the keys of its new deliveries.

        Writes and returns nothing if the rule or the state has changed in the meantime.
        """
        opens = transition.state.is_open and not before.state.is_open
        after = TrackedSubject(
            before.subject,
            transition.state,
            before.generation + 1,
            alert_id=new_id("alr", now) if opens else before.alert_id,
            first={} if opens else before.first,
        )
        deliveries: list[Item] = []
        if notice := transition.notice:
            channels: Sequence[Channel] = rule.channels
            if notice is NoticeKind.RESOLVED and before.first is not None:
                channels = [channel for channel in channels if channel.id in before.first]
            message = Notification(rule, after, notice, words, resolution)
            deliveries, after = new_deliveries(message, channels, now)
        alert = list(_alert_writes(rule, before, after, transition, words, now, resolution))
        return self._write(rule, before, after, alert, deliveries)

    def tell(
        self,
        rule: AlertRule,
        before: TrackedSubject,
        channels: Sequence[Channel],
        words: AlertWords,
        now: datetime,
    ) -> list[Key]:
        """Writes the first message of a firing alert to channels that were added since it began.

        Returns the keys of the new deliveries, as `advance`.
        """
        after = replace(before, generation=before.generation + 1)
        message = Notification(rule, after, NoticeKind.FIRING, words)
        deliveries, after = new_deliveries(message, channels, now)
        return self._write(rule, before, after, (), deliveries)

    def _write(
        self,
        rule: AlertRule,
        before: TrackedSubject,
        after: TrackedSubject,
        alert: Sequence[Write],
        deliveries: Sequence[Item],
    ) -> list[Key]:
        unchanged = equals("generation", before.generation) if before.generation else ABSENT
        try:
            self._table.transact(
                [
                    Put(_state_item(rule, after), unchanged),
                    Check(rule_key(rule.space_id, rule.id), equals("revision", rule.revision)),
                    *alert,
                    *(Put(item, ABSENT) for item in deliveries),
                ]
            )
        except TransactionRefused:
            return []
        return [Key(item["pk"], item["sk"]) for item in deliveries]

    def delete_states(self, space_id: str, rule_id: str, now: datetime) -> None:
        """Deletes the states of a rule that is being deleted, and ends its open alerts.

        Nothing else writes these states any more: an evaluation checks that the rule is not marked.
        """
        pk = space_pk(space_id)
        writes: list[Write] = []
        for item in self._table.query_all(pk, prefix=states_of(rule_id)):
            tracked = read_tracked(item)
            writes.append(Delete(Key(pk, item["sk"])))
            if tracked.state.is_open:
                ended = _ended(now, AlertResolution.RULE_DELETED)
                writes.append(Update(alert_key(space_id, tracked.alert_id), values=ended))
            if len(writes) >= MAX_TRANSACTION_ITEMS - 1:
                self._table.transact(writes)
                writes = []
        if writes:
            self._table.transact(writes)

    def alerts(self, space: Space, query: AlertQuery, now: datetime) -> Listing[Alert]:
        """Newest first. An alert is listed for 90 days after it is resolved."""

        def keep(item: Item) -> bool:
            return _is_live(item, now) and _matches(query, item)

        return self._lists.page(
            space.organization_id,
            query,
            now,
            Alert.model_validate,
            pk=space_pk(space.id),
            prefix=ALERTS,
            newest_first=True,
            keep=keep,
        )

    def alert(self, space_id: str, alert_id: str, now: datetime) -> Alert:
        """Raises `NotFound`."""
        item = self._table.get(alert_key(space_id, alert_id)) if is_id("alr", alert_id) else None
        if item is None or not _is_live(item, now):
            raise NotFound("alert")
        return Alert.model_validate(item)

    def acknowledge(self, space: Space, alert_id: str, by: str, now: datetime) -> Alert:
        """Stops the reminders of an alert. Keeps the first acknowledgment if there are several.

        Raises `NotFound`, and `Conflict` if the alert is not firing.
        """

        def attempt() -> Alert:
            alert = self.alert(space.id, alert_id, now)
            if alert.acknowledged_at is not None:
                return alert
            key = state_key(space.id, alert.rule_id, alert.subject)
            item = self._table.get(key)
            tracked = read_tracked(item) if item else None
            if (
                tracked is None
                or tracked.alert_id != alert_id
                or tracked.state.phase is not AlertPhase.FIRING
            ):
                raise Conflict("Only a firing alert can be acknowledged.")
            acknowledged = alert.model_copy(update={"acknowledged_at": now, "acknowledged_by": by})
            self._table.transact(
                [
                    Update(
                        key,
                        values={"acknowledged": True, "generation": tracked.generation + 1},
                        condition=equals("generation", tracked.generation),
                    ),
                    Update(
                        alert_key(space.id, alert_id),
                        values={"acknowledged_at": to_text(now), "acknowledged_by": by},
                    ),
                    recorded(
                        space.organization_id,
                        Entity.ALERT,
                        alert_id,
                        Action.ACKNOWLEDGED,
                        before=alert,
                        after=acknowledged,
                    ),
                ]
            )
            return acknowledged

        return serially(attempt)


def _state_item(rule: AlertRule, tracked: TrackedSubject) -> Item:
    state = tracked.state
    times = {name: getattr(state, name) for name in _STATE_TIMES}
    return {
        **state_key(rule.space_id, rule.id, tracked.subject)._asdict(),
        "phase": state.phase.value,
        **{name: to_text(moment) if moment else None for name, moment in times.items()},
        "reminders": state.reminders,
        "acknowledged": state.acknowledged,
        "generation": tracked.generation,
        "alert_id": tracked.alert_id,
        "first": None if tracked.first is None else dict(tracked.first),
    }


def read_tracked(item: Item) -> TrackedSubject:
    """Reads the item of a state."""
    times = {name: from_text(item[name]) if item[name] else None for name in _STATE_TIMES}
    return TrackedSubject(
        subject=AlertSubject.of_key(item["sk"].split("#", 2)[2]),
        state=SubjectState(
            phase=AlertPhase(item["phase"]),
            reminders=item["reminders"],
            acknowledged=item["acknowledged"],
            **times,
        ),
        generation=item["generation"],
        alert_id=item["alert_id"],
        first=item.get("first"),
    )


def _rule_subject(item: Item) -> RuleSubject:
    tracked = read_tracked(item)
    return RuleSubject(
        subject=tracked.subject,
        state=tracked.state.phase.value,
        since=tracked.state.since,
        alert_id=tracked.alert_id if tracked.state.is_open else None,
    )


def _alert_writes(
    rule: AlertRule,
    before: TrackedSubject,
    after: TrackedSubject,
    transition: AlertTransition,
    words: AlertWords,
    now: datetime,
    resolution: AlertResolution,
) -> Iterator[Write]:
    """What a transition writes to the alert."""
    key = alert_key(rule.space_id, after.alert_id)
    said = {
        "subject": words.subject.model_dump(mode="json"),
        "connection": words.connection.model_dump(mode="json") if words.connection else None,
        "summary": words.summary,
    }
    state, notice = transition.state, transition.notice
    if state.is_open and not before.state.is_open:
        firing = state.phase is AlertPhase.FIRING
        alert = Alert(
            id=after.alert_id,
            rule_id=rule.id,
            rule_name=rule.name,
            severity=rule.severity,
            condition=rule.condition.kind,
            subject=words.subject,
            connection=words.connection,
            state=AlertState.FIRING if firing else AlertState.PENDING,
            summary=words.summary,
            opened_at=now,
            fired_at=now if firing else None,
            last_notified_at=now if firing else None,
        )
        yield Put({**key._asdict(), **alert.model_dump(mode="json")}, ABSENT)
    elif before.state.phase is AlertPhase.PENDING and notice is None:
        yield Delete(key)  # it never fired, so it does not appear in the history
    elif notice is NoticeKind.FIRING:
        fired = {"state": AlertState.FIRING.value, "fired_at": to_text(now)}
        yield Update(key, values=fired | said | {"last_notified_at": to_text(now)})
    elif notice is NoticeKind.REMINDER:
        reminded = {"last_notified_at": to_text(now), "reminders": state.reminders}
        yield Update(key, values=said | reminded)
    elif notice is NoticeKind.RESOLVED:
        yield Update(key, values=_ended(now, resolution) | {"last_notified_at": to_text(now)})


def _ended(now: datetime, resolution: AlertResolution) -> dict[str, Any]:
    return {
        "state": AlertState.RESOLVED.value,
        "resolved_at": to_text(now),
        "resolution": resolution.value,
        "expires_at": epoch_seconds(now, _ALERTS_KEPT),
    }


def _is_live(item: Item, now: datetime) -> bool:
    expires_at: int | None = item.get("expires_at")
    return expires_at is None or expires_at > epoch_seconds(now)


def _matches(query: AlertQuery, item: Item) -> bool:
    if query.rule_id is not None and item["rule_id"] != query.rule_id:
        return False
    match query.state:
        case None:
            return True
        case AlertFilter.ACKNOWLEDGED:
            firing: bool = item["state"] == AlertState.FIRING
            return firing and item.get("acknowledged_at") is not None
        case _:
            same: bool = item["state"] == query.state
            return same
