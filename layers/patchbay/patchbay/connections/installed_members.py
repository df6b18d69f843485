"""The members of a release as they are installed with an endpoint. Pure."""

from collections.abc import Iterable

from patchbay.connections.endpoint_model import InstalledMember
from patchbay.registry.manifest import Member


def installed_members(members: Iterable[Member]) -> list[InstalledMember]:
    """The members of a new endpoint."""
    return [_installed(member) for member in members]


def upgraded_members(
    old: Iterable[InstalledMember], members: Iterable[Member]
) -> list[InstalledMember]:
    """The members after an upgrade. A forked one is the endpoint's own and stays as it is."""
    forked = {member.name: member for member in old if member.forked}
    return [forked.get(member.name) or _installed(member) for member in members]


def _installed(member: Member) -> InstalledMember:
    forked = member.fork_on_install
    return InstalledMember(
        name=member.name,
        kind=member.kind,
        forked=forked,
        content=member.content if forked else None,
    )
