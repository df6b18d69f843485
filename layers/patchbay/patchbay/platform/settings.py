"""The settings of a deployment: environment variables, which template.yaml sets for each function.

A function has the variables that it needs and no others. So a setting is read when it is first
used, and importing a function needs no environment.
"""

from collections.abc import Callable, Mapping
from typing import Never

from patchbay.platform.logging import logger
from patchbay.platform.public_url import read_origin


class SettingError(Exception):
    """An environment variable is missing, or its value is not of the setting's type."""


def _is_enabled(text: str) -> bool:
    if text not in ("enabled", "disabled"):
        raise ValueError("neither enabled nor disabled")
    return text == "enabled"


class Setting[T]:
    """One environment variable, named as the attribute in capitals. `read` parses its text."""

    def __init__(self, read: Callable[[str], T]) -> None:
        self._read = read

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, settings: "Settings", owner: type) -> T:
        variable = self._name.upper()
        try:
            value = self._read(settings.environ[variable])
        except (KeyError, ValueError) as error:
            wrong = "is missing" if isinstance(error, KeyError) else "can't be read"
            # The answer to a caller is a 500 without a reason: the reason is for the operator.
            logger.error("setting unusable", variable=variable, reason=wrong)
            raise SettingError(f"the environment variable {variable} {wrong}") from None
        # An attribute of the instance goes before this one, so it is read once.
        vars(settings)[self._name] = value
        return value


class Settings:
    """All settings. Reading one raises `SettingError` that names its variable."""

    integrations_table = Setting(str)
    events_table = Setting(str)
    raw_event_days = Setting(int)
    """Days that raw events are kept."""
    vault_key_id = Setting(str)
    """The KMS key that data keys are wrapped under."""

    egress_allow = Setting(str)
    """Rules for private targets, `cidr:ports`, joined by commas."""
    egress_authorities = Setting(str)
    """Certificates of private authorities, in base64, joined by commas."""
    own_host_names = Setting(str)
    """More host names of the API, joined by commas, that nothing may dial."""
    public_url = Setting(read_origin)
    """The origin that browsers reach the API at; empty for the address of a request."""
    dns_resolver = Setting(str)
    """Addresses of name servers, joined by commas."""
    api_host = Setting(str)
    """The API's own host name, which nothing may dial."""

    jwt_issuer = Setting(str)
    """Empty: only API keys are recognized."""
    jwt_audience = Setting(str)
    jwt_jwks_url = Setting(str)
    """Empty: the issuer's `/.well-known/jwks.json`."""
    jwt_organization_claim = Setting(str)
    jwt_permissions_claim = Setting(str)
    jwt_permissions_prefix = Setting(str)
    """What may stand before each permission."""
    jwt_space_claim = Setting(str)
    """Empty: a token is for its whole organization."""
    jwt_client_id = Setting(str)
    """Of the dashboard, at the issuer. Empty: nobody signs in there."""
    jwt_scopes = Setting(str)
    """What a sign-in at the issuer asks for, with spaces in between."""
    requests_per_minute = Setting(int)
    """Of one organization; 0 for no limit, as for the next."""
    unauthenticated_requests_per_minute = Setting(int)
    """Of all callers that are not recognized, together."""

    max_spaces = Setting(int)
    """Of one organization, as are the others: see `patchbay.tenancy.quotas`."""
    max_api_keys = Setting(int)
    max_integrations = Setting(int)
    max_releases = Setting(int)
    max_deleted_releases = Setting(int)
    max_endpoints = Setting(int)
    max_connections = Setting(int)
    max_monitored_connections = Setting(int)
    max_monitored_tests_per_day = Setting(int)
    max_alert_rules = Setting(int)
    max_alert_channels = Setting(int)
    max_install_sessions = Setting(int)
    max_oauth_applications = Setting(int)

    tests_per_minute = Setting(int)
    """Of one organization, as is the next."""
    tests_in_flight = Setting(int)
    test_queue_url = Setting(str)

    credential_use = Setting(_is_enabled)
    """Whether stored credentials may be used by callers at all."""
    uses_per_minute = Setting(int)
    """Uses of credentials of one organization, as is the one after the next."""
    connection_uses_per_minute = Setting(int)
    uses_in_flight = Setting(int)
    """Of an organization, and of each of its connections."""

    monitor_queue_url = Setting(str)
    monitor_lanes = Setting(int)
    """How many slots the connections that are due together are cut into."""
    pooled_runs = Setting(_is_enabled)
    """Whether small spaces share runs."""
    monitor_canary = Setting(str)
    """A URL, or empty."""
    auto_disable_failures = Setting(int)
    """0 is never, as for the next."""
    auto_disable_days = Setting(int)

    brand_name = Setting(str)
    """On the pages; empty for none, as are the next two: see `patchbay.platform.branding`."""
    brand_logo_url = Setting(str)
    brand_color = Setting(str)

    integration_bus = Setting(str)
    """The name of the event bus."""
    alert_topic_arns = Setting(str)
    """Joined by commas."""
    notification_queue_url = Setting(str)
    evaluation_queue_url = Setting(str)
    deliveries_per_minute = Setting(int)
    """Of one organization, over all its channels."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        vars(self)["environ"] = environ

    environ: Mapping[str, str]

    def most(self, quota: str) -> int:
        """The limit of a quota, by its name."""
        limit: int = getattr(self, f"max_{quota}")
        return limit

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"{name} is read-only")
