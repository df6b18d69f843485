"""A definition as a file of a folder, in the form of `catalog/*.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(folder: Path, definition: Mapping[str, Any]) -> tuple[str, Path, str | None]:
    """What was done, to which file, and why it was kept if it was.

    Only a file that an import from the same source wrote is written again.
    """
    from patchbay_importers.drafts import source_of

    path = folder / f"{definition['slug']}.json"
    text = json.dumps(definition, indent=2, ensure_ascii=False) + "\n"
    if not path.exists():
        _replace(path, text)
        return "written", path, None
    present = _present(path)
    ours = (definition["publisher"], source_of(definition["description"]))
    if (present.get("publisher"), source_of(present.get("description"))) != ours:
        return "kept", path, f"{path.name} is not of this import: it was left alone"
    if present == definition:
        return "unchanged", path, None
    _replace(path, text)
    return "updated", path, None


def _replace(path: Path, text: str) -> None:
    """Whole or not at all: half a file is not known to be of an import, and would be kept."""
    # What reads the folder passes over names with a dot.
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def _present(path: Path) -> dict[str, Any]:
    try:
        present = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, IsADirectoryError):
        return {}
    return present if isinstance(present, dict) else {}
