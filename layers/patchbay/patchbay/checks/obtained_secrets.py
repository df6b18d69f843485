"""`obtain` of an http step: secrets that its answer issues, for the steps after it. Pure.

```json
{"session": "/data/token", "csrf": {"cookie": "csrftoken"}, "key": {"header": "X-Auth-Token"}}
```

A string is a JSON Pointer into the body.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from patchbay.checks.auth_config import PLACEHOLDER_NAME_PATTERN
from patchbay.checks.json_pointer import is_pointer, resolve
from patchbay.checks.matchers import Matcher
from patchbay.checks.step_reader import StepReader
from patchbay.egress.cookies import CookieJar
from patchbay.egress.headers import is_header_name
from patchbay.platform.validation import pointer

type Place = Literal["body", "header", "cookie"]

MAX_SECRETS: Final = 5
MAX_LENGTH: Final = 8192
SECRET: Final = Matcher({"type": "string", "length": {"atLeast": 1, "atMost": MAX_LENGTH}})
"""What a secret may be in an answer."""
_NAME: Final = re.compile(PLACEHOLDER_NAME_PATTERN.strip("^$"))


@dataclass(frozen=True, slots=True)
class ObtainedSecret:
    """A secret, and where an answer has it: at a JSON Pointer of the body, or in a header or cookie
    of this name."""

    name: str
    place: Place
    at: str

    def found(self, document: object, headers: Mapping[str, str], cookies: CookieJar) -> str | None:
        """The secret in an answer, None if it is not there. `document` is the body; `headers` are
        by lower-case name; `cookies` are those of the redirects before it, too."""
        value: object
        match self.place:
            case "body":
                value = resolve(document, self.at)
            case "header":
                value = headers.get(self.at.lower())
            case "cookie":
                value = cookies.value(self.at)
        return value if isinstance(value, str) and 0 < len(value) <= MAX_LENGTH else None

    def __str__(self) -> str:
        return f'"{self.at}"' if self.place == "body" else f'the {self.place} "{self.at}"'


def read_obtain(reader: StepReader) -> tuple[ObtainedSecret, ...]:
    """The member `obtain` of a step. Problems are reported."""
    obtain = reader.step.get("obtain", {})
    if not isinstance(obtain, dict) or len(obtain) > MAX_SECRETS:
        reader.report("/obtain", f"must be an object of at most {MAX_SECRETS} secrets")
        return ()
    found = []
    for name, spec in obtain.items():
        at = f"/obtain{pointer([name])}"
        if not _NAME.fullmatch(name):
            reader.report(at, "is not a name of a secret")
        elif isinstance(spec, str) and is_pointer(spec):
            found.append(ObtainedSecret(name, "body", spec))
        elif isinstance(spec, dict) and len(spec) == 1:
            found += _read(reader, at, name, spec)
        else:
            reader.report(at, "must be a JSON Pointer, or name one header or cookie")
    return tuple(found)


def _read(
    reader: StepReader, at: str, name: str, spec: Mapping[str, object]
) -> list[ObtainedSecret]:
    [(place, key)] = spec.items()
    is_key = isinstance(key, str) and is_header_name(key)
    if place not in ("header", "cookie") or not is_key:
        reader.report(at, "must be a JSON Pointer, or name one header or cookie")
        return []
    return [ObtainedSecret(name, "header" if place == "header" else "cookie", str(key))]
