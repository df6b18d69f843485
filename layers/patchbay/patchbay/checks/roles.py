"""What endpoints of an integration can be, and what the integration can do."""

from enum import StrEnum


class Role(StrEnum):
    """What an endpoint of a release can be."""

    SOURCE = "source"
    DESTINATION = "destination"


class Capability(StrEnum):
    """What an integration can do; also the types under which its events are counted."""

    METADATA_SYNC = "metadata_sync"
    QUALITY_CHECK = "quality_check"
    PROFILING = "profiling"
    WEBHOOK = "webhook"
    ALERT = "alert"
