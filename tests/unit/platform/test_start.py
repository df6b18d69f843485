"""What a process does when a function is imported."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import ROOT
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.settings import Settings

FUNCTIONS = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))

SETTINGS = {
    "credential_use": "enabled",
    "egress_allow": "",
    "egress_authorities": "",
    "dns_resolver": "1.1.1.1",
    "jwt_issuer": "",
    "pooled_runs": "enabled",
    "public_url": "https://patchbay.example.com",
}
"""Of settings whose values are parsed."""

CLIENTS = """
import importlib, sys
importlib.import_module(sys.argv[1])
from patchbay.platform.dynamodb import connect
print(connect.cache_info().currsize)
"""

COLLECTOR = """
import gc, importlib, sys
import patchbay
for module in sys.argv[1:]:
    before = gc.isenabled()
    importlib.import_module(module)
    print(module, before, gc.isenabled(), gc.get_freeze_count() > 0)
    gc.unfreeze()
    gc.disable()
"""


def said(program: str, *arguments: str, function: str | None) -> list[str]:
    """What a process printed, started by Lambda for this function, or by anything else for None."""
    env = {"PYTHONPATH": os.pathsep.join(sys.path), "AWS_DEFAULT_REGION": "eu-central-1"}
    env |= {name.upper(): SETTINGS.get(name, "1") for name in vars(Settings) if name.islower()}
    if function:
        env["AWS_LAMBDA_FUNCTION_NAME"] = function
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=Path("/"),
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.parametrize("module", FUNCTIONS)
def test_the_client_is_made_at_once_in_lambda_and_nowhere_else(module: str) -> None:
    assert said(CLIENTS, module, function="AnyFunction") == [
        "0" if module in ("docs", "web") else "1"
    ]
    assert said(CLIENTS, module, function=None) == ["0"]


def test_garbage_is_collected_once_a_function_is_initialized() -> None:
    printed = said(COLLECTOR, *FUNCTIONS, function="AnyFunction")
    assert printed == [word for name in FUNCTIONS for word in (name, "False", "True", "True")]


def test_elsewhere_nothing_is_kept_from_the_collector() -> None:
    assert said(COLLECTOR, "docs", function=None) == ["docs", "True", "True", "False"]


def test_marking_an_entry_point_changes_nothing_where_garbage_is_collected() -> None:
    frozen = gc.get_freeze_count()

    def handler() -> None:
        """What Lambda would call."""

    assert entry_point(handler) is handler
    assert gc.get_freeze_count() == frozen
