"""What ends a step.

CheckFailure          the step failed; its code says how
└── EgressBlocked     the guard refused to dial: code `egress_blocked` with a detail

Texts are ours: they may name the host, a status or a limit, never what a server said.
"""

import errno
from typing import Final, Literal

from patchbay.checks.codes import Code

type Phase = Literal["egress", "dns", "tcp", "tls"]
type BlockDetail = Literal["address", "name", "port", "scheme", "parse", "redirect", "option"]

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def is_exhaustion(error: Exception) -> bool:
    """Whether this process or machine is out of file descriptors or memory: a fault of ours, which
    says nothing of whoever was to be dialled."""
    return isinstance(error, OSError) and error.errno in _EXHAUSTED


class CheckFailure(Exception):
    """A step failed. `phase` names the part of the dial it failed in, or None after the dial.

    `field_pointer` is the field of the endpoint to change where the failure itself tells; without
    it, the code's category decides.
    """

    def __init__(
        self,
        code: Code,
        summary: str,
        *,
        phase: Phase | None = None,
        retry_after_seconds: int | None = None,
        field_pointer: str | None = None,
    ) -> None:
        super().__init__(summary)
        self.code: Code = code
        self.summary = summary
        self.phase: Phase | None = phase
        self.retry_after_seconds = retry_after_seconds
        self.field_pointer = field_pointer
        self.detail: BlockDetail | None = None


class EgressBlocked(CheckFailure):
    """The guard does not dial this."""

    def __init__(self, detail: BlockDetail, summary: str) -> None:
        super().__init__("egress_blocked", summary, phase="egress")
        self.detail = detail
