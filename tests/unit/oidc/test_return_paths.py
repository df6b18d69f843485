"""Where a sign-in may lead back to."""

import pytest

from patchbay.oidc.return_paths import HOME, MAX_PATH, return_path


@pytest.mark.parametrize(
    "path",
    [
        "/app",
        "/app/",
        "/app/alerts",
        "/app/spaces/acme-production/connections?status=failing&q=%C3%A9%20x",
        "/app/alerts#delivery-1",
        "/app/a..b/.../~",
        "/app?next=https://evil.example",
        "/app/" + "a" * (MAX_PATH - 5),
    ],
)
def test_a_page_of_the_dashboard_is_kept(path: str) -> None:
    assert return_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "/",
        "https://evil.example/app",
        "//evil.example/app",
        "/\\evil.example",
        "\\\\evil.example/app",
        "/app//evil.example",
        "/app\\evil.example",
        "/application",
        "/app.evil.example",
        "/app@evil.example",
        "app",
        " /app",
        "/app ",
        "/app\n",
        "/app\r\nSet-Cookie: a=b",
        "/app\t/x",
        "/app/../docs",
        "/app/./x",
        "/app/%2e%2e/docs",
        "/app/%2E./docs",
        "/app/.%2e",
        "javascript:alert(1)",
        "data:text/html,x",
        "/docs",
        "/app/é",
        "/app/<script>",
        "/app/" + "a" * MAX_PATH,
    ],
)
def test_anything_else_leads_to_the_first_page(path: str | None) -> None:
    assert return_path(path) == HOME
