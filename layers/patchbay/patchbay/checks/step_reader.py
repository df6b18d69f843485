"""Reads one step of a manifest for its kind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from patchbay.checks.credentials import Credential
from patchbay.checks.problems import ManifestProblems
from patchbay.checks.templates import Declarations, TemplateError
from patchbay.platform.errors import Problem
from patchbay.platform.validation import pointer as pointer_to


class StepReader:
    """One step of a manifest as it is read: collects everything that is wrong with it.

    `step` is the step as the manifest has it; `credential` is what requests send by default, and
    `auth_config` the integration's, which has the defaults of some members.
    """

    def __init__(
        self,
        step: Mapping[str, object],
        pointer: str,
        declared: Declarations,
        credential: Credential | None,
        auth_config: Mapping[str, object] | None = None,
    ) -> None:
        self.step = step
        self.auth_config = auth_config or {}
        self.declared = declared
        self.credential = credential
        self.problems: list[Problem] = []
        self._pointer = pointer

    def within(self, at: str, members: Mapping[str, object]) -> "StepReader":
        """A reader of an object inside the step, with problems of its own."""
        return StepReader(
            members, self._pointer + at, self.declared, self.credential, self.auth_config
        )

    def report(self, at: str, message: str) -> None:
        """A problem at a JSON Pointer within the step, such as `/request/url`."""
        self.problems.append(Problem(self._pointer + at, message))

    def refused(self) -> ManifestProblems:
        """The problems, to raise."""
        return ManifestProblems(self.problems)

    def attempt[T](self, at: str, read: Callable[[], T]) -> T | None:
        """What `read` returns; None if it raises TemplateError, which is reported."""
        try:
            return read()
        except TemplateError as error:
            self.report(at, str(error))
            return None

    def choice[T: str](self, key: str, known: Sequence[T], *, default: T | None = None) -> T | None:
        """The value of `key`, which must be one of `known`; None if it is not, and reported."""
        given = self.step.get(key, default)
        found = next((one for one in known if one == given), None)
        if found is None:
            self.report(f"/{key}", f"must be one of {', '.join(known)}")
        return found

    def members(
        self, at: str, value: object, known: frozenset[str] | None = None
    ) -> dict[str, Any] | None:
        """The members of the object at `at`; None if it is not an object, which is reported.

        Members that are not `known` are reported too; without `known`, any may be there.
        """
        if not isinstance(value, dict):
            self.report(at, "must be an object")
            return None
        unknown = () if known is None else value.keys() - known
        for key in unknown:
            self.report(f"{at}{pointer_to([key])}", "is not a known key")
        return value
