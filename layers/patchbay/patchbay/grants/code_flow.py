"""The authorization code flow (RFC 6749 §4.1, RFC 7636, RFC 9700 §4.7): a provider lets an install
session have tokens for the account of the person at the browser.

    flow                 FLOW#<hash of its state>   META                 for ten minutes
    flow, listed         ORG#<org>                  FLOW#<hash>          as long
    what it obtained     ORG#<org>                  SECRET#<session>     sealed, for half an hour
    why it failed        ORG#<org>                  FLOWFAIL#<session>   of the last one, as long

1. `start` draws a `state` and a secret for the browser, and keeps hashes of both. The secret is in
   a cookie. The verifier of PKCE is derived from both, so it is stored nowhere.
2. The provider sends the browser back. `finish` finds the flow by its state, and only if the same
   browser has the cookie: what another browser or a robot opens changes nothing.
3. Before anything is sent, the flow is marked as used, under a condition: there is one exchange,
   however often the page is loaded.
4. The code is exchanged once. What was issued is sealed at once, for the session and the binding of
   its secrets. If it can't be stored, the person is told to begin again.
5. `obtained` gives it to what completes the session.
"""

import asyncio
import hashlib
import hmac
import json
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from patchbay.connections.keys import (
    flow_failure_key,
    flow_key,
    key_of,
    listed_flow_key,
    secret_key,
)
from patchbay.connections.vault import SecretScope, Vault
from patchbay.grants.applications import OAuthApplications
from patchbay.grants.client_origin import ClientOrigin
from patchbay.grants.flow_outcomes import FinishedFlow, FlowOutcome, outcome_of_error
from patchbay.grants.issuers import is_issuer
from patchbay.platform.actor import Actor, acting
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import epoch_seconds, from_text, to_sortable
from patchbay.platform.cookies import HOST_PREFIX, HostCookie
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    ConditionFailed,
    Delete,
    Item,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
)
from patchbay.platform.errors import (
    ApplicationUnusable,
    InvalidConfig,
    InvalidInput,
    NoSuchRelease,
    Problem,
    SecretsLost,
    TemporarilyUnavailable,
)
from patchbay.platform.logging import logger
from patchbay.platform.revisions import serially
from patchbay.platform.strict_json import compact, same
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.api_keys import digest
from patchbay.tenancy.keys import organization_key

if TYPE_CHECKING:
    from patchbay.checks.authorization_code import AuthorizationRecipe
    from patchbay.checks.oauth_client import OAuthClient
    from patchbay.checks.token_calls import IssuedTokens
    from patchbay.egress.guard import EgressGuard
    from patchbay.registry.model import Release

FLOW_LIFETIME: Final = timedelta(minutes=10)
"""From the start of a flow to its callback."""
OBTAINED_LIFETIME: Final = timedelta(minutes=30)
"""From the callback to the completion of the session."""
EXCHANGE_SECONDS: Final = 12.0
"""For the exchange and the look-up after it. The function has 29 s; reads before and the write
after, with their repetitions, take the rest."""

_OPEN: Final = "open"
_USED: Final = "used"
_BITS: Final = 256
_TOKEN: Final = re.compile("[A-Za-z0-9_-]{43}")
"""256 bits in base64url."""
_COOKIE: Final = f"{HOST_PREFIX}patchbay-flow-"

type FindsActor = Callable[[str, str, datetime], str | None]
"""Who acts in an install session, by organization, id, and time; None if it is not pending."""


@dataclass(frozen=True, slots=True)
class FlowRequest:
    """What a flow is for. `scopes` are asked for in place of those of the application and of the
    integration."""

    organization_id: str
    session_id: str
    release: "Release"
    variables: Mapping[str, Any]
    scopes: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class StartedFlow:
    """Where to send the browser, with this cookie. The message of the last page has the `id`."""

    authorization_url: str
    cookie: HostCookie
    id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FlowFailure:
    """Why the last flow of a session failed. `code` and `summary` are those of the check that
    failed, if one did; the summary may quote the provider, cleaned."""

    outcome: FlowOutcome
    at: datetime
    code: str | None = None
    summary: str | None = None


