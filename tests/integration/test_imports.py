"""`patchbay import` with the API: drafts that it made are updated, and nothing else is."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from patchbay_cli.import_drafts import Drafts
from patchbay_cli.profiles import FOLDER_VARIABLE, KEY_VARIABLE, URL_VARIABLE
from patchbay_cli.program import main

from patchbay.platform.dynamodb import Table
from patchbay.registry.quotas import INTEGRATION_QUOTA
from patchbay.tenancy.quotas import Quotas
from tests.integration.conftest import Tenant
from tests.integration.served_api import served_api

pytestmark = pytest.mark.enable_socket

TRACKER = """
tracker:
  display_name: Tracker
  auth_mode: API_KEY
  proxy:
    base_url: https://api.tracker.example
    headers:
      authorization: Bearer ${apiKey}
    verification: {method: GET, endpoints: [/me]}
"""
PORTAL = """
portal:
  display_name: Portal
  auth_mode: API_KEY
  connection_config:
    tenant: {type: string, title: Tenant, pattern: "^(?:[a-z]{500}){500}$"}
  proxy:
    base_url: https://${connectionConfig.tenant}.portal.example
    headers:
      x-key: ${apiKey}
"""


class CommandLine:
    """`patchbay import nango`, of a tenant."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self._file = folder / "providers.yaml"
        self.err = ""

    def __call__(self, providers: str, *options: str, code: int = 0) -> list[dict[str, Any]]:
        self._file.write_text(providers)
        self._capsys.readouterr()
        ended = main(["import", "nango", str(self._file), "--json", *options])
        said = self._capsys.readouterr()
        self.err = said.err
        assert ended == code, said
        return [json.loads(line) for line in said.out.splitlines()]


@pytest.fixture
def imports(
    tenant: Tenant,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[CommandLine]:
    with served_api() as url:
        monkeypatch.setenv(URL_VARIABLE, url)
        monkeypatch.setenv(KEY_VARIABLE, str(tenant.client.key))
        monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "config"))
        yield CommandLine(capsys, tmp_path)


def integrations(tenant: Tenant) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = tenant.client.get("/v1/integrations").json["items"]
    return items


def test_drafts_are_made_once_and_updated_later(tenant: Tenant, imports: CommandLine) -> None:
    [first] = imports(TRACKER)
    [again] = imports(TRACKER)
    [changed] = imports(
        TRACKER.replace("/me", "/whoami").replace(
            "    headers:\n      authorization: Bearer ${apiKey}\n",
            "    headers:\n      x-key: ${apiKey}\n",
        )
    )

    assert (first["state"], first["actions"], first["problems"]) == ("draft", ["created"], [])
    assert (again["id"], again["actions"]) == (first["id"], ["unchanged"])
    assert (changed["id"], changed["actions"]) == (first["id"], ["updated"])
    [draft] = integrations(tenant)
    assert (draft["visibility"], draft["currentVersion"]) == ("private", None)
    # What the source has no more is gone, too
    assert draft["authConfig"]["authHeaderName"] == "x-key"
    assert draft["authConfig"].get("authValuePrefix", "") == ""
    [step] = draft["manifest"]["checks"]["steps"]
    assert step["request"]["url"] == "https://api.tracker.example/whoami"


def test_nothing_is_published_unless_that_is_asked_for(
    tenant: Tenant, imports: CommandLine
) -> None:
    [found] = imports(TRACKER, "--publish")
    assert (found["state"], found["actions"]) == ("published", ["created", "published"])
    assert integrations(tenant)[0]["currentVersion"] == "1.0.0"
    # The same again is done
    [again] = imports(TRACKER, "--publish")
    assert (again["state"], again["actions"]) == ("published", ["unchanged"])
    # A release is never changed by an import
    [later] = imports(TRACKER.replace("/me", "/whoami"), code=1)
    assert (later["state"], later["actions"]) == ("published", ["kept"])
    assert later["notes"] == ["imported/tracker is published as 1.0.0: it was left alone"]


