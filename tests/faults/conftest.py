"""Fixtures of the tests of faults: references, drivers, services that CI must have."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

import growsearch as gs
from growsearch.study.result import SearchResult
from tests.conftest import Server
from tests.fake_trainer import images, space
from tests.faults.drive import Drive
from tests.faults.law import Counts, undisturbed
from tests.faults.processes import Runs, runs
from tests.faults.table import PROPERTY
from tests.faults.trainers import SEED, FaultyTrainer

ARMS = 'controls.arms=["random"]'
TRIALS = 5


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, quick_sqlite: None) -> None:
    """No test here reaches out of this machine."""
    del quick_sqlite
    monkeypatch.setenv("GROWSEARCH_OFFLINE", "1")


@pytest.fixture(scope="session")
def reference(
    tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None
) -> Callable[..., SearchResult]:
    """Runs that nothing disturbed, in this process; some with a training that fails."""
    del quick_sqlite
    known: dict[Any, SearchResult] = {}

    def made(
        pending: int = 1, *, trials: int = TRIALS, text: str = "", **trainer: Any
    ) -> SearchResult:
        key = (pending, trials, text, *sorted(trainer.items()))
        if key not in known:
            folder = tmp_path_factory.mktemp("reference")
            fails = {"fault": "fail", "text": text, **trainer} if text else {}
            known[key] = search(
                folder / "run",
                trials=trials,
                workers=0,
                pending_trials=pending,
                trainer=FaultyTrainer(**fails, folder=str(folder)),
            )
        return known[key]

    return made


def search(out: Path, **options: Any) -> SearchResult:
    """A search of the small space with one arm, in this process."""
    options = {"trials": TRIALS, "data": images(), "seed": SEED, "pending_trials": 1, **options}
    return gs.search(space(ARMS), out=out, **options)


@pytest.fixture
def check(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Count what a fault broke, note it for the table, and expect nothing."""

    def counted(
        fault: str,
        result: SearchResult,
        expected: SearchResult,
        *,
        n: int = 1,
        besides: Counts | None = None,
    ) -> None:
        counts = undisturbed(result, expected) + (besides or Counts())
        record_property(PROPERTY, (fault, n, counts.lost, counts.duplicates, counts.stuck))
        assert counts == Counts()

    return counted


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Runs]]:
    """The drivers of one run in the test's folder; they end with the test."""
    with ExitStack() as stack:

        def prepared(*, trainer: FaultyTrainer | None = None, **options: Any) -> Runs:
            noted = replace(trainer or FaultyTrainer(), folder=str(tmp_path))
            events = str(tmp_path / "events.jsonl")
            drive = Drive(
                **{
                    "out": str(tmp_path / "run"),
                    "trials": TRIALS,
                    "events": events,
                    "trainer": asdict(noted),
                    **options,
                }
            )
            return stack.enter_context(runs(drive))

        yield prepared


def missing(what: str) -> NoReturn:
    """Fail in CI, where nothing is skipped; skip elsewhere."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(what)
    raise AssertionError


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """A running PostgreSQL."""
    if not [*Path("/usr/lib/postgresql").glob("*/bin/initdb")]:
        missing("PostgreSQL is needed: /usr/lib/postgresql/*/bin/initdb is not installed")
    found: Server = request.getfixturevalue("postgresql")
    return found


@pytest.fixture
def small_disk() -> Iterator[Callable[..., None]]:
    """Mount a small disk of its own at a folder; unmounted after the test."""
    if os.geteuid() != 0:
        missing("root is needed, to mount a small tmpfs")
    with ExitStack() as stack:
        yield lambda folder, size: stack.enter_context(_mounted(folder, size))


@contextmanager
def _mounted(folder: Path, size: int) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        missing(f"a small tmpfs is needed, and cannot be mounted: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
