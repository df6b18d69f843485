"""Where an integration's credential goes: `authConfig` read for the checks.

`api_key` sends the secret `api_key`, `oauth2` the secret `access_token`, `none` nothing. The
header is `authHeaderName` (default `Authorization`); its value is `authValuePrefix` and the secret.
The prefix defaults to `Bearer` in `Authorization` and to nothing elsewhere; `""` means no prefix.
A prefix that ends in a letter or digit is followed by one space; any other prefix is used as it is:
`Bearer` and `Bearer ` both give `Bearer KEY`, `Token token=` gives `Token token=KEY`.

`basic` sends a user name and a password (RFC 7617). They are the templates `username` and
`password`, by default the secrets of these names. `""` is no password, and
`{"optional": "{{secrets.password}}"}` one that may be missing:
`{"username": "{{variables.email}}/token", "password": "{{secrets.api_token}}"}`.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from patchbay.checks.auth_config import SECRETS_OF_TYPE, auth_type
from patchbay.checks.templates import (
    Declarations,
    Parts,
    Placeholder,
    TemplateError,
    ValueRefused,
    Values,
    fill,
    placeholders_of,
    plain,
    pointer_of,
    split_template,
)
from patchbay.egress.headers import name_problem, value_problem
from patchbay.platform.errors import Problem

DEFAULT_HEADER: Final = "Authorization"
DEFAULT_USERNAME: Final = "{{secrets.username}}"
DEFAULT_PASSWORD: Final = "{{secrets.password}}"  # noqa: S105 - a template
_BASIC: Final = "Basic "
_SECRET: Final = re.compile(r"\{\{secrets\.([A-Za-z_][A-Za-z0-9_-]{0,63})\}\}")


@dataclass(frozen=True, slots=True)
class Credential:
    """A header with the secret of `value` behind a prefix; with a `password`, `value` is the user
    name of both."""

    header: str
    prefix: str
    value: Parts
    password: Parts | None = None
    is_password_optional: bool = False

    @property
    def secret_name(self) -> str:
        """The secret that is sent; of a user name and a password the last one."""
        named = [p.name for p in self.placeholders() if p.source == "secrets"]
        return named[-1] if named else ""

    @property
    def placement(self) -> list[str]:
        """Where the secrets are, for the binding."""
        if self.password is None:
            return [self.header.lower(), self.prefix]
        return [self.header.lower(), self.prefix, _named(self.value), _named(self.password)]

    def placeholders(self) -> Iterator[Placeholder]:
        yield from placeholders_of(self.value)
        yield from placeholders_of(self.password or ())

    def required(self) -> Iterator[Placeholder]:
        """Those that must have a value."""
        yield from placeholders_of(self.value)
        if not self.is_password_optional:
            yield from placeholders_of(self.password or ())

    def users(self) -> Iterator[Placeholder]:
        """Those that decide whose credential it is."""
        if self.password is not None:
            yield from (p for p in placeholders_of(self.value) if p.source == "variables")

    def sent(self, values: Values) -> Iterator[Placeholder]:
        """Those that are sent with these values."""
        yield from placeholders_of(self.value)
        if self._has_password(values):
            yield from placeholders_of(self.password or ())

    def headers(self, values: Values) -> list[tuple[str, str]]:
        """The headers that carry the credential. Raises ValueRefused if it can't be in one."""
        if self.password is None:
            return [(self.header, self.prefix + fill(self.value, values, "header"))]
        username = plain(self.value, values)
        password = plain(self.password, values) if self._has_password(values) else ""
        pointer = pointer_of(self.value) or pointer_of(self.password) or "/variables"
        return [(self.header, basic_value(username, password, pointer=pointer))]

    def made(self, headers: list[tuple[str, str]]) -> tuple[str, ...]:
        """The secrets that were made for these headers."""
        if self.password is None:
            return ()
        return tuple(value.removeprefix(_BASIC) for _, value in headers)

    def _has_password(self, values: Values) -> bool:
        if not self.is_password_optional:
            return True
        return all(map(values.has, placeholders_of(self.password or ())))


def secrets_of_type(auth_config: Mapping[str, object]) -> tuple[str, ...]:
    """The secrets that an endpoint may have for a valid `authConfig`. The first is the one that is
    sent; `basic` may send all of its own."""
    kind = auth_type(auth_config)
    if kind == "basic":
        texts = (_text(auth_config.get("username", DEFAULT_USERNAME)), *_password(auth_config)[:1])
        return tuple(dict.fromkeys(name for text in texts for name in _SECRET.findall(text)))
    names = SECRETS_OF_TYPE.get(kind, ())
    if kind == "oauth2" and auth_config.get("clientAuth") == "private_key_jwt":
        return (*names, "private_key")
    return names


