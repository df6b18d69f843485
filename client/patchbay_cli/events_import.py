"""`patchbay events import`

An import can be broken off and repeated, and no event is counted twice. An event that has no id of
its own gets one that follows from its content, with a number if the file has the same content
several times. So the same file always makes the same events, and the deployment knows them again.
How far a file was imported is remembered, so that a repetition, or a file that has grown, goes on
there.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TextIO, cast

import click

from patchbay_cli.command import command, space_option
from patchbay_cli.exits import Exit
from patchbay_cli.output import counted
from patchbay_cli.profiles import config_folder, write_private
from patchbay_cli.rows import Row, format_of, format_option, read_rows
from patchbay_cli.run import CommandFailed, Run
from patchbay_sdk.messages import json_of

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay
    from patchbay_sdk.params import EventDraft

_MOST_EVENTS: Final = 100
_MOST_BYTES: Final = 200_000
"""Of one call. The deployment takes 256 KB."""
_RETRIES: Final = 6
_SHOWN_PROBLEMS: Final = 5
_ID_DIGITS: Final = 32


class Entry(NamedTuple):
    """A line of the file, and the event that it is."""

    line: int
    event: dict[str, Any]
    text: str
    """The event as JSON."""
    problem: str | None


class Rejected(NamedTuple):
    line: int
    event: dict[str, Any]
    problems: list[str]


@command("import")
@click.argument("file", metavar="FILE")
@space_option
@format_option
@click.option("--rejects", metavar="FILE", help="Write what is invalid here, and go on.")
@click.option("--again", is_flag=True, help="Send what was imported before, too.")
def import_events(
    run: Run,
    file: str,
    space: str | None,
    format_name: str | None,
    rejects: str | None,
    again: bool,
) -> Exit:
    """Import events from a file: NDJSON, or CSV with the names of the fields as its header.

    Every event needs occurred_at. The same file can be imported again: nothing is counted twice.
    A - as the file is standard input, and needs --format.
    """
    from patchbay_sdk.errors import PatchbayError

    format_name = format_of(file, format_name)
    slug = run.space(space)
    with ExitStack() as stack:
        source = sys.stdin if file == "-" else stack.enter_context(_opened(file))
        # What can be read once only, such as a pipe, is not there to be gone on with.
        is_file = file != "-" and source.seekable()
        memory = Memory(run.profile.url, slug, file) if is_file else None
        skipped = 0 if again or memory is None else memory.rows_done(source, format_name)
        out = None
        if rejects is not None:
            out = stack.enter_context(Path(rejects).open("a", encoding="utf-8"))
            if os.path.sameopenfile(out.fileno(), source.fileno()):
                raise CommandFailed("the file for what is invalid is the one that is read")
        work = Import(run, slug, memory, out)
        try:
            work.all_of(entries(source, format_name), skipped)
        except KeyboardInterrupt:
            work.report(skipped)
            run.output.note(
                "Interrupted. To go on, run the same command again: nothing is counted twice."
            )
            raise
        except PatchbayError:
            if work.has_begun:
                work.report(skipped)
                run.output.note(
                    "Broken off. To go on, run the same command again: nothing is counted twice."
                )
            raise
    return work.report(skipped)


class Import:
    """One import: what was sent, and what the deployment said."""

    def __init__(self, run: Run, slug: str, memory: Memory | None, rejects: TextIO | None) -> None:
        self._output = run.output
        self._client: Patchbay = run.client.with_options(max_retries=_RETRIES)
        self._slug = slug
        self._memory = memory
        self._rejects = rejects
        self._rows = 0
        self._counts: Counter[str] = Counter()
        self._began = time.monotonic()

    def all_of(self, found: Iterator[Entry], skipped: int) -> None:
        """Send all entries but the first ones. Raises `CommandFailed` at the first that is
        invalid, unless there is a file for them."""
        digest = hashlib.sha256()
        batch: list[Entry] = []
        size = 0
        for entry in found:
            if self._rows < skipped:
                digest.update(entry.text.encode())
                self._rows += 1
                continue
            if batch and (len(batch) == _MOST_EVENTS or size + len(entry.text) > _MOST_BYTES):
                self._flush(batch, digest)
                batch, size = [], 0
            batch.append(entry)
            # It is sent as JSON in ASCII, too.
            size += len(entry.text)
        if batch:
            self._flush(batch, digest)

    @property
    def has_begun(self) -> bool:
        """Whether the deployment has accepted, known, or rejected anything."""
        return self._counts.total() > 0

    def report(self, skipped: int) -> Exit:
        counts = {name: self._counts[name] for name in ("accepted", "duplicates", "rejected")}
        self._output.result(
            {"rows": self._rows, "skipped": skipped, **counts},
            f"{counted(self._rows, 'row')}: {counts['accepted']} accepted, "
            f"{counts['duplicates']} known before, {counts['rejected']} rejected, "
            f"{skipped} imported earlier",
        )
        return Exit.FAILED if counts["rejected"] else Exit.DONE

    def _flush(self, batch: Sequence[Entry], digest: Any) -> None:
        self._reject([_rejected(one) for one in batch if one.problem])
        rest = [one for one in batch if not one.problem]
        while rest:
            wrong = self._send(rest)
            self._reject([Rejected(rest[i].line, rest[i].event, why) for i, why in wrong.items()])
            rest = [one for i, one in enumerate(rest) if i not in wrong] if wrong else []
        for one in batch:
            digest.update(one.text.encode())
        self._rows += len(batch)
        self._remember(digest.hexdigest())
        seconds = time.monotonic() - self._began
        self._output.progress(f"{self._rows} rows, {self._rows / max(seconds, 0.001):.0f}/s")

    def _remember(self, digest: str) -> None:
        if self._memory is None:
            return
        try:
            self._memory.write(self._rows, digest)
        except OSError as error:
            # No reason to stop: what is sent again is not counted again.
            self._memory = None
            self._output.note(
                "How far the import is can't be remembered, so a repetition begins at the "
                f"beginning: {error.strerror}."
            )

    def _send(self, batch: Sequence[Entry]) -> dict[int, list[str]]:
        """What is wrong, by index; if anything is, nothing was stored."""
        from patchbay_sdk.errors import InvalidRequest

        events = cast("list[EventDraft]", [one.event for one in batch])
        try:
            result = self._client.events.add(slug=self._slug, events=events)
        except InvalidRequest as error:
            wrong: dict[int, list[str]] = {}
            for problem in error.errors:
                parts = problem.pointer.split("/", 3)
                if len(parts) < 3 or parts[1] != "events" or not parts[2].isdigit():
                    raise
                where = f"/{parts[3]} " if len(parts) > 3 else ""
                wrong.setdefault(int(parts[2]), []).append(f"{where}{problem.message}")
            if not wrong:
                raise
            return wrong
        self._counts["accepted"] += result.accepted
        self._counts["duplicates"] += result.duplicates
        return {}

    def _reject(self, rejected: Sequence[Rejected]) -> None:
        if not rejected:
            return
        if self._rejects is None:
            lines = [f"line {one.line}: {'; '.join(one.problems)}" for one in rejected]
            more = len(lines) - _SHOWN_PROBLEMS
            shown = [*lines[:_SHOWN_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
            raise CommandFailed(
                f"{', '.join(shown)}. {self._rows} rows before are imported. With --rejects FILE, "
                "what is invalid is written there, and the rest is imported."
            )
        for one in rejected:
            self._rejects.write(json.dumps(one._asdict()) + "\n")
        self._rejects.flush()
        self._counts["rejected"] += len(rejected)


class Memory:
    """How far a file was imported into a space: how many rows, and a digest of them."""

    def __init__(self, url: str, slug: str, file: str) -> None:
        name = hashlib.sha256(f"{url} {slug} {os.path.realpath(file)}".encode()).hexdigest()
        self._path = config_folder() / "imports" / f"{name[:_ID_DIGITS]}.json"

    def rows_done(self, source: TextIO, format_name: str) -> int:
        """How many rows of the file were imported before; none if one of them has changed."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            wanted, wanted_digest = int(kept["rows"]), kept["digest"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return 0
        digest = hashlib.sha256()
        count = 0
        for entry in entries(source, format_name):
            if count == wanted:
                break
            digest.update(entry.text.encode())
            count += 1
        source.seek(0)
        return wanted if count == wanted and digest.hexdigest() == wanted_digest else 0

    def write(self, rows: int, digest: str) -> None:
        write_private(self._path, json.dumps({"rows": rows, "digest": digest}))


