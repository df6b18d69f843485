"""The policies of template.yaml are what the functions call: nothing is missing, nothing too much.

A recorder sees every call of botocore while each route is called as its owner, with and without an
Idempotency-Key, page by page, refused and granted; a function without routes gets its sample event.
"""

import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest

from patchbay.platform import aws
from patchbay.platform.dynamodb import Table, connect
from patchbay.platform.sessions import session
from tests.integration.api import FUNCTIONS, sample_event
from tests.integration.conftest import Tenant
from tests.integration.test_isolation import ROUTES, Filling, Route, never_made, owned

__all__ = ["owned"]

type Statement = dict[str, Any]

_OF_TRANSACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_ACTIONS = {"sqs:SendMessageBatch": "sqs:SendMessage"}
"""Where the operation's name is not the action's."""


@dataclass(frozen=True, slots=True)
class Call:
    """What IAM would judge. For DynamoDB `resource` is a table or `table/index/name`."""

    function: str
    action: str
    resource: str = ""
    leading_key: str = ""


class Recorder:
    """Notes which function calls what."""

    def __init__(self) -> None:
        self.calls: set[Call] = set()
        self._function = ""

    def named(self, name: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        def handle(event: Any, context: Any) -> Any:
            outer, self._function = self._function, name
            try:
                return handler(event, context)
            finally:
                self._function = outer

        return handle

    def __call__(self, **told: Any) -> None:
        params, model = told["params"], told["model"]
        service = model.service_model.service_name
        if not self._function:
            return  # the test's own look into a table
        for operation, request in _parts(model.name, params):
            action = f"{service}:{operation}"
            resource = request.get("TableName", "")
            if "IndexName" in request:
                resource += f"/index/{request['IndexName']}"
            self.calls.add(
                Call(self._function, _ACTIONS.get(action, action), resource, _leading_key(request))
            )


def _parts(operation: str, params: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A transaction needs the permissions of its parts."""
    if operation == "TransactWriteItems":
        for action in params["TransactItems"]:
            [(verb, request)] = action.items()
            yield _OF_TRANSACTIONS[verb], request
    else:
        yield operation, params


def _leading_key(request: dict[str, Any]) -> str:
    item = request.get("Key") or request.get("Item")
    if item and "pk" in item:
        return str(item["pk"]["S"])
    values = request.get("ExpressionAttributeValues", {})
    return str(values.get(":pk", {}).get("S", ""))


@pytest.fixture
def recorder(deployed: dict[str, Table], monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    for name in FUNCTIONS:
        module = importlib.import_module(name)
        monkeypatch.setattr(module, "handler", recorder.named(name, module.handler))
    for client in (connect(), aws.client("kms")):
        client.meta.events.register("before-parameter-build", recorder)
    # Clients that are made from now on report too, whatever service they are for.
    session().register("before-parameter-build", recorder)
    return recorder


def called_by_owner(tenant: Tenant, filling: Filling, route: Route) -> None:
    """One route in the ways that make a difference to what is called."""
    path, body = filling.path(route), filling.body(route)
    text = None if body is None else json.dumps(body)
    call = tenant.client.call
    if route.method == "POST":
        once = {"idempotency_key": route.operation["operationId"]}
        refused = None if body is None else json.dumps(never_made().body(route))
        for place, sent, headers in (
            (path, text, once),
            (path, text, once),
            (path, text, {}),
            (path, refused, {"idempotency_key": "refused"}),
            (never_made().path(route), text, {"idempotency_key": "nowhere"}),
        ):
            assert call(route.method, place, sent, headers).status < 500
    elif "cursor" in route.query:
        for name in set(route.query) & set(filling.names):
            assert call("GET", f"{path}?{name}={filling.names[name]}", None).status < 500
        page = call("GET", f"{path}?limit=1", None)
        assert page.status in (200, 403), page.text
        if page.status == 200 and page.json["next_cursor"]:
            again = call("GET", f"{path}?limit=1&cursor={page.json['next_cursor']}", None)
            assert again.status == 200
    else:
        assert call(route.method, path, text).status < 500


@pytest.fixture
def calls(recorder: Recorder, tenant: Tenant, operator: Tenant, owned: Filling) -> set[Call]:
    order = ["POST", "GET", "PATCH", "DELETE"]
    # What is inside goes before what holds it.
    routes = sorted(ROUTES, key=lambda route: (order.index(route.method), -len(route.path)))
    for methods in (order[:1], order[1:]):
        for caller in (tenant, operator):
            for route in routes:
                if route.method in methods:
                    called_by_owner(caller, owned, route)
            start_cold()
    for name in FUNCTIONS:
        module = importlib.import_module(name)
        if not hasattr(module, "api"):
            module.handler(sample_event(name), None)
    return recorder.calls


def start_cold() -> None:
    """As in a new process, nothing is remembered."""
    for name in FUNCTIONS:
        for member in vars(importlib.import_module(name)).values():
            if hasattr(member, "cache_clear"):
                member.cache_clear()


def test_each_function_may_do_what_it_does_and_no_more(
    calls: set[Call], template: dict[str, Any]
) -> None:
    missing, unused = [], []
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties = resource["Properties"]
        function = properties["Handler"].partition(".")[0]
        own = [call for call in calls if call.function == function]
        statements = [s for p in properties.get("Policies", []) for s in p["Statement"]]
        missing += [call for call in own if not any(allows(s, call) for s in statements)]
        for statement in statements:
            used = [call for call in own if allows(statement, call)]
            actions = {call.action for call in used}
            unused += [(function, a) for a in statement["Action"] if a not in actions]
            targets = {call.resource for call in used}
            tables = [name for name in resources_of(statement) if "Table" in name]
            unused += [(function, name) for name in tables if name not in targets]
    assert sorted(missing, key=repr) == []
    assert [" ".join(one) for one in unused] == []
    assert {call.function for call in calls} >= {"authorizer", "tenancy", "registry", "connections"}


def allows(statement: Statement, call: Call) -> bool:
    if call.action not in statement["Action"]:
        return False
    if call.resource and call.resource not in resources_of(statement):
        return False
    keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {})
    patterns = keys.get("dynamodb:LeadingKeys", ["*"])
    return any(fnmatchcase(call.leading_key, pattern) for pattern in patterns)


def resources_of(statement: Statement) -> list[str]:
    """Tables by their logical names, indexes as `table/index/name`, others as they are written."""
    resource = statement["Resource"]
    return [_name(one) for one in (resource if isinstance(resource, list) else [resource])]


def _name(resource: Any) -> str:
    [text] = resource.values() if isinstance(resource, dict) else [resource]
    return str(text).replace("${", "").replace("}", "").replace(".Arn", "")
