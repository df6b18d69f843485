"""Tests of definitions that are not published, by the engine in this process.

A test goes the way of `POST …/sources/test` with a draft: the same rules for values, the same
guard, and the same answer. It needs no table and no vault, because nothing is stored.
"""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from logging import StreamHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from patchbay_cli.dev_form import FormField
from patchbay_cli.dev_values import Values
from patchbay_cli.run import CommandFailed

if TYPE_CHECKING:
    from patchbay.checks.report import Step as EngineStep
    from patchbay.connection_tests.model import TestFindings
    from patchbay.egress.guard import EgressGuard as EgressGuard
    from patchbay.platform.errors import Problem
    from patchbay.registry.model import Integration

    from patchbay_sdk.models import DryRunResult, Step

_TOKEN_SECONDS: Final = 20.0
"""What the provider may take to issue an access token, as on a deployment."""
_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

_BY_BROWSER: Final = (
    "OAuth: on a deployment, a person connects an account in a browser. That needs an install, so "
    "it can't be tried here. A test here uses an access token that you give as "
    "secrets.access_token."
)
_BY_CLIENT: Final = (
    "OAuth: the access token is asked for with the client's own secrets, here as on a deployment."
)
_REFRESH: Final = (
    "A refresh token is not sent: the provider may replace it, and nothing here could keep the new "
    "one."
)


