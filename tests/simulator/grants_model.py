"""Processes that renew one grant at the same time, a table that fails, and a hostile provider.

What runs is the product's: `Refresher`, `GrantStore`, `Table`, and the vault. Time is virtual.

- **Processes**: three to six, with clocks that differ by up to 9 s. They read the grant, sometimes
  as it was seconds before, renew it when it is due or a token was rejected, and use it. Each may
  crash at any call, before or after it takes effect; another takes its place, with an empty memory.
- **The table** throttles, loses replies for good, and lets a call be repeated after its reply was
  lost; and it is sometimes gone for some seconds.
- **The provider** replaces the refresh token with every use, and ends the grant when an old one
  comes back: at once (`strict`), or after a grace of ten minutes. It is slow, loses requests and
  answers, works on after the client has given up, refuses with 429 and 500, before and after it has
  replaced the token, and revokes access tokens early.

Never may two requests with one refresh token be in flight: from when one is sent until the client
has ended it and the provider has worked on it. And no grant may be **lost**: ended, or kept with a
refresh token that the provider does not take. A strict provider ends a grant whose new token
reached nobody who lived to store it; no protocol can prevent that. Such a grant counts as
**unavoidable** only if the model saw the answer get lost, and it must end with the reason
`answer_lost`. It is never unavoidable while a process that lives has the answer.
"""

import argparse
import asyncio
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from unittest.mock import patch

from patchbay.checks.failures import CheckFailure
from patchbay.checks.roles import Role
from patchbay.connections.endpoint_items import endpoint_item
from patchbay.connections.endpoint_model import Endpoint, OwnershipMode
from patchbay.connections.keys import SYSTEM
from patchbay.connections.vault import SecretScope, Vault
from patchbay.grants.grant_model import Grant
from patchbay.grants.grant_store import GrantStore
from patchbay.grants.refresher import NotInTime, Refresher, Renewable, RenewalFailed
from patchbay.grants.timing import is_due
from patchbay.platform.dynamodb import Put, Table
from patchbay.platform.dynamodb_client import DynamoDBError
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.kept_connections import NoAnswer
from patchbay.platform.logging import logger
from tests.simulator.faults import Crash
from tests.simulator.memory_dynamodb import MemoryClient
from tests.simulator.virtual_time import VirtualLoop

START: Final = datetime(2026, 2, 17, 10, 0, tzinfo=UTC)
HOSTILE_SECONDS: Final = 1_500.0
"""How long everything fails; then it is quiet, and the grant must work."""
QUIET_SECONDS: Final = 7_300.0
"""Longer than the longest pause after failures, a lease, and a token's life."""
TOKEN_SECONDS: Final = 300
GRACE_SECONDS: Final = 600.0
MOST_SKEW: Final = 4.5
LONGEST_WORK: Final = 12.0
"""How long the provider may work on a request before it replaces the token, and after: longer than
many clients wait, and shorter than the pause after a call whose outcome is unknown."""
ORGANIZATION: Final = "org_01ARZ3NDEKTSV4RRFFQ69G5FAV"
_PART: Final = 100
ENDPOINT: Final = "src_01ARZ3NDEKTSV4RRFFQ69G5FAV"


@dataclass
class ModelOutcome:
    """What happened in some runs, and what must not have."""

    happened: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{count:>9,}  {what}" for what, count in sorted(self.happened.items())]
        return "\n".join([*lines, f"violations: {len(self.violations)}", *self.violations[:20]])


@dataclass(frozen=True, slots=True)
class Issued:
    access_token: str
    refresh_token: str | None
    expires_in_seconds: int | None = TOKEN_SECONDS
    refresh_expires_in_seconds: int | None = None
    scopes: tuple[str, ...] | None = None
    captured: Mapping[str, str] = field(default_factory=dict)

    def missing(self, _: Any) -> list[str]:
        return []


class _Provider:
    """An authorization server that replaces refresh tokens, and knows who uses an old one."""

    def __init__(self, model: "GrantModel", grace: float) -> None:
        self._model = model
        self._grace = grace
        self._number = 0
        self.current = self._issue()
        self.previous: dict[str, tuple[float, str]] = {}
        self.alive = True
        self.valid_until: dict[str, float] = {}

    def _issue(self) -> str:
        self._number += 1
        return f"refresh-{self._number}"

    def takes(self, access_token: str | None, now: float) -> bool:
        return self.alive and now < self.valid_until.get(access_token or "", 0.0)

    def refresh(self, token: str, now: float) -> Issued:
        """Raises CheckFailure as `TokenCall.run`."""
        gone = CheckFailure("auth_expired", "The refresh token is not valid.", is_grant_gone=True)
        if not self.alive:
            raise gone
        if token == self.current:
            self.current = self._issue()
            self.previous[token] = (now, self.current)
        else:
            used_at, successor = self.previous.get(token, (float("-inf"), ""))
            if successor != self.current or now > used_at + self._grace:
                self.alive = False
                self._model.happened("reuse detected, grant ended by the provider")
                raise gone
            self._model.happened("old refresh token taken within its grace")
        access = f"access-{self.current}-{now}"
        self.valid_until[access] = now + TOKEN_SECONDS
        return Issued(access, self.current)


