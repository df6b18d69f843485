"""`patchbay doctor`

It looks at what the API shows to the key. Alarms, parameters of the stack, and IAM are for those
with access to the AWS account: the console, and the dashboard of the deployment, have them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from patchbay_cli.command import command
from patchbay_cli.exits import Exit
from patchbay_cli.output import shown
from patchbay_cli.run import Run

_MOST_SKEW_SECONDS: Final = 60
"""Events may be five minutes ahead of the deployment's clock, and signatures five minutes old."""
_SLOW_MS: Final = 2_000
_FULL: Final = 0.9
_MARKS: Final = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red")}


class Finding(NamedTuple):
    what: str
    status: str
    message: str


@command()
def doctor(run: Run) -> Exit:
    """Look for what is wrong with a deployment, as far as its API shows it.

    Not looked at: the alarms, the parameters, and the roles of the stack, which need access to the
    AWS account.
    """
    worst = Exit.DONE
    for look in (_deployment, _key, _quotas, _platform_faults):
        for one in _findings(run, look):
            _show(run, one)
            if one.status == "problem":
                worst = Exit.FAILED
                if one.what == "deployment":
                    return Exit.PLATFORM
    return worst


def _findings(run: Run, look: Callable[[Run], Iterator[Finding]]) -> Iterator[Finding]:
    from patchbay_sdk.errors import PatchbayError

    try:
        yield from look(run)
    except PatchbayError as error:
        yield Finding(look.__name__.lstrip("_"), "problem", str(error))


def _show(run: Run, one: Finding) -> None:
    mark, color = _MARKS[one.status]
    run.output.result(
        one._asdict(),
        f"{run.output.styled(mark, color)} {one.what.replace('_', ' ')}: {shown(one.message)}",
    )


def _deployment(run: Run) -> Iterator[Finding]:
    """Whether it answers, how fast, and what its clock says."""
    from patchbay_sdk.operation import parsed

    document: dict[str, Any] = parsed(run.client.request("GET", "/openapi.json"))
    info = document.get("info", {})
    yield Finding(
        "deployment", "ok", f"{run.profile.url} is {info.get('title')} {info.get('version')}"
    )
    before = time.monotonic()
    response = run.client.request("GET", "/v1/browser-sessions/ways")
    took = round(1000 * (time.monotonic() - before))
    yield Finding(
        "latency", "warning" if took > _SLOW_MS else "ok", f"{took} ms for a small answer"
    )
    now = datetime.now(timezone.utc)
    date = response.headers.get("date")
    if date is None:
        yield Finding("clock", "warning", "the answer has no Date to compare with")
        return
    skew = (now - parsedate_to_datetime(date)).total_seconds()
    if abs(skew) <= _MOST_SKEW_SECONDS + took / 1000:
        yield Finding("clock", "ok", "this machine and the deployment have the same time")
    else:
        where = "ahead of" if skew > 0 else "behind"
        yield Finding(
            "clock",
            "problem",
            f"this machine is {abs(skew):.0f} s {where} the deployment: events of the future are "
            "refused, and signatures of webhooks seem old",
        )


def _key(run: Run) -> Iterator[Finding]:
    """Whose key it is, and what it may do."""
    caller = run.caller
    where = f", in the space {caller.space.slug} alone" if caller.space else ""
    yield Finding(
        "key",
        "ok",
        f"{caller.subject} of {caller.organization.name} ({caller.organization.id}){where}: "
        f"{', '.join(caller.permissions)}",
    )
    if caller.expires_at is not None:
        yield Finding("key_expiry", "ok", f"until {shown(caller.expires_at)}")


def _quotas(run: Run) -> Iterator[Finding]:
    """What is full, or nearly."""
    quotas = list(run.client.organizations.list_quotas(organization_id=run.organization_id))
    full = [one for one in quotas if one.used is not None and one.used >= _FULL * one.limit]
    for one in full:
        used = one.used or 0
        status = "problem" if used >= one.limit else "warning"
        yield Finding("quotas", status, f"{one.name}: {used} of {one.limit} are used")
    if not full:
        yield Finding("quotas", "ok", f"{len(quotas)} quotas, none above {_FULL:.0%}")


def _platform_faults(run: Run) -> Iterator[Finding]:
    """Tests of the last day that failed because of Patchbay itself."""
    spaces = run.client.health.list_spaces(organization_id=run.organization_id, days=1, limit=100)
    faults = {one.slug: one.platform_faults for one in spaces if one.platform_faults}
    for slug, count in faults.items():
        yield Finding(
            "platform_faults",
            "problem",
            f"{count} tests in the space {slug} failed because of Patchbay in the last day",
        )
    if not faults:
        yield Finding("platform_faults", "ok", "no test failed because of Patchbay in the last day")
