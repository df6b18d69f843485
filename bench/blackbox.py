"""CPU of one HTTP test beside prometheus-blackbox-exporter, against one local nginx, in one run.

Both fetch the same page, each time over a fresh connection, over http and over https under a
certificate authority of this run, as TLS 1.3 and as TLS 1.2. CPU is user and system time: of this
process for ours, of the exporter's process for theirs; nginx's does not count. Tests a second are
by the clock, 32 at once: ours run on one CPU; the exporter takes all CPUs, and shares them with its
client. Both are Debian packages.

Each round measures both, one after the other, and the least disturbed round of each counts.
"""

import asyncio
import contextlib
import gc
import http.client
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import quote

from bench.ports import await_port, free_port
from bench.report import Row, Skipped

TESTS: Final = 96
AT_ONCE: Final = 32
ROUNDS: Final = 24
OF_THEIRS: Final = {"http": 0.45, "https": 0.85, "https, TLS 1.2": 0.85}
"""Our CPU, as a part of the exporter's. Of http it was 0.35 of its 0.79 ms that were asked for."""

type Measured = tuple[float, float]
"""Milliseconds of CPU for one test, and tests a second."""


def rows() -> list[Row]:
    nginx, exporter = shutil.which("nginx"), shutil.which("prometheus-blackbox-exporter")
    if nginx is None or exporter is None:
        raise Skipped("it needs nginx and prometheus-blackbox-exporter (apt install them)")
    measured = []
    with tempfile.TemporaryDirectory() as name, _nginx(nginx, Path(name)) as ports:
        folder = Path(name)
        os.environ["SSL_CERT_FILE"] = str(folder / "ca.pem")
        with _exporter(exporter, folder) as (process, exporter_port):
            for what, port in zip(OF_THEIRS, ports, strict=True):
                url = f"{what.partition(',')[0]}://127.0.0.1:{port}/"
                rounds = [
                    (_ours(url, port), _theirs(process, exporter_port, url)) for _ in range(ROUNDS)
                ]
                measured += _rows(what, *zip(*rounds, strict=True))
    return measured


def _rows(what: str, ours: Sequence[Measured], theirs: Sequence[Measured]) -> list[Row]:
    ours_ms, their_ms = min(ms for ms, _ in ours), min(ms for ms, _ in theirs)
    return [
        Row(f"CPU of a test over {what}", ours_ms, "ms", OF_THEIRS[what] * their_ms),
        Row(f"CPU of a blackbox_exporter probe over {what}", their_ms, "ms"),
        Row(f"CPU of a test ÷ of a blackbox_exporter probe over {what}", ours_ms / their_ms, ""),
        Row(f"tests a second over {what}", max(rate for _, rate in ours), "/s"),
        Row(
            f"blackbox_exporter probes a second over {what}",
            max(rate for _, rate in theirs),
            "/s",
        ),
    ]


def _ours(url: str, port: int) -> Measured:
    """Of a test, from its recipe to its report."""
    from patchbay.checks.recipe import Recipe
    from patchbay.checks.runner import run
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.policy import EgressPolicy

    gc.freeze()  # as a function does at the end of its start
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

    asyncio.run(many(AT_ONCE))
    began, before = time.perf_counter(), time.process_time()
    asyncio.run(many(TESTS))
    seconds, cpu = time.perf_counter() - began, time.process_time() - before
    return cpu * 1000 / TESTS, TESTS / seconds


@contextlib.contextmanager
def _exporter(exporter: str, folder: Path) -> Iterator[tuple[int, int]]:
    """The id of an exporter's process, and its port."""
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
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def _theirs(process: int, port: int, url: str) -> Measured:
    """Of a probe of the exporter."""
    path = f"/probe?module=page&target={quote(url, safe='')}"

    def probes(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(number):
            connection.request("GET", path)
            if b"probe_success 1" not in connection.getresponse().read():
                raise RuntimeError(f"the exporter could not fetch {url}")
        connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(probes, [1] * AT_ONCE))
        began, before = time.perf_counter(), _cpu_seconds(process)
        list(pool.map(probes, [TESTS // AT_ONCE] * AT_ONCE))
        seconds, cpu = time.perf_counter() - began, _cpu_seconds(process) - before
    return cpu * 1000 / TESTS, TESTS / seconds


@contextlib.contextmanager
def _nginx(nginx: str, folder: Path) -> Iterator[tuple[int, int, int]]:
    """An nginx on three ports of loopback, in the order of `OF_THEIRS`, with one small page."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    plain, tls, older = free_port(), free_port(), free_port()
    (folder / "nginx.conf").write_text(
        f"""daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem;
  server {{ listen 127.0.0.1:{plain}; location / {{ return 200 "ok"; }} }}
  server {{ listen 127.0.0.1:{tls} ssl; ssl_protocols TLSv1.3;
    location / {{ return 200 "ok"; }} }}
  server {{ listen 127.0.0.1:{older} ssl; ssl_protocols TLSv1.2;
    location / {{ return 200 "ok"; }} }} }}
"""
    )
    process = subprocess.Popen([nginx, "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)  # noqa: S603 - the Debian package
    try:
        await_port(plain)
        yield plain, tls, older
    finally:
        process.terminate()
        process.wait()


def _cpu_seconds(process: int) -> float:
    """User and system time of the threads of a process so far: schedstat has it by the nanosecond,
    proc(5)'s stat only by the hundredth of a second."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
