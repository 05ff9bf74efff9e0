"""kill -9 at every commit step and at random: the same command ends as if nothing had been."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from pydoc import locate
from typing import Any

import optuna
import pytest

import growsearch as gs
from growsearch.driver.events import Training
from growsearch.errors import RunError
from growsearch.study.attributes import Candidate
from growsearch.study.result import SearchResult
from tests.fake_trainer import FakeTrainer, images, outcome, space, without_fsync

pytestmark = pytest.mark.usefixtures("quick_sqlite")

TRIALS = 3
STATUS = 9
STORE = "growsearch.networks.store.NetworkStore"
DATABASE = "optuna.storages.RDBStorage"


def search(folder: Path, **options: Any) -> SearchResult:
    arms = space('controls.arms=["random", "continued"]')
    options = {"data": images(), "trainer": FakeTrainer(), "seed": 0, **options}
    return gs.search(arms, trials=TRIALS, out=folder, **options)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, quick_sqlite: None) -> SearchResult:
    """A run that nothing interrupted."""
    del quick_sqlite
    return search(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Starts new processes that have imported everything already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["pytest", "growsearch.driver.loop", "optuna_dashboard", "tests.driver.test_crash"]
    )
    return context


# --- in a process of its own --------------------------------------------------------------------


def quietly(folder: Path) -> None:
    """Run the search; what it prints is not a test's."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    event.listen(Engine, "connect", without_fsync)
    search(folder)


def die_at(folder: Path, owner: str, name: str, call: int, when: str) -> None:
    """Run the search and die, without a farewell, before or after a call of a function."""
    found = locate(owner)
    original: Callable[..., Any] = getattr(found, name)
    calls = 0

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        this = calls == call
        if this and when == "before":
            os._exit(STATUS)
        result = original(*args, **options)
        if this:
            os._exit(STATUS)
        return result

    setattr(found, name, counted)
    quietly(folder)


def die_at_commit(folder: Path, number: int) -> None:
    """Run the search and die right after a commit of the database."""
    die_at(folder, "sqlalchemy.engine.default.DefaultDialect", "do_commit", number, "after")


def wait_in_training(folder: Path, waiting: Any, go_on: Any) -> None:
    """Hold the run folder until told."""

    def on_event(event: Any) -> None:
        if isinstance(event, Training) and event.what == "trial 1":
            waiting.set()
            go_on.wait(60)

    search(folder, on_event=on_event)


# --- the law ------------------------------------------------------------------------------------


def check(folder: Path, whole: SearchResult, process: ForkServerProcess | None = None) -> None:
    """Nothing that was finished is lost or repeated, and the end is that of a whole run."""
    if process is not None:
        assert process.exitcode in (STATUS, -STATUS)
    before = finished(folder)
    result = search(folder)
    assert outcome(result) == outcome(whole)
    after = finished(folder)
    assert {name: after.get(name) for name in before} == before
    pairs = [(c.user_attrs["candidate"], c.user_attrs["arm"]) for c in result.control_study.trials]
    assert len(pairs) == len(set(pairs)) == 2 * TRIALS
    assert {c for c, _ in pairs} == {record.number for record in result.trials}
    states = {trial.state.name for trial in result.study.trials}
    assert "RUNNING" not in states
    for trial in result.study.trials:
        if (name := Candidate.read(trial).sha256) and trial.state.name == "COMPLETE":
            path = folder / "weights" / f"{name}.safetensors"
            assert gs.Network.load(path).sha256 == name


def finished(folder: Path) -> dict[tuple[str, int], Any]:
    """Every finished trial of both studies, as the database has it."""
    url = f"sqlite:///{folder / 'study.db'}"
    found = {}
    if (folder / "study.db").is_file():
        try:
            names = optuna.get_all_study_names(url)
        except Exception:  # not even the tables are there
            return {}
        for name in names:
            for trial in optuna.load_study(study_name=name, storage=url).trials:
                if trial.state.name == "COMPLETE":
                    key = (name, trial.number)
                    found[key] = (trial.params, trial.value, trial.user_attrs, trial.datetime_start)
    return found


