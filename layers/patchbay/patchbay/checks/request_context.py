"""What is known about a request when its answer is judged."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The scopes that the integration asks for, and pointers to the fields of the endpoint that
    are part of the request's path, query, body, and host."""

    scopes: tuple[str, ...] = ()
    path: str | None = None
    query: str | None = None
    body: str | None = None
    host: str | None = None
