"""`patchbay events import`: nothing is lost, and nothing is counted twice."""

import json
import os
import sys
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Patchbay
from tests.unit.sdk.stand_in import StandIn, answers, fails

pytestmark = pytest.mark.enable_socket

TIME = "2026-02-17T10:00:00Z"


def event(**more: Any) -> dict[str, Any]:
    return {
        "integration_type": "metadata_sync",
        "status": "SUCCESS",
        "occurred_at": TIME,
        **more,
    }


def written(path: Path, *events: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in events))
    return str(path)


def sent(server: StandIn) -> list[list[dict[str, Any]]]:
    return [json.loads(one.body)["events"] for one in server.asked]


def accepts(accepted: int, duplicates: int = 0) -> Any:
    return answers(200, {"accepted": accepted, "duplicates": duplicates})


def test_events_are_sent_by_the_hundred(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    file = written(tmp_path / "e.ndjson", *(event(id=f"e-{n}") for n in range(250)))
    server.does(accepts(100), accepts(100), accepts(40, 10))

    ran = patchbay("events", "import", file, "--json")

    assert [len(batch) for batch in sent(server)] == [100, 100, 50]
    assert server.asked[0].path == "/spaces/production/integration-events"
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == {
        "rows": 250,
        "skipped": 0,
        "accepted": 240,
        "duplicates": 10,
        "rejected": 0,
    }


def test_a_call_is_no_larger_than_the_deployment_takes(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    many = [event(id=f"e-{n}", metadata={"text": "é" * 660}) for n in range(100)]
    server.does(accepts(1))

    patchbay("events", "import", written(tmp_path / "e.ndjson", *many))

    assert sum(len(batch) for batch in sent(server)) == 100
    assert max(len(one.body) for one in server.asked) < 256 * 1024


def test_an_event_without_an_id_always_gets_the_same_one(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    server.does(accepts(3))
    patchbay("events", "import", written(tmp_path / "a.ndjson", event(), event(), event(id="own")))
    patchbay("events", "import", written(tmp_path / "b.ndjson", event(id="own"), event(), event()))

    first, second = ({one["id"] for one in batch} for batch in sent(server))

    assert first == second
    assert len(first) == 3
    assert "own" in first


def test_a_repeated_import_goes_on_where_the_last_one_ended(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    file = tmp_path / "e.ndjson"
    events = [event(id=f"e-{n}") for n in range(150)]
    server.does(accepts(100), fails(403, "PERMISSION_DENIED"))
    ran = patchbay("events", "import", written(file, *events))
    assert ran.code == 1
    assert ran.out == "100 rows: 100 accepted, 0 known before, 0 rejected, 0 imported earlier\n"
    assert "Broken off. To go on, run the same command again" in ran.err
    server.asked.clear()
    server.does(accepts(50))

    # The rest, then what was added, then nothing
    ran = patchbay("events", "import", str(file))
    assert "50 accepted, 0 known before, 0 rejected, 100 imported earlier" in ran.out
    patchbay("events", "import", written(file, *events, event(id="e-150")))
    patchbay("events", "import", str(file))
    assert [[batch[0]["id"], len(batch)] for batch in sent(server)] == [["e-100", 50], ["e-150", 1]]
    # All of it, if it has changed or is wanted
    server.asked.clear()
    patchbay("events", "import", written(file, event(id="changed"), *events[1:]))
    patchbay("events", "import", str(file), "--again")
    assert [len(batch) for batch in sent(server)] == [100, 50, 100, 50]


def test_an_invalid_event_is_named_by_its_line(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    file = written(tmp_path / "e.ndjson", event(), event(status="PERHAPS"))
    problem = {"pointer": "/events/1/status", "message": "must be SUCCESS or ERROR"}
    server.does(fails(400, "VALIDATION_ERROR", errors=[problem]))

    ran = patchbay("events", "import", file)

    assert ran.code == 1
    assert "line 2: /status must be SUCCESS or ERROR. 0 rows before are imported." in ran.err


def test_what_is_invalid_can_be_set_aside(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    file = tmp_path / "e.ndjson"
    wrong = [event(status="PERHAPS"), {"integration_type": "webhook", "status": "ERROR"}]
    file.write_text("\n".join(["{nonsense", *(json.dumps(one) for one in [*wrong, event()])]))
    problem = {"pointer": "/events/0/status", "message": "must be SUCCESS or ERROR"}
    server.does(fails(400, "VALIDATION_ERROR", errors=[problem]), accepts(1))

    ran = patchbay("events", "import", str(file), "--rejects", str(tmp_path / "r.ndjson"), "--json")

    assert ran.code == 1
    counts = json.loads(ran.out)
    assert (counts["rows"], counts["accepted"], counts["rejected"]) == (4, 1, 3)
    rejected = [json.loads(line) for line in (tmp_path / "r.ndjson").read_text().splitlines()]
    assert {one["line"]: one["problems"] for one in rejected} == {
        1: ["is not JSON"],
        2: ["/status must be SUCCESS or ERROR"],
        3: ["has no occurred_at, so it could not be imported twice as one event"],
    }


def test_a_spreadsheet_can_be_imported(server: StandIn, patchbay: Patchbay, tmp_path: Path) -> None:
    file = tmp_path / "e.csv"
    file.write_text(
        "\ufeffid,integration_type,status,occurred_at,duration_ms,message,metadata\n"
        f'e-1,webhook,ERROR,{TIME},12,"a, b",{{}}\n'
        f"e-2,webhook,SUCCESS,{TIME},,,\n"
    )
    server.does(accepts(2))

    assert patchbay("events", "import", str(file)).code == 0

    assert sent(server) == [
        [
            {
                "id": "e-1",
                "integration_type": "webhook",
                "status": "ERROR",
                "occurred_at": TIME,
                "duration_ms": 12,
                "message": "a, b",
                "metadata": {},
            },
            {"id": "e-2", "integration_type": "webhook", "status": "SUCCESS", "occurred_at": TIME},
        ]
    ]


def test_standard_input_is_a_file_without_memory(
    server: StandIn, patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.does(accepts(1))
    assert patchbay("events", "import", "-").code == 64
    for _ in range(2):
        monkeypatch.setattr(sys, "stdin", StringIO(json.dumps(event())))
        assert patchbay("events", "import", "-", "--format", "ndjson").code == 0
    first, second = sent(server)
    assert first == second


def test_a_file_that_is_not_there_is_named(patchbay: Patchbay) -> None:
    ran = patchbay("events", "import", "/nowhere/e.ndjson")
    assert (ran.code, ran.err) == (1, "patchbay: /nowhere/e.ndjson: No such file or directory\n")


@pytest.mark.parametrize(
    "line",
    [
        '{"occurred_at": "2026-02-17T10:00:00Z", "duration_ms": NaN}',
        '{"occurred_at": "2026-02-17T10:00:00Z", "duration_ms": 1e999}',
        '{"occurred_at": "2026-02-17T10:00:00Z", "duration_ms": ' + "9" * 5000 + "}",
        "[" * 100_000,
        "[]",
        '{"occurred_at": "2026-02-17T10:00:00Z", "message": "' + "a" * 10_000_000 + '"}',
    ],
)
def test_a_line_that_can_not_be_sent_is_set_aside_with_its_number(
    server: StandIn, patchbay: Patchbay, tmp_path: Path, line: str
) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text(json.dumps(event(id="a")) + f"\n{line}\n" + json.dumps(event(id="b")) + "\n")
    rejects = tmp_path / "rejects.ndjson"
    server.does(accepts(1))

    ran = patchbay("events", "import", str(file), "--rejects", str(rejects), "--again")

    assert ran.code == 1, ran.err
    assert [one["id"] for batch in sent(server) for one in batch] == ["a", "b"]
    assert json.loads(rejects.read_text())["line"] == 2


def test_an_id_that_is_null_is_none(server: StandIn, patchbay: Patchbay, tmp_path: Path) -> None:
    file = written(tmp_path / "events.ndjson", event(id=None), event(id=None))
    server.does(accepts(2))

    patchbay("events", "import", file)
    patchbay("events", "import", file, "--again")

    first, second = sent(server)
    assert first == second
    assert len({one["id"] for one in first}) == 2


def test_what_is_invalid_is_not_written_into_what_is_read(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    file = written(tmp_path / "events.ndjson", {"occurred_at": None})
    before = Path(file).read_bytes()

    ran = patchbay("events", "import", file, "--rejects", file)

    assert (ran.code, Path(file).read_bytes()) == (1, before)
    assert server.asked == []


@pytest.mark.parametrize("kept", ["[]", '{"rows": 1}', '{"rows": "x"}', "[" * 100_000, "\udcff"])
def test_a_memory_that_is_none_is_not_used(
    server: StandIn, patchbay: Patchbay, tmp_path: Path, folder: Path, kept: str
) -> None:
    file = written(tmp_path / "events.ndjson", event(id="a"))
    server.does(accepts(1))
    patchbay("events", "import", file)
    [memory] = (folder / "imports").iterdir()
    memory.write_bytes(kept.encode("utf-8", "surrogateescape"))

    ran = patchbay("events", "import", file, "--json")

    assert json.loads(ran.out)["skipped"] == 0


def test_an_import_works_where_nothing_can_be_remembered(
    server: StandIn, patchbay: Patchbay, tmp_path: Path, folder: Path
) -> None:
    folder.mkdir()
    (folder / "imports").write_text("not a folder")
    file = written(tmp_path / "events.ndjson", *[event(id=str(n)) for n in range(150)])
    server.does(accepts(75))

    ran = patchbay("events", "import", file)

    assert ran.code == 0
    assert len(sent(server)) == 2
    assert ran.err.count("can't be remembered") == 1


def test_a_pipe_is_read_once(server: StandIn, patchbay: Patchbay, tmp_path: Path) -> None:
    pipe = tmp_path / "events.ndjson"
    os.mkfifo(pipe)
    for _ in range(2):
        server.does(accepts(1))
        line = json.dumps(event(id="a")) + "\n"
        threading.Thread(target=pipe.write_text, args=(line,)).start()
        assert patchbay("events", "import", str(pipe)).code == 0
    assert len(sent(server)) == 2


@pytest.mark.parametrize("header", ["occurred_at,status,status", "occurred_at,,status"])
def test_a_header_that_says_two_things_is_refused(
    server: StandIn, patchbay: Patchbay, tmp_path: Path, header: str
) -> None:
    file = tmp_path / "events.csv"
    file.write_text(f"{header}\r\n{TIME},SUCCESS,ERROR\r\n")
    assert patchbay("events", "import", str(file)).code == 64
    assert server.asked == []


def test_the_mark_of_a_spreadsheet_is_no_part_of_standard_input(
    server: StandIn, patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"\ufeffoccurred_at,status\r\n{TIME},SUCCESS\r\n"
    monkeypatch.setattr(sys, "stdin", StringIO(text))
    server.does(accepts(1))
    assert patchbay("events", "import", "-", "--format", "csv").code == 0
    assert sent(server)[0][0]["occurred_at"] == TIME
