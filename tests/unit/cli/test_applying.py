"""What `patchbay apply` compares, and what it finds wrong with files by itself."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patchbay_cli.applying import folder as folders
from patchbay_cli.applying.defaults import without_defaults
from patchbay_cli.applying.differences import (
    ABSENT,
    Difference,
    differences,
    merge_patch,
    merged,
    missing,
    same,
)
from patchbay_cli.applying.edits import create
from patchbay_cli.applying.folder import FolderRefused, read_folder
from patchbay_cli.applying.new_secrets import NewSecrets
from patchbay_sdk import Response
from patchbay_sdk.errors import ApiError, Conflict, IdempotencyConflict, NotFound
from patchbay_sdk.model import Model

from patchbay.platform.revisions import merge_patch as merged_by_the_api
from tests.integration.deployment_folder import edited, write_folder

NAMES = st.sampled_from(["a", "b", "a/b", "~"])
SCALARS = st.booleans() | st.integers(-1, 2) | st.sampled_from([0.0, 1.0, "", "x"])


def objects(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    values = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner)
    )
    return st.dictionaries(NAMES, values, max_size=3)


@given(objects(SCALARS), objects(SCALARS))
def test_a_patch_makes_of_what_there_is_what_is_wanted(
    has: dict[str, Any], wants: dict[str, Any]
) -> None:
    patch = merge_patch(has, wants)
    assert same(merged(has, patch), wants)
    assert (patch == {}) is same(has, wants)


@given(objects(SCALARS | st.none()), objects(SCALARS | st.none()))
def test_a_patch_is_understood_as_the_deployment_does(
    has: dict[str, Any], patch: dict[str, Any]
) -> None:
    assert merged(has, patch) == merged_by_the_api(has, patch)


@given(objects(SCALARS | st.none()), objects(SCALARS | st.none()))
def test_what_is_the_same_has_no_difference(has: dict[str, Any], wants: dict[str, Any]) -> None:
    assert list(differences(has, has)) == []
    assert same(has, wants) is (not list(differences(has, wants)))
    # What is not said is not missed.
    assert list(missing({**wants, "c": has}, wants)) == []


def test_a_difference_has_its_place_and_both_values() -> None:
    has = {"a": {"b/c": 1}, "list": [1, 2], "gone": True}
    wants = {"a": {"b/c": True}, "list": [1, 3], "new": None}
    assert list(differences(has, wants)) == [
        Difference("/a/b~1c", 1, True),
        Difference("/list/1", 2, 3),
        Difference("/gone", True, ABSENT),
        Difference("/new", ABSENT, None),
    ]


def test_what_a_schema_adds_is_no_difference_and_anything_else_is() -> None:
    schema = {
        "properties": {
            "size": {"default": 50},
            "page": {"properties": {"from": {"default": 0}}},
        }
    }
    has = {"size": 50, "page": {"from": 0, "to": 9}, "extra": 1}
    wants = {"page": {"to": 9}}
    assert without_defaults(has, wants, schema) == {"page": {"to": 9}, "extra": 1}
    assert without_defaults({"size": 51}, {}, schema) == {"size": 51}


@pytest.mark.parametrize(
    ("file", "edit", "problem"),
    [
        ("integrations/crm.json", {"iconUrl": 1}, "/iconUrl must be a string"),
        ("integrations/crm.json", {"version": 1}, "/version must be a string"),
        ("integrations/crm.json", {"manifest": []}, "/manifest must be an object"),
        (
            "integrations/crm.json",
            {"visibility": "open"},
            "/visibility must be one of private, unlisted, public",
        ),
        ("spaces/live.json", {"paused": 1}, "/paused must be true or false"),
        ("spaces/live.json", {"connections": {}}, "/connections must be a list"),
        (
            "spaces/live.json",
            {"connections": [{"name": "x"}]},
            "/connections/0/source is missing",
        ),
        (
            "organization.json",
            {"sources": [{"name": "x", "integration": None}]},
            "/sources/0/integration must be a string",
        ),
    ],
)
def test_without_the_engine_the_shape_of_a_file_is_checked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    edit: dict[str, Any],
    problem: str,
) -> None:
    monkeypatch.setattr(folders, "has_engine", lambda: False)
    write_folder(tmp_path, "acme", "live")
    read_folder(tmp_path)
    edited(tmp_path / file, lambda content: content.update(edit))

    with pytest.raises(FolderRefused) as refused:
        read_folder(tmp_path)

    [found] = refused.value.problems
    assert str(found).partition(": ")[2] == problem
    assert found.place is not None


def test_two_names_never_share_a_file(tmp_path: Path) -> None:
    secrets = NewSecrets(tmp_path)
    names = [
        "back end",
        "back-end",
        "back/end",
        "../back-end",
        ".back-end",
        "Back-end",
        "back-end.",
    ]
    for name in names:
        secrets.keep(folders.Identity(folders.API_KEY, name), name)

    files = sorted(tmp_path.iterdir())
    assert files == sorted(secrets.written)
    assert sorted(file.read_text().strip() for file in files) == sorted(names)
    assert all(file.parent == tmp_path for file in files)
    # A system may take one for the other.
    assert len({file.name.lower() for file in files}) == len(names)


def test_a_name_that_ends_as_a_marker_is_none(tmp_path: Path) -> None:
    """Or else the key "back" would be made again, and this one's file be gone."""
    secrets = NewSecrets(tmp_path)
    secrets.keep(folders.Identity(folders.API_KEY, "back.pending"), "secret")

    assert not secrets.is_expected(folders.Identity(folders.API_KEY, "back"))


class Made(Model):
    id: str


def made(replayed: bool = False) -> Made:
    one = Made({"id": "src_1"})
    headers = {"idempotent-replayed": "true"} if replayed else {}
    one._response = Response(201, headers)
    return one


def refusal(kind: type[ApiError], code: str, **headers: str) -> ApiError:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return kind(Response(409, sent), {"code": code})


def test_a_create_waits_for_another_run_and_steps_aside_for_another_body() -> None:
    keys: list[str] = []
    answers: list[Made | ApiError] = [
        refusal(Conflict, "CONFLICT", retry_after="0"),
        refusal(IdempotencyConflict, "IDEMPOTENCY_CONFLICT"),
        made(replayed=True),
        made(),
    ]

    def make(key: str) -> Made:
        keys.append(key)
        answer = answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer

    def gone(_: Made) -> None:
        raise NotFound(Response(404, {}), {"code": "SOURCE_NOT_FOUND"})

    create(make, gone, {"name": "CRM"}, "source CRM")

    # The same while another makes it; another for another body, and for what was deleted since.
    assert keys[0] == keys[1]
    assert len({*keys}) == 3
    # Another run sends the same.
    again: list[str] = []
    create(lambda key: again.append(key) or made(), gone, {"name": "CRM"}, "source CRM")  # type: ignore[func-returns-value]
    assert again == keys[:1]


def test_a_conflict_that_is_none_of_another_run_is_an_error() -> None:
    def make(_: str) -> Made:
        raise refusal(Conflict, "SLUG_TAKEN")

    with pytest.raises(Conflict):
        create(make, lambda _: None, {}, "space main")
