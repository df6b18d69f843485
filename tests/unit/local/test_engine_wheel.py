"""The wheel of the engine has the modules of the functions, and nothing of what only an API serves.

What it does where nothing else is installed is in tests/e2e/test_definitions.py.
"""

import shutil
import subprocess
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from local.paths import LAYER, ROOT


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """As it is published. uv builds it by itself, and fetches nothing."""
    folder = tmp_path_factory.mktemp("wheel")
    own = ROOT / ".local/tools/uv/bin/uv"
    uv = str(own) if own.exists() else shutil.which("uv")
    assert uv is not None, "uv is needed: make tools"
    build = [uv, "build", "--wheel", "--offline", "--out-dir", str(folder), str(LAYER)]
    built = subprocess.run(build, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr
    [path] = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_has_every_module(files: dict[str, bytes]) -> None:
    package = LAYER / "patchbay"
    modules = {str(path.relative_to(LAYER)) for path in package.rglob("*.py")}

    assert modules
    assert modules <= files.keys()


def test_it_has_nothing_that_only_an_api_serves(files: dict[str, bytes]) -> None:
    others = {
        Path(name).suffix
        for name in files
        if name.startswith("patchbay/") and not name.endswith("/")
    }

    assert others == {".py"}
    assert sum(map(len, files.values())) < 4_000_000


def test_its_license_and_its_page_are_its_own(files: dict[str, bytes]) -> None:
    [metadata] = [content for name, content in files.items() if name.endswith("/METADATA")]
    [license_file] = [name for name in files if name.endswith("/licenses/LICENSE")]

    assert files[license_file] == (ROOT / "LICENSE").read_bytes()
    assert message_from_bytes(metadata)["Requires-Python"] == "==3.13.*"
    assert (LAYER / "README.md").read_bytes() in metadata
