"""Rules of the API that its document can't say: where a request that fits it may be refused.

The check that what fits is accepted stays on for every operation; an answer is let pass only if
each of its problems is one of these.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Unsaid:
    """A problem, by where it is (`pointer`) and what it says (`message`): regular expressions."""

    pointer: str
    message: str
    reason: str
    statuses: tuple[int, ...] = (400,)
    operations: str = ".*"
    never: str = "(?!)"
    """What the document does say: pointer and message of problems that are no exception."""

    def covers(self, operation: str, status: int, problem: Mapping[str, Any]) -> bool:
        return (
            status in self.statuses
            and re.fullmatch(self.operations, operation) is not None
            and re.fullmatch(self.pointer, problem["pointer"]) is not None
            and re.fullmatch(self.message, problem["message"]) is not None
            and re.fullmatch(self.never, f"{problem['pointer']} {problem['message']}") is None
        )


NOT_THERE = (
    "is not the id of a space of your organization|is not the slug of a space of this organization"
    "|is not a (source|destination) of this organization"
    "|no release matches .*|has no release that is .*|is not an integration that you can use"
    "|does not name a source of this organization"
    "|no connection of this space has this id|the rule has no channel of this kind .*"
    "|this deployment does not allow this topic"
)

EXCEPTIONS = [
    Unsaid("/query/cursor", "start again without a cursor", "a cursor is what a list gave, sealed"),
    Unsaid(".*", NOT_THERE, "it depends on what is there whether a name names anything"),
    Unsaid(".*", "must be an integer", "JSON Schema takes 1.0 for an integer"),
    Unsaid(
        ".*",
        r"must have at most \d+ bytes as JSON|must not be nested deeper than \d+ levels",
        "no keyword bounds bytes or depth",
    ),
    Unsaid(
        ".*/(occurred_at|since|until|expires_at)",
        "must not be before .*, the oldest time that is stored|must not be more than .* ahead"
        "|must be in the future|is out of range|is not a valid timestamp",
        "the bounds of a time move with the clock",
    ),
    Unsaid(
        "/secret(_r|R)ef",
        "must have the form .*|must be in .* region|can't be combined with secrets; .*",
        "whose a reference is depends on the organization",
        operations="(POST|PATCH) .*/(sources|destinations|connection)(/.*)?",
    ),
    Unsaid(
        "/status_page/url",
        "must be left out, or as it was read",
        "the address of a page is random",
        operations="PATCH /spaces/.*",
    ),
    Unsaid(
        "/condition(/.*)?",
        ".*",
        "the patch of a condition is judged with what it is merged into",
        operations="PATCH .*/alert-rules/.*",
    ),
    Unsaid(
        "/(variables|config|configurations|secrets)(/.*)?",
        ".*",
        "the schemas of the release judge what an endpoint or a connection is given",
        operations="(POST|PATCH) .*/(sources|destinations|connections|connection|install.*)(/.*)?",
        never=r"/\w+ must be an object|/secrets/\S+ must be a string",
    ),
    Unsaid(
        "/(secrets/.*|secret_ref)",
        "must be entered again",
        "it depends on where the stored secrets go",
        (422,),
        "(PATCH .*/(sources|destinations)/.*|POST .*/connection/update/.*)",
    ),
    Unsaid(
        "(/query)?/publisher",
        "must have a letter or a digit|is too long: .*|must not mix Latin letters .*",
        "the key of a name is computed",
    ),
    Unsaid(
        "/query/test",
        "can't be combined with dry_run",
        "no schema spans two query parameters",
    ),
    Unsaid(
        "/integration_id",
        "is required, unless integration is given, .*",
        "a schema that says either of two members confuses generators",
        operations="POST .*/(sources|destinations)/test",
    ),
    Unsaid(
        "/version",
        "can't be combined with integration_id.*",
        "as above",
        operations="POST .*/(sources|destinations)/test",
    ),
    Unsaid(
        "/query/(follow|progress)",
        "needs mode=async: .*|can't be combined with mode=async: .*",
        "no schema spans two query parameters",
        operations="POST .*/test",
    ),
    Unsaid("/query/until", "must be after since", "as above"),
    Unsaid("/query/days", "must be at most .* with interval=hour", "as above"),
    Unsaid(
        "(/rule)?/condition",
        "must have a short window that .*|must not have a recovery_threshold .*|.* for connections",
        "no keyword compares two members",
        operations=".*/alert-rules(/.*)?",
    ),
    Unsaid(
        "/(client_secret|private_key|shared|variables/.*)",
        "is required: .*|must be a private key .*|must have .* bits|must be a key of .*"
        "|does not decide which host .*|must not begin or end with white space",
        "the release says which secret a client has, and which variables decide where it goes",
        operations="(POST|PATCH) .*/oauth-applications(/.*)?",
    ),
    Unsaid(
        "/(client_secret|private_key)",
        "must be entered again",
        "it depends on what the stored secrets are bound to",
        (422,),
        "PATCH .*/oauth-applications/.*",
    ),
    Unsaid(
        "/query/confirm",
        "must be the id of the organization",
        "what confirms is the organization of the path",
        operations="DELETE (.*/data-keys|/v1/organizations/.*)",
    ),
    Unsaid(
        "/query/through",
        "must be at most the number of the current key",
        "it depends on how often the keys were rotated",
        operations="DELETE .*/data-keys",
    ),
    Unsaid(
        ".*/channels/[0-9]+/url",
        ".*",
        "the egress policy judges addresses",
        operations=".*/alert-rules(/.*)?",
    ),
    Unsaid(
        "",
        "must have one of api_key and code",
        "as above",
        operations="POST /v1/browser-sessions",
    ),
    Unsaid(
        "/permissions/[0-9]+",
        "can't be held by a browser: .*",
        "one enumeration has the permissions of keys and of links",
        operations="POST .*/sign-in-links",
    ),
    Unsaid(
        "/space",
        "can't be combined with platform.admin",
        "no keyword compares two members",
        operations="POST .*/(api-keys|sign-in-links)",
    ),
    Unsaid(
        "",
        "EXTERNAL_ID_TAKEN",
        "one organization of the deployment has an external id",
        (409,),
        "(POST|PATCH) /v1/organizations(/{organization_id})?",
    ),
    Unsaid(
        "/(integration|version|space|connection_id|monitor|external_account_id)",
        "can't be combined with connection_id: .*|is not the (integration|space) of this connection"
        "|is not a connection of this organization|is for destinations alone: .*",
        "what a repair is of depends on the connection",
        operations="POST .*/install-sessions",
    ),
    Unsaid(
        "/locked/[0-9]+",
        "leads to nothing in variables: .*",
        "no keyword resolves a pointer in another member",
        operations="POST .*/install-sessions",
    ),
    Unsaid(
        "/(return_url|allowed_origins/[0-9]+)",
        "must have a port up to 65535",
        "no pattern compares numbers",
        operations="POST .*/install-sessions",
    ),
    Unsaid("", "PRECONDITION_FAILED", "the entity has another revision", (412,)),
    Unsaid(
        "",
        "TEST_FAILED",
        "the test of a create or an edit asks a server, which may refuse",
        (422,),
        "POST .*/(sources|destinations)|PATCH .*/(sources|destinations)/.*",
    ),
    Unsaid(
        "/(manifest|variablesSchema|authConfig|version)(/.*)?",
        ".*",
        "a draft is free, and is judged when it is published",
        (422,),
        "POST .*/publish",
    ),
]


_DRY_RUN = "POST /v1/organizations/{organization_id}/knowledge/connectors/connections/test"

NAMED_BY_BODY = {(_DRY_RUN, "SOURCE_NOT_FOUND"), (_DRY_RUN, "DESTINATION_NOT_FOUND")}
"""A 404 of what the body names, by operation and code: what the path names may well be there."""

KEPT = {
    "GET /v1/integrations/{integration_id}",
    "GET /v1/integrations/{integration_id}/versions",
    "GET /v1/organizations/{organization_id}/audit-events",
    "GET /v1/organizations/{organization_id}/erasure",
}
"""What can be read of a deleted thing: as long as it can be restored, or of its erasure."""

_CONNECTORS = "/v1/organizations/{organization_id}/knowledge/connectors"

REACHED_ELSEWHERE = {
    # An organization is gone after it: test_documents reads docs/erasure.md, the story of one.
    "GET /v1/organizations/{organization_id}/erasure",
    # Of an account that somebody connected at a provider: test_connect does.
    f"GET {_CONNECTORS}/sources/{{source_id}}/grant",
    f"DELETE {_CONNECTORS}/sources/{{source_id}}/grant",
    f"GET {_CONNECTORS}/destinations/{{destination_id}}/grant",
    f"DELETE {_CONNECTORS}/destinations/{{destination_id}}/grant",
    # Of a browser on a page of ours, and of an identity provider: test_oidc has both.
    "POST /v1/browser-sessions",
    "DELETE /v1/browser-sessions/current",
    "GET /v1/browser-sessions/oidc",
    "GET /v1/browser-sessions/oidc/callback",
}
"""What succeeds only for things that a request alone can't make."""

REPORTED = {"POST /v1/integrations/{integration_id}/publish"}
"""Their dry run reports the problems of a request in a 200 instead of refusing it."""


def reported(operation: str, query: Mapping[str, Any] | None) -> bool:
    """Whether an operation may answer with a report to a request that does not fit."""
    return operation in REPORTED and str((query or {}).get("dry_run")).lower() in ("true", "1")


def named_by_body(operation: str, error: Mapping[str, Any]) -> bool:
    """Whether an error is of what the body names, not of what the path does."""
    return (operation, error["code"]) in NAMED_BY_BODY


def kept(operation: str, answer: Mapping[str, Any]) -> bool:
    """Whether an answer may be of what was deleted: the thing itself has to say so."""
    return operation in KEPT and answer.get("deletedAt", "not told") is not None


def excused(operation: str, status: int, error: Mapping[str, Any]) -> bool:
    """Whether an answer to a request that fits the document is a rule that no schema can say."""
    problems = error["details"].get("errors") or [{"pointer": "", "message": error["code"]}]
    return all(
        any(one.covers(operation, status, problem) for one in EXCEPTIONS) for problem in problems
    )
