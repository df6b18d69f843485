"""`patchbay dev`: a definition is tested on loopback, by the engine of the functions."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import trustme
from patchbay_cli import dev
from patchbay_cli.definition_files import read_definition
from patchbay_cli.definition_rules import judged
from patchbay_cli.dev_form import draw
from patchbay_cli.dev_values import Values
from patchbay_cli.dev_watch import Watch
from patchbay_cli.engine_tests import Trial
from patchbay_cli.output import Output

from local.provider import Provider, provider
from tests.unit.cli.conftest import Patchbay, Ran

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.enable_socket


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def served(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A provider's API on loopback, for http and https."""
    certificate = tmp_path_factory.mktemp("tls") / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    with provider(certificate=certificate) as running:
        yield running


def definition(served: Provider, **changes: Any) -> dict[str, Any]:
    return {
        "publisher": "acme",
        "slug": "tracker",
        "name": "Tracker",
        "version": "1.0.0",
        "variablesSchema": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "title": "Path", "enum": ["me", "scoped", "500"]},
                "limit": {"type": "integer", "default": 10, "maximum": 100},
            },
        },
        "authConfig": {"type": "api_key"},
        "manifest": {
            "secretsSchema": {"properties": {"api_key": {"type": "string", "title": "API key"}}},
            "checks": {
                "steps": [
                    {
                        "name": "whoami",
                        "kind": "http",
                        "request": {"url": served.url + "/{{variables.path}}"},
                        "account": "/login",
                    }
                ]
            },
        },
    } | changes


@pytest.fixture
def file(served: Provider, tmp_path: Path) -> Path:
    path = tmp_path / "tracker.json"
    path.write_text(json.dumps(definition(served)))
    return path


Trying = Callable[..., Ran]


@pytest.fixture
def once(
    served: Provider, file: Path, signed_out: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> Trying:
    """Tests the file once, with these secrets and variables in the environment."""

    def run(*options: str, **environment: str) -> Ran:
        for name, value in environment.items():
            monkeypatch.setenv(f"PATCHBAY_{name}", value)
        allowed = f"127.0.0.1/32:{served.port}"
        return signed_out("dev", str(file), "--once", "--egress-allow", allowed, *options)

    return run


def events(ran: Ran) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran.out.splitlines()]


def test_the_form_and_each_step_are_shown(once: Trying) -> None:
    ran = once(SECRET_API_KEY="right-key", VARIABLE_PATH="me")

    assert ran.code == 0
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[:4] == [
        "Tracker acme/tracker 1.0.0",
        "field title kind required value",
        "variables.path Path one of me, scoped, 500 yes me (environment)",
        "variables.limit limit integer no 10 (default)",
    ]
    assert lines[4] == "secrets.api_key API key secret yes •••••••• (environment)"
    assert [line.split()[:2] for line in lines[5:12]] == [
        *(["✓", "config"], ["✓", "secrets"], ["✓", "egress"], ["·", "dns"], ["✓", "tcp"]),
        *(["·", "tls"], ["✓", "whoami"]),
    ]
    assert lines[12:] == ["Connection test passed", "account: octocat"]


def test_a_secret_is_never_shown(once: Trying) -> None:
    for options in ([], ["--json"]):
        for key in ("right-key", "a-wrong-key"):
            ran = once(*options, SECRET_API_KEY=key, VARIABLE_PATH="me")
            assert key not in ran.out + ran.err


@pytest.mark.parametrize(
    ("key", "path", "code", "blame"),
    [
        ("right-key", "me", 0, None),
        ("wrong-key", "me", 2, "customer"),
        ("right-key", "scoped", 2, "customer"),
        ("right-key", "500", 3, "provider"),
    ],
)
def test_the_exit_code_says_whose_move_it_is(
    once: Trying, key: str, path: str, code: int, blame: str | None
) -> None:
    ran = once("--json", SECRET_API_KEY=key, VARIABLE_PATH=path)

    *_, last = events(ran)
    assert (ran.code, last["event"], last["result"]["blame"]) == (code, "result", blame)


def test_for_programs_each_step_is_a_document_and_so_is_the_form(once: Trying) -> None:
    found = events(once("--json", SECRET_API_KEY="right-key", VARIABLE_PATH="me"))

    assert [one["event"] for one in found] == ["form", *["step"] * 7, "result"]
    path, limit, key = found[0]["fields"]
    assert (path["field"], path["required"], path["value"]) == ("/variables/path", True, "me")
    assert (limit["given"], limit["default"]) == (False, 10)
    assert (key["field"], key["given"], key["from"]) == ("/secrets/api_key", True, "environment")
    assert not {"value", "default"} & key.keys()
    assert [one["step"] for one in found[1:-1]] == found[-1]["result"]["steps"]


