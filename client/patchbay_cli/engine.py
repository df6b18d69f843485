"""The engine of a deployment, in this process: `patchbay-engine`, which the extra `dev` installs.

Only this package's modules that begin with `engine` import it, and only when they are called.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from patchbay_cli.definition_files import DefinitionFile
from patchbay_cli.json_files import FileProblem
from patchbay_cli.run import CommandFailed

if TYPE_CHECKING:
    from patchbay.registry.model import Integration as Integration
    from patchbay.registry.model import NewIntegration

_PYTHON: Final = (3, 13)
"""That of the functions."""


def has_engine() -> bool:
    """Whether the engine is installed."""
    with suppress(ModuleNotFoundError):
        # A package of this name that is somebody else's has no registry.
        return find_spec("patchbay.registry") is not None
    return False


def require_engine(command: str) -> None:
    """Raises `CommandFailed` if the engine is not installed."""
    if has_engine():
        return
    have = sys.version_info[:2]
    runs = "" if have == _PYTHON else f", which runs on Python 3.13 (this is {have[0]}.{have[1]})"
    raise CommandFailed(
        f"patchbay {command} needs Patchbay's engine{runs}: pip install 'patchbay-sdk[dev]'"
    )


def definition_problems(file: DefinitionFile) -> tuple[list[FileProblem], Integration | None]:
    """Why an integration can't be published, by the rules of publishing itself; and its draft, if
    it can be one. Whether its dependencies exist is not looked up."""
    from patchbay.platform.errors import Problem
    from patchbay.platform.strict_json import compact
    from patchbay.platform.validation import problems_of, with_known_fields
    from patchbay.registry.model import NewIntegration
    from patchbay.registry.publishing import draft_problems
    from pydantic import ValidationError

    draft: Integration | None = None
    try:
        body = compact({**file.definition, "workspaceId": "of-a-deployment"})
        new = NewIntegration.model_validate_json(body, strict=True)
    except ValidationError as error:
        found: list[Problem] = with_known_fields(problems_of(error), NewIntegration)
    else:
        draft = _draft_of(new)
        found = draft_problems(draft)
    problems = [file.json.problem(problem.pointer, problem.message) for problem in found]
    return problems, draft


def body_problems(kind: str, body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a body, by the rules of the API: pointers and messages."""
    from patchbay.alerts.rule_model import NewAlertRule
    from patchbay.connections.connection_model import NewConnection
    from patchbay.connections.endpoint_model import NewEndpoint
    from patchbay.platform.strict_json import compact
    from patchbay.platform.validation import problems_of
    from patchbay.registry.model import ReleasePatch
    from patchbay.tenancy.model import NewApiKey, NewSpace, SpacePatch
    from pydantic import BaseModel, ValidationError

    models: dict[str, type[BaseModel]] = {
        "space": NewSpace,
        "space settings": SpacePatch,
        "source": NewEndpoint,
        "destination": NewEndpoint,
        "connection": NewConnection,
        "alert_rule": NewAlertRule,
        "api_key": NewApiKey,
        "release": ReleasePatch,
    }
    try:
        models[kind].model_validate_json(compact(dict(body)), strict=True)
    except ValidationError as error:
        return [(one.pointer, one.message) for one in problems_of(error)]
    return []


def _draft_of(new: NewIntegration) -> Integration:
    from patchbay.platform.clock import utc_now
    from patchbay.platform.ids import new_id
    from patchbay.registry.model import Integration

    now = utc_now()
    return Integration.draft_of(
        new,
        id=new_id("int", now),
        organization_id=new_id("org", now),
        created_by="you",
        at=now,
    )
