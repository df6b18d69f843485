"""The documents that configure endpoints and connections."""

from typing import Annotated, Any, Final

from patchbay.platform.validation import within

MAX_VALUES_BYTES: Final = 32 * 1024
MAX_VALUES_DEPTH: Final = 10

Values = Annotated[dict[str, Any], within(MAX_VALUES_BYTES, MAX_VALUES_DEPTH)]
"""Variables or configurations: a JSON object of at most 32 KB and 10 levels."""
