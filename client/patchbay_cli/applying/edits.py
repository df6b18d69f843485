"""Edits that overwrite nobody's, and creates that make one thing however often they are sent."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from patchbay_cli.run import CommandFailed
from patchbay_sdk.model import checked_json

if TYPE_CHECKING:
    from patchbay_sdk.model import Model

_Model = TypeVar("_Model", bound="Model")
_MOST_TRIES: Final = 40


def edit(
    read: Callable[[], _Model],
    change: Callable[[str | None], _Model],
    etag: str | None,
    is_done: Callable[[_Model], bool],
) -> _Model:
    """Changes the revision that was planned for.

    If it is another one now, somebody has changed it in between. That is an error, unless it is as
    wanted: then it was this change, whose answer was lost, or the same by somebody else.
    """
    from patchbay_sdk.errors import PreconditionFailed

    try:
        return change(etag)
    except PreconditionFailed:
        now = read()
        if is_done(now):
            return now
        raise CommandFailed(
            "was changed by somebody else since the plan was made, and is left as it is: plan again"
        ) from None


def create(
    make: Callable[[str], _Model],
    read: Callable[[_Model], Any],
    body: Mapping[str, Any],
    *what: object,
) -> _Model:
    """Makes one thing, even if two do so at once, or one does so again after it was cut off.

    They all send the same Idempotency-Key. A key is remembered for a day, so the answer may be that
    about a thing which was deleted since, or the key may be that of a create with other secrets,
    which are not in `body`. Then the key is another one, which follows from it.
    """
    from patchbay_sdk.errors import Conflict, IdempotencyConflict, NotFound

    seed = json.dumps([*map(str, what), body], sort_keys=True)
    for _ in range(_MOST_TRIES):
        try:
            made = make(f"apply-{hashlib.sha256(seed.encode()).hexdigest()[:40]}")
        except IdempotencyConflict:
            seed += " again"
            continue
        except Conflict as conflict:
            if conflict.retry_after_seconds is None:
                raise
            # Another run is making it.
            time.sleep(conflict.retry_after_seconds)
            continue
        response = made.last_response
        if response is None or response.headers.get("idempotent-replayed") != "true":
            return made
        try:
            read(made)
        except NotFound:
            seed = f"{seed} {checked_json(made)['id']}"
        else:
            return made
    raise CommandFailed("was made and deleted too often today, or another run makes it: try later")
