"""The ports that each protocol may be dialed at on the public internet.

A protocol that is not listed may not be dialed at all. An operator's allow rule brings its own
ports.
"""

from collections.abc import Mapping
from typing import Final

ALLOWED_PORTS: Final[Mapping[str, frozenset[int]]] = {
    "http": frozenset({80, 443, 8080, 8443}),
    # PostgreSQL and its usual poolers, by IANA's registry and the vendors' documentation. A wider
    # list would make of this kind, which sends nothing, a scanner of ports.
    "tcp": frozenset({5432, 5433, 5439, 6432, 6543}),
    "postgres": frozenset({5432, 5433, 5439, 6432, 6543}),
    # What IANA's registry has for protocols within TLS: https, submissions, ldaps, DNS, imaps,
    # pop3s, amqps, https-alt, secure MQTT.
    "tls": frozenset({443, 465, 636, 853, 993, 995, 5671, 8443, 8883}),
}
