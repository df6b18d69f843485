"""Which declared secrets may be read back by those who may use credentials.

The credential of `authConfig` may: the key, the access token, the user name and password. What else
`secretsSchema` declares stays write-only, such as a client certificate's key or the secret that
signs webhooks. The author of the integration may make one readable by `"x-use": "given"` in its
schema: the password of a database, which no header carries.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from patchbay.platform.errors import Problem
from patchbay.platform.validation import pointer

MARK: Final = "x-use"
GIVEN: Final = "given"

_NEVER: Final = frozenset({"refresh_token", "client_secret", "private_key"})
"""Whatever the type of `authConfig` is: what these names stand for is never given."""


def given_secrets(secrets_schema: Mapping[str, Any], of_type: Collection[str]) -> tuple[str, ...]:
    """The declared secrets that have the mark; `of_type` are those of the type of `authConfig`."""
    return tuple(
        name
        for name, rule in _properties(secrets_schema).items()
        if isinstance(rule, dict) and rule.get(MARK) == GIVEN and name not in {*of_type, *_NEVER}
    )


def mark_problems(secrets_schema: Mapping[str, Any], of_type: Collection[str]) -> Iterator[Problem]:
    """Marks that can't be used, with pointers that start with `/manifest/secretsSchema`."""
    for name, rule in _properties(secrets_schema).items():
        if not isinstance(rule, dict) or MARK not in rule:
            continue
        at = f"/manifest/secretsSchema/properties{pointer([name])}/{MARK}"
        if name in {*of_type, *_NEVER}:
            yield Problem(at, "can't be set: authConfig decides about this secret")
        elif rule[MARK] != GIVEN:
            yield Problem(at, f'must be "{GIVEN}"')


def _properties(secrets_schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = secrets_schema.get("properties")
    return properties if isinstance(properties, dict) else {}
