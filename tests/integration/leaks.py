"""Searches the output of the system for a secret, in every form that it may have there."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from patchbay.platform import aws
from patchbay.platform.dynamodb import Table


def forms_of(secret: str) -> set[bytes]:
    """Plain; as Base64 by itself or within a longer text; escaped as in URLs, JSON,
    JSON Pointers and Python."""
    raw = secret.encode()
    percent = quote(raw, safe="")
    texts = {
        secret,
        raw.hex(),
        raw.hex().upper(),
        percent,
        quote(raw),
        quote_plus(raw),
        re.sub("%..", lambda found: found[0].lower(), percent),
        "".join(f"%{byte:02x}" for byte in raw),
        "".join(f"%{byte:02X}" for byte in raw),
        json.dumps(secret)[1:-1],
        json.dumps(json.dumps(secret)[1:-1])[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        repr(secret)[1:-1],
        secret.replace("~", "~0").replace("/", "~1"),
        secret[::-1],
    }
    for encode in (b64encode, urlsafe_b64encode):
        for before in range(3):
            # The characters at both ends depend on what stands around it.
            text = encode(b"\0" * before + raw).decode().rstrip("=")
            texts.add(text[(0, 2, 3)[before] : len(text) - (len(raw) + before) % 3 % 2 - 1])
    return {text.encode() for text in texts}


def leaks(secret: str, places: Mapping[str, str | bytes]) -> list[str]:
    """The names of the places where the secret can be read."""
    forms = forms_of(secret)
    assert min(map(len, forms)) >= 12, "too short to exclude an accident"
    raw = {name: text.encode() if isinstance(text, str) else text for name, text in places.items()}
    return [name for name, content in raw.items() if any(form in content for form in forms)]


def items_of(table: Table) -> Iterator[tuple[str, bytes]]:
    """Each item of a table by its keys, as the bytes of all its names and values.

    Only a test may scan.
    """
    start: dict[str, Any] = {}
    while True:
        page = aws.client("dynamodb").scan(TableName=table.name, **start)
        for item in page["Items"]:
            name = f"{table.name} {item['pk']['S']} {item['sk']['S']}"
            yield name, b"\n".join(_bytes_of(item))
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _bytes_of(value: Any) -> Iterator[bytes]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name.encode()
            yield from _bytes_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _bytes_of(inner)
    elif isinstance(value, bytes):
        yield value
    else:
        yield str(value).encode()
