"""What comes with an integration: the members of a manifest."""

from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from patchbay.platform.ids import Slug
from patchbay.platform.model import Model

MAX_MEMBERS: Final = 50


class Member(Model):
    """Something that comes with an integration: a mapping, a template, a dashboard.

    With `forkOnInstall` an endpoint gets its own copy, which later releases do not change. Without
    it, the endpoint refers to the release.
    """

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    name: Slug
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    content: dict[str, Any] = Field(default_factory=dict)
    fork_on_install: bool = False
