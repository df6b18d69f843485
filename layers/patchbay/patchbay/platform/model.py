"""The base of every pydantic model."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A model whose validator is built when it is first needed, not when its module is imported.

    A request needs a handful of the ninety models that its function imports, and half a millisecond
    goes into each.
    """

    model_config = ConfigDict(defer_build=True)
