"""Runs an http step: sends it, follows redirects where it may, and judges the answer."""

import json
from datetime import UTC, datetime

from patchbay.checks.codes import Code
from patchbay.checks.failures import CheckFailure
from patchbay.checks.json_pointer import resolve
from patchbay.checks.kinds.http import HttpProbe
from patchbay.checks.probe import Outcome
from patchbay.checks.refusals import refusal, refusal_within
from patchbay.egress.failures import DialFailure, EgressBlocked
from patchbay.egress.guard import EgressGuard
from patchbay.egress.http_exchange import HttpResponse, exchange
from patchbay.egress.redirects import REDIRECTS, after_redirect
from patchbay.egress.request import HttpRequest
from patchbay.egress.retry_after import retry_after_seconds
from patchbay.egress.timings import DialTimings


async def run_http(
    probe: HttpProbe, guard: EgressGuard, *, deadline: float, timings: DialTimings
) -> Outcome:
    """Raises CheckFailure. `timings` are of the first connection."""
    request = probe.request
    response = await exchange(guard, request, deadline=deadline, timings=timings)
    try:
        for _ in range(probe.redirects):
            if not _is_redirect(probe, response):
                break
            request = _redirected(request, response)
            response = await exchange(guard, request, deadline=deadline)
        if probe.redirects and _is_redirect(probe, response):
            raise EgressBlocked("redirect", f"There were more than {probe.redirects} redirects.")
    except DialFailure as failure:
        # The first dial was good: what failed is the step, not a gate before it.
        raise CheckFailure.after_dial(failure) from failure
    return Outcome(
        summary=f"Answered {response.status} as expected.",
        account=judge(probe, response, datetime.now(UTC)),
        proves=request.credentialed or not probe.request.credentialed,
    )


def judge(probe: HttpProbe, response: HttpResponse, now: datetime) -> str | None:
    """The account that an answer names, if any. Raises CheckFailure when it is not as expected."""
    if response.status not in probe.expect.status:
        raise _unexpected_status(probe, response, now)
    header = probe.expect.header_mismatch(response.headers)
    if header:
        raise CheckFailure("unexpected_response", f'The header "{header}" is not as expected.')
    if not probe.expect.json and probe.account is None:
        return None
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        if not probe.expect.json:
            return None
        raise CheckFailure("unexpected_response", "The answer is not JSON.") from error
    pointer = probe.expect.json_mismatch(document)
    if pointer is not None:
        refused = refusal_within(document, probe.scopes)
        if refused:
            raise CheckFailure(
                refused.code, f"The provider answered {response.status}, but {refused.meaning}."
            )
        raise CheckFailure(
            "unexpected_response", f'The answer\'s value at "{pointer}" is not as expected.'
        )
    account = None if probe.account is None else resolve(document, probe.account)
    if isinstance(account, str | int) and not isinstance(account, bool):
        return str(account)
    return None


def _is_redirect(probe: HttpProbe, response: HttpResponse) -> bool:
    return response.status in REDIRECTS and response.status not in probe.expect.status


def _redirected(request: HttpRequest, response: HttpResponse) -> HttpRequest:
    location = response.headers.get("location")
    if location is None:
        raise CheckFailure("unexpected_response", "The provider's redirect leads nowhere.")
    return after_redirect(request, response.status, location)


def _unexpected_status(probe: HttpProbe, response: HttpResponse, now: datetime) -> CheckFailure:
    status, headers = response.status, response.headers
    refused = refusal(status, headers, response.body, probe.scopes)
    code: Code = "unexpected_response"
    meaning = "not what the step expects"
    retry_after = None
    if refused:
        code, meaning = refused.code, refused.meaning
    elif status in REDIRECTS:
        meaning = "a redirect, which this step does not follow"
    if code in {"rate_limited", "provider_error"} and "retry-after" in headers:
        retry_after = retry_after_seconds(headers["retry-after"], now)
    return CheckFailure(
        code, f"The provider answered {status}: {meaning}.", retry_after_seconds=retry_after
    )