def entries(source: TextIO, format_name: str) -> Iterator[Entry]:
    """The events of a file, each with an id."""
    seen: Counter[int] = Counter()
    for row in read_rows(source, format_name):
        event, problem = _event(row, format_name == "csv")
        text = row.text or json.dumps(event, sort_keys=True, separators=(",", ":"))
        if problem is None and len(text) > _MOST_BYTES:
            problem = f"has more than {_MOST_BYTES} bytes"
        if problem is None and event.get("id") is None:
            digest = hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]
            short = int(digest[:16], 16)
            seen[short] += 1
            event["id"] = f"import-{digest}-{seen[short]}"
        yield Entry(row.line, event, text, problem)


def _event(row: Row, is_text: bool) -> tuple[dict[str, Any], str | None]:
    """The event of a row, and what is wrong with it."""
    event = dict(row.values)
    if row.problem is not None:
        return event, row.problem
    if not event.get("occurred_at"):
        return event, "has no occurred_at, so it could not be imported twice as one event"
    if is_text:
        try:
            if "duration_ms" in event:
                event["duration_ms"] = int(event["duration_ms"])
            if "metadata" in event:
                event["metadata"] = json_of(event["metadata"])
        except ValueError:
            return event, "duration_ms must be a whole number, and metadata JSON"
    return event, None


def _rejected(entry: Entry) -> Rejected:
    return Rejected(entry.line, entry.event, [entry.problem or ""])


def _opened(file: str) -> TextIO:
    # With or without the mark that spreadsheets write at the beginning.
    return Path(file).open(encoding="utf-8-sig", newline="")
