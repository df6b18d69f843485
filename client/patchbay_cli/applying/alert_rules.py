"""Alert rules of a space, and their channels.

The address of a webhook is a credential, so the folder refers to it, and the deployment shows a
mask whose digits change with it. They are compared by that mask.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from patchbay_cli.applying.deployment import Deployment, Found
from patchbay_cli.applying.differences import ABSENT, Difference, missing
from patchbay_cli.applying.edits import create, edit
from patchbay_cli.applying.folder import CONNECTION, Identity, Wanted
from patchbay_cli.applying.new_secrets import NewSecrets
from patchbay_cli.applying.plan import CREATE, UPDATE, Change, Ids, Plan, Stage, Step, ambiguous
from patchbay_cli.applying.references import value_of, why_not_at_hand
from patchbay_cli.json_files import FileProblem
from patchbay_sdk.model import checked_json

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay
    from patchbay_sdk.models import IssuedAlertRule


def plan_alert_rules(
    plan: Plan,
    wanted: Sequence[Wanted],
    found: Mapping[Identity, list[Found]],
    connections: Mapping[Identity, list[Found]],
    deployment: Deployment,
    ids: Ids,
    in_folder: frozenset[Identity],
    secrets: NewSecrets,
) -> None:
    for rule in wanted:
        problems = list(_connection_problems(rule, connections, in_folder, ids))
        there = found.get(rule.identity, [])
        if len(there) > 1:
            problems.append(("/name", ambiguous(there, "of this space")))
        if problems:
            plan.problems += [rule.problem(at, message) for at, message in problems]
        elif not there:
            plan.missing += _not_at_hand(rule)
            if _webhooks(rule.value):
                plan.missing += secrets.problems(rule, "/channels", "the signing secret")
            do = partial(_create, rule, ids, secrets)
            step = Step(Stage.ALERT_RULES, do)
            plan.changes.append(Change(CREATE, rule.identity, rule, [step]))
        else:
            _plan_edit(plan, rule, there[0], deployment, ids, secrets)


def masked_url(url: str, salt: str) -> str:
    """An address as the deployment shows that of the channel with the id `salt`."""
    parts = urlsplit(url)
    if parts.path in ("", "/") and not parts.query and not parts.fragment:
        return url
    digest = hashlib.sha256(f"{salt} {url}".encode()).hexdigest()[:6]
    return f"{parts.scheme}://{parts.netloc}/****-{digest}"


def _connection_problems(
    rule: Wanted,
    connections: Mapping[Identity, list[Found]],
    in_folder: frozenset[Identity],
    ids: Ids,
) -> Iterator[tuple[str, str]]:
    name = rule.value["condition"].get("connection")
    if name is None:
        return
    identity = Identity(CONNECTION, name, rule.identity.space)
    there = connections.get(identity, [])
    if len(there) > 1:
        yield "/condition/connection", f"is the name of {len(there)} of this space"
    elif there:
        ids.add(identity, there[0].id)
    elif identity not in in_folder:
        yield "/condition/connection", "is the name of no connection of this space"


def _plan_edit(
    plan: Plan, rule: Wanted, found: Found, deployment: Deployment, ids: Ids, secrets: NewSecrets
) -> None:
    lost = _lost(rule, secrets)
    if not lost and not list(_differences(rule, found.value, ids)):
        plan.unchanged.append(rule.identity)
        plan.notes += [f"not compared: {one}" for one in _not_at_hand(rule)]
        return
    space = str(rule.identity.space)
    now = deployment.client.alert_rules.get(slug=space, rule_id=found.id)
    differing = [*_differences(rule, checked_json(now), ids), *lost]
    if any(one.pointer.startswith("/channels") for one in differing):
        plan.missing += _not_at_hand(rule)
        if _webhooks(rule.value):
            plan.missing += secrets.problems(rule, "/channels", "the signing secret")
    do = partial(_edit, rule, found.id, now.etag, ids, secrets)
    plan.changes.append(
        Change(
            UPDATE,
            rule.identity,
            rule,
            [Step(Stage.ALERT_RULES, do)],
            differing,
            last_change=deployment.last_change(found.id),
        )
    )


def _lost(rule: Wanted, secrets: NewSecrets) -> list[Difference]:
    """Signing secrets that a run made which was cut off before it had kept them."""
    if not secrets.is_expected(rule.identity):
        return []
    return [
        Difference(f"/channels/{position}", "a signing secret that is lost", "a new one")
        for position in _webhooks(rule.value)
    ]


def _differences(rule: Wanted, has: Mapping[str, Any], ids: Ids) -> Iterator[Difference]:
    wants = {**rule.value}
    channels = wants.pop("channels", None)
    wants["condition"] = condition = {**wants["condition"]}
    name = condition.pop("connection", None)
    if name is not None:
        identity = Identity(CONNECTION, name, rule.identity.space)
        id = ids.get(identity)
        if id is None or has["condition"].get("connection_id") != id:
            yield Difference("/condition/connection", has["condition"].get("connection_id"), name)
    yield from missing(has, wants)
    if channels is not None:
        yield from _channel_differences(has["channels"], channels)


def _channel_differences(
    has: Sequence[Mapping[str, Any]], wants: Sequence[Mapping[str, Any]]
) -> Iterator[Difference]:
    for position in range(max(len(has), len(wants))):
        one = has[position] if position < len(has) else None
        other = wants[position] if position < len(wants) else None
        at = f"/channels/{position}"
        if one is None or other is None or one["kind"] != other["kind"]:
            shown = ABSENT if one is None else _shown(one)
            yield Difference(at, shown, ABSENT if other is None else _shown(other))
        elif one["kind"] == "sns":
            yield from missing({"topic_arn": one["topic_arn"]}, _shown(other), at)
        elif one["kind"] == "webhook":
            url = os.environ.get(other["url"]["fromEnv"])
            if url and masked_url(url, one["id"]) != one["url"]:
                yield Difference(f"{at}/url", one["url"], other["url"])


def _shown(channel: Mapping[str, Any]) -> dict[str, Any]:
    """A channel without what one deployment alone has."""
    if channel["kind"] == "sns":
        return {"topic_arn": channel["topic_arn"]}
    return {name: value for name, value in channel.items() if name != "id"}


def _webhooks(value: Mapping[str, Any]) -> list[int]:
    """Where in the list of channels they are."""
    channels = value.get("channels", ())
    return [position for position, one in enumerate(channels) if one["kind"] == "webhook"]


def _not_at_hand(rule: Wanted) -> Iterator[FileProblem]:
    for position in _webhooks(rule.value):
        if why := why_not_at_hand(rule.value["channels"][position]["url"]):
            yield rule.problem(f"/channels/{position}/url", why)


def _body(rule: Wanted, ids: Ids) -> dict[str, Any]:
    body = {**rule.value, "condition": {**rule.value["condition"]}}
    name = body["condition"].pop("connection", None)
    if name is not None:
        identity = Identity(CONNECTION, name, rule.identity.space)
        body["condition"]["connection_id"] = ids[identity]
    if "channels" in body:
        body["channels"] = [
            {**channel, "url": value_of(channel["url"])}
            if channel["kind"] == "webhook"
            else channel
            for channel in body["channels"]
        ]
    return body


def _create(rule: Wanted, ids: Ids, secrets: NewSecrets, client: Patchbay) -> None:
    body, space = _body(rule, ids), str(rule.identity.space)
    with secrets.expected(rule.identity):
        made = create(
            lambda key: client.alert_rules.create(slug=space, **body, idempotency_key=key),
            lambda one: client.alert_rules.get(slug=space, rule_id=one.id),
            body,
            rule.identity,
        )
        _keep_secrets(rule, made, secrets)


def _edit(
    rule: Wanted,
    id: str,
    etag: str | None,
    ids: Ids,
    secrets: NewSecrets,
    client: Patchbay,
) -> None:
    space = str(rule.identity.space)
    lost = _lost(rule, secrets)
    has = checked_json(client.alert_rules.get(slug=space, rule_id=id))
    names = {one.pointer.split("/")[1] for one in _differences(rule, has, ids)}
    patch = {name: value for name, value in _body(rule, ids).items() if name in names}
    if "condition" in patch and patch["condition"]["kind"] != has["condition"]["kind"]:
        # One of another kind: what the old one has is not of it.
        gone = dict.fromkeys(has["condition"])
        patch["condition"] = {**gone, **patch["condition"]}
    with secrets.expected(rule.identity):
        if patch:
            changed = edit(
                lambda: client.alert_rules.get(slug=space, rule_id=id),
                lambda if_match: client.alert_rules.update(
                    slug=space, rule_id=id, **patch, if_match=if_match
                ),
                etag,
                lambda now: not list(_differences(rule, checked_json(now), ids)),
            )
            _keep_secrets(rule, changed, secrets)
        if lost:
            _rotate(rule, id, secrets, client)


def _keep_secrets(rule: Wanted, answer: Any, secrets: NewSecrets) -> None:
    """A new webhook has a new signing secret, which is shown once."""
    issued: IssuedAlertRule = answer
    new = checked_json(issued).get("secrets") or {}
    channels = checked_json(issued)["channels"]
    for position, channel in enumerate(channels):
        if channel["id"] in new:
            secrets.keep(rule.identity, new[channel["id"]], f"channel-{position}")


def _rotate(rule: Wanted, id: str, secrets: NewSecrets, client: Patchbay) -> None:
    """Gives each webhook another signing secret. The one before it also signs for a day."""
    space = str(rule.identity.space)
    has = checked_json(client.alert_rules.get(slug=space, rule_id=id))
    for position, channel in enumerate(has["channels"]):
        if channel["kind"] == "webhook":
            issued = client.alert_rules.rotate_webhook_secret(
                slug=space, rule_id=id, channel_id=channel["id"]
            )
            secrets.keep(rule.identity, issued.secret, f"channel-{position}")
