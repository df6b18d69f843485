"""`patchbay apply` against the whole API: what a folder says, planned and done."""

import errno
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from patchbay_cli import profiles
from patchbay_cli.output import Output
from patchbay_cli.profiles import write_private
from patchbay_cli.program import main
from patchbay_sdk import Request, Response

from local.paths import CATALOG
from patchbay.platform.dynamodb import Table
from patchbay.platform.masked_url import masked_url
from patchbay.tenancy.quotas import SPACE_QUOTA, Quotas
from tests.integration.api import Client
from tests.integration.conftest import Tenant
from tests.integration.deployment_folder import DEFINITION, edited, write, write_folder

URL = "https://patchbay.example.com"
READS = ("GET", "HEAD")
EVENTS = "platform.events.write"
PERMISSIONS = ["platform.integration.read", "platform.integration.manage"]


@dataclass
class Wire:
    """Carries the requests of the SDK to the API in this process, and remembers them."""

    sent: list[Request] = field(default_factory=list)
    before: Callable[[Request], None] = lambda _: None
    after: Callable[[Request], None] = lambda _: None

    def send(self, request: Request) -> Response:
        self.before(request)
        self.sent.append(request)
        headers = {name.lower().replace("-", "_"): text for name, text in request.headers.items()}
        key = headers.pop("authorization").removeprefix("Bearer ")
        parts = urlsplit(request.url)
        target = unquote(parts.path) + (f"?{parts.query}" if parts.query else "")
        body = None if request.content is None else request.content.decode()
        answer = Client(key).call(request.method, target, body, headers)
        self.after(request)
        return Response(answer.status, answer.headers, answer.body)

    def close(self) -> None:
        """There is nothing to close."""

    @property
    def writes(self) -> list[str]:
        """What was asked to change something, and is no dry run."""
        return [
            f"{one.method} {urlsplit(one.url).path}"
            for one in self.sent
            if one.method not in READS and "dry_run" not in one.url
        ]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    carrying = Wire()
    monkeypatch.setattr("patchbay_sdk.client.HttpxTransport", lambda: carrying)
    return carrying


