"""What ends a dial.

DialFailure           the dial, or the exchange on it, failed; its code says how
└── EgressBlocked     the guard refused to dial: code `egress_blocked` with a detail

Summaries are ours: they may have a status or a limit. The text of others in them, such as a name
of a certificate, is a value of a `Sentence`.
"""

import errno
from typing import Final, Literal

type DialPhase = Literal["egress", "dns", "tcp", "tls"]
"""The parts of a dial, in the order in which they happen."""

type BlockDetail = Literal[
    "address", "name", "port", "scheme", "parse", "redirect", "option", "budget"
]
"""Why the guard refused."""

type DialCode = Literal[
    "egress_blocked",
    "dns_error",
    "connection_refused",
    "connection_reset",
    "network_unreachable",
    "connect_timeout",
    "tls_error",
    "tls_version_unsupported",
    "certificate_expired",
    "certificate_not_yet_valid",
    "certificate_untrusted",
    "certificate_self_signed",
    "certificate_chain_incomplete",
    "certificate_name_mismatch",
    "client_certificate_required",
    "client_certificate_refused",
    "provider_timeout",
    "unexpected_response",
    "redirect_loop",
    "response_too_large",
]
"""The codes of a test that a dial can end with."""

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def is_exhaustion(error: Exception) -> bool:
    """Whether this process or machine is out of file descriptors or memory: our fault, not that of
    the other side."""
    return isinstance(error, OSError) and error.errno in _EXHAUSTED


class DialFailure(Exception):
    """A dial failed. `phase` is the part it failed in, None after the connection was open.

    `detail` is set with the code `egress_blocked`.
    """

    def __init__(
        self,
        code: DialCode,
        summary: str,
        *,
        phase: DialPhase | None = None,
        detail: BlockDetail | None = None,
    ) -> None:
        super().__init__(summary)
        self.code: DialCode = code
        self.summary = summary
        self.phase: DialPhase | None = phase
        self.detail: BlockDetail | None = detail


class EgressBlocked(DialFailure):
    """The guard does not dial this."""

    def __init__(self, detail: BlockDetail, summary: str) -> None:
        super().__init__("egress_blocked", summary, phase="egress", detail=detail)