class ValuesRefused(Exception):
    """The definition does not accept these values."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("values refused")
        self.problems = list(problems)


def guard_of(allowed: Sequence[str], authorities: Path | None) -> EgressGuard:
    """What may be dialed: the public internet, as on a deployment, and the exceptions that are
    named. Raises `CommandFailed`."""
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.policy import EgressPolicy
    from patchbay.egress.tls import read_authorities

    try:
        policy = EgressPolicy.parse(",".join(allowed))
    except ValueError as error:
        raise CommandFailed(f"--egress-allow: {error}") from None
    if authorities is None:
        return EgressGuard(policy)
    try:
        trusted = read_authorities(",".join(_in_base64(authorities.read_text(encoding="utf-8"))))
    except ValueError:
        trusted = b""
    if not trusted:
        raise CommandFailed(f"{authorities} is not a file of certificates in PEM")
    return EgressGuard(policy, operator_authorities=trusted)


def _in_base64(pem: str) -> list[str]:
    """The certificates of a file, as the parameter `EgressAuthorities` has them. Raises
    ValueError."""
    from ssl import PEM_cert_to_DER_cert

    return [base64.b64encode(PEM_cert_to_DER_cert(one)).decode() for one in _PEM.findall(pem)]


class Trial:
    """A definition that can be tested."""

    def __init__(self, draft: Integration) -> None:
        from patchbay.registry.authoring import DRAFT_VERSION
        from patchbay.registry.model import Release
        from patchbay.registry.recipes import recipe_of

        self._release = Release(
            **dict(draft),
            version=DRAFT_VERSION,
            published_at=draft.updated_at,
            published_by=draft.created_by,
        )
        self._recipe = recipe_of(self._release)

    @property
    def name(self) -> str:
        name: str = self._release.name
        return name

    def fields(self) -> list[FormField]:
        """What somebody is asked who connects an account, variables first."""
        from patchbay.connections.endpoint_values import settled_variables

        recipe, release = self._recipe, self._release
        defaults = settled_variables({}, release)
        missing = {problem.pointer for problem in recipe.plan(defaults, {}).problems}
        declared = release.variables_schema.get("properties", {})
        fields = [
            FormField.of(
                "variables",
                name,
                schema,
                required=f"/variables/{name}" in missing,
                default=defaults.get(name),
            )
            for name, schema in declared.items()
        ]
        schemas = recipe.secrets_schema.get("properties", {})
        required = recipe.required_secrets
        asked = dict.fromkeys([*recipe.asked_secrets, *sorted(required)])
        return fields + [
            FormField.of("secrets", name, schemas.get(name, {}), required=name in required)
            for name in asked
        ]

    def notes(self) -> list[str]:
        """What of OAuth can be tried here, and what needs an install."""
        recipe = self._recipe
        if recipe.auth_type != "oauth2":
            return []
        if recipe.authorization is not None:
            return [_BY_BROWSER, _REFRESH]
        if recipe.renewal is not None and not recipe.renewal.needs_refresh_token:
            return [_BY_CLIENT]
        return [_REFRESH]

    def run(
        self, values: Values, guard: EgressGuard, tell: Callable[[Sequence[Step]], None]
    ) -> DryRunResult:
        """The result of a test, as a deployment would answer it. `tell` is called with the steps so
        far, in another thread. Raises `ValuesRefused`."""
        from patchbay.checks.roles import Role
        from patchbay.connection_tests.following import Following
        from patchbay.connection_tests.tester import try_stored
        from patchbay.connections.endpoint_model import Endpoint, OwnershipMode, id_prefix
        from patchbay.connections.endpoint_values import revealed, settled_variables, value_problems
        from patchbay.grants.new_secrets import look_at_new
        from patchbay.platform.clock import utc_now
        from patchbay.platform.errors import InvalidConfig
        from patchbay.platform.ids import new_id
        from patchbay.registry.manifest import Manifest

        from patchbay_sdk.models import DryRunResult

        release, recipe, now = self._release, self._recipe, utc_now()
        given = _accepted(values)
        secrets = revealed(given.secrets)
        try:
            variables = settled_variables(given.variables, release)
        except InvalidConfig as refused:
            raise _refused(refused.problems) from None
        problems = [
            *value_problems(release, variables, secrets, (), None),
            *recipe.configuration_problems(given.configurations),
        ]
        if problems:
            raise _refused(problems)
        manifest = Manifest.of(release.manifest)
        role = Role.SOURCE if Role.SOURCE in manifest.roles else Role.DESTINATION
        endpoint = Endpoint(
            id=new_id(id_prefix(role), now),
            organization_id=release.organization_id,
            role=role,
            name=release.name,
            integration=release.key,
            integration_id=release.id,
            version=release.version,
            category=manifest.category,
            variables=variables,
            secrets_set=sorted(secrets),
            members=[],
            dependencies=[],
            environment=None,
            external_account_id=None,
            ownership_mode=OwnershipMode.MANAGED,
            created_at=now,
            updated_at=now,
            binding=recipe.binding(release.id, variables),
            revision=1,
        )
        with _logs_to_stderr():
            found = try_stored(
                endpoint,
                release,
                lambda: look_at_new(endpoint, release, secrets, guard, now, None, _TOKEN_SECONDS),
                None,
                guard,
                Following(_Telling(tell)),
            )
        return DryRunResult(found.model_dump(mode="json"))


@contextmanager
def _logs_to_stderr() -> Iterator[None]:
    """What a function would log, beside the results."""
    from patchbay.platform.logging import logger

    streams = [one for one in logger.handlers if isinstance(one, StreamHandler)]
    before = [handler.stream for handler in streams]
    for handler in streams:
        handler.stream = sys.stderr
    try:
        yield
    finally:
        for handler, stream in zip(streams, before, strict=True):
            handler.stream = stream


class _Telling:
    """Shows the steps of a running test."""

    def __init__(self, tell: Callable[[Sequence[Step]], None]) -> None:
        self._tell = tell

    def begin(self) -> None:
        """Nothing is shown before the first step."""

    def tell(self, steps: Sequence[EngineStep]) -> None:
        from patchbay_sdk.models import Step

        self._tell([Step(step.model_dump(mode="json")) for step in steps])

    def end(self, result: TestFindings | None) -> None:
        """The caller has the result."""


def _accepted(values: Values) -> Any:
    """The body of a test of a draft, with these values. Raises `ValuesRefused`."""
    from patchbay.connection_tests.model import EndpointDryRun
    from patchbay.platform.strict_json import compact
    from patchbay.platform.validation import problems_of
    from pydantic import ValidationError

    body: dict[str, Any] = {"integration_id": "a-draft", **values.to_dict()}
    try:
        return EndpointDryRun.model_validate_json(compact(body), strict=True)
    except ValidationError as error:
        raise _refused(problems_of(error)) from None


def _refused(problems: Sequence[Problem]) -> ValuesRefused:
    return ValuesRefused([(problem.pointer, problem.message) for problem in problems])
