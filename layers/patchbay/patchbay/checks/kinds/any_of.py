"""The kind `any_of`: one of several steps passes.

```json
{"name": "whoami", "kind": "any_of", "anyOf": [
  {"kind": "http", "request": {"url": "https://api.example.com/v2/me"}},
  {"kind": "http", "request": {"url": "https://api.eu.example.com/v2/me"}}]}
```

For a key that belongs to one region, plan, or version of an API, which the customer can't tell. The
alternatives are tried in order, and the first that passes is the step's outcome. Each gets an equal
share of the time that is left.

If none passes, the step fails with the most telling failure (`TELLING`). An alternative has the
members of its kind, and neither a name nor a category. It is never an `any_of`.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from patchbay.checks.codes import Code
from patchbay.checks.failures import CheckFailure
from patchbay.checks.kinds import KINDS, kind_of
from patchbay.checks.probe import Compiled, Kind, Outcome, StepTemplate
from patchbay.checks.problems import ManifestProblems
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Placeholder, Values
from patchbay.egress.failures import DialFailure
from patchbay.egress.timings import DialTimings
from patchbay.platform.validation import pointer

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard

LEAST: Final = 2
MOST: Final = 4
ALTERNATIVES: Final = tuple(name for name in KINDS if name != "any_of")

TELLING: Final[tuple[tuple[str, tuple[Code, ...]], ...]] = (
    (
        "the server knows the credential: it belongs there, and the others can't say more",
        (
            *("account_locked", "payment_required", "address_not_allowed", "scope_missing"),
            *("auth_revoked", "auth_expired"),
        ),
    ),
    (
        "the server limits calls: the credential may be good there, and waiting will show it",
        ("rate_limited",),
    ),
    (
        "there was no answer: the credential may be good there",
        (
            *("provider_timeout", "provider_error", "connect_timeout", "connection_reset"),
            *("connection_refused", "network_unreachable", "dns_error", "budget_exhausted"),
        ),
    ),
    (
        "the credential is good and may not do this, unless the server says so of a wrong one",
        ("permission_denied",),
    ),
    (
        "the server asks for a client certificate: nothing else was judged",
        ("client_certificate_required", "client_certificate_refused"),
    ),
    ("the API judged the credential, which is what the step asks", ("auth_invalid",)),
    (
        "the server was not trusted or not asked: the credential was not judged",
        (
            *("certificate_expired", "certificate_not_yet_valid", "certificate_untrusted"),
            *("certificate_self_signed", "certificate_chain_incomplete"),
            *("certificate_name_mismatch", "tls_version_unsupported", "tls_error"),
            *("authentication_too_weak", "authentication_unsupported", "egress_blocked"),
            "blocked_by_intermediary",
        ),
    ),
    ("a setting of the endpoint is not right there", ("config_invalid", "config_missing_field")),
    ("a secret of the endpoint is missing there", ("secret_not_found", "secret_not_permitted")),
    (
        "something answered, and not as this API does",
        ("unexpected_response", "redirect_loop", "response_too_large"),
    ),
    ("the account or path is not known there, as at any wrong address", ("not_found",)),
    ("the request is not one of this API", ("request_rejected",)),
)
"""Which failure says most if no alternative passes: each row with its reason, the most telling row
first. Of failures in the same row the first alternative's counts."""

_RANKS: Final[Mapping[Code, int]] = {
    code: rank for rank, (_, codes) in enumerate(TELLING) for code in codes
}


@dataclass(frozen=True, slots=True)
class AnyOfProbe:
    """The alternatives, ready to run."""

    alternatives: tuple[Compiled, ...]

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        """The outcome of the first that passes; `timings` are its own, or those of the failure."""
        loop = asyncio.get_running_loop()
        failures: list[tuple[CheckFailure, DialTimings]] = []
        for index, alternative in enumerate(self.alternatives):
            left = len(self.alternatives) - index
            until = loop.time() + (deadline - loop.time()) / left
            own = DialTimings()
            try:
                async with asyncio.timeout_at(until):
                    outcome = await alternative.probe.run(guard, deadline=until, timings=own)
            except (CheckFailure, DialFailure, TimeoutError) as error:
                failures.append((_failure(alternative, error), own))
                timings.note_certificate(own.certificate_expires_at)
                continue
            timings.take(own)
            return replace(outcome, proves=outcome.proves and alternative.proves_access)
        failure, own = min(failures, key=lambda failed: _RANKS.get(failed[0].code, len(TELLING)))
        timings.take(own)
        raise failure


