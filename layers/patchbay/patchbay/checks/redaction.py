"""Removes known secret values from text that leaves the runner."""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from html import escape
from json import dumps
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
MIN_SECRET = 4
"""Shorter secrets are parts of ordinary words: replacing them would reveal them."""
MIN_FOLDED = 8
"""Shorter secrets are searched for in their own case only: in another they may be our own words."""


class Redactor:
    """Replaces every known secret, plain or encoded, by `[redacted]`.

    The encodings are those in which a server or a library is likely to return a value: Base64 (both
    alphabets, with and without padding), hexadecimal, percent-encoding, and the escapes of JSON and
    HTML. Long ones are found in any case, because servers change it.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if len(secret) >= MIN_SECRET}
        forms = {form for secret in known for form in _forms(secret)}
        # Longest first: a short secret inside a long one must not leave the rest of it readable.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._forms = [(form, form.lower() if len(form) >= MIN_FOLDED else "") for form in ordered]

    def __call__(self, text: str) -> str:
        # One pattern of all forms would cost more to compile than all texts of a test to search.
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
    # Letters and digits have no escapes, and most keys have nothing else.
    if secret.isascii() and secret.isalnum():
        return encoded
    return encoded | {
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        dumps(secret)[1:-1],
        escape(secret),
    }