def credential(auth_config: Mapping[str, object], declared: Declarations) -> Credential | None:
    """The credential of an `authConfig` without problems; None if it sends none."""
    kind = auth_type(auth_config)
    header = str(auth_config.get("authHeaderName") or DEFAULT_HEADER)
    if kind == "basic":
        password, is_optional = _password(auth_config)
        username = _text(auth_config.get("username", DEFAULT_USERNAME))
        return Credential(
            header,
            _BASIC,
            split_template(username, declared),
            split_template(password, declared),
            is_optional,
        )
    names = SECRETS_OF_TYPE[kind]
    if not names:
        return None
    prefix = auth_config.get("authValuePrefix")
    if prefix is None:
        prefix = "Bearer" if header.lower() == "authorization" else ""
    prefix = str(prefix)
    if prefix[-1:].isalnum():
        prefix += " "
    return Credential(header, prefix, (Placeholder("secrets", names[0]),))


def credential_problems(
    auth_config: Mapping[str, object], declared: Declarations
) -> Iterator[Problem]:
    """What is wrong with how an `authConfig` sends its credential, with pointers that start with
    `/authConfig`."""
    kind = auth_config.get("type")
    if kind is not None and (not isinstance(kind, str) or kind not in SECRETS_OF_TYPE):
        yield Problem("/authConfig/type", f"must be one of {', '.join(SECRETS_OF_TYPE)}")
    header = auth_config.get("authHeaderName")
    if header is not None:
        problem = name_problem(header) if isinstance(header, str) else "must be a string"
        if problem:
            yield Problem("/authConfig/authHeaderName", problem)
    prefix = auth_config.get("authValuePrefix")
    if prefix is not None and (
        not isinstance(prefix, str) or (prefix and value_problem(prefix.removesuffix(" ")))
    ):
        yield Problem("/authConfig/authValuePrefix", "must be visible ASCII")
    elif prefix and ("{{" in prefix or "}}" in prefix):
        yield Problem("/authConfig/authValuePrefix", "is sent as it is: it has no placeholders")
    if kind == "basic":
        yield from _basic_problems(auth_config, declared)
    else:
        for name in ("username", "password"):
            if name in auth_config:
                yield Problem(f"/authConfig/{name}", "is only for the type basic")


def _basic_problems(auth_config: Mapping[str, object], declared: Declarations) -> Iterator[Problem]:
    if auth_config.get("authValuePrefix") is not None:
        yield Problem("/authConfig/authValuePrefix", "can't be set for basic, which has its own")
    username = auth_config.get("username", DEFAULT_USERNAME)
    password = auth_config.get("password", DEFAULT_PASSWORD)
    is_optional = isinstance(password, dict) and password.keys() == {"optional"}
    if isinstance(password, dict) and is_optional:
        password = password["optional"]
    secrets = 0
    for name, text in (("username", username), ("password", password)):
        at = f"/authConfig/{name}"
        if not isinstance(text, str) or not text.isprintable() or (name == "username" and not text):
            yield Problem(at, "must be a string of printable characters")
            continue
        try:
            parts = split_template(text, declared)
        except TemplateError as error:
            yield Problem(at, str(error))
            continue
        secrets += sum(one.source == "secrets" for one in placeholders_of(parts))
        if name == "username" and any(isinstance(part, str) and ":" in part for part in parts):
            yield Problem(at, "can't have a colon: it ends the user name")
        if name == "password" and is_optional and not any(placeholders_of(parts)):
            yield Problem(at, "is optional and has no placeholder")
    if not secrets:
        yield Problem("/authConfig/password", "must have a secret, or username must")


def _password(auth_config: Mapping[str, object]) -> tuple[str, bool]:
    """The template of a password, and whether it may be missing."""
    password = auth_config.get("password", DEFAULT_PASSWORD)
    if isinstance(password, Mapping):
        return _text(password.get("optional")), True
    return _text(password), False


def _named(parts: Parts) -> str:
    """A template as its author wrote it."""
    return "".join(
        part if isinstance(part, str) else f"{{{{{part.source}.{part.name}}}}}" for part in parts
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def basic_value(username: str, password: str, *, pointer: str) -> str:
    """The `Authorization` value of a user and password (RFC 7617).

    Raises ValueRefused with `pointer`, that of the user name: for a colon in the user name, which
    would move the border between the two, and for control characters in either.
    """
    if ":" in username:
        raise ValueRefused(pointer, "may not have a colon")
    pair = f"{username}:{password}"
    if not pair.isprintable():
        raise ValueRefused(pointer, "or its password has characters that can't be sent")
    return "Basic " + b64encode(pair.encode()).decode()
