"""References to secrets in AWS Secrets Manager: `aws://secretsmanager/<region>/<name>`.

All secrets of a deployment are in one account, and its functions may read those of every tenant. So
the name decides whose a secret is: an organization may only refer to
`patchbay/<organization_id>/…`. This is checked when a reference is entered, and again each time it
is used.

A caller who may edit endpoints need not know a secret to name it. So the secret itself says where
it may be sent: by a tag that names an integration and its destination, and the hash of the binding.
Only a person with access to the secret in AWS can set it. It is judged each time that the value is
used.

The value is a JSON object of secret names and strings, under the same rules as secrets that are
entered.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError

from patchbay.connections.endpoint_model import Secrets
from patchbay.connections.secrets_manager import PERMITTING, SecretUnreadable, secrets_of_run
from patchbay.platform.errors import InternalError, InvalidInput, InvalidJson, ReferenceDenied
from patchbay.platform.logging import logger
from patchbay.platform.problem_messages import listing
from patchbay.platform.strict_json import canonical, compact, loads
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of

_SCHEME: Final = "aws://secretsmanager/"
_FORM: Final = re.compile(
    r"aws://secretsmanager/(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2})/"
    r"(?P<name>[A-Za-z0-9_+=.@-]+(?:/[A-Za-z0-9_+=.@-]+)*)"
)
"""The names that CreateSecret allows, without empty parts."""

_MAX_NAME: Final = 512
_DOES_NOT_EXIST: Final = "names a secret that does not exist"
_NOT_READABLE: Final = "names a secret that its policy or its KMS key does not let Patchbay read"

_MAX_TAG_VALUE: Final = 255
_NOT_IN_A_TAG: Final = re.compile(r"[^A-Za-z0-9 +=._:/@-]")
"""What tags may have: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_TagResource.html"""

_READ: Final[TypeAdapter[Any]] = TypeAdapter(Secrets, config=ConfigDict(defer_build=True))


type UnusableCode = Literal["secret_not_found", "secret_not_permitted", "config_invalid"]


class ReferenceUnusable(Exception):
    """The secret that a reference names can't be used; its owner has to act.

    `message` is the reason. It says nothing about the value.
    """

    def __init__(self, code: UnusableCode, message: str) -> None:
        super().__init__(message)
        self.code: UnusableCode = code
        self.message = message


@dataclass(frozen=True, slots=True)
class PermittingTag:
    """The tag of a secret that permits one binding. A secret may have one for each of several.

    `key` has the hash of the binding, `value` the integration and its destinations as people read
    them. Both must match, so a tag can't permit another place than it names.
    """

    key: str
    value: str

    @classmethod
    def of(cls, release: Release, variables: Mapping[str, Any]) -> Self:
        """The tag for endpoints of a release with these variables."""
        recipe = recipe_of(release)
        binding = recipe.binding(release.id, variables)
        digest = hashlib.sha256(canonical(binding)).hexdigest()
        value = release.id
        places = [_NOT_IN_A_TAG.sub("_", place) for place in recipe.places(variables)]
        for index, place in enumerate(places):
            more = f" and {len(places) - index} more"
            room = _MAX_TAG_VALUE - (len(more) if index < len(places) - 1 else 0)
            if len(value) + 1 + len(place) > room:
                value += more
                break
            value += f" {place}"
        return cls(f"{PERMITTING}{digest}", value)

    def __str__(self) -> str:
        return f"Key={self.key},Value='{self.value}'"


@dataclass(frozen=True, slots=True)
class SecretReference:
    """A secret's name in the deployment's own account and region."""

    name: str

    @classmethod
    def entered(cls, text: str, organization_id: str, region: str) -> Self:
        """A reference that a caller entered.

        Raises `ReferenceDenied` (403) for a secret that is not the organization's, and
        `InvalidInput` (400) for what is not a reference, or is one to another region. Both point at
        /secret_ref.
        """
        own = f"patchbay/{organization_id}/"
        if _named(text, own) is False:
            raise ReferenceDenied(f"must name a secret under {own}")
        match = _FORM.fullmatch(text)
        if match is None or len(match["name"]) > _MAX_NAME:
            raise InvalidInput.at(
                "/secret_ref", f"must have the form {_SCHEME}{region}/{own}<name>"
            )
        if match["region"] != region:
            raise InvalidInput.at("/secret_ref", f"must be in {region}, the deployment's region")
        return cls(match["name"])

    @classmethod
    def stored(cls, text: str, organization_id: str, region: str) -> Self:
        """An endpoint's reference. Raises `InternalError` for one that can't have been entered."""
        try:
            return cls.entered(text, organization_id, region)
        except (ReferenceDenied, InvalidInput):
            logger.error("stored reference is not the organization's", owner=organization_id)
            raise InternalError from None


def read_reference(
    reference: SecretReference, release: Release, tag: PermittingTag
) -> dict[str, str]:
    """The secrets that a reference names, if the secret has the tag.

    Raises `ReferenceUnusable`, and `TemporarilyUnavailable` if Secrets Manager does not respond.
    """
    secrets = secrets_of_run()
    try:
        if secrets.tags(reference.name).get(tag.key) != tag.value:
            raise ReferenceUnusable(
                "secret_not_permitted",
                "names a secret that does not permit this use: to permit it, set the tag "
                f"{tag} on it",
            )
        value = secrets.value(reference.name)
    except SecretUnreadable as unreadable:
        message = _DOES_NOT_EXIST if unreadable.is_missing else _NOT_READABLE
        raise ReferenceUnusable("secret_not_found", message) from None
    if value.text is None:
        raise ReferenceUnusable("config_invalid", "names a secret that is not text")
    return _secrets(value.text, release)


def _named(text: str, own: str) -> bool | None:
    """Whether it names a secret under `own`; None if it does not name a secret."""
    if text.startswith(_SCHEME):
        _, _, name = text.removeprefix(_SCHEME).partition("/")
    elif text[:4].lower() == "arn:":
        name = text.rpartition(":")[2]
    else:
        return None
    return name.startswith(own) and not {".", ".."} & set(name.split("/"))


def _secrets(text: str, release: Release) -> dict[str, str]:
    """Applies the rules of secrets that are entered. Unknown names are not repeated: one may be a
    value in the wrong place."""
    recipe = recipe_of(release)
    known = recipe.secret_names
    try:
        document = loads(text.encode())
    except (InvalidJson, UnicodeEncodeError):
        document = None
    if not isinstance(document, dict):
        raise _invalid("is not a JSON object of names and strings")
    if not document.keys() <= set(known):
        listed = listing(known) or "none"
        raise _invalid(f"has names that are not secrets of this integration (it has: {listed})")
    try:
        read = _READ.validate_json(compact(document), strict=True)
    except ValidationError as error:
        names = sorted({str(found["loc"][0]) for found in error.errors() if found["loc"]})
        raise _invalid(f"has no usable value for {', '.join(names)}") from None
    secrets = {name: value.get_secret_value() for name, value in read.items()}
    if problems := recipe.secret_problems(secrets, ""):
        listed = "; ".join(f"{p.pointer} {p.message}" for p in problems)
        raise _invalid(f"has values that the integration does not accept: {listed}")
    return secrets


def _invalid(message: str) -> ReferenceUnusable:
    return ReferenceUnusable("config_invalid", f"names a secret whose value {message}")
