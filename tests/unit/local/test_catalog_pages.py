"""The pages of `docs/catalog` are those of the entries."""

from pathlib import Path

import pytest

from local import catalog_pages
from local.publishing import catalog_files


def test_the_pages_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert catalog_pages.main(["--check"]) == 0, capsys.readouterr().err


def test_a_page_that_is_stale_or_has_no_entry_is_found_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # given pages of which one was edited, and one is of an entry that is gone
    monkeypatch.setattr(catalog_pages, "PAGES", tmp_path)
    assert catalog_pages.main([]) == 0
    (tmp_path / "slack.md").write_text("edited")
    (tmp_path / "gone.md").write_text("# Gone")

    # when
    assert catalog_pages.main(["--check"]) == 1

    # then
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["docs/catalog/gone.md", "docs/catalog/slack.md"]
    assert catalog_pages.main([]) == 0
    assert catalog_pages.main(["--check"]) == 0


def test_a_page_says_what_is_entered_asked_and_where_that_is_from() -> None:
    # given
    entries = catalog_files()

    # when
    pages = catalog_pages.pages(entries)

    # then
    for entry in entries:
        page = pages[f"{entry.definition['slug']}.md"]
        asked = [
            *entry.definition["variablesSchema"]["properties"],
            *entry.definition["authConfig"].get("scopes", []),
            *entry.documentation.values(),
        ]
        assert [text for text in asked if text not in page] == [], entry.key
        for step in entry.definition["manifest"]["checks"]["steps"]:
            assert f". **{step['name']}**, " in page
