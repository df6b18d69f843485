"""What is wrong with an input, and where in it."""

from __future__ import annotations


class ImportRefused(Exception):
    """An input, or one definition in it, can't be imported.

    `place` is a JSON Pointer into the input, or a line of its text. `message` never has a value of
    the input.
    """

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place
        self.message = message
