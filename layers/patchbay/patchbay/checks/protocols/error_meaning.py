"""What an error of a server means, in our words."""

from typing import Literal, NamedTuple

from patchbay.checks.codes import Code

type Field = Literal["user", "database", "host", "password"]


class Meaning(NamedTuple):
    """The code of an error, what it means in our words, and the field to change, if any."""

    code: Code
    text: str
    field: Field | None = None
