"""What badges say, and that they can be read: text, width, and contrast."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from patchbay.platform.clock import from_text
from patchbay.platform.errors import NotFound
from patchbay.status_pages.badges import (
    AMBER,
    BLUE,
    GRAY,
    GREEN,
    LABEL,
    MAX_NAME,
    RED,
    Badge,
    badge_of,
)
from patchbay.status_pages.model import PeriodStatus, StatusReport, StatusState

COLORS = (GREEN, AMBER, RED, BLUE, GRAY, LABEL)
_SVG = "{http://www.w3.org/2000/svg}"


def report(
    rate: float = 100.0, p50_ms: int | None = None, total: int = 10, name: str = "Acme"
) -> StatusReport:
    return StatusReport(
        name=name,
        state=StatusState.OPERATIONAL,
        summary="Everything works.",
        updated_at=from_text("2026-02-17T10:00:00Z"),
        periods=[
            PeriodStatus(
                period_days=days,
                total=total,
                success=0,
                errors=0,
                success_rate=rate,
                no_data=total == 0,
                p50_ms=p50_ms,
            )
            for days in (7, 30, 90)
        ],
        days=[],
        by_integration_type=[],
        alerts=[],
        more_alerts=False,
        connections=None,
        more_connections=False,
    )


def parsed(badge: Badge) -> ElementTree.Element:
    return ElementTree.fromstring(badge.svg())  # noqa: S314 - our own


@pytest.mark.parametrize("color", COLORS)
def test_white_text_has_contrast_on_every_color(color: str) -> None:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = sum(part * c for part, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    assert 1.05 / (luminance + 0.05) >= 4.5


@pytest.mark.parametrize(
    ("rate", "value", "color"),
    [
        (100.0, "100%", GREEN),
        (99.99, "99.99%", GREEN),
        (99.0, "99%", GREEN),
        (98.99, "98.99%", AMBER),
        (95.0, "95%", AMBER),
        (94.99, "94.99%", RED),
        (0.01, "0.01%", RED),
        (0.0, "0%", RED),
    ],
)
def test_an_uptime_has_its_color_and_no_rate_is_rounded_up(
    rate: float, value: str, color: str
) -> None:
    badge = badge_of(report(rate), "uptime.svg", 7, named=False)
    assert (badge.label, badge.value, badge.color) == ("uptime 7d", value, color)


@pytest.mark.parametrize(
    ("ms", "value"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (1260, "1.3 s"),
        (59_940, "59.9 s"),
        (60_000, "1.0 min"),
        (1_800_000, "30 min or more"),
        (None, "no data"),
    ],
)
def test_a_response_time_has_a_fitting_unit(ms: int | None, value: str) -> None:
    assert badge_of(report(p50_ms=ms), "response.svg", 30, named=False).value == value


def test_without_events_there_is_no_data() -> None:
    badge = badge_of(report(0.0, total=0), "uptime.svg", 90, named=False)
    assert (badge.value, badge.color) == ("no data", GRAY)


def test_there_is_no_other_badge() -> None:
    with pytest.raises(NotFound):
        badge_of(report(), "latency.svg", 30, named=False)


NAMES = [
    "Acme",
    "W" * 120,
    "i" * 120,
    "</text><script>alert(1)</script>",
    "a\"b'c&d",
    "]]>&amp;<!--",
    "عنوان طويل للصفحة العامة",
    "統合ステータス 公開ページ",
    "e\u0301" * 20,
    "👩‍👩‍👧‍👦 family",
    "\uffff\ufffe nonchar",
    "\U0001ffff",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_makes_a_picture_with_nothing_but_text_of_it(name: str) -> None:
    root = parsed(badge_of(report(name=name), "uptime.svg", 30, named=True))
    tags = {element.tag.removeprefix(_SVG) for element in root.iter()}
    assert tags == {"svg", "title", "clipPath", "rect", "g", "text"}
    for element in root.iter():
        assert not [key for key in element.attrib if key.startswith("on") or "href" in key]
    assert root.get("role") == "img"
    title = root.find(f"{_SVG}title")
    assert title is not None
    assert title.text == root.get("aria-label")
    assert str(title.text).endswith(": uptime 30d: 100%")


@pytest.mark.parametrize("name", NAMES)
def test_the_texts_stand_beside_each_other_within_the_picture(name: str) -> None:
    root = parsed(badge_of(report(name=name), "uptime.svg", 30, named=True))
    spans = [
        (int(text.attrib["x"]), int(text.attrib["x"]) + int(text.attrib["textLength"]))
        for text in root.iter(f"{_SVG}text")
    ]
    edges = [0, *(edge for span in spans for edge in span), int(root.attrib["width"])]
    assert all(left < right for left, right in pairwise(edges))
    assert len(re.sub("[\u2068\u2069]", "", next(iter(root.iter(f"{_SVG}text"))).text or "")) <= (
        MAX_NAME + len(" uptime 30d")
    )


def test_a_wide_name_makes_a_wider_badge_than_a_narrow_one() -> None:
    wide, narrow = (
        int(parsed(badge_of(report(name=name), "health.svg", 30, named=True)).attrib["width"])
        for name in ("W" * 30, "i" * 30)
    )
    assert wide > 2 * narrow
