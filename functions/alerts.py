"""Alert rules, alerts and their deliveries."""

from functools import cache
from typing import TYPE_CHECKING, Any

from patchbay.alerts.model import (
    Alert,
    AlertQuery,
    AlertRule,
    AlertRulePatch,
    Backtest,
    BacktestRequest,
    Delivery,
    IssuedAlertRule,
    IssuedWebhookSecret,
    NewAlertRule,
    RuleSubject,
)
from patchbay.alerts.outbox import Outbox, delivery_key
from patchbay.alerts.queue import NotificationQueue
from patchbay.alerts.store import AlertStore
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.idempotency import Idempotency
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery
from patchbay.platform.settings import AlertsSettings
from patchbay.tenancy.access import Permission, Principal, admit
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import TenancyStore

if TYPE_CHECKING:
    from patchbay.alerts.rule_editor import RuleEditor
    from patchbay.health.store import EventStore


@cache
def _settings() -> AlertsSettings:
    return AlertsSettings.from_env()


@cache
def _table() -> Table:
    return Table(_settings().integrations_table)


@cache
def _store() -> AlertStore:
    return AlertStore(_table())


@cache
def _outbox() -> Outbox:
    return Outbox(_table())


@cache
def _rulebook() -> "RuleEditor":
    from patchbay.alerts.channels import WebhookVault, allowed_topics
    from patchbay.alerts.rule_editor import RuleEditor
    from patchbay.connections.vault import Vault
    from patchbay.egress.policy import EgressPolicy

    settings = _settings()
    return RuleEditor(
        _store(),
        WebhookVault(Vault(_table(), settings.vault_key_id)),
        EgressPolicy.parse(settings.egress_allow, settings.own_host_names),
        allowed_topics(settings.alert_topic_arns),
    )


@cache
def _events() -> "EventStore":
    from patchbay.health.store import EventStore

    return EventStore(Table(_settings().events_table), _settings().raw_event_days)


@cache
def _idempotency() -> Idempotency:
    return Idempotency(_table())


api = HttpApi(admit, tag="Alerts", idempotency=_idempotency)

RULES = "/spaces/<slug>/alert-rules"
ALERTS = "/spaces/<slug>/alerts"


def _space(caller: Principal, permission: Permission, slug: str) -> Space:
    return TenancyStore(_table()).space_for(caller, permission, slug)


@api.post(RULES, permission=Permission.MANAGE, status=201)
def create_alert_rule(
    caller: Principal, slug: str, body: NewAlertRule, stamp: Stamp
) -> Reply[IssuedAlertRule]:
    """Create an alert rule; the answer holds its webhooks' secrets, this once."""
    rule = _rulebook().create(_space(caller, Permission.MANAGE, slug), body, stamp)
    return Reply(rule, rule.revision)


@api.get(RULES, permission=Permission.READ)
def list_alert_rules(caller: Principal, slug: str, query: ListQuery) -> Listing[AlertRule]:
    """List the alert rules of a space."""
    return _store().rules(_space(caller, Permission.READ, slug), query, utc_now())


@api.post(f"{RULES}/backtest", permission=Permission.READ)
def backtest_alert_rule(caller: Principal, slug: str, body: BacktestRequest) -> Backtest:
    """Tell when a rule would have fired over the last days; nothing is stored."""
    from patchbay.alerts.backtest import backtest, read_history

    space = _space(caller, Permission.READ, slug)
    _rulebook().require_valid(space, body.rule)
    past = read_history(body.rule, _events(), space.id, utc_now(), body.days)
    return backtest(body.rule, past, body.days)


@api.get(f"{RULES}/<rule_id>", permission=Permission.READ)
def get_alert_rule(caller: Principal, slug: str, rule_id: str) -> Reply[AlertRule]:
    """Read an alert rule, without its webhooks' secrets."""
    rule = _store().rule(_space(caller, Permission.READ, slug).id, rule_id)
    return Reply(rule, rule.revision)


