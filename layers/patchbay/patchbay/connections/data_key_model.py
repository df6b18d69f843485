"""Data keys, as the API shows them."""

from typing import Annotated

from pydantic import ConfigDict, Field

from patchbay.platform.clock import UtcTime
from patchbay.platform.model import Model
from patchbay.platform.validation import WholeNumber


class DataKey(Model):
    """A key that secrets of an organization are sealed under."""

    number: int
    current: bool
    created_at: UtcTime


class DataKeys(Model):
    """The data keys of an organization, oldest first.

    `current` is the number of the key that new secrets are sealed under. The first key is created
    with the first secret.
    """

    current: int
    keys: list[DataKey]


class DeploymentKeyList(Model):
    """The keys that data keys are wrapped under once more, oldest first.

    `current` is null before the first one was created.
    """

    current: int | None
    keys: list[DataKey]


class Rewrapped(Model):
    """How many data keys were wrapped under the current deployment key, and which could not be
    opened: the organization and the number of each.
    """

    rewrapped: int
    unreadable: list[str]


class Resealed(Model):
    """One page of secrets: how many were re-sealed under the current key, and the endpoints whose
    secrets could not be opened and must be entered again or deleted.
    """

    resealed: int
    unreadable: list[str]
    next_cursor: str | None


class DeletedDataKeys(Model):
    """The keys that were deleted, and when the last process has dropped them from its memory."""

    deleted: list[int]
    unreadable_at: UtcTime


class DeletionQuery(Model):
    """Which data keys to delete. `confirm` repeats the id of the organization."""

    model_config = ConfigDict(extra="forbid")

    through: Annotated[WholeNumber, Field(ge=1, le=999_999_999)] = Field(
        description="delete all keys up to this number"
    )
    confirm: str = Field(description="the id of the organization again", max_length=64)
