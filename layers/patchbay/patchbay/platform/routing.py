"""Which route takes a request: by its method, and by its path as the gateway has decoded it.

    /spaces/<slug>          a parameter is one segment of the path
    /assets/<file+>         a rest is all that follows, slashes too

A route without parameters comes before one that has any; otherwise the first one declared does.
"""

import re
from collections.abc import Iterable, Mapping
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


def path_of(event: Mapping[str, Any]) -> str:
    """The path of an event, without the name of the stage, which is in it unless the stage is the
    default one."""
    path: str = event["rawPath"]
    stage: str = event["requestContext"]["stage"]
    return path if stage == "$default" else path[len(f"/{stage}") :]
