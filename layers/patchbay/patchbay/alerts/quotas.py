"""What is counted of an organization's alert rules."""

from collections.abc import Iterator
from typing import Final

from patchbay.alerts.keys import RULES, space_pk
from patchbay.platform.dynamodb import Item, Table
from patchbay.platform.strict_json import loads
from patchbay.tenancy.keys import SPACES, organization_pk
from patchbay.tenancy.quotas import Quota


def _rules(table: Table, organization_id: str) -> Iterator[Item]:
    for space in table.query_all(organization_pk(organization_id), prefix=SPACES):
        yield from table.query_all(space_pk(space["id"]), prefix=RULES)


def _channels(table: Table, organization_id: str) -> int:
    rules = _rules(table, organization_id)
    return sum(len(loads(rule["rule"].encode())["channels"]) for rule in rules)


RULE_QUOTA: Final = Quota("alert_rules", lambda table, owner: sum(1 for _ in _rules(table, owner)))
CHANNEL_QUOTA: Final = Quota("alert_channels", _channels)
