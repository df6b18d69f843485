"""Who acts: every change by a request or a command has an actor.

It is a context variable, so that the stores learn it without a parameter through every layer: what
is written down of a change must not depend on each caller passing the right name on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Final, NamedTuple

from patchbay.platform.clock import utc_now

DEPLOYMENT: Final = "patchbay"
"""The subject of what the deployment does by itself."""

OPERATOR: Final = "operator"
"""The subject of what the operator's commands do: AWS knows whose credentials they ran with."""


class Actor(NamedTuple):
    """`subject` is an API key's id, a token's subject, or one of the two above. `organization_id`
    is whose key or token it is."""

    subject: str
    at: datetime
    trace_id: str | None = None
    organization_id: str | None = None


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Whatever is changed within the block is changed by this actor."""
    token = _ACTOR.set(actor)
    try:
        yield
    finally:
        _ACTOR.reset(token)


def current_actor() -> Actor:
    return _ACTOR.get() or Actor(DEPLOYMENT, utc_now())


_ACTOR: ContextVar[Actor | None] = ContextVar("actor", default=None)
