"""What the plan, the runner, and the kinds agree on.

A **kind** reads a step of a manifest into a **template**; with the values of an endpoint, a
template compiles to a **probe**. A probe does the I/O of one step through the egress guard, and
returns an outcome or raises CheckFailure or DialFailure.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from patchbay.checks.codes import Code, describe
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Placeholder, Values

if TYPE_CHECKING:
    from patchbay.checks.failures import CheckFailure
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.timings import DialTimings

_HOST_CATEGORIES: Final = frozenset({"network", "policy"})
_CREDENTIAL_CATEGORIES: Final = frozenset({"auth", "permission"})
# The host is most likely right: what answered stands before it.
_OF_NO_FIELD: Final[frozenset[Code]] = frozenset({"blocked_by_intermediary"})

_OF_CERTIFICATE: Final[frozenset[Code]] = frozenset(
    {"client_certificate_required", "client_certificate_refused"}
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a step that passed warns of. All texts are ours."""

    summary: str
    title: str
    remediation: str
    code: Code | None = None
    field_pointer: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a probe that passed returns. `account` is raw text of the server: the runner cleans it.
    The text of others in the `summary` is a value of a `Sentence`.

    `proves` is False if this run showed less than the step is meant to (a redirect to another
    origin drops the credential). With a `notice` the step is a warning. `obtained` are secrets, by
    name, that the steps after it use in place of the stored ones; they end with the test.
    `secret_values` are others that a server issued, such as cookies.
    """

    summary: str
    account: str | None = None
    proves: bool = True
    notice: Notice | None = None
    obtained: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_values: tuple[str, ...] = field(default=(), repr=False)


class Probe(Protocol):
    """The I/O of one step, ready to run. Every kind has the same signature."""

    async def run(
        self, guard: "EgressGuard", *, deadline: float, timings: "DialTimings"
    ) -> Outcome:
        """Runs until `deadline`, a time of the event loop, and fills in the `timings` of its first
        dial. Raises CheckFailure, DialFailure."""
        ...


@dataclass(frozen=True, slots=True)
class Compiled:
    """A probe, and the fields of the endpoint to change if it fails.

    `proves_access`: whether passing it shows that the credential works. `secret_values` are secrets
    made from those of the endpoint.
    """

    probe: Probe
    proves_access: bool
    host_pointer: str | None = None
    credential_pointer: str | None = None
    certificate_pointer: str | None = None
    secret_values: tuple[str, ...] = field(default=(), repr=False)

    def field_pointer(self, failure: "CheckFailure") -> str | None:
        """The field of the endpoint that most likely needs a change."""
        if failure.field_pointer:
            return failure.field_pointer
        if failure.code in _OF_NO_FIELD:
            return None
        if failure.code in _OF_CERTIFICATE:
            return self.certificate_pointer
        category = describe(failure.code).category
        if category in _HOST_CATEGORIES:
            return self.host_pointer
        return self.credential_pointer if category in _CREDENTIAL_CATEGORIES else None


class StepTemplate(Protocol):
    """A step of a manifest, read and valid, before its values are known."""

    def placeholders(self) -> Iterator[Placeholder]:
        """The values it needs."""
        ...

    def destination_placeholders(self) -> Iterator[Placeholder]:
        """Those that decide its destination; optional ones as well."""
        ...

    def request_placeholders(self) -> Iterator[Placeholder]:
        """Those of everything else that it sends (path, query, headers, body, …); optional ones as
        well. They may select whose account at the destination is reached."""
        ...

    def place(self, values: Values) -> str:
        """The host that is dialed, `scheme://host:port`, as people are asked whether it is the
        right one; empty if it is not of the endpoint's choice. Raises ValueRefused."""
        ...

    def destination(self, values: Values) -> str:
        """Where the step goes, in canonical form: `scheme://user@host:port`, with what else decides
        whom it trusts after a space.

        Two that are equal are one place. Raises ValueRefused.
        """
        ...

    def compile(self, values: Values) -> Compiled:
        """Raises ValueRefused."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """How the steps of one kind are read.

    `read` raises ManifestProblems with everything that is wrong, whatever the values will be.
    `keys` are the kind's own keys in a step; `provides` returns the names of the secrets that a
    step obtains for those after it, and `parts` the templates that dial, if it has others inside.
    """

    read: Callable[[StepReader], StepTemplate]
    keys: frozenset[str]
    provides: Callable[[StepTemplate], frozenset[str]] = lambda _: frozenset()
    parts: Callable[[StepTemplate], tuple[StepTemplate, ...]] = lambda template: (template,)
