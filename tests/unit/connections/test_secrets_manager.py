"""Secrets are read once a run, side by side: one that is slow or fails, fails alone."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from patchbay.connections.secrets_manager import (
    BATCH,
    SecretsOfRun,
    SecretUnreadable,
    SecretValue,
    reading_once,
    secrets_of_run,
)
from patchbay.platform.errors import InternalError, TemporarilyUnavailable

TAGS = [{"Key": "patchbay:permits:abc", "Value": "int_1 a.example"}]
MISSING = "ResourceNotFoundException"
CLOSED = "AccessDeniedException"


def name(number: int, organization: str = "org_a") -> str:
    return f"patchbay/{organization}/{number}"


class SecretsManager:
    """Secrets Manager: every secret has a value, its own name, unless a test says otherwise."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.batches: list[list[str]] = []
        self.tags: dict[str, Any] = {}
        self.failing: dict[str, str] = {}
        """Codes by the names of secrets, and by operations."""
        self.hanging: set[str] = set()
        """Names and operations that do not respond until the end of the test."""
        self.over = threading.Event()

    def describe_secret(self, SecretId: str) -> Any:  # noqa: N803 - as boto3's
        self._count("describe_secret", SecretId)
        return {"Tags": self.tags.get(SecretId, TAGS)}

    def get_secret_value(self, SecretId: str) -> Any:  # noqa: N803
        self._count("get_secret_value", SecretId)
        return {"Name": SecretId, "SecretString": SecretId}

    def batch_get_secret_value(self, SecretIdList: list[str]) -> Any:  # noqa: N803
        self.batches.append(SecretIdList)
        self._count("batch_get_secret_value", *self.hanging & set(SecretIdList))
        failed = [one for one in SecretIdList if one in self.failing]
        return {
            "SecretValues": [
                {"Name": one, "SecretString": one} for one in SecretIdList if one not in failed
            ],
            "Errors": [{"SecretId": one, "ErrorCode": self.failing[one]} for one in failed],
        }

    def _count(self, operation: str, *names: str) -> None:
        self.calls[operation] += 1
        if self.hanging & {operation, *names}:
            self.over.wait()
            raise ReadTimeoutError(endpoint_url="https://secretsmanager.example")
        for one in (operation, *names):
            if one in self.failing and operation != "describe_secret":
                raise ClientError({"Error": {"Code": self.failing[one]}}, operation)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManager]:
    service = SecretsManager()
    for operation in ("describe_secret", "get_secret_value", "batch_get_secret_value"):
        getattr(SecretsManager, operation).__name__ = operation
    monkeypatch.setattr("patchbay.connections.secrets_manager.client", lambda _: service)
    yield service
    service.over.set()


@contextmanager
def failing_as(error: type[Exception]) -> Iterator[None]:
    with pytest.raises(error):
        yield


def test_many_secrets_are_read_by_few_calls(service: SecretsManager) -> None:
    names = [name(number) for number in range(2 * BATCH + 1)]
    run = SecretsOfRun()
    run.read_ahead(names)
    assert service.calls == {"describe_secret": 41, "batch_get_secret_value": 3}
    assert sorted(map(len, service.batches)) == [1, BATCH, BATCH]
    # And what was read needs no further call
    before = service.calls.copy()
    assert [run.value(one).text for one in names] == names
    assert run.tags(names[0]) == {"patchbay:permits:abc": "int_1 a.example"}
    run.read_ahead(names)
    assert service.calls == before


