"""The resolver of dials: what the system's files say, asked on the event loop."""

import asyncio
import errno
import gc
import resource
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import dnslib  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from patchbay.egress import nameservers
from patchbay.egress.dns_message import question
from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard
from patchbay.egress.nameservers import Nameservers
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.resolver import NameserverResolver, SystemResolver
from tests.unit.egress.nameserver import Nameserver, nameserver

pytestmark = pytest.mark.enable_socket

PUBLIC = "93.184.216.34"
ZONE = {"api.example.net A": [[f"api.example.net. 0 A {PUBLIC}"]]}
MORE_THAN_RUN_AT_ONCE = 500


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a `resolv.conf` that names the loopback, and an empty `hosts`."""
    (tmp_path / "resolv.conf").write_text("search corp.example\nnameserver 127.0.0.1\n")
    (tmp_path / "hosts").write_text("# nobody\n")
    return tmp_path


def resolver_of(files: Path, server: Nameserver) -> SystemResolver:
    return SystemResolver(
        resolv_conf=files / "resolv.conf", hosts=files / "hosts", port=server.port
    )


def questioned(message: bytes) -> tuple[str, str]:
    question = dnslib.DNSRecord.parse(message).q
    return str(question.qname).rstrip("."), dnslib.QTYPE[question.qtype]


def silent_below(suffix: str, question: bytes, answer: bytes) -> bytes | None:
    return None if questioned(question)[0].endswith(suffix) else answer


def test_names_that_stall_keep_nobody_else_from_theirs(files: Path) -> None:
    # given more lookups in progress than tests run at once, of names whose server is silent
    async def addresses() -> tuple[Sequence[str], int]:
        def respond(question: bytes, answer: bytes) -> bytes | None:
            return silent_below("stall.example.net", question, answer)

        async with nameserver(ZONE, respond) as server:
            resolver = resolver_of(files, server)
            stalled = []
            for number in range(MORE_THAN_RUN_AT_ONCE):
                # One after the other, so that the server's socket has room for each.
                look_up = resolver.resolve(f"n{number}.stall.example.net")
                stalled.append(asyncio.ensure_future(look_up))
                await server.until_asked(2 * (number + 1))
            # when
            found = await resolver.resolve("api.example.net")
            still = sum(not task.done() for task in stalled)
            for task in stalled:
                task.cancel()
            await asyncio.gather(*stalled, return_exceptions=True)
            return found, still

    # then
    assert asyncio.run(asyncio.wait_for(addresses(), 60)) == ([PUBLIC], MORE_THAN_RUN_AT_ONCE)


def test_a_test_that_gives_up_leaves_no_look_up_behind(files: Path) -> None:
    async def left() -> int:
        async with nameserver(respond=lambda _, __: None) as server:
            guard = EgressGuard(EgressPolicy(), resolver=resolver_of(files, server))
            before = len(asyncio.all_tasks())
            deadline = asyncio.get_running_loop().time() + 0.1
            with pytest.raises(DialFailure, match="in time"):
                await guard.vet("api.example.net", 443, "http", deadline=deadline)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return len(asyncio.all_tasks()) - before

    assert asyncio.run(left()) == 0


def test_tests_that_want_the_same_name_at_the_same_time_share_a_look_up(files: Path) -> None:
    async def asked() -> tuple[list[Sequence[str]], int, int]:
        async with nameserver(ZONE) as server:
            resolver = resolver_of(files, server)
            # when one of them gives up, the others have their answer nonetheless
            impatient = asyncio.ensure_future(resolver.resolve("api.example.net"))
            others = [asyncio.ensure_future(resolver.resolve("api.example.net")) for _ in range(9)]
            await asyncio.sleep(0)
            impatient.cancel()
            answers = await asyncio.gather(*others)
            at_once = len(server.asked)
            await resolver.resolve("api.example.net")
            return answers, at_once, len(server.asked)

    # then nothing is kept for those who come later
    assert asyncio.run(asked()) == ([[PUBLIC]] * 9, 2, 4)


def test_a_look_up_of_an_earlier_loop_is_not_waited_for(files: Path) -> None:
    # given a process whose last invocation ended in the middle of a look-up
    async def begun() -> SystemResolver:
        async with nameserver(ZONE, lambda _, __: None) as server:
            resolver = resolver_of(files, server)
            look_up = asyncio.ensure_future(resolver.resolve("api.example.net"))
            await server.until_asked(2)
            assert not look_up.done()
            return resolver

    resolver = asyncio.run(begun())

    # when, then the next one looks it up itself, and now the server is gone
    with pytest.raises(OSError, match="no address"):
        asyncio.run(resolver.resolve("api.example.net"))


@pytest.mark.parametrize("kind", ["A", "AAAA"])
def test_one_family_is_enough_where_the_servers_fail_for_the_other(files: Path, kind: str) -> None:
    records = {
        "api.example.net A": [["api.example.net. 0 A 93.184.216.34"]],
        "api.example.net AAAA": [["api.example.net. 0 AAAA 2600::1"]],
    }

    def respond(question: bytes, answer: bytes) -> bytes:
        failed = questioned(question)[1] == kind
        return answer[:3] + bytes([answer[3] | 2]) + answer[4:] if failed else answer

    async def addresses() -> Sequence[str]:
        async with nameserver(records, respond) as server:
            return await resolver_of(files, server).resolve("api.example.net")

    assert asyncio.run(addresses()) == (["2600::1"] if kind == "A" else [PUBLIC])


def test_what_got_lost_is_asked_again_and_nothing_else(files: Path) -> None:
    lost: list[tuple[str, str]] = []

    def respond(question: bytes, answer: bytes) -> bytes | None:
        if questioned(question)[1] == "A" and not lost:
            lost.append(questioned(question))
            return None
        return answer

    async def asked() -> tuple[Sequence[str], list[str]]:
        async with nameserver(ZONE, respond) as server:
            found = await resolver_of(files, server).resolve("api.example.net")
            return found, [kind for _, kind in server.asked]

    assert asyncio.run(asked()) == ([PUBLIC], ["A", "AAAA", "A"])


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (
            {
                "api.example.net A": [
                    [
                        "api.example.net. 0 CNAME edge.example.net.",
                        "edge.example.net. 0 CNAME pop.example.net.",
                        f"pop.example.net. 0 A {PUBLIC}",
                    ]
                ],
                "api.example.net AAAA": [["api.example.net. 0 CNAME edge.example.net."]],
            },
            [PUBLIC],
        ),
        (
            {"api.example.net A": [[f"api.example.net. 0 A 93.184.216.{n}" for n in range(99)]]},
            [f"93.184.216.{n}" for n in range(99)],
        ),
    ],
    ids=["aliases", "over tcp"],
)
def test_aliases_and_long_answers_are_followed(
    files: Path, records: Mapping[str, Sequence[Sequence[str]]], expected: list[str]
) -> None:
    async def addresses() -> Sequence[str]:
        async with nameserver(records) as server:
            return await resolver_of(files, server).resolve("api.example.net")

    assert asyncio.run(addresses()) == expected


def test_no_such_name_is_no_answer_and_no_search_domain_is_tried(files: Path) -> None:
    async def asked() -> set[str]:
        async with nameserver({"nobody.example.net.corp.example A": [[]]}) as server:
            with pytest.raises(OSError, match="no address"):
                await resolver_of(files, server).resolve("nobody.example.net")
            return {name for name, _ in server.asked}

    assert asyncio.run(asked()) == {"nobody.example.net"}


def test_the_hosts_file_comes_first_and_is_judged_like_any_answer(files: Path) -> None:
    (files / "hosts").write_text(
        "127.0.0.1 localhost\n"
        "10.0.0.5  db.acme.net DB2.acme.net. # the staging one\n"
        "fd00::5 db.acme.net\nnot-an-address db.acme.net\n"
    )

    async def found() -> tuple[list[Sequence[str]], str | None]:
        async with nameserver() as server:
            resolver = resolver_of(files, server)
            names = ("db.acme.net", "db2.acme.net")
            addresses = [await resolver.resolve(name) for name in names]
            with pytest.raises(DialFailure) as refused:
                await EgressGuard(EgressPolicy(), resolver=resolver).vet("db.acme.net", 443, "http")
            assert server.asked == []
            return addresses, refused.value.detail

    assert asyncio.run(found()) == ([("10.0.0.5", "fd00::5"), ("10.0.0.5",)], "address")


def test_the_files_are_read_again_when_they_change(files: Path) -> None:
    # given a machine whose name server is not there
    (files / "resolv.conf").write_text("nameserver 127.0.0.2\nnameserver fe80::1%x%\n")

    async def both() -> tuple[bool, Sequence[str]]:
        async with nameserver(ZONE) as server:
            resolver = resolver_of(files, server)
            with pytest.raises(OSError, match="no address"):
                await resolver.resolve("api.example.net")
            # when it is given another one
            (files / "resolv.conf").write_text("; of the new network\nnameserver 127.0.0.1\n")
            return True, await resolver.resolve("api.example.net")

    # then
    assert asyncio.run(both()) == (True, [PUBLIC])


def test_without_files_the_own_machine_is_asked(tmp_path: Path) -> None:
    async def addresses() -> Sequence[str]:
        async with nameserver(ZONE) as server:
            return await resolver_of(tmp_path, server).resolve("api.example.net")

    assert asyncio.run(addresses()) == [PUBLIC]


def test_a_look_up_holds_one_socket(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # given; a process of Lambda has 1,024 file descriptors for 400 tests of two ends
    opened: list[socket.socket] = []
    make = socket.socket

    class Counted(make):  # type: ignore[misc,valid-type]  # the class that pytest-socket leaves
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, **more)
            opened.append(self)

    async def most() -> int:
        async with nameserver(ZONE, lambda _, __: None) as server:
            resolver = resolver_of(files, server)
            monkeypatch.setattr("patchbay.egress.nameservers.socket.socket", Counted)
            task = asyncio.ensure_future(resolver.resolve("api.example.net"))
            await server.until_asked(2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(0)
            return len(opened)

    # then it is closed with the look-up
    assert asyncio.run(most()) == 1
    assert [sock.fileno() for sock in opened] == [-1]


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """This process opens no file and no socket while the block lasts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("was_used_before", [True, False])
def test_a_process_without_descriptors_blames_itself_and_no_name(
    files: Path, was_used_before: bool
) -> None:
    async def vetted() -> tuple[int | None, list[str]]:
        async with nameserver(ZONE) as server:
            guard = EgressGuard(EgressPolicy(), resolver=resolver_of(files, server))
            if was_used_before:
                await guard.vet("api.example.net", 443, "http")
            # when a name is looked up while there are none
            with no_descriptor_left(), pytest.raises(OSError) as failed:  # noqa: PT011 - by number
                await guard.vet("api.example.net", 443, "http")
            # then nothing of that is left when there are some again
            found = await guard.vet("api.example.net", 443, "http")
            return failed.value.errno, [str(address) for address in found.addresses]

    assert asyncio.run(vetted()) == (errno.EMFILE, [PUBLIC])