class Choice(NamedTuple):
    """One part of an account: what it is called, and the variables that it fills, by name."""

    label: str
    captured: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ObtainedGrant:
    """What a provider issued to an install session, to be completed with.

    `variables` are all that the flow used, `captured` those among them that it found out. With
    `choices`, the account has several parts, of which the person has to choose one: its variables
    come on top. The tokens are for endpoints of this release that they `fits`. Times of the tokens
    count from `obtained_at`. `missing` are scopes that were asked for and not granted.
    """

    issued: "IssuedTokens" = field(repr=False)
    origin: ClientOrigin
    variables: Mapping[str, Any]
    captured: Mapping[str, str]
    choices: tuple[Choice, ...]
    integration_id: str
    version: str
    scopes_asked: tuple[str, ...]
    missing: tuple[str, ...]
    obtained_at: datetime
    flow: str
    redirect_uri: str | None = None
    client_id: str | None = None
    """Both are those of the authorization, and None for what an earlier release obtained."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """What steps may send before the grant is stored: the access token, and the id of the
        client, which is public. What proves who asks goes to the token URL alone."""
        token = {"access_token": self.issued.access_token}
        return token | ({"client_id": self.client_id} if self.client_id else {})

    def fits(self, release: "Release", variables: Mapping[str, Any]) -> bool:
        """Whether an endpoint of this release with these variables may have the tokens: they go
        where those of the flow would go, and to the same account."""
        if (release.id, release.version) != (self.integration_id, self.version):
            return False
        recipe = recipe_of(release)
        wanted = recipe.binding(release.id, variables)
        chosen = [choice.captured for choice in self.choices] or [{}]
        for found in ({**self.captured, **choice} for choice in chosen):
            is_same_account = all(variables.get(name) == value for name, value in found.items())
            if is_same_account and same(
                recipe.binding(release.id, {**self.variables, **found}), wanted
            ):
                return True
        return False


class _Proof(NamedTuple):
    """What only the browser of a flow has brought: its state, and the verifier of PKCE."""

    state: str
    verifier: str


@dataclass(frozen=True, slots=True)
class _Flow:
    """A flow as it is stored."""

    key: str
    item: Item

    @property
    def organization_id(self) -> str:
        return str(self.item["organization_id"])

    @property
    def session_id(self) -> str:
        return str(self.item["session_id"])

    @property
    def variables(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.item["variables"])
        return read

    @property
    def scopes(self) -> tuple[str, ...]:
        return tuple(self.item["scopes"])

    @property
    def origin(self) -> ClientOrigin:
        return ClientOrigin(self.item["application_of"])


class _Failed(Exception):
    """The flow has ended without tokens."""

    def __init__(
        self, outcome: FlowOutcome, code: str | None = None, summary: str | None = None
    ) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.code = code
        self.summary = summary


class CodeFlow:
    """Starts and finishes flows. `subject_of` says whether a session is pending, and who acts."""

    def __init__(
        self,
        table: Table,
        registry: RegistryStore,
        applications: OAuthApplications,
        vault: Vault,
        subject_of: FindsActor,
    ) -> None:
        self._table = table
        self._registry = registry
        self._applications = applications
        self._vault = vault
        self._subject_of = subject_of

    # ---------------------------------------------------------------- start

    def start(self, request: FlowRequest, redirect_uri: str, now: datetime) -> StartedFlow:
        """Begins a flow for a pending session.

        Raises `InvalidConfig` with a pointer to each variable that can't be used, `InvalidInput` if
        the integration has no code flow, or for a scope, and `ApplicationUnusable`.
        """
        release = request.release
        recipe = recipe_of(release)
        authorization = recipe.authorization
        if authorization is None:
            raise InvalidInput.at(
                "", "this integration is not connected by an authorization at its provider"
            )
        # What the flow will find out may be missing; what is given must be right.
        problems = [
            problem
            for problem in recipe.variable_problems(request.variables)
            if problem.pointer.removeprefix("/variables/") not in authorization.captured
        ]
        if problems:
            raise InvalidConfig(problems)
        chosen = self._applications.client_for(
            request.organization_id, release, request.variables, now
        )
        scopes = next(
            tuple(given)
            for given in (request.scopes, chosen.scopes, authorization.scopes)
            if given is not None
        )
        state, browser = secrets.token_urlsafe(_BITS // 8), secrets.token_urlsafe(_BITS // 8)
        url = _authorization_url(
            authorization,
            request.variables,
            chosen.client.client_id,
            redirect_uri=redirect_uri,
            state=state,
            verifier=_verifier(state, browser),
            scopes=scopes,
        )
        expires_at = now + FLOW_LIFETIME
        key = digest(state)
        ends = {"expires_at": epoch_seconds(expires_at)}
        flow = {
            **flow_key(key)._asdict(),
            "organization_id": request.organization_id,
            "session_id": request.session_id,
            "integration_id": release.id,
            "version": release.version,
            "variables": compact(dict(request.variables)).decode(),
            "scopes": list(scopes),
            "redirect_uri": redirect_uri,
            "client_id": chosen.client.client_id,
            "application_of": chosen.origin.organization_id,
            "browser": digest(browser),
            "status": _OPEN,
            "valid_until": to_sortable(expires_at),
            **ends,
        }
        listed = {**listed_flow_key(request.organization_id, key)._asdict(), **ends}
        self._table.transact([Put(flow, ABSENT), Put(listed)])
        cookie = HostCookie(_cookie_name(key), browser, int(FLOW_LIFETIME.total_seconds()))
        return StartedFlow(url, cookie, _public_id(key), expires_at)

    # ---------------------------------------------------------------- finish

    def finish(
        self, raw_query: str, cookies: Mapping[str, str], guard: "EgressGuard", now: datetime
    ) -> FinishedFlow:
        """What the browser brings back from the provider. Never raises for what a request, a tenant
        or a provider may contain."""
        from patchbay.checks.authorization_code import callback_parameters
        from patchbay.checks.templates import ValueRefused

        try:
            parameters = callback_parameters(raw_query)
        except ValueRefused:
            return FinishedFlow(FlowOutcome.MALFORMED)
        found = [
            (name, value, cookies[_cookie_name(digest(value))])
            for name, value in parameters
            if _TOKEN.fullmatch(value) and _cookie_name(digest(value)) in cookies
        ]
        if len(found) != 1:
            return FinishedFlow(FlowOutcome.MALFORMED if found else FlowOutcome.ELSEWHERE)
        [(name, state, browser)] = found
        try:
            return self._finish(name, state, browser, parameters, guard, now)
        except TemporarilyUnavailable:
            return FinishedFlow(FlowOutcome.UNAVAILABLE, _public_id(digest(state)))

    def _finish(
        self,
        name: str,
        state: str,
        browser: str,
        parameters: Iterable[tuple[str, str]],
        guard: "EgressGuard",
        now: datetime,
    ) -> FinishedFlow:
        key = digest(state)
        item = self._table.reread(flow_key(key))
        if item is None or not hmac.compare_digest(digest(browser), item["browser"]):
            return FinishedFlow(FlowOutcome.ELSEWHERE)
        flow = _Flow(key, item)
        done = HostCookie(_cookie_name(key), "", 0)
        if item["status"] != _OPEN:
            # A second load of the page: nothing is sent again.
            return FinishedFlow(_told(item), _public_id(key))
        if now >= from_text(item["valid_until"]):
            return FinishedFlow(FlowOutcome.EXPIRED, _public_id(key), done)
        subject = self._subject_of(flow.organization_id, flow.session_id, now)
        # The first item that an erasure takes is the organization's own.
        if subject is None or self._table.get(organization_key(flow.organization_id)) is None:
            return FinishedFlow(FlowOutcome.ENDED, _public_id(key), done)
        # Whatever can fail without the provider fails before the code is used up.
        self._vault.keys.current(flow.organization_id, now)
        try:
            release = self._registry.release(item["integration_id"], item["version"])
        except NoSuchRelease:
            return FinishedFlow(FlowOutcome.ENDED, _public_id(key), done)
        authorization = recipe_of(release).authorization
        if authorization is None or name != authorization.state_parameter:
            return FinishedFlow(FlowOutcome.MALFORMED, _public_id(key))
        if not self._use_up(flow):
            return FinishedFlow(FlowOutcome.INTERRUPTED, _public_id(key))
        with acting(Actor(subject, now, organization_id=flow.organization_id)):
            proof = _Proof(state, _verifier(state, browser))
            outcome = self._used_up(flow, release, authorization, parameters, proof, guard, now)
        return FinishedFlow(outcome, _public_id(key), done)

    def _use_up(self, flow: _Flow) -> bool:
        """Whether this request is the one that may exchange the code."""
        attempt = secrets.token_hex(8)
        used = Update(
            flow_key(flow.key),
            values={"status": _USED, "attempt": attempt},
            condition=equals("status", _OPEN),
        )
        try:
            self._table.write(used)
        except ConditionFailed as failed:
            # Our own write, whose reply was lost, was repeated.
            return failed.item is not None and failed.item.get("attempt") == attempt
        return True

    def _used_up(
        self,
        flow: _Flow,
        release: "Release",
        authorization: "AuthorizationRecipe",
        parameters: Iterable[tuple[str, str]],
        proof: _Proof,
        guard: "EgressGuard",
        now: datetime,
    ) -> FlowOutcome:
        try:
            client = self._client(flow, release, flow.variables, now)
            code, found = _answer(authorization, client, parameters, flow.variables)
            variables = {**flow.variables, **found}
            if found:
                # What the browser brought may have changed where the secret would go.
                client = self._client(flow, release, variables, now)
            exchanged = asyncio.run(
                _exchange(
                    authorization,
                    client,
                    variables,
                    code=code,
                    redirect_uri=flow.item["redirect_uri"],
                    proof=proof,
                    guard=guard,
                )
            )
            captured = {**found, **exchanged.captured}
            self._store(flow, release, replace(exchanged, captured=captured), now)
        except _Failed as failed:
            self._fail(flow, failed, now)
            return failed.outcome
        except TemporarilyUnavailable:
            self._fail(flow, _Failed(FlowOutcome.UNAVAILABLE), now)
            return FlowOutcome.UNAVAILABLE
        return FlowOutcome.CONNECTED

    def _client(
        self, flow: _Flow, release: "Release", variables: Mapping[str, Any], now: datetime
    ) -> "OAuthClient":
        """The client that the flow began with; its secret may have been rotated since.

        Raises `_Failed`.
        """
        try:
            client = self._applications.client(flow.origin, release, variables, now)
        except ApplicationUnusable as unusable:
            raise _Failed(FlowOutcome.APPLICATION_UNUSABLE, summary=unusable.message) from unusable
        if client.client_id != flow.item["client_id"]:
            raise _Failed(
                FlowOutcome.APPLICATION_UNUSABLE,
                summary="The OAuth application got another client id in the meantime.",
            )
        return client

    def _store(
        self,
        flow: _Flow,
        release: "Release",
        exchanged: "_Exchanged",
        now: datetime,
    ) -> None:
        """Seals and stores what was issued. Raises `_Failed` if its organization is gone, and
        `TemporarilyUnavailable`."""
        issued, asked = exchanged.issued, flow.scopes
        valid_until = now + OBTAINED_LIFETIME
        plain = {
            "flow": flow.key,
            "integration_id": release.id,
            "version": release.version,
            "application_of": flow.origin.organization_id,
            "redirect_uri": flow.item["redirect_uri"],
            "client_id": flow.item["client_id"],
            "variables": compact(dict(exchanged.variables)).decode(),
            "captured": sorted(exchanged.captured),
            "scopes_asked": list(asked),
            "scopes_missing": issued.missing(asked),
            "obtained_at": to_sortable(now),
            "valid_until": to_sortable(valid_until),
            "expires_at": epoch_seconds(valid_until),
        }
        scope = _scope(flow.organization_id, flow.session_id, release, exchanged.variables)
        event = recorded(
            flow.organization_id,
            Entity.INSTALL_SESSION,
            flow.session_id,
            Action.AUTHORIZED,
            after={
                "integration": f"{release.publisher}/{release.slug}",
                "client_id": flow.item["client_id"],
                "scopes_asked": list(asked),
                "scopes_granted": None if issued.scopes is None else list(issued.scopes),
            },
        )

        def attempt() -> None:
            sealed = self._vault.sealed(scope, {"issued": _text_of(exchanged)}, now)
            self._table.transact(
                [
                    Put({**plain, **sealed}),
                    Check(organization_key(flow.organization_id), PRESENT),
                    key_of(sealed),
                    Update(flow_key(flow.key), values={"outcome": FlowOutcome.CONNECTED.value}),
                    Delete(flow_failure_key(flow.organization_id, flow.session_id)),
                    event,
                ]
            )

        def unless_gone() -> None:
            try:
                attempt()
            except TransactionRefused as refused:
                if 1 in refused.failed:
                    raise _Failed(FlowOutcome.ENDED) from None
                raise

        # Data keys may be rotated between the sealing and the write.
        serially(unless_gone)

    def _fail(self, flow: _Flow, failed: _Failed, now: datetime) -> None:
        """Notes why a flow ended, for the page and for the session; best effort."""
        failure = {
            **flow_failure_key(flow.organization_id, flow.session_id)._asdict(),
            "outcome": failed.outcome.value,
            "at": to_sortable(now),
            "code": failed.code,
            "summary": failed.summary,
            "expires_at": epoch_seconds(now + OBTAINED_LIFETIME),
        }
        writes: list[Write] = [
            Update(flow_key(flow.key), values={"outcome": failed.outcome.value}, condition=PRESENT),
            Put(failure),
            Check(organization_key(flow.organization_id), PRESENT),
        ]
        try:
            self._table.transact(writes)
        except (TransactionRefused, TemporarilyUnavailable):
            logger.warning("the end of a flow was not noted", session_id=flow.session_id)

    # ---------------------------------------------------------------- afterwards

    def obtained(
        self, organization_id: str, session_id: str, now: datetime
    ) -> ObtainedGrant | None:
        """What was issued to a session and not consumed yet; None if there is nothing, or no
        longer. Raises `TemporarilyUnavailable`."""
        item = self._table.reread(secret_key(organization_id, session_id))
        if item is None or now >= from_text(item["valid_until"]):
            return None
        try:
            release = self._registry.release(item["integration_id"], item["version"])
            variables = json.loads(item["variables"])
            scope = _scope(organization_id, session_id, release, variables)
            text = self._vault.open(scope, now).get("issued")
        except (NoSuchRelease, SecretsLost):
            return None
        if text is None:  # consumed in between
            return None
        return _obtained(item, variables, json.loads(text))

    def failure(self, organization_id: str, session_id: str, now: datetime) -> FlowFailure | None:
        """Why the last flow of a session failed; None if it did not, or none has ended."""
        item = self._table.reread(flow_failure_key(organization_id, session_id))
        if item is None or item["expires_at"] <= epoch_seconds(now):
            return None
        return FlowFailure(
            FlowOutcome(item["outcome"]), from_text(item["at"]), item["code"], item["summary"]
        )


def consumed(organization_id: str, session_id: str, obtained: ObtainedGrant) -> Delete:
    """For the transaction that stores the grant: what was obtained is used once."""
    return Delete(secret_key(organization_id, session_id), equals("flow", obtained.flow))


@dataclass(frozen=True, slots=True)
class _Exchanged:
    """What the provider gave for a code. `variables` are all that the flow used."""

    issued: "IssuedTokens"
    variables: Mapping[str, Any]
    captured: Mapping[str, str]
    choices: tuple[Mapping[str, Any], ...] = ()


def _authorization_url(
    recipe: "AuthorizationRecipe",
    variables: Mapping[str, Any],
    client_id: str,
    *,
    redirect_uri: str,
    state: str,
    verifier: str,
    scopes: Sequence[str],
) -> str:
    """Raises `InvalidConfig` at a variable, and `InvalidInput` at a scope."""
    from patchbay.checks.templates import ValueRefused

    challenge = _base64url(hashlib.sha256(verifier.encode()).digest())
    try:
        return recipe.url(
            variables,
            client_id,
            redirect_uri=redirect_uri,
            state=state,
            code_challenge=challenge,
            scopes=scopes,
        )
    except ValueRefused as refused:
        problem = Problem(refused.problem.pointer, refused.problem.message)
        is_variable = problem.pointer.startswith("/variables")
        raise (InvalidConfig if is_variable else InvalidInput)([problem]) from None


def _answer(
    recipe: "AuthorizationRecipe",
    client: "OAuthClient",
    parameters: Iterable[tuple[str, str]],
    variables: Mapping[str, Any],
) -> tuple[str, dict[str, str]]:
    """The code of a callback, and what it captures. Raises `_Failed`."""
    from patchbay.checks.templates import ValueRefused

    try:
        answer = recipe.callback(parameters, client)
    except ValueRefused as refused:
        summary = f"The answer {refused.problem.message}."
        raise _Failed(FlowOutcome.ANSWER_REFUSED, summary=summary) from None
    if not is_issuer(recipe, {**variables, **answer.captured}, answer.iss):
        raise _Failed(FlowOutcome.WRONG_ISSUER)
    if answer.error is not None:
        raise _Failed(outcome_of_error(answer.error))
    if answer.code is None:
        raise _Failed(FlowOutcome.ANSWER_REFUSED, summary="The answer has no code.")
    return answer.code, dict(answer.captured)


async def _exchange(
    recipe: "AuthorizationRecipe",
    client: "OAuthClient",
    variables: Mapping[str, Any],
    *,
    code: str,
    redirect_uri: str,
    proof: _Proof,
    guard: "EgressGuard",
) -> _Exchanged:
    """One exchange, and the look-up after it. Raises `_Failed`."""
    from patchbay.checks.failures import CheckFailure
    from patchbay.checks.redaction import Redactor
    from patchbay.checks.templates import ValueRefused

    hidden = [code, *proof, *client.secrets().values()]
    deadline = asyncio.get_running_loop().time() + EXCHANGE_SECONDS
    guard = guard.for_test()
    choices: tuple[Mapping[str, Any], ...] = ()
    try:
        call = recipe.exchange(
            variables,
            client,
            code=code,
            redirect_uri=redirect_uri,
            code_verifier=proof.verifier,
            state=proof.state,
        )
        hidden += call.secret_values
        issued = await call.run(guard, deadline=deadline)
        hidden += [token for token in (issued.access_token, issued.refresh_token) if token]
        captured = dict(issued.captured)
        found = {**variables, **captured}
        lookup = recipe.lookup(found, issued.access_token, client.client_id)
        if lookup:
            options = await lookup.run(guard, deadline=deadline)
            if len(options) == 1:
                captured |= options[0].captured
            else:
                choices = tuple(
                    {"label": one.label, "captured": dict(one.captured)} for one in options
                )
    except ValueRefused as refused:
        summary = f"The field {refused.problem.pointer} {refused.problem.message}."
        raise _Failed(FlowOutcome.EXCHANGE_FAILED, refused.problem.code, summary) from None
    except CheckFailure as failure:
        summary = Redactor(hidden).sentence(failure.summary)
        raise _Failed(FlowOutcome.EXCHANGE_FAILED, failure.code, summary) from None
    return _Exchanged(issued, {**variables, **captured}, captured, choices)


def _text_of(exchanged: _Exchanged) -> str:
    """What was issued, as JSON."""
    issued = exchanged.issued
    return compact(
        {
            "access_token": issued.access_token,
            "refresh_token": issued.refresh_token,
            "expires_in_seconds": issued.expires_in_seconds,
            "refresh_expires_in_seconds": issued.refresh_expires_in_seconds,
            "scopes": None if issued.scopes is None else list(issued.scopes),
            "choices": list(exchanged.choices),
        }
    ).decode()


def _obtained(item: Item, variables: Mapping[str, Any], read: Mapping[str, Any]) -> ObtainedGrant:
    from patchbay.checks.token_calls import IssuedTokens

    captured = {name: variables[name] for name in item["captured"]}
    scopes = read["scopes"]
    return ObtainedGrant(
        issued=IssuedTokens(
            read["access_token"],
            read["refresh_token"],
            read["expires_in_seconds"],
            read["refresh_expires_in_seconds"],
            None if scopes is None else tuple(scopes),
            captured,
        ),
        origin=ClientOrigin(item["application_of"]),
        variables=variables,
        captured=captured,
        choices=tuple(Choice(one["label"], one["captured"]) for one in read["choices"]),
        integration_id=item["integration_id"],
        version=item["version"],
        scopes_asked=tuple(item["scopes_asked"]),
        missing=tuple(item["scopes_missing"]),
        obtained_at=from_text(item["obtained_at"]),
        flow=item["flow"],
        redirect_uri=item.get("redirect_uri"),
        client_id=item.get("client_id"),
    )


def _scope(
    organization_id: str, session_id: str, release: "Release", variables: Mapping[str, Any]
) -> SecretScope:
    binding = recipe_of(release).binding(release.id, variables)
    return SecretScope.bound(
        organization_id, session_id, {"session": session_id, "binding": binding}
    )


def _told(item: Item) -> FlowOutcome:
    """What the page says of a flow that was used before."""
    return FlowOutcome(item["outcome"]) if "outcome" in item else FlowOutcome.INTERRUPTED


def _verifier(state: str, browser: str) -> str:
    """The code verifier of PKCE: 256 bits that follow from what only this browser's request has."""
    return _base64url(hmac.new(browser.encode(), f"pkce:{state}".encode(), "sha256").digest())


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _public_id(key: str) -> str:
    """What names a flow to scripts. The hash of a random state does not tell the state."""
    return key[:32]


def _cookie_name(key: str) -> str:
    """Each flow has its own, so that several tabs may be at it."""
    return f"{_COOKIE}{_public_id(key)}"
