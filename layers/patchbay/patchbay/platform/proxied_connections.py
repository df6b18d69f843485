"""HTTP through a proxy that the environment names: botocore's own connections, loaded only then."""

import os
from collections.abc import Mapping
from typing import Any, Final

from patchbay.platform.dynamodb_endpoint import DynamoDBEndpoint
from patchbay.platform.kept_connections import MAX_KEPT_CONNECTIONS, NoAnswer, ServerAnswer

_VARIABLES: Final = frozenset({"http_proxy", "https_proxy"})


def proxies_to(
    endpoint: DynamoDBEndpoint, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The proxies that botocore would use, empty for none; NO_PROXY is respected."""
    if not any(value and name.lower() in _VARIABLES for name, value in environment.items()):
        return {}
    from botocore.utils import get_environ_proxies

    proxies: dict[str, str] = get_environ_proxies(endpoint.url)
    return {scheme: url for scheme, url in proxies.items() if scheme == endpoint.scheme}


class ProxiedConnections:
    """The transport through a proxy."""

    def __init__(
        self,
        endpoint: DynamoDBEndpoint,
        proxies: Mapping[str, str],
        *,
        connect_seconds: float,
        read_seconds: float,
    ) -> None:
        import botocore.httpsession

        made: Any = botocore.httpsession.URLLib3Session  # more than its stubs know
        self._url = endpoint.url
        self._session = made(
            verify=endpoint.ca_bundle or True,
            proxies=dict(proxies),
            timeout=(connect_seconds, read_seconds),
            max_pool_connections=MAX_KEPT_CONNECTIONS,
        )

    def send(self, headers: Mapping[str, str], body: bytes) -> ServerAnswer:
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import ConnectionError, HTTPClientError

        request: Any = AWSRequest("POST", self._url, dict(headers), body)
        try:
            answer = self._session.send(request.prepare())
        except (ConnectionError, HTTPClientError) as error:
            raise NoAnswer(f"no answer: {type(error).__name__}") from None
        received = {name.lower(): value for name, value in answer.headers.items()}
        return ServerAnswer(answer.status_code, received, answer.content)
