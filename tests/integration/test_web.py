"""The pages over the API: their routes, their methods, and who may frame the wizard."""

import base64
import gzip
import os
import re
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

import web
from local.paths import ROOT
from patchbay.platform.clock import utc_now
from tests.integration.api import Answer, Client, sample_event
from tests.integration.conftest import Tenant
from tests.integration.installing import sessions
from tests.integration.story import publish_integration

ANYBODY = Client(key=None)
PAGES = ("/app", "/app/spaces/main", "/install/acme/crm", "/status/Jq0zC8m2VtY4nKfXr1bWdA")
ORIGINS = ["https://app.example.com", "https://b.example.com"]


def test_the_sample_event_gets_the_dashboard(deployed: object) -> None:
    answer = web.handler(sample_event("web"), None)
    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Encoding"] == "gzip"
    html = gzip.decompress(base64.b64decode(answer["body"])).decode()
    assert html.startswith("<!doctype html>")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_loads_files_that_are_there(deployed: object, path: str) -> None:
    page = ANYBODY.get(path)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    found = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert found
    for address in found:
        assert ANYBODY.get(address).status == 200, address


@pytest.mark.parametrize("path", [*PAGES, "/embed.js"])
def test_a_page_answers_head_as_get_without_a_body(deployed: object, path: str) -> None:
    got, asked = ANYBODY.get(path), ANYBODY.call("HEAD", path, None)
    assert (asked.status, asked.headers, asked.text) == (200, got.headers, "")


def test_a_page_is_asked_for_again_and_not_sent_again(deployed: object) -> None:
    first = ANYBODY.get("/app", accept_encoding="gzip")
    again = ANYBODY.get("/app", if_none_match=first.headers["etag"], accept_encoding="gzip")
    assert (again.status, again.body) == (304, b"")
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_the_brand_of_the_deployment(deployed: object, path: str) -> None:
    html = ANYBODY.get(path).text
    assert '<meta name="brand-name" content="Acme &amp; Co.">' in html
    assert '<meta name="brand-logo" content="https://acme.example/logo.svg">' in html
    assert '<meta name="brand-accent-fill" content="light-dark(#0a7d5c, #0a7d5c)">' in html


def test_any_query_opens_a_page(deployed: object) -> None:
    for query in ("?x=1&x=2", "?%ff", "?q", "?authorize=popup"):
        assert ANYBODY.get(f"/install/acme/crm{query}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/assets/00000000000000000000/kit/theme.css",
        "/assets/x",
        "/assets/../template.yaml",
        "/status/a/b",
        "/install/acme",
        "/install/acme/crm/more",
    ],
)
def test_what_is_not_there_is_kept_by_no_cache(deployed: object, path: str) -> None:
    answer = ANYBODY.get(path)
    assert answer.status == 404
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/app", "/embed.js", "/install/acme/crm"])
def test_a_page_takes_no_other_method(deployed: object, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = ANYBODY.call(method, path, None)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    answer = ANYBODY.call("OPTIONS", path, None)
    assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


def test_without_a_session_nobody_frames_a_page(deployed: object) -> None:
    for path in PAGES:
        assert framing(ANYBODY.get(path)) == "'none'"


@pytest.fixture
def session(tenant: Tenant) -> dict[str, Any]:
    publish_integration(tenant)
    return opened(tenant)


def opened(tenant: Tenant, **more: Any) -> dict[str, Any]:
    body = {"integration": "acme/crm", "allowed_origins": ORIGINS, **more}
    made = tenant.client.post(sessions(tenant), body)
    assert made.status == 201, made.text
    session: dict[str, Any] = made.json
    return session


def test_the_wizard_of_a_session_is_framed_by_its_origins_alone(session: dict[str, Any]) -> None:
    address, _, token = session["url"].partition("#")
    assert token == session["token"]
    path = re.sub("^https://[^/]+", "", address)
    assert re.fullmatch(r"/install/acme/crm\?session=org_\w{26}\.ins_\w{26}", path)
    assert framing(ANYBODY.get(path)) == " ".join(ORIGINS)
    assert framing(ANYBODY.call("HEAD", path, None)) == " ".join(ORIGINS)
    # Of the wizard only
    assert framing(ANYBODY.get(f"/app?{path.partition('?')[2]}")) == "'none'"


def test_a_session_without_origins_has_the_plain_address(tenant: Tenant) -> None:
    publish_integration(tenant)
    session = opened(tenant, allowed_origins=[])
    assert session["url"].endswith(f"/install/acme/crm#{session['token']}")
    handle = f"{tenant.organization_id}.{session['id']}"
    assert framing(ANYBODY.get(f"/install/acme/crm?session={handle}")) == "'none'"


def test_a_session_that_has_ended_is_framed_by_nobody(
    tenant: Tenant, session: dict[str, Any]
) -> None:
    path = f"/install/acme/crm?session={tenant.organization_id}.{session['id']}"
    assert framing(ANYBODY.get(path)) == " ".join(ORIGINS)
    etag = ANYBODY.get(path).headers["etag"]
    gone = tenant.client.delete(
        f"/v1/organizations/{tenant.organization_id}/install-sessions/{session['id']}"
    )
    assert gone.status == 204
    after = ANYBODY.get(path, if_none_match=etag)
    # The browser must not keep the page that may be framed.
    assert after.status == 200
    assert framing(after) == "'none'"


def test_a_session_that_has_expired_is_framed_by_nobody(
    session: dict[str, Any], tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/install/acme/crm?session={tenant.organization_id}.{session['id']}"
    later = utc_now() + timedelta(days=1)
    monkeypatch.setattr(web, "utc_now", lambda: later)
    assert framing(ANYBODY.get(path)) == "'none'"


@pytest.mark.parametrize(
    "query",
    [
        "session=",
        "session=x",
        "session={organization}",
        "session={organization}.",
        "session=.{id}",
        "session={id}.{organization}",
        "session={organization}.{id}.x",
        "session={organization}.{id}%00",
        "session={organization}.ins_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "session=org_01ARZ3NDEKTSV4RRFFQ69G5FAV.{id}",
        "session={organization}.{id}&session={organization}.{id}",
        "Session={organization}.{id}",
        "x={organization}.{id}",
    ],
)
def test_a_handle_of_no_session_lets_nobody_frame(
    tenant: Tenant, session: dict[str, Any], query: str
) -> None:
    named = query.replace("{organization}", tenant.organization_id).replace("{id}", session["id"])
    assert framing(ANYBODY.get(f"/install/acme/crm?{named}")) == "'none'"


def test_a_page_needs_no_table_unless_it_is_asked_for_a_frame() -> None:
    """The function starts without a client of AWS, and imports neither models nor stores."""
    program = (
        "import sys, web, json; from tests.integration.api import sample_event\n"
        "assert web.handler(sample_event('web'), None)['statusCode'] == 200\n"
        "heavy = ['botocore.session', 'cryptography', 'jsonschema_rs', 'patchbay.installs.model']\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={
            "PYTHONPATH": os.pathsep.join(sys.path),
            "AWS_LAMBDA_FUNCTION_NAME": "web",
            **dict.fromkeys(("BRAND_NAME", "BRAND_LOGO_URL", "BRAND_COLOR"), ""),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def framing(answer: Answer) -> str:
    assert answer.status == 200, answer.text
    return answer.headers["content-security-policy"].partition("frame-ancestors ")[2]
