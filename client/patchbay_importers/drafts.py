"""A definition while it is being made: its variables, secrets, `authConfig`, and steps."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from patchbay_importers.imported import Imported
from patchbay_importers.patterns import takes
from patchbay_importers.refusals import ImportRefused

MAX_DESCRIPTION: Final = 2000
MAX_SLUG: Final = 63
MAX_VARIABLE_NAME: Final = 64
MAX_STEP_NAME: Final = 64
MAX_NAMES: Final = 1000
"""Variables and secrets of one definition: no form has so many fields."""

_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_]+")
_NOT_IN_SLUGS: Final = re.compile(r"[^a-z0-9]+")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_NO_LINEAR_TIME: Final = re.compile(r"\(\?(?!:)|\\[1-9]|\\k<|\\p\{|\\Z|\\A")
"""Look-around, references back, flags, and escapes that not every engine has."""


@dataclass(frozen=True)
class Origin:
    """Where an input comes from, for the note in each definition."""

    source: str
    license: str

    @property
    def note(self) -> str:
        return f"Imported from {self.source}. License: {self.license}."


_NOTE: Final = re.compile(r"Imported from (?P<source>.+)\. License: .+\.\Z", re.DOTALL)


def source_of(description: str | None) -> str | None:
    """From where an import made the definition with this description; None if none did."""
    found = _NOTE.search(description or "")
    return found and found["source"]


def slug_of(name: str) -> str:
    """A slug of letters, digits, and hyphens. A name in another script has none of them, and gets
    one that follows from it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = _NOT_IN_SLUGS.sub("-", plain)[:MAX_SLUG].strip("-")
    return slug or f"imported-{hashlib.sha256(name.encode(errors='replace')).hexdigest()[:6]}"


def one_line(text: str, limit: int) -> str:
    """Text without breaks and invisible characters, at most so long."""
    seen = "".join(" " if c in "\t\n\r" else c for c in text)
    seen = "".join(c for c in seen if unicodedata.category(c) not in _INVISIBLE)
    return " ".join(seen.split())[:limit].strip()


def usable_pattern(pattern: str) -> bool:
    """Whether a validator that takes linear time can have it, as far as one can see."""
    if len(pattern) > 500 or _NO_LINEAR_TIME.search(pattern):
        return False
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


@dataclass
class Draft:
    """`name` is what the input calls it."""

    name: str
    title: str
    origin: Origin
    publisher: str = "imported"
    slug: str = ""
    description: str = ""
    category: str | None = None
    role: str | None = None
    """`source` or `destination`, if it can't be both."""
    documentation: list[str] = field(default_factory=list)
    base_url: str | None = None
    auth: dict[str, Any] = field(default_factory=lambda: {"type": "none"})
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    required_secrets: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    needs_code: list[str] = field(default_factory=list)
    _own_names: dict[str, str] = field(default_factory=dict)

    def variable(self, source: str) -> str:
        """The name of the variable that stands for this one of the source, which need not have
        declared it."""
        name = self.own_name(source)
        self.variables.setdefault(name, {"type": "string", "title": one_line(source, 120) or name})
        return name

    def own_name(self, source: str) -> str:
        """A name that a placeholder can have, the same for the same name of the source."""
        if source not in self._own_names:
            taken = set(self._own_names.values())
            if len(taken) == MAX_NAMES:
                raise ImportRefused("", f"has more than {MAX_NAMES} variables and secrets")
            name = _NOT_IN_NAMES.sub("_", source).strip("_") or "value"
            name = f"_{name}" if name[0].isdigit() else name
            own, number = name[:MAX_VARIABLE_NAME], 2
            while own in taken:
                own = f"{name[: MAX_VARIABLE_NAME - 5]}_{number}"
                number += 1
            self._own_names[source] = own
        return self._own_names[source]

    def declare(self, source: str, rule: Mapping[str, Any], *, is_required: bool) -> None:
        """A variable with its schema."""
        name = self.own_name(source)
        self.variables[name] = self._checked(name, dict(rule))
        if is_required and name not in self.required and "default" not in self.variables[name]:
            self.required.append(name)

    def declare_secret(self, name: str, rule: Mapping[str, Any], *, is_required: bool) -> None:
        """A secret with its schema, in which there is never a default or an example."""
        without = ("default", "examples", "enum", "const", "format")
        kept = {key: value for key, value in rule.items() if key not in without}
        self.secrets[name] = self._checked(name, {**kept, "type": "string"})
        if is_required and name not in self.required_secrets:
            self.required_secrets.append(name)

    def step(self, name: str, kind: str, **members: Any) -> None:
        """One more step of the test; a name that is taken gets a number."""
        wanted = one_line(name, MAX_STEP_NAME - 4) or kind
        taken = {step["name"] for step in self.steps} | {
            *("config", "secrets", "egress", "dns", "tcp", "tls")
        }
        own, number = wanted, 2
        while own in taken:
            own, number = f"{wanted} {number}", number + 1
        self.steps.append({"name": own, "kind": kind, **members})

    def imported(self) -> Imported:
        return Imported(
            self.name,
            self._definition(),
            notes=tuple(dict.fromkeys(self.notes)),
            needs_code=tuple(dict.fromkeys(self.needs_code)),
        )

    def refused(self, why: str) -> Imported:
        return Imported(self.name, None, why, tuple(self.notes), tuple(self.needs_code))

    def _definition(self) -> dict[str, Any]:
        manifest: dict[str, Any] = {}
        if self.base_url:
            manifest["baseUrl"] = self.base_url
        if self.role:
            manifest["roles"] = [self.role]
        if self.category:
            manifest["category"] = self.category
        if self.secrets:
            manifest["secretsSchema"] = _object_schema(self.secrets, self.required_secrets)
        if self.steps:
            manifest["checks"] = {"steps": self.steps}
        links = [url for url in self.documentation if is_https(url)]
        about = one_line(self.description, MAX_DESCRIPTION - len(self.origin.note) - 1)
        return {
            "publisher": self.publisher,
            "slug": self.slug or slug_of(self.name),
            "version": "1.0.0",
            "name": one_line(self.title, 120) or slug_of(self.name),
            "description": f"{about} {self.origin.note}".strip()[:MAX_DESCRIPTION],
            "visibility": "private",
            # A file without a link has no empty list of them.
            **({"documentation": links} if links else {}),
            "variablesSchema": _object_schema(self.variables, self.required),
            "authConfig": self.auth,
            "manifest": manifest,
        }

    def _checked(self, name: str, rule: dict[str, Any]) -> dict[str, Any]:
        """The rule without what publishing would refuse; a note for each part that was cut."""
        pattern = rule.get("pattern")
        if pattern is not None and not (isinstance(pattern, str) and usable_pattern(pattern)):
            del rule["pattern"]
            self.notes.append(f"{name}: its pattern was left out: not every engine can match it")
        if "default" in rule:
            is_accepted = _accepts(rule, rule["default"])
            if not is_accepted:
                del rule["default"]
                why = (
                    "which its own schema refuses"
                    if is_accepted is False
                    else "because its pattern could take long to match it"
                )
                self.notes.append(f"{name}: its default was left out, {why}")
        return rule


def _accepts(rule: Mapping[str, Any], value: object) -> bool | None:
    """None if it could take long to say."""
    if "enum" in rule and value not in rule["enum"]:
        return False
    pattern = rule.get("pattern")
    if isinstance(pattern, str) and isinstance(value, str):
        return takes(pattern, value)
    return True


def _object_schema(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    if known := [name for name in required if name in properties]:
        schema["required"] = known
    return {**schema, "properties": dict(properties)}


def is_https(url: object) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