def test_what_is_missing_is_said_by_the_test_itself(once: Trying) -> None:
    ran = once("--json", SECRET_API_KEY="right-key")

    result = events(ran)[-1]["result"]
    assert (ran.code, result["code"]) == (2, "config_missing_field")
    assert result["message"] == 'Step "config" failed: /variables/path is missing.'


def test_values_that_the_schema_refuses_are_not_tested(once: Trying, served: Provider) -> None:
    asked = len(served.requests)

    ran = once(SECRET_API_KEY="right-key", VARIABLE_PATH="you", VARIABLE_LIMIT="1000")

    assert ran.code == 2
    assert ran.out.splitlines()[-2:] == [
        "✗ /variables/path must be one of me, scoped, 500",
        "✗ /variables/limit must be at most 100",
    ]
    assert len(served.requests) == asked


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "[" * 30_000, '"\\ud800"'])
def test_what_only_python_takes_for_json_is_refused_by_the_schema(once: Trying, text: str) -> None:
    ran = once(SECRET_API_KEY="right-key", VARIABLE_PATH="me", VARIABLE_LIMIT=text)

    assert ran.code == 2
    assert ran.out.splitlines()[-1] == "✗ /variables/limit must be an integer"


@pytest.mark.parametrize("name", ["VARIABLE_PATH", "SECRET_API_KEY"])
def test_bytes_that_are_no_text_are_one_sentence(once: Trying, name: str) -> None:
    ran = once(**{"SECRET_API_KEY": "right-key", "VARIABLE_PATH": "me", name: "right\udcff"})

    assert (ran.code, ran.out.splitlines()[-1]) == (1, f"PATCHBAY_{name}: is not UTF-8")


def test_values_come_from_a_pipe_too(once: Trying) -> None:
    """As a shell makes one of `--values <(…)`."""
    reader, writer = os.pipe()
    os.write(writer, b'{"variables": {"path": "me"}, "secrets": {"api_key": "right-key"}}')
    os.close(writer)

    assert once("--values", f"/dev/fd/{reader}").code == 0
    os.close(reader)


def test_what_a_pipe_said_is_kept_for_the_next_save(
    file: Path, signed_out: Patchbay, served: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.write(writer, b'{"variables": {"path": "me"}, "secrets": {"api_key": "right-key"}}')
    os.close(writer)
    saves = [lambda: file.write_text(json.dumps(definition(served, name="Trackers")))]

    def wait(watch: Watch) -> None:
        if not saves:
            raise KeyboardInterrupt
        saves.pop()()

    monkeypatch.setattr(Watch, "wait", wait)
    allowed = f"127.0.0.1/32:{served.port}"
    ran = signed_out("dev", str(file), "--values", f"/dev/fd/{reader}", "--egress-allow", allowed)
    os.close(reader)

    assert ran.out.count("Connection test passed") == 2
    assert "Trackers  acme/tracker 1.0.0" in ran.out


def test_without_a_rule_nothing_private_is_dialed(
    signed_out: Patchbay, file: Path, served: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHBAY_SECRET_API_KEY", "right-key")
    monkeypatch.setenv("PATCHBAY_VARIABLE_PATH", "me")
    asked = len(served.requests)

    ran = signed_out("dev", str(file), "--once")

    assert ran.code == 2
    assert "✗ egress  The host's address is not on the public internet." in ran.out
    assert "Here, --egress-allow does: 127.0.0.1/32:8080, for example." in ran.err
    assert len(served.requests) == asked


@pytest.mark.parametrize("rule", ["localhost:80", "127.0.0.1:80", "10.0.0.0/8", "x"])
def test_a_rule_that_is_wrong_is_refused(once: Trying, rule: str) -> None:
    ran = once("--egress-allow", rule)

    assert (ran.code, ran.out) == (1, "")
    assert f"--egress-allow: '{rule}' is not cidr:port" in ran.err


def test_values_come_from_a_file_that_only_you_may_read(once: Trying, tmp_path: Path) -> None:
    values = tmp_path / "values.json"
    values.write_text(
        json.dumps({"variables": {"path": "me"}, "secrets": {"api_key": "right-key"}})
    )
    values.chmod(0o644)

    refused = once("--values", str(values))
    values.chmod(0o600)
    taken = once("--values", str(values), SECRET_API_KEY="of-the-environment")

    assert refused.code == 1
    assert f"/secrets others may read them: chmod 600 {values}" in refused.out
    assert taken.code == 0
    assert "••••••••  (values.json)" in taken.out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"secrets": ', "values.json:1:13: is not JSON: expecting value"),
        ('{"secret": {}}', "/secret is not one of variables, secrets, configurations"),
        ('{"variables": []}', "/variables must be an object"),
    ],
)
def test_a_file_of_values_that_is_wrong_is_reported(
    once: Trying, tmp_path: Path, content: str, said: str
) -> None:
    values = tmp_path / "values.json"
    values.write_text(content)

    ran = once("--values", str(values))

    assert ran.code == 1
    assert said in ran.out


