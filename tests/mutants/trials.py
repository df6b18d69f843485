"""Tries mutants: does a test of the module fail with it?

Every mutant is tried in a process of its own. Most are tried in one session of pytest, which
collects the tests once: each fork exchanges the code of one function, or computes the constants of
the module again. What survives that, because it acted when the module was imported or because
others have a copy of it, and any other change are imported in place of the module.
"""

import gc
import importlib
import importlib.abc
import importlib.util
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest
from _pytest.runner import runtestprotocol
from hypothesis import strategies as st

from tests.mutants.exchange import OUR_PACKAGES, Exchange
from tests.mutants.mutations import Mutant

ROOT = Path(__file__).parents[2]
# Far more than the tests of a module need: a mutant that takes more does not end.
MAX_CPU_SECONDS = 8
MAX_WALL_SECONDS = 120
MAX_MEMORY = 1 << 30

_OPTIONS = [
    *(f"-pno:{name}" for name in ("schemathesis", "xdist", "cacheprovider")),
    # Takes longer than most trials: it collects garbage several times.
    "-pno:unraisableexception",
    "--tb=no",
    # Libraries are imported before pytest starts.
    "-Wignore::pytest.PytestAssertRewriteWarning",
]

SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Target:
    """A module and the test files that must notice a change of it."""

    name: str
    path: Path
    tests: tuple[str, ...]


class TestsFail(Exception):
    """The tests fail without any mutant."""


def survivors(target: Target, mutants: Sequence[Mutant], jobs: int) -> list[int]:
    """The indexes of the mutants with which all tests pass. Raises TestsFail."""
    _keep_hypothesis_short()
    _import_libraries(target)
    [(_, answer)] = _in_forks(
        [(0, lambda: _in_one_session(target, mutants, jobs))], 1, bounded=False
    )
    if not answer.startswith("{"):
        raise TestsFail(f"{target.name}: {answer}")
    session = json.loads(answer)
    order = session["order"]
    left = [(index, _importing(target, mutants[index], order)) for index in session["left"]]
    return sorted(index for index, verdict in _in_forks(left, jobs) if verdict == SURVIVED)


def _keep_hypothesis_short() -> None:
    """A mutant is noticed by few examples, the same ones each time, or by none."""
    hypothesis.settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        max_examples=10,
        deadline=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutants")


@hypothesis.given(st.integers())
def _warm_up(number: int) -> None:
    """Lets hypothesis read what it reads once for each process."""


def _import_libraries(target: Target) -> None:
    """Imports what the tests import from elsewhere, so that no fork has to."""

    def look() -> str:
        pytest.main(["--collect-only", *_OPTIONS, *target.tests])
        return " ".join(sys.modules)

    [(_, names)] = _in_forks([(0, look)], 1)
    for name in names.split():
        if name.partition(".")[0] not in OUR_PACKAGES:
            with suppress(Exception):
                importlib.import_module(name)
    gc.freeze()


# ---------------------------------------------------------------- in one session


def _in_one_session(target: Target, mutants: Sequence[Mutant], jobs: int) -> str:
    session = _Session(target, mutants, jobs)
    pytest.main(["-q", *_OPTIONS, *target.tests], plugins=[session])
    return session.answer


class _Session:
    """A plugin of pytest that tries the mutants instead of running the tests once.

    `answer` has in JSON the indexes of those that are left, and the order of the tests.
    """

    def __init__(self, target: Target, mutants: Sequence[Mutant], jobs: int) -> None:
        self.answer = "the tests can't be collected"
        self._target, self._mutants, self._jobs = target, mutants, jobs

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            return True
        [(_, answer)] = _in_forks([(0, lambda: json.dumps(_durations(session.items)))], 1)
        if not answer.startswith("{"):
            self.answer = f"fails without a mutant: {answer}"
            return True
        order: dict[str, float] = json.loads(answer)
        module = importlib.import_module(self._target.name)
        apply = Exchange(module, self._target.path)
        _warm_up()
        gc.freeze()

        def trial(mutant: Mutant) -> Callable[[], str]:
            def run() -> str:
                return _first_failure(session.items, order) if apply(mutant) else SURVIVED

            return run

        trials = ((index, trial(mutant)) for index, mutant in enumerate(self._mutants))
        left = []
        for index, verdict in _in_forks(trials, self._jobs):
            if verdict == SURVIVED:
                left.append(index)
            elif verdict in order:
                # What noticed a mutant is likely to notice the next.
                order[verdict] /= 2
        self.answer = json.dumps({"left": left, "order": order})
        return True


class _Once:
    """A plugin of pytest that runs the tests up to the first that fails."""

    def __init__(self, order: Mapping[str, float]) -> None:
        self.answer = "can't be collected"
        self._order = order

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if not session.testsfailed:
            self.answer = _first_failure(session.items, self._order)
        return True


def _durations(items: Sequence[pytest.Item]) -> dict[str, float]:
    """The seconds that each test takes. Raises TestsFail."""
    durations = {}
    for item in items:
        reports = runtestprotocol(item, log=False, nextitem=None)
        if any(report.failed for report in reports):
            raise TestsFail(item.nodeid)
        durations[item.nodeid] = sum(report.duration for report in reports)
    return durations


def _first_failure(items: Sequence[pytest.Item], order: Mapping[str, float]) -> str:
    for item in sorted(items, key=lambda item: order.get(item.nodeid, 0)):
        reports = runtestprotocol(item, log=False, nextitem=None)
        if any(report.failed for report in reports):
            return item.nodeid
    return SURVIVED


# ---------------------------------------------------------------- by importing the mutant


def _importing(target: Target, mutant: Mutant, order: Mapping[str, float]) -> Callable[[], str]:
    def run() -> str:
        sys.meta_path.insert(0, _Finder(target, mutant.source))
        once = _Once(order)
        pytest.main(["-q", *_OPTIONS, *target.tests], plugins=[once])
        return once.answer

    return run


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a mutant under the name of its module."""

    def __init__(self, target: Target, source: str) -> None:
        self._target, self._source = target, source

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname != self._target.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._target.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, str(self._target.path), "exec"), vars(module))  # noqa: S102  # our own source


# ---------------------------------------------------------------- processes


def _in_forks(
    runs: Sequence[tuple[int, Callable[[], str]]] | Iterator[tuple[int, Callable[[], str]]],
    jobs: int,
    *,
    bounded: bool = True,
) -> Iterator[tuple[int, str]]:
    """What each function returns in a process of its own; "gone" if that ended before."""
    waiting, running = iter(runs), dict[int, tuple[int, int]]()
    while True:
        while len(running) < jobs and (task := next(waiting, None)):
            pid, pipe = _fork(task[1], bounded=bounded)
            running[pid] = (task[0], pipe)
        if not running:
            return
        # A pipe holds less than an answer of a session, so it is read before the process ends.
        pid, (key, pipe) = next(iter(running.items()))
        with open(pipe, "rb") as answer:
            text = answer.read().decode()
        os.waitpid(pid, 0)
        del running[pid]
        yield key, text or "gone"


def _fork(run: Callable[[], str], *, bounded: bool) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        gc.disable()
        if bounded:
            resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
            resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(MAX_WALL_SECONDS)
        with open(writing, "w") as answer:
            try:
                answer.write(run())
            except BaseException as error:
                answer.write(f"raised {error!r}")
    finally:
        os._exit(0)
