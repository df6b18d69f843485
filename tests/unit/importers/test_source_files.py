"""Files of strangers: what is wrong with one is said with its place, and costs little."""

import json
import time
from pathlib import Path

import pytest
from patchbay_importers import source_files
from patchbay_importers.refusals import ImportRefused
from patchbay_importers.source_files import parse_document, read_document


def refusal(content: bytes) -> ImportRefused:
    with pytest.raises(ImportRefused) as caught:
        parse_document(content)
    return caught.value


def test_json_and_yaml_give_the_same() -> None:
    assert parse_document(b'{"a": [1, true, null]}') == parse_document(b"a: [1, true, null]")


def test_a_byte_order_mark_does_not_count() -> None:
    assert parse_document(b"\xef\xbb\xbfa: 1") == {"a": 1}


def test_names_are_strings_and_dates_are_texts() -> None:
    document = parse_document(
        b"200: ok\ntrue: yes\nsince: 2026-02-03\nnever: .nan\nraw: !!binary aGk="
    )

    assert document == {
        "200": "ok",
        "true": True,
        "since": "2026-02-03",
        "never": "nan",
        "raw": "b'hi'",
    }


def test_an_alias_repeats_its_value() -> None:
    assert parse_document(b"a: &x {b: 1}\nc: *x") == {"a": {"b": 1}, "c": {"b": 1}}


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]

    began = time.process_time()
    refused = refusal("\n".join(lines).encode())

    assert refused.message == "has more than 5000000 values"
    assert time.process_time() - began < 2


def test_a_circle_of_aliases_is_refused() -> None:
    assert refusal(b"a: &a [*a]").message == "has an alias that leads back to itself"


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b"a: ["])
def test_a_deep_document_is_refused(opening: bytes) -> None:
    content = b"x: " + opening * 100_000 if opening == b"a: [" else opening * 100_000

    assert "levels" in str(refusal(content)) or "valid" in str(refusal(content))


def test_a_document_of_101_levels_is_refused_and_of_100_is_not() -> None:
    def nested(levels: int) -> bytes:
        return b"[" * levels + b"]" * levels

    assert parse_document(nested(99))
    assert refusal(nested(102)).message == "is nested deeper than 100 levels"
    assert "is nested deeper than 100 levels" in refusal(b"a: " + nested(102)).message


def test_a_tag_that_runs_code_is_refused_with_its_line() -> None:
    refused = refusal(b"a: 1\nb: !!python/object/apply:os.system [exit]")

    assert str(refused) == "line 2: is not valid YAML"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a": }', "line 1: is not valid JSON"),
        (b"a: b: c", "line 1: is not valid YAML"),
        (b"a: 1\n\tb: 2", "line 2: is not valid YAML"),
        (b"a: \xff", "byte 3: is not UTF-8"),
        (b'{"a": ' + b"1" * 5000 + b"}", "has a number that is too long"),
        (b"? [a]\n: 1", "line 1: is not valid YAML"),
        (b"a: 2026-13-45", "has a number or a date that can't be read"),
        (b"a: *nowhere", "line 1: is not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(content: bytes, said: str) -> None:
    assert str(refusal(content)) == said


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_files, "MAX_FILE_BYTES", 10)
    path = tmp_path / "large.json"
    path.write_text(json.dumps(["x" * 100]))

    with pytest.raises(ImportRefused, match="has more than 10 bytes"):
        read_document(path)
    assert refusal(b"a: 123456789012").message == "has more than 10 bytes"


def test_a_file_that_is_not_there_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="No such file"):
        read_document(tmp_path / "none.yaml")


MERGES = "\n".join(
    [
        "a0: &a0 {" + ", ".join(f"k{n}: 1" for n in range(10)) + "}",
        *(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)),
    ]
)
WIDE = (
    f"a: &a {{{', '.join(f'k{n}: 1' for n in range(30_000))}}}\n"
    f"b: {{<<: [{','.join(['*a'] * 10_000)}]}}"
)
PAIRS = "\n".join(
    [
        "a0: &a0 [x, x, x, x, x, x, x, x, x]",
        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 7)),
        "b: !!pairs [{k: *a6}, {k: *a6}, {k: *a6}, {k: *a6}, {k: *a6}, {k: *a6}]",
    ]
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(MERGES, "merges more than 5000000 values", id="merges of merges"),
        pytest.param(WIDE, "merges more than 5000000 values", id="one wide merge"),
        pytest.param(PAIRS, "has a set, or pairs", id="pairs"),
        pytest.param("a: &a {<<: *a}", "leads back to itself", id="a merge of itself"),
        pytest.param("a: 1" + ":1" * 400_000, "has a number that is too long", id="base 60"),
        pytest.param('a: !!int "1' + ":1" * 400_000 + '"', "too long", id="base 60, tagged"),
        pytest.param("a: 0x" + "f" * 100_000, "has a number that is too long", id="base 16"),
    ],
)
def test_what_would_take_long_to_read_is_refused_soon(content: str, said: str) -> None:
    began = time.process_time()
    refused = refusal(content.encode())

    assert said in refused.message
    assert time.process_time() - began < 10


def test_merges_that_people_write_are_read() -> None:
    content = b"a: &a {x: 1, y: 1}\nb: {<<: *a, y: 2}\nc: {<<: [*a, {z: 3}]}\nt: 1:30"
    document = parse_document(content)
    assert document["b"] == {"x": 1, "y": 2}
    assert document["c"] == {"x": 1, "y": 1, "z": 3}
    assert document["t"] == 90
