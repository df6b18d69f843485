"""One name for one thing: a public name alone says which class or type is meant."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "layers/patchbay/patchbay"
VAGUE = {
    *("base", "common", "helpers", "manager", "misc", "shared", "tools", "util", "utils"),
    *("facts", "measures", "names", "observation", "reading", "service", "standing"),
    *("terms", "things", "trials", "turns"),
}
"""Module names that don't say what is in the module."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def public_types(module: Path) -> Iterator[str]:
    for node in ast.parse(module.read_text()).body:
        match node:
            case ast.ClassDef(name=name) | ast.TypeAlias(name=ast.Name(id=name)):
                if not name.startswith("_"):
                    yield name


def test_no_two_public_types_share_a_name() -> None:
    places = defaultdict(list)
    for module in modules():
        for name in public_types(module):
            places[name].append(str(module.relative_to(PACKAGE)))

    assert places
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_a_module_is_named_for_what_is_in_it() -> None:
    assert [str(module) for module in modules() if module.stem in VAGUE] == []


def test_the_glossary_has_each_word_once_in_order() -> None:
    rows = [
        line.split("|")[1].strip()
        for line in (ROOT / "docs/glossary.md").read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| word ")
    ]

    assert rows
    assert rows == sorted(set(rows), key=str.lower)
