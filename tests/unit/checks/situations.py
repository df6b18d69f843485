"""The situations that docs/checks.md shows, each with a server on the loopback that makes it.

What the page should show is printed by
`PYTHONPATH=functions:layers/patchbay:. .venv/bin/python -m tests.unit.checks.situations`.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.doubles import (
    PATIENT_MS,
    FakeResolver,
    Handler,
    answering,
    http_response,
    serving,
)
from tests.unit.checks.targets import CheckTarget
from tests.unit.egress.certificates import Authority

HOST: Final = "api.acme.example.net"
SCHEMA: Final = {"properties": {"host": {"type": "string", "format": "hostname"}}}
OK: Final = http_response("200 OK", b'{"name": "Acme"}')
NO_SCOPE: Final = http_response(
    "403 Forbidden",
    b"",
    'WWW-Authenticate: Bearer error="insufficient_scope", scope="invoices:read"',
)


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


def _report(
    handler: Handler,
    *,
    host: str = HOST,
    valid_for: timedelta = timedelta(days=90),
    timeout_ms: int = PATIENT_MS,
) -> CheckReport:
    """The report of a test whose one step calls a server at `host` with this handler."""

    async def test(folder: Path) -> CheckReport:
        authority = Authority(folder)
        server = authority.server_context(HOST, valid_for=valid_for)
        async with serving(handler, tls=server) as port:
            step = {
                "name": "can read invoices",
                "kind": "http",
                "timeoutMs": timeout_ms,
                "request": {"url": f"https://{{{{variables.host}}}}:{port}/v1/invoices"},
                "account": "/name",
            }
            target = CheckTarget(
                {"checks": {"steps": [step]}},
                {"type": "oauth2", "scopes": ["invoices:read"]},
                SCHEMA,
                {"host": host},
                {"access_token": "an-access-token"},
            )
            guard = EgressGuard(
                EgressPolicy.parse(f"127.0.0.1/32:{port}"),
                resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
                tls_context=authority.client_context(),
            )
            return await run(target.plan(), guard, total_ms=5000)

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(test(Path(folder)))


SITUATIONS: Final[dict[str, Callable[[], CheckReport]]] = {
    "a wrong key": lambda: _report(answering(http_response("401 Unauthorized"))),
    "a wrong host": lambda: _report(answering(OK), host="api.acme.exmaple.net"),
    "an expired certificate": lambda: _report(answering(OK), valid_for=timedelta(days=-1)),
    "a certificate that expires soon": lambda: _report(
        answering(OK), valid_for=timedelta(days=12, hours=1)
    ),
    "a slow provider": lambda: _report(_silent, timeout_ms=500),
    "a rate limit": lambda: _report(
        answering(http_response("429 Too Many Requests", b"", "Retry-After: 30"))
    ),
    "a missing scope": lambda: _report(answering(NO_SCOPE)),
}


def shown(report: CheckReport) -> dict[str, Any]:
    """What the page shows of a report: what there is to say, of the steps that did not pass."""
    document = report.model_dump(mode="json", exclude_none=True)
    kept = ("message", "code", "blame", "retryable", "retry_after_seconds")
    return {
        "status": "succeeded" if report.passed else "failed",
        **{name: document[name] for name in kept if name in document},
        "steps": [step for step in document["steps"] if step["status"] in ("failed", "warning")],
    }


if __name__ == "__main__":
    for name, situation in SITUATIONS.items():
        print(f"<!-- {name} -->\n```json\n{json.dumps(shown(situation()), indent=2)}\n```\n")
