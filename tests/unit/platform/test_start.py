"""What a process does when the package is imported."""

import os
import subprocess
import sys

import pytest

ASK = """
from patchbay.platform.dynamodb import connect
print(connect.cache_info().currsize)
"""


@pytest.mark.parametrize(("name", "clients"), [("TenancyFunction", "1"), (None, "0")])
def test_the_client_is_made_at_once_in_lambda_and_nowhere_else(
    name: str | None, clients: str
) -> None:
    env = {"PYTHONPATH": os.pathsep.join(sys.path), "AWS_DEFAULT_REGION": "eu-central-1"}
    if name:
        env["AWS_LAMBDA_FUNCTION_NAME"] = name
    asked = subprocess.run(
        [sys.executable, "-c", ASK], env=env, capture_output=True, text=True, check=True
    )
    assert asked.stdout.strip() == clients
