"""The kind `http`: one request, and what its response must look like.

```json
{"name": "whoami", "kind": "http",
 "request": {"method": "GET", "url": "https://{{variables.region}}.api.example.com/v1/me",
             "headers": {"X-Version": "2"}},
 "expect": {"status": [200], "json": {"/ok": true}}, "account": "/account/name"}
```

- `method` is GET (the default) or HEAD. `"safe": true` allows POST (without a body) and OPTIONS:
  the author declares that the call changes nothing.
- The credential of `authConfig` is in every request, unless the step has `"auth": false`. `basic`
  (`{"username": …, "password": …}`, both templates) replaces it.
- `redirects` (0 to 5, default 0) is how many redirects are followed. Otherwise a 3xx fails the
  step, unless `expect.status` has it.
- `account` is a JSON Pointer to the name of the account.

What a 400, 401, or 403 means is read from its `WWW-Authenticate` and its JSON: an expired or
revoked credential and a missing scope have codes of their own.

Passing a step proves access if the request had a credential (or the integration has no
authentication) and only 2xx statuses are expected.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from patchbay.checks.codes import Code
from patchbay.checks.credentials import Credential, basic_value
from patchbay.checks.expectations import (
    DEFAULT_STATUS,
    Expectation,
    read_expectation,
)
from patchbay.checks.failures import CheckFailure
from patchbay.checks.json_pointer import is_pointer, resolve
from patchbay.checks.probe import Compiled, Kind, Outcome
from patchbay.checks.refusals import refusal, refusal_within
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Declarations,
    Parts,
    Placeholder,
    TemplateError,
    UrlTemplate,
    Values,
    fill,
    placeholders_of,
    plain,
    pointer_of,
    split_template,
)
from patchbay.egress.failures import DialFailure, EgressBlocked
from patchbay.egress.headers import name_problem, value_problem
from patchbay.egress.redirects import MAX_REDIRECTS, REDIRECTS, after_redirect
from patchbay.egress.request import HttpRequest
from patchbay.egress.retry_after import retry_after_seconds
from patchbay.egress.timings import DialTimings
from patchbay.egress.url import parse_url
from patchbay.platform.validation import pointer

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.http_exchange import HttpResponse

_METHODS: Final = frozenset({"GET", "HEAD"})
_SAFE_METHODS: Final = _METHODS | {"POST", "OPTIONS"}
_REQUEST_KEYS: Final = frozenset({"method", "url", "headers", "basic", "safe", "redirects"})


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """One request with its expectation, ready to be sent."""

    request: HttpRequest
    redirects: int
    expect: Expectation
    account: str | None
    scopes: tuple[str, ...] = ()
    """The scopes that the integration asks for: the only ones that a failure may name."""

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        # Publishing and compiling need this module too, without an event loop or h11.
        from patchbay.egress.http_exchange import exchange

        request = self.request
        response = await exchange(guard, request, deadline=deadline, timings=timings)
        try:
            for _ in range(self.redirects):
                if not self._is_redirect(response):
                    break
                request = _redirected(request, response)
                response = await exchange(guard, request, deadline=deadline)
            if self.redirects and self._is_redirect(response):
                raise EgressBlocked("redirect", f"There were more than {self.redirects} redirects.")
        except DialFailure as failure:
            # The first dial succeeded: the step failed, not a gate before it.
            raise CheckFailure.after_dial(failure) from failure
        return Outcome(
            summary=f"Answered {response.status} as expected.",
            account=self._judge(response, datetime.now(UTC)),
            proves=request.credentialed or not self.request.credentialed,
        )

    def _judge(self, response: "HttpResponse", now: datetime) -> str | None:
        """The account that the response names, if any.

        Raises CheckFailure if the response is not as expected.
        """
        if response.status not in self.expect.status:
            raise self._unexpected_status(response, now)
        header = self.expect.header_mismatch(response.headers)
        if header:
            raise CheckFailure("unexpected_response", f'The header "{header}" is not as expected.')
        if not self.expect.json and self.account is None:
            return None
        try:
            document = json.loads(response.body)
        except (ValueError, RecursionError) as error:
            if not self.expect.json:
                return None
            raise CheckFailure("unexpected_response", "The answer is not JSON.") from error
        pointer = self.expect.json_mismatch(document)
        if pointer is not None:
            refused = refusal_within(document, self.scopes)
            if refused:
                raise CheckFailure(
                    refused.code, f"The provider answered {response.status}, but {refused.meaning}."
                )
            raise CheckFailure(
                "unexpected_response", f'The answer\'s value at "{pointer}" is not as expected.'
            )
        account = None if self.account is None else resolve(document, self.account)
        if isinstance(account, str | int) and not isinstance(account, bool):
            return str(account)
        return None

    def _is_redirect(self, response: "HttpResponse") -> bool:
        return response.status in REDIRECTS and response.status not in self.expect.status

    def _unexpected_status(self, response: "HttpResponse", now: datetime) -> CheckFailure:
        status, headers = response.status, response.headers
        refused = refusal(status, headers, response.body, self.scopes)
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


@dataclass(frozen=True, slots=True)
class HttpTemplate:
    method: str
    url: UrlTemplate
    headers: tuple[tuple[str, Parts], ...]
    basic: tuple[Parts, Parts] | None
    credential: Credential | None
    needs_credential: bool
    redirects: int
    expect: Expectation
    account: str | None
    scopes: tuple[str, ...]

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.url.placeholders()
        for _, value in self.headers:
            yield from placeholders_of(value)
        for part in self.basic or ():
            yield from placeholders_of(part)
        if self.credential:
            yield self.credential.secret

    def destination(self, values: Values) -> str:
        scheme, host, port = self.url.origin(values)
        user = _user(self.basic[0], values) if self.basic else ""
        return f"{scheme}://{user}@{host}:{port}"

    def compile(self, values: Values) -> Compiled:
        target = parse_url(self.url.fill(values))
        headers = [(name, fill(value, values, "header")) for name, value in self.headers]
        made: tuple[str, ...] = ()
        if self.basic:
            authorization = _basic(self.basic, values)
            headers.append(("Authorization", authorization))
            made = (authorization.removeprefix("Basic "),)
        elif self.credential:
            secret = values.text(self.credential.secret)
            headers.append((self.credential.header, self.credential.header_value(secret)))
        secrets = [p for p in self.placeholders() if p.source == "secrets"]
        return Compiled(
            probe=HttpProbe(
                request=HttpRequest(
                    self.method,
                    target,
                    tuple(headers),
                    credentialed=bool(secrets),
                ),
                redirects=self.redirects,
                expect=self.expect,
                account=self.account,
                scopes=self.scopes,
            ),
            proves_access=(bool(secrets) or not self.needs_credential)
            and self.expect.status <= DEFAULT_STATUS,
            host_pointer=self.url.host.pointer,
            credential_pointer=secrets[-1].pointer if secrets else None,
            secret_values=made,
        )


def read(reader: StepReader) -> HttpTemplate:
    """Raises ManifestProblems."""
    request = reader.step.get("request")
    if not isinstance(request, dict):
        reader.report("/request", "must be an object")
        raise reader.refused()
    reader.require_known(request, _REQUEST_KEYS, "/request")
    auth = reader.step.get("auth", True)
    if not isinstance(auth, bool):
        reader.report("/auth", "must be true or false")
    sent = reader.credential if auth else None
    basic = _read_basic(reader, request.get("basic"))
    taken = _auth_header(basic is not None, sent)
    headers = _read_headers(reader, request.get("headers", {}), taken)
    method = _read_method(reader, request)
    url = reader.attempt("/request/url", lambda: _read_url(request.get("url"), reader.declared))
    redirects = request.get("redirects", 0)
    if type(redirects) is not int or not 0 <= redirects <= MAX_REDIRECTS:
        reader.report("/request/redirects", f"must be an integer from 0 to {MAX_REDIRECTS}")
    account = _read_account(reader)
    expect = read_expectation(reader, "/expect")
    if reader.problems or url is None or expect is None:
        raise reader.refused()
    return HttpTemplate(
        method=method,
        url=url,
        headers=headers,
        basic=basic,
        credential=None if basic else sent,
        needs_credential=reader.credential is not None,
        redirects=redirects,
        expect=expect,
        account=account,
        scopes=reader.declared.scopes,
    )


def _read_account(reader: StepReader) -> str | None:
    account = reader.step.get("account")
    if account is None or (isinstance(account, str) and is_pointer(account)):
        return account
    reader.report("/account", "must be a JSON Pointer")
    return None


def _read_method(reader: StepReader, request: Mapping[str, object]) -> str:
    method, safe = request.get("method", "GET"), request.get("safe", False)
    if not isinstance(safe, bool):
        reader.report("/request/safe", "must be true or false")
    elif not isinstance(method, str) or method not in _SAFE_METHODS:
        reader.report("/request/method", "must be GET or HEAD, or POST or OPTIONS if safe")
    elif method not in _METHODS and not safe:
        reader.report("/request/method", 'must be GET or HEAD unless the request is "safe": true')
    else:
        return method
    return "GET"


def _read_url(text: object, declared: Declarations) -> UrlTemplate:
    if not isinstance(text, str):
        raise TemplateError("must be a string")
    return UrlTemplate.parse(text, declared)


def _read_headers(
    reader: StepReader, headers: object, taken: str | None
) -> tuple[tuple[str, Parts], ...]:
    if not isinstance(headers, dict):
        reader.report("/request/headers", "must be an object")
        return ()
    if len({name.lower() for name in headers}) < len(headers):
        reader.report("/request/headers", "has a header twice")
    read = []
    for name, value in headers.items():
        at = f"/request/headers{pointer([name])}"
        problem = name_problem(name)
        if problem:
            reader.report(at, problem)
        elif name.lower() == taken:
            reader.report(at, "is the header that carries the credential")
        else:
            read.append((name, _read_header_value(reader, at, value)))
    return tuple(read)


def _read_header_value(reader: StepReader, at: str, value: object) -> Parts:
    parts = _read_template(reader, at, value)
    # Any harmless value will do: only the author's own part is judged here.
    sample = "".join(part if isinstance(part, str) else "x" for part in parts)
    problem = value_problem(sample)
    if parts and problem:
        reader.report(at, problem)
    return parts


def _read_basic(reader: StepReader, basic: object) -> tuple[Parts, Parts] | None:
    if basic is None:
        return None
    if not isinstance(basic, dict) or basic.keys() != {"username", "password"}:
        reader.report("/request/basic", "must have a username and a password, nothing else")
        return None
    return (
        _read_template(reader, "/request/basic/username", basic["username"]),
        _read_template(reader, "/request/basic/password", basic["password"]),
    )


def _read_template(reader: StepReader, at: str, text: object) -> Parts:
    def parts() -> Parts:
        if not isinstance(text, str):
            raise TemplateError("must be a string")
        return split_template(text, reader.declared)

    return reader.attempt(at, parts) or ()


def _auth_header(is_basic: bool, credential: Credential | None) -> str | None:
    if is_basic:
        return "authorization"
    return credential.header.lower() if credential else None


def _user(template: Parts, values: Values) -> str:
    """The user of a request; a secret by its name, because a destination has no secrets."""
    return "".join(
        part
        if isinstance(part, str)
        else f"{{{{secrets.{part.name}}}}}"
        if part.source == "secrets"
        else values.text(part)
        for part in template
    )


def _basic(parts: tuple[Parts, Parts], values: Values) -> str:
    username, password = (plain(template, values) for template in parts)
    return basic_value(username, password, pointer=pointer_of(parts[0]) or "/variables")


def _redirected(request: HttpRequest, response: "HttpResponse") -> HttpRequest:
    location = response.headers.get("location")
    if location is None:
        raise CheckFailure("unexpected_response", "The provider's redirect leads nowhere.")
    return after_redirect(request, response.status, location)


KIND: Final = Kind(read, keys=frozenset({"request", "expect", "account", "auth"}))
