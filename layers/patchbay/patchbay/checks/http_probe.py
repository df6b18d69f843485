"""Runs an http step: sends it, follows redirects where it may, and judges the answer.

The status is judged first, and the body is read only as far as the step asks for it or a refusal
needs it: what is wrong with a body fails no step that does not ask for it.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final

from patchbay.checks.codes import Code
from patchbay.checks.failures import CheckFailure
from patchbay.checks.json_pointer import resolve
from patchbay.checks.kinds.http import HttpProbe
from patchbay.checks.probe import Notice, Outcome
from patchbay.checks.refusals import refusal, refusal_within
from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard
from patchbay.egress.http_exchange import HttpBody, HttpResponse, exchange
from patchbay.egress.redirects import REDIRECTS, after_redirect
from patchbay.egress.request import HttpRequest
from patchbay.egress.retry_after import retry_after_seconds
from patchbay.egress.timings import DialTimings

REFUSAL_SECONDS: Final = 1.0
"""How long the words of a refusal are waited for: its status is known, and says most of it."""

_WEB_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})


async def run_http(
    probe: HttpProbe, guard: EgressGuard, *, deadline: float, timings: DialTimings
) -> Outcome:
    """Raises CheckFailure, DialFailure. `timings` are of the first connection."""
    request = probe.request
    asked = {request.target}
    async with exchange(guard, request, deadline=deadline, timings=timings) as response:
        if not _is_redirect(probe, response):
            return await _judged(probe, request, response, deadline)
        next_request = _redirected(request, response)
    try:
        for _ in range(probe.redirects):
            request = next_request
            if request.target in asked:
                raise CheckFailure(
                    "redirect_loop", "The provider redirects in a circle.", detail="redirect"
                )
            asked.add(request.target)
            hop = DialTimings()
            async with exchange(guard, request, deadline=deadline, timings=hop) as response:
                timings.note_certificate(hop.certificate_expires_at)
                if not _is_redirect(probe, response):
                    return await _judged(probe, request, response, deadline)
                next_request = _redirected(request, response)
    except DialFailure as failure:
        # The first dial was good: what failed is the step, not a gate before it.
        raise CheckFailure.after_dial(failure) from failure
    raise CheckFailure(
        "redirect_loop",
        f"The provider redirects more than {probe.redirects} times.",
        detail="redirect",
    )


async def _judged(
    probe: HttpProbe, request: HttpRequest, response: HttpResponse, deadline: float
) -> Outcome:
    """Raises CheckFailure when the answer is not as expected."""
    if response.status not in probe.expect.status:
        until = min(deadline, asyncio.get_running_loop().time() + REFUSAL_SECONDS)
        raise _unexpected_status(probe, request, response, await response.body(deadline=until))
    header = probe.expect.header_mismatch(response.headers)
    if header:
        raise CheckFailure("unexpected_response", f'The header "{header}" is not as expected.')
    account = None
    if probe.expect.json or probe.account is not None:
        account = _account(probe, response.status, await response.body(deadline=deadline))
    has_credential = request.credentialed or not probe.request.credentialed
    is_page = request is not probe.request and response.content_type in _WEB_PAGES
    return Outcome(
        summary=f"Answered {response.status} as expected.",
        account=account,
        proves=has_credential and not (is_page and not probe.expect.json),
        notice=_notice(response, has_credential=has_credential, is_page=is_page),
    )


def _account(probe: HttpProbe, status: int, body: HttpBody) -> str | None:
    """The account that an answer names, if any. Raises CheckFailure when it is not as expected."""
    try:
        document = body.json()
    except (ValueError, RecursionError) as error:
        if not probe.expect.json:
            return None
        if body.problem:
            raise CheckFailure.after_dial(body.problem) from error
        raise CheckFailure("unexpected_response", "The answer is not JSON.") from error
    pointer = probe.expect.json_mismatch(document)
    if pointer is not None:
        refused = refusal_within(document, probe.scopes)
        if refused:
            raise CheckFailure(
                refused.code, f"The provider answered {status}, but {refused.meaning}."
            )
        raise CheckFailure(
            "unexpected_response", f'The answer\'s value at "{pointer}" is not as expected.'
        )
    account = None if probe.account is None else resolve(document, probe.account)
    if isinstance(account, str | int) and not isinstance(account, bool):
        return str(account)
    return None


def _notice(response: HttpResponse, *, has_credential: bool, is_page: bool) -> Notice | None:
    if response.quirks:
        return Notice(
            summary=f"The answer is not valid HTTP: {response.quirks[0]}.",
            title="The server's answer is not valid HTTP",
            remediation="The step counts. Stricter clients may fail on this answer: ask the "
            "provider to correct it.",
        )
    if is_page and has_credential:
        return Notice(
            summary="It is a web page behind a redirect, such as one to log in: it proves nothing.",
            title="The address leads to a web page",
            remediation="Check the address: an API answers without a redirect to a page.",
        )
    return None


def _is_redirect(probe: HttpProbe, response: HttpResponse) -> bool:
    return (
        probe.redirects > 0
        and response.status in REDIRECTS
        and response.status not in probe.expect.status
    )


def _redirected(request: HttpRequest, response: HttpResponse) -> HttpRequest:
    location = response.headers.get("location")
    if location is None:
        raise CheckFailure("unexpected_response", "The provider's redirect leads nowhere.")
    try:
        return after_redirect(request, response.status, location)
    except DialFailure as failure:
        raise CheckFailure.after_dial(failure) from failure


def _unexpected_status(
    probe: HttpProbe, request: HttpRequest, response: HttpResponse, body: HttpBody
) -> CheckFailure:
    status, headers = response.status, response.headers
    if probe.request.credentialed and not request.credentialed and status in (401, 403):
        return CheckFailure(
            "config_invalid",
            f"The provider redirects to another origin, {request.target.address}, to which no "
            f"credential is sent; it answered {status}. Use that address.",
            field_pointer=probe.host_pointer,
        )
    refused = refusal(status, headers, body.data, probe.scopes)
    code: Code = "unexpected_response"
    meaning = "not what the step expects"
    retry_after = None
    if refused:
        code, meaning = refused.code, refused.meaning
    elif status in REDIRECTS:
        meaning = "a redirect, which this step does not follow"
    if code in {"rate_limited", "provider_error"} and "retry-after" in headers:
        retry_after = retry_after_seconds(headers["retry-after"], datetime.now(UTC))
    return CheckFailure(
        code, f"The provider answered {status}: {meaning}.", retry_after_seconds=retry_after
    )
