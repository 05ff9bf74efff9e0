"""Executors: the one of this process, and a foreign one that is added by its contract alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from growsearch.driver import loop
from growsearch.driver.opening import Session
from growsearch.execution import Executor, InProcessExecutor
from growsearch.study.result import SearchResult
from growsearch.testing.executor_contract import ExecutorContract
from growsearch.trials.worker import Job, OnPoint, WorkerContext
from tests.fake_trainer import FakeTrainer, images, outcome, space


class TestInProcessExecutor(ExecutorContract):
    @staticmethod
    def make_executor(context: WorkerContext, on_point: OnPoint) -> Executor:
        return InProcessExecutor(context, on_point)

    def test_ctrl_c_passes_through(self, context: WorkerContext, parent: str) -> None:
        """Ctrl-C is raised at once, and is no exception of a future."""

        def interrupted(*_: Any) -> bool:
            raise KeyboardInterrupt

        executor = self.make_executor(context, interrupted)
        with pytest.raises(KeyboardInterrupt):
            executor.submit(self.job(parent))


class OneThread:
    """Carries out jobs in a thread of its own: all that a new executor must bring."""

    workers = 1

    def __init__(self, context: WorkerContext, on_point: OnPoint) -> None:
        self._context, self._on_point = context, on_point
        self._threads = ThreadPoolExecutor(max_workers=self.workers)

    def submit(self, job: Job[Any]) -> Future[Any]:
        return self._threads.submit(job.carry_out, self._context, self._on_point)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait, cancel_futures=cancel_futures)


class TestOneThread(ExecutorContract):
    @staticmethod
    def make_executor(context: WorkerContext, on_point: OnPoint) -> Executor:
        return OneThread(context, on_point)


class Three(OneThread):
    """Carries out three jobs at once, each in a thread of its own."""

    workers = 3


class Twice(InProcessExecutor):
    """Carries out every job twice, as after the death of a worker; the second outcome counts."""

    def submit(self, job: Job[Any]) -> Future[Any]:
        super().submit(job)
        return super().submit(job)


def search(out: Path, executor: Callable[[WorkerContext, OnPoint], Executor]) -> SearchResult:
    """A search of the small space with two arms and a polish."""
    small = space(
        "controls.arms={random = 1.0, scratch_compute = 1.0}",
        "polish={steps = 4, parts = 2, learning_rate = 0.01}",
        "pruning={tolerance = 0.0, reduction = 2}",
    )
    return loop.search(Session(small, images(), FakeTrainer(), out, trials=6, executor=executor))


@pytest.mark.usefixtures("quick_sqlite")
@pytest.mark.parametrize("executor", [OneThread, Three, Twice])
def test_a_run_does_not_depend_on_its_executor(
    tmp_path: Path, executor: Callable[[WorkerContext, OnPoint], Executor]
) -> None:
    """The same trials, accuracies and files, wherever jobs run and however often."""
    here = search(tmp_path / "here", InProcessExecutor)
    there = search(tmp_path / "there", executor)
    assert {"COMPLETE", "PRUNED"} <= {record.state for record in here.trials}
    assert outcome(there) == outcome(here)
    files = [
        sorted(path.name for path in (tmp_path / run / "weights").iterdir())
        for run in ("here", "there")
    ]
    assert files[0] == files[1]
