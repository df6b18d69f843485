"""What is wrong with a manifest or a configuration, before anything is dialled."""

from collections.abc import Iterable
from dataclasses import dataclass

from patchbay.checks.codes import Code
from patchbay.egress.failures import BlockDetail


@dataclass(frozen=True, slots=True)
class Problem:
    """`pointer` is a JSON Pointer to the field to change; `message` what is wrong with it.

    The message goes on where the pointer stops ("is missing") and never quotes a value. `detail` is
    there with the code `egress_blocked`.
    """

    pointer: str
    message: str
    code: Code = "config_invalid"
    detail: BlockDetail | None = None


class Problems(ValueError):
    """All that is wrong with a part of a manifest, at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"{len(self.problems)} problems")
