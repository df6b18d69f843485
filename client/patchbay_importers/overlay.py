"""Checks of our own for providers that a list gives none: `whoami.json`, by the host of the API.

Each names the page of the provider's documentation. It is a GET that says whose credential this is,
and that a wrong credential can't pass. `reviewed` is the day on which it was read in what the
provider itself publishes: its documentation, its description of its API or a copy of it, or its own
client. What has none was written from memory, and a draft says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from patchbay_importers.drafts import Draft

STEP_NAME: Final = "whoami"
_ANY_LABEL: Final = "*."
_PLACEHOLDER: Final = re.compile(r"\{\{[^{}]*\}\}")


@dataclass(frozen=True)
class WhoamiCheck:
    """`host` is a full name, or `*.` and the name below which each customer has a label.

    `type` is that of `authConfig` if only such a credential can ask.
    `expect` is what proves success, as in a step; `documentation` the page that says so.
    """

    host: str
    method: str
    path: str
    expect: dict[str, Any]
    documentation: str
    account: str | None = None
    headers: dict[str, str] | None = None
    type: str | None = None
    reviewed: str | None = None

    def step(self, authority: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """The members of a step that asks this authority; its own headers count before others."""
        request: dict[str, Any] = {
            "method": self.method,
            "url": f"https://{authority}{self.path}",
        }
        own = self.headers or {}
        taken = {name.lower() for name in own}
        others = {name: text for name, text in headers.items() if name.lower() not in taken}
        if sent := {**others, **own}:
            request["headers"] = sent
        account = {"account": self.account} if self.account else {}
        return {"mandatory": True, "request": request, "expect": self.expect, **account}


@cache
def whoami_checks() -> dict[str, WhoamiCheck]:
    """All of them, by host."""
    entries = json.loads(files("patchbay_importers").joinpath("whoami.json").read_text("utf-8"))
    checks = (WhoamiCheck(**entry) for entry in entries)
    return {check.host: check for check in checks}


def check_of_host(authority: str) -> WhoamiCheck | None:
    """The check for an API at this authority, in which a label may be a placeholder."""
    checks = whoami_checks()
    host = _PLACEHOLDER.sub("x", authority.lower())
    below = _ANY_LABEL + host.partition(".")[2]
    return checks.get(host) or checks.get(below)


def add_whoami(draft: Draft, headers: Mapping[str, str] | None = None) -> None:
    """Adds the check of the provider, with the headers that each request of its API has.

    Not if the draft has a step that asks the API already, if no header carries its credential, or
    if a client has it for itself: then there is no user to ask for.
    """
    auth = draft.auth
    if auth.get("type") == "none" or "grantType" in auth:
        return
    base = draft.base_url or ""
    if draft.steps or not base.startswith("https://"):
        return
    authority = base.partition("://")[2].partition("/")[0]
    check = check_of_host(authority)
    if check is not None and check.type in (None, auth.get("type")):
        draft.step(STEP_NAME, "http", **check.step(authority, headers or {}))
        draft.documentation.append(check.documentation)
        doubt = "" if check.reviewed else ", from memory: try it"
        draft.notes.append(f"its check is Patchbay's own, by {check.documentation}{doubt}")
