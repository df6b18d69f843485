"""What has to be done so that a deployment has what a folder says, and what can't be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from patchbay_cli.applying.deployment import LastChange
from patchbay_cli.applying.differences import Difference
from patchbay_cli.applying.folder import Identity, Wanted
from patchbay_cli.json_files import FileProblem

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay

CREATE: Final = "create"
UPDATE: Final = "update"
PUBLISH: Final = "publish"
DELETE: Final = "delete"


class Stage:
    """What is done in which order: a thing needs those of earlier stages."""

    SPACES: Final = 0
    DRAFTS: Final = 1
    RELEASES: Final = 2
    """And on: a wave of releases is checked, and then published; the next wave depends on it."""
    REMARKS: Final = 1000
    ENDPOINTS: Final = 1001
    CONNECTIONS: Final = 1002
    ALERT_RULES: Final = 1003
    API_KEYS: Final = 1004
    # What is used is deleted after what uses it.
    DELETIONS: Final = 2000
    DELETIONS_OF_CONNECTIONS: Final = 2001
    DELETIONS_OF_ENDPOINTS: Final = 2002
    DELETIONS_OF_INTEGRATIONS: Final = 2003


class Step(NamedTuple):
    """A part of a change, which can be repeated."""

    stage: int
    do: Callable[[Patchbay], None]


@dataclass(frozen=True)
class Change:
    """One thing that is not as the folder says."""

    action: str
    identity: Identity
    wanted: Wanted | None
    """What the folder has; None for what is not in it."""
    steps: Sequence[Step] = field(repr=False)
    differences: Sequence[Difference] = ()
    version: str | None = None
    """The release that is published."""
    last_change: LastChange | None = None
    """Who changed it last, if it was changed."""

    @property
    def where(self) -> str | None:
        """In the folder."""
        return None if self.wanted is None else self.wanted.where

    def to_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "action": self.action,
            "kind": self.identity.kind,
            "name": self.identity.name,
            "space": self.identity.space,
            "where": self.where,
            "differences": [one.to_dict() for one in self.differences],
        }
        if self.version is not None:
            told["version"] = self.version
        if self.last_change is not None:
            told["drift"] = self.last_change.is_drift
            told["last_changed"] = {"by": self.last_change.subject, "at": self.last_change.at}
        return told


class Extra(NamedTuple):
    """What the deployment has, and the folder does not, although it speaks of such things."""

    identity: Identity
    id: str
    kept: str | None
    """Why it can't be deleted; None if it can."""


@dataclass
class Plan:
    """Nothing of it is done yet."""

    changes: list[Change] = field(default_factory=list)
    unchanged: list[Identity] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)
    problems: list[FileProblem] = field(default_factory=list)
    """Why nothing may be done."""
    missing: list[FileProblem] = field(default_factory=list)
    """What is not at hand, and has to be before the changes are made."""
    notes: list[str] = field(default_factory=list)


def ambiguous(there: Sequence[object], where: str) -> str:
    """What is wrong with a name that several things have."""
    return f"is the name of {len(there)} {where}: rename all but one"


class Ids:
    """The id of each thing that is there, or was just made."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ids: dict[Identity, str] = {}

    def add(self, identity: Identity, id: str) -> None:
        with self._lock:
            self._ids[identity] = id

    def __contains__(self, identity: Identity) -> bool:
        return identity in self._ids

    def __getitem__(self, identity: Identity) -> str:
        return self._ids[identity]

    def get(self, identity: Identity, default: str | None = None) -> str | None:
        return self._ids.get(identity, default)
