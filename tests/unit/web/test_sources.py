"""The files of web/: no address of others, no markup of strings, no way around the types."""

import json
import re
from hashlib import sha256

import pytest

from local.paths import ROOT
from local.vendoring import LICENSES, RECORD, VENDOR
from tests.unit.web.graph import PAGES, WEB, files

OWN = [path for path in files() if not path.startswith("vendor/")]
CODE = [path for path in OWN if path.endswith(".js")]

ADDRESS = re.compile(r"(?<![\w-])(?:https?:)?//[\w\[][^\s\"'`<>)]*|\bwss?://\S+")
NO_ADDRESS = re.compile(
    # The names of XML, and what stands for an address in a text
    r"http://www\.w3\.org/(?:2000/svg|1999/xhtml|1998/Math/MathML)"
    r"|https?://(?:[\w.-]+\.)?example(?:\.com|\.org|\.net)?(?:[/:?#.].*)?"
    r"|https?://(?:127\.0\.0\.1|localhost|\[::1\]).*"
)
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write"
    r"|createContextualFragment|DOMParser|setHTMLUnsafe|srcdoc|\beval\(|new Function"
    r"|setTimeout\(\s*[\"'`]|javascript:"
)
AROUND_TYPES = re.compile(
    r"@ts-ignore|@ts-nocheck|@ts-expect-error|biome-ignore"
    r"|@(?:type|param|returns?|typedef|property|template|satisfies)\b[^*]*?"
    r"(?:\{\*\}|\{(?:Function|Object|object)\})"
)


@pytest.mark.parametrize("path", OWN)
def test_no_file_names_an_address_of_others(path: str) -> None:
    text = re.sub(r"^\s*(?://|\*|/\*).*$", "", (WEB / path).read_text(), flags=re.MULTILINE)
    found = [one for one in ADDRESS.findall(text) if not NO_ADDRESS.fullmatch(one)]
    assert found == []


@pytest.mark.parametrize("path", CODE)
def test_no_code_makes_markup_of_a_string(path: str) -> None:
    assert MARKUP.findall((WEB / path).read_text()) == []


def test_charts_make_no_markup_of_strings() -> None:
    """A page under `trusted-types 'none'` would fail at the first."""
    assert MARKUP.findall((VENDOR / "uplot.js").read_text()) == []


def test_preact_makes_markup_only_where_it_is_asked_to() -> None:
    """By a property that no code of ours sets."""
    text = (VENDOR / "preact.js").read_text()
    assert set(MARKUP.findall(text)) == {"dangerouslySetInnerHTML", "innerHTML"}


@pytest.mark.parametrize("path", CODE)
def test_no_code_goes_around_the_types(path: str) -> None:
    assert [one[0] for one in AROUND_TYPES.finditer((WEB / path).read_text())] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_script_or_style_of_its_own(page: str) -> None:
    html = (WEB / page / "index.html").read_text()
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]* src=)|<base|<iframe", html)
    assert re.search(r'<html lang="en"', html)
    assert html.count("</head>") == 1
    assert "<noscript>" in html


def test_vendored_files_are_those_of_their_packages() -> None:
    record = json.loads((VENDOR / RECORD).read_text())
    wanted = json.loads((ROOT / "local/clients/package.json").read_text())["devDependencies"]
    licenses = (VENDOR / LICENSES).read_text()
    for entry in record:
        content = (VENDOR / entry["file"]).read_bytes()
        assert sha256(content).hexdigest() == entry["sha256"], entry["file"]
        for package in entry["packages"]:
            assert wanted[package["name"]] == package["version"]
            title = f"{package['name']} {package['version']}, {package['license']}"
            assert title in licenses
            assert title.encode() in content
    named = {entry["file"] for entry in record}
    assert {path.name for path in VENDOR.glob("*") if path.suffix in (".js", ".css")} == named
