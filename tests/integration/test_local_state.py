"""What the local cloud's emulator still knows after its end, whatever ended it."""

import contextlib
import fcntl
import io
import json
import os
import signal
import stat
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.emulator import Emulator
from local.ministack.generations import Generations
from local.ministack.journal import Journal, replay
from local.paths import StateDir
from local.problems import Problem
from local.state import prepare, taken
from tests.integration.emulating import emulating

pytestmark = pytest.mark.enable_socket

LOST_SECONDS = 2
"""What the README says that a kill may lose."""
TABLE = {
    "TableName": "things",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}
TAKER = """
def handler(event, context):
    return None
"""


def kill(running: Emulator) -> None:
    os.kill(running.process.pid, signal.SIGKILL)


def things(running: Emulator) -> list[str]:
    pages = running.account.client("dynamodb").get_paginator("scan").paginate(TableName="things")
    return sorted(item["pk"]["S"] for page in pages for item in page["Items"])


def put(running: Emulator, *names: str, size: int = 0) -> None:
    client = running.account.client("dynamodb")
    for name in names:
        item = {"pk": {"S": name}, "filler": {"S": "x" * size}}
        client.put_item(TableName="things", Item=item)


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cloud"


@pytest.fixture
def with_table(folder: Path) -> Path:
    """The folder of an emulator that was stopped with a table of one item."""
    with emulating(folder) as running:
        running.account.client("dynamodb").create_table(**TABLE)
        put(running, "old")
    return folder


class TestAfterAKill:
    """kill -9 of all processes."""

    def test_an_item_is_there_that_was_answered_just_before(self, with_table: Path) -> None:
        with emulating(with_table) as running:
            put(running, "a", "b", "c")
            running.account.client("dynamodb").delete_item(
                TableName="things", Key={"pk": {"S": "old"}}
            )
            kill(running)
        with emulating(with_table) as running:
            assert things(running) == ["a", "b", "c"]
            # And once more, on top of what was found
            put(running, "d")
            kill(running)
        with emulating(with_table) as running:
            assert things(running) == ["a", "b", "c", "d"]

    def test_the_rest_is_there_that_was_answered_before_the_bound(self, folder: Path) -> None:
        with emulating(folder) as running:
            client = running.account.client
            client("dynamodb").create_table(**TABLE)
            put(running, "a")
            queue = client("sqs").create_queue(QueueName="q")["QueueUrl"]
            client("sqs").send_message(QueueUrl=queue, MessageBody="kept")
            key = client("kms").create_key()["KeyMetadata"]["KeyId"]
            sealed = client("kms").encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
            client("secretsmanager").create_secret(Name="s", SecretString="kept")
            client("s3").create_bucket(Bucket="bucket")
            client("s3").put_object(Bucket="bucket", Key="k", Body=b"kept")
            time.sleep(LOST_SECONDS)
            kill(running)
        with emulating(folder) as running:
            client = running.account.client
            assert things(running) == ["a"]
            queue = client("sqs").get_queue_url(QueueName="q")["QueueUrl"]
            [message] = client("sqs").receive_message(QueueUrl=queue)["Messages"]
            assert message["Body"] == "kept"
            assert client("kms").decrypt(CiphertextBlob=sealed)["Plaintext"] == b"kept"
            assert client("secretsmanager").get_secret_value(SecretId="s")["SecretString"] == "kept"
            assert client("s3").get_object(Bucket="bucket", Key="k")["Body"].read() == b"kept"

    def test_a_journal_that_was_folded_is_complete(self, with_table: Path) -> None:
        # Given more than 16 MiB of items since the state was written as a whole
        names = [f"{number:02}" for number in range(60)]
        with emulating(with_table) as running:
            put(running, *names, size=300_000)
            journals = (StateDir(with_table).emulator / "services").glob("*/dynamodb.journal")
            assert eventually(lambda: sum(p.stat().st_size for p in journals) < 16 * 2**20)
            put(running, "last")
            kill(running)
        with emulating(with_table) as running:
            assert things(running) == sorted([*names, "last", "old"])


