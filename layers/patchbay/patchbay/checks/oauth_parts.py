"""What an integration can do with OAuth, in parts that most requests have no use for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from patchbay.platform.errors import Problem

if TYPE_CHECKING:
    from patchbay.checks.authorization_code import AuthorizationRecipe
    from patchbay.checks.templates import UrlTemplate
    from patchbay.checks.token_renewal import RenewalRecipe
    from patchbay.checks.token_revocation import RevocationRecipe


@dataclass(frozen=True, slots=True)
class OAuthRecipe:
    """What a release can do with OAuth. `authorization` is None unless its grant is the code flow;
    `renewal` unless a fresh token can be had without a person; `revocation` without a
    `revocationUrl`. `problems` keep a draft from being published; with any, all parts are None.
    `urls` are those that get secrets, by the member that has them, apart from a `tokenUrl` without
    placeholders, and `sent` the variables of what is sent there: parts of the binding."""

    authorization: "AuthorizationRecipe | None" = None
    renewal: "RenewalRecipe | None" = None
    revocation: "RevocationRecipe | None" = None
    problems: tuple[Problem, ...] = ()
    urls: "Mapping[str, UrlTemplate]" = field(default_factory=dict)
    sent: frozenset[str] = frozenset()
