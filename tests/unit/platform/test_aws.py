"""Clients of AWS services."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from patchbay.platform import aws
from patchbay.platform.errors import TemporarilyUnavailable

THREADS = 8


def test_threads_that_meet_share_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "eu-central-1")
    meet = Barrier(THREADS)

    def ask(_: int) -> Any:
        meet.wait()
        return aws.client("sns")

    aws._client.cache_clear()
    with ThreadPoolExecutor(THREADS) as pool:
        clients = list(pool.map(ask, range(THREADS)))
    aws._client.cache_clear()
    assert len({id(client) for client in clients}) == 1


@pytest.mark.parametrize("failure", [ReadTimeoutError, ConnectTimeoutError])
def test_a_service_that_does_not_respond_is_waited_for(failure: Any) -> None:
    def decrypt() -> None:
        raise failure(endpoint_url="https://kms")

    with pytest.raises(TemporarilyUnavailable):
        aws.call(decrypt, expected={"NotFoundException"})