class TestInTheMiddle:
    """A kill in the middle of a write leaves the last whole state."""

    def test_of_a_line(self, tmp_path: Path) -> None:
        # Given a journal with two transactions, the second cut off
        path, tables = tmp_path / "journal", FakeTables()
        journal = recorded(tables)
        journal.open(path)
        for transaction in (["a", "b"], ["c", "d"]):
            for name in transaction:
                tables.set_item(name)
            journal.write()
        whole = path.read_bytes()
        path.write_bytes(whole[:-4])
        # Then the first is there, all of it, and nothing of the second
        assert FakeTables.replayed(path) == {"a", "b"}
        # And what is written next is found too
        journal = recorded(tables)
        journal.open(path)
        tables.set_item("e")
        journal.write()
        assert FakeTables.replayed(path) == {"a", "b", "e"}

    def test_of_a_generation(self, tmp_path: Path) -> None:
        generations = Generations(tmp_path)
        generations.publish({"a.json": "1", "b.json": "1"})
        # Given a generation that was begun and never published
        half = generations.prepare()
        (half / "a.json").write_text("half")
        # When the folder is opened again
        generations = Generations(tmp_path)
        # Then the last whole one counts, and the other is gone
        assert (generations.current / "a.json").read_text() == "1"
        assert [p for p in tmp_path.iterdir() if p.is_dir()] == [generations.current]
        # And the next one takes over what it does not replace
        generations.publish({"a.json": "2"})
        assert (generations.current / "a.json").read_text() == "2"
        assert (generations.current / "b.json").read_text() == "1"

    def test_changes_while_the_state_is_written_are_in_both_journals(self, tmp_path: Path) -> None:
        tables = FakeTables()
        journal = recorded(tables)
        old, new = tmp_path / "old", tmp_path / "new"
        journal.open(old)
        tables.set_item("before")
        with journal.splitting(new):
            pass  # here the state is read, which has "before"
        tables.set_item("meanwhile")
        journal.write()
        # Whichever counts after a kill, nothing is lost
        assert FakeTables.replayed(old) == {"before", "meanwhile"}
        assert FakeTables.replayed(new) == {"meanwhile"}
        journal.settle()
        tables.set_item("after")
        journal.write()
        assert FakeTables.replayed(old) == {"before", "meanwhile"}
        assert FakeTables.replayed(new) == {"meanwhile", "after"}

    def test_of_a_deployment(self, with_table: Path) -> None:
        # Given a stack that takes its time
        with emulating(with_table) as running:
            template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}, **WAITING}}
            running.account.client("cloudformation").create_stack(
                StackName="slow", TemplateBody=json.dumps(template)
            )
            put(running, "meanwhile")
            time.sleep(LOST_SECONDS)
            [stack] = running.account.client("cloudformation").describe_stacks()["Stacks"]
            assert stack["StackStatus"] == "CREATE_IN_PROGRESS"
            kill(running)
        # Then it is as if nobody had begun, and no data is lost
        with emulating(with_table) as running:
            assert running.account.client("cloudformation").describe_stacks()["Stacks"] == []
            assert running.account.client("sqs").list_queues().get("QueueUrls", []) == []
            assert things(running) == ["meanwhile", "old"]


WAITING = {
    "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
    "Wait": {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "300"},
    },
}


def test_a_function_goes_on_taking_messages_after_a_restart(folder: Path) -> None:
    # Given a function that takes the messages of a queue
    with emulating(folder) as running:
        client = running.account.client
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole"}
        trust |= {"Principal": {"Service": "lambda.amazonaws.com"}}  # type: ignore[dict-item]
        role = client("iam").create_role(
            RoleName="taker",
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )["Role"]["Arn"]
        allowed = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
        client("iam").put_role_policy(
            RoleName="taker",
            PolicyName="sqs",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
        )
        client("lambda").create_function(
            FunctionName="taker",
            Runtime="python3.13",
            Handler="taker.handler",
            Role=role,
            Code={"ZipFile": _zipped("taker.py", TAKER)},
        )
        client("sqs").create_queue(QueueName="q")
        client("lambda").create_event_source_mapping(
            FunctionName="taker", EventSourceArn="arn:aws:sqs:us-east-1:000000000000:q"
        )
        assert eventually(lambda: _sent_and_taken(running, "first"))
    # When the emulator is started again, on another port
    with emulating(folder) as running:
        # Then it takes messages as before
        assert eventually(lambda: _sent_and_taken(running, "second"))


def _sent_and_taken(running: Emulator, body: str) -> bool:
    sqs = running.account.client("sqs")
    queue = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    return eventually(lambda: not any(_waiting(sqs, queue)), seconds=10)


def _waiting(sqs: Any, queue: str) -> list[int]:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return [int(count) for count in found.values()]


def _zipped(name: str, text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, text)
    return packed.getvalue()


