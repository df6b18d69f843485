"""`patchbay doctor`

It looks at what the API shows to the key and, with `--stack`, at what the user's own AWS
credentials may read of the stack. Nothing is changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final, TypeVar

import click

from patchbay_cli.command import command
from patchbay_cli.exits import Exit
from patchbay_cli.findings import OK, PROBLEM, UNSEEN, WARNING, Finding
from patchbay_cli.http_dates import date_of
from patchbay_cli.output import shown
from patchbay_cli.profiles import ProfileProblem
from patchbay_cli.run import Run

if TYPE_CHECKING:
    from patchbay_cli.stack import Stack

T = TypeVar("T")
_MOST_SKEW_SECONDS: Final = 60
"""Events may be five minutes ahead of the deployment's clock, and signatures five minutes old."""
_SLOW_MS: Final = 2_000
_FULL: Final = 0.9
_MARKS: Final = {
    OK: ("✓", "green"),
    WARNING: ("!", "yellow"),
    PROBLEM: ("✗", "red"),
    UNSEEN: ("?", "yellow"),
}


@command()
@click.option("--stack", metavar="NAME", help="Look at this CloudFormation stack as well.")
@click.option("--region", metavar="REGION", help="Where the stack is; by default AWS's settings.")
@click.option("--aws-profile", metavar="NAME", help="The AWS credentials; by default AWS's own.")
def doctor(run: Run, stack: str | None, region: str | None, aws_profile: str | None) -> Exit:
    """Look for what is wrong with a deployment, as far as its API shows it.

    With --stack, its parameters, alarms, queues, tables, keys, schedules, functions, and roles are
    looked at, too, with your own AWS credentials. Nothing is changed. What you may not see is said.
    """
    statuses = set()
    for one in _all(run, stack, region, aws_profile):
        _show(run, one)
        statuses.add(one.status)
        if one.what == "deployment" and one.status == PROBLEM and stack is None:
            return Exit.PLATFORM
    return Exit.FAILED if statuses & {PROBLEM, UNSEEN} else Exit.DONE


def _all(
    run: Run, stack: str | None, region: str | None, aws_profile: str | None
) -> Iterator[Finding]:
    try:
        url = run.profile.url
    except ProfileProblem as problem:
        if stack is None:
            raise
        url = None
        yield Finding("deployment", UNSEEN, f"its API was not asked: {problem}")
    else:
        for look in (_deployment, _key, _quotas, _platform_faults):
            yield from _findings(look, run)
    if stack is not None:
        yield from _of_stack(stack, region, aws_profile, url)


def _of_stack(
    name: str, region: str | None, aws_profile: str | None, url: str | None
) -> Iterator[Finding]:
    from patchbay_cli import stack_parameters, stack_roles, stack_state
    from patchbay_cli.aws_account import AwsAccount, Unseen
    from patchbay_cli.stack import Stack

    account = AwsAccount(region=region, profile=aws_profile)
    try:
        stack = Stack.read(account, name)
    except Unseen as unseen:
        yield _unseen("stack", str(unseen))
        return
    if url is not None:
        yield from _address(stack.outputs, stack.parameters, url)
    looks = (
        stack_state.deployment,
        stack_parameters.parameters,
        stack_state.clock,
        stack_state.capacity,
        stack_state.alarms,
        stack_state.queues,
        stack_state.tables,
        stack_state.keys,
        stack_state.schedules,
        stack_state.functions,
        stack_roles.roles,
    )
    for look in looks:
        yield from _seen(look, stack)


def _seen(look: Callable[[Stack], Iterator[Finding]], stack: Stack) -> Iterator[Finding]:
    from patchbay_cli.aws_account import AwsRefused, Unseen

    try:
        yield from look(stack)
    except Unseen as unseen:
        yield _unseen(look.__name__, str(unseen))
    except AwsRefused as refused:
        yield Finding(look.__name__, UNSEEN, f"AWS refused to say: {refused}")


def _unseen(what: str, reason: str) -> Finding:
    return Finding(
        what,
        UNSEEN,
        f"can't be seen: {reason}",
        "what nobody looks at may be wrong",
        "client/doctor.md has the policy that it needs",
    )


def _address(outputs: dict[str, str], parameters: dict[str, str], url: str) -> Iterator[Finding]:
    """Whether the stack is that of the profile."""
    own = [one for one in (outputs.get("ApiUrl"), parameters.get("PublicUrl")) if one]
    if own and url not in own:
        yield Finding(
            "stack",
            WARNING,
            f"the profile calls {url}, and the stack is {' or '.join(own)}",
            "these may be two deployments",
            "choose the profile of this stack, or the stack of this profile",
        )


def _findings(look: Callable[[T], Iterator[Finding]], looked_at: T) -> Iterator[Finding]:
    from patchbay_sdk.errors import PatchbayError

    try:
        yield from look(looked_at)
    except PatchbayError as error:
        yield Finding(look.__name__.lstrip("_"), PROBLEM, str(error))


def _show(run: Run, one: Finding) -> None:
    mark, color = _MARKS[one.status]
    lines = [f"{run.output.styled(mark, color)} {one.what.replace('_', ' ')}: {shown(one.message)}"]
    lines += [f"  {shown(one.why)}"] if one.why else []
    lines += [f"  → {shown(one.fix)}"] if one.fix else []
    run.output.result(one._asdict(), *lines)


def _deployment(run: Run) -> Iterator[Finding]:
    """Whether it answers, how fast, and what its clock says."""
    from patchbay_sdk.errors import UnexpectedAnswer
    from patchbay_sdk.operation import parsed

    document = parsed(run.client.request("GET", "/openapi.json"))
    info = document.get("info") if isinstance(document, dict) else None
    if not isinstance(info, dict):
        raise UnexpectedAnswer("/openapi.json is not an API document: is it Patchbay that answers?")
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
    date = date_of(response.headers.get("date"))
    if date is None:
        yield Finding("clock", "warning", "the answer has no Date to compare with")
        return
    skew = (now - date).total_seconds()
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
