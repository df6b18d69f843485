"""Rules of the API that its document can't say: where a request that fits it may be refused.

The check that what fits is accepted stays on for every operation; an answer is let pass only if
each of its problems is one of these.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Exception_:
    """A problem, by where it is (`pointer`) and what it says (`message`): regular expressions."""

    pointer: str
    message: str
    reason: str
    statuses: tuple[int, ...] = (400,)

    def covers(self, status: int, problem: Mapping[str, Any]) -> bool:
        return (
            status in self.statuses
            and re.fullmatch(self.pointer, problem["pointer"]) is not None
            and re.fullmatch(self.message, problem["message"]) is not None
        )


EXCEPTIONS: list[Exception_] = []


def excused(status: int, error: Mapping[str, Any]) -> bool:
    """Whether an answer to a request that fits the document is a rule that no schema can say."""
    problems = error["details"].get("errors") or [{"pointer": "", "message": error["code"]}]
    return all(any(one.covers(status, problem) for one in EXCEPTIONS) for problem in problems)
