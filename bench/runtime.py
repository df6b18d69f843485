"""A function as Lambda starts it: on the runtime interface emulator, with the built layers.

The emulator comes with aws-sam-cli; the runtime's own client (`awslambdaric`) has to be installed
where this runs. What AWS's runtime brings beside the layers is linked into a folder: botocore and
what it imports. DynamoDB is a server on loopback that knows of nothing.
"""

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import yaml

from bench.ports import await_port, free_port
from bench.report import Skipped
from local.paths import ROOT, SAM_BUILD, SAM_VENV

BUILT = SAM_BUILD / "build"
LAYERS = [BUILT / name / "python" for name in ("DependenciesX86Layer", "PatchbayLayer")]
_OF_THE_RUNTIME = (
    *("botocore", "urllib3", "jmespath", "dateutil", "six.py"),
    *("awslambdaric", "runtime_client*.so", "simplejson", "snapshot_restore_py*"),
)
_INIT = re.compile(rb"INIT REPORT\(durationMs: ([0-9.]+)")
_READY_SECONDS = 30
_AUTHORIZER = "AuthorizerFunction"


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the built template."""

    name: str
    handler: str
    folder: Path
    variables: Mapping[str, str]
    answers_http: bool
    """Whether a caller of the API waits for it."""

    @property
    def module(self) -> str:
        return self.handler.partition(".")[0]


def functions() -> list[Function]:
    """All of them. Raises `FileNotFoundError` before `make build`."""
    template = yaml.safe_load((BUILT / "template.yaml").read_text())
    defaults = {
        name: str(parameter.get("Default", ""))
        for name, parameter in template["Parameters"].items()
    }

    def value(given: Any) -> str:
        """A parameter's default; for what a deployment would name, its name in the template."""
        reference = given.get("Ref", "unnamed") if isinstance(given, dict) else str(given)
        return defaults.get(reference, reference)

    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    return [
        Function(
            name=name,
            handler=resource["Properties"]["Handler"],
            folder=BUILT / name,
            variables={
                variable: value(given)
                for variable, given in {
                    **shared,
                    **resource["Properties"]["Environment"]["Variables"],
                }.items()
            },
            # The authorizer has no events of its own: the API calls it by its name.
            answers_http=name == _AUTHORIZER
            or any(
                event["Type"] == "HttpApi"
                for event in resource["Properties"].get("Events", {}).values()
            ),
        )
        for name, resource in template["Resources"].items()
        # A loop is a list; none makes functions.
        if isinstance(resource, dict) and resource["Type"] == "AWS::Serverless::Function"
    ]


@dataclass(frozen=True, slots=True)
class Start:
    """One cold start: how long the initialization took, and the CPU until the first answer."""

    init_ms: float
    cpu_ms: float
    answer: Any


class Runtime:
    """Starts functions, each in an emulator of its own."""

    def __init__(self, runtime_folder: Path, dynamodb_url: str) -> None:
        self._runtime = runtime_folder
        self._dynamodb_url = dynamodb_url

    @classmethod
    @contextlib.contextmanager
    def prepared(cls) -> Iterator[Self]:
        with tempfile.TemporaryDirectory() as folder, _empty_dynamodb() as url:
            for name in _OF_THE_RUNTIME:
                found = [path for site in sys.path for path in Path(site).glob(name)]
                if not found:
                    raise Skipped(f"it needs {name} (pip install awslambdaric)")
                for path in found:
                    with contextlib.suppress(FileExistsError):
                        (Path(folder) / path.name).symlink_to(path)
            yield cls(Path(folder), url)

    def start(self, function: Function, event: Mapping[str, Any]) -> Start:
        with self.started(function) as running:
            answer = running.invoke(event)
            return Start(running.init_ms(), running.cpu_ms(), answer)

    @contextlib.contextmanager
    def started(self, function: Function) -> Iterator["Running"]:
        """An emulator that initializes the function when it is first invoked."""
        port, runtime_port = free_port(), free_port()
        path = [function.folder, *LAYERS, self._runtime]
        env = {
            **function.variables,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PYTHONNOUSERSITE": "1",
            # A function's own folder is read-only in Lambda: its handler is compiled at each start.
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_ENDPOINT_URL_DYNAMODB": self._dynamodb_url,
            "no_proxy": "127.0.0.1",
        }
        # Isolated from this environment's packages: the base interpreter, not the venv's.
        python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(  # noqa: S603 - our own tools
                [
                    SAM_VENV / f"lib/python3.{sys.version_info.minor}/site-packages"
                    "/samcli/local/rapid/aws-lambda-rie-x86_64",
                    *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
                    *("--runtime-api-address", f"127.0.0.1:{runtime_port}"),
                    *(python, "-m", "awslambdaric", function.handler),
                ],
                cwd=function.folder,
                env=env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                await_port(port)
                yield Running(port, process.pid, log.fileno())
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)
                process.wait()


@dataclass(frozen=True, slots=True)
class Running:
    """A function in its emulator, which takes one call at a time."""

    port: int
    process_id: int
    log: int

    def invoke(self, event: Mapping[str, Any]) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_READY_SECONDS)
        path = "/2015-03-31/functions/function/invocations"
        connection.request("POST", path, json.dumps(event))
        text = connection.getresponse().read()
        connection.close()
        if not text:
            raise RuntimeError(os.pread(self.log, 1 << 20, 0).decode(errors="replace"))
        return json.loads(text)

    def cpu_ms(self) -> float:
        """User and system time of the function's process so far (proc(5))."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[1]) == self.process_id:
                    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")
        raise RuntimeError("the function's process is gone")

    def init_ms(self) -> float:
        """What the emulator reported; the line comes a moment after the first answer."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            said = os.pread(self.log, 1 << 20, 0)
            if found := _INIT.search(said):
                return float(found[1])
            time.sleep(0.01)
        raise TimeoutError(said.decode(errors="replace"))


def sample_event(function: Function) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{function.module}.json").read_text())
    return event


@contextlib.contextmanager
def _empty_dynamodb() -> Iterator[str]:
    """Answers every call as if nothing were there."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            query = self.headers["X-Amz-Target"].endswith("Query")
            body = b'{"Items": [], "Count": 0}' if query else b"{}"
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body)

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
