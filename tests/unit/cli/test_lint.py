"""`patchbay lint`: what is wrong with definition files, by the rules of publishing itself."""

import json
import tomllib
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from patchbay_cli import engine

from tests.unit.cli.conftest import Patchbay

ROOT = Path(__file__).parents[3]
TRACKER: dict[str, Any] = {
    "$schema": "https://example.com/definition.schema.json",
    "publisher": "acme",
    "slug": "tracker",
    "name": "Tracker",
    "version": "1.0.0",
    "authConfig": {"type": "api_key"},
    "manifest": {
        "checks": {
            "steps": [
                {
                    "name": "whoami",
                    "kind": "http",
                    "request": {"url": "https://api.example.com/v1/me"},
                }
            ]
        }
    },
}


def written(folder: Path, file_name: str = "tracker.json", /, **changes: Any) -> Path:
    """A file with the definition above, changed. None removes a member."""
    content = {name: value for name, value in (TRACKER | changes).items() if value is not None}
    file = folder / file_name
    file.write_text(json.dumps(content, indent=2))
    return file


def test_all_of_the_catalog_can_be_published(signed_out: Patchbay) -> None:
    ran = signed_out("lint", str(ROOT / "catalog"))

    count = len(list((ROOT / "catalog").glob("*.json")))
    assert (ran.code, ran.out, ran.err) == (0, "", f"{count} files can be published\n")


def test_each_problem_has_its_place(signed_out: Patchbay, tmp_path: Path) -> None:
    file = tmp_path / "tracker.json"
    file.write_text(
        """{
  "publisher": "acme",
  "slug": "tracker",
  "name": "Tracker",
  "version": "one",
  "authConfig": {"type": "api_key", "header": "X-Key"},
  "manifest": {"checks": {"steps": [
    {"name": "whoami", "kind": "http",
     "request": {"url": "https://{{variables.host}}/me"}}
  ]}}
}"""
    )

    ran = signed_out("lint", str(file))

    assert ran.code == 1
    assert ran.out.splitlines() == [
        f"{file}:5:3: /version is not a semantic version such as 1.4.0",
        f"{file}:6:37: /authConfig/header is not a known key",
        f"{file}:9:18: /manifest/checks/steps/0/request/url {{{{variables.host}}}} is not declared",
    ]
    assert ran.err == "3 problems in 1 of 1 file\n"


def test_problems_are_documents_for_programs(signed_out: Patchbay, tmp_path: Path) -> None:
    file = written(tmp_path, slug="Tracker!")

    ran = signed_out("lint", "--json", str(file))

    [problem] = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, problem["file"], problem["pointer"]) == (1, str(file), "/slug")
    assert (problem["line"], problem["column"]) == (4, 3)


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, []),
        ({"documentation": ["https://docs.example.com"]}, []),
        ({"version": None}, ["/version is required"]),
        ({"version": 1}, ["/version is not a semantic version such as 1.4.0"]),
        ({"version": "1.0"}, ["/version is not a semantic version such as 1.4.0"]),
        ({"version": "1.0.0-rc.1+build.5"}, []),
        ({"workspaceId": "x"}, ["/workspaceId is not of a file"]),
        ({"documentation": []}, ["/documentation must have https links"]),
        ({"documentation": {"user": "http://x"}}, ["/documentation must have https links"]),
        ({"documentation": "https://x"}, ["/documentation must have https links"]),
        ({"reviewed": "yesterday"}, ["/reviewed is not a day", "/reviewed needs a link"]),
        ({"reviewed": "2026-02-30"}, ["/reviewed is not a day", "/reviewed needs a link"]),
        (
            {
                "reviewed": "2999-01-01",
                "documentation": {"authentication": "https://a", "whoami": "https://b"},
            },
            ["/reviewed is in the future"],
        ),
        ({"name": None}, ["/name is required"]),
        ({"auth_config": {}}, ["/auth_config is not a known field; authConfig is"]),
        ({"manifest": {"checks": {"steps": 1}}}, ["/manifest/checks/steps must be a list"]),
        (
            {"variablesSchema": {"$schema": "https://example.com/mine"}},
            ["/variablesSchema/$schema must be https://json-schema.org/draft/2020-12/schema"],
        ),
    ],
)
def test_a_file_is_judged_whole(
    signed_out: Patchbay, tmp_path: Path, changes: dict[str, Any], problems: list[str]
) -> None:
    file = written(tmp_path, **changes)

    ran = signed_out("lint", str(file))

    found = [line.partition(": ")[2] for line in ran.out.splitlines()]
    assert len(found) == len(problems)
    assert all(line.startswith(start) for line, start in zip(found, problems, strict=True)), found
    assert ran.code == (1 if problems else 0)


def test_two_files_can_not_be_one_integration(signed_out: Patchbay, tmp_path: Path) -> None:
    first, second = written(tmp_path, "a.json"), written(tmp_path, "b.json")

    ran = signed_out("lint", str(tmp_path))

    assert (ran.code, ran.out) == (1, f"{second}:4:3: /slug is that of {first}\n")


