"""The base of every pydantic model."""

from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A model whose validator is built when it is first needed, not when its module is imported.

    A request needs a handful of the ninety models that its function imports, and half a millisecond
    goes into each.
    """

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def of_valid(cls, **values: Any) -> Self:
        """A model of values of our own, which nothing has to judge or convert: in a fraction of the
        time of its validator. What is left out takes its default."""
        made = cls.__new__(cls)
        set_member = object.__setattr__
        set_member(made, "__dict__", {**_defaults(cls), **values})
        set_member(made, "__pydantic_fields_set__", set(values))
        set_member(made, "__pydantic_extra__", None)
        set_member(made, "__pydantic_private__", None)
        return made


@cache
def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """By field, in the order in which they are written. A field that must be given has none."""
    return {name: field.default for name, field in model.model_fields.items()}
