"""The kind `http`: one request, and what its answer must look like.

```json
{"name": "whoami", "kind": "http",
 "request": {"method": "GET", "url": "https://{{variables.region}}.api.example.com/v1/me",
             "headers": {"X-Version": "2"}},
 "expect": {"status": [200], "json": {"/ok": true}}, "account": "/account/name"}
```

- `method` is GET (the default) or HEAD; with `"safe": true`, by which the author says that the
  call changes nothing, also POST (without a body) and OPTIONS.
- The credential of `authConfig` is in every request, unless the step says `"auth": false`. `basic`
  (`{"username": …, "password": …}`, both templates) takes its place.
- `redirects` (0 to 5, default 0) is how many redirects are followed; a 3xx that `expect.status`
  does not name is otherwise no success.
- `account` is a JSON Pointer to whose account this is.

What a 400, 401 or 403 means is read from its `WWW-Authenticate` and its JSON: an expired or revoked
credential and a missing scope have codes of their own.

Passing a step proves access when the request carried a credential (or, of an integration without
authentication, any request) and only 2xx statuses are expected.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from patchbay.checks.credentials import Credential, basic_value
from patchbay.checks.expectations import (
    DEFAULT_STATUS,
    Expectation,
    read_expectation,
)
from patchbay.checks.json_pointer import is_pointer
from patchbay.checks.probe import Compiled, Outcome
from patchbay.checks.problems import ManifestProblems
from patchbay.checks.templates import (
    Declared,
    Parts,
    Placeholder,
    TemplateError,
    UrlTemplate,
    Values,
    fill,
    placeholders_of,
    split_template,
)
from patchbay.egress.headers import name_problem, value_problem
from patchbay.egress.redirects import MAX_REDIRECTS
from patchbay.egress.request import HttpRequest
from patchbay.egress.timings import DialTimings
from patchbay.egress.url import parse_url
from patchbay.platform.errors import Problem

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard

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
    """Those that the integration asks for: the only ones that a failure may name."""

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        # Publishing and compiling need this module too, without an event loop or h11.
        from patchbay.checks.http_probe import run_http

        return await run_http(self, guard, deadline=deadline, timings=timings)


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


class HttpKind:
    """Reads http steps."""

    keys = frozenset({"request", "expect", "account", "auth"})
    provides = frozenset[str]()

    def read(
        self,
        step: Mapping[str, object],
        pointer: str,
        declared: Declared,
        credential: Credential | None,
    ) -> HttpTemplate:
        reader = _Reader(step, pointer, declared)
        template = reader.template(credential)
        if template is None:
            raise ManifestProblems(reader.problems)
        return template


class _Reader:
    """Reads one step and gathers what is wrong with it."""

    def __init__(self, step: Mapping[str, object], pointer: str, declared: Declared) -> None:
        self.problems: list[Problem] = []
        self._step = step
        self._at = pointer
        self._declared = declared

    def template(self, credential: Credential | None) -> HttpTemplate | None:
        """The step's template, or None when there are problems."""
        request = self._step.get("request")
        if not isinstance(request, dict):
            self._report("/request", "must be an object")
            return None
        for key in request.keys() - _REQUEST_KEYS:
            self._report(f"/request/{key}", "is not a known key")
        auth = self._step.get("auth", True)
        if not isinstance(auth, bool):
            self._report("/auth", "must be true or false")
        sent = credential if auth else None
        basic = self._basic(request.get("basic"))
        headers = self._headers(
            request.get("headers", {}), taken=_auth_header(basic is not None, sent)
        )
        method = self._method(request)
        url = self._url(request.get("url"))
        redirects = request.get("redirects", 0)
        if type(redirects) is not int or not 0 <= redirects <= MAX_REDIRECTS:
            self._report("/request/redirects", f"must be a number from 0 to {MAX_REDIRECTS}")
        account = self._account()
        expect = self._expect()
        if self.problems or url is None:
            return None
        return HttpTemplate(
            method=method,
            url=url,
            headers=headers,
            basic=basic,
            credential=None if basic else sent,
            needs_credential=credential is not None,
            redirects=redirects,
            expect=expect,
            account=account,
            scopes=self._declared.scopes,
        )

    def _method(self, request: Mapping[str, object]) -> str:
        method, safe = request.get("method", "GET"), request.get("safe", False)
        if not isinstance(safe, bool):
            self._report("/request/safe", "must be true or false")
        elif not isinstance(method, str) or method not in _SAFE_METHODS:
            self._report("/request/method", "must be GET or HEAD, or POST or OPTIONS if safe")
        elif method not in _METHODS and not safe:
            self._report(
                "/request/method", 'must be GET or HEAD unless the request is "safe": true'
            )
        else:
            return method
        return "GET"

    def _account(self) -> str | None:
        account = self._step.get("account")
        if account is None or (isinstance(account, str) and is_pointer(account)):
            return account
        self._report("/account", "must be a JSON Pointer")
        return None

    def _expect(self) -> Expectation:
        spec = self._step.get("expect", {})
        try:
            return read_expectation(spec, f"{self._at}/expect")
        except ManifestProblems as error:
            self.problems += error.problems
            return Expectation()

    def _url(self, text: object) -> UrlTemplate | None:
        try:
            if not isinstance(text, str):
                raise TemplateError("must be a text")
            return UrlTemplate.parse(text, self._declared)
        except TemplateError as error:
            self._report("/request/url", str(error))
            return None

    def _headers(self, headers: object, *, taken: str | None) -> tuple[tuple[str, Parts], ...]:
        if not isinstance(headers, dict):
            self._report("/request/headers", "must be an object")
            return ()
        if len({name.lower() for name in headers}) < len(headers):
            self._report("/request/headers", "names a header twice")
        read = []
        for name, value in headers.items():
            at = f"/request/headers/{name.replace('~', '~0').replace('/', '~1')}"
            problem = name_problem(name)
            if problem:
                self._report(at, problem)
            elif name.lower() == taken:
                self._report(at, "is where the credential goes")
            else:
                read.append((name, self._header_value(at, value)))
        return tuple(read)

    def _header_value(self, at: str, value: object) -> Parts:
        parts = self._template(at, value)
        # Any harmless value will do: what is judged here is the author's own part.
        sample = "".join(part if isinstance(part, str) else "x" for part in parts)
        problem = value_problem(sample)
        if parts and problem:
            self._report(at, problem)
        return parts

    def _basic(self, basic: object) -> tuple[Parts, Parts] | None:
        if basic is None:
            return None
        if not isinstance(basic, dict) or basic.keys() != {"username", "password"}:
            self._report("/request/basic", "must have a username and a password, nothing else")
            return None
        return (
            self._template("/request/basic/username", basic["username"]),
            self._template("/request/basic/password", basic["password"]),
        )

    def _template(self, at: str, text: object) -> Parts:
        try:
            if not isinstance(text, str):
                raise TemplateError("must be a text")
            return split_template(text, self._declared)
        except TemplateError as error:
            self._report(at, str(error))
            return ()

    def _report(self, at: str, message: str) -> None:
        self.problems.append(Problem(self._at + at, message))


def _auth_header(is_basic: bool, credential: Credential | None) -> str | None:
    if is_basic:
        return "authorization"
    return credential.header.lower() if credential else None


def _plain(template: Parts, values: Values) -> str:
    return "".join(part if isinstance(part, str) else values.text(part) for part in template)


def _user(template: Parts, values: Values) -> str:
    """Who a request goes as; a secret by its name, since places are told without secrets."""
    return "".join(
        part
        if isinstance(part, str)
        else f"{{{{secrets.{part.name}}}}}"
        if part.source == "secrets"
        else values.text(part)
        for part in template
    )


def _basic(parts: tuple[Parts, Parts], values: Values) -> str:
    username, password = (_plain(template, values) for template in parts)
    pointer = next((p.pointer for p in placeholders_of(parts[0])), "/variables")
    return basic_value(username, password, pointer=pointer)
