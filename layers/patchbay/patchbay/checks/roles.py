"""What a manifest declares that its integration can be and do."""

from enum import StrEnum


class Role(StrEnum):
    """What endpoints may be made of a release."""

    SOURCE = "source"
    DESTINATION = "destination"


class Capability(StrEnum):
    """What an integration can do: the types of the health contract, under which it is counted."""

    METADATA_SYNC = "metadata_sync"
    QUALITY_CHECK = "quality_check"
    PROFILING = "profiling"
    WEBHOOK = "webhook"
    ALERT = "alert"
