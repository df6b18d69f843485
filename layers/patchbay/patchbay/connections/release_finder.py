"""The releases that endpoints are made of and upgraded to, and those that they depend on."""

from datetime import datetime
from typing import Final

from patchbay.connections.endpoint_model import Endpoint, InstalledDependency
from patchbay.platform.errors import InvalidInput, NotFound
from patchbay.registry.dependencies import Dependencies
from patchbay.registry.model import Release
from patchbay.registry.store import RegistryStore

_NO_RELEASE: Final = "no release matches this version"


class ReleaseFinder:
    """Looks up releases as a caller names them: what can't be used is the caller's mistake."""

    def __init__(self, registry: RegistryStore) -> None:
        self._registry = registry

    def installable(
        self, organization_id: str, integration: str, version: str | None, now: datetime
    ) -> Release:
        """The newest release of `publisher/slug` in a range of versions, or the current one.

        Raises `InvalidInput` at /integration or /version.
        """
        publisher, _, slug = integration.partition("/")
        try:
            return self._registry.installable(publisher, slug, version, organization_id, now)
        except NotFound as missing:
            if missing.code != "RELEASE_NOT_FOUND":
                message = "is not an integration that you can use"
                raise InvalidInput.at("/integration", message) from None
            if version is None:
                raise InvalidInput.at("/integration", "has no release") from None
            raise InvalidInput.at("/version", _NO_RELEASE) from None

    def upgrade(self, endpoint: Endpoint, version: str, now: datetime) -> Release:
        """Another release of an endpoint's integration. Raises `InvalidInput` at /version."""
        publisher, _, slug = endpoint.integration.partition("/")
        try:
            found = self._registry.installable(
                publisher, slug, version, endpoint.organization_id, now
            )
        except NotFound:
            found = None
        # After a purge, publisher and slug may be those of another integration.
        if found is None or found.id != endpoint.integration_id:
            raise InvalidInput.at("/version", _NO_RELEASE)
        return found

    def dependencies(
        self, organization_id: str, release: Release, now: datetime
    ) -> list[InstalledDependency]:
        """The releases that a release depends on. Raises `InvalidInput` at /integration."""
        try:
            found = Dependencies(self._registry, organization_id, now).all_resolved(release)
        except NotFound:
            raise InvalidInput.at(
                "/integration", "depends on an integration that you can't use"
            ) from None
        return [
            InstalledDependency(
                integration=dependency.key,
                integration_id=dependency.id,
                version=dependency.version,
            )
            for dependency in found
        ]
