"""What MiniStack knows, on disk within a second, and never half of it.

MiniStack writes its state when it is stopped; a process that is killed loses all of it. Here

- An item written to DynamoDB is in a journal before its request is answered. What one request
  wrote is one line, so a transaction is there as a whole or not at all.
- The state of the other services is looked at twice a second. What has changed is published with
  one rename, so a kill in the middle leaves what was published last.

While CloudFormation works on a stack nothing is published, and only the journal goes on: a kill or
a stop in the middle leaves the stack as it was before, ready to be deployed again.

    services/
      current                 the number of the generation that counts
      7/sqs.json              the state of a service, as MiniStack itself writes it
      7/dynamodb.journal      what happened to DynamoDB's items since its own state was written
      lambda-blobs/           the code of functions, by its hash (MiniStack's)
"""

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ministack.core import persistence as ministack_persistence
from ministack.services import cloudformation, dynamodb, lambda_svc

from local.ministack.bodies import App, Receive, Scope, Send
from local.ministack.front import API_PATH
from local.ministack.generations import Generations
from local.ministack.journal import Journal, replay

_PASS_SECONDS = 0.5
_PATIENCE_SECONDS = 120
"""A stack that takes longer is stuck, and must not keep the rest from being published."""
_JOURNAL_BYTES = 16 * 1024 * 1024
"""A journal that is longer is folded into DynamoDB's state, if it is longer than that too."""
_TRIES = 3

_ITEMS = "dynamodb"
_JOURNAL = "dynamodb.journal"
_ITEM_OPERATIONS = frozenset(
    {
        *("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan"),
        *("BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems"),
        *("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"),
    }
)
_SERVICE = re.compile(r"Credential=[^/]*/[^/]*/[^/]*/([^/]*)/")
# A request's signature names a service; its state may be named after a module.
_STATE_OF = {
    "events": "eventbridge",
    "execute-api": "apigateway",
    "logs": "cloudwatch_logs",
    "monitoring": "cloudwatch",
}
# Services that change by themselves: functions take messages, schedules end.
_RESTLESS = frozenset({"scheduler", "sqs"})

_log = logging.getLogger("patchbay.persistence")

States = Mapping[str, Callable[[], Any]]
"""How to read the state of each service that has one."""


