"""What a command is given: a client, whose organization and space it is about, and the output."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from patchbay_cli.output import Output
from patchbay_cli.profiles import (
    KEY_VARIABLE,
    ORGANIZATION_VARIABLE,
    PROFILE_VARIABLE,
    SPACE_VARIABLE,
    URL_VARIABLE,
    Profile,
    ProfileProblem,
    Profiles,
)

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay
    from patchbay_sdk.models import Caller


class CommandFailed(Exception):
    """It is not possible, and a sentence says why."""


class Run:
    """One run of a command."""

    def __init__(
        self, output: Output, *, profile: str | None = None, organization: str | None = None
    ) -> None:
        self.output = output
        self.profile_name = profile or os.environ.get(PROFILE_VARIABLE) or None
        self._organization = organization

    @cached_property
    def profile(self) -> Profile:
        """Where to call, with which key. Raises `ProfileProblem`."""
        return resolved(self.profile_name)

    @cached_property
    def client(self) -> Patchbay:
        from patchbay_sdk import Patchbay

        try:
            return Patchbay(self.profile.api_key, base_url=self.profile.url)
        except ValueError as error:
            raise ProfileProblem(str(error)) from None

    @cached_property
    def caller(self) -> Caller:
        """Whose key it is."""
        return self.client.browser_sessions.get_caller()

    @cached_property
    def organization_id(self) -> str:
        """The organization that is named, or that of the key."""
        return (
            self._organization
            or os.environ.get(ORGANIZATION_VARIABLE)
            or self.profile.organization_id
            or self.caller.organization.id
        )

    def space(self, chosen: str | None) -> str:
        """The space that is named, or that of the profile or the key, or the only one."""
        named = chosen or os.environ.get(SPACE_VARIABLE) or self.profile.space
        if named:
            return named
        if self.caller.space is not None:
            return self.caller.space.slug
        page = self.client.spaces.list(organization_id=self.organization_id, limit=2).first_page()
        if len(page.items) != 1:
            raise CommandFailed(
                "there are several spaces: name one with --space, or with patchbay login --space"
                if page.items
                else "the organization has no space"
            )
        return page.items[0].slug

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()


def resolved(name: str | None) -> Profile:
    """The profile that is named, or the deployment of the environment, or the default profile.

    An address and a key of the environment go together only: a key is not sent to an address that
    it was not entered for. Raises `ProfileProblem`.
    """
    profiles = Profiles()
    if name:
        return profiles.get(name)
    url, key = os.environ.get(URL_VARIABLE), os.environ.get(KEY_VARIABLE)
    if url and key:
        return Profile(url, api_key=key)
    if url or key:
        missing = KEY_VARIABLE if url else URL_VARIABLE
        raise ProfileProblem(f"{missing} is missing: the environment has only the other one")
    default = profiles.default()
    if default is None:
        raise ProfileProblem(
            f"nobody is signed in: patchbay login, or set {URL_VARIABLE} and {KEY_VARIABLE}"
        )
    return profiles.get(default)
