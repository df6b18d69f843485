"""The conditions that a rule can watch for, and the subjects it watches.

A condition is judged once for each subject: the space, an integration type, or a connection.
"""

import math
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, field_validator, model_validator
from pydantic.config import JsonDict, JsonValue

from patchbay.health.model import IntegrationType
from patchbay.platform.ids import NamedConnectionId
from patchbay.platform.model import Model
from patchbay.platform.validation import KIND, Documented

MAX_EVENT_WINDOW_SECONDS: Final = 86_400
"""For conditions that are judged by single events, as all conditions of connections are."""

HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 24 * HOUR_SECONDS


class SubjectKind(StrEnum):
    """What an alert can be about."""

    SPACE = "space"
    INTEGRATION_TYPE = "integration_type"
    CONNECTION = "connection"


class AlertSubject(Model):
    """The space, an integration type, or a connection. `id` is its id; of a type, its name."""

    model_config = ConfigDict(frozen=True)

    kind: SubjectKind
    id: str

    def key(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def of_key(cls, key: str) -> "AlertSubject":
        kind, _, name = key.partition(":")
        return cls(kind=SubjectKind(kind), id=name)


class StrictInput(Model):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _both(**rules: JsonDict) -> JsonDict:
    return {"properties": {**rules}, "required": [*sorted(rules)]}


_TWO_SCOPES: Final[list[JsonValue]] = [
    _both(integration_type={"type": "string"}, connection_id={"type": "string"}),
    _both(per={"const": SubjectKind.INTEGRATION_TYPE}, connection_id={"type": "string"}),
    _both(per={"const": SubjectKind.CONNECTION}, integration_type={"type": "string"}),
]


class _Scoped(StrictInput):
    """Which events a condition looks at: those of the space, of one type, or of one connection.

    `per` splits them: each type, or each connection of the space, is a subject of its own.
    """

    model_config = ConfigDict(json_schema_extra={"not": {"anyOf": _TWO_SCOPES}})

    per: SubjectKind = SubjectKind.SPACE
    integration_type: IntegrationType | None = None
    connection_id: NamedConnectionId | None = None

    @model_validator(mode="after")
    def _one_scope(self) -> "_Scoped":
        if self.integration_type and self.connection_id:
            raise ValueError("must not have both integration_type and connection_id")
        if self.per is SubjectKind.INTEGRATION_TYPE and self.connection_id:
            raise ValueError("must not have connection_id with per integration_type")
        if self.per is SubjectKind.CONNECTION and self.integration_type:
            raise ValueError("must not have integration_type with per connection")
        return self

    @property
    def of_connections(self) -> bool:
        return self.per is SubjectKind.CONNECTION or self.connection_id is not None


_WHOLE_HOURS: Final = Documented(
    {"if": {"minimum": HOUR_SECONDS}, "then": {"multipleOf": HOUR_SECONDS}}
)
_TWO_DECIMALS: Final = Documented({"multipleOf": 0.01})


class SuccessRate(_Scoped):
    """Met while the success rate is below `threshold` in both windows.

    The long window shows that the problem matters, the short one that it is still going on. Windows
    of an hour or more are whole hours and begin on the hour, as in the health summary; shorter ones
    are exact. An alert ends when the rate of either window reaches `recovery_threshold`.
    """

    kind: Literal["success_rate"]
    threshold: Annotated[float, Field(ge=1, le=100, description="percent"), _TWO_DECIMALS]
    recovery_threshold: Annotated[float, Field(ge=1, le=100), _TWO_DECIMALS] | None = Field(
        default=None, description="percent; `threshold` if absent"
    )
    short_window_seconds: Annotated[int, Field(ge=300, le=DAY_SECONDS), _WHOLE_HOURS] = HOUR_SECONDS
    long_window_seconds: Annotated[int, Field(ge=300, le=30 * DAY_SECONDS), _WHOLE_HOURS] = (
        6 * HOUR_SECONDS
    )
    minimum_events: int = Field(
        default=10,
        ge=1,
        le=1_000_000,
        description="in the short window; fewer count as no data",
    )

    @field_validator("threshold", "recovery_threshold")
    @classmethod
    def _two_decimals(cls, value: float | None) -> float | None:
        if value is not None and not math.isclose(value, round(value, 2)):
            raise ValueError("must have at most 2 decimals")
        return value

    @field_validator("short_window_seconds", "long_window_seconds")
    @classmethod
    def _whole_hours(cls, value: int) -> int:
        if value >= HOUR_SECONDS and value % HOUR_SECONDS:
            raise ValueError(
                "must be a whole number of hours (3600, 7200, …) if it is an hour or more"
            )
        return value

    @model_validator(mode="after")
    def _ordered(self) -> "SuccessRate":
        if self.short_window_seconds > self.long_window_seconds:
            raise ValueError("must have a short window that is not longer than the long one")
        if self.recovery_threshold is not None and self.recovery_threshold < self.threshold:
            raise ValueError("must not have a recovery_threshold below the threshold")
        if self.of_connections and self.long_window_seconds > MAX_EVENT_WINDOW_SECONDS:
            raise ValueError("must have windows of at most 24 hours for connections")
        return self

    @property
    def short_window(self) -> timedelta:
        return timedelta(seconds=self.short_window_seconds)

    @property
    def long_window(self) -> timedelta:
        return timedelta(seconds=self.long_window_seconds)


class Stale(_Scoped):
    """Met when the last success is longer ago than `after_seconds`.

    For a subject that never succeeded, the time counts from when the rule was created, enabled, or
    given another condition.
    """

    kind: Literal["stale"]
    after_seconds: int = Field(ge=300, le=14 * DAY_SECONDS)

    @model_validator(mode="after")
    def _bounded(self) -> "Stale":
        if self.of_connections and self.after_seconds > MAX_EVENT_WINDOW_SECONDS:
            raise ValueError("must have after_seconds of at most 24 hours for connections")
        return self

    @property
    def after(self) -> timedelta:
        return timedelta(seconds=self.after_seconds)


class ConnectionDown(StrictInput):
    """Met while a connection's health is `disconnected` or `error`; `unknown` counts as no data.

    Every connection of the space is a subject, or only the one with `connection_id`. Drafts and
    paused connections are left out.
    """

    kind: Literal["connection_down"]
    connection_id: NamedConnectionId | None = None


def kind_tag(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"{KIND}{kind}"


type AlertCondition = Annotated[
    Annotated[SuccessRate, Tag(f"{KIND}success_rate")]
    | Annotated[Stale, Tag(f"{KIND}stale")]
    | Annotated[ConnectionDown, Tag(f"{KIND}connection_down")],
    Discriminator(
        kind_tag,
        custom_error_type="kind",
        custom_error_message="must have a kind: success_rate, stale, or connection_down",
    ),
]
