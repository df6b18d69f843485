"""The events of template.yaml that are routes, one line each, from the route declarations.

A line is all that a route needs there, and a declaration says all of it. Everything else in the
template is written by hand and left as it is.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from local.paths import ROOT
from local.problems import Problem
from patchbay.platform.http import HttpApi, RouteDeclaration

TEMPLATE = ROOT / "template.yaml"

_EVENTS = re.compile(r"^      Events:\n((?: {8}.*\n)*)", re.MULTILINE)
_EVENT = re.compile(r"^ {8}\w+:.*\n(?: {9,}.*\n)*", re.MULTILINE)


def template(apis: Mapping[str, HttpApi], path: Path = TEMPLATE) -> str:
    """The text of the template with the routes of these functions, by their module names."""
    text = path.read_text()
    for module, api in apis.items():
        text = _with_routes(text, module, api)
    return text


def _with_routes(text: str, module: str, api: HttpApi) -> str:
    name = f"{module.title().replace('_', '')}Function"
    resource = re.search(rf"^  {name}:\n(?:(?:   .*)?\n)*", text, re.MULTILINE)
    events = _EVENTS.search(resource[0]) if resource else None
    if resource is None or events is None:
        raise Problem(f"template.yaml has no {name} with Events")
    # An event without a method is not a route: a queue, a schedule, or the default of the API.
    others = [event for event in _EVENT.findall(events[1]) if "Method:" not in event]
    lines = [f"        # The routes of functions/{module}.py: make openapi\n"]
    lines += [_event(route) for route in api.routes]
    start = resource.start() + events.start(1)
    return text[:start] + "".join([*lines, *others]) + text[start + len(events[1]) :]


def _event(route: RouteDeclaration) -> str:
    """A route as a HttpApi event in flow style, named as its operation."""
    name = route.name.title().replace("_", "")
    auth = "" if route.permission else ", Auth: {Authorizer: NONE}"
    properties = f'ApiId: !Ref Api, Method: {route.method}, Path: "{route.path}"{auth}'
    return f"        {name}: {{Type: HttpApi, Properties: {{{properties}}}}}\n"
