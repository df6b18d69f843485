"""Our own checks by host: each names its source, and each can be published."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pytest
from patchbay_importers.drafts import Draft, Origin, is_https
from patchbay_importers.overlay import WhoamiCheck, add_whoami, check_of_host, whoami_checks

from tests.unit.importers.publishable import published, steps_of

CHECKS = sorted(whoami_checks().values(), key=lambda check: check.host)
IMPORTING: Final = Path(__file__).parents[3] / "client/importing.md"
UNREAD: Final = next(
    check.host
    for check in CHECKS
    if not (check.reviewed or check.type or check.host.startswith("*"))
)


def draft_for(host: str, auth: dict[str, str]) -> Draft:
    draft = Draft("one", "One", Origin("a test", "MIT"), base_url=f"https://{host}/v1")
    draft.auth = dict(auth)
    if host.startswith("{{"):
        draft.variables["name"] = {"type": "string"}
    return draft


def test_at_least_80_were_read_in_what_the_provider_publishes() -> None:
    # when
    days = [check.reviewed for check in CHECKS if check.reviewed is not None]

    # then
    assert len(days) >= 80
    assert all(date.fromisoformat(day) <= datetime.now(UTC).date() for day in days)
    assert f"{len(days)} of {len(CHECKS)} were read" in IMPORTING.read_text()


def test_a_draft_says_that_a_check_is_from_memory() -> None:
    # given a host that was read again, and one that was not
    known, unread = (draft_for(host, {"type": "api_key"}) for host in ("api.github.com", UNREAD))

    # when
    for draft in (known, unread):
        add_whoami(draft)

    # then
    assert not known.notes[-1].endswith("from memory: try it")
    assert unread.notes[-1].endswith("from memory: try it")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.host)
def test_each_names_its_source_and_is_published_with_a_proof(check: WhoamiCheck) -> None:
    host = check.host.replace("*.", "{{variables.name}}.")
    auth = {"type": "api_key"}
    if check.type == "oauth2":
        login = "https://login.example.com"
        auth = {"type": "oauth2", "tokenUrl": login, "authorizationUrl": login}
    draft = draft_for(host, auth)

    add_whoami(draft)

    definition = published(draft.imported())
    (step,) = steps_of(definition)
    assert step["request"]["method"] == "GET"
    assert step["request"]["url"] == f"https://{host}{check.path}"
    assert step["expect"]["status"] == [200]
    assert is_https(check.documentation)
    assert definition["documentation"] == [check.documentation]


def test_a_host_is_found_by_its_whole_name_or_below_a_star() -> None:
    assert check_of_host("API.GitHub.com") is whoami_checks()["api.github.com"]
    assert check_of_host("{{variables.name}}.zendesk.com") is whoami_checks()["*.zendesk.com"]
    assert check_of_host("evil.api.github.com") is None
    assert check_of_host("github.com.example") is None
    assert check_of_host("a.b.zendesk.com") is None


@pytest.mark.parametrize(
    "auth",
    [
        {"type": "none"},
        {"type": "oauth2", "grantType": "client_credentials", "tokenUrl": "https://a.example"},
    ],
)
def test_nobody_is_asked_for_without_a_credential_of_a_user(auth: dict[str, str]) -> None:
    draft = draft_for("api.github.com", auth)

    add_whoami(draft)

    assert draft.steps == []


def test_a_check_for_one_type_is_not_for_another() -> None:
    draft = draft_for("api.atlassian.com", {"type": "api_key"})

    add_whoami(draft)

    assert draft.steps == []


def test_a_check_of_the_list_is_kept() -> None:
    draft = draft_for("api.github.com", {"type": "api_key"})
    draft.step("own", "http", request={"url": "https://api.github.com/own"})

    add_whoami(draft)

    assert [step["name"] for step in draft.steps] == ["own"]


def test_headers_of_each_request_are_sent_too_but_do_not_replace() -> None:
    draft = draft_for("api.notion.com", {"type": "api_key"})

    add_whoami(draft, {"notion-version": "1999-01-01", "X-App": "a"})

    assert draft.steps[0]["request"]["headers"] == {
        "X-App": "a",
        "Notion-Version": "2022-06-28",
    }