@api.patch(f"{RULES}/<rule_id>", permission=Permission.MANAGE)
def change_alert_rule(
    caller: Principal,
    slug: str,
    rule_id: str,
    body: AlertRulePatch,
    if_match: str | None,
    stamp: Stamp,
) -> Reply[IssuedAlertRule]:
    """Change an alert rule (JSON merge patch); new webhooks get a secret, shown this once."""
    space = _space(caller, Permission.MANAGE, slug)
    rule = _rulebook().change(space, rule_id, body, if_match, stamp)
    return Reply(rule, rule.revision)


@api.delete(f"{RULES}/<rule_id>", permission=Permission.MANAGE, status=204)
def delete_alert_rule(caller: Principal, slug: str, rule_id: str, if_match: str | None) -> None:
    """Delete an alert rule: its alerts end, and nobody is told."""
    space = _space(caller, Permission.MANAGE, slug)
    _store().delete_rule(space, rule_id, if_match, utc_now())


@api.get(f"{RULES}/<rule_id>/subjects", permission=Permission.READ)
def list_alert_rule_subjects(
    caller: Principal, slug: str, rule_id: str, query: ListQuery
) -> Listing[RuleSubject]:
    """List what a rule has judged, with the state of each."""
    space = _space(caller, Permission.READ, slug)
    return _store().subjects(space, _store().rule(space.id, rule_id), query, utc_now())


@api.post(f"{RULES}/<rule_id>/channels/<channel_id>/rotate-secret", permission=Permission.MANAGE)
def rotate_webhook_secret(
    caller: Principal, slug: str, rule_id: str, channel_id: str, stamp: Stamp
) -> IssuedWebhookSecret:
    """Make a webhook a new secret; the one before signs, too, for 24 hours."""
    space = _space(caller, Permission.MANAGE, slug)
    return _rulebook().rotate_secret(space, rule_id, channel_id, stamp)


@api.get(ALERTS, permission=Permission.READ)
def list_alerts(caller: Principal, slug: str, query: AlertQuery) -> Listing[Alert]:
    """List the alerts of a space, newest first."""
    return _store().alerts(_space(caller, Permission.READ, slug), query, utc_now())


@api.get(f"{ALERTS}/<alert_id>", permission=Permission.READ)
def get_alert(caller: Principal, slug: str, alert_id: str) -> Alert:
    """Read an alert."""
    return _store().alert(_space(caller, Permission.READ, slug).id, alert_id, utc_now())


@api.post(f"{ALERTS}/<alert_id>/acknowledge", permission=Permission.MANAGE, failures=(409,))
def acknowledge_alert(caller: Principal, slug: str, alert_id: str) -> Alert:
    """Acknowledge a firing alert: no more reminders until it is resolved."""
    space = _space(caller, Permission.MANAGE, slug)
    return _store().acknowledge(space, alert_id, caller.subject, utc_now())


@api.get(f"{ALERTS}/<alert_id>/deliveries", permission=Permission.READ)
def list_deliveries(
    caller: Principal, slug: str, alert_id: str, query: ListQuery
) -> Listing[Delivery]:
    """List what was sent of an alert, with every attempt."""
    space, now = _space(caller, Permission.READ, slug), utc_now()
    return _outbox().deliveries(space, _store().alert(space.id, alert_id, now), query, now)


@api.post(
    f"{ALERTS}/<alert_id>/deliveries/<delivery_id>/resend",
    permission=Permission.MANAGE,
    status=202,
    failures=(409,),
)
def resend_delivery(caller: Principal, slug: str, alert_id: str, delivery_id: str) -> Delivery:
    """Send a delivery once more, under the same notification id."""
    space, now = _space(caller, Permission.MANAGE, slug), utc_now()
    alert = _store().alert(space.id, alert_id, now)
    delivery = _outbox().resend(space, alert, delivery_id, now)
    NotificationQueue(_settings().notification_queue_url).wake(
        [delivery_key(space.id, alert.id, delivery.id)]
    )
    return delivery


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