def test_what_keeps_a_draft_from_being_published_is_reported(
    tenant: Tenant, imports: CommandLine
) -> None:
    # Given a pattern that only the deployment knows to be too large
    tracker, portal = imports(TRACKER + PORTAL, "--publish", code=1)
    assert (tracker["state"], tracker["problems"]) == ("published", [])
    assert portal["state"] == "draft"
    assert "/variablesSchema/properties/tenant/pattern" in {
        problem["pointer"] for problem in portal["problems"]
    }
    assert {one["slug"]: one["currentVersion"] for one in integrations(tenant)} == {
        "tracker": "1.0.0",
        "portal": None,
    }


def test_a_definition_of_your_own_is_left_alone(tenant: Tenant, imports: CommandLine) -> None:
    own = {
        "workspaceId": tenant.space_id,
        "publisher": "imported",
        "slug": "tracker",
        "name": "Ours",
        "description": "Imported from nowhere: by hand.",
    }
    tenant.client.post("/v1/integrations", own)
    [found] = imports(TRACKER, code=1)
    assert found["actions"] == ["kept"]
    assert found["notes"] == ["imported/tracker was not made by this import: it was left alone"]
    assert integrations(tenant)[0]["name"] == "Ours"


def test_a_draft_that_was_deleted_is_not_made_again(tenant: Tenant, imports: CommandLine) -> None:
    [made] = imports(TRACKER)
    assert tenant.client.delete(f"/v1/integrations/{made['id']}").status == 204

    [found] = imports(TRACKER, code=1)

    assert (found["state"], found["actions"]) == ("not imported", ["kept"])
    assert found["notes"][0] == (
        "imported/tracker is deleted, and keeps its slug: restore it first"
    )


def test_a_name_of_somebody_else_is_one_error_for_each(
    tenant: Tenant, stranger: Tenant, imports: CommandLine
) -> None:
    taken = {"workspaceId": stranger.space_id, "publisher": "imported", "slug": "a", "name": "A"}
    assert stranger.client.post("/v1/integrations", taken).status == 201
    [found] = imports(TRACKER, code=1)
    assert (found["state"], found["actions"]) == ("failed", ["failed"])
    assert found["error"]["code"] == "PUBLISHER_TAKEN"
    [found] = imports(TRACKER, "--publisher", "acme")
    assert found["integration"] == "acme/tracker"


def test_a_list_that_has_no_room_is_refused_before_the_first_draft(
    tenant: Tenant, imports: CommandLine, integrations_table: Table
) -> None:
    quotas = Quotas.without_limits(integrations_table)
    quotas.set_limit(tenant.organization_id, INTEGRATION_QUOTA, 1)

    assert imports(TRACKER + PORTAL, code=1) == []
    assert (
        "nothing was done: 2 more integrations are needed, and there is room for 1" in imports.err
    )
    assert integrations(tenant) == []
    # What is there already needs no room
    assert imports(TRACKER)[0]["actions"] == ["created"]
    assert imports(TRACKER)[0]["actions"] == ["unchanged"]


def test_who_interrupts_an_import_is_told_what_is_done(
    tenant: Tenant, imports: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring = Drafts.bring

    def interrupted(drafts: Drafts, definition: Mapping[str, Any]) -> dict[str, Any]:
        if definition["slug"] == "portal":
            raise KeyboardInterrupt
        return bring(drafts, definition)

    monkeypatch.setattr(Drafts, "bring", interrupted)
    tracker, portal = imports(TRACKER + PORTAL, "--at-once", "1", code=130)

    assert (tracker["state"], tracker["actions"]) == ("draft", ["created"])
    assert (portal["state"], portal["actions"]) == ("not tried", [])
    assert "1 draft, 0 not imported, 1 not tried" in imports.err
    assert [one["slug"] for one in integrations(tenant)] == ["tracker"]


def test_files_and_drafts_may_be_made_at_once(
    tenant: Tenant, imports: CommandLine, tmp_path: Path
) -> None:
    [found] = imports(TRACKER, "--out", str(tmp_path / "out"), "--drafts")
    assert found["actions"] == ["written", "created"]
    assert json.loads(Path(found["file"]).read_text())["slug"] == "tracker"
