"""What a page may cost: the gzipped bytes of all that it can load, and how many files that are.

A KB is 1,000 bytes. The dashboard loads its pages when they are seen, so each counts by itself,
with all that it may load later, before an empty cache. A visitor has one language: what is counted
is English.
"""

import re

import pytest

from tests.unit.web.graph import PAGES, WEB, files, links, loaded, packed_bytes

CHARTS = {"vendor/uplot.js", "vendor/uplot.css"}
"""Loaded when a chart is seen."""

BUDGETS = {"install": 35_000, "app": 60_000, "status": 35_000}
CHARTS_BUDGET = 23_000
ENGLISH = "install/texts/en.js"
LANGUAGE_BUDGET = 4_500
"""Of another language in its place. It has words for failures, which the API has in English."""
EMBED_BUDGET = 3_000
ROUTES = "app/dashboard.js"
"""Chooses the page of the dashboard that is seen."""
MOST_FILES = 16
"""Of a page of the dashboard that is opened by its address, before an empty cache."""
START = "app/pages/overview.js"
FIRST_FILES = 10
"""Before a page asks the API: with what it asks then, a first load has at most 12 requests."""


def all_of(page: str) -> set[str]:
    return loaded(f"{page}/index.html", later=True)


def views() -> list[str]:
    """What the dashboard loads when a page of it is seen."""
    return sorted(links(ROUTES).later)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "app"])
def test_all_that_a_page_can_load_fits_its_budget(page: str) -> None:
    sizes = sizes_of(all_of(page))
    others = {path for path in sizes if "/texts/" in path and path != ENGLISH}
    assert_fits({path: size for path, size in sizes.items() if path not in others}, BUDGETS[page])
    assert all(sizes[path] <= LANGUAGE_BUDGET for path in others)


@pytest.mark.parametrize("view", views())
def test_every_page_of_the_dashboard_fits_its_budget(view: str) -> None:
    start = loaded("app/index.html", later=False)
    seen = loaded(view, later=True, choosing=[ROUTES])
    assert_fits(sizes_of(start | seen), BUDGETS["app"])


@pytest.mark.parametrize("view", views())
def test_every_page_of_the_dashboard_has_few_files(view: str) -> None:
    first = loaded("app/index.html", later=False) | loaded(view, later=False)
    assert len(first) <= MOST_FILES, sorted(first)


def sizes_of(paths: set[str]) -> dict[str, int]:
    return {path: packed_bytes(path) for path in paths - CHARTS}


def assert_fits(sizes: dict[str, int], budget: int) -> None:
    largest = sorted(sizes.items(), key=lambda one: -one[1])
    assert sum(sizes.values()) <= budget, (sum(sizes.values()), largest)


def test_charts_fit_theirs() -> None:
    assert sum(map(packed_bytes, CHARTS)) <= CHARTS_BUDGET


def test_the_embed_script_fits_its_own() -> None:
    assert packed_bytes("embed/embed.js") <= EMBED_BUDGET
    assert links("embed/embed.js") == (frozenset(), frozenset())


@pytest.mark.parametrize("page", PAGES)
def test_a_first_load_has_few_files(page: str) -> None:
    first = loaded(f"{page}/index.html", later=False)
    first |= loaded(START, later=False) if page == "app" else set()
    assert len(first) <= FIRST_FILES, sorted(first)
    assert not first & CHARTS


@pytest.mark.parametrize("page", PAGES)
def test_the_wizard_and_the_status_page_load_nothing_of_the_dashboard(page: str) -> None:
    others = {other for other in PAGES if other != page}
    assert not {path for path in all_of(page) if path.partition("/")[0] in others}


def test_every_link_leads_to_a_file() -> None:
    served = set(files())
    for path in served:
        for target in (*links(path).at_once, *links(path).later):
            assert target in served, f"{path} loads {target}"


def test_every_file_is_loaded_by_a_page() -> None:
    used = set().union(*map(all_of, PAGES)) | {"embed/embed.js", "vendor/LICENSES.txt"}
    assert set(files()) - used == set()


def test_what_is_preloaded_is_what_the_page_loads() -> None:
    for page in PAGES:
        [script] = re.findall(
            r'<script [^>]*src="\{assets\}/([^"]+)"', (WEB / page / "index.html").read_text()
        )
        preloaded = {
            name for name in links(f"{page}/index.html").at_once if name.endswith(".js")
        } - {script}
        assert preloaded <= loaded(script, later=False), page
        missing = loaded(script, later=False) - preloaded - {script}
        # Without a link, a module is found only when the one that imports it has come.
        assert missing <= links(script).at_once, page


def test_the_folder_is_the_one_that_is_deployed() -> None:
    assert (WEB / "app/index.html").is_file()
