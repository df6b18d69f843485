"""Every operation of the API document is reached by a method, with what the document shows: its
parameters and bodies arrive as they are documented, and its answers are read."""

import asyncio
import inspect
import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from patchbay_sdk import AsyncPages, AsyncPatchbay, Pages, Patchbay, Request, Response
from patchbay_sdk.model import Model

from local.problems import Problem
from local.sdk import Method, Sdk
from local.sdk_types import python_name

BASE: Final = "https://patchbay.example.com"
SDK: Final = Sdk.committed()
PROXIED: Final = {"patchbay-proxied": "true"}


class Documented:
    """A transport that knows the document: it checks what is sent, and answers the example."""

    def __init__(
        self, identifier: str, fixed: str | None = None, answer: str | None = None
    ) -> None:
        self.method, self.path, self.operation = SDK.operations[identifier]
        self.fixed = fixed
        self.answer = answer
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        return self._example()

    def close(self) -> None:
        pass

    def _example(self) -> Response:
        for status, response in self.operation["responses"].items():
            if not status.startswith("2"):
                continue
            for content in response.get("content", {}).values():
                example = content.get("example", "")
                if self.answer:
                    example = example_of(self.answer)
                text = example if isinstance(example, str) else json.dumps(example)
                return Response(int(status), {}, text.encode())
            return Response(int(status))
        return Response(303)

    @cached_property
    def values(self) -> dict[str, Any]:
        """The documented value of each parameter, by its own name."""
        return {
            parameter["name"]: parameter["example"]
            for parameter in self.operation.get("parameters", [])
            if parameter["name"] != "cursor"
        }

    def check(self, without: tuple[str, ...] = ()) -> None:
        """What was sent is what the document shows."""
        [request] = self.requests
        assert request.method == self.method.upper()
        where = urlsplit(request.url)
        pattern = re.sub(r"\\\{\w+\\\}", "(.+)", re.escape(self.path))
        match = re.fullmatch(pattern, where.path)
        assert match, where.path
        found = dict(zip(re.findall(r"\{(\w+)\}", self.path), match.groups(), strict=True))
        found = {name: unquote(value) for name, value in found.items()}
        found |= dict(parse_qsl(where.query))
        found |= {k: v for k, v in request.headers.items() if k in self.values}
        wanted = {k: v for k, v in self.values.items() if k not in without}
        if self.fixed:
            wanted[self.fixed] = True
        assert found == {name: as_text(value) for name, value in wanted.items()}
        content = self.operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content:
            assert json.loads(request.content or b"") == content["example"]
        else:
            assert request.content is None


class AsyncDocumented(Documented):
    async def send(self, request: Request) -> Response:  # type: ignore[override]  # of the other kind
        return super().send(request)

    async def close(self) -> None:  # type: ignore[override]  # of the other kind
        pass


def as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def example_of(name: str) -> Any:
    """An example of a schema that no answer alone has, from those of its fields."""
    schema = SDK.document["components"]["schemas"][name]
    return {field: inner["examples"][0] for field, inner in schema["properties"].items()}


def identifier_of(method: Method) -> str:
    identifier: str = method.operation["operationId"]
    return identifier


def arguments(method: Method, documented: Documented) -> dict[str, Any]:
    body = method.operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    values = {
        k: v for k, v in documented.values.items() if k not in (*method.without, method.fixed)
    }
    both = {**values, **body.get("example", {})}
    return {python_name(name): value for name, value in both.items()}


