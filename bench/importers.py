"""How many definitions of public lists are imported, published, and have a check.

The lists are not part of this project: `PROVIDERS_YAML=path AIRBYTE_REGISTRY=path make bench`, or
`python -m bench.importers path…`, reads your own copies, of `packages/providers/providers.yaml` of
https://github.com/NangoHQ/nango, of Airbyte's `oss_registry.json`, or of `manifest.yaml` files of
its connectors. Run by itself it prints a line for each definition that is not published.

Publishing validates each definition, as a deployment does. That an OAuth install works, or a check
passes, is another question: what a list does by code is counted, too.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from os import environ
from pathlib import Path
from typing import Any, Final

from patchbay_importers import airbyte, airbyte_manifest, nango
from patchbay_importers.imported import Imported, totals
from patchbay_importers.refusals import ImportRefused
from patchbay_importers.source_files import read_document

from bench.drafts import draft_of
from bench.report import Row, Skipped

PUBLISHED_GOAL: Final = 84
CHECKED_GOAL: Final = 36
AIRBYTE_GOAL: Final = 86
"""Percent."""

_OF_FILES: Final = frozenset({"version", "documentation"})
"""What only a file has."""

type Judged = tuple[Imported, list[str] | None]


def problems_of_definition(definition: Mapping[str, Any]) -> list[str]:
    """What a create or a publish would refuse, as `<pointer>: <message>`."""
    from pydantic import ValidationError

    from patchbay.platform.validation import problems_of
    from patchbay.registry.model import NewIntegration
    from patchbay.registry.publishing import draft_problems

    body = {name: value for name, value in definition.items() if name not in _OF_FILES}
    try:
        new = NewIntegration.model_validate({"workspaceId": "space", **body})
    except ValidationError as error:
        problems = problems_of(error)
    else:
        problems = draft_problems(draft_of(new))
    return [f"{problem.pointer}: {problem.message}" for problem in problems]


def judged(found: Iterable[Imported]) -> Iterator[Judged]:
    for one in found:
        problems = None if one.definition is None else problems_of_definition(one.definition)
        yield one, problems


def of_file(path: Path) -> Iterator[Judged]:
    """By what the file looks like."""
    document = read_document(path)
    if isinstance(document, dict) and "sources" in document:
        return judged(airbyte.imported_from({"sources": document["sources"]}))
    if isinstance(document, dict) and {"version", "check"} <= document.keys():
        return judged([_of_manifest(document, path.parent.name)])
    return judged(nango.imported_from(document))


def _of_manifest(document: object, name: str) -> Imported:
    try:
        return airbyte_manifest.imported_from(document, name)
    except ImportRefused as refused:
        return Imported(name, None, str(refused))


def checked(found: Iterable[Judged]) -> int:
    """How many are published with a check."""
    return sum(one.has_check and not problems for one, problems in found if problems is not None)


def rows() -> list[Row]:
    providers, registry = environ.get("PROVIDERS_YAML"), environ.get("AIRBYTE_REGISTRY")
    if not providers and not registry:
        raise Skipped("it needs PROVIDERS_YAML or AIRBYTE_REGISTRY, your copies of the lists")
    result = []
    if providers:
        found = [*of_file(Path(providers))]
        result += [
            _share("import nango: published", totals(found)["published"], found, PUBLISHED_GOAL),
            _share("import nango: with a check", checked(found), found, CHECKED_GOAL),
        ]
    if registry:
        found = [*of_file(Path(registry))]
        published = totals(found)["published"]
        result.append(_share("import airbyte: sources published", published, found, AIRBYTE_GOAL))
    return result


def _share(what: str, count: int, found: list[Judged], goal: int) -> Row:
    return Row(what, 100 * count / len(found), "%", goal, more_is_better=True)


def main(paths: list[Path]) -> None:
    found = [one for path in paths for one in of_file(path)]
    for one, problems in found:
        if problems is None or problems:
            print(one.line(problems))
    print({"all": len(found), **totals(found), "published with a check": checked(found)})


if __name__ == "__main__":
    main([Path(path) for path in sys.argv[1:]])
