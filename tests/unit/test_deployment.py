"""One place wires: what is asked for is built, of the variables that are there, once."""

import re
from functools import cached_property
from pathlib import Path

import pytest

from patchbay.connections.health_state import AutoDisable
from patchbay.deployment import Deployment, MonitorDeployment
from patchbay.platform.dynamodb import ReadAhead, Table
from patchbay.platform.settings import SettingError

FUNCTIONS = Path(__file__).parents[2] / "functions"
TABLES = {"INTEGRATIONS_TABLE": "state", "EVENTS_TABLE": "events"}


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    """And credentials, which botocore would look for on the network."""
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


def test_a_part_is_built_once_of_its_own_variables_alone() -> None:
    deployment = Deployment({"INTEGRATIONS_TABLE": "state"})
    assert deployment.tenants is deployment.tenants
    assert deployment.integrations.name == "state"


def test_a_missing_variable_is_named() -> None:
    deployment = Deployment({"INTEGRATIONS_TABLE": "state"})
    with pytest.raises(SettingError, match=r"^the environment variable EVENTS_TABLE is missing$"):
        _ = deployment.test_history


def test_a_variable_of_another_type_is_named() -> None:
    deployment = Deployment({**TABLES, "RAW_EVENT_DAYS": "many"})
    with pytest.raises(SettingError, match="RAW_EVENT_DAYS can't be read"):
        _ = deployment.event_store


def test_settings_are_read_only_and_read_once() -> None:
    environ = {"INTEGRATIONS_TABLE": "state"}
    settings = Deployment(environ).settings
    assert settings.integrations_table == "state"
    environ["INTEGRATIONS_TABLE"] = "another"
    assert settings.integrations_table == "state"
    with pytest.raises(AttributeError, match="read-only"):
        settings.integrations_table = "another"


def test_a_part_that_is_replaced_is_what_others_are_built_of() -> None:
    deployment = Deployment({})
    deployment.integrations = deployment.events = Table("replaced")
    deployment.auto_disable = AutoDisable(3, 1)
    with pytest.raises(SettingError, match="VAULT_KEY_ID"):
        _ = deployment.tester
    assert vars(deployment).keys() >= {"registry", "connections"}


def test_monitors_read_ahead_and_nothing_else_does() -> None:
    assert isinstance(MonitorDeployment(TABLES).integrations, ReadAhead)
    assert isinstance(MonitorDeployment(TABLES).events, ReadAhead)
    assert not isinstance(Deployment(TABLES).integrations, ReadAhead)


@pytest.mark.parametrize("path", sorted(FUNCTIONS.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_function_builds_at_its_start_is_a_part_of_it(path: Path) -> None:
    text = path.read_text()
    names = re.findall(r'"(\w+)"', "".join(re.findall(r"at_start=\(.*?\)", text)))
    assert names or path.stem in ("docs", "web")  # most of their requests need nothing
    for name in names:
        assert isinstance(getattr(MonitorDeployment, name), cached_property)
        # What is built at the start and not used is paid for at every start.
        assert f"deployment.{name}" in text or name == "tenants"


def test_only_lambda_builds_anything_at_the_start() -> None:
    assert "tenants" not in vars(Deployment(TABLES, at_start=("tenants",)))
    in_lambda = {**TABLES, "AWS_LAMBDA_FUNCTION_NAME": "TenancyFunction"}
    assert "tenants" in vars(Deployment(in_lambda, at_start=("tenants",)))
