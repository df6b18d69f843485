"""The public keys of a token issuer: its JSON Web Key Set (RFC 7517), fetched and cached.

The operator names the address, by a parameter of the deployment; no tenant does. It is still read
with care: HTTPS only, no redirects, no proxies from the environment, a deadline for the whole
fetch, a limit on its size, and only the public members of each key.

- Keys are fetched when they are first needed, and again after 10 minutes.
- A token that names an unknown key fetches them again, at most every 30 seconds: the issuer may
  have rotated its keys, and invented key names must not flood it.
- While the issuer can't be reached, the last keys stay in use for up to an hour.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from patchbay.platform.errors import PatchbayError, TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.platform.strict_json import loads

FRESH_FOR: Final = timedelta(minutes=10)
USABLE_FOR: Final = timedelta(hours=1)
REFETCHED_AFTER: Final = timedelta(seconds=30)

FETCH_SECONDS: Final = 3
"""For the whole fetch, name lookup included."""

MAX_BYTES: Final = 64 * 1024
MAX_KEYS: Final = 50

_RSA_BITS: Final = range(2048, 8193)
"""At least what RFC 7518 (section 3.3) requires; at most what is quick to verify."""


_CURVES: Final = {
    ("EC", "P-256"): "ES256",
    ("EC", "P-384"): "ES384",
    ("EC", "P-521"): "ES512",
    ("OKP", "Ed25519"): "EdDSA",
}
"""The one algorithm of a key on a curve (RFC 7518, section 3.4; RFC 8037, section 3.1)."""
_OF_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_USUAL: Final = "RS256"
"""Of an RSA key whose entry has no algorithm, as with those of Entra ID."""
ALGORITHMS: Final = _OF_RSA | frozenset(_CURVES.values())
"""All of them asymmetric: a public key can't pass as a secret."""
_PUBLIC: Final = {
    "RSA": ("kty", "n", "e"),
    "EC": ("kty", "crv", "x", "y"),
    "OKP": ("kty", "crv", "x"),
}
"""The members of a public key, by its type."""


class KeyName(NamedTuple):
    """How a token names its key. A key serves one algorithm, so that is part of its name."""

    key_id: str
    algorithm: str


class KeySetUnavailable(Exception):
    """The key set could not be fetched or read. The text is the reason, for the log."""


class KeySet:
    """The keys at one address."""

    def __init__(self, url: str, fetch: Callable[[str], bytes] | None = None) -> None:
        self._url = url
        self._fetch = fetch or fetched
        self._keys: Mapping[KeyName, Any] = {}
        self._fetched_at: datetime | None = None
        self._asked_at: datetime | None = None

    def find(self, name: KeyName, now: datetime) -> Any | None:
        """The key (a `jwt.PyJWK`) of this name; None if the issuer has no such key.

        Raises `TemporarilyUnavailable` if the key set is needed and can't be fetched.
        """
        known = self._keys.get(name) if self._age(now) < USABLE_FOR else None
        if known and self._age(now) < FRESH_FOR:
            return known
        if self._asked_at is None or now - self._asked_at >= REFETCHED_AFTER:
            self._refresh(now)
            known = self._keys.get(name) if self._age(now) < USABLE_FOR else None
        if known is None and self._asked_at != self._fetched_at:
            raise TemporarilyUnavailable  # the last fetch failed: the key may exist
        return known

    def _age(self, now: datetime) -> timedelta:
        return now - self._fetched_at if self._fetched_at else timedelta.max

    def _refresh(self, now: datetime) -> None:
        self._asked_at = now
        try:
            self._keys = keys_of(self._fetch(self._url))
        except KeySetUnavailable as error:
            logger.error("the issuer's keys can't be fetched", reason=str(error))
            return
        self._fetched_at = now


def keys_of(document: bytes) -> dict[KeyName, Any]:
    """The keys of a key set that can verify one of `ALGORITHMS`; others are left out.

    Of two keys with the same name, the first counts. Raises `KeySetUnavailable` if it is not a key
    set.
    """
    try:
        listed = loads(document)["keys"]
    except (PatchbayError, KeyError, TypeError):
        raise KeySetUnavailable("it is not a JSON Web Key Set") from None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise KeySetUnavailable(f"it is not a list of at most {MAX_KEYS} keys")
    keys: dict[KeyName, Any] = {}
    for entry in listed:
        if isinstance(entry, dict) and (found := _named_key(entry)):
            keys.setdefault(*found)
    return keys


def _named_key(entry: Mapping[str, Any]) -> tuple[KeyName, Any] | None:
    key_id, algorithm = entry.get("kid"), _algorithm_of(entry)
    if not isinstance(key_id, str) or algorithm is None or entry.get("use", "sig") != "sig":
        return None
    import jwt

    with suppress(jwt.PyJWTError, ValueError, KeyError, TypeError):
        public = {member: entry[member] for member in _PUBLIC[entry["kty"]]}
        key = jwt.PyJWK(public, algorithm)
        if algorithm not in _OF_RSA or key.key.key_size in _RSA_BITS:
            return KeyName(key_id, algorithm), key
    return None


def _algorithm_of(entry: Mapping[str, Any]) -> str | None:
    """The one algorithm that a key is for; None if it is for none of `ALGORITHMS`."""
    kind, said = entry.get("kty"), entry.get("alg")
    if kind == "RSA":
        algorithm = _USUAL if said is None else str(said)
        return algorithm if algorithm in _OF_RSA else None
    curve = entry.get("crv")
    of_curve = (
        _CURVES.get((kind, curve)) if isinstance(kind, str) and isinstance(curve, str) else None
    )
    return of_curve if said in (None, of_curve) else None


def fetched(url: str) -> bytes:
    """The body of the response to a GET, if its status is 200. Raises `KeySetUnavailable`.

    A thread fetches it, so that neither a slow name server nor a slow response can hold up the
    request beyond the deadline.
    """
    from http.client import HTTPException, HTTPSConnection

    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise KeySetUnavailable("its address is not an https URL")
    connection = HTTPSConnection(parts.hostname, parts.port, timeout=FETCH_SECONDS)
    outcome: SimpleQueue[bytes | str] = SimpleQueue()

    def fetch() -> None:
        try:
            target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            connection.request("GET", target, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            body = answer.read(MAX_BYTES + 1)
            outcome.put(body if answer.status == 200 else f"status {answer.status}")
        except (OSError, HTTPException, ValueError) as error:
            outcome.put(type(error).__name__)
        finally:
            connection.close()

    Thread(target=fetch, daemon=True).start()
    try:
        result = outcome.get(timeout=FETCH_SECONDS)
    except Empty:
        _cut(connection)
        raise KeySetUnavailable(f"no response within {FETCH_SECONDS} s") from None
    if isinstance(result, str):
        raise KeySetUnavailable(result)
    if len(result) > MAX_BYTES:
        raise KeySetUnavailable(f"larger than {MAX_BYTES} bytes")
    return result


def _cut(connection: Any) -> None:
    """Closes the socket that another thread is reading or writing."""
    import socket

    if (open_socket := connection.sock) is not None:
        with suppress(OSError):
            open_socket.shutdown(socket.SHUT_RDWR)
