"""The emulator of the local cloud gets no request that DynamoDB would refuse."""

import asyncio
import json
from typing import Any

import pytest

from local.ministack.limits import limited

PUT = {"TableName": "x-EventsTable-1", "Item": {"pk": {"S": "a"}, "sk": {"S": "b"}}}
EMPTY = {"TableName": "x-EventsTable-1", "Item": {"pk": {"S": "a"}, "sk": {"S": ""}}}


class Call:
    """A request in two parts to an application that takes everything, and what it got."""

    def __init__(self, target: str, body: bytes) -> None:
        self.reached: bytes | None = None
        self.sent: list[Any] = []
        self._scope = {"type": "http", "headers": [(b"x-amz-target", target.encode())]}
        self._parts = [
            {"type": "http.request", "body": body[:5], "more_body": True},
            {"type": "http.request", "body": body[5:]},
        ]

    def make(self) -> "Call":
        async def call() -> None:
            await limited(self._app)(self._scope, self._receive, self._send)

        asyncio.run(call())
        return self

    async def _app(self, _: Any, receive: Any, send: Any) -> None:
        self.reached = b""
        while True:
            part = await receive()
            self.reached += part["body"]
            if not part.get("more_body"):
                break
        await send("taken")

    async def _receive(self) -> Any:
        return self._parts.pop(0)

    async def _send(self, message: Any) -> None:
        self.sent.append(message)


def test_what_dynamodb_refuses_does_not_reach_it() -> None:
    call = Call("DynamoDB_20120810.PutItem", json.dumps(EMPTY).encode()).make()
    assert call.reached is None
    start, body = call.sent
    assert start["status"] == 400
    assert json.loads(body["body"])["__type"].endswith("#ValidationException")


@pytest.mark.parametrize(
    ("target", "content"),
    [
        ("DynamoDB_20120810.PutItem", json.dumps(PUT)),
        ("DynamoDB_20120810.PutItem", json.dumps(EMPTY | {"TableName": "things"})),
        ("DynamoDB_20120810.PutItem", "{"),
        ("DynamoDB_20120810.PutItem", "{}"),
        ("DynamoDB_20120810.DescribeTable", '{"TableName": "T"}'),
        ("AmazonSQS.SendMessage", "{}"),
        ("", ""),
    ],
)
def test_anything_else_reaches_it_as_it_is(target: str, content: str) -> None:
    call = Call(target, content.encode()).make()
    assert call.reached == content.encode()
    assert call.sent == ["taken"]
