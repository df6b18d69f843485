"""Errors are typed by the code of the API."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from patchbay_sdk import AsyncPatchbay, Patchbay, errors
from patchbay_sdk.errors import BY_CODE, error_of
from patchbay_sdk.messages import Response

from tests.unit.sdk.conftest import Call
from tests.unit.sdk.stand_in import StandIn, answers, fails

ROOT = Path(__file__).parents[3]
CODE = re.compile(r"[A-Z]+(_[A-Z]+)+")


def codes() -> Iterator[str]:
    """The codes that the deployment can answer with, from the tree of its errors, and from where
    conflicts are raised."""
    tree = ast.parse((ROOT / "layers/patchbay/patchbay/platform/errors.py").read_text())
    drawn = ast.get_docstring(tree) or ""
    yield from (code[0] for code in CODE.finditer(drawn))
    yield "CONFLICT"
    yield "UNAUTHENTICATED"
    for path in [
        *(ROOT / "layers/patchbay/patchbay").rglob("*.py"),
        *(ROOT / "functions").iterdir(),
    ]:
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Conflict"):
                for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                    match argument:
                        case ast.Constant(value=str(text)) if CODE.fullmatch(text):
                            yield text


def test_each_code_of_the_deployment_has_a_class() -> None:
    found = {code for code in codes() if not code.endswith("_NOT_FOUND")} | {"NOT_FOUND"}
    assert len(found) > 30
    assert found - BY_CODE.keys() == set()
    assert BY_CODE.keys() - found == set()


def test_each_class_is_in_the_tree_that_is_drawn() -> None:
    drawn = errors.__doc__ or ""
    for code, kind in BY_CODE.items():
        assert re.search(rf"{kind.__name__} +(.*, )?{code}\b", drawn), code


@pytest.mark.enable_socket
def test_an_error_says_what_is_wrong_where_and_how_to_find_it(run: Call, server: StandIn) -> None:
    problem = {"pointer": "/name", "message": "is required"}
    server.does(fails(400, "VALIDATION_ERROR", errors=[problem]))

    with pytest.raises(errors.InvalidRequest) as failed:
        run(lambda client: client.spaces.create(organization_id="org_1", slug="s", name=""))

    error = failed.value
    assert (error.status, error.code, error.type) == (400, "VALIDATION_ERROR", "client_error")
    assert error.pointers == ("/name",)
    assert error.errors[0].message == "is required"
    assert error.trace_id == "Yf3kJh1uFiAEMZg="
    assert str(error) == (
        "VALIDATION_ERROR: What went wrong.; /name is required (status 400, trace Yf3kJh1uFiAEMZg=)"
    )


def test_any_thing_that_is_missing_is_not_found() -> None:
    error = error_of(Response(404, {}, b'{"error": {"code": "LATER_THING_NOT_FOUND"}}'))
    assert isinstance(error, errors.NotFound)
    assert error.code == "LATER_THING_NOT_FOUND"


def test_a_new_code_is_its_nearest_class() -> None:
    error = error_of(Response(409, {}, b'{"error": {"code": "LATER_CONFLICT", "message": "m"}}'))
    assert type(error) is errors.Conflict
    assert error.code == "LATER_CONFLICT"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"message": "Forbidden"}', b"[]", b'"text"'])
def test_an_error_that_is_not_of_patchbay_has_no_code(body: bytes) -> None:
    error = error_of(Response(403, {}, body))
    assert isinstance(error, errors.PermissionDenied)
    assert error.code is None
    assert error.trace_id is None


@pytest.mark.enable_socket
def test_an_answer_that_is_not_of_patchbay_is_said_to_be(run: Call, server: StandIn) -> None:
    server.does(answers(200, "not an object"))
    with pytest.raises(errors.UnexpectedAnswer):
        run(lambda client: client.spaces.get(slug="main"))


@pytest.mark.enable_socket
def test_a_list_that_does_not_go_on_ends(client: Patchbay, server: StandIn) -> None:
    server.does(answers(200, {"items": [], "next_cursor": "same"}))
    with pytest.raises(errors.UnexpectedAnswer):
        list(client.organizations.list())


@pytest.mark.parametrize("kind", [Patchbay, AsyncPatchbay])
@pytest.mark.parametrize(
    "url",
    [
        "http://patchbay.example.com",
        "ftp://patchbay.example.com",
        "patchbay.example.com",
        "https://user:password@patchbay.example.com",
        "https://patchbay.example.com/?query=1",
        "",
    ],
)
def test_a_key_is_not_sent_in_the_clear_or_to_what_is_no_address(
    kind: type[Patchbay | AsyncPatchbay], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PATCHBAY_API_URL", raising=False)
    with pytest.raises(ValueError, match="base_url") as failed:
        kind("key", base_url=url)
    assert "password" not in repr(failed.value) or "may not have" in str(failed.value)