@dataclass(frozen=True, slots=True)
class AnyOfTemplate:
    alternatives: tuple[StepTemplate, ...]
    provided: frozenset[str]
    """The secrets that every alternative obtains: whichever passes, later steps have them."""

    def placeholders(self) -> Iterator[Placeholder]:
        for alternative in self.alternatives:
            yield from alternative.placeholders()

    def destination_placeholders(self) -> Iterator[Placeholder]:
        for alternative in self.alternatives:
            yield from alternative.destination_placeholders()

    def request_placeholders(self) -> Iterator[Placeholder]:
        for alternative in self.alternatives:
            yield from alternative.request_placeholders()

    def place(self, values: Values) -> str:
        return " or ".join(one.place(values) for one in self.alternatives)

    def destination(self, values: Values) -> str:
        """All of its destinations as one; a binding has each of them by itself."""
        return " or ".join(one.destination(values) for one in self.alternatives)

    def compile(self, values: Values) -> Compiled:
        compiled = tuple(alternative.compile(values) for alternative in self.alternatives)
        return Compiled(
            probe=AnyOfProbe(compiled),
            proves_access=any(one.proves_access for one in compiled),
            host_pointer=compiled[0].host_pointer,
            credential_pointer=compiled[0].credential_pointer,
            certificate_pointer=compiled[0].certificate_pointer,
            secret_values=sum((one.secret_values for one in compiled), ()),
        )


def read(reader: StepReader) -> AnyOfTemplate:
    """Raises ManifestProblems."""
    specs = reader.step.get("anyOf")
    if not isinstance(specs, list) or not LEAST <= len(specs) <= MOST:
        reader.report("/anyOf", f"must be a list of {LEAST} to {MOST} alternatives")
        raise reader.refused()
    templates: list[StepTemplate] = []
    provided: list[frozenset[str]] = []
    for index, spec in enumerate(specs):
        members = reader.members(f"/anyOf/{index}", spec)
        name = str((members or {}).get("kind"))
        if members is None:
            continue
        if spec in specs[:index]:
            reader.report(f"/anyOf/{index}", "is the same as an alternative before it")
            continue
        if name not in ALTERNATIVES:
            reader.report(f"/anyOf/{index}/kind", f"must be one of {', '.join(ALTERNATIVES)}")
            continue
        kind = kind_of(name)
        for key in members.keys() - kind.keys - {"kind"}:
            reader.report(f"/anyOf/{index}{pointer([key])}", "is not a known key")
        try:
            template = kind.read(reader.within(f"/anyOf/{index}", members))
        except ManifestProblems as more:
            reader.problems += more.problems
            continue
        templates.append(template)
        provided.append(kind.provides(template))
    if reader.problems:
        raise reader.refused()
    return AnyOfTemplate(tuple(templates), frozenset.intersection(*provided))


def _failure(
    alternative: Compiled, error: CheckFailure | DialFailure | TimeoutError
) -> CheckFailure:
    if isinstance(error, TimeoutError):
        return CheckFailure("provider_timeout", "The step did not finish in time.")
    failure = CheckFailure.of(error) if isinstance(error, DialFailure) else error
    failure.field_pointer = alternative.field_pointer(failure)
    return failure


def _provides(template: StepTemplate) -> frozenset[str]:
    return template.provided if isinstance(template, AnyOfTemplate) else frozenset()


def _parts(template: StepTemplate) -> tuple[StepTemplate, ...]:
    return template.alternatives if isinstance(template, AnyOfTemplate) else (template,)


KIND: Final = Kind(read, keys=frozenset({"anyOf"}), provides=_provides, parts=_parts)
