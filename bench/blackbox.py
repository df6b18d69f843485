"""CPU of one HTTP test beside prometheus-blackbox-exporter, against one local nginx, in one run.

Both fetch the same page, each time over a fresh connection, over http and over https under a
certificate authority of this run. CPU is user and system time: of this process for ours, of the
exporter's process for theirs; nginx's does not count. Tests a second are by the clock, 32 at once:
ours run on one CPU; the exporter takes all CPUs, and shares them with its client. Both are Debian
packages.
"""

import asyncio
import contextlib
import http.client
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import quote

from bench.ports import await_port, free_port
from bench.report import Row, Skipped

TESTS: Final = 1500
AT_ONCE: Final = 32
BUDGET_MS: Final = 0.6


def rows() -> list[Row]:
    nginx, exporter = shutil.which("nginx"), shutil.which("prometheus-blackbox-exporter")
    if nginx is None or exporter is None:
        raise Skipped("it needs nginx and prometheus-blackbox-exporter (apt install them)")
    measured = []
    with tempfile.TemporaryDirectory() as name, _nginx(nginx, Path(name)) as (plain, tls):
        folder = Path(name)
        for scheme, port in (("http", plain), ("https", tls)):
            url = f"{scheme}://127.0.0.1:{port}/"
            ours, our_rate = _ours(url, port, folder / "ca.pem")
            theirs, their_rate = _theirs(exporter, url, folder)
            measured += [
                Row(
                    f"CPU of a test over {scheme}",
                    ours,
                    "ms",
                    BUDGET_MS if scheme == "http" else theirs,
                ),
                Row(f"CPU of a blackbox_exporter probe over {scheme}", theirs, "ms"),
                Row(f"tests a second over {scheme}", our_rate, "/s"),
                Row(f"blackbox_exporter probes a second over {scheme}", their_rate, "/s"),
            ]
    return measured


def _ours(url: str, port: int, authority: Path) -> tuple[float, float]:
    """Milliseconds of CPU for one test, from its recipe to its report; tests a second."""
    os.environ["SSL_CERT_FILE"] = str(authority)
    from patchbay.checks.recipe import Recipe
    from patchbay.checks.runner import run
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.policy import EgressPolicy

    guard = EgressGuard(EgressPolicy.parse(f"127.0.0.1/32:{port}"))
    step = {"name": "page", "kind": "http", "request": {"url": url}, "expect": {"status": [200]}}
    # Read once and kept, as for every release that a process tests.
    recipe = Recipe({"checks": {"timeoutMs": 5000, "steps": [step]}}, {"type": "none"}, {})

    async def one() -> None:
        recipe.binding("int_page", {})
        report = await run(recipe.plan({}, {}), guard, total_ms=5000)
        if not report.passed:
            raise RuntimeError(report.message)

    async def many(number: int) -> None:
        todo = iter(range(number))

        async def worker() -> None:
            for _ in todo:
                await one()

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))

    asyncio.run(many(100))
    began, before = time.perf_counter(), time.process_time()
    asyncio.run(many(TESTS))
    seconds, cpu = time.perf_counter() - began, time.process_time() - before
    return cpu * 1000 / TESTS, TESTS / seconds


def _theirs(exporter: str, url: str, folder: Path) -> tuple[float, float]:
    """Milliseconds of CPU for one probe of the exporter; probes a second."""
    config = folder / "blackbox.yml"
    config.write_text(
        "modules: {page: {prober: http, timeout: 5s, http: {valid_status_codes: [200], "
        f"tls_config: {{ca_file: {folder / 'ca.pem'}}}}}}}}}\n"
    )
    port = free_port()
    process = subprocess.Popen(  # noqa: S603 - the Debian package
        [exporter, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"],
        stderr=subprocess.DEVNULL,
    )
    try:
        await_port(port)
        path = f"/probe?module=page&target={quote(url, safe='')}"

        def probes(number: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            for _ in range(number):
                connection.request("GET", path)
                if b"probe_success 1" not in connection.getresponse().read():
                    raise RuntimeError(f"the exporter could not fetch {url}")
            connection.close()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(probes, [4] * AT_ONCE))
            began, before = time.perf_counter(), _cpu_seconds(process.pid)
            each = TESTS // AT_ONCE
            list(pool.map(probes, [each] * AT_ONCE))
            seconds, cpu = time.perf_counter() - began, _cpu_seconds(process.pid) - before
            return cpu * 1000 / (each * AT_ONCE), each * AT_ONCE / seconds
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _nginx(nginx: str, folder: Path) -> Iterator[tuple[int, int]]:
    """An nginx on two ports of loopback, http and https, with one small page."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    plain, tls = free_port(), free_port()
    (folder / "nginx.conf").write_text(
        f"""daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
    location / {{ return 200 "ok"; }} }} }}
"""
    )
    process = subprocess.Popen([nginx, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)  # noqa: S603 - the Debian package
    try:
        await_port(plain)
        yield plain, tls
    finally:
        process.terminate()
        process.wait()


def _cpu_seconds(process_id: int) -> float:
    """User and system time of a process so far (proc(5))."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
