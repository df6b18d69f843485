"""From your copy of Airbyte's registry (`oss_registry.json`).

A connector's `connectionSpecification` becomes the form: `variablesSchema`, and `secretsSchema` for
what is `airbyte_secret`. A secret inside an object, or inside one choice of several, gets a name
of its own: `credentials.client_secret` is `credentials_client_secret`. Where a secret is sent is in
no specification, so these definitions have no check: `airbyte_manifest` makes one of a
`manifest.yaml`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from patchbay_importers.airbyte_forms import AirbyteForm
from patchbay_importers.drafts import Draft, Origin, slug_of
from patchbay_importers.imported import Imported
from patchbay_importers.places import Place
from patchbay_importers.refusals import ImportRefused

LISTS: Final = ("sources", "destinations")
_UNSTATED: Final = "see the connector's own, for your own use"


def imported_from(document: object, only: Collection[str] = ()) -> Iterator[Imported]:
    """One for each connector of the registry, or of those whose name, or repository without
    `airbyte/`, is in `only`. Raises ImportRefused if it is no registry."""
    registry = Place(document)
    if not isinstance(document, dict) or not any(name in document for name in LISTS):
        raise ImportRefused("", "must be an object with sources or destinations")
    found: set[str] = set()
    for kind in LISTS:
        for connector in (registry / kind).items():
            title = connector / "name"
            name = title.value if isinstance(title.value, str) else connector.at
            try:
                repository = (connector / "dockerRepository").text().rpartition("/")[2]
                if only and not {name, repository} & set(only):
                    continue
                found |= {name, repository}
                yield _connector(connector, title.text(), repository, kind)
            except ImportRefused as refused:
                if not only:
                    yield Imported(name, None, str(refused))
    for missing in sorted(set(only) - found):
        yield Imported(missing, None, "is not in the registry")


def _connector(connector: Place, name: str, repository: str, kind: str) -> Imported:
    license_name = (connector / "license").text_or_none() or _UNSTATED
    origin = Origin(f"your copy of Airbyte's registry, {repository}", license_name)
    draft = Draft(name, name, origin, slug=slug_of(repository))
    draft.role = "source" if kind == "sources" else "destination"
    if url := (connector / "documentationUrl").text_or_none():
        draft.documentation.append(url)
    AirbyteForm(draft).declare(connector / "spec" / "connectionSpecification")
    if draft.secrets:
        draft.notes.append("where its secrets are sent is not in the registry: it has no check")
    if connector / "spec" / "advanced_auth":
        draft.needs_code.append("it connects accounts by OAuth, which its connector does by code")
    return draft.imported()
