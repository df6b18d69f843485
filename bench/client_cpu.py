"""The CPU of a DynamoDB call and of making the client: ours and botocore's, over HTTP and TLS.

The server is a process of its own that answers each request with one item.
"""

import asyncio
import json
import os
import ssl
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, Final

import trustme

from bench.own_process import SPAWN, in_own_process
from bench.report import Row

CALLS: Final = 500
ROUNDS: Final = 3
RATIO: Final = 0.2

_KEY: Final = {"pk": {"S": "CON#con_01KHZ0000000000000000000AB"}, "sk": {"S": "META"}}
_ITEM: Final = {**_KEY, "name": {"S": "Acme"}, "uses": {"N": "12"}, "config": {"S": "x" * 300}}
_BODY: Final = json.dumps({"Item": _ITEM}).encode()
_HEAD: Final = (
    "HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Sat, 28 Nov 2026 22:00:00 GMT\r\n"
    "Content-Type: application/x-amz-json-1.0\r\nConnection: keep-alive\r\n"
    "x-amzn-RequestId: ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGHIJKLMNOP\r\n"
    f"Content-Length: {len(_BODY)}\r\nx-amz-crc32: {zlib.crc32(_BODY)}\r\n\r\n"
).encode()


def rows() -> list[Row]:
    found = []
    for scheme in ("http", "https"):
        with tempfile.TemporaryDirectory() as folder, _server(scheme, Path(folder)) as port:
            os.environ.update(_environment(scheme, port, Path(folder)))
            ours, theirs = _cpu(_ours), _cpu(_botocores)
        found += [
            Row(f"DynamoDB client: a call by {scheme}, CPU", ours[1], "ms"),
            Row(f"DynamoDB client: a call by {scheme}, ÷ botocore", ours[1] / theirs[1], "", RATIO),
            Row(f"DynamoDB client: made for {scheme}, CPU", ours[0], "ms"),
            Row(f"DynamoDB client: made for {scheme}, ÷ botocore", ours[0] / theirs[0], ""),
        ]
    return found


def _ours() -> Any:
    from patchbay.platform.dynamodb import connect

    return connect()


def _botocores() -> Any:
    import botocore.session

    return botocore.session.get_session().create_client("dynamodb")


def _cpu(make: Callable[[], Any]) -> tuple[float, float]:
    """The milliseconds of making it, and of a call, in a process of its own."""
    with ProcessPoolExecutor(1, SPAWN) as process:
        return process.submit(_measure, make).result()


def _measure(make: Callable[[], Any]) -> tuple[float, float]:
    began = time.process_time()
    client = make()
    made = time.process_time() - began
    best = float("inf")
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        for _ in range(CALLS):
            client.get_item(TableName="t", Key=_KEY, ConsistentRead=True)
        best = min(best, time.process_time() - began)
    return made * 1000, best / CALLS * 1000


def _environment(scheme: str, port: int, folder: Path) -> dict[str, str]:
    trusted = {"AWS_CA_BUNDLE": str(folder / "authority.pem")} if scheme == "https" else {}
    return trusted | {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_SESSION_TOKEN": "t" * 600,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL_DYNAMODB": f"{scheme}://localhost:{port}",
        "no_proxy": "localhost",
    }


@contextmanager
def _server(scheme: str, folder: Path) -> Iterator[int]:
    """Yields its port; the folder then has the file that trusts it."""
    certificate = folder / "certificate.pem"
    if scheme == "https":
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "authority.pem")
        issued = authority.issue_cert("localhost")
        issued.private_key_and_cert_chain_pem.write_to_path(certificate)
    with in_own_process(_serve, certificate if certificate.exists() else None) as port:
        yield port


def _serve(ready: Pipe, certificate: Path | None) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length: ")[2].partition(b"\r")[0]
                await reader.readexactly(int(length))
                writer.write(_HEAD + _BODY)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def forever() -> None:
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        server = await asyncio.start_server(answer, "localhost", 0, ssl=context)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())