def unread(value: Any) -> Iterator[str]:
    """The fields of a model, and of those within it, that were not read."""
    if isinstance(value, Model):
        for name in type(value)._fields:
            if not hasattr(value, name):
                yield f"{type(value).__name__}.{name}"
            else:
                yield from unread(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from unread(item)


def check(method: Method, documented: Documented, result: Any) -> None:
    documented.check((*method.without, *([method.fixed] if method.fixed else [])))
    if method.fixed:
        return
    expected = method.answers[0] if method.answers else None
    if method.item:
        assert result
        assert all(isinstance(one, Model) for one in result)
    elif method.media_type is None:
        assert result is None
    elif method.media_type != "application/json":
        assert isinstance(result, str)
    elif expected and "$ref" in expected:
        assert isinstance(result, Model)
        assert result.last_response is not None
    assert list(unread(result)) == []


METHODS: Final = [pytest.param(m, id=f"{m.namespace}.{m.name}") for m in SDK.methods]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_sends_and_reads_what_the_document_shows(method: Method) -> None:
    documented = Documented(identifier_of(method), method.fixed, method.answer)
    client = Patchbay("key", base_url=BASE, transport=documented)
    call = getattr(getattr(client, method.namespace), method.name)

    result = call(**arguments(method, documented))

    if isinstance(result, Pages):
        result = result.first_page().items
    check(method, documented, result)


@pytest.mark.parametrize("method", METHODS)
def test_the_async_client_does_the_same(method: Method) -> None:
    documented = AsyncDocumented(identifier_of(method), method.fixed, method.answer)

    async def run() -> Any:
        client = AsyncPatchbay("key", base_url=BASE, transport=documented)
        call = getattr(getattr(client, method.namespace), method.name)
        result = call(**arguments(method, documented))
        if isinstance(result, AsyncPages):
            return (await result.first_page()).items
        return await result

    check(method, documented, asyncio.run(run()))


def test_no_operation_is_without_a_way_to_reach_it() -> None:
    assert SDK.unnamed() == set()
    by_method = {identifier_of(method) for method in SDK.methods}
    by_hand = {name for names in SDK.table["by_hand"].values() for name in names}
    pages = set(SDK.table["browsers"]["pages"])
    assert by_method | by_hand | pages == SDK.operations.keys()
    assert not by_method & by_hand
    assert not by_method & pages


def test_only_what_is_for_browsers_has_no_method() -> None:
    for name in SDK.table["browsers"]["pages"]:
        method, _, operation = SDK.operations[name]
        types = {
            media_type
            for response in operation["responses"].values()
            for media_type in response.get("content", {})
            if "$ref" not in response
        }
        assert "application/json" not in types, name
        assert not operation.get("security"), name
        assert method in ("get", "head"), name


@pytest.mark.parametrize("name", SDK.table["browsers"]["pages"])
def test_a_page_is_reached_by_its_path(name: str) -> None:
    documented = Documented(name)
    client = Patchbay(base_url=BASE, transport=documented)
    path = re.sub(r"\{(\w+)\}", lambda match: str(documented.values[match[1]]), documented.path)

    response = client.request(documented.method.upper(), path)

    assert response.status < 400
    [request] = documented.requests
    assert request.url == BASE + path
    assert "Authorization" not in request.headers


@pytest.mark.parametrize("name", SDK.table["by_hand"]["proxy.request"])
def test_each_method_of_the_proxy_is_reached(name: str) -> None:
    documented = Documented(name)
    client = Patchbay("key", base_url=BASE, transport=documented)
    values = documented.values

    client.proxy.request(
        documented.method,
        values["path"],
        organization_id=values["organization_id"],
        connection_id=values["connection_id"],
        role=values["Patchbay-Role"],
        exact_path=values["Patchbay-Path"],
    )

    documented.check()


def test_both_clients_have_the_same_methods_and_arguments() -> None:
    sync = Patchbay(base_url=BASE, transport=Documented("get_space"))
    other = AsyncPatchbay(base_url=BASE, transport=AsyncDocumented("get_space"))
    for method in SDK.methods:
        ours = inspect.signature(getattr(getattr(sync, method.namespace), method.name))
        theirs = inspect.signature(getattr(getattr(other, method.namespace), method.name))
        assert list(ours.parameters) == list(theirs.parameters)


def test_the_call_of_the_original_contract_works_word_for_word() -> None:
    client = Patchbay(api_key="your-api-key", base_url=BASE, transport=Documented("dry_run"))
    result = client.knowledge_connectors.test_connection(
        organization_id="org_xyz789",
        source_id="src_abc123",
    )
    assert (result.status, result.message) == ("succeeded", "Connection test passed")
    assert repr(result) == ("<DryRunResult status='succeeded' message='Connection test passed'>")


def test_an_operation_without_a_name_stops_the_generator() -> None:
    methods = {name: method for name, method in SDK.table["methods"].items() if name != "get_space"}
    with pytest.raises(Problem, match="get_space"):
        Sdk(SDK.document, {**SDK.table, "methods": methods}).files()
