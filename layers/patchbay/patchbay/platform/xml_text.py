"""Text as it is written in XML, in an element and in an attribute. Pure.

`xml.sax.saxutils` of the standard library has the same, and imports a parser and an HTTP client.
"""

from typing import Final

_ENTITIES: Final = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "'": "&apos;",
        # A reader makes a space of these in an attribute, and a line feed of a carriage return.
        "\t": "&#9;",
        "\n": "&#10;",
        "\r": "&#13;",
    }
)


def escaped(text: str) -> str:
    """`text` must have no characters that XML can't carry."""
    return text.translate(_ENTITIES)
