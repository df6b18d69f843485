"""What the plan, the runner and the kinds agree on.

A **kind** knows how to read its steps in a manifest and turns one into a **probe**; a probe does
the I/O of one step through the guard and says what it saw, or raises CheckFailure
or DialFailure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from patchbay.checks.codes import Code
from patchbay.checks.credentials import Credential
from patchbay.checks.templates import Declared, Placeholder, Values

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.timings import DialTimings


@dataclass(frozen=True, slots=True)
class Notice:
    """What a step that passed should warn of. All texts are ours."""

    summary: str
    title: str
    remediation: str
    code: Code | None = None
    field_pointer: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A probe that passed. `account` is raw text of the server: the runner cleans it.

    `proves` is False when this run showed less than the step is meant to (a redirect to another
    origin drops the credential). With a `notice` the step is a warning. `obtained` are secrets that
    the steps after it use in place of the stored ones, by name; they end with the test.
    """

    summary: str
    account: str | None = None
    proves: bool = True
    notice: Notice | None = None
    obtained: Mapping[str, str] = field(default_factory=dict, repr=False)


class Probe(Protocol):
    async def run(
        self, guard: "EgressGuard", *, deadline: float, timings: "DialTimings"
    ) -> Outcome:
        """Runs until `deadline`, a time of the event loop. Raises CheckFailure, DialFailure."""
        ...


@dataclass(frozen=True, slots=True)
class Compiled:
    """A probe, and which fields of the endpoint are to blame when it fails.

    `proves_access`: whether passing it shows that the credential works.
    """

    probe: Probe
    proves_access: bool
    host_pointer: str | None = None
    credential_pointer: str | None = None
    secret_values: tuple[str, ...] = field(default=(), repr=False)


class StepTemplate(Protocol):
    """A step of a manifest, read and valid, before its values are known."""

    def placeholders(self) -> Iterator[Placeholder]:
        """The values it needs."""
        ...

    def destination(self, values: Values) -> str:
        """Where the step goes, canonically: `scheme://host:port`, and the user it goes as.

        Two equal ones are one place. Raises ValueRefused.
        """
        ...

    def compile(self, values: Values) -> Compiled:
        """Raises ValueRefused."""
        ...


class Kind(Protocol):
    """How the steps of one kind are read.

    `keys` are the kind's own keys in a step; `provides` names the secrets that its steps obtain.
    """

    @property
    def keys(self) -> frozenset[str]: ...

    @property
    def provides(self) -> frozenset[str]: ...

    def read(
        self,
        step: Mapping[str, object],
        pointer: str,
        declared: Declared,
        credential: Credential | None,
    ) -> StepTemplate:
        """Raises ManifestProblems with everything that is wrong, whatever the values will be.

        `pointer` is that of the step in the manifest.
        """
        ...
