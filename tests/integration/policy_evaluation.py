"""Judges calls as IAM does, by the evaluator of MiniStack, which the local cloud judges by, too.

AWS does not say how it judges a transaction whose items have different partition keys: each item
with its own key, each with the keys of all, or each without any. So there is a judgment for each
reading. The local cloud sends no keys.
"""

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import ModuleType
from typing import Any, Final

from moto.core.models import DEFAULT_ACCOUNT_ID

from local.paths import MINISTACK_VENV
from tests.integration.account import REGION
from tests.integration.cloudformation import by_default

type Document = dict[str, Any]

LEADING_KEYS: Final = "dynamodb:LeadingKeys"
CONTEXT_KEYS: Final = "kms:EncryptionContextKeys"
_ROLE: Final = f"arn:aws:sts::{DEFAULT_ACCOUNT_ID}:assumed-role/function/function"
_PLACES: Final = {
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
    "AWS::KMS::Key": "kms:{region}:{account}:key/{name}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{name}",
    "secret": "secretsmanager:{region}:{account}:secret:{name}",
}


class Reading(StrEnum):
    """How the items of a transaction, or of a batch, are judged."""

    EACH_ALONE = "each alone"
    """Each with its own partition key."""
    ALL_TOGETHER = "all together"
    """Each with the partition keys of all that are in its table."""
    WITHOUT_KEYS = "without keys"
    """Each as if it had none."""


