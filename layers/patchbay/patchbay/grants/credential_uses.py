"""Uses of the credentials of connections: admitted, limited, counted, and audited, once for all.

with uses.one(organization_id, connection_id, {"role": "source"}) as use:
    ...                        # what is raised here decides how the use is counted
    use.ended()                # or with a code, if it failed at the provider
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from patchbay.connections.connection_model import Connection
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.usage_store import LEASE, UsageStore, Use, UseOutcome
from patchbay.platform.clock import Clock
from patchbay.platform.errors import (
    Conflict,
    CredentialUnusable,
    CredentialUseDisabled,
    SecretsLost,
    TemporarilyUnavailable,
)
from patchbay.platform.ids import new_id
from patchbay.platform.limits import Limit, Limiter
from patchbay.platform.logging import logger


@dataclass(frozen=True, slots=True)
class EndedUse:
    """A use, and how it ended."""

    use: Use
    outcome: UseOutcome


type Recording = Callable[[EndedUse], None]
"""Where uses go that have ended, of connections that ask for it; it raises nothing."""


class UseInProgress:
    """One use between its beginning and its end."""

    def __init__(self, use: Use, usages: UsageStore, record: Recording, clock: Clock) -> None:
        self._use = use
        self._usages = usages
        self._record = record
        self._clock = clock
        self._is_over = False

    @property
    def connection(self) -> Connection:
        return self._use.connection

    def ended(self, code: str | None = None, *, cool_seconds: int = 0, given: bool = False) -> None:
        """Counts it. `code` is why it failed. With `given`, call it before the credential leaves.

        Raises `TemporarilyUnavailable` if a credential was to be given. Any other use has happened,
        and its answer must not be lost with its count.
        """
        outcome = UseOutcome(self._clock(), code, cool_seconds)
        try:
            self._usages.end(self._use, outcome, given=given)
        except TemporarilyUnavailable:
            if given:
                raise
            logger.warning("use not counted", connection_id=self.connection.id)
        self._is_over = True
        if self.connection.record_uses:
            self._record(EndedUse(self._use, outcome))

    def abandoned(self) -> None:
        """Ends it without a count, unless it has ended."""
        if not self._is_over:
            self._usages.abandon(self._use)


class CredentialUses:
    """The uses of a deployment. `limit` is that of an organization, `connection_limit` that of each
    of its connections."""

    def __init__(
        self,
        connections: ConnectionStore,
        usages: UsageStore,
        limiter: Limiter,
        limit: Limit,
        connection_limit: Limit,
        record: Recording,
        clock: Clock,
        *,
        enabled: bool,
    ) -> None:
        self._connections = connections
        self._usages = usages
        self._limiter = limiter
        self._limit = limit
        self._connection_limit = connection_limit
        self._record = record
        self._clock = clock
        self._enabled = enabled

    @contextmanager
    def one(
        self,
        organization_id: str,
        connection_id: str,
        described: Mapping[str, Any],
        *,
        proxied: bool = False,
    ) -> Iterator[UseInProgress]:
        """One use of a connection. `described` and `proxied` are for the audit trail.

        A credential that can't be used counts as an error; any other failure that is raised in the
        block counts as nothing. Raises `CredentialUseDisabled`, `NotFound`, `Conflict` for a
        connection that is disabled, `RateLimited`, and `TemporarilyUnavailable`.
        """
        if not self._enabled:
            raise CredentialUseDisabled
        connection = self._connections.get(organization_id, connection_id)
        if connection.status is Lifecycle.DISABLED:
            raise Conflict("The connection is disabled: activate it to use its credentials.")
        now = self._clock()
        use = Use(new_id("use", now), connection, now, described)
        with self._limiter.held(organization_id, use.id, self._limit, now, LEASE):
            self._usages.begin(use, self._connection_limit, proxied=proxied)
            progress = UseInProgress(use, self._usages, self._record, self._clock)
            try:
                yield progress
            except CredentialUnusable as unusable:
                progress.ended(unusable.unusable_code)
                raise
            except SecretsLost:
                progress.ended("secret_not_found")
                raise
            finally:
                progress.abandoned()