def test_a_folder_of_apply_is_checked_whole(signed_out: Patchbay, tmp_path: Path) -> None:
    for folder in ("integrations", "spaces"):
        (tmp_path / folder).mkdir()
    written(tmp_path / "integrations")
    space = tmp_path / "spaces/main.json"
    space.write_text('{"name": "Main"}')

    assert signed_out("lint", str(tmp_path)).err == "2 files can be applied\n"

    written(tmp_path / "integrations", slug="No Slug")
    space.write_text('{"name": "Main", "alert_rule": []}')
    ran = signed_out("lint", str(tmp_path))

    assert ran.code == 1
    assert "tracker.json:4:3: /slug must have" in ran.out
    assert f"{space}:1:18: /alert_rule" in ran.out
    assert ran.err == "2 problems in 2 of 2 files\n"


def test_a_file_of_a_folder_of_apply_is_checked_by_itself(
    signed_out: Patchbay, tmp_path: Path
) -> None:
    space, organization = tmp_path / "spaces/main.json", tmp_path / "organization.json"
    space.parent.mkdir()
    space.write_text('{"name": "Main"}')
    organization.write_text('{"sources": []}')

    for path in (space, space.parent, organization):
        assert signed_out("lint", str(path)).err == "1 file can be applied\n"

    space.write_text('{"name": "Main", "alert_rule": []}')
    organization.write_text('{"sources": [{"name": "A", "integration": 3}]}')
    ran = signed_out("lint", str(space), str(organization))

    assert ran.code == 1
    assert f"{space}:1:18: /alert_rule is not known here" in ran.out
    assert f"{organization}:1:28: /sources/0/integration must be a string" in ran.out


def test_a_file_that_is_named_twice_is_one(signed_out: Patchbay, tmp_path: Path) -> None:
    file = written(tmp_path)

    ran = signed_out("lint", str(file), str(tmp_path), str(file))

    assert (ran.code, ran.out, ran.err) == (0, "", "1 file can be published\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(TRACKER | {"slug": "No Slug"}), "/slug"),
        ('{"publisher": ', ""),
        ("", ""),
    ],
)
def test_what_is_not_saved_yet_comes_from_standard_input(
    signed_out: Patchbay, monkeypatch: pytest.MonkeyPatch, content: str, said: str
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(json.dumps(TRACKER).encode())))
    assert signed_out("lint", "-").err == "1 file can be published\n"

    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(content.encode())))
    ran = signed_out("lint", "--json", "-")

    [problem] = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, problem["file"], problem["pointer"]) == (1, "standard input", said)


def test_a_version_is_no_longer_than_a_release_may_have(
    signed_out: Patchbay, tmp_path: Path
) -> None:
    assert signed_out("lint", str(written(tmp_path, version="1.0.0-" + "a" * 58))).code == 0

    ran = signed_out("lint", str(written(tmp_path, version="1.0.0-" + "a" * 59)))

    assert "/version must have at most 64 characters" in ran.out


def test_a_file_that_is_half_written_hides_no_other(signed_out: Patchbay, tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"publisher": ')
    written(tmp_path, name_of_file := "whole.json", slug="no good")

    ran = signed_out("lint", str(tmp_path))

    assert ran.code == 1
    assert "half.json:1:15: is not JSON: expecting value" in ran.out
    assert name_of_file in ran.out


def test_what_a_file_says_does_not_move_the_cursor(signed_out: Patchbay, tmp_path: Path) -> None:
    file = written(tmp_path, **{"\033[2Jx": 1})

    ran = signed_out("lint", str(file))

    assert "\033" not in ran.out
    assert "/\\x1b[2Jx is not a known field" in ran.out


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_without_a_file_there_is_nothing_to_say(
    signed_out: Patchbay, tmp_path: Path, name: str
) -> None:
    ran = signed_out("lint", str(tmp_path / name))

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("patchbay: ")


def test_without_the_engine_one_sentence_says_what_to_install(
    signed_out: Patchbay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)

    ran = signed_out("lint", str(written(tmp_path)))

    sentence = "patchbay lint needs Patchbay's engine: pip install 'patchbay-sdk[dev]'"
    assert (ran.code, ran.out, ran.err) == (1, "", f"patchbay: {sentence}\n")


def test_an_older_python_is_told_so(
    signed_out: Patchbay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    monkeypatch.setattr(engine, "sys", SimpleNamespace(version_info=(3, 10, 13)))

    ran = signed_out("lint", str(written(tmp_path)))

    assert "engine, which runs on Python 3.13 (this is 3.10): pip install" in ran.err


def test_the_engine_requires_what_the_layer_has() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    engine_of = tomllib.loads((ROOT / "layers/patchbay/pyproject.toml").read_text())["project"]
    client = tomllib.loads((ROOT / "client/pyproject.toml").read_text())["project"]

    assert engine_of["dependencies"] == project["dependencies"]
    assert engine_of["requires-python"] == project["requires-python"]
    assert engine_of["version"] == client["version"] == project["version"]
    required = f"patchbay-engine=={engine_of['version']}; python_version == '3.13'"
    assert required in client["optional-dependencies"]["dev"]
