"""Runs an oauth2_token step: oauthlib writes and reads the messages, the guard has the sockets."""

import json
import re
from typing import Final

from oauthlib.oauth2.rfc6749.errors import MissingTokenError, OAuth2Error
from oauthlib.oauth2.rfc6749.parameters import parse_token_response, prepare_token_request

from patchbay.checks.codes import Code
from patchbay.checks.failures import CheckFailure
from patchbay.checks.kinds.oauth2_token import REFRESH_TOKEN, TokenProbe
from patchbay.checks.probe import Notice, Outcome
from patchbay.checks.refusals import refusal, said_of_grant
from patchbay.egress.guard import EgressGuard
from patchbay.egress.headers import value_problem
from patchbay.egress.http_exchange import HttpBody, HttpResponse, exchange
from patchbay.egress.request import HttpRequest
from patchbay.egress.retry_after import retry_after_seconds
from patchbay.egress.timings import DialTimings
from patchbay.platform.clock import utc_now

# RFC 6749 §5.2, and what its authors left to servers: what each error means for a grant of ours.
_ERRORS: Final[dict[str, tuple[Code, str]]] = {
    "invalid_client": ("auth_invalid", "does not know the client or its secret"),
    "unauthorized_client": ("permission_denied", "does not let this client use this grant"),
    "access_denied": ("permission_denied", "denied the token"),
    "invalid_scope": ("scope_missing", "does not grant the scopes that are asked for"),
    "server_error": ("provider_error", "has a fault"),
    "temporarily_unavailable": ("provider_error", "is not available"),
}
_TEXTS: Final = ("access_token", "refresh_token", "token_type", "scope", "error")
_MAX_TEXT: Final = 8192


async def run_token(
    probe: TokenProbe, guard: EgressGuard, *, deadline: float, timings: DialTimings
) -> Outcome:
    """Raises CheckFailure. The answer is no redirect: credentials go to the token URL only."""
    request = _request(probe)
    async with exchange(guard, request, deadline=deadline, timings=timings) as response:
        body = await response.body(deadline=deadline)
    answer = _answer(body)
    if "error" not in answer and not 200 <= response.status < 300:
        raise _refused(probe, response, body)
    if body.problem and not answer:
        raise body.problem
    try:
        # The error's name alone: a description would end up in the exception's text.
        token = parse_token_response(json.dumps(answer))
    except MissingTokenError as error:
        raise CheckFailure(
            "unexpected_response", "The provider's answer has no access token."
        ) from error
    except OAuth2Error as error:
        raise _named(probe, response, body, answer["error"]) from error
    access_token = str(token["access_token"])
    if value_problem(access_token):
        raise CheckFailure("unexpected_response", "The access token is not one that can be sent.")
    obtained = {
        name: answer[name] for name in ("access_token", "refresh_token") if answer.get(name)
    }
    return Outcome(
        summary="The provider issued an access token.",
        notice=_notice(probe, answer),
        obtained=obtained,
    )


def _request(probe: TokenProbe) -> HttpRequest:
    parameters = dict(probe.parameters)
    body = prepare_token_request(
        probe.grant,
        include_client_id="client_id" in parameters,
        scope=list(probe.scopes) or None,
        **parameters,
    )
    headers = (
        ("Accept", "application/json"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        *probe.headers,
    )
    return HttpRequest("POST", probe.target, headers, credentialed=True, body=body.encode())


def _answer(body: HttpBody) -> dict[str, str]:
    """The known fields of an answer that are texts of a sane length; none of what is no JSON."""
    try:
        document = body.json()
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {
        name: value
        for name in _TEXTS
        if isinstance(value := document.get(name), str) and 0 < len(value) <= _MAX_TEXT
    }


def _named(probe: TokenProbe, response: HttpResponse, body: HttpBody, error: str) -> CheckFailure:
    """The failure that an OAuth error means."""
    if error == "invalid_grant" and probe.grant == "refresh_token":
        code = said_of_grant(body.text())
        what = "was revoked" if code == "auth_revoked" else "is no longer valid"
        return CheckFailure(
            code,
            f"The provider says that the refresh token {what}.",
            field_pointer=REFRESH_TOKEN.pointer,
        )
    if error == "invalid_grant":
        error = "invalid_client"
    if error not in _ERRORS:
        return _refused(probe, response, body)
    code, meaning = _ERRORS[error]
    pointer = probe.client_pointer if code in ("auth_invalid", "permission_denied") else None
    return CheckFailure(code, f"The provider {meaning}.", field_pointer=pointer)


def _refused(probe: TokenProbe, response: HttpResponse, body: HttpBody) -> CheckFailure:
    """The failure that a status means, where no known OAuth error is given."""
    said = refusal(response.status, response.headers, body.data, probe.scopes)
    code: Code = said.code if said else "unexpected_response"
    meaning = said.meaning if said else "no token, and no reason that is known"
    retry_after = None
    if code in ("rate_limited", "provider_error") and "retry-after" in response.headers:
        retry_after = retry_after_seconds(response.headers["retry-after"], utc_now())
    return CheckFailure(
        code,
        f"The provider answered {response.status}: {meaning}.",
        retry_after_seconds=retry_after,
        field_pointer=probe.client_pointer if code == "auth_invalid" else None,
    )


def _notice(probe: TokenProbe, answer: dict[str, str]) -> Notice | None:
    granted = re.split(r"[\s,]+", answer.get("scope", ""))
    missing = [scope for scope in probe.scopes if scope not in granted]
    if "scope" in answer and missing:
        return Notice(
            summary=f"It does not have the scope {', '.join(missing)}.",
            title="The token has fewer scopes than were asked for",
            remediation="Give the client the missing scopes at the provider.",
            code="scope_missing",
            field_pointer=probe.client_pointer,
        )
    new = answer.get("refresh_token")
    if probe.grant == "refresh_token" and new and new != probe.parameters["refresh_token"]:
        return Notice(
            summary="It also gave a new refresh token, which a test does not keep.",
            title="The provider replaces refresh tokens",
            remediation="If the stored one no longer works, connect the account again. The "
            "integration should not test this provider by a refresh.",
        )
    return None
