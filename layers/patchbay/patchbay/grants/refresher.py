"""Renews the tokens of a grant: one call to the provider at a time, and its answer is kept.

1. **Lease.** A renewal takes the lease, which is longer than a call and the storing of its answer
   take together. Others wait, and read what was obtained.
2. **Call.** What is needed to store the answer (client, data key) is read before the call, so
   that only the table can keep it from being stored.
3. **Store.** The answer is stored under its attempt's number, again and again while there is time.
   One that could still not be stored stays in the memory of the process, and goes first the next
   time.
4. **Refused.** Before a grant ends because the provider refuses its refresh token, it is read
   again: another attempt may have replaced the token.

A process that dies between the answer and the write loses the answer: its lease is found with no
result. Then the old refresh token is tried once more after the lease has ended, since some
providers take it again for a while. If the provider refuses it, the grant ends, and what happened
is said. Faults of the platform change nothing in a grant.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from patchbay.checks.codes import Code
from patchbay.checks.failures import CheckFailure
from patchbay.checks.redaction import Redactor
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.vault import SecretScope, Vault
from patchbay.egress.failures import DialFailure
from patchbay.grants.grant_model import ENDED_TOLD, TOKENS, Grant, GrantEnd, RefreshFailure
from patchbay.grants.grant_store import DataKeyRotated, GrantStore, Overtaken
from patchbay.grants.timing import (
    CALL_SECONDS,
    LEASE,
    LEAST_CALL_SECONDS,
    SKEW,
    UNKNOWN_OUTCOME,
    may_try,
    retry_at,
)
from patchbay.platform.clock import Clock
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.event_loops import beside_loop, loop_time, sleep
from patchbay.platform.logging import log_exception, logger

if TYPE_CHECKING:
    from patchbay.checks.token_calls import IssuedTokens, TokenCall
    from patchbay.egress.guard import EgressGuard

_TO_STORE_SECONDS: Final = 3.0
"""Of the caller's time, kept for storing the answer."""
_KEPT_SECONDS: Final = 2.0
"""For storing answers of before, of whatever organization."""
_WAITS: Final = (0.1, 0.2, 0.4, 0.8)
"""Seconds between two looks at a lease that another has; the last one repeats."""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0

_UNKNOWN: Final = frozenset[Code](
    {
        *("provider_timeout", "connection_reset", "provider_error", "unexpected_response"),
        *("response_too_large", "internal_error", "budget_exhausted"),
    }
)
"""Failures after which the provider may have replaced the refresh token all the same."""
_STILL_WORKING: Final = frozenset[Code]({"provider_timeout", "connection_reset"})
"""Failures after which it may be about to."""


class RenewalFailed(Exception):
    """There is no new access token. `grant` is as it stands now."""

    def __init__(self, grant: Grant) -> None:
        super().__init__("renewal failed")
        self.grant = grant


class NotInTime(Exception):
    """The caller's time ended: another is still renewing the grant, or a call would not fit in."""


