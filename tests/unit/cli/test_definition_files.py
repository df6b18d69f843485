"""Definition files: what they say, and where in a text something is wrong."""

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patchbay_cli.definition_files import DefinitionFile, read_definition, read_definitions
from patchbay_cli.json_files import Place, Unreadable, read_json, read_json_file

CATALOG = Path(__file__).parents[3] / "catalog"


def refusal(text: str | bytes) -> str:
    with pytest.raises(Unreadable) as raised:
        read_json("x.json", text if isinstance(text, bytes) else text.encode())
    return str(raised.value)


def test_a_definition_is_a_body_with_a_version_and_links(tmp_path: Path) -> None:
    file = tmp_path / "tracker.json"
    file.write_text(
        json.dumps(
            {
                "$schema": "https://example.com/definition.schema.json",
                "version": "1.2.0",
                "documentation": {"user": "https://docs.example.com"},
                "publisher": "acme",
                "slug": "tracker",
                "name": "Tracker",
            }
        )
    )

    found = read_definition(file)

    assert found.definition == {"publisher": "acme", "slug": "tracker", "name": "Tracker"}
    assert (found.version, found.key) == ("1.2.0", "acme/tracker")
    assert found.documentation == {"user": "https://docs.example.com"}


def test_what_editors_name_in_a_schema_inside_is_kept() -> None:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
    file = read_json("x.json", json.dumps({"variablesSchema": schema}).encode())

    assert DefinitionFile.of(file).definition == {"variablesSchema": schema}


def test_each_value_has_its_place() -> None:
    text = '{\n  "a": {"b~/c": [1,\n    {"d": "x"}]},\n "e" : null}'
    file = read_json("x.json", text.encode())

    assert file.place("") == Place(1, 1)
    assert file.place("/a") == Place(2, 3)
    assert file.place("/a/b~0~1c/0") == Place(2, 18)
    assert file.place("/a/b~0~1c/1/d") == Place(3, 6)
    assert file.place("/e") == Place(4, 2)


def test_what_is_missing_is_at_what_it_is_missing_from() -> None:
    file = read_json("x.json", b'{"manifest": {\n"checks": {}}}')

    problem = file.problem("/manifest/checks/steps", "is required")

    assert str(problem) == "x.json:2:1: /manifest/checks/steps is required"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x.json: is empty"),
        (" \n", "x.json: is empty"),
        ('{"a": ', "x.json:1:7: is not JSON: expecting value"),
        ('{\n  "a": 1,\n}', "x.json:2:9: is not JSON: illegal trailing comma"),
        (
            '{"a": 1 "b": 2}',
            "x.json:1:9: is not JSON: expecting ',' delimiter",
        ),
        ("[1]", "x.json:1:1: must be an object"),
        ('"a"', "x.json:1:1: must be an object"),
        ('{"a": 1,\n "a": 2}', "x.json:2:2: /a is there twice"),
        ('{"a": [1, NaN]}', "x.json:1:11: /a/1 is NaN, which is not JSON"),
        ('{"a": -Infinity}', "x.json:1:7: /a is -Infinity, which is not JSON"),
        ('{"a": 1e999}', "x.json:1:7: /a is a number that is too large"),
        ('{"a": ' + "9" * 5000 + "}", "x.json: has a number that is too large"),
        ('{"a": "\\ud800"}', "x.json:1:7: /a has an unpaired surrogate"),
        (b'{"a": "\xff"}', "x.json: is not UTF-8"),
        ('{"a":' * 41 + "1" + "}" * 41, "x.json:1:201: "),
        ('{"a":' * 200_000, "x.json: is nested deeper than 40 levels"),
        (b" " * (1 << 20) + b"{}", "x.json: is larger than 1 MiB"),
    ],
)
def test_what_is_not_an_object_in_json_is_refused_with_its_place(
    text: str | bytes, said: str
) -> None:
    assert refusal(text).startswith(said)


def test_a_long_name_around_many_values_costs_no_more_than_the_file() -> None:
    """A pointer for each of these values would have half a megabyte."""
    values = ",\n".join(["0"] * 100_000)
    tracemalloc.start()
    file = read_json("x.json", f'{{"{"a" * 500_000}": [{values}]}}'.encode())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert most < 50_000_000
    assert file.place(f"/{'a' * 500_000}/99999") == Place(100_000, 1)


def test_only_files_are_read(tmp_path: Path) -> None:
    """What else has such a name hides no file, and makes nobody wait."""
    (tmp_path / "crm.json").write_text("{}")
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "gone.json").symlink_to("nowhere")
    (tmp_path / ".#crm.json").symlink_to("somebody@a-machine.1234")
    (tmp_path / "._crm.json").write_bytes(b"\0")

    files, problems = read_definitions([tmp_path])

    assert [file.name for file in files] == [str(tmp_path / "crm.json")]
    assert [str(one).removeprefix(f"{tmp_path}/") for one in problems] == [
        "folder.json: is a folder, and not a file",
        "gone.json: No such file or directory",
        "pipe.json: is a pipe or a device, and not a file",
    ]


def test_a_byte_order_mark_is_no_matter() -> None:
    assert read_json("x.json", b'\xef\xbb\xbf{"a": 1}').value == {"a": 1}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.sampled_from([None, 1, 2]))
def test_any_object_is_read_as_python_reads_it(value: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)

    file = read_json("x.json", text.encode())

    assert file.value == value
    for pointer, found in _values(value, ""):
        line, column = file.place(pointer)
        rest = text.split("\n", line - 1)[-1][column - 1 :]
        if not pointer or isinstance(_parent(value, pointer), list):
            begins = json.dumps(found, indent=indent)[:1]
        else:
            begins = json.dumps(pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~"))
        assert rest.startswith(begins)


def _values(value: Any, pointer: str) -> list[tuple[str, Any]]:
    found = [(pointer, value)]
    if isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inner in members:
            found += _values(inner, f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}")
    return found


def _parent(value: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:-1]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def test_a_folder_is_its_json_files_and_one_that_is_broken_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"publisher": "acme", "slug": "b"}')
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "README.md").write_text("not one")

    found, problems = read_definitions([tmp_path])

    assert [one.key for one in found] == ["acme/b"]
    assert [problem.file for problem in problems] == [str(tmp_path / "a.json")]


def test_all_of_the_catalog_is_read() -> None:
    found, problems = read_definitions([CATALOG])

    assert problems == []
    assert len(found) == len(list(CATALOG.glob("*.json")))


def test_a_file_that_is_not_there_is_an_error_of_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json_file(tmp_path / "missing.json")
