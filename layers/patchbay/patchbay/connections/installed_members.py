"""The members of a release as they are installed with an endpoint. Pure.

A member with `forkOnInstall` is the endpoint's own copy. As long as the copy is attached, an
upgrade applies the release's content to it, and takes it away if the release has none. A copy that
was edited, or detached, stays as it is through all upgrades.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from patchbay.connections.endpoint_model import (
    MAX_MEMBERS_BYTES,
    InstalledMember,
    MemberChange,
    MemberOutcome,
    MemberPatch,
)
from patchbay.platform.errors import Problem
from patchbay.platform.strict_json import compact, same
from patchbay.registry.members import Member


def installed_members(members: Iterable[Member]) -> list[InstalledMember]:
    """The members of a new endpoint."""
    return [_installed(member) for member in members]


def upgraded_members(
    old: Sequence[InstalledMember], members: Iterable[Member]
) -> list[InstalledMember]:
    """The members after an upgrade: those of the release, and the detached copies."""
    detached = {member.name: member for member in old if member.detached}
    offered = list(members)
    names = {member.name for member in offered}
    return [
        *(detached.get(member.name) or _installed(member) for member in offered),
        *(member for name, member in detached.items() if name not in names),
    ]


def edited_members(
    installed: Sequence[InstalledMember], patches: Sequence[MemberPatch], members: Iterable[Member]
) -> tuple[list[InstalledMember], list[Problem]]:
    """The members after these edits, and what is wrong with the edits.

    `members` are those of the release. A copy that is attached again, and that the release does not
    have any more, is gone.
    """
    offered = {member.name: member for member in members}
    edited = {member.name: member for member in installed}
    problems: list[Problem] = []
    for position, patch in enumerate(patches):
        at, member = f"/members/{position}", edited.get(patch.name)
        if patch.name in {other.name for other in patches[:position]}:
            problems.append(Problem(f"{at}/name", "is listed twice"))
        elif member is None or not member.forked:
            why = "is not a copy of this endpoint: only members with forkOnInstall are"
            problems.append(Problem(f"{at}/name", why))
        elif patch.content is not None and patch.detached is False:
            problems.append(Problem(f"{at}/detached", "can't be false with new content"))
        elif patch.content is not None:
            changes: Mapping[str, Any] = {"content": patch.content, "detached": True}
            edited[patch.name] = member.model_copy(update=changes)
        elif patch.detached:
            edited[patch.name] = member.model_copy(update={"detached": True})
        elif patch.detached is False and member.detached:
            if patch.name in offered:
                edited[patch.name] = _installed(offered[patch.name])
            else:
                del edited[patch.name]
    return list(edited.values()), problems


def members_problems(members: Iterable[InstalledMember]) -> list[Problem]:
    """The copies that upgrades leave may outgrow what an endpoint can hold."""
    if sum(len(compact(member.content)) for member in members) <= MAX_MEMBERS_BYTES:
        return []
    return [
        Problem(
            "/members", f"must have contents of at most {MAX_MEMBERS_BYTES} bytes as JSON in all"
        )
    ]


def member_changes(
    old: Sequence[InstalledMember],
    new: Sequence[InstalledMember],
    before: Iterable[Member],
    after: Iterable[Member],
) -> list[MemberChange]:
    """What an edit does to each member. `before` and `after` are those of the releases."""
    had, has = {m.name: m for m in old}, {m.name: m for m in new}
    contents = {m.name: m.content for m in before}, {m.name: m.content for m in after}

    def outcome(name: str) -> MemberOutcome:
        if name not in has:
            return MemberOutcome.REMOVED
        if name not in had:
            return MemberOutcome.ADDED
        first, second = had[name], has[name]
        one = first.content if first.forked else contents[0].get(name)
        other = second.content if second.forked else contents[1].get(name)
        if not same([first.kind, first.forked, one], [second.kind, second.forked, other]):
            return MemberOutcome.REPLACED
        is_kept = second.detached and not same(other, contents[1].get(name))
        return MemberOutcome.KEPT if is_kept else MemberOutcome.UNCHANGED

    return [
        MemberChange(name=name, kind=(has.get(name) or had[name]).kind, outcome=outcome(name))
        for name in {**had, **has}
    ]


def _installed(member: Member) -> InstalledMember:
    forked = member.fork_on_install
    return InstalledMember(
        name=member.name,
        kind=member.kind,
        forked=forked,
        content=member.content if forked else None,
    )
