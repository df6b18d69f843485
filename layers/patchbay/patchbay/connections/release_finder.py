"""The releases that endpoints are made of and upgraded to, and those that they depend on."""

from datetime import datetime
from typing import Final

from patchbay.connections.endpoint_model import Endpoint, InstalledDependency
from patchbay.platform.errors import InvalidInput, NoSuchRelease, NotFound
from patchbay.registry.dependencies import Dependencies
from patchbay.registry.model import Release
from patchbay.registry.store import RegistryStore

_GONE: Final = "can't be used: the integration is deleted, or is no longer yours to use"


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
        except NoSuchRelease as missing:
            at = "/integration" if version is None else "/version"
            raise InvalidInput.at(at, missing.why) from None
        except NotFound:
            message = "is not an integration that you can use"
            raise InvalidInput.at("/integration", message) from None

    def upgrade(self, endpoint: Endpoint, version: str, now: datetime) -> Release:
        """Another release of an endpoint's integration. Raises `InvalidInput` at /version."""
        publisher, _, slug = endpoint.integration.partition("/")
        try:
            found = self._registry.installable(
                publisher, slug, version, endpoint.organization_id, now
            )
        except NoSuchRelease as missing:
            raise InvalidInput.at("/version", missing.why) from None
        except NotFound:
            raise InvalidInput.at("/version", _GONE) from None
        # After a purge, publisher and slug may be those of another integration.
        if found.id != endpoint.integration_id:
            raise InvalidInput.at("/version", _GONE)
        return found

    def dependencies(
        self, organization_id: str, release: Release, now: datetime
    ) -> list[InstalledDependency]:
        """The releases that a release depends on. Raises `InvalidInput` at /integration."""
        found = Dependencies(self._registry, organization_id, now).all_resolved(release)
        return [
            InstalledDependency(
                integration=dependency.key,
                integration_id=dependency.id,
                version=dependency.version,
            )
            for dependency in found
        ]