@given(
    given_up=st.lists(st.booleans(), min_size=1, max_size=12),
    turns=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    there=st.booleans(),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whoever_gives_up_takes_the_answer_from_nobody_else(
    files: Path, given_up: list[bool], turns: list[int], there: bool
) -> None:
    # given tests that want the same name, begun and given up at any turn of the loop
    name = "api.example.net" if there else "nobody.example.net"

    async def answers() -> tuple[list[object], int, list[str]]:
        loop = asyncio.get_running_loop()
        complaints: list[str] = []
        loop.set_exception_handler(lambda _, context: complaints.append(str(context)))
        async with nameserver(ZONE) as server:
            resolver = resolver_of(files, server)
            before = len(asyncio.all_tasks())

            async def one(gives_up: bool, turns: int) -> object:
                for _ in range(turns):
                    await asyncio.sleep(0)
                look_up = asyncio.ensure_future(resolver.resolve(name))
                for _ in range(turns):
                    await asyncio.sleep(0)
                if gives_up:
                    look_up.cancel()
                [answer] = await asyncio.gather(look_up, return_exceptions=True)
                return answer

            found = await asyncio.gather(*map(one, given_up, turns))
            for _ in range(3):
                await asyncio.sleep(0)
            gc.collect()
            return list(found), len(asyncio.all_tasks()) - before, complaints

    gc.freeze()  # the search for what was left behind spares what has been there before
    try:
        found, left, complaints = asyncio.run(answers())
    finally:
        gc.unfreeze()

    # then everybody else has the answer, and nothing goes on or is complained of behind them
    for answer, gone in zip(found, given_up, strict=True):
        if not gone:
            assert answer == [PUBLIC] if there else str(answer) == "no address"
    assert (left, complaints) == (0, [])


def test_a_flood_of_answers_to_nothing_leaves_the_others_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given a socket that holds, when it is first read, many forged answers before the real one
    forged = 50
    turns = 0
    monkeypatch.setattr(secrets, "randbelow", lambda _: 7)

    async def asked() -> tuple[Sequence[str], int]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            asker.setblocking(False)
            asker.bind(("127.0.0.1", 0))
            for _ in range(forged):
                server.sendto(b"forged", asker.getsockname())
            real = dnslib.DNSRecord.parse(question("api.example.net", "A", 7)).reply()
            real.add_answer(*dnslib.RR.fromZone(f"api.example.net. 0 A {PUBLIC}"))
            server.sendto(bytes(real.pack()), asker.getsockname())
            monkeypatch.setattr(nameservers, "_socket", lambda *_: asker)

            async def other() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            beside = asyncio.ensure_future(other())
            host, port = server.getsockname()
            deadline = asyncio.get_running_loop().time() + 30
            servers = Nameservers(f"{host}:{port}")
            answer = await servers.ask("api.example.net", "A", deadline=deadline)
            beside.cancel()
            return answer.values, turns

    # then a test beside it had its turn after each of them
    values, turns = asyncio.run(asked())
    assert values == (PUBLIC,)
    assert turns >= forged


def test_a_look_up_that_somebody_began_too_early_is_not_the_last_word(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a name whose servers do not answer at first, and a stranger whose look-up is nearly over
    answering = False

    def respond(_: bytes, answer: bytes) -> bytes | None:
        return answer if answering else None

    async def addresses() -> Sequence[str]:
        nonlocal answering
        async with nameserver(ZONE, respond) as server:
            resolver = resolver_of(files, server)
            stranger = asyncio.ensure_future(resolver.resolve("api.example.net"))
            await asyncio.sleep(0.5)
            victims = [asyncio.ensure_future(resolver.resolve("api.example.net")) for _ in range(5)]
            await asyncio.gather(stranger, return_exceptions=True)
            # When the servers answer again after the stranger's look-up has failed
            answering = True
            found = await asyncio.gather(*victims)
            assert isinstance(stranger.exception(), OSError)
            # Then all who joined it share one look-up of their own, with its whole time
            assert len({tuple(one) for one in found}) == 1
            return found[0]

    monkeypatch.setattr(NameserverResolver.__init__, "__kwdefaults__", {"seconds": 0.6})
    assert asyncio.run(addresses()) == [PUBLIC]


def test_a_server_that_answers_at_all_is_reached(files: Path) -> None:
    async def answered(name: str, respond: Callable[[bytes, bytes], bytes | None]) -> bool:
        async with nameserver(ZONE, respond) as server:
            return await resolver_of(files, server).is_answered(name)

    # A name that does not exist is an answer
    assert asyncio.run(answered("nobody.example.net", lambda _, answer: answer)) is True
    assert asyncio.run(answered("api.example.net", lambda _, answer: answer)) is True
    assert asyncio.run(answered("api.example.net", lambda _, __: None)) is False