class Persistence:
    """Stands in for MiniStack's own."""

    def __init__(self, folder: Path, ministack: Any) -> None:
        self._ministack = ministack
        self._generations = Generations(folder)
        self._journal = Journal()
        self._published: dict[str, str] = {}
        """The hash of each state that counts."""
        self._items_bytes = 0
        self._touched: set[str] = set()
        """Services that may have changed since they were looked at."""
        self._code_in_use: set[str] = set()
        self._forget_code = lambda_svc._prune_orphan_code_blobs
        self._busy_since: float | None = None
        self._passes: asyncio.Task[None] | None = None

    def take_over(self) -> None:
        """From now on, MiniStack loads and saves its state here."""
        self._journal.record(dynamodb, replaced=lambda: self._touched.add(_ITEMS))
        self._journal.open(self._generations.current / _JOURNAL)
        self._ministack.load_state = self._load
        self._ministack.save_all = self._save_at_the_end
        lambda_svc._prune_orphan_code_blobs = self._keep_code

    def kept(self, app: App) -> App:
        """The same application, whose answers wait for the journal."""

        async def keeping(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await app(scope, self._watched(receive), send)
                return

            async def sending(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    self._journal.write()
                await send(message)

            try:
                await app(scope, receive, sending)
            finally:
                self._touched.update(self._touched_by(scope))

        return keeping

    # ---- what may have changed

    def _touched_by(self, scope: Scope) -> Iterable[str]:
        """The states that a request may change by itself, apart from items."""
        if scope["path"].startswith(API_PATH):  # its functions sign what they ask for
            return ()
        headers = dict(scope["headers"])
        [service] = _SERVICE.findall(headers[b"authorization"].decode())
        operation = headers.get(b"x-amz-target", b"").decode().rpartition(".")[2]
        if service == "cloudformation":
            return self._states()
        if service == "dynamodb" and (
            operation in _ITEM_OPERATIONS or operation.startswith(("Describe", "List"))
        ):
            return ()
        return (_STATE_OF.get(service, service),)

    def _states(self) -> States:
        states: States = self._ministack._build_persistence_save_dict()
        return states

    def _stack_in_work(self) -> bool:
        statuses = [stack.get("StackStatus", "") for stack in cloudformation._stacks.all_values()]
        # A stack that is only reviewed waits for a person.
        if all(not s.endswith("_IN_PROGRESS") or s.startswith("REVIEW") for s in statuses):
            self._busy_since = None
            return False
        self._busy_since = self._busy_since or time.monotonic()
        return time.monotonic() - self._busy_since < _PATIENCE_SECONDS

    # ---- loading

    def _load(self, service: str) -> Any:
        """The state of a service as it was last, or none."""
        generation = self._generations.current
        try:
            text = (generation / f"{service}.json").read_text()
        except FileNotFoundError:
            return None
        self._published[service] = _digest(text)
        loaded = json.loads(text, object_hook=ministack_persistence._json_object_hook)["payload"]
        if service == _ITEMS:
            self._items_bytes = len(text)
            replay(generation / _JOURNAL, loaded["tables"])
        return loaded

    # ---- saving

    def _watched(self, receive: Receive) -> Receive:
        async def receiving() -> dict[str, Any]:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._passes = asyncio.create_task(self._pass_by_pass())
            elif self._passes is not None:
                self._passes.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._passes
            return message

        return receiving

    async def _pass_by_pass(self) -> None:
        while True:
            await asyncio.sleep(_PASS_SECONDS)
            self._journal.write()  # items that expired, without a request
            if self._stack_in_work():
                continue
            if self._journal.size() > max(_JOURNAL_BYTES, self._items_bytes):
                self._touched.add(_ITEMS)
            # Half a generation must not be left to what comes after a cancellation.
            writing = asyncio.ensure_future(asyncio.to_thread(self._publish, self._changed()))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await writing
                raise

    def _save_at_the_end(self, _states: States) -> None:
        if self._stack_in_work():
            return
        self._touched |= set(self._states())
        for _ in range(_TRIES):
            self._publish(self._changed())

    def _changed(self) -> dict[str, str]:
        """The states that differ from those that count."""
        states = self._states()
        names = (self._touched | _RESTLESS) & states.keys()
        self._touched.clear()
        changed = {}
        for name in names:
            try:
                text = self._text(name, states[name])
            except RuntimeError:  # a thread changed it meanwhile
                self._touched.add(name)
            except Exception:
                _log.exception("the state of %s can't be read", name)
            else:
                if name == _ITEMS or _digest(text) != self._published.get(name):
                    changed[name] = text
        return changed

    def _text(self, service: str, state: Callable[[], Any]) -> str:
        with contextlib.ExitStack() as unchanged:
            if service == _ITEMS:
                folder = self._generations.prepare()
                unchanged.enter_context(self._journal.splitting(folder / _JOURNAL))
            return json.dumps(
                {
                    "__ministack_format__": ministack_persistence._state_format_version(service),
                    "payload": state(),
                },
                default=ministack_persistence._json_default,
            )

    def _publish(self, changed: Mapping[str, str]) -> None:
        if not changed:
            return
        try:
            self._generations.publish({f"{name}.json": text for name, text in changed.items()})
        except OSError:
            _log.exception("the state can't be written")
            self._journal.abandon()
            self._generations.abandon()
            self._touched.update(changed)
            return
        self._published |= {service: _digest(text) for service, text in changed.items()}
        if _ITEMS in changed:
            self._journal.settle()
            self._items_bytes = len(changed[_ITEMS])
        if "lambda" in changed:
            self._forget_code(self._code_in_use)

    def _keep_code(self, in_use: set[str]) -> None:
        # What counts needs its code until the next generation counts.
        self._code_in_use = in_use


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
