"""The pages of the code flow: the answer to a callback, and the page that it leads to.

A callback has the code in its URL. So its answer is a redirect to a page of ours whose URL has
nothing of it: the browser keeps no entry of a redirect in its history, and sends no Referer of it.
The page shows words of ours by the name of the outcome, and nothing that came with the request.
"""

import base64
import hashlib
import re
from functools import cache
from typing import Final

from patchbay.grants.flow_outcomes import WORDS, FinishedFlow, FlowOutcome
from patchbay.platform.errors import NotFound
from patchbay.platform.responses import Response

DONE_PATH: Final = "/oauth/done"
MESSAGE_TYPE: Final = "patchbay.oauth"
"""Of the message to the page that opened the window, and the name of the channel."""

_HTML: Final = "text/html; charset=utf-8"
_FLOW: Final = re.compile(r"flow=([0-9a-f]{32})")
_NO_TRACES: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:32em;padding:0 1em;"
    "color-scheme:light dark}h1{font-size:1.4em}"
)
RETURN_KEY: Final = "patchbay.return"
"""Under which a wizard that the browser left for the provider keeps its own path in the tab."""
_SCRIPT: Final = (
    "(function(){"
    f'var k="{RETURN_KEY}",r=null;'
    "try{r=sessionStorage.getItem(k);sessionStorage.removeItem(k)}catch(e){}"
    r"if(r&&/^\/install\/[^\/\\]/.test(r)){location.replace(r);return}"
    "var d=document.body.dataset,"
    f'm={{type:"{MESSAGE_TYPE}",outcome:d.outcome,flow:d.flow||null}};'
    # A provider that isolates its own pages cuts the link to the opener, but not the channel.
    f'try{{new BroadcastChannel("{MESSAGE_TYPE}").postMessage(m)}}catch(e){{}}'
    "if(window.opener){"
    "try{window.opener.postMessage(m,location.origin)}catch(e){}"
    f'if(m.outcome==="{FlowOutcome.CONNECTED}")window.close()'
    "}})()"
)


def redirect(finished: FinishedFlow) -> Response[str]:
    """The answer to a callback."""
    flow = f"?flow={finished.flow_id}" if finished.flow_id else ""
    location = f"{DONE_PATH}/{finished.outcome}{flow}"
    cookies = (finished.cookie,) if finished.cookie else ()
    headers = {**_NO_TRACES, "Location": location}
    return Response(303, _HTML, "", headers, cookies)


def done_page(outcome: str, raw_query: str) -> Response[str]:
    """The page of an outcome. It tells the page that opened it how the flow ended: by a message
    that only a page of this origin gets, and that has no secret. Raises `NotFound`."""
    if outcome not in FlowOutcome:
        raise NotFound("page")
    found = _FLOW.fullmatch(raw_query)
    html = _html(FlowOutcome(outcome)).replace("{flow}", found[1] if found else "")
    policy = (
        f"default-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {**_NO_TRACES, "Content-Security-Policy": policy}
    return Response(200, _HTML, html, headers)


@cache
def _html(outcome: FlowOutcome) -> str:
    title, text = WORDS[outcome]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>"
        f'<body data-outcome="{outcome}" data-flow="{{flow}}">'
        f'<main role="status"><h1>{title}</h1><p>{text}</p></main>'
        f"<script>{_SCRIPT}</script></body></html>"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