class _Call:
    """One request to the provider."""

    secret_values = ()

    def __init__(self, process: "_Process", token: str) -> None:
        self._process = process
        self._token = token

    async def run(self, _: Any, *, deadline: float) -> Issued:
        process, model = self._process, self._process.model
        busy = model.busy.setdefault(self._token, set())
        if busy:
            model.violated("two requests with one refresh token were in flight")
        ends = (object(), object())
        busy.update(ends)
        working = asyncio.ensure_future(self._worked())
        working.add_done_callback(lambda _: busy.discard(ends[0]))
        delivered = False
        try:
            process.may_crash("crashed during a call")
            async with asyncio.timeout_at(deadline):
                issued = await asyncio.shield(working)
            delivered = not (model.hostile and model.chance.random() < 0.02)
            if not delivered:
                raise CheckFailure("connection_reset", "The server cut the connection.")
        except TimeoutError:
            raise CheckFailure("provider_timeout", "The server did not answer in time.") from None
        finally:
            busy.discard(ends[1])
            if not delivered:
                working.add_done_callback(model.undelivered)
        process.holding = issued.refresh_token
        process.may_crash("crashed with an answer")
        return issued

    async def _worked(self) -> Issued:
        """The provider's side, which goes on when the client has given up."""
        model, chance = self._process.model, self._process.model.chance
        await asyncio.sleep(model.slowness())
        drawn = chance.random() if model.hostile else 1.0
        if drawn < 0.04:
            model.happened("requests lost on the way")
            await asyncio.sleep(LONGEST_WORK)  # the client waits until its deadline
            raise CheckFailure("connection_reset", "The server cut the connection.")
        if drawn < 0.07:
            retry_after = chance.choice([None, 5, 60])
            raise CheckFailure("rate_limited", "Slower.", retry_after_seconds=retry_after)
        if drawn < 0.10:
            raise CheckFailure("provider_error", "The provider failed.")
        if drawn < 0.12:
            raise CheckFailure("connection_refused", "Refused.", phase="tcp")
        issued = model.provider.refresh(self._token, asyncio.get_running_loop().time())
        model.happened("refreshed")
        if drawn < 0.13:
            model.lost(issued, "errors after the token was replaced")
            raise CheckFailure("provider_error", "The provider failed.")
        await asyncio.sleep(model.slowness())
        return issued


class _FaultyClient:
    """The client of one process: the table's calls fail as networks and services do."""

    def __init__(self, process: "_Process") -> None:
        self._process = process

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            model = self._process.model
            real = getattr(model.client, operation)
            if f"'{SYSTEM}'" in str(request):
                return real(**request)  # deployment keys, which have tests of their own
            self._process.may_crash("crashed before a call to the table")
            model.happened("calls to the table")
            if model.is_out():
                raise DynamoDBError(operation, "ThrottlingException")
            drawn = model.chance.random() if model.hostile else 1.0
            if drawn < 0.015:
                model.happened("throttled")
                raise DynamoDBError(operation, "ThrottlingException")
            answer = real(**request)
            self._process.may_crash("crashed after a call to the table")
            if drawn < 0.03:
                model.happened("replies lost for good")
                raise NoAnswer("timeout")
            if drawn < 0.06:
                model.happened("replies lost, calls repeated")
                return real(**request)
            return answer

        return call


class _Kms:
    """Wraps nothing: what is sealed under the key is what counts here."""

    class meta:  # noqa: N801 - as botocore names it
        region_name = "us-east-1"

    def generate_data_key(self, **_: Any) -> Any:
        return {"CiphertextBlob": b"k" * 32, "Plaintext": b"k" * 32}

    def decrypt(self, **request: Any) -> Any:
        return {"Plaintext": request["CiphertextBlob"]}


