"""Runs an http step: sends it, follows redirects where it may, and judges the answer."""

import json
from datetime import UTC, datetime
from typing import Final

from patchbay.checks.codes import Code
from patchbay.checks.egress import EgressGuard
from patchbay.checks.exchange import Response, exchange
from patchbay.checks.failures import CheckFailure, EgressBlocked
from patchbay.checks.json_pointer import resolve
from patchbay.checks.kinds.http import HttpProbe
from patchbay.checks.probe import Outcome, Phases
from patchbay.checks.redirects import REDIRECTS, after_redirect
from patchbay.checks.request import Request
from patchbay.checks.retry_after import retry_after_seconds

_MEANINGS: Final = {
    401: "the credential was not accepted",
    403: "the credential may not do this",
    408: "the provider gave up waiting",
    429: "too many calls",
}


async def run_http(
    probe: HttpProbe, guard: EgressGuard, *, deadline: float, phases: Phases
) -> Outcome:
    """Raises CheckFailure. `phases` are of the first connection."""
    request = probe.request
    response = await exchange(guard, request, deadline=deadline, phases=phases)
    try:
        for _ in range(probe.redirects):
            if not _is_redirect(probe, response):
                break
            request = _redirected(request, response)
            response = await exchange(guard, request, deadline=deadline)
        if probe.redirects and _is_redirect(probe, response):
            raise EgressBlocked("redirect", f"There were more than {probe.redirects} redirects.")
    except CheckFailure as failure:
        # The first dial was good: what failed is the step, not a gate before it.
        failure.phase = None
        raise
    return Outcome(
        summary=f"Answered {response.status} as expected.",
        account=judge(probe, response, datetime.now(UTC)),
        proves=request.credentialed or not probe.request.credentialed,
    )


def judge(probe: HttpProbe, response: Response, now: datetime) -> str | None:
    """The account that an answer names, if any. Raises CheckFailure when it is not as expected."""
    if response.status not in probe.expect.status:
        raise _unexpected_status(response, now)
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
        raise CheckFailure(
            "unexpected_response", f'The answer\'s value at "{pointer}" is not as expected.'
        )
    account = None if probe.account is None else resolve(document, probe.account)
    if isinstance(account, str | int) and not isinstance(account, bool):
        return str(account)
    return None


def _is_redirect(probe: HttpProbe, response: Response) -> bool:
    return response.status in REDIRECTS and response.status not in probe.expect.status


def _redirected(request: Request, response: Response) -> Request:
    location = response.headers.get("location")
    if location is None:
        raise CheckFailure("unexpected_response", "The provider's redirect leads nowhere.")
    return after_redirect(request, response.status, location)


def _unexpected_status(response: Response, now: datetime) -> CheckFailure:
    status = response.status
    code: Code = "unexpected_response"
    meaning = _MEANINGS.get(status, "not what the step expects")
    if status == 401:
        code = "auth_invalid"
    elif status == 403:
        code = "permission_denied"
    elif status == 429:
        code = "rate_limited"
    elif status == 408 or status >= 500:
        code = "provider_error"
        meaning = _MEANINGS.get(status, "a fault of the provider")
    elif status in REDIRECTS:
        meaning = "a redirect, which this step does not follow"
    retry_after = None
    if code in {"rate_limited", "provider_error"} and "retry-after" in response.headers:
        retry_after = retry_after_seconds(response.headers["retry-after"], now)
    return CheckFailure(
        code, f"The provider answered {status}: {meaning}.", retry_after_seconds=retry_after
    )
