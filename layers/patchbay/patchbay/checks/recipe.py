"""What an integration's tests do, read once from its manifest, `authConfig`, and `variablesSchema`.

Everything here is pure: nothing is dialed.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from patchbay.checks.auth_config import SECRETS_OF_TYPE, auth_type
from patchbay.checks.binding import BindingRule
from patchbay.checks.credentials import credential, credential_problems
from patchbay.checks.manifest_steps import (
    DEFAULT_TIMEOUT_MS,
    ManifestStep,
    checks_problems,
    read_steps,
    read_timeout,
)
from patchbay.checks.plan import Plan, PlannedStep
from patchbay.checks.problems import PlanProblem
from patchbay.checks.roles import Capability
from patchbay.checks.templates import Declarations, Placeholder, ValueRefused, Values
from patchbay.checks.token_requests import settings_problems
from patchbay.platform.errors import Problem
from patchbay.platform.json_schema import document_schema
from patchbay.platform.problem_messages import UNKNOWN
from patchbay.platform.schema_defaults import TooManyDefaults, with_defaults

_CAPABILITIES: Final = frozenset(Capability)
_CLOSING: Final = frozenset({"required", "additionalProperties", "unevaluatedProperties"})
"""Of a secretsSchema: the secrets of `authConfig` come beside those that it declares."""


class Recipe:
    """The manifest, `authConfig`, and `variablesSchema` of a release, or of a draft.

    It holds no values of an endpoint and does not change, so tests and threads may share it. What
    it is read from must not change either.
    """

    def __init__(
        self,
        manifest: Mapping[str, object],
        auth_config: Mapping[str, object],
        variables_schema: Mapping[str, object],
    ) -> None:
        self._auth_config = auth_config
        self._variables_schema = variables_schema
        self.capabilities: tuple[Capability, ...] = tuple(
            Capability(name)
            for name in _strings(manifest.get("capabilities"))
            if name in _CAPABILITIES
        )
        """Those that the manifest declares."""
        self.timeout_ms: int | None = read_timeout(manifest)
        """The time limit of a whole test, if the manifest sets one."""
        self.secrets_schema = _object(manifest.get("secretsSchema"))
        self.configuration_schema = _object(manifest.get("configurationSchema"))

        problems = [*credential_problems(auth_config), *checks_problems(manifest)]
        steps: list[ManifestStep] = []
        if not problems:
            declared = self._declared()
            steps, problems = read_steps(manifest, declared, credential(auth_config), auth_config)
            problems = [*settings_problems(auth_config, declared), *problems]
        self.steps: tuple[ManifestStep, ...] = tuple(steps)
        """The steps that have no problems."""
        self.problems: tuple[Problem, ...] = tuple(problems)
        """Why the checks can't be published, whatever values an endpoint will have. Pointers lead
        into the integration (`/manifest/checks/steps/0/request/url`, `/authConfig/type`)."""

    @cached_property
    def secret_names(self) -> tuple[str, ...]:
        """The secrets that an endpoint may have: those of the auth type and those declared."""
        declared = _object(self.secrets_schema.get("properties"))
        return tuple(dict.fromkeys([*SECRETS_OF_TYPE[auth_type(self._auth_config)], *declared]))

    @property
    def variable_names(self) -> frozenset[str]:
        """The variables that `variablesSchema` declares."""
        properties = self._variables_schema.get("properties")
        return frozenset(properties if isinstance(properties, dict) else ())

    @property
    def credentials(self) -> tuple[str, ...]:
        """The secrets that the type of `authConfig` asks for."""
        return SECRETS_OF_TYPE[auth_type(self._auth_config)]

    def plan(self, variables: Mapping[str, object], secrets: Mapping[str, str]) -> Plan:
        """The plan of a test with these values. Never raises for what tenants or manifests contain.

        Its problems have the code `config_missing_field` or `config_invalid` with a pointer like
        `/variables/region`, or `secret_not_found` with one like `/secrets/api_key`. A variable
        that is not given takes the `default` of its schema.
        """
        secret_values = tuple(value for value in secrets.values() if value)
        timeout_ms = self.timeout_ms or DEFAULT_TIMEOUT_MS
        if self.problems:
            unusable = tuple(PlanProblem(p.pointer, p.message) for p in self.problems)
            return Plan(timeout_ms, problems=unusable, secret_values=secret_values)
        values = Values({**self._defaults, **variables}, secrets)
        problems = [
            _missing(placeholder)
            for placeholder in self._required
            if not _is_given(placeholder, values)
        ]
        steps: list[PlannedStep] = []
        if not problems:
            for step in self.steps:
                try:
                    steps.append(PlannedStep.of(step, values))
                except ValueRefused as refusal:
                    problems.append(refusal.problem)
        return Plan(
            timeout_ms,
            steps=() if problems else tuple(steps),
            problems=tuple(dict.fromkeys(problems)),
            secret_values=sum((step.compiled.secret_values for step in steps), secret_values),
        )

    def binding(self, integration_id: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What the secrets of an endpoint with these variables are bound to, by name, in canonical
        form: see `BindingRule`."""
        given = {**self._defaults, **variables}
        return self._binding_rule.binding(integration_id, given)

    def places(self, variables: Mapping[str, Any]) -> list[str]:
        """The hosts that a test with these variables dials, as `scheme://host:port`."""
        return self._binding_rule.places({**self._defaults, **variables})

    def first_binding(self, integration_id: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The same for secrets that were sealed before `BindingRule.VERSION` was 2."""
        return self._binding_rule.first_binding(integration_id, variables)

    def binding_problems(self) -> list[Problem]:
        """Marks of `variablesSchema` that can't be used, by pointers into the integration."""
        return list(self._binding_rule.problems())

    def binding_notices(self) -> list[Problem]:
        """Which variables need the secrets again when they change, and which are free."""
        return list(self._binding_rule.notices())

    def configuration_problems(self, configurations: object) -> list[Problem]:
        """What `configurationSchema` refuses of a connection's configurations with their defaults;
        without a schema anything goes. Pointers begin with `/configurations`."""
        if not self.configuration_schema:
            return []
        if isinstance(configurations, Mapping):
            try:
                configurations = self.with_configuration_defaults(configurations)
            except TooManyDefaults as error:
                return [Problem("/configurations", str(error))]
        return document_schema(self.configuration_schema).problems(
            configurations, "/configurations"
        )

    def with_configuration_defaults(self, configurations: Mapping[str, Any]) -> dict[str, Any]:
        """Configurations with the defaults of `configurationSchema`. Raises `TooManyDefaults`."""
        return with_defaults(configurations, self.configuration_schema)

    def variable_problems(self, variables: Mapping[str, Any]) -> list[Problem]:
        """What `variablesSchema` refuses of an endpoint's variables. Pointers begin with
        `/variables`."""
        misplaced = {f"/variables/{name}" for name in variables if name in self.secret_names}
        return [
            Problem(problem.pointer, "is a secret of this integration: give it in secrets")
            if problem.pointer in misplaced and problem.message == UNKNOWN
            else problem
            for problem in document_schema(self._variables_schema).problems(variables, "/variables")
        ]

    def secret_problems(self, secrets: Mapping[str, str], at: str) -> list[Problem]:
        """What `secretsSchema` refuses of these secrets; others may come later. Pointers begin with
        `at`."""
        known = {name: value for name, value in secrets.items() if name in self.secret_names}
        return document_schema(self._open_secrets_schema).problems(known, at)

    @cached_property
    def _open_secrets_schema(self) -> Mapping[str, Any]:
        return {k: rule for k, rule in self.secrets_schema.items() if k not in _CLOSING}

    @cached_property
    def _binding_rule(self) -> BindingRule:
        # A draft may have an authConfig that nothing can be sent by.
        is_usable = not any(credential_problems(self._auth_config))
        return BindingRule(
            [part for step in self.steps for part in step.parts],
            credential(self._auth_config) if is_usable else None,
            self._auth_config.get("tokenUrl"),
            self._variables_schema,
        )

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        try:
            return with_defaults({}, self._variables_schema)
        except TooManyDefaults:
            return {}

    @cached_property
    def _required(self) -> Sequence[Placeholder]:
        """What an endpoint has to give: what the schemas require, and what steps use.

        The auth type `api_key` asks for the secret `api_key` even if no step sends it.
        """
        required = [Placeholder("variables", n) for n in _required(self._variables_schema)]
        if auth_type(self._auth_config) == "api_key":
            required.append(Placeholder("secrets", "api_key"))
        required += [Placeholder("secrets", name) for name in _required(self.secrets_schema)]
        for step in self.steps:
            required += (
                p
                for p in step.template.placeholders()
                if p.source == "variables" or p.name not in step.obtained
            )
        return tuple(dict.fromkeys(required))

    def _declared(self) -> Declarations:
        variables = _object(self._variables_schema.get("properties"))
        token_url = self._auth_config.get("tokenUrl")
        return Declarations(
            variables=frozenset(variables),
            secrets=frozenset(self.secret_names),
            hostnames=_of_format("hostname", variables),
            urls=_of_format("uri", variables),
            scopes=_strings(self._auth_config.get("scopes")),
            token_url=token_url if isinstance(token_url, str) else None,
            types=dict(_types(variables)),
        )


def _is_given(placeholder: Placeholder, values: Values) -> bool:
    if placeholder.source == "variables":
        return values.variables.get(placeholder.name) is not None
    return bool(values.secrets.get(placeholder.name))


def _missing(placeholder: Placeholder) -> PlanProblem:
    is_variable = placeholder.source == "variables"
    code: Final = "config_missing_field" if is_variable else "secret_not_found"
    return PlanProblem(placeholder.pointer, "is missing", code)


def _required(schema: Mapping[str, object]) -> tuple[str, ...]:
    return _strings(schema.get("required"))


def _of_format(name: str, variables: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(n for n, schema in variables.items() if _object(schema).get("format") == name)


def _types(variables: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    """The types of JSON of the variables whose schema names them."""
    for name, schema in variables.items():
        named = _object(schema).get("type")
        if isinstance(named, str):
            yield name, frozenset({named})
        elif isinstance(named, list) and named:
            yield name, frozenset(_strings(named))


def _strings(value: object) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
