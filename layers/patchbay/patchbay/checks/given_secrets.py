"""Which declared secrets may be read back by those who may use credentials.

The credential of `authConfig` may: the key, the access token, the user name and password. What else
`secretsSchema` declares stays write-only, such as the secret that signs webhooks. The author of the
integration may make one readable by `"x-use": "given"` in its schema: the password of a database,
which no header carries. What proves who asks, by itself or for a token, never is: a refresh token,
a client secret, a private key, the key of a client certificate.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from patchbay.platform.errors import Problem
from patchbay.platform.validation import pointer

MARK: Final = "x-use"
GIVEN: Final = "given"

_NEVER: Final = frozenset({"refresh_token", "client_secret", "private_key"})
_SECRET: Final = re.compile(r"\{\{secrets\.([A-Za-z0-9_-]+)\}\}")


class GivenSecrets:
    """The marks of a release. `of_type` are the secrets of the type of `authConfig`."""

    def __init__(
        self, secrets_schema: Mapping[str, Any], of_type: Collection[str], checks: object
    ) -> None:
        properties = secrets_schema.get("properties")
        rules = properties.items() if isinstance(properties, dict) else ()
        self._marks = {
            name: rule[MARK] for name, rule in rules if isinstance(rule, dict) and MARK in rule
        }
        # Only a release with a mark is searched.
        keys = set(_client_keys(checks)) if self._marks else set()
        self._never = {*of_type, *_NEVER, *keys}

    @property
    def names(self) -> tuple[str, ...]:
        """The declared secrets that may be read."""
        return tuple(
            name for name, mark in self._marks.items() if mark == GIVEN and name not in self._never
        )

    def problems(self) -> Iterator[Problem]:
        """Marks that can't be used, with pointers that start with `/manifest/secretsSchema`."""
        for name, mark in self._marks.items():
            at = f"/manifest/secretsSchema/properties{pointer([name])}/{MARK}"
            if name in self._never:
                yield Problem(at, "can't be set: this secret is never read back")
            elif mark != GIVEN:
                yield Problem(at, f'must be "{GIVEN}"')


def _client_keys(value: object) -> Iterator[str]:
    """The names of secrets that are keys of client certificates, anywhere in the checks."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as members:
                key = members.get("clientKey")
                if isinstance(key, str):
                    yield from _SECRET.findall(key)
                waiting += members.values()
            case list() as items:
                waiting += items
