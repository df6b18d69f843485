"""What an end user is asked for. Pure: no secret's value comes in here."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from patchbay.checks.report import Step
from patchbay.connection_tests.model import RecordedTest
from patchbay.connections.connection_model import Connection
from patchbay.installs.model import (
    AuthorizationStep,
    FoundProblem,
    InstalledIntegration,
    InstallForm,
    InstallSession,
    RepairedConnection,
    SecretField,
)
from patchbay.installs.session_subject import SessionSubject
from patchbay.installs.session_values import prefilled
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of

if TYPE_CHECKING:
    from patchbay.checks.recipe import Recipe

_OF_DESTINATION: Final = "destination: "
"""How the steps of a destination begin, in a test of both endpoints."""


def form_of(
    session: InstallSession,
    subject: SessionSubject,
    organization_name: str,
    authorization: AuthorizationStep | None,
    repair: RepairedConnection | None,
) -> InstallForm:
    release, source = subject.release, subject.source
    return InstallForm(
        session_id=session.id,
        mode="repair" if repair else "install",
        expires_at=session.expires_at,
        organization_name=organization_name,
        end_user_name=session.end_user.name if session.end_user else None,
        return_url=session.return_url,
        allowed_origins=session.allowed_origins,
        integration=InstalledIntegration(
            integration=session.integration,
            name=release.name,
            description=release.description,
            icon_url=release.icon_url,
            publisher=release.publisher,
            trust_tier=release.trust_tier,
            version=release.version,
            capabilities=list(recipe_of(release).capabilities),
        ),
        variables_schema=release.variables_schema,
        variables=prefilled(session, source, release),
        locked=session.locked,
        secrets=_secret_fields(
            release,
            stored=source.secrets_set if source else (),
            left_out=_left_out(recipe_of(release), authorization),
        ),
        authorization=authorization,
        configurations_schema={} if repair else dict(recipe_of(release).configuration_schema),
        monitor=session.monitor,
        repair=repair,
    )


def repaired_connection(
    connection: Connection, test: RecordedTest | None, other_connections: int
) -> RepairedConnection:
    """What is wrong with a connection, as its newest test found."""
    return RepairedConnection(
        name=connection.name,
        status=connection.health.status,
        tested_at=test.finished_at if test else None,
        problems=[_found(step) for step in test.steps if _is_told(step)] if test else [],
        other_connections=other_connections,
    )


def _left_out(recipe: "Recipe", authorization: object) -> Collection[str]:
    """The secrets that nobody enters: what an account stands for, or what a client is issued by
    itself. Without an OAuth application the tokens of an account are entered by hand."""
    if authorization is None and recipe.authorization is not None:
        return ()
    return set(recipe.credentials) - set(recipe.asked_secrets)


def _secret_fields(
    release: Release, stored: Collection[str], left_out: Collection[str]
) -> list[SecretField]:
    recipe = recipe_of(release)
    declared = recipe.secrets_schema.get("properties", {})
    return [
        SecretField(
            name=name,
            value_schema=declared.get(name, {"type": "string"}),
            required=name in recipe.required_secrets,
            is_set=name in stored,
        )
        for name in recipe.secret_names
        if name not in left_out
    ]


def _is_told(step: Step) -> bool:
    """Not what is wrong at the destination, which is not the end user's to repair."""
    return (
        step.code is not None
        and step.diagnosis is not None
        and not step.name.startswith(_OF_DESTINATION)
    )


def _found(step: Step) -> FoundProblem:
    if step.code is None or step.diagnosis is None:
        raise ValueError("this step found nothing")
    return FoundProblem(
        code=step.code,
        summary=step.summary,
        title=step.diagnosis.title,
        remediation=step.diagnosis.remediation,
        field_pointer=step.field_pointer,
    )
