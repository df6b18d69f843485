"""The story of a local cloud, from the emulator's start to its end."""

import asyncio
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from local import certificates, emulator, gateway, publishing, samples, tenant
from local.client import Client
from local.paths import StateDir
from local.problems import Problem
from local.proxy import Proxy
from local.sam import build_and_deploy
from local.samples import BY_ACCOUNT, BY_KEY, Samples
from local.state import taken

READY = "Patchbay is ready"
LAST_WORDS = "Function logs: make logs"
"""Of what is printed then."""


async def serve(port: int, state: StateDir, egress_allow: str) -> None:
    """Bring up a local cloud and serve it until canceled.

    1. Take the state folder and the port: what can fail at once, fails at once. Have a certificate
       for servers on this machine, and a provider to connect.
    2. Start the emulator with the data of the last time.
    3. Build and deploy the template; give the API its routes.
    4. Find the organization and key of the last time, or make them; publish the catalog, and what
       there is to connect.
    5. Print how to call it, and links to open.
    """
    progress = _progress()
    proxy = Proxy(port)
    with taken(state), samples.running(state) as provided:
        async with proxy.serving(), emulator.running(state) as running:
            parameters = {
                "Architecture": platform.machine(),
                "EgressAllow": ",".join(filter(None, [egress_allow, provided.egress_rule])),
                "EgressAuthorities": certificates.prepare(state, datetime.now(UTC)),
                "PublicUrl": proxy.url,
                # The emulator keeps no queries, and draws no dashboards.
                "OperatorViews": "disabled",
            }
            stack = await build_and_deploy(running, state, parameters, progress)
            api_id = await asyncio.to_thread(gateway.configure, running, stack)
            proxy.open(running.account.url, running.api_token, api_id)
            caller = await asyncio.to_thread(tenant.recall, state.stack_file, proxy.url)
            if caller is None:
                progress("creating an organization, a space and an admin key")
                caller = await tenant.create(running, stack)
            tenant.remember(state.stack_file, proxy.url, running.account, caller)
            progress("publishing the catalog")
            client = Client(proxy.url, caller.api_key)
            for refused in await asyncio.to_thread(publishing.publish_catalog, client, caller):
                print(f"patchbay: {refused}", file=sys.stderr)
            links = await asyncio.to_thread(_links, provided, client, caller)
            print(_how_to_call(proxy.url, caller, state, links), flush=True)
            await running.ended()
            raise Problem(f"the AWS emulator ended by itself (its log: {state.logs})")


def _progress() -> Callable[[str], None]:
    start = time.monotonic()

    def progress(step: str) -> None:
        print(f"{time.monotonic() - start:5.1f} s  {step}", flush=True)

    return progress


def _links(provided: Samples, client: Client, caller: tenant.Tenant) -> str:
    """What to open in a browser. Raises `Problem`."""
    provided.publish(client, caller, f"{client.api_url}/oauth/callback")
    key = provided.server.valid_key
    return f"""
  The dashboard, signed in (once, within an hour):
    {tenant.sign_in_link(client, caller)}
  Connect something, as an end user does (once, within a day). The key is {key}:
    {provided.link(client, caller, BY_KEY)}
  By an account, at a page whose certificate your browser does not know:
    {provided.link(client, caller, BY_ACCOUNT)}
"""


def _how_to_call(api_url: str, caller: tenant.Tenant, state: StateDir, links: str) -> str:
    return f"""
{READY}: {api_url}   (reference: {api_url}/docs, Ctrl-C stops it)
{links}
  . {os.path.relpath(state.stack_file.with_suffix(".env"))}
  curl -H "Authorization: Bearer $API_KEY" $API_URL/v1/catalog
  curl -H "Authorization: Bearer $API_KEY" $API_URL/spaces/$SPACE_SLUG/integration-health

  organization {caller.organization_id}, space {caller.space_slug} ({caller.space_id}),
  key {caller.api_key}
  also in {os.path.relpath(state.stack_file)}. {LAST_WORDS}
"""
