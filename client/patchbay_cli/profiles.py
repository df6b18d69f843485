"""Deployments that somebody signed in to, and their API keys.

A profile is the address of a deployment, whose key it is, and where the key is: in the keyring of
the system, if there is one, or in the same file, which only its owner may read. A key is never
sent to another address than the one that it was entered for.
"""

from __future__ import annotations

import importlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

import click

FOLDER_VARIABLE: Final = "PATCHBAY_CONFIG_DIR"
PROFILE_VARIABLE: Final = "PATCHBAY_PROFILE"
URL_VARIABLE: Final = "PATCHBAY_API_URL"
KEY_VARIABLE: Final = "PATCHBAY_API_KEY"
ORGANIZATION_VARIABLE: Final = "PATCHBAY_ORGANIZATION"
SPACE_VARIABLE: Final = "PATCHBAY_SPACE"
_FILE: Final = "profiles.json"
_SERVICE: Final = "patchbay"
_OF_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class ProfileProblem(Exception):
    """There is no such profile, or it can't be read."""


@dataclass(frozen=True)
class Profile:
    """One deployment. The repr does not show the key."""

    url: str
    organization_id: str | None = None
    space: str | None = None
    api_key: str | None = field(default=None, repr=False)
    """None if it is in the keyring."""


_FIELDS: Final = tuple(one.name for one in fields(Profile))


class Keyring(Protocol):
    """What is used of the package `keyring`."""

    def get_password(self, service_name: str, username: str) -> str | None: ...
    def set_password(self, service_name: str, username: str, password: str) -> None: ...
    def delete_password(self, service_name: str, username: str) -> None: ...


class Profiles:
    """The profiles of this user."""

    def __init__(self, folder: Path | None = None) -> None:
        self._path = (folder or config_folder()) / _FILE

    def names(self) -> list[str]:
        return sorted(self._read()["profiles"])

    def default(self) -> str | None:
        name: str | None = self._read()["default"]
        return name

    def get(self, name: str) -> Profile:
        """A profile with its key. Raises `ProfileProblem`."""
        found = self.described(name)
        if found.api_key is not None:
            return found
        ring = keyring()
        key = None
        if ring is not None:
            with _explained():
                key = ring.get_password(_SERVICE, _account(name, found))
        if key is None:
            raise ProfileProblem(f"the keyring has no key of the profile {name}: patchbay login")
        return replace(found, api_key=key)

    def described(self, name: str) -> Profile:
        """A profile as the file has it. Raises `ProfileProblem`."""
        profiles = self._read()["profiles"]
        if name not in profiles:
            raise ProfileProblem(f"there is no profile {name}: patchbay login --profile {name}")
        # Fields of a later version are left alone.
        return Profile(**{one: profiles[name].get(one) for one in _FIELDS})

    def put(self, name: str, profile: Profile, ring: Keyring | None) -> None:
        """Keep a profile with its key, and make it the default. The key that it had goes."""
        kept = profile
        if ring is not None and profile.api_key is not None:
            with _explained():
                ring.set_password(_SERVICE, _account(name, profile), profile.api_key)
            kept = replace(profile, api_key=None)
        with self._alone():
            content = self._read()
            earlier = self.described(name) if name in content["profiles"] else None
            content["profiles"][name] = asdict(kept)
            content["default"] = name
            self._write(content)
        is_replaced = kept.api_key is None and earlier is not None and earlier.url == kept.url
        if earlier is not None and not is_replaced:
            # A keyring that is locked is a reason to sign in with a file.
            with suppress(ProfileProblem):
                _forget_key(name, earlier)

    def use(self, name: str) -> None:
        with self._alone():
            self.described(name)
            self._write({**self._read(), "default": name})

    def remove(self, name: str) -> None:
        _forget_key(name, self.described(name))
        with self._alone():
            content = self._read()
            content["profiles"].pop(name, None)
            if content["default"] == name:
                content["default"] = next(iter(sorted(content["profiles"])), None)
            self._write(content)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile, so that two who sign in at once both are."""
        try:
            import fcntl
        except ImportError:  # Windows has none
            yield
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The file itself is replaced by each change, so it can't be what is locked.
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _read(self) -> dict[str, Any]:
        try:
            with self._path.open(encoding="utf-8") as file:
                mode = os.fstat(file.fileno()).st_mode
                if os.name == "posix" and mode & _OF_OTHERS:
                    raise ProfileProblem(
                        f"{self._path} has API keys, and others may read it: chmod 600 it"
                    )
                content = json.load(file)
        except FileNotFoundError:
            return {"default": None, "profiles": {}}
        except (ValueError, RecursionError):
            raise ProfileProblem(f"{self._path} is not JSON: remove it, and sign in") from None
        if not _is_of_profiles(content):
            raise ProfileProblem(f"{self._path} has no profiles: remove it, and sign in")
        known: dict[str, Any] = content
        return known

    def _write(self, content: Mapping[str, Any]) -> None:
        write_private(self._path, json.dumps(content, indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with whole_private(path) as file:
        file.write(text)


@contextmanager
def whole_private(path: Path) -> Iterator[TextIO]:
    """A file that only its owner may read. It has its name, and replaces what had it, when all is
    in it."""
    # It is made for its owner alone, and nobody can put a link where it will be.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def open_private(path: Path) -> TextIO:
    """A file to append to. If it is new, only its owner may read it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "a", encoding="utf-8")


def config_folder() -> Path:
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen or click.get_app_dir("patchbay"))


def keyring() -> Keyring | None:
    """The keyring of the system; None if there is none that is safe, or the package `keyring` is
    not installed."""
    try:
        package = importlib.import_module("keyring")
    except ImportError:
        return None
    ring: Keyring = package
    try:
        # Without a keyring, the package has one that fails; a recommended one has a priority of 1.
        return ring if package.get_keyring().priority >= 1 else None
    except Exception:
        # One that can't even say what it is.
        return None


@contextmanager
def _explained() -> Iterator[None]:
    """What a keyring raises is of a class of its own for each system: locked, gone, refused."""
    try:
        yield
    except Exception as error:
        raise ProfileProblem(
            f"the keyring of the system failed ({type(error).__name__}): unlock it, or sign in "
            "with patchbay login --storage file"
        ) from None


def _forget_key(name: str, profile: Profile) -> None:
    """Take the key of a profile out of the keyring, if it is there. Raises `ProfileProblem`."""
    ring = keyring() if profile.api_key is None else None
    if ring is None:
        return
    with _explained():
        if ring.get_password(_SERVICE, _account(name, profile)) is not None:
            ring.delete_password(_SERVICE, _account(name, profile))


def _is_of_profiles(content: object) -> bool:
    if not isinstance(content, dict) or not isinstance(content.get("default"), str | None):
        return False
    profiles = content.get("profiles")
    return isinstance(profiles, dict) and all(
        isinstance(one, dict)
        and isinstance(one.get("url"), str)
        and all(isinstance(one.get(name), str | None) for name in _FIELDS)
        for one in profiles.values()
    )


def _account(name: str, profile: Profile) -> str:
    return f"{name} {profile.url}"
