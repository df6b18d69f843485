"""template.yaml by all rules of cfn-lint: informational, experimental, and strict ones, too.

    python -m tests.template_lint

reads it as it is written, and as CloudFormation deploys it. What is meant to be so is in
`accepted.toml`.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.paths import ROOT, SAM_VENV
from tests.integration.transformed import transformed

_ACCEPTED = Path(__file__).with_name("accepted.toml")
_RULES = [
    *("--include-checks", "I", "W", "E", "--include-experimental"),
    *("--configure-rule", "E3012:strict=true", "I3042:region=true", "I3042:accountId=true"),
    *("--regions", "us-east-1", "eu-central-1"),
]


@dataclass(frozen=True, slots=True)
class Finding:
    form: str
    """"written" or "deployed"."""
    rule: str
    place: str
    message: str


def findings(form: str, template: Path) -> Iterator[Finding]:
    """What all rules find in a template."""
    command: list[str | Path] = [
        SAM_VENV / "bin" / "cfn-lint",
        *_RULES,
        "--format",
        "json",
        "--template",
        template,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.stderr or not done.stdout:
        sys.exit(f"patchbay: cfn-lint ended with {done.returncode}\n{done.stderr}")
    for found in json.loads(done.stdout):
        place = "/".join(str(step) for step in found["Location"]["Path"] or ())
        yield Finding(form, found["Rule"]["Id"], place, found["Message"])


def fits(entry: Mapping[str, Any], found: Finding) -> bool:
    return (
        entry["rule"] == found.rule
        and found.form in entry["in"]
        and re.fullmatch(entry["at"], found.place) is not None
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        deployed = Path(folder) / "deployed.json"
        deployed.write_text(json.dumps(transformed(), indent=1))
        forms = {"written": ROOT / "template.yaml", "deployed": deployed}
        with ThreadPoolExecutor() as threads:
            results = threads.map(lambda form: list(findings(*form)), forms.items())
            found = [finding for result in results for finding in result]
    accepted = tomllib.loads(_ACCEPTED.read_text())["accepted"]
    problems = [
        f"{one.rule} {one.place} (as {one.form}): {one.message}"
        for one in found
        if not any(fits(entry, one) for entry in accepted)
    ]
    problems += [
        f"{entry['rule']} {entry['at']} finds nothing as {form}: take it out of accepted.toml"
        for entry in accepted
        for form in entry["in"]
        if not any(fits(entry, one) for one in found if one.form == form)
    ]
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(found)} findings in template.yaml, all of them accepted")


if __name__ == "__main__":
    main()
