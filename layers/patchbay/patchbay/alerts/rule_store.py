"""Alert rules in the integrations table, and where the evaluation of all rules stands."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from patchbay.alerts.keys import (
    INDEX,
    INDEX_PK,
    INDEX_SK,
    POSITION,
    RULES,
    rule_count_key,
    rule_index,
    rule_key,
    rules_of_lane_pk,
    space_of,
    space_pk,
)
from patchbay.alerts.quotas import CHANNEL_QUOTA, RULE_QUOTA
from patchbay.alerts.rule_model import MAX_RULES, STORED, AlertRule
from patchbay.alerts.store import AlertStore
from patchbay.connections.keys import key_of_all, secret_key
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import to_text
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    ABSENT,
    AFTER_ALL,
    Delete,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    equals,
    less_or_absent,
)
from patchbay.platform.errors import NotFound, QuotaExceeded
from patchbay.platform.ids import is_id
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.revisions import IfMatch, require_match, serially
from patchbay.platform.strict_json import compact, loads
from patchbay.tenancy.keys import use_of_space
from patchbay.tenancy.model import Space
from patchbay.tenancy.quotas import Count, Counted, Quotas


class EvaluationPosition(NamedTuple):
    """How far an evaluation has come: the lane, and the id of the last space done in it."""

    lane: int
    space_id: str


class RuleStore:
    """The alert rules of spaces."""

    def __init__(self, table: Table, quotas: Quotas) -> None:
        self._table = table
        self._quotas = quotas
        self._alerts = AlertStore(table)
        self._lists = Lists(table, CursorSeal(table))

    def create_rule(
        self, rule: AlertRule, space: Space, sealed: Sequence[Item], secrets_entered: Iterable[str]
    ) -> bool:
        """Returns False if an earlier attempt of the same request has created the rule.

        `sealed` are the items of its secrets, `secrets_entered` the channels that they belong to.

        Raises `QuotaExceeded`, also for the rules of one space, `NotFound` if the space is gone,
        and `TransactionRefused` if the data keys were rotated in the meantime.
        """
        count = Update(
            rule_count_key(space.id),
            add={"rules": 1},
            condition=less_or_absent("rules", MAX_RULES),
        )
        try:
            self._quotas.transact(
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
                    Count(rule.organization_id, RULE_QUOTA, +1),
                    Count(rule.organization_id, CHANNEL_QUOTA, len(rule.channels)),
                ]
            )
        except TransactionRefused as refused:
            if 0 in refused.failed:
                return False
            if 1 in refused.failed:
                raise QuotaExceeded("alert_rules_of_space", MAX_RULES, MAX_RULES) from None
            if 2 in refused.failed:
                raise NotFound("space") from None
            raise
        return True

    def rule(self, space_id: str, rule_id: str) -> AlertRule:
        """Raises `NotFound`."""
        item = self._table.get(rule_key(space_id, rule_id)) if is_id("rul", rule_id) else None
        if item is None or (rule := read_rule(item)).deleting:
            raise NotFound("alert rule")
        return rule

    def rules(self, space: Space, query: ListQuery, now: datetime) -> Listing[AlertRule]:
        return self._lists.page(
            space.organization_id,
            query,
            now,
            read_rule,
            pk=space_pk(space.id),
            prefix=RULES,
            keep=lambda item: not read_rule(item).deleting,
        )

    def rules_of(self, space_id: str) -> list[AlertRule]:
        """All rules of a space, including disabled ones and those that are being deleted."""
        return [read_rule(item) for item in self._table.query_all(space_pk(space_id), prefix=RULES)]

    def replace_rule(
        self,
        old: AlertRule,
        new: AlertRule,
        sealed: Sequence[Item] = (),
        dropped: Iterable[Key] = (),
        secrets_entered: Iterable[str] = (),
    ) -> None:
        """Writes a new revision, puts its new secrets (`sealed`), and deletes `dropped` ones.

        `secrets_entered` are the channels of the new secrets. Raises `QuotaExceeded`, and
        `TransactionRefused` if the rule was changed or the data keys were rotated in the meantime.
        """
        more_channels = len(new.channels) - len(old.channels)
        self._quotas.transact(
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
                Count(old.organization_id, CHANNEL_QUOTA, more_channels),
            ]
        )

    def delete_rule(self, space: Space, rule_id: str, if_match: IfMatch, now: datetime) -> None:
        """Deletes a rule with its states and secrets. Its open alerts end without a notification.

        The rule is marked first. If the rest fails, the next evaluation finishes it. Raises
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
        """Deletes a marked rule and everything that belongs to it. Repeatable."""
        self._alerts.delete_states(space.id, rule.id, now)
        self._unless_done(
            [
                Delete(rule_key(space.id, rule.id), equals("revision", rule.revision)),
                Update(rule_count_key(space.id), add={"rules": -1}),
                use_of_space(space, -1),
                *(Delete(secret_key(rule.organization_id, c.id)) for c in rule.channels),
                Count(rule.organization_id, RULE_QUOTA, -1),
                Count(rule.organization_id, CHANNEL_QUOTA, -len(rule.channels)),
            ]
        )

    def watched_spaces(self, lane: int, after: str = "") -> Iterator[str]:
        """The ids of the spaces of a lane that have rules to evaluate, in order, from `after` on
        (excluded)."""
        last = after
        between = (f"{after}#{AFTER_ALL}" if after else "#", AFTER_ALL)
        for item in self._table.query_all(rules_of_lane_pk(lane), between=between, index=INDEX):
            space_id = space_of(Key(item["pk"], item["sk"]))
            if space_id != last:
                yield (last := space_id)

    def stop_watching(self, rule: AlertRule) -> None:
        """Takes a disabled rule without open alerts out of the index that evaluations read."""
        self._unless_done(
            [
                Update(
                    rule_key(rule.space_id, rule.id),
                    remove=[INDEX_PK, INDEX_SK],
                    condition=equals("revision", rule.revision),
                )
            ]
        )

    def position(self) -> EvaluationPosition | None:
        """Where the last evaluation ran out of time; None if it did not."""
        item = self._table.get(POSITION)
        return EvaluationPosition(item["lane"], item["space_id"]) if item else None

    def keep_position(self, position: EvaluationPosition) -> None:
        self._table.write(Put({**POSITION._asdict(), **position._asdict()}))

    def forget_position(self) -> None:
        self._table.write(Delete(POSITION))

    def _unless_done(self, writes: Sequence[Counted]) -> None:
        """Writes nothing if another process has already changed or deleted the rule."""
        try:
            self._quotas.transact(writes)
        except TransactionRefused:
            return


def _rule_item(rule: AlertRule) -> Item:
    document = rule.model_dump(mode="json", context=STORED) | {
        "watching_since": to_text(rule.watching_since),
        "deleting": rule.deleting,
    }
    return {
        **rule_key(rule.space_id, rule.id)._asdict(),
        # As text: a threshold is a JSON number with decimals.
        "rule": compact(document).decode(),
        "revision": rule.revision,
        **rule_index(rule.space_id, rule.id),
    }


def read_rule(item: Item) -> AlertRule:
    return AlertRule.model_validate({**loads(item["rule"].encode()), "revision": item["revision"]})
