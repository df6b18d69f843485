"""What a status means in one step: `meaning` of an http step.

```json
{"meaning": {"400": "proves_access", "403": "auth_invalid"}}
```

Some providers use a status in their own way. Datadog answers a wrong key with 403. An API that only
writes may answer an empty POST with 401 if the key is wrong and with 400 if it is right. The keys
are statuses. A value is the code that the step fails with, or `proves_access`: the step passes, and
the credential was accepted.

A more specific answer overrides the meaning: a 403 with a used-up allowance is `rate_limited`, and
a 400 with a word for a wrong key proves nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, get_args

from patchbay.checks.codes import Code
from patchbay.checks.step_reader import StepReader
from patchbay.platform.validation import pointer

PROVES_ACCESS: Final = "proves_access"
MAX_MEANINGS: Final = 20
CODES: Final[frozenset[Code]] = frozenset(
    {
        *("auth_invalid", "auth_expired", "auth_revoked", "permission_denied", "scope_missing"),
        *("payment_required", "account_locked", "address_not_allowed", "not_found"),
        *("request_rejected", "rate_limited", "provider_error"),
    }
)
"""The codes that a status may mean."""

_KNOWN: Final[Mapping[str, Code]] = {
    code: code for code in get_args(Code.__value__) if code in CODES
}
_STATUS: Final = re.compile(r"[2-5][0-9]{2}", re.ASCII)
# A server sends these to a wrong credential, before it checks one, or in place of the API.
_PROVE_NOTHING: Final = frozenset(
    {401, 404, 405, 407, 408, 410, 414, 421, 425, 426, 429, 431, 440, 451, 498, 499}
)


@dataclass(frozen=True, slots=True)
class StatusMeanings:
    """`codes` by status, and the statuses that prove access."""

    codes: Mapping[int, Code] = field(default_factory=dict)
    proving: frozenset[int] = frozenset()


def read_meanings(
    reader: StepReader, *, expected: frozenset[int], sends_credential: bool
) -> StatusMeanings:
    """Reads the `meaning` of a step that expects the statuses `expected`; reports its problems."""
    spec = reader.step.get("meaning", {})
    if not isinstance(spec, dict) or len(spec) > MAX_MEANINGS:
        reader.report("/meaning", f"must be an object with at most {MAX_MEANINGS} statuses")
        return StatusMeanings()
    for key, value in spec.items():
        for message in _problems(key, value, expected=expected, sends_credential=sends_credential):
            reader.report(f"/meaning{pointer([key])}", message)
    if reader.problems:
        return StatusMeanings()
    return StatusMeanings(
        {int(key): _KNOWN[value] for key, value in spec.items() if value in _KNOWN},
        frozenset(int(key) for key, value in spec.items() if value == PROVES_ACCESS),
    )


def _problems(
    key: str, value: object, *, expected: frozenset[int], sends_credential: bool
) -> Iterator[str]:
    if not _STATUS.fullmatch(key):
        yield "is not a status from 200 to 599"
        return
    status = int(key)
    if value == PROVES_ACCESS:
        if not 400 <= status < 500 or status in _PROVE_NOTHING:
            yield (
                "can't prove access: a 2xx does so without this, and this status is also the "
                "answer to a wrong credential or address"
            )
        if not sends_credential:
            yield "can't prove access: the request has no credential"
    elif not isinstance(value, str) or value not in _KNOWN:
        yield f"must be {PROVES_ACCESS} or one of {', '.join(sorted(_KNOWN))}"
    elif status in expected:
        yield "is also a status that the step expects"
