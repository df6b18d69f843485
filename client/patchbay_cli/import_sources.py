"""`patchbay import nango`, `airbyte`, `openapi`, and `postman`

Each reads one file of yours, on this machine, and hands what it found to `import_definitions`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from patchbay_cli.command import command
from patchbay_cli.exits import Exit
from patchbay_cli.import_definitions import Wanted, import_definitions, import_options
from patchbay_cli.run import CommandFailed, Run

if TYPE_CHECKING:
    from patchbay_importers.imported import Imported

_FILE = click.argument("file")
_ONLY = click.option(
    "--only", metavar="NAMES", help="Only these, separated by commas, such as slack,hubspot."
)
_SLUG_SHAPE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def _slug(_: click.Context, __: click.Parameter, slug: str | None) -> str | None:
    """A slug becomes the name of a file, so it is one before anything is written."""
    if slug is not None and not _SLUG_SHAPE.fullmatch(slug):
        raise click.BadParameter(
            "must have 1 to 63 lower-case letters, digits, and hyphens, none at the ends."
        )
    return slug


_SLUG = click.option(
    "--slug",
    metavar="SLUG",
    callback=_slug,
    help="The slug of the definition, not that of its name.",
)


@command()
@_FILE
@_ONLY
@import_options
def nango(run: Run, file: str, only: str | None, wanted: Wanted) -> Exit:
    """Import providers from FILE, your copy of Nango's providers.yaml; - is standard input."""

    def convert(document: object) -> Iterable[Imported]:
        from patchbay_importers.nango import imported_from

        return imported_from(document, _names(only))

    return import_definitions(run, _found(file, convert), wanted)


@command()
@_FILE
@_ONLY
@_SLUG
@import_options
def airbyte(run: Run, file: str, only: str | None, slug: str | None, wanted: Wanted) -> Exit:
    """Import connectors from FILE, your copy of a registry, or of one manifest.yaml.

    A manifest does not say what it is called: the name is that of its folder, or --slug.
    """

    def convert(document: object) -> Iterable[Imported]:
        from patchbay_importers import airbyte, airbyte_manifest

        if isinstance(document, dict) and any(name in document for name in airbyte.LISTS):
            if slug is not None:
                raise click.UsageError("--slug is for one manifest.yaml, and this is a registry.")
            return airbyte.imported_from(document, _names(only))
        if only is not None:
            raise click.UsageError("--only is for a registry, and this is not one.")
        return [airbyte_manifest.imported_from(document, slug or _folder_of(file))]

    return import_definitions(run, _found(file, convert), wanted)


@command()
@_FILE
@click.option("--server", metavar="URL", help="The address of the API, if not the document's.")
@_SLUG
@import_options
def openapi(run: Run, file: str, server: str | None, slug: str | None, wanted: Wanted) -> Exit:
    """Import an API from FILE, an OpenAPI 3 or Swagger 2 document; - is standard input."""

    def convert(document: object) -> Iterable[Imported]:
        from patchbay_importers.openapi import imported_from

        return [_called(imported_from(document, server), slug)]

    return import_definitions(run, _found(file, convert), wanted)


@command()
@_FILE
@_SLUG
@import_options
def postman(run: Run, file: str, slug: str | None, wanted: Wanted) -> Exit:
    """Import an API from FILE, a collection that Postman exported; - is standard input."""

    def convert(document: object) -> Iterable[Imported]:
        from patchbay_importers.postman import imported_from

        return [_called(imported_from(document), slug)]

    return import_definitions(run, _found(file, convert), wanted)


def _found(file: str, convert: Callable[[object], Iterable[Imported]]) -> list[Imported]:
    """What is in the file. Raises `CommandFailed` with the place of what is wrong with it."""
    from patchbay_importers.refusals import ImportRefused
    from patchbay_importers.source_files import read_document, read_stream

    try:
        document = read_stream(sys.stdin.buffer) if file == "-" else read_document(Path(file))
        return list(convert(document))
    except ImportRefused as refused:
        place = "standard input" if file == "-" else file
        said = refused.message if refused.place in ("", file) else str(refused)
        raise CommandFailed(f"{place}: {said}") from None


def _names(only: str | None) -> list[str]:
    names = [name.strip() for name in (only or "").split(",") if name.strip()]
    if only is not None and not names:
        raise click.UsageError("--only needs a name.")
    return names


def _folder_of(file: str) -> str:
    if file == "-":
        raise click.UsageError("A manifest from standard input needs --slug.")
    return Path(file).resolve().parent.name


def _called(imported: Imported, slug: str | None) -> Imported:
    from dataclasses import replace

    if slug is None or imported.definition is None:
        return imported
    named: dict[str, Any] = {**imported.definition, "slug": slug}
    return replace(imported, definition=named)