@dataclass(frozen=True, slots=True)
class Renewable:
    """What is renewed: the grant of an endpoint as it was read, None if there is none yet, and how.

    `call` makes the request from the current secrets. It blocks, and raises what compiling raises.
    """

    endpoint: Endpoint
    scope: SecretScope
    grant: Grant | None
    first: Grant
    """The grant that begins if there is none."""
    secrets: Mapping[str, str] = field(repr=False)
    """Those that were entered, with those of the client."""
    call: Callable[[Mapping[str, str]], "TokenCall"] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Renewed:
    """A grant and its tokens. `here` is whether this attempt renewed it."""

    grant: Grant
    tokens: Mapping[str, str] = field(repr=False)
    here: bool = False


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer that is not stored yet."""

    scope: SecretScope
    leased: Grant
    new: Grant
    tokens: Mapping[str, str] = field(repr=False)


class Refresher:
    """One per process. `off_loop` runs what blocks beside the event loop."""

    def __init__(
        self,
        store: GrantStore,
        vault: Vault,
        clock: Clock,
        off_loop: Callable[..., Any] = beside_loop,
    ) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._off_loop = off_loop
        self._unstored: dict[str, _Answer] = {}
        """By the ids of their leases."""

    async def renew(
        self,
        what: Renewable,
        guard: "EgressGuard",
        *,
        deadline: float,
        newer_than: int,
        waits: bool = True,
    ) -> Renewed:
        """Tokens of a later generation than `newer_than`, obtained here or by another.

        `deadline` is a time of the event loop, before which this should end. Unless it `waits`, a
        grant that another is renewing is left to that one. Raises `RenewalFailed`, `NotInTime`, and
        `TemporarilyUnavailable`, after which nothing is known to be wrong with the grant;
        `ValueRefused`.
        """
        await self.store_kept(deadline)
        seen, is_new = what.grant or what.first, what.grant is None
        pauses = iter(_WAITS)
        wait = _WAITS[0]
        while True:
            now = self._clock()
            if seen.generation > newer_than and seen.has_tokens:
                return Renewed(seen, await self._open(what.scope, seen, now))
            if seen.end is not None or not may_try(seen, now):
                raise RenewalFailed(seen)
            if seen.lease and now <= seen.lease.until + SKEW:
                if not waits:
                    raise NotInTime
                wait = next(pauses, wait)
                await self._wait(wait, deadline)
                seen, is_new = await self._reread(what), False
                continue
            try:
                return await self._attempt(what, seen, guard, deadline, is_new=is_new)
            except Overtaken as overtaken:
                if overtaken.grant is None:
                    raise TemporarilyUnavailable from None  # its endpoint has changed
                seen, is_new = overtaken.grant, False

    async def store_kept(self, deadline: float) -> None:
        """Stores answers that could not be stored before. What still can't be stays, and keeps no
        other grant from being renewed."""
        ends = min(deadline, loop_time() + _KEPT_SECONDS)
        for lease_id, answer in list(self._unstored.items()):
            try:
                await self._stored(lease_id, answer, ends)
            except (TemporarilyUnavailable, Overtaken):
                continue
            except Exception as error:
                log_exception("token answer not stored", error, endpoint_id=answer.new.endpoint_id)

    async def _attempt(
        self,
        what: Renewable,
        seen: Grant,
        guard: "EgressGuard",
        deadline: float,
        *,
        is_new: bool,
    ) -> Renewed:
        """Takes the lease, calls, and stores. Raises `Overtaken` if it did not get the lease."""
        began_at, began = self._clock(), loop_time()
        before = await self._open(what.scope, seen, began_at) if seen.has_tokens else {}
        call = await self._off_loop(self._prepared, what, before, began_at)
        ends = min(deadline, began + LEASE.total_seconds())
        call_ends = min(began + CALL_SECONDS, ends - _TO_STORE_SECONDS)
        if call_ends - loop_time() < LEAST_CALL_SECONDS:
            raise NotInTime
        lease_id = uuid4().hex
        leased = await self._off_loop(
            self._store.take, seen, what.endpoint, lease_id, began_at, is_new=is_new
        )
        if call_ends - loop_time() < LEAST_CALL_SECONDS:
            # Nothing was sent. What an attempt before it may have lost stays noted.
            await self._settle(leased, leased)
            raise NotInTime
        try:
            issued = await call.run(guard, deadline=call_ends)
        except (CheckFailure, DialFailure) as failed:
            failure = failed if isinstance(failed, CheckFailure) else CheckFailure.of(failed)
            redact = Redactor([*what.secrets.values(), *before.values(), *call.secret_values])
            return await self._failed(what, leased, failure, redact)
        tokens = _tokens_after(issued, {**what.secrets, **before})
        answer = _Answer(what.scope, leased, answered(leased, issued, began_at), tokens)
        self._unstored[lease_id] = answer
        try:
            grant = await self._stored(lease_id, answer, ends)
        except TemporarilyUnavailable as error:
            # It is good for this use, and stored before anything else the next time.
            log_exception("token answer not stored yet", error, endpoint_id=what.endpoint.id)
            grant = replace(answer.new, generation=leased.attempts)
        except Overtaken as overtaken:
            if overtaken.grant is None or not overtaken.grant.has_tokens:
                raise TemporarilyUnavailable from None  # connected again, or deleted
            now = self._clock()
            return Renewed(overtaken.grant, await self._open(what.scope, overtaken.grant, now))
        return Renewed(grant, tokens, here=True)

    def _prepared(self, what: Renewable, tokens: Mapping[str, str], now: datetime) -> "TokenCall":
        """The call, and with it all that storing its answer takes but for the table."""
        self._vault.keys.current(what.scope.organization_id, now)
        return what.call({**what.secrets, **tokens})

    async def _stored(self, lease_id: str, answer: _Answer, ends: float) -> Grant:
        """Stores an answer, while there is time. Raises `Overtaken`, `TemporarilyUnavailable`."""
        pause = _FIRST_PAUSE
        while True:
            try:
                sealed = await self._off_loop(
                    self._vault.sealed_parts, answer.scope, answer.tokens, self._clock()
                )
                grant: Grant = await self._off_loop(
                    self._store.keep, answer.leased, answer.new, sealed
                )
            except DataKeyRotated:
                continue  # sealed again under the new one
            except TemporarilyUnavailable:
                if loop_time() + pause >= ends:
                    raise
                await sleep(random.uniform(pause / 2, pause))  # noqa: S311 - spreads load
                pause = min(_LONGEST_PAUSE, pause * 2)
            except Overtaken:
                self._unstored.pop(lease_id, None)
                raise
            else:
                self._unstored.pop(lease_id, None)
                return grant

    async def _failed(
        self, what: Renewable, leased: Grant, failure: CheckFailure, redact: Redactor
    ) -> Renewed:
        """Settles an attempt that failed. Returns what another attempt obtained meanwhile, and
        raises `RenewalFailed` otherwise."""
        now = self._clock()
        sent = failure.phase is None and failure.code != "egress_blocked"
        if sent and failure.is_grant_gone:
            fresh = await self._reread(what)
            if fresh.generation > leased.generation and fresh.has_tokens:
                await self._settle(leased, replace(leased, lost_at=None))
                return Renewed(fresh, await self._open(what.scope, fresh, now))
            reason: Any = "answer_lost" if leased.lost_at else "refused"
            end = GrantEnd(reason, failure.code, now, leased.lost_at)
            raise RenewalFailed(await self._settle(leased, replace(leased, end=end, failure=None)))
        is_unknown = sent and failure.code in _UNKNOWN
        lost_at = leased.lost_at or (leased.held.began_at if is_unknown else None)
        count = 1 + (leased.failure.count if leased.failure else 0)
        failed = RefreshFailure(
            failure.code,
            str(redact.sentence(failure.summary)),
            now,
            retry_at(
                failure.code,
                count,
                now,
                sent=sent,
                retry_after=failure.retry_after_seconds,
                key=leased.endpoint_id,
                lost_at=lost_at,
            ),
            count,
        )
        until = now + UNKNOWN_OUTCOME if sent and failure.code in _STILL_WORKING else None
        settled = await self._settle(
            leased, replace(leased, failure=failed, lost_at=lost_at), until
        )
        raise RenewalFailed(settled)

    async def _settle(self, leased: Grant, new: Grant, until: datetime | None = None) -> Grant:
        """What can't be written now is left: the lease ends by itself."""
        try:
            settled: Grant = await self._off_loop(self._store.settle, leased, new, until=until)
        except Overtaken as overtaken:
            return overtaken.grant or new
        except TemporarilyUnavailable as error:
            log_exception("lease not returned", error, endpoint_id=leased.endpoint_id)
            return new
        return settled

    async def _wait(self, seconds: float, deadline: float) -> None:
        if loop_time() + seconds >= deadline:
            raise NotInTime
        await sleep(random.uniform(seconds / 2, seconds))  # noqa: S311 - spreads load

    async def _reread(self, what: Renewable) -> Grant:
        """As it stands now. Raises `TemporarilyUnavailable` if the endpoint has changed."""
        endpoint = what.endpoint
        grant: Grant | None = await self._off_loop(
            self._store.reread, endpoint.organization_id, endpoint.id
        )
        if grant is None:
            logger.warning("grant is gone", endpoint_id=endpoint.id)
            raise TemporarilyUnavailable
        return grant

    async def _open(self, scope: SecretScope, grant: Grant, now: datetime) -> dict[str, str]:
        opened: dict[str, str] = await self._off_loop(
            self._vault.open_parts, scope, dict(grant.sealed), now
        )
        return opened


