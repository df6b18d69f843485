"""A brand's color is one that can be read, whatever it is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.paths import ROOT
from patchbay.platform.branding import (
    BLACK,
    DARK,
    LIGHT,
    OF_BUTTONS,
    OF_TEXT,
    WHITE,
    Branding,
    Color,
    accents,
    contrast,
)

channel = st.integers(0, 255)
colors = st.builds(Color, channel, channel, channel)


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast(WHITE, BLACK) == 21
    assert contrast(BLACK, BLACK) == 1
    # https://webaim.org/resources/contrastchecker/ says 4.48 and 4.54 of these.
    assert round(contrast(Color.read("#777777"), WHITE), 2) == 4.48
    assert round(contrast(Color.read("#767676"), WHITE), 2) == 4.54


@given(colors)
def test_every_color_can_be_read_in_both_themes(color: Color) -> None:
    for theme in (LIGHT, DARK):
        made = accents(color, theme)
        for surface in (*theme.surfaces, made.accent_soft):
            assert contrast(made.accent, surface) >= OF_TEXT
        for surface in theme.surfaces:
            assert contrast(made.accent_fill, surface) >= OF_BUTTONS
        assert contrast(made.accent_fill_text, made.accent_fill) >= OF_TEXT


def test_a_color_that_can_be_read_stays_as_it_is() -> None:
    blue = Color.read("#2f5bd7")
    assert accents(blue, LIGHT).accent_fill == blue
    assert accents(blue, LIGHT).accent == blue
    assert accents(blue, LIGHT).accent_fill_text == WHITE
    # A yellow button is for black text, and is darker on white.
    yellow = accents(Color.read("#ffe100"), LIGHT)
    assert yellow.accent_fill_text == BLACK
    assert contrast(yellow.accent_fill, WHITE) < contrast(yellow.accent, WHITE)
    assert accents(Color.read("#ffe100"), DARK).accent_fill == Color.read("#ffe100")


def test_the_surfaces_are_those_of_the_style() -> None:
    style = (ROOT / "web/kit/theme.css").read_text()
    for place, name in enumerate(("surface", "page", "sunken")):
        light, dark = LIGHT.surfaces[place], DARK.surfaces[place]
        assert f"--{name}: light-dark({light}, {dark});" in style
    for token in ("accent", "accent-fill", "accent-fill-text", "accent-soft"):
        assert f"  --{token}: " in style


def test_a_page_has_what_is_set_and_no_more() -> None:
    assert Branding("", "", "").meta() == {}
    assert Branding("Acme", "https://acme.example/logo.svg", "").meta() == {
        "brand-name": "Acme",
        "brand-logo": "https://acme.example/logo.svg",
    }
    tokens = Branding("", "", "#FFE100").meta()
    assert set(tokens) == {
        *("brand-accent", "brand-accent-fill", "brand-accent-fill-text", "brand-accent-soft")
    }
    for value in tokens.values():
        assert re.fullmatch(r"light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\)", value)


@pytest.mark.parametrize("text", ["", "Acme", "Ächmé & Söhne <GmbH>", "北京", "a" * 60])
def test_a_name_is_a_line_of_text(text: str) -> None:
    assert Branding.read(text, "", "").name == text


@pytest.mark.parametrize("text", ["a\nb", "a\0", "a" * 61, "\x7f"])
def test_any_other_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="fit"):
        Branding.read(text, "", "")


@pytest.mark.parametrize(
    "text", ["", "https://acme.example/logo.svg?v=2", "https://acme.example:8443"]
)
def test_a_logo_is_an_https_address(text: str) -> None:
    assert Branding.read("", text, "").logo_url == text


@pytest.mark.parametrize(
    "text",
    [
        "http://acme.example/logo.svg",
        "//acme.example/logo.svg",
        "javascript:alert(1)",
        "data:image/svg+xml,<svg/>",
        "https://acme.example/a b",
        'https://acme.example/"',
        "https://user@acme.example/",
        "https://acme.example/logo.svg\n",
        "https://acme.example/" + "a" * 500,
    ],
)
def test_any_other_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="fit"):
        Branding.read("", text, "")


@pytest.mark.parametrize("text", ["red", "#fff", "#12345g", "#1234567", "#123456\n", "#123456;"])
def test_any_other_color_is_refused(text: str) -> None:
    assert Branding.read("", "", "#12aB9f").color == "#12aB9f"
    with pytest.raises(ValueError, match="fit"):
        Branding.read("", "", text)
