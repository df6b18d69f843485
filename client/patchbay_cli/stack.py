"""A stack of Patchbay in an AWS account: what CloudFormation says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from patchbay_cli.aws_account import AwsAccount, AwsRefused
from patchbay_cli.run import CommandFailed


@dataclass
class Stack:
    """What there is of a stack."""

    account: AwsAccount
    name: str
    status: str
    changed_at: datetime
    is_protected: bool
    drift: str
    parameters: dict[str, str]
    outputs: dict[str, str]

    @classmethod
    def read(cls, account: AwsAccount, name: str) -> Stack:
        """Raises `CommandFailed` if there is none of this name, and `Unseen`."""
        try:
            [found] = account.ask("cloudformation", "describe_stacks", StackName=name)["Stacks"]
        except (AwsRefused, ValueError):
            raise CommandFailed(f"there is no stack {name} in {account.region}") from None
        return cls(
            account,
            found["StackName"],
            found["StackStatus"],
            found.get("LastUpdatedTime") or found["CreationTime"],
            bool(found.get("EnableTerminationProtection")),
            found.get("DriftInformation", {}).get("StackDriftStatus", "NOT_CHECKED"),
            {
                one["ParameterKey"]: one.get("ParameterValue", "")
                for one in found.get("Parameters", ())
            },
            {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())},
        )

    @cached_property
    def resources(self) -> dict[str, tuple[str, str]]:
        """Type and physical id of each resource, by its logical id."""
        listed = self.account.all(
            "cloudformation",
            "list_stack_resources",
            "StackResourceSummaries",
            StackName=self.name,
        )
        return {
            one["LogicalResourceId"]: (one["ResourceType"], one["PhysicalResourceId"])
            for one in listed
            if one.get("PhysicalResourceId")
        }

    @cached_property
    def template(self) -> dict[str, Any]:
        """What was deployed, after all transforms."""
        body = self.account.ask(
            "cloudformation", "get_template", StackName=self.name, TemplateStage="Processed"
        )["TemplateBody"]
        found: dict[str, Any] = json.loads(body) if isinstance(body, str) else body
        return found

    def of(self, kind: str) -> Iterator[tuple[str, str]]:
        """Logical and physical id of the resources of a type."""
        for logical, (found, physical) in self.resources.items():
            if found == kind:
                yield logical, physical
