"""Sentences of ours that quote others. Pure.

What is ours in a sentence stays readable, whatever the secrets of a test are. What is not (text of
a server, or of an endpoint's variables) may repeat a secret, so a sentence knows where it is.
"""

from typing import Self


class Sentence(str):
    """A sentence with the text of others in it.

        Sentence("The bucket is in another region: {}.", region)

    Whatever is made from it by string methods is a plain string.
    """

    __slots__ = ("foreign",)

    foreign: tuple[tuple[int, int], ...]
    """Where the text of others begins and ends."""

    def __new__(cls, template: str, *quoted: str) -> Self:
        """Each `{}` of the template is replaced by one text of others. Raises ValueError if there
        are more of one than of the other."""
        text, foreign = "", list[tuple[int, int]]()
        for ours, theirs in zip(template.split("{}"), (*quoted, ""), strict=True):
            text += ours
            if theirs:
                foreign.append((len(text), len(text) + len(theirs)))
            text += theirs
        sentence = super().__new__(cls, text)
        sentence.foreign = tuple(foreign)
        return sentence
