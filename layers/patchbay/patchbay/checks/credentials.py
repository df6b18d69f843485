"""Where an integration's credential goes: `authConfig` read for the checks.

`api_key` sends the secret `api_key`, `oauth2` the secret `access_token`, `none` nothing. The
header is `authHeaderName` (default `Authorization`); its value is `authValuePrefix` and the secret.
The prefix defaults to `Bearer` in `Authorization` and to nothing elsewhere; `""` means no prefix.
A prefix that ends in a letter or digit is followed by one space; any other prefix is used as it is:
`Bearer` and `Bearer ` both give `Bearer KEY`, `Token token=` gives `Token token=KEY`.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from patchbay.checks.auth_config import SECRETS_OF_TYPE, auth_type
from patchbay.checks.templates import Placeholder, ValueRefused
from patchbay.egress.headers import name_problem, value_problem
from patchbay.platform.errors import Problem

DEFAULT_HEADER: Final = "Authorization"


@dataclass(frozen=True, slots=True)
class Credential:
    header: str
    prefix: str
    secret: Placeholder

    def header_value(self, secret: str) -> str:
        """The value of the header. Raises ValueRefused if the secret can't be in a header."""
        problem = value_problem(secret)
        if problem:
            raise ValueRefused(self.secret.pointer, problem)
        return self.prefix + secret


def credential(auth_config: Mapping[str, object]) -> Credential | None:
    """The credential of an `authConfig` without problems; None if it sends none."""
    names = SECRETS_OF_TYPE[auth_type(auth_config)]
    if not names:
        return None
    header = str(auth_config.get("authHeaderName") or DEFAULT_HEADER)
    prefix = auth_config.get("authValuePrefix")
    if prefix is None:
        prefix = "Bearer" if header.lower() == "authorization" else ""
    prefix = str(prefix)
    if prefix[-1:].isalnum():
        prefix += " "
    return Credential(header, prefix, Placeholder("secrets", names[0]))


def credential_problems(auth_config: Mapping[str, object]) -> Iterator[Problem]:
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
