"""The kinds of steps, one line each. Importing them is cheap: I/O is imported when it runs."""

from collections.abc import Mapping
from typing import Final

from patchbay.checks.kinds.dns import DnsKind
from patchbay.checks.kinds.http import HttpKind
from patchbay.checks.kinds.oauth2_token import OAuth2TokenKind
from patchbay.checks.kinds.postgres import PostgresKind
from patchbay.checks.kinds.tcp import TcpKind
from patchbay.checks.kinds.tls import TlsKind
from patchbay.checks.probe import Kind

KINDS: Final[Mapping[str, Kind]] = {
    "dns": DnsKind(),
    "http": HttpKind(),
    "oauth2_token": OAuth2TokenKind(),
    "postgres": PostgresKind(),
    "tcp": TcpKind(),
    "tls": TlsKind(),
}
