"""The routes of the HTTP API, which the emulator leaves out.

SAM describes an HTTP API in the `Body` of `AWS::ApiGatewayV2::Api`, an OpenAPI document with AWS
extensions. The emulator makes the API and its stage but does not read that document, so this does.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mypy_boto3_apigatewayv2 import ApiGatewayV2Client

from local.emulator import REGION, Emulator
from local.problems import Problem
from local.sam import Stack

_API = "Api"
_ACCOUNT = "000000000000"
_FUNCTION_IN_URI = re.compile(r"\$\{(\w+)\.Arn\}")


def configure(emulator: Emulator, stack: Stack) -> str:
    """Make the API's routes exactly those of the template; the answer is the API's id."""
    api_id = stack.physical_ids[_API]
    client = emulator.apigateway()
    _clear(client, api_id)
    document = stack.template["Resources"][_API]["Properties"]["Body"]
    authorizers = {
        name: _create_authorizer(client, api_id, stack, name, scheme)
        for name, scheme in document["components"]["securitySchemes"].items()
    }
    integrations: dict[str, str] = {}
    for route_key, operation in _operations(document):
        function = _function(operation["x-amazon-apigateway-integration"]["uri"])
        if function not in integrations:
            integrations[function] = client.create_integration(
                ApiId=api_id,
                IntegrationType="AWS_PROXY",
                IntegrationUri=_arn(stack, function),
                PayloadFormatVersion="2.0",
            )["IntegrationId"]
        target = f"integrations/{integrations[function]}"
        [authorizer] = [name for choice in operation["security"] for name in choice]
        if authorizer == "NONE":
            client.create_route(ApiId=api_id, RouteKey=route_key, Target=target)
        else:
            client.create_route(
                ApiId=api_id,
                RouteKey=route_key,
                Target=target,
                AuthorizationType="CUSTOM",
                AuthorizerId=authorizers[authorizer],
            )
    return api_id


def _clear(client: ApiGatewayV2Client, api_id: str) -> None:
    for route in client.get_routes(ApiId=api_id)["Items"]:
        client.delete_route(ApiId=api_id, RouteId=route["RouteId"])
    for integration in client.get_integrations(ApiId=api_id)["Items"]:
        client.delete_integration(ApiId=api_id, IntegrationId=integration["IntegrationId"])
    for authorizer in client.get_authorizers(ApiId=api_id)["Items"]:
        client.delete_authorizer(ApiId=api_id, AuthorizerId=authorizer["AuthorizerId"])


def _create_authorizer(
    client: ApiGatewayV2Client, api_id: str, stack: Stack, name: str, scheme: Mapping[str, Any]
) -> str:
    described = scheme["x-amazon-apigateway-authorizer"]
    if described["type"] != "request" or described.get("identitySource"):
        raise Problem(f"the local cloud can't imitate the authorizer {name} of the template")
    return client.create_authorizer(
        ApiId=api_id,
        Name=name,
        AuthorizerType="REQUEST",
        AuthorizerUri=_arn(stack, _function(described["authorizerUri"])),
        AuthorizerPayloadFormatVersion=described["authorizerPayloadFormatVersion"],
        EnableSimpleResponses=described["enableSimpleResponses"],
        IdentitySource=[],
        AuthorizerResultTtlInSeconds=0,
    )["AuthorizerId"]


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if operation.get("isDefaultRoute"):
                yield "$default", operation
            elif method == "x-amazon-apigateway-any-method":
                yield f"ANY {path}", operation
            else:
                yield f"{method.upper()} {path}", operation


def _function(uri: Mapping[str, Any]) -> str:
    """The logical id of the function that an `Fn::Sub` of an invocation address names."""
    match uri["Fn::Sub"]:
        case [_, {"__FunctionArn__": {"Fn::GetAtt": [str(name), "Arn"]}}]:
            return name
        case str(text) if found := _FUNCTION_IN_URI.search(text):
            return found[1]
        case other:
            raise Problem(f"the local cloud can't read the function address {other!r}")


def _arn(stack: Stack, function: str) -> str:
    return f"arn:aws:lambda:{REGION}:{_ACCOUNT}:function:{stack.physical_ids[function]}"
