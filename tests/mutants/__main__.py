"""Changes the modules that decide, one change at a time, and asks whether their tests notice.

    make mutants MODULES="health.buckets health.summary"

The exit code is 1 if fewer than 95% of the mutants are killed, if a survivor is not listed in
`equivalent.toml` with a reason, or if what is listed there is killed or gone.
"""

import argparse
import json
import os
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final

from tests.mutants.modules import targets
from tests.mutants.mutations import Mutant, mutants_of
from tests.mutants.trials import ROOT, Target, survivors

REQUIRED_PERCENT: Final = 95
LIST: Final = Path(__file__).with_name("equivalent.toml")

type Identity = tuple[str, str, str, str]


def identity(target: Target, mutant: Mutant) -> Identity:
    """The module, where in it, and the lines of the change."""
    return target.name, mutant.where, mutant.removed, mutant.added


def listed(text: str) -> Counter[Identity]:
    """The mutants that are listed as equivalent, each with a reason."""
    entries = tomllib.loads(text).get("equivalent", [])
    for entry in entries:
        if not entry["reason"].strip():
            raise SystemExit(f"patchbay: {LIST.name}: {entry['where']} has no reason")
    return Counter((e["module"], e["where"], e["removed"], e["added"]) for e in entries)


def show(mutant: Identity) -> str:
    module, where, removed, added = (json.dumps(part, ensure_ascii=False) for part in mutant)
    return (
        f"[[equivalent]]\nmodule = {module}\nwhere = {where}\n"
        f'removed = {removed}\nadded = {added}\nreason = ""\n'
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as health.buckets; all by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    chosen = [
        target
        for target in targets()
        if not options.modules or target.name.removeprefix("patchbay.") in options.modules
    ]
    os.chdir(ROOT)
    names = {target.name for target in chosen}
    expected = Counter({key: n for key, n in listed(LIST.read_text()).items() if key[0] in names})
    found: Counter[Identity] = Counter()
    total = 0
    for target in chosen:
        start = time.monotonic()
        mutants = list(mutants_of(target.path.read_text()))
        alive = survivors(target, mutants, options.jobs)
        found.update(identity(target, mutants[index]) for index in alive)
        total += len(mutants)
        print(
            f"{target.name:36} {len(mutants):5} mutants, {len(alive):3} survive"
            f" {time.monotonic() - start:6.1f} s",
            flush=True,
        )
    killed = 100 * (total - found.total()) / total
    for survivor in (found - expected).elements():
        print(f"\nsurvives:\n{show(survivor)}", file=sys.stderr)
    for entry in (expected - found).elements():
        print(f"\nlisted, but killed or gone:\n{show(entry)}", file=sys.stderr)
    print(f"{killed:.1f}% of {total} mutants are killed")
    return int(found != expected or killed < REQUIRED_PERCENT)


if __name__ == "__main__":
    sys.exit(main())