def _tokens_after(issued: "IssuedTokens", before: Mapping[str, str]) -> dict[str, str]:
    """The tokens to keep. A provider that does not replace the refresh token names none."""
    tokens = {"access_token": issued.access_token}
    if refresh_token := issued.refresh_token or before.get("refresh_token"):
        tokens["refresh_token"] = refresh_token
    return {name: tokens[name] for name in TOKENS if name in tokens}


def answered(leased: Grant, issued: "IssuedTokens", asked_at: datetime) -> Grant:
    """The grant with an answer. Lives are counted from before the call: never too long."""
    ends = _after_seconds(asked_at, issued.refresh_expires_in_seconds)
    before = leased.refresh_expires_at
    if ends is None and issued.refresh_token is None:
        ends = before  # the same token ends when it did
    is_fixed = bool(before and ends and ends <= before + SKEW)
    missing = tuple(issued.missing(leased.scopes_asked)) if leased.scopes_asked else ()
    return replace(
        leased,
        obtained_at=asked_at,
        expires_at=_after_seconds(asked_at, issued.expires_in_seconds),
        refresh_expires_at=ends,
        ends_are_fixed=is_fixed,
        scopes_granted=leased.scopes_granted if issued.scopes is None else tuple(issued.scopes),
        scopes_missing=leased.scopes_missing if issued.scopes is None else missing,
        entered_token=False,
        lost_at=None,
        failure=None,
        end=None,
        told=None if leased.told == ENDED_TOLD else leased.told,
        put_off_until=None,
    )


def _after_seconds(moment: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else moment + timedelta(seconds=seconds)
