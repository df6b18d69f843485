"""Refuses what DynamoDB refuses, where MiniStack would take it: `local.dynamodb_limits`.

What an update makes of an item MiniStack measures itself. Tables that are not Patchbay's have other
keys, which the limits know nothing of: they are left to MiniStack.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from local.dynamodb_limits import Refused, check
from local.ministack.bodies import App, Receive, Scope, Send, received_again, whole_body

_DYNAMODB = "DynamoDB_20120810"
_OURS = ("IntegrationsTable", "EventsTable")
"""What the names have that CloudFormation gives to the tables of template.yaml."""


def limited(app: App) -> App:
    """The same application, without these requests."""

    async def limiting(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        target = headers.get(b"x-amz-target", b"").decode("latin-1")
        service, _, operation = target.partition(".")
        if service != _DYNAMODB:
            await app(scope, receive, send)
            return
        body = await whole_body(receive)
        if body is None:  # the caller is gone
            return
        try:
            request = json.loads(body)
            if all(any(ours in name for ours in _OURS) for name in _tables(request)):
                check(operation, request)
        except Refused as refused:
            await _refuse(send, refused)
            return
        except (KeyError, TypeError, ValueError):
            pass  # it is malformed, which MiniStack says in DynamoDB's words
        await app(scope, received_again(body, receive), send)

    return limiting


def _tables(request: Mapping[str, Any]) -> Iterator[str]:
    yield from request.get("RequestItems", ())
    if "TableName" in request:
        yield request["TableName"]
    for action in request.get("TransactItems", ()):
        for one in action.values():
            yield one["TableName"]


async def _refuse(send: Send, refused: Refused) -> None:
    body = json.dumps(refused.members()).encode()
    headers = [
        (b"content-type", b"application/x-amz-json-1.0"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})
