"""What an integration's tests do, read once from its manifest, `authConfig`, and `variablesSchema`.

Everything here is pure: nothing is dialed.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from patchbay.checks.auth_config import OAUTH_KEYS, auth_type
from patchbay.checks.binding import BindingRule
from patchbay.checks.captures import place_problem
from patchbay.checks.credentials import (
    Credential,
    credential,
    credential_problems,
    secrets_of_type,
)
from patchbay.checks.given_secrets import GivenSecrets
from patchbay.checks.manifest_steps import (
    DEFAULT_TIMEOUT_MS,
    ManifestStep,
    checks_problems,
    read_steps,
    read_timeout,
)
from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.oauth_parts import OAuthRecipe
from patchbay.checks.plan import Plan, PlannedStep
from patchbay.checks.problems import PlanProblem
from patchbay.checks.roles import Capability
from patchbay.checks.templates import (
    Declarations,
    Placeholder,
    TemplateError,
    UrlTemplate,
    ValueRefused,
    Values,
)
from patchbay.checks.url_members import read_base_url
from patchbay.platform.errors import Problem
from patchbay.platform.json_schema import document_schema
from patchbay.platform.schema_defaults import TooManyDefaults, with_defaults
from patchbay.platform.validation import pointer

if TYPE_CHECKING:
    from patchbay.checks.authorization_code import AuthorizationRecipe
    from patchbay.checks.kept_tokens import KeptToken
    from patchbay.checks.probe import StepTemplate
    from patchbay.checks.token_renewal import RenewalRecipe
    from patchbay.checks.token_revocation import RevocationCall, TokenHint

_ACCESS_TOKEN: Final = Placeholder("secrets", "access_token")
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

        self._given = GivenSecrets(
            self.secrets_schema, secrets_of_type(auth_config), manifest.get("checks")
        )
        declared = self._declared()
        self._declarations = declared
        problems = [
            *credential_problems(auth_config, declared),
            *self._given.problems(),
            *checks_problems(manifest),
        ]
        self._credential: Credential | None = None
        self.oauth = OAuthRecipe()
        """What the release can do with OAuth."""
        steps: list[ManifestStep] = []
        is_readable = not problems
        if is_readable:
            self._credential = credential(auth_config, declared)
            steps, problems = read_steps(manifest, declared, self._credential, auth_config)
        self.steps: tuple[ManifestStep, ...] = tuple(steps)
        """The steps that have no problems."""
        self._check_problems = tuple(problems)
        self.base_url: UrlTemplate | None = None
        """`manifest.baseUrl`: where the proxy sends what it forwards."""
        if is_readable:
            self.oauth = self._read_oauth(declared)
            problems = [*self.oauth.problems, *problems, *self._read_base_url(manifest)]
            problems += self._captured_place_problems()
        self.problems: tuple[Problem, ...] = tuple(problems)
        """Why this can't be published, whatever values an endpoint will have. Pointers lead into
        the integration (`/manifest/checks/steps/0/request/url`, `/authConfig/type`)."""

    @cached_property
    def secret_names(self) -> tuple[str, ...]:
        """The secrets that an endpoint may have: those of the auth type and those declared."""
        declared = _object(self.secrets_schema.get("properties"))
        return tuple(dict.fromkeys([*secrets_of_type(self._auth_config), *declared]))

    @property
    def auth_type(self) -> str:
        """The type of `authConfig`."""
        return auth_type(self._auth_config)

    @property
    def given_secrets(self) -> tuple[str, ...]:
        """The declared secrets that those who may use credentials may read."""
        return self._given.names

    @property
    def variable_names(self) -> frozenset[str]:
        """The variables that `variablesSchema` declares."""
        properties = self._variables_schema.get("properties")
        return frozenset(properties if isinstance(properties, dict) else ())

    @property
    def credentials(self) -> tuple[str, ...]:
        """The secrets of the type of `authConfig`."""
        return secrets_of_type(self._auth_config)

    @cached_property
    def asked_secrets(self) -> tuple[str, ...]:
        """The secrets that a person enters to connect an account, if there is an OAuth application:
        those that the schema declares, and those of the type, which are none for the code flow and
        those of the client for a grant of the client's own. Others may be given all the same."""
        declared = _object(self.secrets_schema.get("properties"))
        return tuple(dict.fromkeys([*self._asked_credentials(), *declared]))

    def _asked_credentials(self) -> tuple[str, ...]:
        if auth_type(self._auth_config) != "oauth2":
            return self.credentials
        if self.authorization:
            return ()
        if self.renewal:
            return tuple(secret.name for secret in self.renewal.request.secrets())
        return self.credentials

    @property
    def authorization(self) -> "AuthorizationRecipe | None":
        """How an account is connected through a browser; None if it is not."""
        return self.oauth.authorization

    @property
    def renewal(self) -> "RenewalRecipe | None":
        """How a fresh access token is had without a person; None if it can't be."""
        return self.oauth.renewal

    def revocation(
        self,
        variables: Mapping[str, Any],
        client: OAuthClient | None,
        *,
        token: str,
        hint: "TokenHint",
        secrets: Mapping[str, str] | None = None,
    ) -> "RevocationCall | None":
        """The call that takes a token back; None if the provider has none for it. `secrets` are
        others that the provider's form uses, such as the other token. Raises ValueRefused."""
        if self.oauth.revocation is None:
            return None
        return self.oauth.revocation.call(
            variables, client, token=token, hint=hint, secrets=secrets
        )

    def credential(self, values: Values) -> list[tuple[str, str]]:
        """The headers that carry the credential, as every step sends it by default. Raises
        ValueRefused."""
        return self._credential.headers(values) if self._credential else []

    def values(
        self,
        variables: Mapping[str, object],
        secrets: Mapping[str, str],
        kept: "KeptToken | None" = None,
    ) -> Values:
        """What fills the placeholders: a variable that is not given takes its default."""
        return Values({**self._defaults, **variables}, secrets, kept)

    @property
    def required_secrets(self) -> frozenset[str]:
        """The secrets that somebody has to enter, since no test can do without them: those of the
        client in place of an access token that the client is issued by itself."""
        required = frozenset(p.name for p in self._required if p.source == "secrets")
        renewal = self.renewal
        if not self.needs_access_token or renewal is None or renewal.needs_refresh_token:
            return required
        return required - {_ACCESS_TOKEN.name} | {s.name for s in renewal.request.secrets()}

    @cached_property
    def refreshes(self) -> bool:
        """Whether a step sends the refresh token, which the provider may replace."""
        return any(_refreshes(part) for step in self.steps for part in step.parts)

    @cached_property
    def needs_access_token(self) -> bool:
        """Whether a step sends an access token that no step before it obtains."""
        return _ACCESS_TOKEN in self._required

    def plan(
        self,
        variables: Mapping[str, object],
        secrets: Mapping[str, str],
        kept: "KeptToken | None" = None,
    ) -> Plan:
        """The plan of a test with these values. Never raises for what tenants or manifests contain.
        With `kept`, no step sends the refresh token.

        Its problems have the code `config_missing_field` or `config_invalid` with a pointer like
        `/variables/region`, or `secret_not_found` with one like `/secrets/api_key`. A variable
        that is not given takes the `default` of its schema.
        """
        secret_values = tuple(filter(None, secrets.values()))
        timeout_ms = self.timeout_ms or DEFAULT_TIMEOUT_MS
        if self._check_problems:
            unusable = tuple(PlanProblem(p.pointer, p.message) for p in self._check_problems)
            return Plan(timeout_ms, problems=unusable, secret_values=secret_values)
        values = self.values(variables, secrets, kept)
        problems = [
            _missing(placeholder)
            for placeholder in (self._required_with_kept if kept else self._required)
            if not _is_given(placeholder, values)
        ]
        steps: list[PlannedStep] = []
        if not problems:
            for step in self.steps:
                try:
                    steps.append(PlannedStep.of(step, values))
                except ValueRefused as refusal:
                    problems.append(refusal.problem)
        for planned in steps:
            secret_values += planned.compiled.secret_values
        if problems:
            return Plan(timeout_ms, (), tuple(dict.fromkeys(problems)), secret_values)
        return Plan(timeout_ms, tuple(steps), (), secret_values)

    def binding(self, integration_id: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What the secrets of an endpoint with these variables are bound to, by name, in canonical
        form: see `BindingRule`."""
        values = {**self._defaults, **variables}
        binding = self._binding_rule.binding(integration_id, values)
        # Only where there are any: other bindings stay as they are.
        given = {"given": sorted(self.given_secrets)} if self.given_secrets else {}
        return {**binding, **given}

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
        """What is wrong with an endpoint's variables: what `variablesSchema` refuses, and, however
        open it is, secrets among them, which everybody may read. Pointers begin with `/variables`.
        """
        secrets = set(self.secret_names) - self.variable_names
        misplaced = [
            Problem(
                f"/variables{pointer([name])}",
                "is a secret of this integration: give it in secrets",
            )
            for name in variables
            if name in secrets
        ]
        told = {problem.pointer for problem in misplaced}
        found = document_schema(self._variables_schema).problems(variables, "/variables")
        return [*misplaced, *(problem for problem in found if problem.pointer not in told)]

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
        return BindingRule(
            [part for step in self.steps for part in step.parts],
            self._bound_credential,
            self._auth_config.get("tokenUrl"),
            self._variables_schema,
            {**self.oauth.urls, **({"baseUrl": self.base_url} if self.base_url else {})},
            self.oauth.sent,
        )

    @property
    def _bound_credential(self) -> Credential | None:
        """The credential even if the checks of a draft have problems; None if it has some."""
        if self._credential or any(credential_problems(self._auth_config, self._declarations)):
            return self._credential
        return credential(self._auth_config, self._declarations)

    def _read_oauth(self, declared: Declarations) -> OAuthRecipe:
        config = self._auth_config
        if auth_type(config) != "oauth2" and config.keys().isdisjoint(OAUTH_KEYS):
            return OAuthRecipe()
        # A quarter of what a function imports that uses credentials, and of no use without OAuth.
        from patchbay.checks.oauth_recipe import read_oauth

        return read_oauth(config, declared, self._credential, self._defaults)

    def _read_base_url(self, manifest: Mapping[str, object]) -> Iterator[Problem]:
        text = manifest.get("baseUrl")
        if text is None:
            return
        try:
            self.base_url = read_base_url(text, self._declarations)
        except TemplateError as error:
            yield Problem("/manifest/baseUrl", str(error))

    def _captured_place_problems(self) -> Iterator[Problem]:
        """Steps and a base URL whose place a captured variable decides that no list limits."""
        names = self.authorization.open_captures if self.authorization else frozenset()
        if not names:
            return
        places = [
            (f"/manifest/checks/steps/{index}", part.place, part.destination_placeholders())
            for index, step in enumerate(self.steps)
            for part in step.parts
        ]
        if url := self.base_url:
            places.append(("/manifest/baseUrl", url.place, url.start.placeholders()))
        for at, place, placeholders in places:
            if any(p.source == "variables" and p.name in names for p in placeholders):
                problem = place_problem(place, names, self._declarations)
                if problem:
                    yield Problem(at, problem)

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        try:
            return with_defaults({}, self._variables_schema)
        except TooManyDefaults:
            return {}

    @cached_property
    def _required(self) -> Sequence[Placeholder]:
        return self._required_by(self.steps)

    @cached_property
    def _required_with_kept(self) -> Sequence[Placeholder]:
        """The same where a grant keeps the tokens: steps that refresh them send nothing."""
        return self._required_by(
            [step for step in self.steps if not all(map(_refreshes, step.parts))]
        )

    def _required_by(self, steps: Sequence[ManifestStep]) -> Sequence[Placeholder]:
        """What an endpoint has to give: what the schemas require, and what steps use.

        The auth types `api_key` and `basic` ask for their secrets even if no step sends them.
        """
        required = [Placeholder("variables", n) for n in _required(self._variables_schema)]
        if auth_type(self._auth_config) == "api_key":
            required.append(Placeholder("secrets", "api_key"))
        if auth_type(self._auth_config) == "basic" and self._credential:
            required += self._credential.required()
        required += [Placeholder("secrets", name) for name in _required(self.secrets_schema)]
        for step in steps:
            required += (
                p
                for p in step.template.placeholders()
                if p.source == "variables" or p.name not in step.obtained
            )
        return tuple(dict.fromkeys(required))

    def _declared(self) -> Declarations:
        variables = _object(self._variables_schema.get("properties"))
        token_url = self._auth_config.get("tokenUrl")
        refresh_url = self._auth_config.get("refreshUrl")
        return Declarations(
            variables=frozenset(variables),
            secrets=frozenset(self.secret_names),
            hostnames=_of_format("hostname", variables),
            urls=_of_format("uri", variables),
            scopes=_strings(self._auth_config.get("scopes")),
            token_url=token_url if isinstance(token_url, str) else None,
            refresh_url=refresh_url if isinstance(refresh_url, str) else None,
            types=dict(_types(variables)),
        )


def _refreshes(part: "StepTemplate") -> bool:
    from patchbay.checks.kinds.oauth2_token import TokenTemplate

    return isinstance(part, TokenTemplate) and part.is_refresh


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
