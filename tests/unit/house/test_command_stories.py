"""Each command of the command line is used against a local cloud, or as it is released."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from patchbay_cli.command import Lazy, LazyGroup
from patchbay_cli.table import COMMANDS

ROOT = Path(__file__).parents[3]


def commands(table: dict[str, Lazy]) -> Iterator[tuple[str, ...]]:
    for name, entry in table.items():
        found = getattr(import_module(entry.module), entry.name)
        if isinstance(found, LazyGroup):
            yield from ((name, *inner) for inner in commands(dict(found._table)))
        else:
            yield (name,)


def command_lines() -> Iterator[tuple[str, ...]]:
    """What follows the program in the end-to-end tests, as far as it is a text."""
    for path in (ROOT / "tests/e2e").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                words = _texts(node.args)
            elif isinstance(node, ast.List | ast.Tuple):
                words = _texts(node.elts)
            else:
                continue
            yield words
            yield from (words[n + 1 :] for n, word in enumerate(words) if word in _PROGRAMS)


def _texts(nodes: list[ast.expr]) -> tuple[str, ...]:
    """The texts; of a variable, its name."""
    return tuple(
        str(node.value)
        if isinstance(node, ast.Constant)
        else node.id
        if isinstance(node, ast.Name)
        else ""
        for node in nodes
    )


_PROGRAMS = ("patchbay", "patchbay_cli")
USED = set(command_lines())
KINDS_OF_IMPORTS = re.findall(
    r'^        "(\w+)": \("', (ROOT / "tests/e2e/test_cli.py").read_text(), re.MULTILINE
)


@pytest.mark.parametrize("command", sorted(commands(dict(COMMANDS))), ids=" ".join)
def test_a_command_has_a_test_end_to_end(command: tuple[str, ...]) -> None:
    group, *kind = command
    if group == "import":
        # One test goes through all kinds
        assert kind[0] in KINDS_OF_IMPORTS
        return
    assert any(words[: len(command)] == command for words in USED)
