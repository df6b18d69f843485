"""Publishers' names, which are free text, and their keys."""

import pytest
from pydantic import BaseModel, ValidationError

from patchbay.registry.naming import IntegrationKey, Publisher, key_of


class Named(BaseModel):
    publisher: Publisher


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("stripe", "stripe"),
        ("Aeontel", "aeontel"),
        ("Stripe, Inc.", "stripe-inc"),
        ("my_co", "my-co"),
        ("Müller & Söhne", "muller-sohne"),
        ("E\u0301clair", "eclair"),
        ("Straße Ørsted", "strasse-orsted"),
        ("C++", "c"),
        ("Stripe™", "stripe"),
        ("Ｓｔｒｉｐｅ", "stripe"),
        ("株式会社", "xn--6oqv20b1zgzxr"),
        ("Яндекс", "xn--d1acpjx3f"),
    ],
)
def test_the_key_of_a_name(name: str, key: str) -> None:
    assert key_of(name) == key
    assert Named(publisher=name).publisher == name


@pytest.mark.parametrize("name", ["acme", "a--b", "x", "1", "a-b-c", "xn--6oqv20b1zgzxr"])
def test_a_name_of_before_is_its_own_key(name: str) -> None:
    """Publishers had 1 to 64 lower-case letters, digits, and hyphens."""
    assert key_of(name) == name


@pytest.mark.parametrize("name", ["ѕtripe", "ЅТRIPЕ", "STRIPE", "s\u0336tripe", "ｓtrıpe"])
def test_letters_that_look_latin_are_the_latin_ones(name: str) -> None:
    assert key_of(name) == "stripe"


@pytest.mark.parametrize(
    "name", ["", " ", "!!", "🦄", "x" * 65, "a\nb", "a\u202eb", "Str\u200bipe", "paypаl"]
)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Named(publisher=name)


def test_an_integration_is_named_by_the_key() -> None:
    class Key(BaseModel):
        integration: IntegrationKey

    assert Key(integration="stripe-inc/payments").integration == "stripe-inc/payments"
    with pytest.raises(ValidationError, match="such as acme/tracker"):
        Key(integration="Stripe, Inc./payments")
