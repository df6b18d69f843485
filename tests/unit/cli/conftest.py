"""The command line against a deployment on loopback."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from patchbay_cli import profiles
from patchbay_cli.profiles import FOLDER_VARIABLE, KEY_VARIABLE, URL_VARIABLE
from patchbay_cli.program import main

from tests.unit.sdk.stand_in import KEY, StandIn, stand_in

ORGANIZATION_ID = "org_01KHNGNQ80TYJPTF7WZ6J4TT8T"


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


Patchbay = Callable[..., Ran]


@pytest.fixture
def server() -> Iterator[StandIn]:
    with stand_in() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the profiles are: nobody is signed in yet."""
    for variable in (
        *(KEY_VARIABLE, URL_VARIABLE, profiles.PROFILE_VARIABLE),
        *(profiles.ORGANIZATION_VARIABLE, profiles.SPACE_VARIABLE),
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def signed_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> Patchbay:
    """Runs a command, with a profile or without."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


@pytest.fixture
def patchbay(server: StandIn, signed_out: Patchbay, monkeypatch: pytest.MonkeyPatch) -> Patchbay:
    """Runs a command against the deployment on loopback, as a pipeline does."""
    monkeypatch.setenv(URL_VARIABLE, server.url)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv(profiles.ORGANIZATION_VARIABLE, ORGANIZATION_ID)
    monkeypatch.setenv(profiles.SPACE_VARIABLE, "production")
    return signed_out
