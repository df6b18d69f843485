"""What is wrong with a manifest, and with the values of an endpoint, before anything is dialed."""

from collections.abc import Iterable
from dataclasses import dataclass

from patchbay.checks.codes import Code
from patchbay.egress.failures import BlockDetail
from patchbay.platform.errors import Problem


class ManifestProblems(ValueError):
    """Everything that is wrong with a part of a manifest; pointers lead into the integration."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{len(self.problems)} problems")


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """Why a test can't be run; its gate `config` or `secrets` fails with it.

    `pointer` is a JSON Pointer to the field of the endpoint to change; `message` goes on where it
    stops ("is missing") and never quotes a value. `detail` is set with the code `egress_blocked`.
    """

    pointer: str
    message: str
    code: Code = "config_invalid"
    detail: BlockDetail | None = None
