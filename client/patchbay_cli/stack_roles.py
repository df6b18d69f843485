"""Whether the roles of a stack may do what its template says, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from patchbay_cli.findings import OK, PROBLEM, Finding
from patchbay_cli.stack import Stack

_ROLE: Final = "AWS::IAM::Role"
_ADDED: Final = "somebody changed it by hand: a function may do what it is not meant to"
_REMOVE: Final = "remove it, or deploy again if it is of the stack"


def roles(stack: Stack) -> Iterator[Finding]:
    problems: list[Finding] = []
    found = list(stack.of(_ROLE))
    own = dict(stack.of("AWS::IAM::ManagedPolicy"))
    for logical, name in found:
        declared = stack.template["Resources"].get(logical, {}).get("Properties", {})
        attached = {
            one["PolicyArn"]
            for one in stack.account.all(
                "iam", "list_attached_role_policies", "AttachedPolicies", RoleName=name
            )
        }
        problems += _attached(logical, declared, attached - {*own.values()})
        problems += _denials(stack, logical, own, attached)
        problems += _inline(stack, logical, name, declared)
    yield from problems
    if not problems:
        yield Finding("roles", OK, f"{len(found)} roles, as in the template")


def _attached(logical: str, declared: Mapping[str, Any], arns: set[str]) -> Iterator[Finding]:
    # The template builds them of parts: the name is what all have in the end.
    text = json.dumps(declared.get("ManagedPolicyArns", []))
    for arn in sorted(arns):
        if not re.search(rf"{re.escape(arn.rpartition('/')[2])}\b", text):
            yield Finding("roles", PROBLEM, f"{logical} has {arn}", _ADDED, _REMOVE)


def _denials(
    stack: Stack, logical: str, own: Mapping[str, str], attached: set[str]
) -> Iterator[Finding]:
    for policy, arn in own.items():
        declared = stack.template["Resources"].get(policy, {}).get("Properties", {})
        if {"Ref": logical} in declared.get("Roles", ()) and arn not in attached:
            yield Finding(
                "roles",
                PROBLEM,
                f"{logical} lacks {policy}, which denies",
                "the code of the function may use what only Lambda should",
                "deploy again",
            )


def _inline(
    stack: Stack, logical: str, name: str, declared: Mapping[str, Any]
) -> Iterator[Finding]:
    wanted = {one["PolicyName"]: one["PolicyDocument"] for one in _policies(declared)}
    names = stack.account.all("iam", "list_role_policies", "PolicyNames", RoleName=name)
    for policy in map(str, names):
        if policy not in wanted:
            yield Finding("roles", PROBLEM, f"{logical} has {policy}", _ADDED, _REMOVE)
            continue
        answer = stack.account.ask("iam", "get_role_policy", RoleName=name, PolicyName=policy)
        given: dict[str, Any] = answer["PolicyDocument"]
        if more := sorted(_actions(given) - _actions(wanted[policy])):
            yield Finding(
                "roles", PROBLEM, f"{logical} may {', '.join(more)} by {policy}", _ADDED, _REMOVE
            )
        elif _wide(given) > _wide(wanted[policy]):
            yield Finding(
                "roles", PROBLEM, f"{logical} may do so to any resource: {policy}", _ADDED, _REMOVE
            )


def _policies(declared: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The inline policies, those of both branches of a condition."""
    for one in declared.get("Policies", ()):
        branches = one.get("Fn::If", [None, one])[1:]
        yield from (branch for branch in branches if "PolicyName" in branch)


def _statements(value: Any) -> Iterator[Mapping[str, Any]]:
    """Statements that allow, or that a condition of the template lets allow."""
    if isinstance(value, list):
        for one in value:
            yield from _statements(one)
    elif isinstance(value, Mapping):
        if value.get("Effect", "Deny") != "Deny":
            yield value
        for one in value.values():
            yield from _statements(one)


def _actions(document: Mapping[str, Any]) -> set[str]:
    return {action for one in _statements(document) for action in _listed(one.get("Action", []))}


def _wide(document: Mapping[str, Any]) -> int:
    """How many statements are about any resource."""
    return sum("*" in _listed(one.get("Resource", [])) for one in _statements(document))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