class _Process:
    """One process: invocation after invocation, until it crashes."""

    def __init__(self, model: "GrantModel") -> None:
        self.model = model
        self.alive = True
        self.holding: str | None = None
        """The refresh token of an answer that is not stored yet."""
        self._skew = timedelta(seconds=model.chance.uniform(-MOST_SKEW, MOST_SKEW))
        self.table = Table("integrations", _FaultyClient(self))
        self.store = GrantStore(self.table)
        self.vault = Vault(self.table, "key", _Kms())  # type: ignore[arg-type]
        self.refresher = Refresher(self.store, self.vault, self.clock, self.off_loop)
        self._seen: Grant | None = None

    def clock(self) -> datetime:
        now = START + timedelta(seconds=asyncio.get_running_loop().time()) + self._skew
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    async def off_loop(self, do: Callable[..., Any], *args: Any, **named: Any) -> Any:
        chance = self.model.chance
        await asyncio.sleep(chance.uniform(0.001, 0.02))
        done = do(*args, **named)
        await asyncio.sleep(chance.uniform(0.001, 0.02))
        return done

    def may_crash(self, what: str) -> None:
        if self.model.hostile and self.model.chance.random() < 0.004:
            self.alive = False
            self.model.happened(what)
            raise Crash

    async def run(self) -> None:
        """Until it crashes, or the model ends."""
        try:
            while not self.model.is_over():
                await asyncio.sleep(self.model.chance.expovariate(1 / 20.0))
                await self.use()
        except Crash:
            if self.holding and self.holding != self.model.stored_token():
                self.model.lost_token(self.holding, "answers that died with their process")

    async def use(self) -> bool:
        """Whether the provider took the access token, in the end."""
        model, loop = self.model, asyncio.get_running_loop()
        try:
            grant, secrets = await self.off_loop(self._read)
        except TemporarilyUnavailable:
            return False
        model.has_ended = model.has_ended or bool(grant and grant.end)
        token = secrets.get("access_token")
        rejected = token is not None and not model.provider.takes(token, loop.time())
        is_good = grant is not None and grant.end is None and token and not rejected
        if grant and is_good and not is_due(grant, self.clock()):
            return True
        first = Grant(ORGANIZATION, ENDPOINT, "first", renewed_by="refresh_token")
        what = Renewable(
            endpoint=model.endpoint,
            scope=model.scope,
            grant=grant,
            first=first,
            secrets=model.pasted,
            call=lambda known: _Call(self, known["refresh_token"]),  # type: ignore[arg-type,return-value]
        )
        deadline = loop.time() + model.chance.choice([8.0, 25.0, 60.0])
        try:
            renewed = await self.refresher.renew(
                what,
                None,  # type: ignore[arg-type]
                deadline=deadline,
                newer_than=grant.generation if grant else 0,
            )
        except (RenewalFailed, NotInTime, TemporarilyUnavailable) as failed:
            model.happened(f"ended with {type(failed).__name__}")
            return False
        return model.provider.takes(renewed.tokens["access_token"], loop.time())

    def _read(self) -> tuple[Grant | None, Mapping[str, str]]:
        """Sometimes what it read before: a page of a sweep is read ahead."""
        if self._seen is None or self.model.chance.random() < 0.8 or not self.model.hostile:
            self._seen = self.store.get(ORGANIZATION, ENDPOINT)
        grant, tokens = self._seen, dict[str, str]()
        if grant and grant.has_tokens:
            tokens = self.vault.open_parts(self.model.scope, dict(grant.sealed), self.clock())
        return grant, {**self.model.pasted, **tokens}


