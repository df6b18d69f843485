"""Who logs in to a server, and with what: `user`, `password`, and the names of postgres, mysql, and
redis.

A host that is a path or a list, and a name that is a connection string, are refused: libraries read
files and dial elsewhere for such values.
"""

import re
from typing import Final

from patchbay.checks.server_address import ServerAddress, ServerTemplate
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Declarations,
    Parts,
    Placeholder,
    TemplateError,
    ValueRefused,
    Values,
    placeholders_of,
    plain,
    pointer_of,
    split_template,
    without_secrets,
)

MAX_VALUE: Final = 256
# What libpq and other libraries take for the folder of a socket, a list, or a connection string.
_NO_PLAIN_HOST: Final = re.compile(r"[/@,=\\]")
_CONNECTION_STRING: Final = re.compile(r"=|://")


def read_text(reader: StepReader, key: str) -> Parts | None:
    """The template of a name; None with a problem if it is none."""
    return reader.attempt(f"/{key}", lambda: template(reader.step.get(key), reader.declared))


def template(text: object, declared: Declarations) -> Parts:
    """A template of 1 to 256 printable characters without secrets. Raises TemplateError."""
    if not isinstance(text, str) or not text or len(text) > MAX_VALUE or not text.isprintable():
        raise TemplateError(f"must be a string of 1 to {MAX_VALUE} printable characters")
    return without_secrets(split_template(text, declared), "may not have a secret")


def read_password(reader: StepReader) -> Placeholder | None:
    """The secret that is the `password`; None with a problem if it is none."""
    return read_secret(reader, "password")


def read_secret(reader: StepReader, key: str) -> Placeholder | None:
    """The secret that `key` names as a whole; None with a problem if it is none."""
    return reader.attempt(f"/{key}", lambda: _secret(reader.step.get(key), reader.declared))


def text_of(parts: Parts, values: Values) -> str:
    """A name with its values. Raises ValueRefused."""
    text = plain(parts, values)
    if not text.isprintable() or not 0 < len(text) <= MAX_VALUE:
        raise ValueRefused(
            pointer_of(parts) or "/variables",
            f"must be 1 to {MAX_VALUE} printable characters",
        )
    return text


def name_of(parts: Parts, values: Values) -> str:
    """The name of a database. Raises ValueRefused, for a connection string too."""
    name = text_of(parts, values)
    if _CONNECTION_STRING.search(name):
        raise _option(pointer_of(parts) or "/variables", "must be a name, not a connection string")
    return name


def password_of(placeholder: Placeholder, values: Values) -> str:
    """Raises ValueRefused."""
    password = values.text(placeholder)
    if "\0" in password:
        raise ValueRefused(placeholder.pointer, "has a character that can't be sent")
    return password


def address_of(server: ServerTemplate, values: Values) -> ServerAddress:
    """Where to dial. Raises ValueRefused, for more than a host too."""
    for placeholder in placeholders_of(server.host.parts):
        if _NO_PLAIN_HOST.search(values.text(placeholder)):
            raise _option(placeholder.pointer, "must be one host, not a path, a list, or options")
    return server.fill(values)


def _secret(text: object, declared: Declarations) -> Placeholder:
    parts = split_template(text, declared) if isinstance(text, str) else ()
    if len(parts) == 1 and isinstance(parts[0], Placeholder) and parts[0].source == "secrets":
        return parts[0]
    raise TemplateError("must be one {{secrets.name}}")


def _option(pointer: str, message: str) -> ValueRefused:
    return ValueRefused(pointer, message, "egress_blocked", detail="option")