def test_nothing_is_written_while_nothing_changes(with_table: Path) -> None:
    services = StateDir(with_table).emulator / "services"
    with emulating(with_table) as running:
        things(running)
        time.sleep(1)
        before = written(services)
        time.sleep(1.5)
        assert written(services) == before


def written(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*")}


def test_an_emulator_waits_for_the_last_one_to_write_its_state(with_table: Path) -> None:
    # Given the lock of an emulator whose parent was killed, and which still writes its state
    lock = StateDir(with_table).emulator / "services" / "lock"
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        threading.Timer(1, fcntl.flock, (held, fcntl.LOCK_UN)).start()
        started = time.monotonic()
        # When another is started, then it begins when the last one is done
        with emulating(with_table) as running:
            assert time.monotonic() - started > 1
            assert things(running) == ["old"]


class TestPrivacy:
    """The state has the key of all secrets, and functions' tables have the rest."""

    @pytest.fixture(autouse=True)
    def usual_umask(self) -> Iterator[None]:
        before = os.umask(0o022)
        yield
        os.umask(before)

    @pytest.mark.parametrize("end", ["stop", "kill"])
    def test_everything_is_the_owners_alone(self, folder: Path, end: str) -> None:
        with emulating(folder) as running:
            client = running.account.client
            client("dynamodb").create_table(**TABLE)
            client("kms").create_key()
            client("s3").create_bucket(Bucket="bucket")
            client("s3").put_object(Bucket="bucket", Key="k", Body=b"kept")
            time.sleep(1)
            assert open_to_others(folder) == []
            if end == "kill":
                kill(running)
        assert open_to_others(folder) == []

    def test_what_an_earlier_version_left_open_is_closed(self, folder: Path) -> None:
        state = earlier(folder, None)
        with pytest.raises(Problem):
            prepare(state)
        assert open_to_others(state.emulator) == []


def open_to_others(folder: Path) -> list[str]:
    """What other users may do anything with."""
    found = []
    for path in [folder, *folder.rglob("*")]:
        with contextlib.suppress(FileNotFoundError):  # replaced meanwhile
            mode = path.lstat().st_mode
            if mode & 0o077:
                found.append(f"{stat.filemode(mode)} {path}")
    return found


class TestAnotherLayout:
    """A version that can't read what is there says what to do, and touches nothing."""

    @pytest.mark.parametrize("layout", [None, "1", "3"])
    def test_is_refused_with_what_to_do(self, folder: Path, layout: str | None) -> None:
        state = earlier(folder, layout)
        with pytest.raises(Problem, match=rf"data of layout {layout or 1}, .*make clean"):
            prepare(state)
        assert (state.emulator / "services" / "kms.json").read_text() == "a key"

    def test_of_a_fresh_folder_is_ours(self, folder: Path) -> None:
        prepare(StateDir(folder))
        prepare(StateDir(folder))

    def test_a_folder_is_for_one_cloud_at_a_time(self, folder: Path) -> None:
        with taken(StateDir(folder)), pytest.raises(Problem, match="another local cloud uses"):
            taken(StateDir(folder)).__enter__()


def earlier(folder: Path, layout: str | None) -> StateDir:
    """What a version with this layout has left, for everybody to read."""
    state = StateDir(folder)
    services = state.emulator / "services"
    services.mkdir(parents=True)
    (services / "kms.json").write_text("a key")
    if layout is not None:
        (state.emulator / "layout").write_text(layout)
    return state


class FakeTables:
    """MiniStack's table of items, as far as a journal watches it."""

    def __init__(self) -> None:
        self.table = {"TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/t", "items": {}}
        self._set_item: Callable[..., Any] = lambda *_: None
        self._remove_item: Callable[..., Any] = lambda *_: None
        self._items_replaced: Callable[..., Any] = lambda *_: None

    def set_item(self, name: str) -> None:
        self._set_item(self.table, name, "__no_sort__", {"pk": {"S": name}})

    @classmethod
    def replayed(cls, path: Path) -> set[str]:
        """The items that a journal brings to an empty table."""
        table: dict[str, Any] = {"items": {}}
        replay(path, _Scoped({("000000000000", "us-east-1", "t"): table}))
        assert table.get("ItemCount", 0) == len(table["items"])
        return set(table["items"])


class _Scoped:
    def __init__(self, tables: dict[tuple[str, str, str], dict[str, Any]]) -> None:
        self._data = tables


def recorded(tables: FakeTables) -> Journal:
    journal = Journal()
    journal.record(tables, replaced=lambda: None)
    return journal
