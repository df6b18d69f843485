"""The progress of a test that a caller waits for, for the caller who asked to follow it.

    PROGRESS#<organization>   <hash of who asked>#<id>   run, status, steps, deadline

The caller makes up an `id` and sends it with the test. While the request runs, the steps so far are
written here, and the same caller reads them: an API key, a user, or an install session. Nobody else
finds them, whatever id they guess.

- A test that begins under an id takes it over from an older one, whose writes fail from then on.
- What has ended stays as it is: a write that comes late changes nothing.
- After the **deadline** nothing runs any more. A test that has not ended by then, because its
  function was killed, has failed for every reader.

This is for people who watch. The response to the test is the truth, and does not wait for it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Self

from patchbay.checks.live_steps import steps_of, text_of
from patchbay.checks.report import Step
from patchbay.connection_tests.model import TestFindings
from patchbay.platform.clock import Clock, UtcTime, epoch_seconds, from_text, to_sortable
from patchbay.platform.dynamodb import ConditionFailed, Key, Table, Update, equals, without
from patchbay.platform.errors import NotFound
from patchbay.platform.ids import new_id
from patchbay.platform.model import Model
from patchbay.tenancy.access import Principal, SessionCaller

if TYPE_CHECKING:
    from patchbay.connection_tests.following import Following, Telling

TO_RUN: Final = timedelta(seconds=30)
"""From the beginning to the deadline: no request runs longer (template.yaml)."""

KEPT: Final = timedelta(minutes=10)
"""Long enough for a browser that was asleep to see how it ended."""

_RUNNING: Final = "The test is running"
_CUT_OFF: Final = "The test was cut off before it ended"


class TestProgress(Model):
    """What a test has so far: the steps that have ended, in the order of its report.

    `message` says how it stands, or how it ended. `finished_at` is null while it runs.
    """

    status: Literal["running", "succeeded", "failed"]
    message: str
    steps: tuple[Step, ...]
    started_at: UtcTime
    finished_at: UtcTime | None


class Follower(NamedTuple):
    """Who may read the progress of a test: the caller who asked for it."""

    organization_id: str
    name: str

    @classmethod
    def principal(cls, organization_id: str, caller: Principal) -> Self:
        return cls(organization_id, f"{caller.organization_id} {caller.subject}")

    @classmethod
    def session(cls, caller: SessionCaller) -> Self:
        return cls(caller.organization_id, f"install session {caller.session_id}")


def progress_pk(organization_id: str) -> str:
    """The partition of the tests that callers of an organization follow."""
    return f"PROGRESS#{organization_id}"


class ProgressStore:
    """The progress of tests, in the integrations table."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def following(self, follower: Follower, progress_id: str | None) -> "Following | None":
        """None for a test that nobody asked to follow."""
        if progress_id is None:
            return None
        # With an event loop and threads, which no other request has a use for.
        from patchbay.connection_tests.following import Following

        return Following(self.telling(follower, progress_id))

    def telling(self, follower: Follower, progress_id: str) -> "Telling":
        """Where one test is told."""
        return _Telling(self._table, _key(follower, progress_id), self._clock)

    def progress(self, follower: Follower, progress_id: str, now: datetime) -> TestProgress:
        """Raises `NotFound` before the test began, and minutes after it ended."""
        item = self._table.get(_key(follower, progress_id))
        if item is None or item["expires_at"] <= epoch_seconds(now):
            raise NotFound("test progress")
        found = TestProgress(
            status=item["status"],
            message=item["message"],
            steps=steps_of(item["steps"]),
            started_at=from_text(item["started_at"]),
            finished_at=from_text(item["finished_at"]) if "finished_at" in item else None,
        )
        if found.finished_at is None and epoch_seconds(now) > item["deadline"]:
            ended = datetime.fromtimestamp(item["deadline"], UTC)
            update = {"status": "failed", "message": _CUT_OFF, "finished_at": ended}
            return found.model_copy(update=update)
        return found


class _Telling:
    """Writes the progress of one test, from one thread."""

    def __init__(self, table: Table, key: Key, clock: Clock) -> None:
        self._table = table
        self._key = key
        self._clock = clock
        self._run = new_id("run", clock())
        self._has_begun = False

    def begin(self) -> None:
        now = self._clock()
        values = {
            "run": self._run,
            "status": "running",
            "message": _RUNNING,
            "steps": "[]",
            "started_at": to_sortable(now),
            "deadline": epoch_seconds(now, TO_RUN),
            "expires_at": epoch_seconds(now, KEPT),
        }
        self._table.write(Update(self._key, values=values, remove=["finished_at"]))
        self._has_begun = True

    def tell(self, steps: Sequence[Step]) -> None:
        self._write({"steps": text_of(steps)})

    def end(self, result: TestFindings | None) -> None:
        ended = {
            "status": result.status if result else "failed",
            "message": result.message if result else _CUT_OFF,
            "finished_at": to_sortable(self._clock()),
        }
        self._write(ended | ({"steps": text_of(result.steps)} if result else {}))

    def _write(self, values: dict[str, str]) -> None:
        if not self._has_begun:
            self.begin()  # which failed before
        ours = equals("run", self._run) & without("finished_at")
        try:
            self._table.write(Update(self._key, values=values, condition=ours))
        except ConditionFailed:
            return  # it has ended, or another test took the id over


def _key(follower: Follower, progress_id: str) -> Key:
    who = sha256(follower.name.encode()).hexdigest()
    return Key(progress_pk(follower.organization_id), f"{who}#{progress_id}")
