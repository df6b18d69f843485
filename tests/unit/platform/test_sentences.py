"""Sentences of ours that know what in them others wrote."""

import pytest

from patchbay.platform.sentences import Sentence


def test_a_sentence_knows_where_the_text_of_others_is() -> None:
    sentence = Sentence("{} has no record of {}.", "a.example.com", "")
    assert sentence == "a.example.com has no record of ."
    assert sentence.foreign == ((0, 13),)
    assert Sentence("All of it is ours.").foreign == ()


def test_braces_in_the_text_of_others_stay() -> None:
    sentence = Sentence("({}) and ({})", "{}", "x")
    assert (sentence, sentence.foreign) == ("({}) and (x)", ((1, 3), (10, 11)))


@pytest.mark.parametrize("quoted", [(), ("a",), ("a", "b", "c")])
def test_there_are_as_many_texts_as_places_for_them(quoted: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="zip"):
        Sentence("{} and {}.", *quoted)
