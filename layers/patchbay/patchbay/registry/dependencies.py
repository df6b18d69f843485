"""The dependencies of an integration: whether they exist, in which versions, and without a loop."""

from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from patchbay.platform.errors import InvalidInput, NoSuchRelease, NotFound, Problem
from patchbay.registry.manifest import Dependency, Manifest
from patchbay.registry.model import Integration, Release, Visibility
from patchbay.registry.store import RegistryStore

MAX_GRAPH: Final = 100
"""The most dependencies that are looked up to follow them to their end; more are refused."""


class Dependencies:
    """Follows the dependencies of releases, as one organization sees them."""

    def __init__(self, registry: RegistryStore, organization_id: str, now: datetime) -> None:
        self._registry = registry
        self._organization_id = organization_id
        self._now = now
        self._known: dict[tuple[str, str], Release | NoSuchRelease] = {}
        self._versions: dict[str, tuple[Integration, dict[str, str | None]]] = {}

    def problems_of(self, draft: Integration) -> list[Problem]:
        """Dependencies that do not exist, whose ranges match no release, or that lead back here."""
        problems = []
        for position, dependency in enumerate(_declared(draft.manifest)):
            at = f"/manifest/dependencies/{position}"
            try:
                found = self.resolved(dependency)
            except NotFound as missing:
                if isinstance(missing, NoSuchRelease):
                    problems.append(Problem(f"{at}/version", missing.why))
                else:
                    message = "is not an integration that you can use"
                    problems.append(Problem(f"{at}/integration", message))
                continue
            if reason := self._endless(found, draft.id):
                problems.append(Problem(f"{at}/integration", reason))
            elif draft.visibility is not Visibility.PRIVATE and self._is_private(dependency):
                problems.append(
                    Problem(
                        f"{at}/integration",
                        "is private: other organizations could not use this integration",
                    )
                )
        return problems

    def resolved(self, dependency: Dependency) -> Release:
        """The highest release that matches a dependency, looked up once.

        Raises `NotFound` for the integration, `NoSuchRelease` for the version.
        """
        key = (dependency.integration, dependency.version)
        if key not in self._known:
            integration, versions = self._released(dependency.integration)
            try:
                self._known[key] = self._registry.best_release(
                    integration, dependency.version, self._now, versions
                )
            except NoSuchRelease as missing:
                self._known[key] = missing
        found = self._known[key]
        if isinstance(found, NoSuchRelease):
            raise NoSuchRelease(found.why)
        return found

    def all_resolved(self, release: Release) -> list[Release]:
        """The releases that match the dependencies of a release.

        Raises `InvalidInput` at /integration with what can't be used, and why.
        """
        found = []
        for dependency in _declared(release.manifest):
            named = f"depends on {dependency.integration} {dependency.version}"
            try:
                found.append(self.resolved(dependency))
            except NoSuchRelease as missing:
                raise InvalidInput.at("/integration", f"{named}: {missing.why}") from None
            except NotFound:
                raise InvalidInput.at("/integration", f"{named}, which you can't use") from None
        return found

    def _released(self, key: str) -> tuple[Integration, dict[str, str | None]]:
        """An integration and its versions, read once. Raises `NotFound`."""
        if key not in self._versions:
            publisher, _, slug = key.partition("/")
            found = self._registry.usable(publisher, slug, self._organization_id, self._now)
            self._versions[key] = found, self._registry.all_versions(found.id, self._now)
        return self._versions[key]

    def _is_private(self, dependency: Dependency) -> bool:
        return self._released(dependency.integration)[0].visibility is Visibility.PRIVATE

    def _endless(self, start: Release, integration_id: str) -> str | None:
        """Why the dependencies of a release can't be followed to their end; None if they can."""
        seen: set[tuple[str, str]] = set()
        pending = [start]
        while pending:
            release = pending.pop()
            if release.id == integration_id:
                return "depends on this integration itself"
            if (release.id, release.version) in seen:
                continue
            seen.add((release.id, release.version))
            for dependency in _declared(release.manifest):
                if len(self._known) > MAX_GRAPH:
                    return f"has more than {MAX_GRAPH} dependencies in all"
                try:
                    pending.append(self.resolved(dependency))
                except NotFound:
                    continue  # deleted since
        return None


def _declared(manifest: dict[str, Any]) -> list[Dependency]:
    """The dependencies of a manifest; none if it is not valid, which is reported elsewhere."""
    try:
        return Manifest.of(manifest).dependencies
    except ValidationError:
        return []
