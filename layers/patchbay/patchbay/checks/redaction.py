"""Takes known secret values out of text that leaves the runner."""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from html import escape
from json import dumps
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
MIN_SECRET = 4
"""Shorter ones are parts of ordinary words: replacing them would tell what they are."""
MIN_FOLDED = 8
"""Shorter ones are looked for as they are spelt: in another case they may be words of our own."""


class Redactor:
    """Replaces every known secret, plain or encoded, by `[redacted]`.

    The encodings are those in which a server or a library is likely to give a value back: Base64
    (both alphabets, with and without padding), hexadecimal, percent-encoding, and the escapes of
    JSON and HTML; long ones in any case, since servers fold it.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if len(secret) >= MIN_SECRET}
        forms = {form for secret in known for form in _forms(secret)}
        # Longest first: a short secret inside a long one must not leave the rest of it readable.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._forms = [(form, form.lower() if len(form) >= MIN_FOLDED else "") for form in ordered]

    def __call__(self, text: str) -> str:
        # No pattern of all forms: compiling one costs more than all the texts of a test.
        folded = text.lower()
        for form, in_lower_case in self._forms:
            text = text.replace(form, REDACTED)
            if in_lower_case and in_lower_case in folded:
                text = re.sub(re.escape(form), REDACTED, text, flags=re.IGNORECASE)
        return text


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "replace")
    plain, url_safe = b64encode(raw).decode(), urlsafe_b64encode(raw).decode()
    encoded = {secret, plain, plain.rstrip("="), url_safe, url_safe.rstrip("="), raw.hex()}
    # Letters and digits have no escapes, and most keys are made of them.
    if secret.isascii() and secret.isalnum():
        return encoded
    return encoded | {
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        dumps(secret)[1:-1],
        escape(secret),
    }