@dataclass(frozen=True, slots=True)
class Part:
    """One action on one resource. The context has the values of each condition key."""

    action: str
    resource: str
    context: tuple[tuple[str, frozenset[str]], ...] = ()

    @property
    def leading_keys(self) -> frozenset[str]:
        return dict(self.context).get(LEADING_KEYS, frozenset())


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function: of one part, or of as many as its transaction or batch has items."""

    function: str
    parts: tuple[Part, ...]

    def read(self, reading: Reading) -> Iterator[Part]:
        """The parts that all have to be allowed."""
        for part in self.parts:
            if reading is Reading.EACH_ALONE or not part.leading_keys:
                yield part
            elif reading is Reading.WITHOUT_KEYS:
                yield Part(part.action, part.resource)
            else:
                mixed = (one.leading_keys for one in self.parts if one.resource == part.resource)
                keys = frozenset[str]().union(*mixed)
                yield Part(part.action, part.resource, ((LEADING_KEYS, keys),))


@cache
def _evaluator() -> ModuleType:
    """MiniStack's, from its own environment. The module itself needs the standard library only."""
    [path] = MINISTACK_VENV.glob("lib/python*/site-packages/ministack/core/iam_evaluator.py")
    spec = importlib.util.spec_from_file_location("ministack_iam_evaluator", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look for it there
    spec.loader.exec_module(module)
    return module


class Policy:
    """The statements of a role."""

    def __init__(self, statements: Sequence[Document]) -> None:
        self.statements = statements
        document = {"Version": "2012-10-17", "Statement": [*statements]}
        problem = statements and _evaluator().validate_policy_document(document)
        assert not problem, problem
        self._parsed = _evaluator().parse_policy_document(document)
        assert len(self._parsed) == len(statements)

    def decides(self, part: Part) -> str:
        """`Allow`, `Deny` where a statement denies it, and `ImplicitDeny` where none allows it."""
        context = _evaluator().EvalContext(
            principal_arn=_ROLE,
            principal_type="AssumedRole",
            principal_account=DEFAULT_ACCOUNT_ID,
            action=part.action,
            resource_arn=part.resource,
            region=REGION,
            service_context={key.lower(): sorted(values) for key, values in part.context},
        )
        return str(_evaluator().evaluate(context, [self._parsed]).decision)

    def refused(self, call: Call, reading: Reading) -> list[Part]:
        """What is not allowed of a call."""
        return [part for part in call.read(reading) if self.decides(part) != "Allow"]

    def allows(self, calls: Iterable[Call]) -> bool:
        """Whether all of them are allowed, however a transaction is judged."""
        return not any(self.refused(call, reading) for call in calls for reading in Reading)

    def narrower(self) -> Iterator[tuple[str, "Policy"]]:
        """What may be left out, each with the policy without it: an action, a resource, or a
        partition key. A list with a single element goes with its statement."""
        for number, statement in enumerate(self.statements):
            for path in _lists(statement):
                values = _at(statement, path)
                for position, value in enumerate(values):
                    kept = [*values[:position], *values[position + 1 :]]
                    changed = deepcopy([*self.statements])
                    if kept:
                        _at(changed[number], path)[:] = kept
                    else:
                        del changed[number]
                    yield _named(statement, path, value), Policy(changed)


def _lists(statement: Document) -> Iterator[tuple[str, ...]]:
    """The paths of the lists of a statement."""
    yield from (("Action",), ("Resource",))
    for operator, keys in statement.get("Condition", {}).items():
        yield from (("Condition", operator, key) for key in keys if key == LEADING_KEYS)


def _at(statement: Document, path: Sequence[str]) -> list[str]:
    found: Any = statement
    for name in path:
        found = found[name]
    assert isinstance(found, list)
    return found


def _named(statement: Document, path: Sequence[str], value: str) -> str:
    return f"{value} of {' '.join(path)} of {' '.join(statement['Action'])}"


def arn(kind: str, name: str) -> str:
    """Of a thing of the deployment, by its type in the template."""
    place = _PLACES[kind].format(region=REGION, account=DEFAULT_ACCOUNT_ID, name=name)
    return f"arn:aws:{place}"


class DeployedPolicies:
    """The policies of a template's functions, with the values that a deployment gives them.

    What a function has the name of, it has in a variable: `environment` has their values.
    """

    def __init__(
        self, template: Document, environment: Mapping[str, str], parameters: Mapping[str, str]
    ) -> None:
        given = {
            name: template["Parameters"][name] | {"Default": v} for name, v in parameters.items()
        }
        self._template = template | {"Parameters": template["Parameters"] | given}
        self._functions = {
            resource["Properties"]["Handler"].partition(".")[0]: resource["Properties"]
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::Serverless::Function"
        }
        self._arns = dict(self._named(environment))

    def __iter__(self) -> Iterator[tuple[str, Policy]]:
        for function in self._functions:
            yield function, self.of(function)

    def of(self, function: str) -> Policy:
        policies = by_default(self._functions[function].get("Policies", []), self._template)
        return Policy(
            [
                {**statement, "Resource": self._resources(statement["Resource"])}
                for policy in policies
                for statement in policy["Statement"]
            ]
        )

    def _named(self, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """The ARN of each resource that a variable names."""
        for properties in self._functions.values():
            for variable, value in properties["Environment"]["Variables"].items():
                match value:
                    case {"!Ref": name} | {"!GetAtt": name}:
                        logical_id = name.removesuffix(".Arn")
                        kind = self._template["Resources"].get(logical_id, {}).get("Type")
                        if kind in _PLACES:
                            yield logical_id, arn(kind, environment[variable].rpartition("/")[2])

    def _resources(self, resource: Any) -> list[str]:
        match resource:
            case list():
                return [one for each in resource for one in self._resources(each)]
            case {"!GetAtt": str(name)}:
                return [self._arns[name.removesuffix(".Arn")]]
            case {"!Sub": str(text)}:
                for name, value in self._pseudo_parameters().items():
                    text = text.replace(f"${{{name}}}", value)
                assert "${" not in text, text
                return [text]
            case str(text):
                return text.split(",")
        raise AssertionError(resource)

    def _pseudo_parameters(self) -> dict[str, str]:
        return {
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::AccountId": DEFAULT_ACCOUNT_ID,
            "AWS::StackName": "patchbay",
            **{f"{name}.Arn": value for name, value in self._arns.items()},
        }
