"""Which headers a manifest, or a secret in one, may set on a request.

Refused are the headers that frame a message or belong to one hop (RFC 9110 §7.6.1, RFC 9112 §6),
those that change where or as what a request arrives, and those that metadata services of clouds
require as proof that a request is not forged (SSRF).
"""

import re
from typing import Final

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}", re.ASCII)
# Visible ASCII and inner spaces, which every server reads alike. Tabs and obs-text are not worth
# the risk.
_VALUE: Final = re.compile(r"[!-~]+(?: +[!-~]+)*", re.ASCII)
_MAX_VALUE: Final = 8192

_REFUSED: Final = frozenset(
    {
        # framing
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "te",
        "trailer",
        "accept-encoding",
        "expect",
        # one hop only
        "connection",
        "keep-alive",
        "upgrade",
        "http2-settings",
        "via",
        "proxy",
        # where, from whom, or as what the request arrives
        "host",
        "x-host",
        "x-http-host-override",
        "x-original-host",
        "forwarded",
        "forwarded-for",
        "x-forwarded",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
        "x-original-method",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        # metadata services
        "metadata",
        "metadata-flavor",
        "x-identity-header",
        "x-metadata-token",
    }
)
_REFUSED_PREFIXES: Final = (
    "proxy-",
    "x-forwarded-",
    "metadata-token",
    "x-aws-ec2-metadata-",
    "x-aws-parameters-",
    "x-google-metadata-",
    "x-aliyun-ecs-metadata-",
    "lambda-runtime-",
    "lambda-extension-",
)


def is_header_name(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None


def name_problem(name: str) -> str | None:
    """Why a header of this name may not be set, or None."""
    if not is_header_name(name):
        return "is not a header name"
    # Servers behind CGI or WSGI read `_` as `-`, so both spellings are the same header.
    plain = name.lower().replace("_", "-")
    if plain in _REFUSED or plain.startswith(_REFUSED_PREFIXES):
        return "is a header that may not be set"
    return None


def value_problem(value: str) -> str | None:
    """Why this may not be the value of a header, or None. Never quotes the value."""
    if len(value) > _MAX_VALUE:
        return "is too long for a header"
    if not _VALUE.fullmatch(value):
        return (
            "has characters that a header can't carry: line breaks, control or non-ASCII "
            "characters, or spaces around it"
        )
    return None
