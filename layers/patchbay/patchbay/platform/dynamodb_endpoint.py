"""Where DynamoDB is: the region and the endpoint that botocore would use.

In Lambda both follow from variables of the environment. Whatever needs more than these is asked of
botocore, which is loaded only then: profiles and their files, FIPS and dual-stack endpoints, and
regions of partitions that are not named here. Account-based endpoints are not used.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from patchbay.platform.botocore_session import session

_SUFFIXES: Final = (
    (re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]{1,2}"), "amazonaws.com"),
    (re.compile(r"us-gov-[a-z]+-[0-9]{1,2}"), "amazonaws.com"),
    (re.compile(r"cn-[a-z]+-[0-9]{1,2}"), "amazonaws.com.cn"),
)
"""The partitions aws, aws-us-gov, and aws-cn: their regions and the suffix of their hosts
(https://docs.aws.amazon.com/general/latest/gr/ddb.html)."""

_LEFT_TO_BOTOCORE: Final = (
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
)
_PORTS: Final = {"https": 443, "http": 80}
_UNUSABLE: Final = "the endpoint of DynamoDB must be an http or https URL of a host, port, and path"
_PATH: Final = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*/?")
"""Without what has to be escaped or resolved before it is signed."""


class EndpointUnusable(ValueError):
    """The configured endpoint is not one that this client can call."""


@dataclass(frozen=True, slots=True)
class DynamoDBEndpoint:
    """One base URL, in parts. `address` is the host, an IPv6 one without its brackets.

    `ca_bundle` is a file of certificates to trust instead of the system's.
    """

    region: str
    scheme: str
    address: str
    port: int
    path: str = "/"
    ca_bundle: str | None = None

    @classmethod
    def of_url(cls, url: str, region: str, ca_bundle: str | None = None) -> "DynamoDBEndpoint":
        """Raises `EndpointUnusable` for any but a plain http or https URL."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise EndpointUnusable(_UNUSABLE) from None
        is_plain = (
            parts.scheme in _PORTS
            and parts.hostname
            and url.isascii()
            and not (parts.query or parts.fragment or parts.username or parts.password)
            and _PATH.fullmatch(parts.path)
        )
        if not is_plain:
            raise EndpointUnusable(_UNUSABLE)
        address = str(parts.hostname)
        port = port or _PORTS[parts.scheme]
        return cls(region, parts.scheme, address, port, parts.path or "/", ca_bundle or None)

    @property
    def host(self) -> str:
        """As in the header Host."""
        name = f"[{self.address}]" if ":" in self.address else self.address
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


def dynamodb_endpoint(environment: Mapping[str, str] = os.environ) -> DynamoDBEndpoint:
    """Raises `EndpointUnusable`, and botocore's errors, as for an environment without a region."""
    if environment.get("AWS_ACCOUNT_ID_ENDPOINT_MODE", "").lower() == "required":
        raise EndpointUnusable("AWS_ACCOUNT_ID_ENDPOINT_MODE=required is not supported")
    region = environment.get("AWS_DEFAULT_REGION") or environment.get("AWS_REGION") or ""
    url = _configured(environment) or _of_region(region)
    if not region or not url or _needs_botocore(environment):
        return _of_botocore(region or None)
    return DynamoDBEndpoint.of_url(url, region, environment.get("AWS_CA_BUNDLE"))


def _configured(environment: Mapping[str, str]) -> str | None:
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    return environment.get("AWS_ENDPOINT_URL_DYNAMODB") or environment.get("AWS_ENDPOINT_URL")


def _of_region(region: str) -> str | None:
    for pattern, suffix in _SUFFIXES:
        if pattern.fullmatch(region):
            return f"https://dynamodb.{region}.{suffix}"
    return None


def _needs_botocore(environment: Mapping[str, str]) -> bool:
    if any(environment.get(name) for name in _LEFT_TO_BOTOCORE):
        return True
    home = Path(environment.get("HOME") or "/")
    files = (
        environment.get("AWS_CONFIG_FILE") or home / ".aws/config",
        environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws/credentials",
    )
    return any(Path(file).is_file() for file in files)


def _of_botocore(region: str | None) -> DynamoDBEndpoint:
    client: Any = session().create_client("dynamodb", region_name=region)
    ca_bundle = session().get_config_variable("ca_bundle")
    return DynamoDBEndpoint.of_url(client.meta.endpoint_url, client.meta.region_name, ca_bundle)
