"""The dependencies layer is the same whatever machine builds it, for both architectures."""

import os
import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from bench.sizes import BUDGET_MB, DEPENDENCIES, megabytes
from local.paths import ROOT, SAM_VENV

FOLDER = ROOT / "layers" / "dependencies"
MACHINES = {"arm64": 183, "x86_64": 62}
"""`e_machine` of a library: AArch64, and x86-64."""
_NEEDED = ("make", "sh", "env", "rm", "find")
"""Programs that every machine with `make` has."""

type Build = Callable[[str, bool], Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds a layer as `sam build` does, with a `strip` that refuses, or with none."""

    @cache
    def built(layer: str, refusing_strip: bool) -> Path:
        folder = tmp_path_factory.mktemp(layer)
        copy, artifacts = folder / "copy", folder / "artifacts"
        shutil.copytree(FOLDER, copy)
        artifacts.mkdir()
        found = programs(folder / "programs")
        if refusing_strip:
            script(found / "strip", "echo 'unable to recognize the format' >&2; exit 1")
        kept = {name: os.environ[name] for name in os.environ if name.startswith("PIP_")}
        home = {"HOME": os.environ.get("HOME", str(folder))}
        done = subprocess.run(
            [found / "make", "--makefile", copy / "Makefile", f"build-{layer}"],
            cwd=copy,
            env={**kept, **home, "PATH": str(found), "ARTIFACTS_DIR": str(artifacts)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return artifacts / "python"

    return built


def programs(folder: Path) -> Path:
    """A folder with what a build needs, and no `strip`."""
    folder.mkdir()
    for name in _NEEDED:
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    script(folder / "python3.13", f'exec "{SAM_VENV}/bin/python3.13" "$@"')
    return folder


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_layer_is_the_same_with_a_strip_that_refuses_and_without_one(build: Build) -> None:
    # Given a machine whose strip does not know the libraries of the target, and one without any
    # When both build the layer for arm64
    one = contents(build("DependenciesArm64Layer", True))
    other = contents(build("DependenciesArm64Layer", False))
    # Then there is no difference
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


@pytest.mark.parametrize(("layer", "architecture"), DEPENDENCIES.items())
def test_libraries_are_the_target_s_and_small(layer: str, architecture: str, build: Build) -> None:
    site = build(layer, False)
    libraries = list(site.rglob("*.so"))
    assert len(libraries) > 5
    for path in libraries:
        [machine] = struct.unpack_from("<H", path.read_bytes(), 0x12)
        assert machine == MACHINES[architecture], path
    assert megabytes(site) <= BUDGET_MB
    if architecture == platform.machine():
        import_from(site)


def import_from(site: Path) -> None:
    """Import its libraries, in a Python that has nothing else."""
    names = "cryptography.hazmat.bindings._rust jsonschema_rs pydantic_core brotli backports.zstd"
    code = f"import sys; sys.path.insert(0, {str(site)!r})\nimport {', '.join(names.split())}"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


def test_no_requirement_depends_on_the_machine_that_builds() -> None:
    # pip judges such conditions by its own machine, not by the target
    requirements = (FOLDER / "requirements.txt").read_text()
    for variable in ("sys_platform", "platform_machine", "platform_system", "os_name"):
        assert variable not in requirements


def test_what_is_not_a_library_of_linux_is_not_cut() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "from cut_symbols import cut; cut(b'\\xcf\\xfa\\xed\\xfe' + bytes(100))",
        ],
        cwd=FOLDER,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert "ValueError: it is not a library of 64-bit Linux" in done.stderr
