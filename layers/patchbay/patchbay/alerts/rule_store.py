"""Alert rules in the integrations table.

Each write of a rule counts on the watch of its space, and makes the space due at once.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from patchbay.alerts.keys import RULES, rule_key, space_pk
from patchbay.alerts.quotas import CHANNEL_QUOTA, RULE_QUOTA
from patchbay.alerts.rule_model import MAX_RULES, STORED, AlertRule
from patchbay.alerts.schedule import at_once
from patchbay.alerts.store import AlertStore
from patchbay.alerts.wakes import watch_key
from patchbay.connections.keys import key_of_all, secret_key
from patchbay.connections.wheel import minute_number
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import to_text
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    ABSENT,
    Condition,
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
        try:
            self._quotas.transact(
                [
                    Put(rule_item(rule), ABSENT),
                    _watched(space.id, rule.updated_at, +1, less_or_absent("rules", MAX_RULES)),
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

    def replace_rule(
        self,
        old: AlertRule,
        new: AlertRule,
        now: datetime,
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
                Put(rule_item(new), equals("revision", old.revision)),
                _watched(old.space_id, now),
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
            self.replace_rule(rule, marked, now)
            return marked

        self.finish_deletion(space, serially(attempt), now)

    def finish_deletion(self, space: Space, rule: AlertRule, now: datetime) -> None:
        """Deletes a marked rule and everything that belongs to it. Repeatable."""
        self._alerts.delete_states(space.id, rule.id, now)
        self._unless_done(
            [
                Delete(rule_key(space.id, rule.id), equals("revision", rule.revision)),
                Update(watch_key(space.id), add={"rules": -1, "changes": 1}),
                use_of_space(space, -1),
                *(Delete(secret_key(rule.organization_id, c.id)) for c in rule.channels),
                Count(rule.organization_id, RULE_QUOTA, -1),
                Count(rule.organization_id, CHANNEL_QUOTA, -len(rule.channels)),
            ]
        )

    def _unless_done(self, writes: Sequence[Counted]) -> None:
        """Writes nothing if another process has already changed or deleted the rule."""
        try:
            self._quotas.transact(writes)
        except TransactionRefused:
            return


def rule_item(rule: AlertRule) -> Item:
    document = rule.model_dump(mode="json", context=STORED) | {
        "watching_since": to_text(rule.watching_since),
        "deleting": rule.deleting,
    }
    return {
        **rule_key(rule.space_id, rule.id)._asdict(),
        # As text: a threshold is a JSON number with decimals.
        "rule": compact(document).decode(),
        "revision": rule.revision,
    }


def _watched(
    space_id: str, now: datetime, rules: int = 0, condition: Condition | None = None
) -> Update:
    """Makes a space due at once, because a rule of it was written."""
    return Update(
        watch_key(space_id),
        values={**at_once(space_id).attributes, "woken": minute_number(now)},
        add={"rules": rules, "changes": 1},
        condition=condition,
    )


def read_rule(item: Item) -> AlertRule:
    return AlertRule.model_validate({**loads(item["rule"].encode()), "revision": item["revision"]})
