"""`patchbay import`: files of others become files of a folder, or drafts of a deployment."""

import builtins
import errno
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patchbay_cli.exits import Exit

from tests.unit.cli.conftest import Patchbay

PROVIDERS = """
tracker:
  display_name: Tracker
  categories: [dev-tools]
  auth_mode: API_KEY
  proxy:
    base_url: https://api.tracker.example
    headers:
      authorization: Bearer ${apiKey}
    verification: {method: GET, endpoints: [/me]}
desk:
  display_name: Desk
  auth_mode: API_KEY
  proxy:
    base_url: https://api.desk.example
    headers:
      x-api-key: ${apiKey}
signed:
  display_name: Signed
  auth_mode: JWT
"""
REGISTRY = {
    "sources": [
        {
            "name": "Tracker",
            "dockerRepository": "airbyte/source-tracker",
            "license": "MIT",
            "spec": {
                "connectionSpecification": {
                    "type": "object",
                    "properties": {"api_key": {"type": "string", "airbyte_secret": True}},
                }
            },
        }
    ]
}
OPENAPI = {
    "openapi": "3.0.3",
    "info": {"title": "Tracker", "version": "1"},
    "servers": [{"url": "https://api.tracker.example"}],
    "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    "security": [{"key": []}],
    "paths": {"/me": {"get": {"operationId": "me", "responses": {"200": {"description": "Me"}}}}},
}
COLLECTION = {
    "info": {"name": "Tracker", "schema": "https://schema.getpostman.com/v2.1.0/collection.json"},
    "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}"}]},
    "item": [
        {
            "name": "Me",
            "request": {"method": "GET", "url": {"raw": "https://api.tracker.example/me"}},
        }
    ],
}


@pytest.fixture
def providers(tmp_path: Path) -> str:
    path = tmp_path / "providers.yaml"
    path.write_text(PROVIDERS)
    return str(path)


