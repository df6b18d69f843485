"""`lookup`: one GET after an account was connected, for variables that no answer had. Pure.

```json
{"url": "https://api.atlassian.com/oauth/token/accessible-resources",
 "choose": {"from": "", "label": "/name"}, "captures": {"/id": "cloud_id"}}
```

With `choose` the answer has a list, at the pointer `from`, and each of its items is an option: the
pointers of `captures` lead into an item. A person chooses if there are several.

The URL and `headers` may have `{{secrets.client_id}}`, which is public, as Twitch wants it:
`{"Client-Id": "{{secrets.client_id}}"}`. The secret of the client goes to the token URL alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from patchbay.checks.captures import Capture, captured, read_captures
from patchbay.checks.credentials import Credential
from patchbay.checks.failures import CheckFailure
from patchbay.checks.json_pointer import is_pointer, resolve
from patchbay.checks.request_context import RequestContext
from patchbay.checks.request_fields import RequestField, filled, read_headers
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Placeholder, UrlTemplate, ValueRefused, Values
from patchbay.checks.url_members import read_url
from patchbay.egress.failures import DialFailure
from patchbay.egress.request import HttpRequest
from patchbay.platform.clock import utc_now
from patchbay.platform.validation import pointer

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard

MAX_OPTIONS: Final = 100
"""Accounts that a person may choose among; more are left out."""
MAX_LABEL: Final = 200
_KEYS: Final = frozenset({"url", "headers", "captures", "choose"})
_CHOOSE: Final = frozenset({"from", "label"})
_SECRETS: Final = frozenset({"access_token", "client_id"})
"""Those of a new account that a lookup may send."""


@dataclass(frozen=True, slots=True)
class LookupOption:
    """One account of a lookup: what it is called, and the variables that it fills, by name."""

    label: str
    captured: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LookupCall:
    request: HttpRequest
    captures: tuple[Capture, ...]
    choose: str | None = None
    label: str | None = None
    context: RequestContext = field(default_factory=RequestContext)

    async def run(self, guard: "EgressGuard", *, deadline: float) -> tuple[LookupOption, ...]:
        """The accounts: one without `choose`, else as many as the answer lists, at least one.
        Raises CheckFailure."""
        from patchbay.checks.refusals import Answer, refusal
        from patchbay.egress.http_exchange import exchange

        try:
            async with exchange(guard, self.request, deadline=deadline) as response:
                is_success = 200 <= response.status < 300
                read = response.body if is_success else response.words
                body = await read(deadline=deadline)
        except DialFailure as failure:
            raise CheckFailure.of(failure) from failure
        if not is_success:
            answer = Answer(response.status, response.headers, body.text())
            raise refusal(answer, self.context, utc_now()).failure()
        try:
            document = body.json()
        except (ValueError, RecursionError) as error:
            if body.problem:
                raise CheckFailure.after_dial(body.problem) from error
            raise _unexpected() from error
        options = tuple(self._options(document))
        if not options:
            raise CheckFailure(
                "config_invalid", "The account has nothing at the provider that can be connected."
            )
        return options

    def _options(self, document: object) -> Iterator[LookupOption]:
        listed: object = [document] if self.choose is None else resolve(document, self.choose)
        if isinstance(listed, dict):
            listed = [*listed.values()]
        if not isinstance(listed, list):
            raise _unexpected()
        for item in listed[:MAX_OPTIONS]:
            try:
                variables = dict(captured(self.captures, item))
            except ValueRefused as refused:
                raise CheckFailure(
                    "unexpected_response",
                    "The answer about the account has a value that the integration does not allow.",
                    field_pointer=refused.problem.pointer,
                ) from refused
            if len(variables) < len(self.captures):
                if self.choose is None:
                    raise _unexpected()
                continue
            yield LookupOption(self._label(item, variables), variables)

    def _label(self, item: object, variables: Mapping[str, str]) -> str:
        found = resolve(item, self.label) if self.label is not None else None
        if isinstance(found, str | int) and not isinstance(found, bool):
            text = "".join(c for c in str(found)[:MAX_LABEL] if c.isprintable()).strip()
            if text:
                return text
        return next(iter(variables.values()))[:MAX_LABEL]


def _unexpected() -> CheckFailure:
    return CheckFailure(
        "unexpected_response", "The answer about the account is not as the integration expects."
    )


@dataclass(frozen=True, slots=True)
class LookupRecipe:
    url: UrlTemplate
    headers: tuple[RequestField, ...]
    captures: tuple[Capture, ...]
    credential: Credential
    choose: str | None = None
    label: str | None = None

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.url.placeholders()
        for header in self.headers:
            yield from header.placeholders()

    def call(self, values: Values) -> LookupCall:
        """Raises ValueRefused."""
        target = self.url.target(values)
        if target.scheme != "https":
            raise ValueRefused(self.url.host_pointer or "/variables", "must be an https URL")
        headers = [("Accept", "application/json"), *filled(self.headers, values, "header")]
        headers += self.credential.headers(values)
        return LookupCall(
            HttpRequest("GET", target, tuple(headers), credentialed=True),
            self.captures,
            self.choose,
            self.label,
            RequestContext(
                (),
                path=self.url.path_pointer,
                query=self.url.query_pointer,
                host=self.url.host_pointer,
            ),
        )


def read_lookup(reader: StepReader, spec: object) -> LookupRecipe | None:
    """The member `lookup` of an `authConfig`. Problems are reported."""
    before = len(reader.problems)
    members: dict[str, Any] | None = reader.members("/lookup", spec, _KEYS)
    credential = reader.credential
    if members is None or credential is None:
        return None
    url = reader.attempt("/lookup/url", lambda: read_url(members.get("url"), reader.declared))
    taken = {credential.header.lower(), "accept", "content-type"}
    headers = read_headers(reader, "/lookup/headers", members.get("headers", {}), taken)
    places = [(f"/lookup/headers{pointer([one.name])}", one.placeholders()) for one in headers]
    places += [("/lookup/url", url.placeholders())] if url else []
    for at, placeholders in places:
        if any(p.source == "secrets" and p.name not in _SECRETS for p in placeholders):
            reader.report(at, f"may not have a secret other than {' and '.join(sorted(_SECRETS))}")
    captures = read_captures(
        reader, "/lookup/captures", members.get("captures", {}), are_pointers=True
    )
    if not captures and len(reader.problems) == before:
        reader.report("/lookup/captures", "must have at least one variable")
    choose = label = None
    if "choose" in members:
        chosen = reader.members("/lookup/choose", members["choose"], _CHOOSE) or {}
        choose, label = chosen.get("from"), chosen.get("label")
        for name, value in (("from", choose), ("label", label)):
            is_there = value is not None or name == "from"
            if is_there and not (isinstance(value, str) and is_pointer(value)):
                reader.report(f"/lookup/choose/{name}", "must be a JSON Pointer")
    if len(reader.problems) > before or url is None:
        return None
    return LookupRecipe(url, headers, captures, credential, choose, label)
