"""Entities that many may edit: revisions, ETags, If-Match and JSON merge patch."""

import re
import time
from collections.abc import Callable
from typing import Any, Final

from pydantic import BaseModel

from patchbay.platform.dynamodb import ConditionFailed, TransactionRefused, pause_seconds
from patchbay.platform.errors import Conflict, InvalidInput, PreconditionFailed
from patchbay.platform.strict_json import same

_ATTEMPTS: Final = 12
_ENTITY_TAG: Final = re.compile(r'(W/)?"([!#-~\x80-\xff]*)"')

_OF_EDITS: Final = ("updated_at", "revision")
"""What each edit changes."""

FIRST_REVISION: Final = 1
"""Of what never changes after it is made."""

type IfMatch = str | None
"""The header's value; None when the caller sent none and takes whatever stands there."""


def etag(revision: int) -> str:
    """The strong entity tag of a revision."""
    return f'"{revision}"'


def require_match(if_match: IfMatch, revision: int) -> None:
    """Raises `PreconditionFailed` unless the header allows this revision, and `InvalidInput` for a
    header that is not a list of entity tags.

    RFC 9110, section 13.1.1: strong comparison, so a weak tag never matches; `*` matches anything.
    """
    if if_match is None or if_match.strip() == "*":
        return
    tags = _ENTITY_TAG.findall(if_match)
    if not tags or _ENTITY_TAG.sub("", if_match).strip(" \t,"):
        raise InvalidInput.at(
            "/headers/If-Match", 'must be an ETag with its double quotes, such as "3", or *'
        )
    strong = {tag for weak, tag in tags if not weak}
    if str(revision) not in strong:
        raise PreconditionFailed


def changes_nothing(old: BaseModel, new: BaseModel) -> bool:
    """Whether an edit leaves an entity as it is, whatever its time and revision are.

    Then nothing is written: the ETags that others hold stay good. Values are compared as JSON,
    where true is not 1, and fields that no answer shows are compared, too.
    """
    kept: dict[str, Any] = {
        name: getattr(old, name) for name in _OF_EDITS if name in type(old).model_fields
    }
    edited = new.model_copy(update=kept)
    return edited == old and same(edited.model_dump(mode="json"), old.model_dump(mode="json"))


def serially[T](attempt: Callable[[], T]) -> T:
    """Repeats a read, change and conditional write until no concurrent write interferes.

    `attempt` must read afresh and check If-Match each time. Raises `Conflict` if others win on
    and on.
    """
    for number in range(_ATTEMPTS):
        if number:
            time.sleep(pause_seconds(number))
        try:
            return attempt()
        except (ConditionFailed, TransactionRefused):
            continue
    raise Conflict("The entity is being changed by others: try again.")


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, an object merges, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
