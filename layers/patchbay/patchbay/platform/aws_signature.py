"""AWS Signature Version 4 for the requests that our DynamoDB client sends.

All of them are a POST to one path without a query, so that most of what is signed stays the same.
The key of a day is derived once, by four of the six HMACs of a signature.
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)
"""

import hashlib
import hmac
import time
from dataclasses import dataclass, field
from typing import Final

CONTENT_TYPE: Final = "application/x-amz-json-1.0"

_SERVICE: Final = "dynamodb"
_NAMES: Final = "content-type;host;x-amz-date;x-amz-target"
_NAMES_WITH_TOKEN: Final = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"  # noqa: S105 - names of headers


@dataclass(frozen=True, slots=True)
class AwsCredentials:
    """What requests are signed with. The token is empty for credentials that do not expire."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        sent = self.access_key_id + self.session_token
        if not (sent.isascii() and sent.isprintable()):
            raise ValueError("credentials must be printable ASCII, without line breaks")


@dataclass(frozen=True, slots=True)
class _DayKey:
    """The signing key of one day (`YYYYMMDD`), and whose it is."""

    day: str
    credentials: AwsCredentials
    key: bytes = field(repr=False)


class Signer:
    """Signs for one region and endpoint. Thread-safe."""

    def __init__(self, region: str, host: str, path: str = "/") -> None:
        """`host` is the value of the header: with the port, unless it is the scheme's own."""
        self._region = region
        self._host = host
        self._path = path
        self._key: _DayKey | None = None

    def headers(
        self, target: str, body: bytes, credentials: AwsCredentials, at: float
    ) -> dict[str, str]:
        """The headers of a request of this `X-Amz-Target`, sent at a time in seconds since 1970."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
        scope = f"{stamp[:8]}/{self._region}/{_SERVICE}/aws4_request"
        token = credentials.session_token
        names = _NAMES_WITH_TOKEN if token else _NAMES
        token_line = f"x-amz-security-token:{token}\n" if token else ""
        canonical = (
            f"POST\n{self._path}\n\ncontent-type:{CONTENT_TYPE}\nhost:{self._host}\n"
            f"x-amz-date:{stamp}\n{token_line}x-amz-target:{target}\n\n"
            f"{names}\n{hashlib.sha256(body).hexdigest()}"
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        signed = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        key = self._day_key(stamp[:8], credentials)
        signature = hmac.digest(key, signed.encode(), "sha256").hex()
        headers = {
            "Host": self._host,
            "Content-Type": CONTENT_TYPE,
            "X-Amz-Date": stamp,
            "X-Amz-Target": target,
            "Authorization": (
                f"AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope}, "
                f"SignedHeaders={names}, Signature={signature}"
            ),
        }
        if token:
            headers["X-Amz-Security-Token"] = token
        return headers

    def _day_key(self, day: str, credentials: AwsCredentials) -> bytes:
        known = self._key
        if known is not None and known.day == day and known.credentials == credentials:
            return known.key
        key = b"AWS4" + credentials.secret_access_key.encode()
        for part in (day, self._region, _SERVICE, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = _DayKey(day, credentials, key)
        return key
