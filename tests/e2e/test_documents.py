"""What the README and the docs tell to paste, pasted line by line, gives what they show."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local.paths import ROOT
from local.provider import provider
from tests.e2e.harness import Stack

BLOCK = re.compile(r"<!-- story -->\n```sh\n(.*?)```(?:\n\n```(?:json|text)\n(.*?)```)?", re.DOTALL)

# What differs from run to run.
VARYING = [
    (re.compile(r"\b(src|int|org|con|key|evt)_[0-9A-HJKMNP-TV-Z]{26}"), r"\1_ID"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"), "TIME"),
    (
        re.compile(r'("(?:duration_ms|latency_ms|latencyMs|seconds_since_success)": ?)[0-9]+'),
        r"\1N",
    ),
    (re.compile(r'("trace_id": ?)"[^"]*"'), r'\1"TRACE"'),
]


@dataclass(frozen=True)
class Step:
    commands: str
    shown: str


def story(document: str) -> list[Step]:
    found = BLOCK.findall((ROOT / document).read_text())
    return [Step(commands, shown) for commands, shown in found]


def settled(text: str) -> str:
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return text.strip()


@pytest.fixture
def provider_port() -> Iterator[int]:
    with provider() as served:
        yield served.port


@pytest.mark.parametrize(
    ("document", "least"), [("README.md", 9), ("docs/registry.md", 6), ("docs/health.md", 6)]
)
def test_what_a_document_shows_is_true(
    stack: Stack, provider_port: int, document: str, least: int
) -> None:
    # Given a running local cloud and provider, on the ports of this test
    steps = story(document)
    assert len(steps) >= least
    mark = "== end of a block =="
    script = "".join(f"{step.commands}printf '\\n{mark}\\n'\n" for step in steps)
    script = script.replace(".local/stack.env", str(stack.stack_file.with_suffix(".env")))
    script = script.replace("127.0.0.1:8099", f"127.0.0.1:{provider_port}")
    # When all blocks are pasted one after the other
    shell = subprocess.run(
        ["bash", "-eu"],
        input=script,
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # Then each shows what the README shows
    assert shell.returncode == 0, shell.stderr
    outputs = shell.stdout.split(f"\n{mark}\n")
    for step, output in zip(steps, outputs, strict=False):
        assert settled(output) == settled(step.shown), step.commands