@pytest.fixture
def die(processes: ForkServerContext, tmp_path: Path) -> Iterator[Callable[..., ForkServerProcess]]:
    """Run a function in a new process until it is dead."""

    def start(target: Callable[..., None], *args: Any) -> ForkServerProcess:
        process = processes.Process(target=target, args=(tmp_path, *args))
        process.start()
        process.join(60)
        return process

    return start


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("step", "owner", "name", "call"),
    [
        ("teacher stored", STORE, "put", 1),
        ("network stored", STORE, "put", 2),
        ("file renamed", "pathlib.Path", "replace", 2),
        ("study attribute set", "optuna.Study", "set_user_attr", 2),
        ("teacher attribute set", "optuna.Study", "set_user_attr", 4),
        ("time of the teacher set", "optuna.Study", "set_user_attr", 5),
        ("time of a trial set", "optuna.Study", "set_user_attr", 7),
        ("test attribute set", "optuna.Study", "set_user_attr", 9),
        ("time of the whole set", "optuna.Study", "set_user_attr", 10),
        ("trial begun", "growsearch.driver.candidates", "begin", 3),
        ("first attribute set", DATABASE, "set_trial_user_attr", 1),
        ("trial attribute set", DATABASE, "set_trial_user_attr", 2),
        ("told", "optuna.Study", "tell", 2),
        ("control added", "optuna.Study", "add_trial", 3),
        ("second control added", "optuna.Study", "add_trial", 5),
    ],
)
def test_death_at_a_commit_step_costs_that_step_only(
    die: Callable[..., ForkServerProcess],
    tmp_path: Path,
    whole: SearchResult,
    step: str,
    owner: str,
    name: str,
    call: int,
    when: str,
) -> None:
    """A process that dies between two steps leaves nothing but an orphan file."""
    del step
    check(tmp_path, whole, die(die_at, owner, name, call, when))


def test_death_after_any_commit_of_the_database_costs_that_step_only(
    processes: ForkServerContext, tmp_path: Path, whole: SearchResult
) -> None:
    """From the first table to the last attribute, each in a run of its own."""
    died = 0
    for number in range(1, 1000, 53):
        folder = tmp_path / str(number)
        process = processes.Process(target=die_at_commit, args=(folder, number))
        process.start()
        process.join(60)
        if process.exitcode == 0:
            break
        died += 1
        check(folder, whole, process)
    assert died > 3


def test_kill_9_at_random_moments_loses_nothing(
    processes: ForkServerContext, tmp_path: Path, whole: SearchResult
) -> None:
    """One run, killed again and again, ends as an uninterrupted one."""
    rng = random.Random(0)
    kills = 0
    for _ in range(8):
        process = processes.Process(target=quietly, args=(tmp_path,))
        process.start()
        process.join(rng.uniform(0.05, 0.5))
        if process.exitcode is None:
            before = finished(tmp_path)
            process.kill()
            kills += 1
            process.join(60)
            after = finished(tmp_path)
            assert {name: after.get(name) for name in before} == before
    assert kills
    check(tmp_path, whole)


def test_two_processes_in_one_folder_are_one_too_many(
    processes: ForkServerContext, tmp_path: Path, whole: SearchResult
) -> None:
    """The second gets one line; the first does not notice."""
    waiting, go_on = processes.Event(), processes.Event()
    process = processes.Process(target=wait_in_training, args=(tmp_path, waiting, go_on))
    process.start()
    assert waiting.wait(60)
    with pytest.raises(RunError) as caught:
        search(tmp_path)
    assert "another growsearch process" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [t.state for t in gs.load_result(tmp_path).study.trials][-1].name == "RUNNING"
    go_on.set()
    process.join(60)
    assert process.exitcode == 0
    result = search(tmp_path)
    assert outcome(result) == outcome(whole)
    assert len(result.study.trials) == TRIALS
