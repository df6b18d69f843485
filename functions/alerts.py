"""Alert rules, alerts and their deliveries."""

from typing import Any

from patchbay.alerts.model import (
    Alert,
    AlertQuery,
    Backtest,
    BacktestRequest,
    Delivery,
    RuleSubject,
)
from patchbay.alerts.rule_model import (
    AlertRule,
    AlertRulePatch,
    IssuedAlertRule,
    IssuedWebhookSecret,
    NewAlertRule,
)
from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.model import Space

deployment = Deployment(at_start=("tenants", "alert_rules", "alerts", "outbox"))
api = HttpApi("Alerts", lambda: deployment)

RULES = "/spaces/<slug>/alert-rules"
ALERTS = "/spaces/<slug>/alerts"


@api.post(RULES, permission=Permission.MANAGE, in_space=True, status=201)
def create_alert_rule(space: Space, body: NewAlertRule, stamp: Stamp) -> Reply[IssuedAlertRule]:
    """Create an alert rule; only this answer has the secrets of its webhooks."""
    rule = deployment.rule_editor.create(space, body, stamp)
    return Reply(rule, rule.revision)


@api.get(RULES, permission=Permission.READ, in_space=True)
def list_alert_rules(space: Space, query: ListQuery) -> Listing[AlertRule]:
    """List the alert rules of a space."""
    return deployment.alert_rules.rules(space, query, utc_now())


@api.post(f"{RULES}/backtest", permission=Permission.READ, in_space=True, failures=(429,))
def backtest_alert_rule(space: Space, body: BacktestRequest) -> Backtest:
    """Find when a rule would have fired over the last days; nothing is stored."""
    return deployment.backtester.run(space, body, utc_now())


@api.get(f"{RULES}/<rule_id>", permission=Permission.READ, in_space=True)
def get_alert_rule(space: Space, rule_id: str) -> Reply[AlertRule]:
    """Read an alert rule, without the secrets of its webhooks."""
    rule = deployment.alert_rules.rule(space.id, rule_id)
    return Reply(rule, rule.revision)


@api.patch(f"{RULES}/<rule_id>", permission=Permission.MANAGE, in_space=True)
def change_alert_rule(
    space: Space, rule_id: str, body: AlertRulePatch, if_match: str | None, stamp: Stamp
) -> Reply[IssuedAlertRule]:
    """Change an alert rule (JSON merge patch); only this answer has the secrets of new webhooks."""
    rule = deployment.rule_editor.change(space, rule_id, body, if_match, stamp)
    return Reply(rule, rule.revision)


@api.delete(f"{RULES}/<rule_id>", permission=Permission.MANAGE, in_space=True, status=204)
def delete_alert_rule(space: Space, rule_id: str, if_match: str | None) -> None:
    """Delete an alert rule; its alerts end without a notification."""
    deployment.alert_rules.delete_rule(space, rule_id, if_match, utc_now())


@api.get(f"{RULES}/<rule_id>/subjects", permission=Permission.READ, in_space=True)
def list_alert_rule_subjects(space: Space, rule_id: str, query: ListQuery) -> Listing[RuleSubject]:
    """List the subjects of an alert rule, with the state of each."""
    return deployment.alerts.subjects(
        space, deployment.alert_rules.rule(space.id, rule_id), query, utc_now()
    )


@api.post(
    f"{RULES}/<rule_id>/channels/<channel_id>/rotate-secret",
    permission=Permission.MANAGE,
    in_space=True,
    failures=(409,),
)
def rotate_webhook_secret(
    space: Space, rule_id: str, channel_id: str, stamp: Stamp
) -> IssuedWebhookSecret:
    """Rotate the secret of a webhook; the previous one also signs for 24 hours."""
    return deployment.rule_editor.rotate_secret(space, rule_id, channel_id, stamp)


@api.get(ALERTS, permission=Permission.READ, in_space=True)
def list_alerts(space: Space, query: AlertQuery) -> Listing[Alert]:
    """List the alerts of a space, newest first."""
    return deployment.alerts.alerts(space, query, utc_now())


@api.get(f"{ALERTS}/<alert_id>", permission=Permission.READ, in_space=True)
def get_alert(space: Space, alert_id: str) -> Alert:
    """Read an alert."""
    return deployment.alerts.alert(space.id, alert_id, utc_now())


@api.post(
    f"{ALERTS}/<alert_id>/acknowledge", permission=Permission.MANAGE, in_space=True, failures=(409,)
)
def acknowledge_alert(caller: Principal, space: Space, alert_id: str) -> Alert:
    """Acknowledge a firing alert; no reminders are sent until it is resolved."""
    return deployment.alerts.acknowledge(
        space, alert_id, caller.subject_in(space.organization_id), utc_now()
    )


@api.get(f"{ALERTS}/<alert_id>/deliveries", permission=Permission.READ, in_space=True)
def list_deliveries(space: Space, alert_id: str, query: ListQuery) -> Listing[Delivery]:
    """List the deliveries of an alert, with every attempt."""
    now = utc_now()
    return deployment.outbox.deliveries(
        space, deployment.alerts.alert(space.id, alert_id, now), query, now
    )


@api.post(
    f"{ALERTS}/<alert_id>/deliveries/<delivery_id>/resend",
    permission=Permission.MANAGE,
    in_space=True,
    status=202,
    failures=(409,),
)
def resend_delivery(space: Space, alert_id: str, delivery_id: str) -> Delivery:
    """Resend a delivery, under the same notification id."""
    return deployment.redelivery.resend(space, alert_id, delivery_id, utc_now())


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
