"""The form of a definition: what somebody is asked who connects an account, drawn as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from patchbay_cli.dev_values import Values
from patchbay_cli.output import Output

_MASK: Final = "••••••••"
_SHOWN_CHOICES: Final = 4
_SHOWN_VALUE: Final = 60


@dataclass(frozen=True)
class FormField:
    """A field. A secret has no default, and its value is never shown."""

    source: str
    """`variables` or `secrets`."""
    name: str
    title: str
    kind: str
    """What may be entered, in a word or two."""
    required: bool
    types: tuple[str, ...]
    """The types of JSON that its schema allows; none if it does not say."""
    default: Any = None

    @classmethod
    def of(
        cls, source: str, name: str, schema: Any, *, required: bool, default: Any = None
    ) -> FormField:
        schema = schema if isinstance(schema, Mapping) else {}
        title = schema.get("title")
        kinds = schema.get("type", [])
        types = tuple(kinds) if isinstance(kinds, list) else (str(kinds),)
        return cls(
            source,
            name,
            title if isinstance(title, str) else name,
            "secret" if source == "secrets" else _kind(schema, types),
            required,
            types,
            default,
        )

    @property
    def pointer(self) -> str:
        return f"/{self.source}/{self.name.replace('~', '~0').replace('/', '~1')}"

    @property
    def is_secret(self) -> bool:
        return self.source == "secrets"

    def to_dict(self, values: Values) -> dict[str, Any]:
        """For `--json`. Of a secret, only whether it is given."""
        shown: dict[str, Any] = {
            "field": self.pointer,
            "title": self.title,
            "kind": self.kind,
            "required": self.required,
            "given": values.has(self),
            "from": values.origins.get(self.pointer),
        }
        if not self.is_secret:
            shown["default"] = self.default
            shown["value"] = values.variables.get(self.name, self.default)
        return shown


def draw(output: Output, fields: Sequence[FormField], values: Values) -> None:
    """The form, with the values that a test will use."""
    if not fields:
        output.line("  It asks for nothing.")
        return
    output.table(
        ["  field", "title", "kind", "required", "value"],
        [
            (
                f"  {field.source}.{field.name}",
                field.title,
                field.kind,
                "yes" if field.required else "no",
                _value(field, values),
            )
            for field in fields
        ],
    )


def _value(field: FormField, values: Values) -> str:
    if values.has(field):
        text = _MASK if field.is_secret else _text(values.variables[field.name])
        return f"{text}  ({values.origins[field.pointer]})"
    if field.default is not None:
        return f"{_text(field.default)}  (default)"
    return "missing" if field.required else "-"


def _kind(schema: Mapping[str, Any], types: Sequence[str]) -> str:
    choices = schema.get("enum")
    if isinstance(choices, list):
        more = ", …" if len(choices) > _SHOWN_CHOICES else ""
        return f"one of {', '.join(map(_text, choices[:_SHOWN_CHOICES]))}{more}"
    of_format = schema.get("format")
    if isinstance(of_format, str):
        return of_format
    return " or ".join(types) or "any"


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_VALUE else f"{text[: _SHOWN_VALUE - 1]}…"
