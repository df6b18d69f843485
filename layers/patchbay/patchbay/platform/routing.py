"""Which route takes a request: by its method, and by its path as the gateway has decoded it.

    /spaces/<slug>          a parameter is one segment of the path
    /assets/<file+>         a rest is all that follows, slashes too

A route without parameters comes before one that has any; otherwise the first one declared does.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

PARAMETER: Final = re.compile(r"<([a-z_]+\+?)>")

_SEGMENT: Final = re.compile(r"[-._~()'!*:@,;=+&$%<> \[\]{}|^\w]+")
"""The value of a parameter: what a URI may have in a segment (RFC 3986, section 3.3), letters and
digits of every language, and what else the gateway decodes. No control character, no quote, no
backslash."""


class Routes[R]:
    """Routes of any kind by their rules."""

    def __init__(self) -> None:
        self._plain: list[_Rule[R]] = []
        self._with_parameters: list[_Rule[R]] = []

    def add(self, methods: Iterable[str], rule: str, route: R) -> None:
        segments = rule.split("/")
        has_rest = rule.endswith("+>")
        if has_rest:
            segments.pop()
        names = {
            place: found[1]
            for place, segment in enumerate(segments)
            if (found := PARAMETER.fullmatch(segment))
        }
        added = _Rule(frozenset(methods), tuple(segments), names, has_rest, route)
        (self._with_parameters if names else self._plain).append(added)

    def find(self, method: str, path: str) -> tuple[R, dict[str, str]] | None:
        """The route, and the values of the parameters that are one segment; None if no route takes
        the request."""
        segments = path.split("/")
        for rule in (*self._plain, *self._with_parameters):
            if method in rule.methods:
                values = rule.values_in(segments)
                if values is not None:
                    return rule.route, values
        return None


class _Rule[R](NamedTuple):
    methods: frozenset[str]
    segments: tuple[str, ...]
    names: Mapping[int, str]
    """Of the parameters, by the place of the segment."""
    has_rest: bool
    route: R

    def values_in(self, path: list[str]) -> dict[str, str] | None:
        """The values of the parameters, None if it is another path."""
        length = len(self.segments)
        if self.has_rest:
            if len(path) <= length or path[length:] == [""]:
                return None
        elif len(path) != length:
            return None
        values = {}
        for place, segment in enumerate(self.segments):
            name = self.names.get(place)
            if name is None:
                if segment != path[place]:
                    return None
            elif _SEGMENT.fullmatch(path[place]):
                values[name] = path[place]
            else:
                return None
        return values


class RequestPlace(NamedTuple):
    """Where in the deployment's address a request leads."""

    base: str
    """What stands before the path: the name of a stage, or the path of an API mapping."""
    path: str


def place_of(event: Mapping[str, Any]) -> RequestPlace:
    """The path of an event, and what a mapping of a custom domain, or a stage, put before it.

    The gateway leaves both in the path, and names the route that it has found. A base is believed
    only if what follows it has the values that the gateway has found for the parameters.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    path: str = event["rawPath"]
    _, _, template = event.get("routeKey", "").partition(" ")
    if template and (found := _after_a_base(template).fullmatch(path)):
        given = event.get("pathParameters") or {}
        values = found.groupdict()
        base = values.pop("base")
        if not base or all(given.get(name) == value for name, value in values.items()):
            return RequestPlace(base, path.removeprefix(base))
    stage = f"/{event['requestContext']['stage']}"
    # The default stage and the default route have neither.
    return (
        RequestPlace(stage, path.removeprefix(stage))
        if path.startswith(f"{stage}/")
        else RequestPlace("", path)
    )


@cache
def _after_a_base(template: str) -> re.Pattern[str]:
    """What matches the paths of a route, as the gateway spells it: `/spaces/{slug}`."""
    segments = "".join(f"/{_segment(one)}" for one in template.split("/")[1:])
    return re.compile(rf"(?P<base>(?:/[A-Za-z0-9$._~-]+)*?){segments}", re.DOTALL)


def _segment(segment: str) -> str:
    if parameter := re.fullmatch(r"\{(\w+)(\+?)\}", segment):
        return f"(?P<{parameter[1]}>{'.+' if parameter[2] else '[^/]+'})"
    return re.escape(segment)
