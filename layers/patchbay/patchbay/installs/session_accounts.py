"""The accounts that end users connect at a provider, for their sessions.

The code flow obtains the tokens before the session is completed. They are sealed for the session
until then, and given to a source only if they are sent where the flow would have sent them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from patchbay.connections.endpoint_model import Endpoint
from patchbay.grants.applications import OAuthApplications
from patchbay.grants.code_flow import CodeFlow, FlowRequest, ObtainedGrant, StartedFlow
from patchbay.grants.flow_outcomes import WORDS
from patchbay.grants.grants import Grants
from patchbay.installs.model import (
    AccountChoice,
    AuthorizationFailure,
    AuthorizationStep,
    InstallSession,
)
from patchbay.installs.session_subject import SessionSubject
from patchbay.platform.dynamodb import Item
from patchbay.platform.errors import ApplicationUnusable, AuthorizationRequired, InvalidInput
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of

TOKENS: Final = frozenset({"access_token", "refresh_token"})


class SessionAccounts:
    """What sessions have of the code flow."""

    def __init__(self, flow: CodeFlow, applications: OAuthApplications, grants: Grants) -> None:
        self._flow = flow
        self._applications = applications
        self._grants = grants

    def start(
        self,
        session: InstallSession,
        subject: SessionSubject,
        variables: Mapping[str, Any],
        redirect_uri: str,
        now: datetime,
    ) -> StartedFlow:
        """Raises as `CodeFlow.start`."""
        request = FlowRequest(session.organization_id, session.id, subject.release, variables)
        return self._flow.start(request, redirect_uri, now)

    def step(
        self, session: InstallSession, subject: SessionSubject, now: datetime
    ) -> AuthorizationStep | None:
        """Where the session stands with its account; None if no account is connected this way."""
        release = subject.release
        authorization = recipe_of(release).authorization
        if authorization is None:
            return None
        asked: Sequence[str] = authorization.scopes
        try:
            of_application = self._application_scopes(session, subject, now)
            asked = asked if of_application is None else of_application
        except ApplicationUnusable as unusable:
            if unusable.details["reason"] == "missing":
                return None  # tokens can still be entered by hand
        obtained = self._flow.obtained(session.organization_id, session.id, now)
        failure = self._flow.failure(session.organization_id, session.id, now)
        return AuthorizationStep(
            scopes=list(obtained.scopes_asked if obtained else asked),
            found_variables=sorted(authorization.captured),
            authorized=obtained is not None,
            kept=_is_granted(subject.source),
            scopes_granted=_listed(obtained.issued.scopes) if obtained else None,
            scopes_missing=list(obtained.missing) if obtained else [],
            choices=[
                AccountChoice(label=choice.label, variables=dict(choice.captured))
                for choice in (obtained.choices if obtained else ())
            ],
            failure=AuthorizationFailure(
                outcome=failure.outcome.value,
                title=WORDS[failure.outcome].title,
                text=WORDS[failure.outcome].text,
                code=failure.code,
                summary=failure.summary,
                at=failure.at,
            )
            if failure and obtained is None
            else None,
        )

    def obtained(
        self, session: InstallSession, subject: SessionSubject, now: datetime
    ) -> ObtainedGrant | None:
        """What the provider issued to the session; None without any."""
        if recipe_of(subject.release).authorization is None:
            return None
        return self._flow.obtained(session.organization_id, session.id, now)

    def granted(self, endpoint: Endpoint, release: Release, obtained: ObtainedGrant) -> Item:
        """The item of the grant of an endpoint. Raises `TemporarilyUnavailable`."""
        return self._grants.new_item(
            endpoint,
            release,
            obtained.issued,
            obtained.origin,
            obtained.obtained_at,
            scopes_asked=obtained.scopes_asked,
            redirect_uri=obtained.redirect_uri,
        )

    def _application_scopes(
        self, session: InstallSession, subject: SessionSubject, now: datetime
    ) -> tuple[str, ...] | None:
        """The scopes that the OAuth application asks for in place of those of the integration.

        Raises `ApplicationUnusable`, even if there is none.
        """
        variables = {**(subject.source.variables if subject.source else {}), **session.variables}
        organization_id, release = session.organization_id, subject.release
        return self._applications.client_for(organization_id, release, variables, now).scopes


def require_fitting(
    obtained: ObtainedGrant, release: Release, variables: Mapping[str, Any]
) -> None:
    """Raises `AuthorizationRequired` if the tokens are for other values than these, and
    `InvalidInput` if the account has several parts, of which one is to be chosen."""
    if obtained.fits(release, variables):
        return
    if obtained.choices and not any(
        all(variables.get(name) == value for name, value in choice.captured.items())
        for choice in obtained.choices
    ):
        names = dict.fromkeys(name for one in obtained.choices for name in one.captured)
        at = next(iter(names), "")
        raise InvalidInput.at(f"/variables/{at}", "must be one of the choices of the account")
    raise AuthorizationRequired("other_values")


def _is_granted(source: Endpoint | None) -> bool:
    return source is not None and source.granted_at is not None


def _listed(scopes: tuple[str, ...] | None) -> list[str] | None:
    return None if scopes is None else list(scopes)
