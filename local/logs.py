"""Show what the functions of the running local cloud logged (`make logs`), with `sam logs`."""

import json
import os
import re
import sys

from local.emulator import Account
from local.paths import ROOT, SAM_VENV, StateDir
from local.sam import STACK_NAME


def functions(template: str) -> list[str]:
    """The functions of a template, by their modules, which their log groups are named after."""
    return re.findall(r"^    \w+: \{Module: (\w+)\}$", template, re.MULTILINE)


def main() -> None:
    """This process becomes `sam logs`."""
    try:
        stack = json.loads(StateDir().stack_file.read_text())
    except FileNotFoundError:
        sys.exit("patchbay: no local cloud runs; start one: make run")
    sam = str(SAM_VENV / "bin" / "sam")
    names = functions((ROOT / "template.yaml").read_text())
    groups = [f"--cw-log-group=/patchbay/{STACK_NAME}/{name}" for name in names]
    account = Account(
        stack["aws_endpoint_url"], stack["aws_access_key_id"], stack["aws_secret_access_key"]
    )
    env = account.environment() | {"SAM_CLI_TELEMETRY": "0"}
    command = [sam, "logs", "--config-env", "local", *groups]
    os.execve(sam, command, env)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
