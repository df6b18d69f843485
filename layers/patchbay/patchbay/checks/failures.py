"""The failure of a step."""

import ssl
from typing import Final, Self

from patchbay.checks.codes import Code
from patchbay.egress.failures import BlockDetail, DialFailure, DialPhase
from patchbay.egress.tls import TlsOptions, session_failure


class CheckFailure(Exception):
    """A step failed.

    `phase` is the part of the dial that failed, None after the dial. `detail` says why the guard
    refused to dial. `field_pointer` is the field of the endpoint to change, if the failure itself
    determines it; otherwise the category of the code does. The summary is ours: it may have a
    status or a limit. The text of others in it, such as a host, is a value of a `Sentence`.
    `is_grant_gone`: the provider no longer honors the refresh token that was sent, so that a person
    has to connect the account again.
    """

    def __init__(
        self,
        code: Code,
        summary: str,
        *,
        phase: DialPhase | None = None,
        detail: BlockDetail | None = None,
        retry_after_seconds: int | None = None,
        field_pointer: str | None = None,
        is_grant_gone: bool = False,
    ) -> None:
        super().__init__(summary)
        self.code: Code = code
        self.summary = summary
        self.phase: DialPhase | None = phase
        self.detail: BlockDetail | None = detail
        self.retry_after_seconds = retry_after_seconds
        self.field_pointer = field_pointer
        self.is_grant_gone = is_grant_gone

    @classmethod
    def of(cls, failure: DialFailure) -> Self:
        """The failure of a step whose dial failed."""
        return cls(failure.code, failure.summary, phase=failure.phase, detail=failure.detail)

    @classmethod
    def after_dial(cls, failure: DialFailure) -> Self:
        """The failure of a step whose later dial failed, such as that of a redirect."""
        return cls(failure.code, failure.summary, detail=failure.detail)


LOST: Final = (TimeoutError, ssl.SSLError, ConnectionError, EOFError)
"""What ends a session with a server from outside: `lost_session` has the words."""


def lost_session(error: Exception, tls: TlsOptions | None = None) -> CheckFailure:
    """The failure of a step whose session ended with one of `LOST`. `tls` is how it is secured."""
    if isinstance(error, TimeoutError):
        return CheckFailure("provider_timeout", "The server did not answer in time.")
    if isinstance(error, ssl.SSLError):
        return CheckFailure.of(session_failure(error, tls))
    return CheckFailure("connection_reset", "The server cut the connection.")
