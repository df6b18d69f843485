"""AWS Signature Version 4: the `Authorization` of a request without a body. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import quote

EMPTY: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class AwsKey:
    """An access key. `session_token` is empty for one that does not end."""

    id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def signed_headers(
    key: AwsKey, method: str, host: str, path: str, region: str, service: str, now: datetime
) -> tuple[tuple[str, str], ...]:
    """The headers that sign a request without a body. `host` is as in the `Host` header, `path` is
    percent-encoded and has the query; `now` is in UTC."""
    moment = f"{now:%Y%m%dT%H%M%SZ}"
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    headers = {"host": host, "x-amz-content-sha256": EMPTY, "x-amz-date": moment}
    if key.session_token:
        headers["x-amz-security-token"] = key.session_token
    names = ";".join(sorted(headers))
    bare, _, query = path.partition("?")
    canonical = "\n".join(
        [
            method,
            bare,
            _canonical_query(query),
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            "",
            names,
            EMPTY,
        ]
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}"
    signing = f"AWS4{key.secret}".encode()
    for part in scope.split("/"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    signature = hmac.digest(signing, to_sign.encode(), "sha256").hex()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={key.id}/{scope}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    del headers["host"]
    return (*headers.items(), ("Authorization", authorization))


def encoded(text: str) -> str:
    """Percent-encoded as signatures need it: all but unreserved characters."""
    return quote(text, safe="")


def _canonical_query(query: str) -> str:
    parameters = [part.partition("=")[::2] for part in query.split("&") if part]
    return "&".join(f"{name}={value}" for name, value in sorted(parameters))
