"""The wheel of the SDK and the command line has what its users need, and its license."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from local.paths import ROOT

CLIENT = ROOT / "client"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it is published. uv builds it by itself, and fetches nothing."""
    folder = tmp_path_factory.mktemp("wheel")
    own = ROOT / ".local/tools/uv/bin/uv"
    uv = str(own) if own.exists() else shutil.which("uv")
    assert uv is not None, "uv is needed: make tools"
    build = [uv, "build", "--wheel", "--offline", "--out-dir", str(folder), str(CLIENT)]
    built = subprocess.run(build, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr
    [path] = folder.glob("*.whl")
    return path


def files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(wheel: Path) -> Message:
    [content] = [content for name, content in files(wheel).items() if name.endswith("/METADATA")]
    return message_from_bytes(content)


def test_the_license_is_that_of_the_project(wheel: Path) -> None:
    [carried] = [
        content for name, content in files(wheel).items() if name.endswith("/licenses/LICENSE")
    ]
    assert carried == (ROOT / "LICENSE").read_bytes()
    assert metadata(wheel)["License-Expression"] == "MIT"
    assert metadata(wheel).get_all("License-File") == ["LICENSE"]


def test_its_page_is_the_readme(wheel: Path) -> None:
    assert metadata(wheel)["Description-Content-Type"] == "text/markdown"
    said = str(metadata(wheel).get_payload(decode=True), "utf-8")  # type: ignore[arg-type]
    assert said.strip() == (CLIENT / "README.md").read_text().strip()


def test_it_has_every_module_and_what_they_read(wheel: Path) -> None:
    packages = tomllib.loads((CLIENT / "pyproject.toml").read_text())
    names = packages["tool"]["uv"]["build-backend"]["module-name"]
    wanted = {
        str(path.relative_to(CLIENT))
        for name in names
        for path in (CLIENT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= files(wheel).keys()
    assert {f"{name}/py.typed" for name in names} <= wanted


def test_the_program_of_the_wheel_says_its_version(wheel: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "patchbay_cli", "--version"],
        env={"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert said == f"patchbay {metadata(wheel)['Version']}\n"
