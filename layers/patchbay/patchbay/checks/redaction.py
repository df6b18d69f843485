"""Takes known secret values out of text that leaves the runner."""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from json import dumps
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
MIN_SECRET = 4
"""Shorter ones are parts of ordinary words: replacing them would tell what they are."""


class Redactor:
    """Replaces every known secret, plain or encoded, by `[redacted]`.

    The encodings are those in which a server or a library is likely to give a value back: Base64
    (both alphabets, with and without padding), percent-encoding (either case), and the escapes of
    JSON.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if len(secret) >= MIN_SECRET}
        forms = {form for secret in known for form in _forms(secret)}
        # Longest first: a short secret inside a long one must not leave the rest of it readable.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def __call__(self, text: str) -> str:
        # No pattern of all forms: compiling one costs more than all the texts of a test.
        for form in self._forms:
            text = text.replace(form, REDACTED)
        return text


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "replace")
    plain, url_safe = b64encode(raw).decode(), urlsafe_b64encode(raw).decode()
    encoded = {secret, plain, plain.rstrip("="), url_safe, url_safe.rstrip("=")}
    # Letters and digits have no escapes, and most keys are made of them.
    if secret.isascii() and secret.isalnum():
        return encoded
    escaped = quote(raw, safe="")
    return encoded | {
        escaped,
        re.sub(r"%..", lambda match: match[0].lower(), escaped),
        quote(raw),
        quote_plus(raw),
        dumps(secret)[1:-1],
    }
