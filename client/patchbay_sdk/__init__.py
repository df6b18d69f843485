"""Python SDK of Patchbay, the integration control plane: sync and async, typed.

`Patchbay` and `AsyncPatchbay` are the clients. `errors` has what they raise, `models` what they
return, `params` what they take, and `webhooks.verify` checks what a deployment sends.
"""

from patchbay_sdk import errors, models
from patchbay_sdk.client import AsyncPatchbay, Patchbay
from patchbay_sdk.errors import ApiError, PatchbayError
from patchbay_sdk.messages import Request, Response
from patchbay_sdk.operation import OMIT, VERSION, Omit
from patchbay_sdk.pages import AsyncPages, Page, Pages
from patchbay_sdk.transport import (
    AsyncHttpxTransport,
    AsyncTransport,
    HttpxTransport,
    Transport,
)

__version__ = VERSION
__all__ = [
    "OMIT",
    "ApiError",
    "AsyncHttpxTransport",
    "AsyncPages",
    "AsyncPatchbay",
    "AsyncTransport",
    "HttpxTransport",
    "Omit",
    "Page",
    "Pages",
    "Patchbay",
    "PatchbayError",
    "Request",
    "Response",
    "Transport",
    "errors",
    "models",
]