@pytest.fixture
def apply(
    tenant: Tenant,
    wire: Wire,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ran]:
    """Applies the folder, as a pipeline does."""
    for variable in (profiles.PROFILE_VARIABLE, profiles.SPACE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv(profiles.ORGANIZATION_VARIABLE, raising=False)
    monkeypatch.setenv(profiles.URL_VARIABLE, URL)
    monkeypatch.setenv(profiles.KEY_VARIABLE, str(tenant.client.key))
    monkeypatch.setenv(profiles.FOLDER_VARIABLE, str(tmp_path / "config"))

    def run(*arguments: str, key: str | None = None) -> Ran:
        if key is not None:
            monkeypatch.setenv(profiles.KEY_VARIABLE, key)
        capsys.readouterr()
        # The functions of this process run one at a time, as in a Lambda.
        code = main(["apply", str(tmp_path / "folder"), "--at-once", "1", *arguments])
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one thing of each kind."""
    monkeypatch.setenv("CRM_KEY", "sk_live_4eC39HqLyjWDarjtT1zdp7dc")
    monkeypatch.setenv("HOOK", "https://hooks.example.com/services/T0/B0/secret-path")
    root = tmp_path / "folder"
    write_folder(root, "acme", "production")
    return root


def test_an_empty_deployment_becomes_what_the_folder_says(
    tenant: Tenant, folder: Path, apply: Callable[..., Ran], wire: Wire, tmp_path: Path
) -> None:
    # given a plan
    plan = apply("--plan", "--json")
    assert (plan.code, wire.writes) == (6, [])
    actions = [(one["action"], one["kind"], one["name"]) for one in plan.lines]
    assert actions[:6] == [
        ("create", "space", "production"),
        ("create", "integration", "acme/crm"),
        ("create", "source", "CRM"),
        ("create", "connection", "Tickets"),
        ("create", "alert_rule", "Tickets are down"),
        ("create", "api_key", "back end"),
    ]

    # when
    secrets = tmp_path / "secrets"
    done = apply("--yes", "--secrets-to", str(secrets))

    # then
    assert done.code == 0, done.err
    [source] = tenant.client.get(f"{tenant.connectors}/sources").json["items"]
    assert (source["secrets_set"], source["variables"]["path"]) == (["api_key"], "me")
    [connection] = tenant.client.get(f"{tenant.connectors}/connections").json["items"]
    assert (connection["space"], connection["monitor"]["enabled"]) == ("production", True)
    space = tenant.client.get("/spaces/production").json
    assert (space["record_deliveries"], space["status_page"]["title"]) == (True, "Acme")
    [rule] = tenant.client.get("/spaces/production/alert-rules").json["items"]
    assert rule["condition"]["connection_id"] == connection["id"]
    assert {path.name.partition(".")[0] for path in secrets.iterdir()} == {"api_key", "alert_rule"}
    for path in secrets.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.read_text().strip() not in done.out + done.err

    # and a second apply changes nothing
    wire.sent.clear()
    again = apply("--yes", "--secrets-to", str(secrets))
    assert (again.code, wire.writes) == (0, [])
    assert again.out == "? space acme is not in the folder; a space is never deleted\n"
    assert "Plan: 6 unchanged, 1 not in the folder" in again.err


def test_the_catalog_is_published_once(
    operator: Tenant, apply: Callable[..., Ran], wire: Wire, tmp_path: Path
) -> None:
    (tmp_path / "folder").symlink_to(CATALOG)
    count = len(list(CATALOG.glob("*.json")))

    done = apply("--yes", key=operator.client.key)

    assert done.code == 0, done.err
    assert f"{count} done, 0 failed, 0 not done." in done.err
    assert len(list(catalog_of(operator))) == count
    wire.sent.clear()
    again = apply("--yes")
    assert (again.code, again.out, wire.writes) == (0, "", [])


def catalog_of(tenant: Tenant) -> Iterator[dict[str, Any]]:
    """The entries of all pages."""
    cursor = ""
    while True:
        page = tenant.client.get(f"/v1/catalog?limit=100{cursor}").json
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


@pytest.fixture
def applied(folder: Path, apply: Callable[..., Ran], wire: Wire, tmp_path: Path) -> Path:
    """The folder, which the deployment is as."""
    ran = apply("--yes", "--secrets-to", str(tmp_path / "secrets"))
    assert ran.code == 0, ran.err
    wire.sent.clear()
    return folder


def other_key(tenant: Tenant) -> Client:
    """Somebody else of the same organization."""
    issued = tenant.client.post(
        f"/v1/organizations/{tenant.organization_id}/api-keys",
        {"name": "somebody", "permissions": PERMISSIONS},
    )
    return Client(issued.json["key"])


def one(client: Client, path: str) -> dict[str, Any]:
    found: dict[str, Any]
    [found] = client.get(path).json["items"]
    return found


def test_what_somebody_changed_is_shown_as_drift_and_put_right(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    # given
    somebody = other_key(tenant)
    source = one(somebody, f"{tenant.connectors}/sources")
    connection = one(somebody, f"{tenant.connectors}/connections")
    integration = one(somebody, "/v1/integrations?slug=crm")
    rule = one(somebody, "/spaces/production/alert-rules")
    for path, patch in (
        ("/spaces/production", {"status_page": {"title": "Somebody's"}}),
        (f"{tenant.connectors}/sources/{source['id']}", {"variables": {"path": "you"}}),
        (
            f"{tenant.connectors}/connections/{connection['id']}",
            {"configurations": {"lookback": 7}, "monitor": {"interval": "5m"}},
        ),
        (f"/v1/integrations/{integration['id']}", {"name": "Somebody's"}),
        (f"/spaces/production/alert-rules/{rule['id']}", {"severity": "info", "channels": []}),
    ):
        answer = somebody.patch(path, patch)
        assert answer.status == 200, answer.text

    # when
    plan = apply("--plan", "--json")

    # then
    assert (plan.code, wire.writes) == (6, [])
    shown = {
        change["kind"]: [difference["pointer"] for difference in change["differences"]]
        for change in plan.lines
        if change["action"] == "update"
    }
    assert shown == {
        "space": ["/status_page/title"],
        "integration": ["/name"],
        "source": ["/variables/path"],
        "connection": ["/monitor/interval", "/configurations/lookback"],
        "alert_rule": ["/severity", "/channels/0", "/channels/1"],
    }
    assert all(change["drift"] for change in plan.lines if change["action"] == "update")
    assert "drift: last changed by key_" in apply("--plan").out
    done = apply("--yes", "--secrets-to", str(applied.parent / "secrets"))
    assert done.code == 0, done.err
    assert apply("--plan").code == 0


def test_what_changed_in_the_folder_is_no_drift(
    applied: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    edited(applied / "spaces/production.json", lambda space: space.update(name="Main"))
    edited(
        applied / "organization.json",
        lambda all: all["sources"][0]["variables"].update(path="you", page_size=10),
    )

    plan = apply("--plan", "--json")

    changes = [change for change in plan.lines if change["action"] == "update"]
    assert [change["drift"] for change in changes] == [False, False]
    assert apply("--yes").code == 0
    assert wire.writes[0] == "PATCH /spaces/production"
    assert len(wire.writes) == 2
    # What is taken away again is as by default.
    edited(
        applied / "organization.json", lambda all: all["sources"][0]["variables"].pop("page_size")
    )
    assert apply("--yes").code == 0
    assert apply("--plan").code == 0


def test_a_release_never_changes(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    file = applied / "integrations/crm.json"
    edited(file, lambda one: one["manifest"]["checks"].update(timeoutMs=3000))

    refused = apply("--yes")

    assert (refused.code, wire.writes) == (1, [])
    assert f"{file}:" in refused.err
    assert (
        "/manifest/checks/timeoutMs is not as in 1.0.0, which is published: raise the version"
    ) in refused.err

    # A higher version is published, with what was taken away taken away.
    edited(file, lambda one: one.update(version="1.1.0", changelog="More time."))
    edited(file, lambda one: one["manifest"].pop("configurationSchema"))
    done = apply("--yes")
    assert done.code == 0, done.err
    release = tenant.client.get("/v1/catalog/acme/crm").json
    assert (release["version"], release["changelog"]) == ("1.1.0", "More time.")
    assert release["manifest"].keys() == {"checks"}
    # What is beside a release needs no version.
    edited(
        file,
        lambda one: one.update(
            visibility="unlisted",
            retentionTier="long",
            releases={"1.0.0": {"deprecated": "Use 1.1.0."}},
        ),
    )
    wire.sent.clear()
    assert apply("--yes").code == 0
    assert [write.split()[0] for write in wire.writes] == ["PATCH", "PATCH"]
    integration = one(tenant.client, "/v1/integrations?slug=crm")
    assert (integration["visibility"], integration["retentionTier"]) == ("unlisted", "long")
    old = tenant.client.get(f"/v1/integrations/{integration['id']}/versions/1.0.0").json
    assert old["deprecated"] == "Use 1.1.0."
    assert apply("--plan").code == 0


def test_one_release_that_is_refused_keeps_all_back(
    tenant: Tenant, folder: Path, apply: Callable[..., Ran]
) -> None:
    dependencies = [{"integration": "acme/nowhere", "version": "^1.0.0"}]
    manifest = {**DEFINITION["manifest"], "dependencies": dependencies}
    wrong = {**DEFINITION, "slug": "erp", "manifest": manifest}
    write(folder / "integrations/erp.json", wrong)

    ran = apply("--yes", "--secrets-to", str(folder.parent / "secrets"))

    assert ran.code == 1
    assert "integration acme/erp failed: " in ran.out
    assert "erp.json:" in ran.out
    assert "/manifest/dependencies/0/integration" in ran.out
    assert "integration acme/crm begun" in ran.out
    assert "source CRM not tried" in ran.out
    drafts = tenant.client.get("/v1/integrations").json["items"]
    assert [draft["currentVersion"] for draft in drafts] == [None, None]
    # When it is right, the rest is done.
    write(folder / "integrations/erp.json", {**DEFINITION, "slug": "erp"})
    assert apply("--yes", "--secrets-to", str(folder.parent / "secrets")).code == 0
    assert apply("--plan").code == 0


def test_what_others_depend_on_is_published_first(
    folder: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    for slug, needs in (("a", "b"), ("b", "c"), ("c", None)):
        dependencies = [{"integration": f"acme/{needs}", "version": "^1.0.0"}] if needs else []
        manifest = {**DEFINITION["manifest"], "dependencies": dependencies}
        file = folder / f"integrations/{slug}.json"
        write(file, {**DEFINITION, "slug": slug, "manifest": manifest})

    ran = apply("--yes", "--secrets-to", str(folder.parent / "secrets"))

    assert ran.code == 0, ran.err
    assert apply("--plan").code == 0


@pytest.mark.parametrize(
    ("file", "edit", "pointer", "message"),
    [
        (
            "organization.json",
            lambda one: one["sources"][0]["secrets"].update(api_key="sk_live_inline"),
            "/sources/0/secrets/api_key",
            "is a secret in the clear",
        ),
        (
            "spaces/production.json",
            lambda one: one["alert_rules"][0]["channels"][1].update(url="https://x.example.com/t"),
            "/alert_rules/0/channels/1/url",
            "is a secret in the clear",
        ),
        (
            "spaces/production.json",
            lambda one: one["alert_rules"][0]["condition"].update(connection_id="con_1"),
            "/alert_rules/0/condition/connection_id",
            "is of one deployment",
        ),
        ("spaces/production.json", lambda one: one.update(hue=1), "/hue", "is not known here"),
        ("spaces/production.json", lambda one: one.pop("name"), "/name", "is missing"),
        (
            "spaces/production.json",
            lambda one: one["connections"].append(one["connections"][0]),
            "/connections/1",
            "is called as another one",
        ),
        (
            "spaces/production.json",
            lambda one: one["connections"][0]["monitor"].update(interval="2m"),
            "/connections/0/monitor/interval",
            "must be one of 1m, 5m, 15m, 1h, 24h",
        ),
        (
            "spaces/production.json",
            lambda one: one["alert_rules"][0]["condition"].update(kind="other"),
            "/alert_rules/0/condition/kind",
            "must be one of success_rate, stale, connection_down",
        ),
        (
            "spaces/production.json",
            lambda one: one["alert_rules"][0].update(for_seconds=100_000),
            "/alert_rules/0/for_seconds",
            "must be at most 86400",
        ),
        (
            "organization.json",
            lambda one: one["sources"][0].update(environment="x" * 65),
            "/sources/0/environment",
            "must have at most 64 characters",
        ),
        (
            "integrations/crm.json",
            lambda one: one["manifest"]["checks"]["steps"][0].update(kind="telepathy"),
            "/manifest/checks/steps/0/kind",
            "must be one of",
        ),
        (
            "integrations/crm.json",
            lambda one: one.update(releases={"1.0.0": {"hidden": "Why not"}}),
            "/releases/1.0.0/hidden",
            "is not known here",
        ),
        (
            "integrations/crm.json",
            lambda one: one.update(releases={"1.0.0": {"yanked": "x" * 501}}),
            "/releases/1.0.0/yanked",
            "must have at most 500 characters",
        ),
        (
            "organization.json",
            lambda one: one["api_keys"][0].update(key="pb_k3v9x2m7_secret"),
            "/api_keys/0/key",
            "is not known here",
        ),
        (
            "organization.json",
            lambda one: one["sources"][0]["variables"].update(
                path="https://me:sk_live_inline@x.io"
            ),
            "/sources/0/variables/path",
            "has a password in the URL",
        ),
        (
            "organization.json",
            lambda one: one["sources"][0]["variables"].update(path="sk_live_inline42"),
            "/sources/0/variables/path",
            "is a key or a token",
        ),
        (
            "organization.json",
            lambda one: one["sources"][0]["variables"].update(api_key="sk-live-inline"),
            "/sources/0/variables/api_key",
            "is a secret, by its name",
        ),
        (
            "spaces/production.json",
            lambda one: one["connections"][0]["configurations"].update(
                inner=[{"t": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzayJ9.c2tfbGl2ZV9pbmxpbmU"}]
            ),
            "/connections/0/configurations/inner/0/t",
            "is a key or a token",
        ),
        (
            "organization.json",
            lambda one: one["sources"][0]["secrets"].update(api_key={"fromEnv": "sk-live-inline"}),
            "/sources/0/secrets/api_key/fromEnv",
            "must be the name of an environment variable, and not a value",
        ),
        (
            "spaces/production.json",
            lambda one: one["alert_rules"][0]["channels"][1].update(
                headers={"Authorization": "sk_live_inline"}
            ),
            "/alert_rules/0/channels/1/headers",
            "is not known here",
        ),
        (
            "spaces/production.json",
            lambda one: one.update(name="Production "),
            "/name",
            "has white space around it, which the deployment leaves out",
        ),
        (
            "spaces/production.json",
            lambda one: one.update(status_page={"title": "\u00a0Acme"}),
            "/status_page/title",
            "has white space around it",
        ),
        (
            "spaces/production.json",
            lambda one: one["alert_rules"][0].update(name=" Down"),
            "/alert_rules/0/name",
            "has white space around it",
        ),
        (
            "integrations/crm.json",
            lambda one: one.update(name="CRM "),
            "/name",
            "has white space around it",
        ),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_place_before_anything_is_asked(
    folder: Path,
    apply: Callable[..., Ran],
    wire: Wire,
    file: str,
    edit: Callable[[Any], None],
    pointer: str,
    message: str,
) -> None:
    edited(folder / file, edit)

    ran = apply("--yes")

    assert (ran.code, wire.sent) == (1, [])
    [line, last] = ran.err.splitlines()
    assert line.startswith(f"{folder / file}:")
    assert f" {pointer} {message}" in line
    assert last == "Nothing was done: 1 problem."
    assert "sk_live_inline" not in ran.err
    assert "k3v9x2m7" not in ran.err
    assert "live-inline" not in ran.err
    assert "c2tfbGl2ZV9pbmxpbmU" not in ran.err


def test_what_the_deployment_refuses_is_named_with_its_place(
    folder: Path, apply: Callable[..., Ran]
) -> None:
    # given what only the release of the source refuses
    file = folder / "spaces/production.json"
    edited(file, lambda one: one["connections"][0]["configurations"].update(depth=0))
    secrets = ("--secrets-to", str(folder.parent / "secrets"))

    ran = apply("--yes", *secrets)

    assert ran.code == 1
    pointer = "/connections/0/configurations/depth"
    assert re.search(rf"\n  {file}:\d+:\d+: {pointer} must be at least 1\n", ran.out)
    assert 'alert rule "Tickets are down" of production not tried' in ran.out
    edited(file, lambda one: one["connections"][0]["configurations"].update(depth=1))
    [created, *_] = [one for one in apply("--yes", "--json", *secrets).lines if "status" in one]
    assert (created["kind"], created["status"]) == ("connection", "created")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 130)])
def test_a_person_is_asked(
    folder: Path,
    apply: Callable[..., Ran],
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    code: int,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))

    ran = apply("--secrets-to", str(folder.parent / "secrets"))

    assert ran.code == code
    assert "Make 6 changes? [y/N]" in ran.err
    assert bool(wire.writes) is (answer == "y")


def test_without_a_terminal_nobody_is_asked(
    folder: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    ran = apply("--secrets-to", str(folder.parent / "secrets"))

    assert (ran.code, wire.writes) == (64, [])
    assert "There is no terminal to ask at: use --yes, or --plan." in ran.err


def test_a_folder_that_says_nothing_is_no_folder(
    tmp_path: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    (tmp_path / "folder").mkdir()

    ran = apply("--yes")

    assert (ran.code, wire.sent) == (1, [])
    assert "has no integrations/*.json, no spaces/*.json, and no organization.json" in ran.err


def test_a_thing_that_is_there_twice_is_not_guessed(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran]
) -> None:
    body = {"name": "CRM", "integration": "acme/crm", "variables": {"path": "me"}}
    assert tenant.client.post(f"{tenant.connectors}/sources", body).status == 201

    ran = apply("--yes")

    assert ran.code == 1
    assert "/sources/0/name is the name of 2 at the deployment: rename all but one" in ran.err


def test_what_can_not_be_changed_is_said(applied: Path, apply: Callable[..., Ran]) -> None:
    write(applied / "integrations/erp.json", {**DEFINITION, "slug": "erp"})
    edited(
        applied / "organization.json",
        lambda one: (
            one["sources"][0].update(integration="acme/erp"),
            one["api_keys"][0].update(permissions=["platform.integration.read"]),
        ),
    )

    ran = apply("--yes")

    assert ran.code == 1
    for told in (
        "/sources/0/integration is acme/crm at the deployment, which can't be changed",
        "/api_keys/0/permissions is another one at the deployment, and a key can't be changed",
    ):
        assert told in ran.err


def test_a_secret_is_entered_again_if_it_would_go_elsewhere(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    # given a release in which the path is bound
    file = applied / "integrations/crm.json"
    path = {"path": {"type": "string"}}
    edited(file, lambda one: one.update(version="1.1.0"))
    edited(file, lambda one: one["variablesSchema"]["properties"].update(path))
    edited(applied / "organization.json", lambda one: one["sources"][0].update(version="1.1.0"))
    monkeypatch.delenv("CRM_KEY")

    # when its value is not at hand, it is said
    refused = apply("--yes")
    assert refused.code == 1
    assert "/sources/0/secrets/api_key is in the environment variable CRM_KEY" in refused.out
    monkeypatch.setenv("CRM_KEY", "sk_live_4eC39HqLyjWDarjtT1zdp7dc")

    # then
    done = apply("--yes")
    assert done.code == 0, done.out
    assert one(tenant.client, f"{tenant.connectors}/sources")["version"] == "1.1.0"
    assert apply("--plan").code == 0


def test_an_edit_of_a_rule_of_another_kind_and_of_its_channels(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", "https://hooks.example.com/services/T0/B0/another-path")
    condition = {"kind": "success_rate", "threshold": 95, "per": "connection"}
    edited(
        applied / "spaces/production.json",
        lambda space: space["alert_rules"][0].update(condition=condition),
    )
    secrets = ("--secrets-to", str(applied.parent / "secrets"))

    assert apply("--yes").code == 1
    done = apply("--yes", *secrets)

    assert done.code == 0, done.out
    rule = one(tenant.client, "/spaces/production/alert-rules")
    assert rule["condition"]["kind"] == "success_rate"
    assert apply("--plan").code == 0


def test_a_create_is_repeated_for_what_was_deleted_since(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran]
) -> None:
    """The deployment remembers the first create for a day, and would answer it again."""
    for _ in range(2):
        rule = one(tenant.client, "/spaces/production/alert-rules")
        gone = tenant.client.delete(f"/spaces/production/alert-rules/{rule['id']}")
        assert gone.status == 204
        assert apply("--yes", "--secrets-to", str(applied.parent / "secrets")).code == 0
        assert one(tenant.client, "/spaces/production/alert-rules")["id"] != rule["id"]


def test_a_key_that_nobody_has_is_made_again(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran]
) -> None:
    """A run was killed when the key was made, and the deployment has forgotten the request."""
    path = f"/v1/organizations/{tenant.organization_id}/api-keys"
    [lost] = [key for key in tenant.client.get(path).json["items"] if key["name"] == "back end"]
    secrets = applied.parent / "secrets"
    [file] = secrets.glob("api_key.*")
    file.rename(file.with_name(f"{file.name}.pending"))
    # It is another caller, whose requests are others.
    issued = tenant.client.post(path, {"name": "next", "permissions": [*PERMISSIONS, EVENTS]})

    ran = apply("--yes", "--secrets-to", str(secrets), key=issued.json["key"])

    assert ran.code == 0, ran.out
    keys = [key for key in tenant.client.get(path).json["items"] if key["name"] == "back end"]
    assert [key["id"] for key in keys] != [lost["id"]]
    assert Client(file.read_text().strip()).get("/v1/browser-sessions/current").status == 200
    assert list(secrets.glob("*.pending")) == []


def test_a_permission_that_the_caller_does_not_have_is_said_first(
    tenant: Tenant, folder: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    ran = apply("--yes", key=str(other_key(tenant).key))

    assert (ran.code, wire.writes) == (1, [])
    assert (
        "/api_keys/0/permissions/0 is platform.events.write, which the key of this run" in ran.err
    )


def test_an_integration_that_is_deleted_is_not_made_again(
    tenant: Tenant, folder: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    for part in ("organization.json", "spaces/production.json"):
        (folder / part).unlink()
    assert apply("--yes").code == 0
    found = one(tenant.client, "/v1/integrations?slug=crm")
    assert tenant.client.delete(f"/v1/integrations/{found['id']}").status == 204
    wire.sent.clear()

    ran = apply("--yes")

    assert (ran.code, wire.writes) == (1, [])
    assert "/slug is deleted at the deployment, and keeps its slug: restore it first" in ran.err


def test_integrations_are_pruned_by_publisher_if_nobody_may_use_them(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran]
) -> None:
    for slug, visibility in (("open", "public"), ("old", "private"), ("used", "private")):
        file = applied / f"integrations/{slug}.json"
        write(file, {**DEFINITION, "slug": slug, "visibility": visibility})
    theirs = {**DEFINITION, "publisher": "acme-labs"}
    write(applied / "integrations/theirs.json", theirs)
    assert apply("--yes").code == 0
    source = {"name": "Used", "integration": "acme/used", "variables": {"path": "me"}}
    assert tenant.client.post(f"{tenant.connectors}/sources", source).status == 201
    for name in ("open", "old", "used", "theirs"):
        (applied / f"integrations/{name}.json").unlink()
    edited(applied / "organization.json", lambda content: content.pop("sources"))

    ran = apply("--yes", "--prune", "--confirm-deletions", "1")

    assert ran.code == 0, ran.err
    left = {one["key"] for one in tenant.client.get("/v1/integrations").json["items"]}
    assert left == {"acme/crm", "acme/open", "acme/used", "acme-labs/crm"}
    assert "? integration acme/open is not in the folder; it is public" in ran.out
    assert "? integration acme/used is not in the folder; 1 of the sources and" in ran.out


def test_a_member_that_an_edit_can_not_make_null_is_refused(
    applied: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    file = applied / "integrations/crm.json"
    size = {"page_size": {"type": ["integer", "null"], "default": None}}
    edited(file, lambda content: content.update(version="1.1.0"))
    edited(file, lambda content: content["variablesSchema"]["properties"].update(size))

    ran = apply("--yes")

    assert (ran.code, wire.writes) == (1, [])
    pointer = "/variablesSchema/properties/page_size/default"
    assert f"{pointer} is null, which an edit takes for a removal: leave it out" in ran.err


def test_an_edit_of_a_draft_while_it_is_published_is_told(
    tenant: Tenant, folder: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    def interfere(request: Request) -> None:
        if request.url.endswith("/publish"):
            wire.before = lambda _: None
            draft = one(tenant.client, "/v1/integrations?slug=crm")
            path = f"/v1/integrations/{draft['id']}"
            assert tenant.client.patch(path, {"name": "Theirs"}).status == 200

    wire.before = interfere
    ran = apply("--yes", "--secrets-to", str(folder.parent / "secrets"))

    assert ran.code == 1
    assert "1.0.0 is published with an edit that somebody made at the same time" in ran.out
    # It says so again, because a release never changes.
    assert "/name is not as in 1.0.0, which is published: raise the version" in apply("--yes").err


def test_what_is_not_at_hand_is_said_before_anything_is_done(
    folder: Path, apply: Callable[..., Ran], wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CRM_KEY")
    monkeypatch.delenv("HOOK")

    assert apply("--plan").code == 6
    ran = apply("--yes")

    assert (ran.code, wire.writes) == (1, [])
    for told in (
        "/sources/0/secrets/api_key is in the environment variable CRM_KEY, which is not set",
        "/alert_rules/0/channels/1/url is in the environment variable HOOK, which is not set",
        "/api_keys/0/name is new, and its value is shown once: say where it goes, with --secre",
    ):
        assert told in ran.err


def test_a_value_in_the_place_of_a_name_is_not_shown(
    folder: Path, apply: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some secrets could be the name of a variable."""
    edited(
        folder / "organization.json",
        lambda one: one["sources"][0]["secrets"].update(api_key={"fromEnv": "sk_live_4eC39HqL"}),
    )

    for options in (["--plan"], ["--yes"], ["--plan", "--json"], ["--yes", "--json"]):
        ran = apply(*options)
        assert "4eC39HqL" not in ran.out + ran.err
        assert "is in a variable, which is not set" in ran.err


def test_a_value_that_is_no_text_is_said_before_anything_is_done(
    folder: Path, apply: Callable[..., Ran], wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_KEY", "sk\udcff")

    ran = apply("--yes", "--secrets-to", str(folder.parent / "secrets"))

    assert (ran.code, wire.writes) == (1, [])
    assert "environment variable CRM_KEY, which is not UTF-8" in ran.err


def test_a_folder_that_takes_no_secrets_is_found_out_before_anything_is_done(
    folder: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    file = folder.parent / "a-file"
    file.write_text("")

    for place in (file, file / "within"):
        ran = apply("--yes", "--secrets-to", str(place))
        assert (ran.code, wire.writes) == (1, [])
        assert f"its value could not be kept: {place} can't be written to" in ran.err


def test_a_disk_that_is_full_loses_no_secret(
    tenant: Tenant,
    folder: Path,
    apply: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The key is made, and its value can't be written."""
    secrets = ("--secrets-to", str(folder.parent / "secrets"))

    def full(path: Path, text: str) -> None:
        if text.startswith("pb_"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write_private(path, text)

    with monkeypatch.context() as patched:
        patched.setattr("patchbay_cli.applying.new_secrets.write_private", full)
        ran = apply("--yes", "--json", *secrets)

    assert ran.code == 1
    [failed] = [line for line in ran.lines if line.get("status") == "failed"]
    assert (failed["kind"], "No space left" in failed["error"]["message"]) == ("api_key", True)
    assert "5 done, 1 failed" in ran.err
    assert "A new secret is in" in ran.err, "that of the webhook was written"

    assert apply("--yes", *secrets).code == 0
    [file] = (folder.parent / "secrets").glob("api_key.*")
    assert Client(file.read_text().strip()).get("/v1/browser-sessions/current").status == 200
    assert things(tenant) == ALL


def test_the_key_of_another_deployment_is_not_overwritten(
    stranger: Tenant, folder: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    secrets = folder.parent / "secrets"
    assert apply("--yes", "--secrets-to", str(secrets)).code == 0
    [file] = secrets.glob("api_key.*")
    kept = file.read_text()
    wire.sent.clear()

    ran = apply("--yes", "--secrets-to", str(secrets), key=str(stranger.client.key))

    assert (ran.code, wire.writes, file.read_text()) == (1, [], kept)
    assert f"/api_keys/0/name is new, and {file} has another secret: move it" in ran.err


def test_who_may_only_read_may_plan_and_no_more(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    # Given a difference, whose author only those that manage may know
    edited(applied / "spaces/production.json", lambda one: one.update(name="Live"))
    issued = tenant.client.post(
        f"/v1/organizations/{tenant.organization_id}/api-keys",
        {"name": "reader", "permissions": ["platform.integration.read"]},
    )
    wire.sent.clear()

    planned = apply("--plan", key=issued.json["key"])
    assert (planned.code, wire.writes) == (6, [])
    assert '/name: "Production" → "Live"' in planned.out
    assert "drift is not told: this key may not read the audit trail" in planned.err
    assert "API keys are not compared: this key may not read them" in planned.err

    ran = apply("--yes", "--secrets-to", str(applied.parent / "secrets"))
    assert (ran.code, wire.writes) == (1, [])
    assert "does not have the permission platform.integration.manage" in ran.err


def test_what_there_is_no_room_for_is_said_before_anything_is_done(
    tenant: Tenant,
    folder: Path,
    apply: Callable[..., Ran],
    wire: Wire,
    integrations_table: Table,
) -> None:
    quotas = Quotas.without_limits(integrations_table)
    quotas.set_limit(tenant.organization_id, SPACE_QUOTA, 1)

    ran = apply("--yes", "--secrets-to", str(folder.parent / "secrets"))

    assert (ran.code, wire.writes) == (1, [])
    assert (
        f"{folder}: 1 more spaces are needed, and there is room for 0: 1 of 1 are used" in ran.err
    )


def test_who_watches_a_terminal_sees_how_far_it_is(
    folder: Path, apply: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(Output, "progress", lambda _, text: seen.append(text))

    assert apply("--yes", "--secrets-to", str(folder.parent / "secrets")).code == 0

    # Of an integration, making it, checking it, and publishing it are steps
    assert seen == [f"{number} of 8 steps" for number in range(1, 9)]


def test_a_space_whose_file_is_gone_or_has_another_name_is_listed_and_stays(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    (applied / "spaces/production.json").rename(applied / "spaces/live.json")
    wire.sent.clear()

    ran = apply("--plan", "--prune", "--secrets-to", str(applied.parent / "secrets"))

    assert "+ space live" in ran.out
    assert "? space production is not in the folder; a space is never deleted" in ran.out
    assert tenant.client.get("/spaces/production").status == 200


def test_permissions_are_a_set(folder: Path, apply: Callable[..., Ran], wire: Wire) -> None:
    edited(
        folder / "organization.json",
        lambda one: one["api_keys"][0].update(permissions=[EVENTS] * 2),
    )
    options = ("--yes", "--secrets-to", str(folder.parent / "secrets"))
    assert apply(*options).code == 0
    wire.sent.clear()

    assert (apply(*options).code, wire.writes) == (0, [])


def test_a_file_at_the_wrong_place_is_named(applied: Path, apply: Callable[..., Ran]) -> None:
    names = ["organizations.json", "space/main.json", "integrations/crm/definition.json"]
    names += ["integrations/OLD.JSON", "spaces/production.yaml"]
    for name in names:
        write(applied / name, {})
    write(applied / "README.md", {})
    write(applied / ".idea/settings.json", {})

    ran = apply("--plan")

    assert ran.code == 0
    assert [line for line in ran.err.splitlines() if line.startswith("not read")] == [
        f"not read: {applied / name}" for name in sorted(names)
    ]


def test_who_interrupts_it_is_told_what_is_done(
    folder: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    def interrupt(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/api-keys"):
            raise KeyboardInterrupt

    wire.after = interrupt
    ran = apply("--yes", "--json", "--secrets-to", str(folder.parent / "secrets"))

    assert ran.code == 130
    assert all(json.loads(line) for line in ran.err.splitlines())
    assert "5 done, 0 failed, 1 not done." in ran.err
    assert "A new secret is in" in ran.err
    assert ran.lines[-1]["status"] == "not tried"


class Killed(BaseException):
    """The process is gone."""


def things(tenant: Tenant) -> dict[str, list[str]]:
    """The names of all that a folder may make."""
    organization = f"/v1/organizations/{tenant.organization_id}"
    paths = {
        "spaces": f"{organization}/spaces",
        "keys": f"{organization}/api-keys",
        "integrations": "/v1/integrations",
        "sources": f"{tenant.connectors}/sources",
        "connections": f"{tenant.connectors}/connections",
        "rules": "/spaces/production/alert-rules",
    }
    return {
        name: sorted(item["name"] for item in tenant.client.get(path).json["items"])
        for name, path in paths.items()
    }


ALL = {
    "spaces": ["Production", "acme"],
    "keys": ["back end", "test"],
    "integrations": ["CRM"],
    "sources": ["CRM"],
    "connections": ["Tickets"],
    "rules": ["Tickets are down"],
}


@pytest.mark.parametrize("is_done", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("number", range(1, 9))
def test_a_run_that_is_cut_off_at_any_write_is_taken_up(
    tenant: Tenant,
    folder: Path,
    apply: Callable[..., Ran],
    wire: Wire,
    tmp_path: Path,
    number: int,
    is_done: bool,
) -> None:
    # given a run that is killed at the nth write, before it is sent or before its answer is read
    secrets = ("--secrets-to", str(tmp_path / "secrets"))

    def kill(request: Request) -> None:
        is_write = request.method not in READS and "dry_run" not in request.url
        if is_write and len(wire.writes) == number - (not is_done):
            raise Killed

    setattr(wire, "after" if is_done else "before", kill)
    with pytest.raises(Killed):
        apply("--yes", *secrets)
    wire.before = wire.after = lambda _: None

    # when
    again = apply("--yes", *secrets)

    # then
    assert again.code == 0, again.err
    assert things(tenant) == ALL
    [key] = [path for path in (tmp_path / "secrets").iterdir() if path.name.startswith("api_key")]
    found = Client(key.read_text().strip()).get("/v1/browser-sessions/current")
    assert found.json["permissions"] == ["platform.events.write"]
    [signing] = [one for one in (tmp_path / "secrets").iterdir() if "channel-1" in one.name]
    assert signing.read_text().startswith("whsec_")
    wire.sent.clear()
    assert apply("--yes", *secrets).code == 0
    assert wire.writes == []


@pytest.mark.parametrize("number", range(9))
def test_two_at_once_make_everything_once(
    tenant: Tenant,
    folder: Path,
    apply: Callable[..., Ran],
    wire: Wire,
    tmp_path: Path,
    number: int,
) -> None:
    """The second runs from its beginning to its end before the nth write of the first."""
    secrets = ("--yes", "--secrets-to", str(tmp_path / "secrets"))

    def second(request: Request) -> None:
        if len(wire.writes) == number and request.method not in READS:
            wire.before = lambda _: None
            assert apply(*secrets).code == 0

    wire.before = second
    first = apply(*secrets)

    # The first may find that something was made in between. It says so, and nothing is there twice.
    assert first.code in (0, 1), first.err
    assert things(tenant) == ALL
    wire.sent.clear()
    assert apply(*secrets).code == 0
    assert wire.writes == []


def test_what_is_changed_between_the_plan_and_its_end_is_not_overwritten(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    somebody = other_key(tenant)
    edited(applied / "spaces/production.json", lambda space: space.update(name="Main"))

    def change(request: Request) -> None:
        if request.method == "PATCH":
            wire.before = lambda _: None
            assert somebody.patch("/spaces/production", {"name": "Theirs"}).status == 200

    wire.before = change
    ran = apply("--yes")

    assert ran.code == 1
    assert "space production failed: " in ran.out
    assert "was changed by somebody else since the plan was made" in ran.out
    assert tenant.client.get("/spaces/production").json["name"] == "Theirs"


def test_only_prune_deletes_and_nothing_that_is_in_use(
    tenant: Tenant, applied: Path, apply: Callable[..., Ran], wire: Wire
) -> None:
    # given things that the folder does not have
    client = tenant.client
    body = {"name": "Old", "integration": "acme/crm", "variables": {"path": "me"}}
    used = client.post(f"{tenant.connectors}/sources", {**body, "name": "Used"}).json["id"]
    old = client.post(f"{tenant.connectors}/sources", body).json["id"]
    for name, source, status in (("In use", used, "active"), ("Draft", old, "draft")):
        connection = {"name": name, "source_id": source, "space": "production", "status": status}
        assert client.post(f"{tenant.connectors}/connections", connection).status == 201
    rule = {"name": "Old", "condition": {"kind": "stale", "after_seconds": 600}}
    assert client.post("/spaces/production/alert-rules", rule).status == 201
    # And things that it does not speak of
    assert client.post(f"/spaces/{tenant.space_slug}/alert-rules", rule).status == 201

    # when nothing is said, nothing is deleted
    listed = apply("--yes")
    assert (listed.code, wire.writes) == (0, [])
    assert '? connection "In use" of production is not in the folder; it is active' in listed.out
    # And there has to be a second yes
    refused = apply("--yes", "--prune")
    assert (refused.code, wire.writes) == (64, [])
    assert "use --confirm-deletions 3" in refused.err
    assert apply("--yes", "--prune", "--confirm-deletions", "2").code == 64
    assert apply("--plan", "--prune").code == 6
    done = apply("--yes", "--prune", "--confirm-deletions", "3")

    # then
    assert done.code == 0, done.err
    left = things(tenant)
    assert (left["connections"], left["sources"]) == (["In use", "Tickets"], ["CRM", "Used"])
    assert left["rules"] == ["Tickets are down"]
    assert client.get(f"/spaces/{tenant.space_slug}/alert-rules").json["items"] != []
    assert apply("--plan", "--prune").code == 0


def test_a_mask_is_compared_as_the_deployment_makes_it() -> None:
    from patchbay_cli.applying import alert_rules

    for url in ("https://a.example.com", "https://a.example.com/x?y=z", "https://a.example.com/#f"):
        assert alert_rules.masked_url(url, "chn_1") == masked_url(url, "chn_1")
