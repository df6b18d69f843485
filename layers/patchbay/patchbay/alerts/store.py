"""Alert rules, the states of their subjects, and alerts, in the integrations table.

    rule         SPACE#<id>   RULE#<rule id>                in monitor_slot under ALERTS#<lane>
    rule count   SPACE#<id>   ALERTING
    state        SPACE#<id>   ALERT#<rule id>#<subject>
    alert        SPACE#<id>   HISTORY#<alert id>            90 days after its end
    position     SYSTEM       ALERTS                        where an evaluation ran out of time

A transition is one transaction: the state under the generation it was read at, the alert, one
delivery for each channel, and a check that the rule is still the one that was evaluated. So of
evaluations at the same time one is right and the others change nothing, and what has to be sent is
never lost nor made twice.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from patchbay.alerts.keys import INDEX, TrackedSubject, lane_of, space_pk
from patchbay.alerts.model import (
    MAX_RULES,
    Alert,
    AlertFilter,
    AlertQuery,
    AlertResolution,
    AlertRule,
    AlertState,
    AlertSubject,
    NoticeKind,
    RuleSubject,
)
from patchbay.alerts.outbox import new_deliveries
from patchbay.alerts.state_machine import AlertPhase, AlertTransition, SubjectState
from patchbay.connections.health_status import HealthStatus
from patchbay.connections.keys import (
    connection_key,
    connections_of_space_pk,
    failing_of_space_pk,
    key_of_all,
    secret_key,
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
    less_or_absent,
)
from patchbay.platform.errors import Conflict, NotFound
from patchbay.platform.ids import is_id, new_id
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.revisions import IfMatch, require_match, serially
from patchbay.platform.strict_json import compact, loads
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import use_of_space

_ALERTS_KEPT: Final = timedelta(days=90)
_POSITION: Final = Key("SYSTEM", "ALERTS")
_AFTER_ALL: Final = "~"
_STATE_TIMES: Final = ("since", "clear_since", "notified_at")


def rule_key(space_id: str, rule_id: str) -> Key:
    return Key(space_pk(space_id), f"RULE#{rule_id}")


def rule_count_key(space_id: str) -> Key:
    return Key(space_pk(space_id), "ALERTING")


def state_key(space_id: str, rule_id: str, subject: AlertSubject) -> Key:
    return Key(space_pk(space_id), f"ALERT#{rule_id}#{subject.key()}")


def alert_key(space_id: str, alert_id: str) -> Key:
    return Key(space_pk(space_id), f"HISTORY#{alert_id}")


@dataclass(frozen=True, slots=True)
class WatchedConnection:
    """What alerts ask of a connection."""

    id: str
    lifecycle: str
    status: HealthStatus
    checked_at: datetime | None


class AlertStore:
    """Rules, states and alerts of spaces."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lists = Lists(table, CursorSeal(table))

    # ------------------------------------------------------------ rules

    def create_rule(
        self, rule: AlertRule, space: Space, sealed: Sequence[Item], secrets_entered: Iterable[str]
    ) -> bool:
        """Whether it was made now: False if the request that this one repeats has made it.

        `secrets_entered` names the channels whose secrets are `sealed`.

        Raises `Conflict` if the space has as many rules as it may have, and `TransactionRefused`
        if the data keys were rotated meanwhile.
        """
        count = Update(
            rule_count_key(space.id),
            add={"rules": 1},
            condition=less_or_absent("rules", MAX_RULES),
        )
        try:
            self._table.transact(
                [
                    Put(_rule_item(rule), ABSENT),
                    count,
                    use_of_space(space, +1),
                    *(Put(item, ABSENT) for item in sealed),
                    *key_of_all(sealed),
                    recorded(
                        rule.organization_id,
                        Entity.ALERT_RULE,
                        rule.id,
                        Action.CREATED,
                        after=rule,
                        secrets_entered=secrets_entered,
                    ),
                ]
            )
        except TransactionRefused as refused:
            if 0 in refused.failed:
                return False
            if 1 in refused.failed:
                raise Conflict(f"A space has at most {MAX_RULES} alert rules.") from None
            if 2 in refused.failed:
                raise NotFound("space") from None
            raise
        return True

    def rule(self, space_id: str, rule_id: str) -> AlertRule:
        """Raises `NotFound`."""
        item = self._table.get(rule_key(space_id, rule_id)) if is_id("rul", rule_id) else None
        if item is None or (rule := _rule(item)).deleting:
            raise NotFound("alert rule")
        return rule

    def rules(self, space: Space, query: ListQuery, now: datetime) -> Listing[AlertRule]:
        return self._lists.page(
            space.organization_id,
            query,
            now,
            _rule,
            pk=space_pk(space.id),
            prefix="RULE#",
            keep=lambda item: not _rule(item).deleting,
        )

    def replace_rule(
        self,
        old: AlertRule,
        new: AlertRule,
        sealed: Sequence[Item] = (),
        dropped: Iterable[Key] = (),
        secrets_entered: Iterable[str] = (),
    ) -> None:
        """Writes a new revision, with its new `sealed` secrets, and without those `dropped`.

        `secrets_entered` names the channels of the new secrets. Raises `TransactionRefused` if
        somebody else came in between, or rotated the data keys.
        """
        self._table.transact(
            [
                Put(_rule_item(new), equals("revision", old.revision)),
                *map(Put, sealed),
                *map(Delete, dropped),
                *key_of_all(sealed),
                recorded(
                    old.organization_id,
                    Entity.ALERT_RULE,
                    old.id,
                    Action.DELETED if new.deleting else Action.CHANGED,
                    before=old,
                    after=None if new.deleting else new,
                    secrets_entered=secrets_entered,
                ),
            ]
        )

    def delete_rule(self, space: Space, rule_id: str, if_match: IfMatch, now: datetime) -> None:
        """With its states and secrets; its alerts end and nobody is told.

        The rule is marked first: should we be cut off, an evaluation finishes it. Raises
        `NotFound`, `PreconditionFailed`.
        """

        def attempt() -> AlertRule:
            rule = self.rule(space.id, rule_id)
            require_match(if_match, rule.revision)
            marked = rule.model_copy(
                update={"deleting": True, "enabled": False, "revision": rule.revision + 1}
            )
            self.replace_rule(rule, marked)
            return marked

        self.finish_deletion(space, serially(attempt), now)

    def finish_deletion(self, space: Space, rule: AlertRule, now: datetime) -> None:
        """Takes away a rule that is marked, and all that belongs to it. Repeatable."""
        pk = space_pk(space.id)
        writes: list[Write] = []
        for item in self._table.query_all(pk, prefix=f"ALERT#{rule.id}#"):
            standing = _standing(item)
            # Nothing can advance it any more: an evaluation checks that the rule is unmarked.
            writes.append(Delete(Key(pk, item["sk"])))
            if standing.state.is_open:
                ended = _ended(now, AlertResolution.RULE_DELETED)
                writes.append(Update(alert_key(space.id, standing.alert_id), values=ended))
            if len(writes) >= MAX_TRANSACTION_ITEMS - 1:
                self._table.transact(writes)
                writes = []
        if writes:
            self._table.transact(writes)
        self._quietly(
            [
                Delete(rule_key(space.id, rule.id), equals("revision", rule.revision)),
                Update(rule_count_key(space.id), add={"rules": -1}),
                use_of_space(space, -1),
                *(Delete(secret_key(rule.organization_id, c.id)) for c in rule.channels),
            ]
        )

    def subjects(
        self, space: Space, rule: AlertRule, query: ListQuery, now: datetime
    ) -> Listing[RuleSubject]:
        """What a rule has judged otherwise than ok, once at least, and its state now."""
        return self._lists.page(
            space.organization_id,
            query,
            now,
            _rule_subject,
            pk=space_pk(space.id),
            prefix=f"ALERT#{rule.id}#",
        )

    def unslot(self, rule: AlertRule) -> None:
        """Takes a disabled rule without open alerts out of the index that evaluations read."""
        self._quietly(
            [
                Update(
                    rule_key(rule.space_id, rule.id),
                    remove=["monitor_slot_pk", "monitor_slot_sk"],
                    condition=equals("revision", rule.revision),
                )
            ]
        )

    # ------------------------------------------------------------ evaluation

    def watched_spaces(self, lane: int, after: str = "") -> Iterator[str]:
        """The ids of the spaces of a lane that have rules to evaluate, in their order."""
        last = after
        between = (f"{after}#{_AFTER_ALL}" if after else "#", _AFTER_ALL)
        for item in self._table.query_all(f"ALERTS#{lane}", between=between, index=INDEX):
            space_id = item["pk"].removeprefix("SPACE#")
            if space_id != last:
                yield (last := space_id)

    def rules_of(self, space_id: str) -> list[AlertRule]:
        """All of them, also disabled ones and those that are being deleted."""
        return [_rule(item) for item in self._table.query_all(space_pk(space_id), prefix="RULE#")]

    def standings(self, space_id: str) -> dict[tuple[str, str], TrackedSubject]:
        """By rule id and subject key."""
        found = {}
        for item in self._table.query_all(space_pk(space_id), prefix="ALERT#"):
            _, rule_id, subject = item["sk"].split("#", 2)
            found[rule_id, subject] = _standing(item)
        return found

    def connections_of(self, space_id: str) -> list[WatchedConnection]:
        """All connections of a space, as the index has them."""
        items = self._table.query_all(
            connections_of_space_pk(space_id),
            index="by_owner",
            attributes=("id", "status", "health", "space_id"),
        )
        return [_connection_health(item) for item in items]

    def failing_connections_of(self, space_id: str) -> list[WatchedConnection]:
        """The connections of a space whose health is failing, as the sparse index has them: none
        cost half a read unit."""
        items = self._table.query_all(failing_of_space_pk(space_id), index="failing")
        found = []
        for item in items:
            connection_id, _, status = item["failing_sk"].partition("#")
            found.append(
                WatchedConnection(connection_id, item["status"], HealthStatus(status), None)
            )
        return found

    def connections_by_id(
        self, organization_id: str, space_id: str, connection_ids: Iterable[str]
    ) -> dict[str, WatchedConnection]:
        """Without those that are not there or in another space."""
        keys = [connection_key(organization_id, connection_id) for connection_id in connection_ids]
        items = self._table.get_all(keys).values()
        return {i["id"]: _connection_health(i) for i in items if i["space_id"] == space_id}

    def connection_of(
        self, organization_id: str, space_id: str, connection_id: str
    ) -> WatchedConnection | None:
        """None for one that is not there or in another space."""
        item = self._table.get(connection_key(organization_id, connection_id))
        if item is None or item["space_id"] != space_id:
            return None
        return _connection_health(item)

    def advance(
        self,
        rule: AlertRule,
        standing: TrackedSubject,
        step: AlertTransition,
        summary: str,
        now: datetime,
        resolution: AlertResolution = AlertResolution.RECOVERED,
    ) -> list[Key]:
        """Writes a transition; the keys of the deliveries that came of it.

        None, and nothing written, if the rule or the state is another meanwhile.
        """
        generation = standing.generation + 1
        opens = step.state.is_open and not standing.state.is_open
        after = TrackedSubject(
            standing.subject,
            step.state,
            generation,
            new_id("alr", now) if opens else standing.alert_id,
            generation if step.notice is NoticeKind.FIRING else standing.fired_generation,
        )
        deliveries: list[Item] = []
        if step.notice is not None:
            deliveries = new_deliveries(
                rule, standing, after, step.notice, summary, now, resolution
            )
        condition = equals("generation", standing.generation) if standing.generation else ABSENT
        try:
            self._table.transact(
                [
                    Put(_state_item(rule, after), condition),
                    Check(rule_key(rule.space_id, rule.id), equals("revision", rule.revision)),
                    *_alert_writes(rule, standing, after, step, summary, now, resolution),
                    *(Put(item, ABSENT) for item in deliveries),
                ]
            )
        except TransactionRefused:
            return []
        return [Key(item["pk"], item["sk"]) for item in deliveries]

    def position(self) -> tuple[int, str]:
        """Where the last evaluation ran out of time: the lane, and the last space done in it."""
        item = self._table.get(_POSITION)
        return (item["lane"], item["space_id"]) if item else (0, "")

    def keep_position(self, lane: int, space_id: str) -> None:
        self._table.write(Put({**_POSITION._asdict(), "lane": lane, "space_id": space_id}))

    def forget_position(self) -> None:
        self._table.write(Delete(_POSITION))

    # ------------------------------------------------------------ alerts

    def alerts(self, space: Space, query: AlertQuery, now: datetime) -> Listing[Alert]:
        """Newest first, ended ones for 90 days after their end."""

        def keep(item: Item) -> bool:
            return _is_live(item, now) and _matches(query, item)

        return self._lists.page(
            space.organization_id,
            query,
            now,
            Alert.model_validate,
            pk=space_pk(space.id),
            prefix="HISTORY#",
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
        """No more reminders of this alert; the first who acknowledges stays on it.

        Raises `NotFound`, and `Conflict` for an alert that does not fire.
        """

        def attempt() -> Alert:
            alert = self.alert(space.id, alert_id, now)
            if alert.acknowledged_at is not None:
                return alert
            key = state_key(space.id, alert.rule_id, alert.subject)
            item = self._table.get(key)
            standing = _standing(item) if item else None
            if (
                standing is None
                or standing.alert_id != alert_id
                or standing.state.phase is not AlertPhase.FIRING
            ):
                raise Conflict("Only an alert that fires can be acknowledged.")
            acknowledged = alert.model_copy(update={"acknowledged_at": now, "acknowledged_by": by})
            self._table.transact(
                [
                    Update(
                        key,
                        values={"acknowledged": True, "generation": standing.generation + 1},
                        condition=equals("generation", standing.generation),
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

    def _quietly(self, writes: Sequence[Write]) -> None:
        """What somebody else has done already is done."""
        try:
            self._table.transact(writes)
        except TransactionRefused:
            return


def _rule_item(rule: AlertRule) -> Item:
    document = rule.model_dump(mode="json") | {
        "watching_since": to_text(rule.watching_since),
        "deleting": rule.deleting,
    }
    return {
        **rule_key(rule.space_id, rule.id)._asdict(),
        # As text: a threshold is a JSON number with decimals.
        "rule": compact(document).decode(),
        "revision": rule.revision,
        "monitor_slot_pk": f"ALERTS#{lane_of(rule.space_id)}",
        "monitor_slot_sk": f"{rule.space_id}#{rule.id}",
    }


def _rule(item: Item) -> AlertRule:
    return AlertRule.model_validate({**loads(item["rule"].encode()), "revision": item["revision"]})


def _state_item(rule: AlertRule, standing: TrackedSubject) -> Item:
    state = standing.state
    times = {name: getattr(state, name) for name in _STATE_TIMES}
    return {
        **state_key(rule.space_id, rule.id, standing.subject)._asdict(),
        "phase": state.phase.value,
        **{name: to_text(moment) if moment else None for name, moment in times.items()},
        "reminders": state.reminders,
        "acknowledged": state.acknowledged,
        "generation": standing.generation,
        "alert_id": standing.alert_id,
        "fired_generation": standing.fired_generation,
    }


def _standing(item: Item) -> TrackedSubject:
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
        fired_generation=item["fired_generation"],
    )


def _rule_subject(item: Item) -> RuleSubject:
    standing = _standing(item)
    return RuleSubject(
        subject=standing.subject,
        state=standing.state.phase.value,
        since=standing.state.since,
        alert_id=standing.alert_id if standing.state.is_open else None,
    )


def _alert_writes(
    rule: AlertRule,
    before: TrackedSubject,
    after: TrackedSubject,
    step: AlertTransition,
    summary: str,
    now: datetime,
    resolution: AlertResolution,
) -> Iterator[Write]:
    """What a transition does to the alert."""
    key = alert_key(rule.space_id, after.alert_id)
    state = step.state
    if state.is_open and not before.state.is_open:
        firing = state.phase is AlertPhase.FIRING
        alert = Alert(
            id=after.alert_id,
            rule_id=rule.id,
            rule_name=rule.name,
            severity=rule.severity,
            condition=rule.condition.kind,
            subject=after.subject,
            state=AlertState.FIRING if firing else AlertState.PENDING,
            summary=summary,
            opened_at=now,
            fired_at=now if firing else None,
            last_notified_at=now if firing else None,
        )
        yield Put({**key._asdict(), **alert.model_dump(mode="json")}, ABSENT)
    elif before.state.phase is AlertPhase.PENDING and step.notice is None:
        yield Delete(key)  # it never fired: there was no alert
    elif step.notice is NoticeKind.FIRING:
        fired = {"state": AlertState.FIRING.value, "fired_at": to_text(now), "summary": summary}
        yield Update(key, values=fired | {"last_notified_at": to_text(now)})
    elif step.notice is NoticeKind.REMINDER:
        yield Update(key, values={"last_notified_at": to_text(now), "reminders": state.reminders})
    elif step.notice is NoticeKind.RESOLVED:
        yield Update(key, values=_ended(now, resolution) | {"last_notified_at": to_text(now)})


def _ended(now: datetime, resolution: AlertResolution) -> dict[str, Any]:
    return {
        "state": AlertState.RESOLVED.value,
        "resolved_at": to_text(now),
        "resolution": resolution.value,
        "expires_at": epoch_seconds(now, _ALERTS_KEPT),
    }


def _connection_health(item: Item) -> WatchedConnection:
    checked_at = item["health"].get("checked_at")
    return WatchedConnection(
        id=item["id"],
        lifecycle=item["status"],
        status=HealthStatus(item["health"]["status"]),
        checked_at=from_text(checked_at) if checked_at else None,
    )


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
