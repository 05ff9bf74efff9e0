"""A driver that is killed, interrupted, or not alone; and an executor that breaks."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import growsearch as gs
from growsearch.cli import main
from growsearch.study.result import SearchResult
from growsearch.study.trials import pending as pending_trials
from tests.execution.work import is_alive
from tests.faults.conftest import search
from tests.faults.law import Counts, lost_since, sqlite, stored
from tests.faults.processes import Driver, Runs
from tests.faults.trainers import FaultyTrainer

full = pytest.mark.faults_full
SLOW = FaultyTrainer(seconds=60.0, only=True)

Begin = Callable[..., Runs]
Check = Callable[..., None]
Reference = Callable[..., SearchResult]


def finished(folder: Path, pending: int) -> SearchResult:
    """The same call once more, in this process: a run does not depend on where it is done."""
    return search(folder, trainer=FaultyTrainer(), pending_trials=pending)


@pytest.mark.parametrize(
    ("what", "pending"),
    [
        ("trial 2", 3),
        *(pytest.param(w, k, marks=full) for w in ("teacher", "trial 1 random") for k in (1, 3)),
    ],
)
def test_workers_end_with_a_killed_driver(
    begin: Begin, check: Check, reference: Reference, tmp_path: Path, what: str, pending: int
) -> None:
    """Within 2 s; the same call sends the pending jobs again, and nothing finished is touched."""
    trainer = SLOW if what.startswith("trial 2") else FaultyTrainer(seconds=2.0)
    runs, url = begin(trainer=trainer, pending_trials=pending), sqlite(tmp_path / "run")
    driver = runs.start()
    worker = driver.worker_of(what, step=0)
    assert is_alive(worker)
    driver.kill()
    assert driver.nothing_left(2.0)
    before = stored(url)
    waiting = [trial.number for trial in _pending(tmp_path / "run")] if what != "teacher" else []
    runs.finish(trainer={**runs.drive.trainer, "seconds": 0.0})
    result = gs.load_result(tmp_path / "run")
    assert {*waiting} <= {record.number for record in result.trials}  # as the same trials
    lost = lost_since(before, stored(url))
    check("driver killed (-9)", result, reference(pending), besides=lost)


@pytest.mark.parametrize("to", ["driver", "group"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("pending", [3, pytest.param(1, marks=full)])
def test_a_signal_ends_a_session_in_order(
    begin: Begin,
    check: Check,
    reference: Reference,
    tmp_path: Path,
    number: signal.Signals,
    to: str,
    pending: int,
) -> None:
    """Exit status 130 or 143 within 10 s, in one message; pending trials stay pending."""
    driver = begin(trainer=SLOW, pending_trials=pending).start()
    driver.worker_of("trial 2", step=0)
    (os.kill if to == "driver" else os.killpg)(driver.pid, number)
    ended = driver.wait(10.0)
    assert ended.status == 128 + number
    assert driver.nothing_left(2.0)
    assert ended.out == ""
    assert ended.err.startswith("Interrupted. Everything finished is stored; to continue:\n")
    assert ended.err.count("\n") == 2
    url = sqlite(tmp_path / "run")
    before, waiting = stored(url), [trial.number for trial in _pending(tmp_path / "run")]
    assert 2 in waiting
    result = finished(tmp_path / "run", pending)
    assert {*waiting} <= {record.number for record in result.trials}
    lost = lost_since(before, stored(url))
    check(f"{number.name} to the {to}", result, reference(pending), besides=lost)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_session_whose_workers_hang(
    begin: Begin, check: Check, reference: Reference, tmp_path: Path, number: signal.Signals
) -> None:
    """Workers that are frozen, or hang in C, are killed too."""
    trainer = FaultyTrainer(fault="hang", times=1, seconds=0.1)
    driver = begin(trainer=trainer, pending_trials=3).start()
    worker = driver.worker_of("trial 2", step=2)
    others = [pid for pid in driver.workers() if pid != worker]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    os.killpg(driver.pid, number)
    assert driver.wait(10.0).status == 128 + number
    assert driver.nothing_left(2.0)
    result = finished(tmp_path / "run", 3)
    check(f"{number.name} to the group, workers hang", result, reference(3))


def test_a_second_driver_is_refused(
    begin: Begin, check: Check, reference: Reference, tmp_path: Path
) -> None:
    """In one line, by the lock of the folder; the first does not notice."""
    runs = begin(trainer=FaultyTrainer(seconds=8.0, only=True))
    first = runs.start()
    first.worker_of("trial 2", step=0)
    refused = runs.start().wait()
    assert first.is_running()
    assert refused.status == 2
    assert "another growsearch process works in it" in refused.err
    assert refused.err.count("\n") == 1
    assert first.wait().status == 0
    check("second driver, refused by the lock", gs.load_result(tmp_path / "run"), reference())


@pytest.mark.parametrize("pending", [1, pytest.param(3, marks=full)])
def test_a_second_driver_where_locks_do_not_work_takes_the_run_over(
    begin: Begin, check: Check, reference: Reference, tmp_path: Path, pending: int
) -> None:
    """The first notices before it tells its next result, and ends in one line."""
    runs = begin(trainer=FaultyTrainer(seconds=5.0, only=True, index=1), pending_trials=pending)
    first = runs.start()
    first.worker_of("trial 1", step=0)
    (tmp_path / "run" / ".lock").unlink()
    second = runs.start(trainer={**runs.drive.trainer, "seconds": 1.0, "only": False})
    ended, other = _both(first, second)
    assert ended.status == 2
    assert "a second driver has taken the run over" in ended.err
    assert ended.err.count("\n") == 1
    assert other.status == 0, other.err
    result = gs.load_result(tmp_path / "run")
    check("second driver, without a lock: the session's id", result, reference(pending))


def test_a_broken_executor_ends_the_session(
    begin: Begin, check: Check, reference: Reference, tmp_path: Path
) -> None:
    """Exit status 75, in one line; the same command goes on."""
    runs = begin(trainer=FaultyTrainer(fault="kill", times=1), broken=True)
    ended = runs.start().wait()
    assert ended.status == 75
    assert "the executor takes no more jobs" in ended.err
    assert "run the same command again to continue" in ended.err
    assert ended.err.count("\n") == 1
    result = finished(tmp_path / "run", 1)
    check("executor breaks, exit 75", result, reference(), besides=Counts())


def _pending(folder: Path) -> tuple[object, ...]:
    return pending_trials(gs.load_result(folder).study)


def _both(first: Driver, second: Driver) -> tuple[object, object]:
    return first.wait(), second.wait()


# Python itself loses an interrupt that comes in a finalizer: that session goes on to its end.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("times", [25, pytest.param(250, marks=full)])
def test_interrupts_at_random_moments_leave_no_lock(
    check: Check, reference: Reference, tmp_path: Path, times: int
) -> None:
    """The session's last words wait for no transaction that Ctrl-C has cut; SQLite would, 60 s."""
    rng, done = random.Random(0), 0

    def interrupted(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, interrupted)
    try:
        for _ in range(times):
            began = time.monotonic()
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.05, 0.6))
                finished(tmp_path / str(done), 1)
                signal.setitimer(signal.ITIMER_REAL, 0)
                done += 1
            except KeyboardInterrupt:
                assert time.monotonic() - began < 10.0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    check("Ctrl-C at random moments", finished(tmp_path / "0", 1), reference(), n=times)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_finalizer_is_not_lost(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python drops the exception there, and a scheduler sends its SIGTERM once."""

    class Finalized:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)
            time.sleep(0)

    def call(*_: object, **__: object) -> None:
        Finalized()
        for _second in range(100):
            time.sleep(0.1)

    began = time.monotonic()
    assert main([], call=call) == 128 + number
    assert time.monotonic() - began < 5.0
    assert capsys.readouterr().err.startswith("Interrupted. ")
