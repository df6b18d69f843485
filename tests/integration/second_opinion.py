"""A stack of template.yaml on moto's CloudFormation, and what is made beside it by calls."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.integration.moto_server import MotoServer
from tests.integration.transformed import ARTIFACTS, CODE

BY_CALLS: Final = {
    "AWS::ApiGatewayV2::Api": "imported with its body; it ignores authorizers there",
    "AWS::ApiGatewayV2::Stage": "made beside the API",
    "AWS::CloudWatch::Alarm": "put one by one",
    "AWS::Lambda::EventInvokeConfig": "put one by one",
    "AWS::SQS::QueuePolicy": "set as attributes of the queues",
}
"""Types that moto's CloudFormation does not create, and moto does, and how they are made here."""

UNKNOWN: Final = {
    "AWS::Logs::QueryDefinition": "moto has no saved queries at all",
    "AWS::ApiGatewayV2::DomainName": "needs CertificateArn, and there is no certificate here",
    "AWS::ApiGatewayV2::ApiMapping": "needs CertificateArn, and there is no certificate here",
}
"""Types that are not created here, with the reason."""

DROPPED: Final = {
    "Table.TimeToLiveSpecification": "set by a call",
    "Table.PointInTimeRecoverySpecification": "set by a call",
    "Function.Architectures": "moto says x86_64",
    "Function.Layers": "a reference to a layer gives no ARN, so they are left out here",
    "Function.LoggingConfig": "moto takes it from calls only",
    "Function.RecursiveLoop": "moto does not know it",
}
"""Properties that moto's CloudFormation ignores. The other tests of the template hold them."""

NEVER_DELETED: Final = {
    "AWS::IAM::ManagedPolicy": "detached from its roles by calls, which can't be deleted otherwise",
    "AWS::Lambda::LayerVersion": "nothing can be done",
}
"""Types that moto's CloudFormation leaves behind where it should delete them."""

NOT_REFERRED_TO: Final = {
    "AWS::Events::EventBus": "its name is an attribute",
    "AWS::Lambda::LayerVersion": "functions are created without layers",
}
"""Types whose `Ref` is no text in moto, and what is done instead."""

_API: Final = "Api"


@dataclass(frozen=True, slots=True)
class Stack:
    server: MotoServer
    name: str
    template: Mapping[str, Any]
    """As CloudFormation deploys it."""
    api_id: str

    @property
    def summaries(self) -> dict[str, tuple[str, str]]:
        """Type and physical id of what moto created, by logical id."""
        pages = self._formation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {
            one["LogicalResourceId"]: (one["ResourceType"], one["PhysicalResourceId"])
            for page in pages
            for one in page["StackResourceSummaries"]
            # What moto did not create is listed without a name
            if one["LogicalResourceId"]
        }

    def ids(self, kind: str) -> dict[str, str]:
        """Physical ids of the resources of this type, by logical id."""
        return {name: found for name, (of, found) in self.summaries.items() if of == kind}

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties in the template, by logical id."""
        return {
            name: resource["Properties"]
            for name, resource in self.template["Resources"].items()
            if resource["Type"] == kind
        }

    def resolved(self, kind: str) -> dict[str, Any]:
        """Properties of the resources of this type, with the names of what there is."""
        return {name: json.loads(self._outputs[_output(name)]) for name in self.resources(kind)}

    def reference(self, kind: str) -> str:
        """What a `Ref` to a resource of this type of `NOT_REFERRED_TO` gives."""
        return self._outputs[_output(kind.replace(":", ""))]

    def update(self, parameters: Mapping[str, str]) -> None:
        """Deploy the same template with these parameters."""
        self._formation.update_stack(**_request(self.name, self.api_id, parameters))
        assert self.status == "UPDATE_COMPLETE", self.server.log.read_text()[-2000:]

    def delete(self) -> None:
        roles = self.server.client("iam")
        for policy in self.ids("AWS::IAM::ManagedPolicy").values():
            for role in roles.list_entities_for_policy(PolicyArn=policy)["PolicyRoles"]:
                roles.detach_role_policy(RoleName=role["RoleName"], PolicyArn=policy)
        self._formation.delete_stack(StackName=self.name)

    @property
    def status(self) -> str:
        [stack] = self._formation.describe_stacks(StackName=self.name)["Stacks"]
        status: str = stack["StackStatus"]
        return status

    @property
    def _outputs(self) -> dict[str, str]:
        [stack] = self._formation.describe_stacks(StackName=self.name)["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    @property
    def _formation(self) -> Any:
        return self.server.client("cloudformation")


def create(server: MotoServer, name: str, template: Mapping[str, Any]) -> Stack:
    """A stack that moto has created, and nothing beside it."""
    _upload(server, name, template)
    # Functions, permissions, and alarms name the API, whose body names the functions
    api = server.client("apigatewayv2").create_api(Name=name, ProtocolType="HTTP")["ApiId"]
    server.client("cloudformation").create_stack(
        Capabilities=["CAPABILITY_IAM"], **_request(name, api, {})
    )
    stack = Stack(server, name, template, api)
    assert stack.status == "CREATE_COMPLETE", server.log.read_text()[-2000:]
    return stack


def complete(stack: Stack) -> None:
    """Make by calls what moto's CloudFormation does not."""
    gateway = stack.server.client("apigatewayv2")
    [api] = stack.resolved("AWS::ApiGatewayV2::Api").values()
    gateway.reimport_api(ApiId=stack.api_id, Body=json.dumps(api["Body"]))
    [stage] = stack.resolved("AWS::ApiGatewayV2::Stage").values()
    gateway.create_stage(**stage)
    for name, alarm in stack.resolved("AWS::CloudWatch::Alarm").items():
        stack.server.client("cloudwatch").put_metric_alarm(AlarmName=name, **alarm)
    for config in stack.resolved("AWS::Lambda::EventInvokeConfig").values():
        stack.server.client("lambda").put_function_event_invoke_config(**config)
    queues = stack.server.client("sqs")
    for policy in stack.resolved("AWS::SQS::QueuePolicy").values():
        for url in policy["Queues"]:
            attributes = {"Policy": json.dumps(policy["PolicyDocument"])}
            queues.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    tables = stack.server.client("dynamodb")
    names = stack.ids("AWS::DynamoDB::Table")
    for name, table in stack.resources("AWS::DynamoDB::Table").items():
        for call, field in (
            (tables.update_time_to_live, "TimeToLiveSpecification"),
            (tables.update_continuous_backups, "PointInTimeRecoverySpecification"),
        ):
            call(TableName=names[name], **{field: table[field]})


