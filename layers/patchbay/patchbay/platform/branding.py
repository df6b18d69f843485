"""The operator's name, logo, and color on the pages. Pure.

Any color is taken, and shown as it is wherever it can be read. Where it can't, it is darkened or
lightened until it can: text has a contrast of 4.5 to what it stands on, and a button one of 3 to
the page around it (WCAG 2.2, success criteria 1.4.3 and 1.4.11).
"""

import re
from typing import Final, NamedTuple

MAX_NAME: Final = 60
MAX_LOGO_URL: Final = 500
"""Characters."""

NAME_PATTERN: Final = r"[^\x00-\x1f\x7f]{0,60}"
LOGO_PATTERN: Final = r"(https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~:/?#@!$&()*+,;=%-]*)?)?"
COLOR_PATTERN: Final = r"(#[0-9A-Fa-f]{6})?"

OF_TEXT: Final = 4.5
OF_BUTTONS: Final = 3.0
"""The least contrast."""

_STEP: Final = 0.02


class Color(NamedTuple):
    """sRGB, 0 to 255 each."""

    red: int
    green: int
    blue: int

    @classmethod
    def read(cls, text: str) -> "Color":
        """Of `#rrggbb`."""
        return cls(*bytes.fromhex(text.removeprefix("#")))

    def __str__(self) -> str:
        return f"#{bytes(self).hex()}"

    def mixed(self, other: "Color", share: float) -> "Color":
        """With this share of another color, 0 to 1."""
        pairs = zip(self, other, strict=True)
        return Color(*(round(one + (two - one) * share) for one, two in pairs))


WHITE: Final = Color(255, 255, 255)
BLACK: Final = Color(0, 0, 0)


class Theme(NamedTuple):
    """What accents stand on in a theme of web/kit/theme.css, and where they go to be read."""

    surfaces: tuple[Color, ...]
    away: Color
    soft_share: float
    """Of the color in the background of what is chosen."""


LIGHT: Final = Theme(
    tuple(map(Color.read, ("#ffffff", "#f6f7f9", "#eef1f4"))), BLACK, soft_share=0.1
)
DARK: Final = Theme(
    tuple(map(Color.read, ("#161c25", "#0e131a", "#10161e"))), WHITE, soft_share=0.25
)


class Accents(NamedTuple):
    """The tokens of theme.css that follow from the color, for one theme."""

    accent: Color
    accent_fill: Color
    accent_fill_text: Color
    accent_soft: Color


class Branding(NamedTuple):
    """An empty text is the page's own."""

    name: str
    logo_url: str
    color: str

    @classmethod
    def read(cls, name: str, logo_url: str, color: str) -> "Branding":
        """What a deployment has entered. Raises ValueError for what its template does not take."""
        return cls(
            _fitting(NAME_PATTERN, name, MAX_NAME),
            _fitting(LOGO_PATTERN, logo_url, MAX_LOGO_URL),
            _fitting(COLOR_PATTERN, color, len("#rrggbb")),
        )

    def meta(self) -> dict[str, str]:
        """Elements of a page's head, by name: `brand-name`, `brand-logo`, and the values of tokens
        of the style, such as `brand-accent`."""
        named = {"brand-name": self.name, "brand-logo": self.logo_url}
        tokens = _tokens(Color.read(self.color)) if self.color else {}
        return {name: content for name, content in named.items() if content} | tokens


def accents(color: Color, theme: Theme) -> Accents:
    fill = _readable(color, theme.surfaces, theme.away, OF_BUTTONS)
    soft = theme.surfaces[0].mixed(color, theme.soft_share)
    accent = _readable(color, (*theme.surfaces, soft), theme.away, OF_TEXT)
    # One of the two always reaches 4.5.
    text = max(WHITE, BLACK, key=lambda one: contrast(one, fill))
    return Accents(accent, fill, text, soft)


def contrast(one: Color, other: Color) -> float:
    """1 to 21 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _tokens(color: Color) -> dict[str, str]:
    light, dark = accents(color, LIGHT), accents(color, DARK)
    return {
        f"brand-{name.replace('_', '-')}": f"light-dark({one}, {other})"
        for name, one, other in zip(Accents._fields, light, dark, strict=True)
    }


def _readable(color: Color, on: tuple[Color, ...], away: Color, least: float) -> Color:
    """The nearest to a color, on the way to another, that has this contrast to all of these."""
    share = 0.0
    while min(contrast(found := color.mixed(away, share), one) for one in on) < least:
        share += _STEP
    return found


def _luminance(color: Color) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    red, green, blue = (_linear(value / 255) for value in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _fitting(pattern: str, text: str, most: int) -> str:
    """Raises ValueError."""
    if len(text) > most or not re.fullmatch(pattern, text):
        raise ValueError(f"does not fit {pattern}")
    return text
