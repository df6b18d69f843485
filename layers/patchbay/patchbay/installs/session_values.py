"""What an end user enters, joined with what the session has: prefilled and locked variables. Pure.

A locked pointer is judged by its result, not by its way: after everything is joined, and has its
defaults, the variables must have at each locked pointer what they would have without the end user.
So it does not matter whether a value was sent, removed with null, replaced together with the object
or the list around it, or filled in by a default.
"""

from collections.abc import Mapping
from typing import Any, Final

from patchbay.checks.json_pointer import Missing, resolve
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.endpoint_values import settled_variables
from patchbay.installs.model import InstallSession
from patchbay.platform.errors import InvalidConfig, Problem
from patchbay.platform.revisions import merge_patch
from patchbay.platform.strict_json import same
from patchbay.registry.model import Release

_LOCKED: Final = "can't be changed: the app that sent you has set it"
_OTHER_ACCOUNT: Final = (
    "is another one at the account that you connected: connect the account that belongs to the app "
    "that sent you"
)


def prefilled(session: InstallSession, source: Endpoint | None, release: Release) -> dict[str, Any]:
    """What the end user starts from, with the defaults. `source` is the one to repair."""
    return settled_variables(_started(session, source), release)


def joined_variables(
    session: InstallSession,
    source: Endpoint | None,
    release: Release,
    entered: Mapping[str, Any],
    captured: Mapping[str, Any],
) -> dict[str, Any]:
    """The variables that would be stored: prefilled ones, those that the end user entered (a JSON
    merge patch), and those that the provider told when the account was connected.

    Raises `InvalidConfig` for what is locked, and for too many defaults.
    """
    start = _started(session, source)
    as_entered = settled_variables(merge_patch(start, entered), release)
    joined = settled_variables(merge_patch(merge_patch(start, entered), captured), release)
    without = settled_variables(start, release)
    problems = [
        Problem(f"/variables{pointer}", _OTHER_ACCOUNT if was_kept else _LOCKED)
        for pointer in session.locked
        if not _same_at(pointer, joined, without)
        for was_kept in [_same_at(pointer, as_entered, without)]
    ]
    if problems:
        raise InvalidConfig(problems)
    return joined


def _started(session: InstallSession, source: Endpoint | None) -> dict[str, Any]:
    started: dict[str, Any] = merge_patch(source.variables if source else {}, session.variables)
    return started


def _same_at(pointer: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    found, expected = resolve(one, pointer), resolve(other, pointer)
    if isinstance(found, Missing) or isinstance(expected, Missing):
        return found is expected
    return same(found, expected)
