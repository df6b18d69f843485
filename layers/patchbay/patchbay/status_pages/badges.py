"""Badges of a status page: small SVG pictures for READMEs and dashboards. Pure.

A badge has no style, no script, and nothing from elsewhere, so its policy of content forbids all of
these. Its text is drawn in the font that the reader has: `textLength` makes it as wide as the badge
expects, whatever font that is.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from patchbay.health.buckets import LATENCY_BOUNDS_MS
from patchbay.platform.errors import NotFound
from patchbay.platform.xml_text import escaped
from patchbay.status_pages.model import PeriodStatus, StatusReport, StatusState

GREEN, AMBER, RED, BLUE, GRAY, LABEL = (
    *("#1a7f37", "#8a5d00", "#c1121f", "#0858b8", "#57606a", "#31373d"),
)
"""White text on each has a contrast of at least 4.5:1 (WCAG 2.2, 1.4.3)."""

MAX_NAME: Final = 40
"""Characters of a page's name that a badge shows; its title has all of them."""

_GOOD_RATE, _FAIR_RATE = 99.0, 95.0
_STATES: Final = {
    StatusState.OPERATIONAL: ("operational", GREEN),
    StatusState.DEGRADED: ("degraded", AMBER),
    StatusState.DOWN: ("down", RED),
    StatusState.NO_DATA: ("no data", GRAY),
}
_NO_DATA: Final = ("no data", GRAY)

_FONT: Final = "Verdana,DejaVu Sans,Geneva,sans-serif"
_SIZE: Final = 11
_PADDING: Final = 6
_HEIGHT: Final = 20
_EM: Final = 2048
_WIDTHS: Final = {
    character: width
    for width, characters in {
        550: "'",
        562: "ijl",
        600: "|",
        720: " f",
        745: ",.",
        807: "t",
        862: "I",
        874: "r",
        930: "()-/:;[]",
        1067: "csz",
        1140: "L",
        1220: "ekvxy",
        1243: "o",
        1302: "0123456789$*?_",
        1400: "ABEFJKPSTVXYZ",
        1276: "abdghnpqu",
        1532: "CGHNRU",
        1612: "DOQ",
        1676: "#+<=>w~",
        1726: "M&",
        2025: "Wm@%",
    }.items()
    for character in characters
}
"""Advances of Verdana at 2048 units per em, rounded up to a few classes."""

_WIDE, _MIDDLE = 2200, 1400
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ISOLATED: Final = "\u2068{}\u2069"
"""Keeps a name of another direction from turning the text around it (UAX #9)."""


@dataclass(frozen=True, slots=True)
class Badge:
    """`label` stands to the left, `value` on its color to the right; `name` before the label."""

    label: str
    value: str
    color: str
    name: str | None = None

    def svg(self) -> str:
        """The badge as an SVG document."""
        shown = f"{_ISOLATED.format(_cut(self.name))} {self.label}" if self.name else self.label
        said = f"{self.name}: " if self.name else ""
        title = _xml_text(f"{said}{self.label}: {self.value}")
        left, right = _width(shown), _width(self.value)
        edge = left + 2 * _PADDING
        whole = edge + right + 2 * _PADDING
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{_HEIGHT}" '
            f'viewBox="0 0 {whole} {_HEIGHT}" role="img" aria-label="{escaped(title)}">'
            f"<title>{escaped(title)}</title>"
            f'<clipPath id="r"><rect width="{whole}" height="{_HEIGHT}" rx="3"/></clipPath>'
            '<g clip-path="url(#r)">'
            f'<rect width="{edge}" height="{_HEIGHT}" fill="{LABEL}"/>'
            f'<rect x="{edge}" width="{whole - edge}" height="{_HEIGHT}" fill="{self.color}"/>'
            "</g>"
            f'<g fill="#fff" font-family="{_FONT}" font-size="{_SIZE}" aria-hidden="true">'
            f"{_text(shown, _PADDING, left)}{_text(self.value, edge + _PADDING, right)}"
            "</g></svg>"
        )


def badge_of(report: StatusReport, file: str, days: int, *, named: bool) -> Badge:
    """The badge of a file name, such as `uptime.svg`. Raises `NotFound`."""
    period = next(one for one in report.periods if one.period_days == days)
    name = report.name if named else None
    match file:
        case "health.svg":
            return Badge("health", *_STATES[report.state], name)
        case "uptime.svg":
            return Badge(f"uptime {days}d", *_uptime(period), name)
        case "response.svg":
            return Badge(f"response {days}d", *_response(period), name)
        case _:
            raise NotFound("badge")


def _uptime(period: PeriodStatus) -> tuple[str, str]:
    if period.no_data:
        return _NO_DATA
    rate = period.success_rate
    color = GREEN if rate >= _GOOD_RATE else AMBER if rate >= _FAIR_RATE else RED
    return f"{rate:g}%", color


def _response(period: PeriodStatus) -> tuple[str, str]:
    """The median. What is slow depends on the work, so all are of one color."""
    ms = period.p50_ms
    if ms is None:
        return _NO_DATA
    if ms >= LATENCY_BOUNDS_MS[-1]:
        return "30 min or more", BLUE  # the histogram ends there
    if ms >= 60_000:
        return f"{ms / 60_000:.1f} min", BLUE
    return (f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms} ms"), BLUE


def _text(text: str, x: int, width: int) -> str:
    # A direction of the whole text would swap its ends in a script that runs from the right.
    return (
        f'<text x="{x}" y="14" textLength="{width}" lengthAdjust="spacingAndGlyphs" '
        f'direction="ltr">{escaped(_xml_text(text))}</text>'
    )


def _cut(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1].rstrip()}…"


def _width(text: str) -> int:
    """In whole pixels, at least 1."""
    units = sum(map(_advance, text))
    return max(1, -(-units * _SIZE // _EM))


def _advance(character: str) -> int:
    if (known := _WIDTHS.get(character)) is not None:
        return known
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return _WIDE
    return _MIDDLE


def _xml_text(text: str) -> str:
    """XML has no way to write some characters of Unicode, such as U+FFFF (XML 1.0, 2.2)."""
    return _NOT_XML.sub("\ufffd", text)
