"""The stories of README and docs/: their commands, what they show, and how to paste that again.

    python -m tests.e2e.stories            writes what the commands of every document show now
    python -m tests.e2e.stories README.md  … of these

A story is a document's blocks that are marked `<!-- story -->`; the block after one is what it
prints. All blocks of a document run in one shell, one after the other; one in Python is a program.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.paths import ROOT
from local.provider import provider
from tests.e2e.harness import LocalCloud, Stack

_BLOCK: Final = re.compile(
    r"<!-- story -->\n```(?P<language>sh|python)\n(?P<commands>.*?)```"
    r"(?:\n\n```(?P<kind>json|text)\n(?P<shown>.*?)```)?",
    re.DOTALL,
)
_END: Final = "END_OF_PROGRAM"
_MARK: Final = "== end of a block =="
_PROVIDER: Final = "127.0.0.1:8099"
_TOLD_URL: Final = "http://127.0.0.1:3000"

# What differs from run to run.
_VARYING: Final = [
    (re.compile(r"\b([a-z]{3})_[0-9A-HJKMNP-TV-Z]{26}"), r"\1_ID"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"), "TIME"),
    (
        re.compile(
            r'("(?:[a-z0-9_]*_ms|latencyMs|healthLatencyMs|seconds_since_success)": ?)[0-9]+'
        ),
        r"\1N",
    ),
    (re.compile(r"\([0-9]+ ms\)"), "(N ms)"),
    (re.compile(r'("trace_id": ?)"[^"]*"'), r'\1"TRACE"'),
    # What the other documents leave behind in their organization.
    (re.compile(r'("used": ?)[0-9]+'), r"\1N"),
]


@dataclass(frozen=True)
class Step:
    commands: str
    shown: str


def documents() -> list[str]:
    """The documents that have a story, as paths from the project's root."""
    clients = sorted((ROOT / "client").glob("*.md"))
    candidates = [ROOT / "README.md", *clients, *sorted((ROOT / "docs").glob("*.md"))]
    return [str(path.relative_to(ROOT)) for path in candidates if _BLOCK.search(path.read_text())]


def story(document: str) -> list[Step]:
    text = (ROOT / document).read_text()
    return [Step(_shell(found), found["shown"] or "") for found in _BLOCK.finditer(text)]


def _shell(block: re.Match[str]) -> str:
    """What runs a block in a shell."""
    if block["language"] == "sh":
        return block["commands"]
    return f".venv/bin/python - <<'{_END}'\n{block['commands']}{_END}\n"


def settled(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return text.strip()


def told(steps: list[Step], stack: Stack, provider_port: int) -> list[str]:
    """What each step prints on this stack. Raises `AssertionError` if a command fails."""
    script = "".join(f"{step.commands}printf '\\n{_MARK}\\n'\n" for step in steps)
    for file in (stack.stack_file.with_suffix(".env"), stack.state.authority_certificate):
        script = script.replace(f".local/{file.relative_to(stack.state.root)}", str(file))
    script = script.replace(_PROVIDER, f"127.0.0.1:{provider_port}")
    shell = subprocess.run(
        ["bash", "-eu"],
        input=script,
        cwd=ROOT,
        # What a story serves itself gets a port that is free.
        env=os.environ | {"HOOK_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert shell.returncode == 0, f"{shell.stdout[-2000:]}\n{shell.stderr}"
    printed = shell.stdout.replace(f"127.0.0.1:{provider_port}", _PROVIDER)
    outputs = printed.replace(stack.api_url, _TOLD_URL).split(f"\n{_MARK}\n")
    assert len(outputs) == len(steps) + 1
    return outputs[:-1]


def _paste(document: str, stack: Stack, provider_port: int) -> None:
    outputs = iter(told(story(document), stack, provider_port))

    def pasted(found: re.Match[str]) -> str:
        commands, output = found["commands"], next(outputs)
        block = f"<!-- story -->\n```{found['language']}\n{commands}```"
        if found["shown"] is None and not output.strip():
            return block
        if settled(output) == settled(found["shown"] or ""):
            return found[0]
        kind = found["kind"] or ("json" if output.lstrip().startswith(("{", "[")) else "text")
        return f"{block}\n\n```{kind}\n{output.rstrip()}\n```"

    path = ROOT / document
    path.write_text(_BLOCK.sub(pasted, path.read_text()))


def main() -> None:
    chosen = sys.argv[1:] or documents()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        cloud = LocalCloud(Path(folder), port)
        try:
            with provider(certificate=cloud.stack.state.server_certificate) as served:
                for document in chosen:
                    _paste(document, cloud.stack, served.port)
        finally:
            cloud.stop()


if __name__ == "__main__":
    main()