def test_a_definition_that_can_not_be_published_is_not_tested(
    once: Trying, file: Path, served: Provider
) -> None:
    file.write_text(json.dumps(definition(served, authConfig={"type": "key"}), indent=1))

    ran = once()

    assert (ran.code, ran.err) == (1, "")
    assert "/authConfig/type must be one of api_key, oauth2, basic, none" in ran.out


def test_a_file_may_be_saved_up_to_any_byte(
    served: Provider, signed_out: Patchbay, tmp_path: Path
) -> None:
    whole = json.dumps(definition(served)).encode()
    file = tmp_path / "half.json"
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        ran = signed_out("dev", str(file), "--once", "--json")
        assert (ran.code, ran.err) == (1, "")
        assert [one["event"] for one in events(ran)] == ["problem"]


def test_a_file_that_is_not_there_is_reported(signed_out: Patchbay, tmp_path: Path) -> None:
    missing = tmp_path / "missing.json"

    ran = signed_out("dev", str(missing), "--once")

    assert (ran.code, ran.out) == (1, f"{missing}: No such file or directory\n")


def test_who_is_there_is_asked_once_for_what_is_missing(
    once: Trying,
    file: Path,
    signed_out: Patchbay,
    served: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A session at a terminal: two saves, an Enter, and an `r`."""
    asked = []

    def ask(field: Any) -> str:
        asked.append(field.pointer)
        return {"/variables/path": "me", "/secrets/api_key": "right-key"}[field.pointer]

    saves: list[Callable[[], object]] = [
        lambda: file.write_text(file.read_text()[:50]),
        lambda: file.write_text(json.dumps(definition(served, name="Trackers"))),
        lambda: "",
        lambda: "r",
    ]

    def wait(watch: Watch) -> str | None:
        if not saves:
            raise KeyboardInterrupt
        said = saves.pop(0)()
        return said if isinstance(said, str) else None

    monkeypatch.setattr(Watch, "wait", wait)
    monkeypatch.setattr(dev, "_ask", ask)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))

    ran = signed_out("dev", str(file), "--egress-allow", f"127.0.0.1/32:{served.port}")

    assert ran.code == 0
    assert asked == ["/variables/path", "/secrets/api_key"] * 2
    assert ran.out.count("Connection test passed") == 4
    assert ran.out.count("is not JSON") == 1
    assert ran.err.count("Enter tests it again, r asks again. Ctrl-C ends this.") == 5
    assert "Trackers  acme/tracker 1.0.0" in ran.out


def test_who_ends_the_question_for_a_value_ends_it(
    file: Path, signed_out: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(field: Any) -> str:
        raise click.Abort

    monkeypatch.setattr(dev, "_ask", ask)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))

    assert signed_out("dev", str(file)).code == 0
    assert signed_out("dev", str(file), "--once").code == 130


def test_a_client_gets_its_own_token(
    once: Trying, file: Path, served: Provider, authority: trustme.CA, tmp_path: Path
) -> None:
    client = served.oauth.register("https://app.example.com/callback")
    config = {
        "type": "oauth2",
        "grantType": "client_credentials",
        "tokenUrl": f"{served.https_url}/oauth/token",
    }
    of_client = definition(served, authConfig=config)
    del of_client["manifest"]["secretsSchema"]
    file.write_text(json.dumps(of_client))
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    given = {
        "VARIABLE_PATH": "me",
        "SECRET_CLIENT_ID": client.id,
        "SECRET_CLIENT_SECRET": client.secret or "",
    }

    distrusted = once(**given)
    trusting = once("--authorities", str(trusted), **given)
    wrong = once("--authorities", str(trusted), **given | {"SECRET_CLIENT_SECRET": "wrong"})

    assert distrusted.code != 0
    assert trusting.code == 0, trusting.out
    assert "secrets.access_token" not in trusting.out
    assert "OAuth: the access token is asked for with the client's own secrets" in trusting.out
    assert wrong.code == 2
    assert "field: /secrets/client_id" in wrong.out


def test_what_needs_an_install_is_said_and_a_token_can_be_given(
    once: Trying, file: Path, served: Provider
) -> None:
    config = {
        "type": "oauth2",
        "authorizationUrl": f"{served.https_url}/oauth/authorize",
        "tokenUrl": f"{served.https_url}/oauth/token",
    }
    by_browser = definition(served, authConfig=config)
    del by_browser["manifest"]["secretsSchema"]
    file.write_text(json.dumps(by_browser))

    ran = once(VARIABLE_PATH="me", SECRET_ACCESS_TOKEN="right-key")

    assert ran.code == 0, ran.out
    assert "That needs an install, so it can't be tried here." in ran.out
    assert "A refresh token is not sent" in ran.out


@pytest.mark.parametrize(
    "content", ["", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"]
)
def test_authorities_that_are_none_are_refused(once: Trying, tmp_path: Path, content: str) -> None:
    (tmp_path / "ca.pem").write_text(content)

    ran = once("--authorities", str(tmp_path / "ca.pem"))

    assert ran.code == 1
    assert "is not a file of certificates in PEM" in ran.err


@pytest.mark.parametrize("path", sorted((ROOT / "catalog").glob("*.json")), ids=lambda p: p.stem)
def test_every_entry_of_the_catalog_has_a_form(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = read_definition(path)
    _, draft = judged(file)
    assert draft is not None
    trial = Trial(draft)

    fields = trial.fields()
    draw(Output(), fields, Values())

    drawn = capsys.readouterr().out
    assert all(field.title in drawn for field in fields)
    assert any("needs an install" in note for note in trial.notes()) == (
        file.definition["authConfig"]["type"] == "oauth2"
        and "authorizationUrl" in file.definition["authConfig"]
    )


class Editor:
    """Saves a file while somebody sleeps."""

    def __init__(self, *edits: Callable[[], object]) -> None:
        self._edits = list(edits)
        self.slept = 0

    def __call__(self, _: float) -> None:
        self.slept += 1
        if self._edits:
            self._edits.pop(0)()


def nothing() -> None:
    """A look at which nothing has happened."""


def test_a_save_is_noticed_however_an_editor_does_it(tmp_path: Path) -> None:
    file, other = tmp_path / "a.json", tmp_path / "b.json"
    file.write_text("1")

    def renamed_over() -> None:
        other.write_text("2")
        os.replace(other, file)

    ways: list[Callable[[], object]] = [
        lambda: file.write_text("22"),
        renamed_over,
        lambda: file.chmod(0o600),
        lambda: os.utime(file, ns=(1, 1)),
    ]
    for save in ways:
        editor = Editor(nothing, save)
        Watch([file], sleep=editor).wait()
        assert editor.slept == 3, save


def test_a_file_that_is_written_in_parts_is_read_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("1")
    parts = [lambda n=n: file.write_text("x" * n) for n in range(2, 6)]

    Watch([file], sleep=Editor(nothing, *parts)).wait()

    assert file.read_text() == "xxxxx"


def test_a_file_that_is_gone_may_come_back_and_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("1")
    editor = Editor(file.unlink, nothing, nothing, lambda: file.write_text("1"))

    Watch([file], sleep=editor).wait()
    assert file.exists()

    # Gone for good: that is a change too, once.
    watch = Watch([file], sleep=Editor(file.unlink))
    watch.wait()
    assert not file.exists()
    back = Editor(nothing, nothing, lambda: file.write_text("1"))
    watch._sleep = back
    watch.wait()
    assert file.exists()


def test_who_watches_can_say_something_instead(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("1")
    said = iter([None, "r", None])

    watch = Watch([file], lambda _: next(said), Editor())

    assert watch.wait() == "r"
    file.write_text("22")
    assert watch.wait() is None


def test_a_file_that_never_rests_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("")
    editor = Editor(*[lambda n=n: file.write_text("x" * n) for n in range(1, 100)])

    Watch([file], sleep=editor).wait()

    assert editor.slept < 30
