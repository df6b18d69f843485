"""A stand-in for AWS in a process of its own: DynamoDB, SQS, KMS, and EventBridge over HTTP.

It listens on loopback, keeps connections alive, answers after a given time with the CRC that
DynamoDB sends, judges conditions, and counts calls and units. `AWS_ENDPOINT_URL` leads there. What
measures asks it under `/bench/…`, which no client of AWS does.
"""

import asyncio
import base64
import json
import os
import secrets
import socket
import uuid
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from multiprocessing.connection import Connection as Pipe
from typing import Any, Final

from bench.memory_tables import Counts, MemoryTables, Refused
from bench.own_process import in_own_process
from tests.integration.cloudformation import read_template

CALL_SECONDS: Final = 0.005
REGION: Final = "eu-central-1"

type Json = dict[str, Any]


class _Service:
    """What answers calls. One per process; one call at a time."""

    def __init__(self) -> None:
        self.tables = MemoryTables(read_template()["Resources"])
        self.seconds = 0.0
        self.other_calls: Counter[str] = Counter()
        self._messages: defaultdict[str, list[Json]] = defaultdict(list)

    def answer(self, target: str, asked: Json) -> tuple[int, Json]:
        service, _, operation = target.partition(".")
        if service.startswith("DynamoDB"):
            try:
                return 200, self.tables.call(operation, asked)
            except Refused as refused:
                return 400, refused.answer
        self.other_calls[f"{service.removeprefix('Amazon')}.{operation}"] += 1
        return 200, getattr(self, f"_{operation.lower()}")(asked)

    def control(self, what: str, asked: Json) -> Json:
        match what:
            case "pace":
                self.seconds = asked["seconds"]
            case "now":
                self.tables.now = asked["now"]
            case "messages":
                return {"messages": self._messages.pop(asked["queue"], [])}
            case "stored":
                return self.tables.stored()
            case "counts":
                counts, self.tables.counts = self.tables.counts, Counts()
                other, self.other_calls = self.other_calls, Counter()
                names = ("calls", "written", "read", "bytes_created")
                return {name: getattr(counts, name) for name in names} | {"other": other}
        return {}

    def _sendmessage(self, asked: Json) -> Json:
        message_id = str(uuid.uuid4())
        self._messages[_queue(asked)].append({"id": message_id, "body": asked["MessageBody"]})
        return {"MessageId": message_id}

    def _sendmessagebatch(self, asked: Json) -> Json:
        done = []
        for entry in asked["Entries"]:
            sent = self._sendmessage({"QueueUrl": asked["QueueUrl"], **entry})
            done.append({"Id": entry["Id"], **sent})
        return {"Successful": done, "Failed": []}

    def _generatedatakey(self, asked: Json) -> Json:
        key = secrets.token_bytes(32)
        wrapped = json.dumps([asked["EncryptionContext"], base64.b64encode(key).decode()])
        return {
            "KeyId": asked["KeyId"],
            "Plaintext": base64.b64encode(key).decode(),
            "CiphertextBlob": base64.b64encode(wrapped.encode()).decode(),
        }

    def _decrypt(self, asked: Json) -> Json:
        context, key = json.loads(base64.b64decode(asked["CiphertextBlob"]))
        if context != asked["EncryptionContext"]:
            raise ValueError("another encryption context")
        return {"KeyId": asked["KeyId"], "Plaintext": key}

    def _putevents(self, asked: Json) -> Json:
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in asked["Entries"]]}


def _queue(asked: Json) -> str:
    return str(asked["QueueUrl"]).rpartition("/")[2]


class _Connection(asyncio.Protocol):
    """One kept connection: a request, and its answer after a while."""

    def __init__(self, service: _Service) -> None:
        self._service = service
        self._received = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        request, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        length = int(fields.get("content-length", 0))
        if len(rest) < length:
            return
        self._received = rest[length:]
        path = request.split(" ")[1]
        asked = json.loads(rest[:length] or b"{}")
        if path.startswith("/bench/"):
            self._send(200, self._service.control(path.removeprefix("/bench/"), asked), 0)
        else:
            # The name of an operation has capitals, which the fields above lost.
            target = next(line for line in lines if line.lower().startswith("x-amz-target"))
            status, answer = self._service.answer(target.split(": ", 1)[1], asked)
            self._send(status, answer, self._service.seconds)

    def _send(self, status: int, answer: Json, seconds: float) -> None:
        body = json.dumps(answer).encode()
        text = (
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Bad Request'}\r\n"
            f"x-amzn-RequestId: {uuid.uuid4()}\r\nx-amz-crc32: {zlib.crc32(body)}\r\n"
            f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._transport.write, text + body)
        else:
            self._transport.write(text + body)


def serve(ready: Pipe) -> None:
    """Until the process is ended."""

    async def forever() -> None:
        service = _Service()
        server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(service), "127.0.0.1", 0, backlog=1024, family=socket.AF_INET
        )
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


class StandIn:
    """The stand-in, as what measures sees it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port

    def environment(self) -> dict[str, str]:
        """For a process whose AWS this is."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def pace(self, seconds: float) -> None:
        """How long a call takes."""
        self._ask("pace", seconds=seconds)

    def at(self, now: float) -> None:
        """Seconds since 1970, from which items are kept until they expire."""
        self._ask("now", now=now)

    def messages(self, queue: str) -> list[Json]:
        """What was sent to a queue since it was last asked: `id` and `body` of each."""
        messages: list[Json] = self._ask("messages", queue=queue)["messages"]
        return messages

    def counts(self) -> Json:
        """`calls`, `written`, `read`, `bytes_created`, `other` since it was last asked."""
        return self._ask("counts")

    def stored(self) -> dict[str, dict[str, int]]:
        return self._ask("stored")

    def _ask(self, what: str, **asked: Any) -> Json:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("POST", f"/bench/{what}", json.dumps(asked))
            answer: Json = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """A fresh one, which answers at once until it is given a pace."""
    with in_own_process(serve) as port:
        yield StandIn(port)
