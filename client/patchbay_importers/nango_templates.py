"""The placeholders of Nango, `${connectionConfig.subdomain}`, as those of a definition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from patchbay_importers.drafts import Draft
from patchbay_importers.places import Place
from patchbay_importers.refusals import ImportRefused
from patchbay_importers.url_shapes import shaped_url

_ANY: Final = re.compile(r"\$\{([^{}$]*)\}")
_CONFIG: Final = re.compile(r"connectionConfig\.([A-Za-z0-9_.-]+)")
_CREDENTIAL: Final = re.compile(r"credentials\.(?:raw\.)?([A-Za-z0-9_.-]+)")
_BASIC: Final = re.compile(r"[Bb]asic \$\{base64\((?P<user>.*?):(?P<password>.*)\)\}")
MAX_TEXT: Final = 10_000
_SNAKE: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
_KEY: Final = ("apiKey",)
_TOKEN: Final = ("accessToken",)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def alternatives(place: Place) -> list[str]:
    """Texts of which Nango takes the first whose variables have values."""
    return _alternatives(place.text())


def _alternatives(text: str) -> list[str]:
    every = text.split("||")
    return every if len(every) == 1 else [one.strip() for one in every]


def last_alternative(place: Place, notes: list[str]) -> str:
    """The one that needs the fewest variables stands last."""
    every = alternatives(place)
    if len(every) > 1:
        notes.append(f"of the {len(every)} alternatives at {place.at} the last was taken")
    return every[-1]


class Texts:
    """The texts of one provider: each placeholder declares what it stands for in the draft."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._secrets: dict[str, str] = {}
        """Secrets of `connection_config`, by the name of it."""
        self._credentials: dict[str, tuple[dict[str, Any], bool]] = {}

    def credential(self, name: str, rule: Mapping[str, Any], *, is_required: bool) -> None:
        """A field of the form that is a credential: declared when a text uses it."""
        self._credentials[name] = (dict(rule), is_required)
        if name in ("apiKey", "username", "password"):
            self.secret(name)

    def secret_of_config(self, name: str, rule: Mapping[str, Any], *, is_required: bool) -> None:
        own = self.draft.own_name(name)
        self._secrets[name] = own
        self.draft.declare_secret(own, rule, is_required=is_required)

    def secret(self, name: str) -> str:
        """The name of the secret for a credential: `apiKey` is `api_key`."""
        own = "access_token" if name == "accessToken" else _snake(name)
        rule, is_required = self._credentials.get(name, ({}, False))
        if rule and own not in self.draft.secrets:
            self.draft.declare_secret(own, rule, is_required=is_required)
        return own

    def keep_key(self) -> None:
        """Declares the key where the type of `authConfig` does not."""
        own = self.secret("apiKey")
        self.draft.secrets.setdefault(own, {"type": "string", "title": "API key"})

    def forget(self, name: str) -> None:
        own = _snake(name)
        self.draft.secrets.pop(own, None)
        if own in self.draft.required_secrets:
            self.draft.required_secrets.remove(own)

    def declare_used(self, name: str) -> str:
        """The placeholder of a credential that no type of `authConfig` has."""
        own = self.secret(name)
        self.draft.secrets.setdefault(own, {"type": "string", "title": name})
        return f"{{{{secrets.{own}}}}}"

    def is_captured(self, name: str, captured: Place) -> bool:
        return isinstance(captured.value, list) and name in captured.value

    def optional_template(self, place: Place) -> str | None:
        """A text with our placeholders; None if something in it is computed."""
        text = place.scalar()
        if len(text) > MAX_TEXT:
            raise ImportRefused(place.at, f"has more than {MAX_TEXT} characters")
        text = _alternatives(text)[0]
        made = _ANY.sub(self._placeholder, text)
        return None if "${" in made else _CONTROL.sub(" ", made)

    def template(self, place: Place) -> str:
        """The same. Raises ImportRefused if something in it is computed."""
        made = self.optional_template(place)
        if made is None:
            raise ImportRefused(place.at, "has a placeholder that only code can fill in")
        return made

    def json_template(self, place: Place) -> Any:
        """A document whose strings are templates."""
        match place.value:
            case dict():
                return {name: self.json_template(part) for name, part in place.members()}
            case list():
                return [self.json_template(part) for part in place.items()]
            case str():
                return self.template(place)
            case other:
                return other

    def url(self, place: Place) -> str:
        """A URL. A variable that is its whole host, its beginning, or its port is declared so."""
        return shaped_url(self.template(place), self.draft, place.at)

    def _placeholder(self, match: re.Match[str]) -> str:
        inner = match[1].strip()
        if inner in _KEY:
            return f"{{{{secrets.{self.secret('apiKey')}}}}}"
        if inner in _TOKEN:
            return "{{secrets.access_token}}"
        if inner in ("clientId", "clientSecret", "refresh_token"):
            return f"{{{{secrets.{_snake(inner)}}}}}"
        if found := _CONFIG.fullmatch(inner):
            if found[1] in self._secrets:
                return f"{{{{secrets.{self._secrets[found[1]]}}}}}"
            return f"{{{{variables.{self.draft.variable(found[1])}}}}}"
        if found := _CREDENTIAL.fullmatch(inner):
            return self.declare_used(found[1])
        if inner == "random":
            return "patchbay"
        return match[0]


class HeaderValue:
    """The value of a header of `proxy.headers`."""

    def __init__(self, place: Place, texts: Texts) -> None:
        self._place, self._texts = place, texts
        self._text = place.scalar()
        self.has_key = "${apiKey}" in self._text
        self.has_token = "${accessToken}" in self._text

    def prefix(self) -> str | None:
        """What stands before the credential, if that is the rest of the value."""
        for placeholder in ("${apiKey}", "${accessToken}"):
            before, found, after = self._text.partition(placeholder)
            if found and not after and "${" not in before:
                return before.strip() if before.strip()[-1:].isalnum() else before
        return None

    def basic(self) -> tuple[str, str] | None:
        """The templates of a user name and a password, if it is their Base64."""
        match = _BASIC.fullmatch(self._text) if len(self._text) <= MAX_TEXT else None
        if match is None:
            return None
        parts = match.groupdict()
        made = [
            self._texts.optional_template(Place(parts[key], self._place.at))
            for key in ("user", "password")
        ]
        username, password = made
        return None if not username or password is None else (username, password)

    def template(self) -> str | None:
        return self._texts.optional_template(self._place)


def _snake(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", _SNAKE.sub(r"_\1", name)).strip("_").lower() or "secret"