def test_a_secret_that_hundreds_use_is_read_once(service: SecretsManager) -> None:
    with reading_once(), ThreadPoolExecutor(8) as pool:
        contexts = [copy_context() for _ in range(200)]

        def use(context: Any) -> Any:
            return context.run(lambda: secrets_of_run().value(name(1)).text)

        assert set(pool.map(use, contexts)) == {name(1)}
    assert service.calls == {"get_secret_value": 1}
    # Outside of a run, nothing is kept
    secrets_of_run().value(name(1))
    secrets_of_run().value(name(1))
    assert service.calls == {"get_secret_value": 3}


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize(
    ("code", "error"),
    [(MISSING, SecretUnreadable), (CLOSED, SecretUnreadable), ("ThrottlingException", None)],
)
def test_a_failure_is_kept_as_well(
    service: SecretsManager, code: str, error: type[Exception] | None, ahead: bool
) -> None:
    run = SecretsOfRun()
    service.failing[name(1)] = code
    if ahead:
        run.read_ahead([name(1), name(2)])
    for _ in range(3):
        with failing_as(error or TemporarilyUnavailable):
            run.value(name(1))
    # What a batch could not read for another reason than the secret's own was tried once by itself
    alone = 0 if ahead and error else 1
    assert service.calls["get_secret_value"] == alone
    # And the others of the batch are there
    assert run.value(name(2)).text == name(2)
    assert service.calls["get_secret_value"] == alone + (not ahead)


def test_what_is_missing_is_told_from_what_is_closed(service: SecretsManager) -> None:
    run = SecretsOfRun()
    service.failing |= {name(1): MISSING, name(2): CLOSED}
    run.read_ahead([name(1), name(2)])
    for number, is_missing in ((1, True), (2, False)):
        with pytest.raises(SecretUnreadable) as unreadable:
            run.value(name(number))
        assert unreadable.value.is_missing is is_missing


def test_a_value_without_a_permitting_tag_is_not_read_ahead(service: SecretsManager) -> None:
    service.tags[name(1)] = [{"Key": "team", "Value": "crm"}]
    SecretsOfRun().read_ahead([name(1), name(2)])
    assert service.batches == [[name(2)]]


@pytest.mark.parametrize(
    ("code", "batches"), [(CLOSED, 1), ("ThrottlingException", 2), ("UnknownOperation", 2)]
)
def test_without_batches_each_is_read_by_itself(
    service: SecretsManager, code: str, batches: int
) -> None:
    service.failing["batch_get_secret_value"] = code
    run = SecretsOfRun()
    for number in (1, 2):
        run.read_ahead([name(number)])
        assert run.value(name(number)) == SecretValue(name(number))
    # Where they are not allowed, they are not tried again
    assert service.calls["batch_get_secret_value"] == batches
    assert service.calls["get_secret_value"] == 2


def test_a_secret_that_hangs_holds_up_no_other(service: SecretsManager) -> None:
    slow = [name(number, "org_slow") for number in range(60)]
    others = [name(number) for number in range(30)]
    service.hanging |= set(slow)
    run = SecretsOfRun()
    run.read_ahead([*slow, *others[:5]], seconds=0.4)
    # Then the others are there: each organization had its turn
    assert service.batches == [others[:5]]
    # And those for which there was no time are read by themselves
    assert [run.value(one).text for one in others] == others
    assert service.calls["get_secret_value"] == 25


def test_a_batch_that_hangs_holds_up_no_secret(service: SecretsManager) -> None:
    names = [name(number) for number in range(30)]
    service.hanging.add("batch_get_secret_value")
    run = SecretsOfRun()
    run.read_ahead(names, seconds=0.4)
    assert [run.value(one).text for one in names] == names
    assert service.calls["get_secret_value"] == 30


def test_what_comes_after_the_deadline_changes_nothing(service: SecretsManager) -> None:
    service.hanging.add("batch_get_secret_value")
    run = SecretsOfRun()
    run.read_ahead([name(1)], seconds=0.2)
    assert run.value(name(1)).text == name(1)
    service.over.set()
    assert run.value(name(1)).text == name(1)


def test_one_that_hangs_is_waited_for_by_those_who_need_it_alone(
    service: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.connections.secrets_manager.WAIT_SECONDS", 0.1)
    service.hanging.add(name(1))
    run = SecretsOfRun()
    run.read_ahead([name(1)], seconds=0.2)
    with pytest.raises(TemporarilyUnavailable):
        run.tags(name(1))
    assert service.calls["describe_secret"] == 1


def test_an_unknown_refusal_is_ours(service: SecretsManager) -> None:
    service.failing[name(1)] = "ValidationException"
    with pytest.raises(InternalError):
        SecretsOfRun().value(name(1))


def test_no_value_is_in_a_text(service: SecretsManager) -> None:
    assert name(1) not in repr(SecretsOfRun().value(name(1)))