def written(path: Path, content: object) -> str:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def documents(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_folder_is_written_without_a_deployment(
    signed_out: Patchbay, providers: str, tmp_path: Path
) -> None:
    ran = signed_out("import", "nango", providers, "--out", str(tmp_path / "out"))

    # One of them signs its requests, which no definition does
    assert ran.code == Exit.FAILED
    assert ran.out.splitlines() == [
        "NAME     STATE         CHECK     CODE  DONE     PROBLEM",
        "tracker  draft         yes             written",
        "desk     draft         no check        written",
        "signed   not imported                           it signs its requests by code",
    ]
    assert ran.err.splitlines()[:2] == [
        "3 definitions: 0 published, 2 draft, 1 not imported, 0 with problems, 1 without a check, "
        "0 need code.",
        "Done: 2 written.",
    ]
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["desk.json", "tracker.json"]
    entry = json.loads((tmp_path / "out/tracker.json").read_text())
    assert (entry["publisher"], entry["visibility"]) == ("imported", "private")
    assert "License: Elastic License 2.0" in entry["description"]


def test_a_name_as_long_as_a_file_is_cut_in_the_table(signed_out: Patchbay, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    document = {
        "openapi": "3.1.0",
        "info": {"title": "T" * 9000},
        "servers": [{"url": "https://a.example"}],
    }
    file.write_text(json.dumps(document))

    ran = signed_out("import", "openapi", str(file), "--out", str(tmp_path / "out"))

    assert ran.code == Exit.DONE
    assert max(map(len, ran.out.splitlines())) < 200


@pytest.mark.parametrize("slug", ["../up", "A B", "-", "", "x/y", "ü"])
def test_a_slug_that_is_none_is_refused_before_anything_is_written(
    signed_out: Patchbay, tmp_path: Path, slug: str
) -> None:
    file, out = tmp_path / "openapi.json", tmp_path / "out"
    file.write_text('{"openapi": "3.1.0", "servers": [{"url": "https://a.example"}]}')

    ran = signed_out("import", "openapi", str(file), "--out", str(out), f"--slug={slug}")

    assert (ran.code, out.exists()) == (Exit.USAGE, False)
    assert "must have 1 to 63 lower-case letters" in ran.err


def test_only_those_that_are_named_are_imported(
    signed_out: Patchbay, providers: str, tmp_path: Path
) -> None:
    out = ["--out", str(tmp_path / "out"), "--publisher", "acme", "--json"]
    ran = signed_out("import", "nango", providers, "--only", "tracker, lost", *out)

    assert [(one["name"], one["state"]) for one in documents(ran.out)] == [
        ("lost", "not imported"),
        ("tracker", "draft"),
    ]
    assert documents(ran.out)[1]["integration"] == "acme/tracker"


def test_a_second_import_writes_again_what_the_first_wrote_and_nothing_else(
    signed_out: Patchbay, providers: str, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    arguments = ["import", "nango", providers, "--only", "tracker,desk", "--out", str(folder)]
    assert signed_out(*arguments).code == Exit.DONE
    # Given a file of somebody's own, and one that is not as the source has it any more
    own = written(folder / "desk.json", {"publisher": "imported", "slug": "desk"})
    tracker = folder / "tracker.json"
    edited = {**json.loads(tracker.read_text()), "name": "Old"}
    written(tracker, edited)

    ran = signed_out(*arguments, "--json")

    assert ran.code == Exit.FAILED
    assert [(one["name"], one["actions"]) for one in documents(ran.out)] == [
        ("tracker", ["updated"]),
        ("desk", ["kept"]),
    ]
    assert documents(ran.out)[1]["notes"] == ["desk.json is not of this import: it was left alone"]
    assert json.loads(Path(own).read_text()) == {"publisher": "imported", "slug": "desk"}
    assert json.loads(tracker.read_text())["name"] == "Tracker"


def test_a_write_that_is_cut_off_leaves_no_half_of_a_file(
    signed_out: Patchbay, providers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    whole = Path.write_text

    def cut_off(self: Path, text: str, encoding: str) -> None:
        whole(self, text[:10], encoding=encoding)
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", cut_off)
        ran = signed_out("import", "nango", providers, "--only", "tracker", "--out", str(out))
    assert (ran.code, list(out.iterdir())) == (Exit.FAILED, [])
    assert "No space left on device" in ran.err

    ran = signed_out("import", "nango", providers, "--only", "tracker", "--out", str(out))
    assert (ran.code, [path.name for path in out.iterdir()]) == (Exit.DONE, ["tracker.json"])


def test_a_folder_with_the_name_of_a_file_is_kept(
    signed_out: Patchbay, providers: str, tmp_path: Path
) -> None:
    (tmp_path / "out/tracker.json").mkdir(parents=True)

    ran = signed_out("import", "nango", providers, "--out", str(tmp_path / "out"), "--json")

    actions = {one["name"]: one["actions"] for one in documents(ran.out)}
    assert (actions["tracker"], actions["desk"]) == (["kept"], ["written"])


def test_files_are_judged_if_the_engine_is_installed(
    signed_out: Patchbay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pattern = '{tenant: {pattern: "^(?:[a-z]{500}){500}$"}}'
    broken = PROVIDERS.replace("desk:", f"desk:\n  connection_config: {pattern}")
    broken = broken.replace("api.desk", "${connectionConfig.tenant}.desk")
    file = written(tmp_path / "providers.yaml", broken)
    arguments = ["import", "nango", file, "--only", "desk", "--json", "--out"]

    [judged] = documents(signed_out(*arguments, str(tmp_path / "a")).out)
    monkeypatch.setattr("patchbay_cli.import_definitions.has_engine", lambda: False)
    ran = signed_out(*arguments, str(tmp_path / "b"))

    pointers = [problem["pointer"] for problem in judged["problems"]]
    assert pointers == ["/variablesSchema/properties/tenant/pattern"]
    assert documents(ran.out)[0]["problems"] is None
    assert documents(ran.err)[-1] == {
        "note": "Whether they can be published is what patchbay lint says, or --drafts."
    }


@pytest.mark.parametrize(
    ("kind", "content", "options", "slug"),
    [
        ("airbyte", REGISTRY, ["--only", "source-tracker"], "source-tracker"),
        ("openapi", OPENAPI, ["--slug", "own"], "own"),
        ("openapi", OPENAPI, ["--server", "https://other.example"], "tracker"),
        ("postman", COLLECTION, [], "tracker"),
    ],
)
def test_each_kind_of_file_is_imported(
    kind: str,
    content: object,
    options: list[str],
    slug: str,
    signed_out: Patchbay,
    tmp_path: Path,
) -> None:
    file = written(tmp_path / "file.json", content)
    ran = signed_out("import", kind, file, *options, "--out", str(tmp_path / "out"))
    assert (ran.code, ran.err.splitlines()[1]) == (Exit.DONE, "Done: 1 written.")
    assert [path.stem for path in (tmp_path / "out").iterdir()] == [slug]


def test_a_manifest_is_called_as_its_folder_is(signed_out: Patchbay, tmp_path: Path) -> None:
    folder = tmp_path / "source-tracker"
    folder.mkdir()
    file = written(folder / "manifest.yaml", "version: 1.0.0\ncheck: {stream_names: [me]}\n")
    out = ["--out", str(tmp_path / "out"), "--json"]
    [found] = documents(signed_out("import", "airbyte", file, *out).out)
    assert found["integration"] == "imported/source-tracker"
    assert found["needs_code"]
    assert signed_out("import", "airbyte", file, "--only", "x", *out).code == Exit.USAGE


def test_standard_input_is_a_file(
    signed_out: Patchbay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(json.dumps(OPENAPI).encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert signed_out("import", "openapi", "-", "--out", str(tmp_path)).code == Exit.DONE


BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
)


@pytest.mark.parametrize("kind", ["nango", "airbyte", "openapi", "postman"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB, "has more than 5000000 values"),
        ("[" * 100_000, "is nested deeper than 100 levels"),
        ("x: " + "{a: " * 200, "line 1: is nested deeper than 100 levels"),
        ("[1, 2]", "must be an object"),
        ("just words", "must be an object"),
        ("", "must be an object"),
        ("a: !!python/object/apply:os.system [exit]", "line 1: is not valid YAML"),
        ('{"a": }', "line 1: is not valid JSON"),
    ],
    ids=["bomb", "deep", "deep yaml", "list", "words", "empty", "code", "broken"],
)
def test_a_hostile_file_is_one_sentence(
    kind: str, content: str, said: str, signed_out: Patchbay, tmp_path: Path
) -> None:
    file = written(tmp_path / "file", content)
    ran = signed_out("import", kind, file, "--out", str(tmp_path / "out"))
    assert (ran.code, ran.out) == (Exit.FAILED, "")
    assert ran.err.startswith(f"patchbay: {file}: {said}")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_without_an_end_is_not_read_to_the_end(
    signed_out: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    from patchbay_importers import source_files

    monkeypatch.setattr(source_files, "MAX_FILE_BYTES", 1000)
    ran = signed_out("import", "openapi", "/dev/zero")
    assert ran.err == "patchbay: /dev/zero: has more than 1000 bytes\n"
    assert "Is a directory" in signed_out("import", "openapi", "/").err


def test_without_its_extra_the_program_says_what_to_install(
    signed_out: Patchbay, providers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports: Callable[..., Any] = builtins.__import__

    def without_yaml(name: str, *rest: Any, **named: Any) -> Any:
        if name == "yaml":
            raise ModuleNotFoundError(name)
        return imports(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without_yaml)
    ran = signed_out("import", "nango", providers)
    assert ran.code == Exit.FAILED
    assert ran.err == (
        f"patchbay: {providers}: is not JSON, and YAML needs: "
        "pip install 'patchbay-sdk[importers]'\n"
    )
