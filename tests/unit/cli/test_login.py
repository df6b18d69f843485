"""Signing in: where keys are kept, and that a key goes nowhere else."""

import io
import json
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from patchbay_cli.profiles import Profile, Profiles

from tests.unit.cli.answers_of import CALLER, by_path
from tests.unit.cli.conftest import ORGANIZATION_ID, Patchbay, Ran
from tests.unit.sdk.stand_in import KEY, StandIn, answers, fails

pytestmark = pytest.mark.enable_socket


class Ring:
    """A keyring, as the package `keyring` is one."""

    def __init__(self, priority: float = 5) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.priority = priority

    def get_keyring(self) -> SimpleNamespace:
        return SimpleNamespace(priority=self.priority)

    def get_password(self, service_name: str, username: str) -> str | None:
        return self.kept.get((service_name, username))

    def set_password(self, service_name: str, username: str, password: str) -> None:
        self.kept[service_name, username] = password

    def delete_password(self, service_name: str, username: str) -> None:
        del self.kept[service_name, username]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Ring:
    made = Ring()
    monkeypatch.setitem(sys.modules, "keyring", made)
    return made


@pytest.fixture(autouse=True)
def no_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)


def sign_in(
    patchbay: Patchbay, server: StandIn, monkeypatch: pytest.MonkeyPatch, *more: str
) -> Ran:
    server.does(
        by_path(
            {
                "/v1/browser-sessions/current": answers(200, CALLER),
                "/spaces/production": fails(404, "NOT_FOUND"),
            }
        )
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{KEY}\n"))
    return patchbay("login", "--url", server.url, "--api-key-stdin", *more)


def test_a_key_is_kept_in_a_file_for_its_owner_alone(
    signed_out: Patchbay, server: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = sign_in(signed_out, server, monkeypatch)

    assert ran.code == 0, ran.err
    assert KEY not in ran.out + ran.err
    assert ran.out.splitlines()[0] == f"Signed in to {server.url} as Acme ({ORGANIZATION_ID})."
    file = folder / "profiles.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [one.name for one in folder.iterdir()] == ["profiles.json"]
    assert json.loads(file.read_text())["profiles"]["default"]["api_key"] == KEY
    assert server.asked[-1].headers["Authorization"] == f"Bearer {KEY}"


def test_a_key_is_kept_in_the_keyring_if_there_is_one(
    signed_out: Patchbay,
    server: StandIn,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    ring: Ring,
) -> None:
    sign_in(signed_out, server, monkeypatch, "--profile", "staging")

    assert ring.kept == {("patchbay", f"staging {server.url}"): KEY}
    assert KEY not in (folder / "profiles.json").read_text()
    server.does(fails(404, "CONNECTION_NOT_FOUND"))
    assert "(CONNECTION_NOT_FOUND)" in signed_out("test", "con_1").err
    assert server.asked[-1].headers["Authorization"] == f"Bearer {KEY}"

    assert signed_out("logout").code == 0
    assert ring.kept == {}


def test_a_keyring_that_is_none_is_not_used(
    signed_out: Patchbay, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", Ring(priority=0))

    assert "in a file" in sign_in(signed_out, server, monkeypatch).out
    assert sign_in(signed_out, server, monkeypatch, "--storage", "keyring").code == 1


def test_a_key_that_is_refused_is_not_kept(
    signed_out: Patchbay, server: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.does(fails(401, "UNAUTHENTICATED"))
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{KEY}\n"))

    ran = signed_out("login", "--url", server.url, "--api-key-stdin")

    assert (ran.code, folder.exists()) == (1, False)
    assert "UNAUTHENTICATED" in ran.err


def test_a_space_that_is_not_there_is_not_kept(
    signed_out: Patchbay, server: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sign_in(signed_out, server, monkeypatch, "--space", "production").code == 1
    assert not folder.exists()


def test_without_a_terminal_nobody_is_asked(
    signed_out: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    ran = signed_out("login", "--url", "http://127.0.0.1:1")

    assert ran.code == 64
    assert "use --api-key-stdin" in ran.err


def test_a_file_that_others_can_read_is_not_used(
    signed_out: Patchbay, server: StandIn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(signed_out, server, monkeypatch)
    os.chmod(folder / "profiles.json", 0o640)

    ran = signed_out("test", "con_1")

    assert ran.code == 1
    assert "others may read it: chmod 600" in ran.err


def test_profiles_are_listed_and_chosen(
    signed_out: Patchbay, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(signed_out, server, monkeypatch, "--profile", "live")
    sign_in(signed_out, server, monkeypatch, "--profile", "staging")

    assert signed_out("profiles", "--use", "live").code == 0
    listed = [json.loads(line) for line in signed_out("profiles", "--json").out.splitlines()]
    assert [(one["profile"], one["default"]) for one in listed] == [
        ("live", True),
        ("staging", False),
    ]
    assert KEY not in signed_out("profiles").out
    assert signed_out("profiles", "--use", "nobody").code == 1
    assert signed_out("logout", "--profile", "live").code == 0
    assert signed_out("profiles").out.splitlines()[1].startswith("*  staging")


@pytest.mark.parametrize("there", ["PATCHBAY_API_URL", "PATCHBAY_API_KEY"])
def test_a_key_is_not_sent_to_an_address_that_it_was_not_entered_for(
    signed_out: Patchbay, server: StandIn, monkeypatch: pytest.MonkeyPatch, there: str
) -> None:
    sign_in(signed_out, server, monkeypatch)
    asked = len(server.asked)
    monkeypatch.setenv(there, server.url)

    ran = signed_out("test", "con_1")

    assert ran.code == 1
    assert "is missing: the environment has only the other one" in ran.err
    assert len(server.asked) == asked


def test_a_key_is_not_sent_in_the_clear(
    signed_out: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{KEY}\n"))

    ran = signed_out("login", "--url", "http://patchbay.example.com", "--api-key-stdin")

    assert (ran.code, ran.err) == (1, "patchbay: base_url must be https, or http on this machine\n")


class Locked(Ring):
    """A keyring that raises what no other program knows."""

    def get_password(self, service_name: str, username: str) -> str | None:
        raise RuntimeError(f"locked: {service_name} {username}")

    set_password = delete_password = get_password  # type: ignore[assignment]


def test_a_keyring_that_fails_says_what_else_there_is(
    server: StandIn, signed_out: Patchbay, monkeypatch: pytest.MonkeyPatch, ring: Ring, folder: Path
) -> None:
    assert sign_in(signed_out, server, monkeypatch).code == 0
    monkeypatch.setitem(sys.modules, "keyring", Locked())

    for ran in (
        signed_out("connections"),
        signed_out("logout"),
        sign_in(signed_out, server, monkeypatch),
    ):
        assert ran.code == 1
        assert "--storage file" in ran.err
        assert KEY not in ran.err

    assert sign_in(signed_out, server, monkeypatch, "--storage", "file").code == 0
    assert KEY in (folder / "profiles.json").read_text()


def test_a_key_that_was_replaced_does_not_stay_in_the_keyring(
    server: StandIn, signed_out: Patchbay, monkeypatch: pytest.MonkeyPatch, ring: Ring
) -> None:
    sign_in(signed_out, server, monkeypatch)
    assert list(ring.kept.values()) == [KEY]

    sign_in(signed_out, server, monkeypatch)
    assert list(ring.kept.values()) == [KEY]

    sign_in(signed_out, server, monkeypatch, "--storage", "file")
    assert ring.kept == {}


def test_the_profile_of_the_environment_is_the_one_that_is_forgotten(
    server: StandIn, signed_out: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHBAY_PROFILE", "staging")
    sign_in(signed_out, server, monkeypatch)
    monkeypatch.setenv("PATCHBAY_PROFILE", "")
    sign_in(signed_out, server, monkeypatch)
    monkeypatch.setenv("PATCHBAY_PROFILE", "staging")

    assert signed_out("logout").out == "The profile staging is forgotten.\n"

    [left] = signed_out("profiles", "--json").out.splitlines()
    assert json.loads(left)["profile"] == "default"


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        '{"default": 1, "profiles": {}}',
        '{"default": null, "profiles": {"a": {}}}',
        '{"default": null, "profiles": {"a": {"url": "https://x", "api_key": 5}}}',
        "[" * 100_000,
    ],
)
def test_a_file_that_has_no_profiles_says_so(
    signed_out: Patchbay, folder: Path, content: str
) -> None:
    folder.mkdir(mode=0o700)
    (folder / "profiles.json").write_text(content)
    (folder / "profiles.json").chmod(0o600)

    ran = signed_out("profiles")

    assert ran.code == 1
    assert "remove it, and sign in" in ran.err


def test_what_a_later_version_keeps_of_a_profile_is_left_alone(
    signed_out: Patchbay, folder: Path
) -> None:
    folder.mkdir(mode=0o700)
    profile = {"url": "https://x", "later": 1}
    (folder / "profiles.json").write_text(
        json.dumps({"default": "a", "profiles": {"a": profile}, "later": 1})
    )
    (folder / "profiles.json").chmod(0o600)
    assert "https://x" in signed_out("profiles").out


def test_all_who_sign_in_at_once_are_signed_in(folder: Path) -> None:
    names = [f"profile-{number:02}" for number in range(24)]

    def sign_in_as(name: str) -> None:
        Profiles(folder).put(name, Profile("https://patchbay.example.com", api_key=KEY), None)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(sign_in_as, names))

    assert Profiles(folder).names() == names
