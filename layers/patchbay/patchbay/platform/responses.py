"""An answer over HTTP, and how the gateway is told it (payload 2.0).

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from patchbay.platform.cookies import HostCookie


class Response[T](NamedTuple):
    """What is sent as it is. A route that returns one is documented with `T` as its body.

    A header of the media type is added, unless there is none. A body of bytes reaches the client as
    it is. One that may be `compressed` is so for a client that takes gzip.
    """

    status: int
    media_type: str | None = None
    body: str | bytes = ""
    headers: Mapping[str, str] = MappingProxyType({})
    cookies: tuple[HostCookie, ...] = ()
    compressed: bool = False

    @property
    def all_headers(self) -> dict[str, str]:
        if self.media_type is None:
            return dict(self.headers)
        return {**self.headers, "Content-Type": self.media_type}


def payload(response: Response[Any], accept_encoding: str) -> dict[str, Any]:
    """What a function returns to the gateway, for a request with this Accept-Encoding."""
    headers, body = response.all_headers, response.body
    if response.compressed and "gzip" in accept_encoding:
        headers["Content-Encoding"] = "gzip"
        body = _gzip(body.encode() if isinstance(body, str) else body)
    is_binary = isinstance(body, bytes)
    return {
        "statusCode": response.status,
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": is_binary,
        "headers": headers,
        "cookies": [str(cookie) for cookie in response.cookies],
    }


def _gzip(content: bytes) -> bytes:
    return zlib.compress(content, level=9, wbits=zlib.MAX_WBITS | 16)