class GrantModel:
    """One run."""

    def __init__(self, seed: int, outcome: ModelOutcome) -> None:
        self.chance = Random(seed)  # noqa: S311 - repeatable runs
        self._seed = seed
        self._outcome = outcome
        self._strict = seed % 2 == 0
        self.client = MemoryClient()
        self.provider = _Provider(self, 0.0 if self._strict else GRACE_SECONDS)
        self.pasted = {"refresh_token": self.provider.current, "client_id": "c"}
        self.endpoint = endpoint()
        binding = {"integration": self.endpoint.integration_id}
        self.scope = SecretScope(ORGANIZATION, ENDPOINT, str(binding), "grant")
        self.hostile = True
        self.has_ended = False
        self._lost: set[str] = set()
        self._outages: list[tuple[float, float]] = []
        self.busy: dict[str, set[object]] = {}
        """The ends of requests, of the client and of the provider, by the token that was sent."""

    def run(self) -> None:
        random.seed(self._seed)
        loop = VirtualLoop()
        try:
            with patch("time.sleep", lambda _: None):
                loop.run_until_complete(self._run())
        finally:
            loop.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        table = Table("integrations", self.client)
        table.write(Put(endpoint_item(self.endpoint)))
        for _ in range(self.chance.randrange(3)):
            at = self.chance.uniform(0, HOSTILE_SECONDS)
            self._outages.append((at, at + self.chance.uniform(1, 20)))
        count = self.chance.randint(3, 6)
        processes = [asyncio.ensure_future(self._succession()) for _ in range(count)]
        loop.call_later(HOSTILE_SECONDS, setattr, self, "hostile", False)
        await asyncio.gather(*processes)
        await self._check()

    async def _succession(self) -> None:
        """A process, and those that take its place."""
        while not self.is_over():
            await _Process(self).run()
            await asyncio.sleep(self.chance.uniform(0, 30))

    async def _check(self) -> None:
        """In quiet, a fresh process must get a token that works, unless the grant has ended as it
        may."""
        loop = asyncio.get_running_loop()
        process = _Process(self)
        until = loop.time() + QUIET_SECONDS
        works = False
        self.hostile = False
        while not works and loop.time() < until:
            works = await process.use()
            if self.has_ended:
                break
            await asyncio.sleep(5)
        grant = process.store.reread(ORGANIZATION, ENDPOINT)
        if works:
            self.happened("runs that end with a token that works")
            return
        reason = grant.end.reason if grant and grant.end else None
        if not (self._strict and self._lost):
            self.violated(f"a grant was lost: {reason}")
        elif reason != "answer_lost":
            self.violated(f"a grant whose answer was lost ended with {reason}")
        else:
            self.happened("runs whose answer reached nobody, which a strict provider punishes")

    def is_over(self) -> bool:
        """An ended grant stays so: nothing more can happen to it."""
        return self.has_ended or asyncio.get_running_loop().time() >= HOSTILE_SECONDS

    def is_out(self) -> bool:
        now = asyncio.get_running_loop().time()
        return self.hostile and any(begin <= now < end for begin, end in self._outages)

    def slowness(self) -> float:
        if not self.hostile or self.chance.random() < 0.9:
            return self.chance.uniform(0.02, 1.0)
        return self.chance.uniform(1.0, LONGEST_WORK)

    def undelivered(self, work: "asyncio.Future[Issued]") -> None:
        """The client is gone: what the provider issued reaches nobody."""
        if not work.cancelled() and work.exception() is None:
            self.lost(work.result(), "answers that reached nobody")

    def lost(self, issued: Issued, how: str) -> None:
        self.lost_token(issued.refresh_token, how)

    def lost_token(self, token: str | None, how: str) -> None:
        self.happened(how)
        if token == self.provider.current:
            self._lost.add(token)

    def stored_token(self) -> str | None:
        """The refresh token that the table has, without any fault."""
        table = Table("integrations", self.client)
        grant = GrantStore(table).get(ORGANIZATION, ENDPOINT)
        if grant is None or not grant.has_tokens:
            return self.pasted["refresh_token"]
        vault = Vault(table, "key", _Kms())  # type: ignore[arg-type]
        return vault.open_parts(self.scope, dict(grant.sealed), START).get("refresh_token")

    def happened(self, what: str) -> None:
        self._outcome.happened[what] += 1

    def violated(self, what: str) -> None:
        self._outcome.violations.append(f"seed {self._seed}: {what}")


def endpoint() -> Endpoint:
    return Endpoint(
        id=ENDPOINT,
        organization_id=ORGANIZATION,
        role=Role.SOURCE,
        name="Tracker",
        integration="acme/tracker",
        integration_id="int_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        version="1.0.0",
        category="crm",
        variables={},
        secrets_set=["client_id", "refresh_token"],
        members=[],
        dependencies=[],
        environment=None,
        external_account_id=None,
        ownership_mode=OwnershipMode.MANAGED,
        created_at=START,
        updated_at=START,
        binding={},
        revision=1,
    )


def run_models(seeds: range) -> ModelOutcome:
    """One run for each seed."""
    outcome = ModelOutcome()
    for seed in seeds:
        GrantModel(seed, outcome).run()
        outcome.happened["runs"] += 1
    return outcome


def main() -> int:
    """All runs, in several processes; the exit code is 1 if there is a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.grants_model")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    logger.setLevel(logging.CRITICAL)
    started, whole = time.monotonic(), ModelOutcome()
    last = options.first + options.runs
    parts = [range(at, min(at + _PART, last)) for at in range(options.first, last, _PART)]
    with ProcessPoolExecutor() as pool:
        for outcome in pool.map(run_models, parts):
            whole.happened.update(outcome.happened)
            whole.violations += outcome.violations
            if sys.stderr.isatty():
                print(whole.happened["runs"], file=sys.stderr)
    print(f"{time.monotonic() - started:.0f} s\n{whole}")
    return 1 if whole.violations else 0


if __name__ == "__main__":
    sys.exit(main())