def _upload(server: MotoServer, name: str, template: Mapping[str, Any]) -> None:
    bucket = server.client("s3")
    bucket.create_bucket(Bucket=ARTIFACTS)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("authorizer.py", "")
    bucket.put_object(Bucket=ARTIFACTS, Key=CODE, Body=packed.getvalue())
    bucket.put_object(Bucket=ARTIFACTS, Key=name, Body=json.dumps(_for_moto(template)))


def _request(name: str, api_id: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    return {
        "StackName": name,
        "TemplateURL": f"https://{ARTIFACTS}.s3.amazonaws.com/{name}",
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in {**parameters, _API: api_id}.items()
        ],
    }


def _for_moto(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template as moto reads it.

    - The API is there before, and is a parameter.
    - What is made by calls is an output, so that moto fills in the names.
    - Nothing refers to what gives no text (`NOT_REFERRED_TO`), but outputs that show it.
    """
    resources = {
        name: _with_bus_names(resource)
        for name, resource in template["Resources"].items()
        if name != _API
    }
    for resource in resources.values():
        if resource["Type"] == "AWS::Lambda::Function":
            del resource["Properties"]["Layers"]
    outputs = {
        _output(name): {"Value": {"Fn::ToJsonString": _with_bus_names(resource["Properties"])}}
        for name, resource in template["Resources"].items()
        if resource["Type"] in BY_CALLS
    }
    outputs |= {
        _output(resource["Type"].replace(":", "")): {"Value": {"Ref": name}}
        for name, resource in resources.items()
        if resource["Type"] in NOT_REFERRED_TO and "Condition" not in resource
    }
    return {
        **template,
        "Parameters": {**template["Parameters"], _API: {"Type": "String"}},
        "Resources": resources,
        "Outputs": {**template["Outputs"], **outputs},
    }


def _output(name: str) -> str:
    return f"{name}Properties"


def _with_bus_names(value: Any) -> Any:
    match value:
        case {"Ref": "IntegrationBus"}:
            return {"Fn::GetAtt": ["IntegrationBus", "Name"]}
        case dict():
            return {key: _with_bus_names(one) for key, one in value.items()}
        case list():
            return [_with_bus_names(one) for one in value]
    return value
