"""Values that a deployment added by itself: the defaults of a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from patchbay_cli.applying.differences import same


def without_defaults(
    has: Mapping[str, Any], wants: Mapping[str, Any], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """What there is without members that nobody wants, and that are as by default."""
    properties = schema.get("properties", {})
    kept: dict[str, Any] = {}
    for name, value in has.items():
        rule = properties.get(name, {})
        if name not in wants:
            if "default" in rule and same(rule["default"], value):
                continue
            kept[name] = value
        elif isinstance(value, Mapping) and isinstance(wants[name], Mapping):
            kept[name] = without_defaults(value, wants[name], rule)
        else:
            kept[name] = value
    return kept
