"""The kind `http`: one request, and what its response must look like.

```json
{"name": "whoami", "kind": "http",
 "request": {"method": "GET", "url": "https://{{variables.region}}.api.example.com/v1/me",
             "headers": {"X-Version": "2"}},
 "expect": {"status": [200], "json": {"/ok": true}}, "account": "/account/name"}
```

- `method` is GET (the default) or HEAD; with `"safe": true`, by which the author says that the
  call changes nothing at the provider, also POST and OPTIONS.
- `body` is sent by POST: JSON, a form, GraphQL, XML, or text (`request_bodies`).
- The credential of `authConfig` is in every request, unless the step says `"auth": false`. `basic`
  (`{"username": …, "password": …}`, both templates) takes its place.
- `redirects` (0 to 5, default 0) is how many redirects are followed; a 3xx that `expect.status`
  does not name is otherwise no success.
- `authorities`, `clientCertificate`, and `clientKey` say how https is secured (`tls_members`).
- `obtain` takes secrets out of the answer, by JSON Pointer, for the steps after it.
- `account` is a JSON Pointer to whose account this is.

- `meaning` says what a status means here, as `status_meanings` reads it.

`refusals` judges an answer that is not as expected, by its headers and its body.

Passing a step proves access if the request had a credential (or the integration has no
authentication) and only 2xx statuses and those that prove access are expected.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from patchbay.checks.contradictions import extraction_problem
from patchbay.checks.credentials import Credential, basic_value
from patchbay.checks.expectations import (
    BODILESS,
    DEFAULT_STATUS,
    Expectation,
    read_expectation,
)
from patchbay.checks.failures import CheckFailure
from patchbay.checks.json_pointer import is_pointer, resolve
from patchbay.checks.matchers import Matcher
from patchbay.checks.obtained_secrets import SECRET, ObtainedSecret, read_obtain
from patchbay.checks.probe import Compiled, Kind, Notice, Outcome, StepTemplate
from patchbay.checks.request_bodies import BodyTemplate, read_body
from patchbay.checks.request_context import RequestContext
from patchbay.checks.request_fields import (
    RequestField,
    filled,
    pointer_of_fields,
    read_headers,
    read_query,
    read_template,
    report_too_long,
    variable_pointer,
)
from patchbay.checks.status_meanings import StatusMeanings, read_meanings
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Declarations,
    Parts,
    Placeholder,
    TemplateError,
    UrlTemplate,
    Values,
    last_pointer,
    placeholders_of,
    plain,
    pointer_of,
)
from patchbay.checks.tls_members import TLS_KEYS, TlsMembers
from patchbay.egress.cookies import CookieJar
from patchbay.egress.failures import DialFailure, EgressBlocked
from patchbay.egress.redirects import MAX_REDIRECTS, REDIRECTS, after_redirect
from patchbay.egress.redirects import resolve as resolve_reference
from patchbay.egress.request import HttpRequest
from patchbay.egress.timings import DialTimings
from patchbay.egress.url import parse_url
from patchbay.platform.clock import utc_now
from patchbay.platform.sentences import Sentence
from patchbay.platform.validation import pointer as pointer_to

if TYPE_CHECKING:
    from patchbay.checks.refusals import Answer
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.http_exchange import HttpBody, HttpResponse

_WEB_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_LOGIN_PATH: Final = re.compile(
    r"[/_.-](?:log[_-]?(?:in|on)|sign[_-]?(?:in|on)|sso|saml2?|authorize)(?:[/_.-]|$)"
)
ACCOUNT: Final = Matcher({"anyOf": [{"type": "string"}, {"type": "integer"}]})
"""What an account may be in an answer."""
_METHODS: Final = frozenset({"GET", "HEAD"})
_SAFE_METHODS: Final = _METHODS | {"POST", "OPTIONS"}
_REQUEST_KEYS: Final = frozenset(
    {"method", "url", "headers", "basic", "body", "safe", "redirects", "query", "cookies"}
)


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """One request with its expectation, ready to be sent."""

    request: HttpRequest
    redirects: int
    expect: Expectation
    account: str | None
    context: RequestContext = field(default_factory=RequestContext)
    meanings: StatusMeanings = field(default_factory=StatusMeanings)
    obtain: tuple[ObtainedSecret, ...] = ()
    """Secrets for the steps after it."""

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        """Sends the request, follows redirects where it may, and judges the answer.

        `timings` are those of the first connection.
        """
        # Publishing and compiling need this module too, without an event loop.
        from patchbay.egress.http_exchange import exchange

        request, cookies = self.request, CookieJar()
        async with exchange(guard, request, deadline=deadline, timings=timings) as response:
            self._keep_cookies(cookies, request, response)
            if not self._is_redirect(response):
                return await self._judged(guard, request, response, cookies, deadline)
            next_request = _redirected(request, response)
        asked = {(request.target, "")}
        try:
            for _ in range(self.redirects):
                request, hop = next_request, DialTimings()
                # With a new cookie the same address may answer otherwise.
                sent = (guard.cookies.header(request.target) or "") if request.cookies else ""
                if (request.target, sent) in asked:
                    raise _loop("The provider redirects in a circle.")
                asked.add((request.target, sent))
                async with exchange(guard, request, deadline=deadline, timings=hop) as response:
                    timings.note_certificate(hop.certificate_expires_at)
                    self._keep_cookies(cookies, request, response)
                    if not self._is_redirect(response):
                        return await self._judged(guard, request, response, cookies, deadline)
                    next_request = _redirected(request, response)
        except EgressBlocked as blocked:
            raise _forbidden(blocked) from blocked
        except DialFailure as failure:
            # The first dial succeeded: the step failed, not a gate before it.
            raise CheckFailure.after_dial(failure) from failure
        raise _loop(f"The provider redirects more than {self.redirects} times.")

    async def _judged(
        self,
        guard: "EgressGuard",
        request: HttpRequest,
        response: "HttpResponse",
        cookies: CookieJar,
        deadline: float,
    ) -> Outcome:
        outcome = await self._judge(request, response, cookies, deadline)
        # Anything that is long enough may be a session.
        sessions = guard.cookies.secret_values()
        return replace(outcome, secret_values=sessions) if sessions else outcome

    def _keep_cookies(
        self, cookies: CookieJar, request: HttpRequest, response: "HttpResponse"
    ) -> None:
        """Keeps what an answer sets, for `obtain`: a login sets its cookie and then redirects."""
        if self.obtain and "set-cookie" in response.headers:
            cookies.keep(request.target, response.headers["set-cookie"], utc_now())

    async def _judge(
        self,
        request: HttpRequest,
        response: "HttpResponse",
        cookies: CookieJar,
        deadline: float,
    ) -> Outcome:
        """Judges the status first, and reads the body only if the step asks for it.

        Raises CheckFailure if the response is not as expected.
        """
        is_expected = response.status in self.expect.status
        if is_expected and response.head_problem:
            self._judge_cut_head(response, response.head_problem)
        is_proof = response.status in self.meanings.proving
        if is_proof or not is_expected or _intermediary(response):
            from patchbay.checks.refusals import accepts_credential

            answer = _answer(response, await response.words(deadline=deadline))
            if not (is_proof and accepts_credential(answer)):
                raise self._unexpected_status(request, answer)
        if self._is_login_page(request, response):
            raise CheckFailure(
                "auth_invalid",
                "The provider answered 203 with a web page, as it does to callers that it asks to "
                "log in: the credential was not accepted.",
            )
        header = None
        if is_expected and self.expect.headers:
            header = self.expect.header_mismatch(response.headers)
        if header:
            body = await response.words(deadline=deadline)
            summary = f'The header "{header}" is not as expected.'
            raise self._unexpected_content(_answer(response, body), summary)
        account, obtained = None, dict[str, str]()
        if is_expected and (self.expect.needs_body or self.account is not None or self.obtain):
            body = await response.body(deadline=deadline)
            self._judge_text(response, body)
            account = self._account(response, body)
            if self.obtain:
                obtained = dict(self._obtained(response, body, cookies))
        has_credential = request.credentialed or not self.request.credentialed
        # Sites that don't know the caller send a browser to their page to log in.
        is_page = request is not self.request and response.content_type in _WEB_PAGES
        return Outcome(
            summary=f"Answered {response.status} as expected.",
            account=account,
            proves=has_credential and not (is_page and not self.expect.needs_body),
            notice=_notice(response, is_page=is_page and has_credential),
            obtained=obtained,
        )

    def _judge_cut_head(self, response: "HttpResponse", problem: DialFailure) -> None:
        """A good status is enough if the rest of the head is only too long. Raises CheckFailure."""
        needs_headers = self.expect.headers or any(one.place != "body" for one in self.obtain)
        if needs_headers or "its headers are cut off" in response.quirks:
            raise CheckFailure.after_dial(problem)

    def _obtained(
        self, response: "HttpResponse", body: "HttpBody", cookies: CookieJar
    ) -> Iterator[tuple[str, str]]:
        """The secrets that the answer issues. Raises CheckFailure if one is not there."""
        document: object = None
        if any(secret.place == "body" for secret in self.obtain):
            try:
                document = body.json()
            except (ValueError, RecursionError) as error:
                answer = _answer(response, body)
                raise self._unexpected_content(answer, "The answer is not JSON.") from error
        for secret in self.obtain:
            value = secret.found(document, response.headers, cookies)
            if value is None:
                summary = f"The answer has no secret at {secret} to go on with."
                raise self._unexpected_content(_answer(response, body), summary)
            yield secret.name, value

    def _judge_text(self, response: "HttpResponse", body: "HttpBody") -> None:
        """Raises CheckFailure if the text of the body is not as expected."""
        if self.expect.text is None or self.expect.text.accepts(body.text()):
            return
        if body.problem:
            raise CheckFailure.after_dial(body.problem)
        summary = "The text of the answer is not as expected."
        raise self._unexpected_content(_answer(response, body), summary)

    def _account(self, response: "HttpResponse", body: "HttpBody") -> str | None:
        """The account that an answer names, if any.

        Raises CheckFailure if the body is not as expected.
        """
        try:
            document = body.json()
        except (ValueError, RecursionError) as error:
            if not self.expect.json:
                return None
            if body.problem:
                raise CheckFailure.after_dial(body.problem) from error
            answer = _answer(response, body)
            raise self._unexpected_content(answer, "The answer is not JSON.") from error
        pointer = self.expect.json_mismatch(document)
        if pointer is not None:
            summary = f'The answer\'s value at "{pointer}" is not as expected.'
            raise self._unexpected_content(_answer(response, body), summary)
        account = None if self.account is None else resolve(document, self.account)
        if isinstance(account, str | int) and not isinstance(account, bool):
            return str(account)
        return None

    def _is_redirect(self, response: "HttpResponse") -> bool:
        return (
            self.redirects > 0
            and response.status in REDIRECTS
            and response.status not in self.expect.status
        )

    def _is_login_page(self, request: HttpRequest, response: "HttpResponse") -> bool:
        """Whether it is a page to log in with a good status, as Azure DevOps answers to an expired
        token (https://github.com/microsoft/azure-devops-auth-samples/issues/52)."""
        return (
            response.status == 203
            and request.credentialed
            and response.content_type in _WEB_PAGES
            and self.expect.text is None
        )

    def _unexpected_status(self, request: HttpRequest, answer: "Answer") -> CheckFailure:
        status = answer.status
        if self.request.credentialed and not request.credentialed and status in (401, 403):
            return CheckFailure(
                "config_invalid",
                Sentence(
                    "The provider redirects to another origin, {}, to which no credential is sent; "
                    f"it answered {status}. Use that address.",
                    request.target.address,
                ),
                field_pointer=self.context.host,
            )
        if elsewhere := self._elsewhere(request, answer):
            return elsewhere
        from patchbay.checks.refusals import refusal

        means = self.meanings.codes.get(status)
        return refusal(answer, self.context, utc_now(), means=means).failure()

    def _elsewhere(self, request: HttpRequest, answer: "Answer") -> CheckFailure | None:
        """The failure of a redirect that is not followed and leads to a page to log in, or away
        from the address that the endpoint has."""
        location = answer.headers.get("location")
        if location is None or answer.status not in REDIRECTS - self.meanings.codes.keys():
            return None
        try:
            target = parse_url(resolve_reference(request.target, location))
        except EgressBlocked:
            return None
        if request.credentialed and _LOGIN_PATH.search(target.path.partition("?")[0].lower()):
            return CheckFailure(
                "auth_invalid",
                f"The provider answered {answer.status} with a redirect to a page to log in: the "
                "credential was not accepted.",
            )
        if self.context.host is None or target.origin == request.target.origin:
            return None
        return CheckFailure(
            "config_invalid",
            Sentence(
                f"The provider answered {answer.status} with a redirect to another origin, "
                "{}. Use that address.",
                target.address,
            ),
            field_pointer=self.context.host,
        )

    def _unexpected_content(self, answer: "Answer", summary: str) -> CheckFailure:
        """The refusal that the answer contains despite its status, or else `summary`."""
        from patchbay.checks.refusals import refusal_within

        refused = refusal_within(answer, self.context, utc_now())
        return refused.failure() if refused else CheckFailure("unexpected_response", summary)


def _intermediary(response: "HttpResponse") -> str | None:
    # What refuses is imported where something does: most tests pass.
    from patchbay.checks.intermediaries import intermediary_by_headers

    return intermediary_by_headers(response.headers)


@dataclass(frozen=True)  # without slots, to keep what every test would find out again
class HttpTemplate:
    method: str
    url: UrlTemplate
    headers: tuple[RequestField, ...]
    basic: tuple[Parts, Parts] | None
    credential: Credential | None
    needs_credential: bool
    redirects: int
    expect: Expectation
    account: str | None
    scopes: tuple[str, ...]
    body: BodyTemplate | None = None
    tls: TlsMembers = field(default_factory=TlsMembers)
    obtain: tuple[ObtainedSecret, ...] = ()
    meanings: StatusMeanings = field(default_factory=StatusMeanings)
    query: tuple[RequestField, ...] = ()
    cookies: bool = False

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.url.placeholders()
        for one in (*self.headers, *self.query):
            yield from one.required()
        for part in self.basic or ():
            yield from placeholders_of(part)
        if self.credential:
            yield from self.credential.required()
        if self.body:
            yield from self.body.placeholders()

    def destination_placeholders(self) -> Iterator[Placeholder]:
        yield from self.url.start.placeholders()
        if self.basic:
            yield from placeholders_of(self.basic[0])
        if self.credential:
            yield from self.credential.users()
        yield from self.tls.destination_placeholders()

    def request_placeholders(self) -> Iterator[Placeholder]:
        yield from self.url.path_placeholders()
        for one in (*self.headers, *self.query):
            yield from one.placeholders()
        if self.basic:
            yield from placeholders_of(self.basic[1])
        if self.credential:
            yield from self.credential.placeholders()
        if self.body:
            yield from self.body.placeholders()
        yield from self.tls.request_placeholders()

    def place(self, values: Values) -> str:
        scheme, host, port = self.url.origin(values)
        return f"{scheme}://{host}:{port}"

    def destination(self, values: Values) -> str:
        scheme, host, port = self.url.origin(values)
        user = _user(self.basic[0], values) if self.basic else ""
        trust = self.tls.trust(values)
        return f"{scheme}://{user}@{host}:{port}" + (f" {trust}" if trust else "")

    def _secrets(self, values: Values) -> Iterator[Placeholder]:
        """The secrets that are sent with these values."""
        for one in (*self.headers, *self.query):
            if one.is_optional and all(map(values.has, one.placeholders())):
                yield from (p for p in one.placeholders() if p.source == "secrets")
        yield from self._required_secrets
        if self.credential and self.credential.is_password_optional:
            sent = (p for p in self.credential.sent(values) if p.source == "secrets")
            yield from (p for p in sent if p not in self._required_secrets)

    @cached_property
    def _required_secrets(self) -> tuple[Placeholder, ...]:
        return tuple(p for p in self.placeholders() if p.source == "secrets")

    @cached_property
    def _may_send_more(self) -> bool:
        """Whether it depends on the values which secrets are sent."""
        is_optional = self.credential is not None and self.credential.is_password_optional
        return is_optional or any(one.is_optional for one in (*self.headers, *self.query))

    @cached_property
    def _expects_success(self) -> bool:
        """Whether only statuses are expected that a wrong credential does not get."""
        return self.expect.status <= DEFAULT_STATUS | self.meanings.proving

    @cached_property
    def _context(self) -> RequestContext:
        return RequestContext(
            self.scopes,
            path=self.url.path_pointer,
            query=self.url.query_pointer or variable_pointer(self.query),
            body=last_pointer(self.body.placeholders()) if self.body else None,
            host=self.url.host_pointer,
        )

    def compile(self, values: Values) -> Compiled:
        if self.query:
            query = filled(self.query, values, "query")
            target = self.url.target(values, query, pointer_of_fields(self.query))
        else:
            target = self.url.target(values)
        headers = list(filled(self.headers, values, "header")) if self.headers else []
        made: tuple[str, ...] = ()
        if self.basic:
            authorization = _basic(self.basic, values)
            headers.append(("Authorization", authorization))
            made = (authorization.removeprefix("Basic "),)
        elif self.credential:
            carried = self.credential.headers(values)
            made = self.credential.made(carried)
            headers += carried
        body = b""
        if self.body:
            headers.append(("Content-Type", self.body.content_type))
            body = self.body.fill(values)
        secrets = list(self._secrets(values)) if self._may_send_more else self._required_secrets
        return Compiled(
            probe=HttpProbe(
                request=HttpRequest(
                    self.method,
                    target,
                    tuple(headers),
                    credentialed=bool(secrets),
                    body=body,
                    tls=self.tls.fill(values),
                    cookies=self.cookies,
                ),
                redirects=self.redirects,
                expect=self.expect,
                account=self.account,
                context=self._context,
                meanings=self.meanings,
                obtain=self.obtain,
            ),
            proves_access=(bool(secrets) or not self.needs_credential) and self._expects_success,
            host_pointer=self.url.host_pointer,
            credential_pointer=secrets[-1].pointer if secrets else None,
            certificate_pointer=self.tls.certificate_pointer,
            secret_values=made,
        )


def read(reader: StepReader) -> HttpTemplate:
    """Raises ManifestProblems."""
    request = reader.members("/request", reader.step.get("request"), _REQUEST_KEYS)
    if request is None:
        raise reader.refused()
    auth = reader.step.get("auth", True)
    if not isinstance(auth, bool):
        reader.report("/auth", "must be true or false")
    sent = reader.credential if auth else None
    basic = _read_basic(reader, request.get("basic"))
    method = _read_method(reader, request)
    body = None
    if "body" in request:
        body = read_body(reader, "/request/body", request["body"])
        if method != "POST":
            reader.report("/request/body", "can be sent by POST only")
    cookies = request.get("cookies", False)
    if not isinstance(cookies, bool):
        reader.report("/request/cookies", "must be true or false")
    taken = {
        _auth_header(basic is not None, sent),
        "content-type" if body else None,
        "cookie" if cookies else None,
    }
    query = read_query(reader, "/request/query", request.get("query", {}))
    headers = read_headers(reader, "/request/headers", request.get("headers", {}), taken)
    url = reader.attempt("/request/url", lambda: _read_url(request.get("url"), reader.declared))
    report_too_long(reader, "/request/query", request.get("url"), query)
    redirects = request.get("redirects", 0)
    if type(redirects) is not int or not 0 <= redirects <= MAX_REDIRECTS:
        reader.report("/request/redirects", f"must be an integer from 0 to {MAX_REDIRECTS}")
    account = _read_account(reader)
    expect = read_expectation(reader, "/expect", has_body=method != "HEAD")
    tls = TlsMembers.read(reader)
    obtain = read_obtain(reader)
    if expect:
        _report_unreadable(reader, method, expect, obtain, account)
    if url and url.scheme == "http":
        tls.report_unused(reader)
    if reader.problems or url is None or expect is None:
        raise reader.refused()
    template = HttpTemplate(
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
        body=body,
        tls=tls,
        obtain=obtain,
        query=query,
        cookies=cookies is True,
    )
    meanings = read_meanings(
        reader,
        expected=expect.status,
        sends_credential=any(p.source == "secrets" for p in template.placeholders()),
    )
    if meanings.proving and obtain:
        reader.report("/meaning", "can't prove access: the step has to obtain its secrets")
    if reader.problems:
        raise reader.refused()
    return replace(template, meanings=meanings)


def _report_unreadable(
    reader: StepReader,
    method: str,
    expect: Expectation,
    obtain: tuple[ObtainedSecret, ...],
    account: str | None,
) -> None:
    """Reports what is to be taken from a place that an answer as expected does not have."""
    places = [
        (f"/obtain{pointer_to([secret.name])}", secret.at, SECRET)
        for secret in obtain
        if secret.place == "body"
    ]
    if account is not None:
        places.append(("/account", account, ACCOUNT))
    for at, pointer, matcher in places:
        if method == "HEAD" or expect.status <= BODILESS:
            reader.report(at, "can't be read: the answer has no body")
        elif problem := extraction_problem(expect.json, pointer, matcher):
            reader.report(at, problem)


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
        reader.report(
            "/request/method",
            'must be GET or HEAD, or have "safe": true, by which you say that the call changes '
            "nothing at the provider",
        )
    else:
        return method
    return "GET"


def _read_url(text: object, declared: Declarations) -> UrlTemplate:
    if not isinstance(text, str):
        raise TemplateError("must be a string")
    return UrlTemplate.parse(text, declared)


def _read_basic(reader: StepReader, basic: object) -> tuple[Parts, Parts] | None:
    if basic is None:
        return None
    if not isinstance(basic, dict) or basic.keys() != {"username", "password"}:
        reader.report("/request/basic", "must have a username and a password, nothing else")
        return None
    username = read_template(reader, "/request/basic/username", basic["username"])
    if any(isinstance(part, str) and ":" in part for part in username):
        reader.report("/request/basic/username", "can't have a colon: it ends the user name")
    return (
        username,
        read_template(reader, "/request/basic/password", basic["password"]),
    )


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
    try:
        return after_redirect(request, response.status, location)
    except EgressBlocked as blocked:
        if blocked.detail == "parse":
            # Nobody but the provider wrote it, and nothing was refused.
            raise _loop("The provider redirects to what is not a web address.") from blocked
        raise _forbidden(blocked) from blocked


def _forbidden(blocked: EgressBlocked) -> CheckFailure:
    """The failure of a redirect to an address that may not be dialed. No field of the endpoint has
    that address, so the summary says where it comes from."""
    return CheckFailure(
        blocked.code,
        Sentence("The provider redirects to an address that is not called. {}", blocked.summary),
        detail=blocked.detail,
    )


def _answer(response: "HttpResponse", body: "HttpBody") -> "Answer":
    from patchbay.checks.refusals import Answer

    return Answer(response.status, response.headers, body.text())


def _loop(summary: str) -> CheckFailure:
    return CheckFailure("redirect_loop", summary, detail="redirect")


def _notice(response: "HttpResponse", *, is_page: bool) -> Notice | None:
    if response.quirks and "too long" in response.quirks[0]:
        return Notice(
            summary=f"The answer is larger than a check reads: {response.quirks[0]}.",
            title="The server's headers are very long",
            remediation="The step counts. Most clients refuse headers of this size: ask the "
            "provider to shorten them.",
        )
    if response.quirks:
        return Notice(
            summary=f"The answer is not valid HTTP: {response.quirks[0]}.",
            title="The server's answer is not valid HTTP",
            remediation="The step counts. Stricter clients may fail on this answer: ask the "
            "provider to correct it.",
        )
    if is_page:
        return Notice(
            summary="It is a web page behind a redirect, such as one to log in: it proves nothing.",
            title="The address leads to a web page",
            remediation="Check the address: an API answers without a redirect to a page.",
        )
    return None


def _provides(template: StepTemplate) -> frozenset[str]:
    obtain = template.obtain if isinstance(template, HttpTemplate) else ()
    return frozenset(secret.name for secret in obtain)


KIND: Final = Kind(
    read,
    keys=frozenset({"request", "expect", "meaning", "account", "auth", "obtain"}) | TLS_KEYS,
    provides=_provides,
)
