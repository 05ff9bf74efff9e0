"""Executors: ours and foreign ones, each added by the contract alone; a run in each of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor as FuturesExecutor
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask
import loky
import pytest
from distributed import Client, LocalCluster

from growsearch.driver import loop
from growsearch.driver.opening import Session
from growsearch.execution import Executor, InProcessExecutor
from growsearch.execution.local import LocalExecutor
from growsearch.study.result import SearchResult
from growsearch.testing.executor_contract import (
    ExecutorContract,
    ProcessExecutorContract,
    StoppingExecutorContract,
)
from tests.fake_trainer import FakeTrainer, images, outcome, space


class TestInProcessExecutor(ExecutorContract):
    @staticmethod
    def make_executor() -> Executor:
        return InProcessExecutor()

    def test_ctrl_c_passes_through(self, executor: Executor) -> None:
        """Ctrl-C is raised at once, and is no exception of a future."""

        def interrupted() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            executor.submit(interrupted)


class TestThreads(ExecutorContract):
    @staticmethod
    def make_executor() -> Executor:
        return ThreadPoolExecutor(2)


@pytest.fixture(scope="module")
def two_processes() -> Iterator[Executor]:
    """One executor for the laws that leave it as it is: its processes import for a second."""
    executor = LocalExecutor(2)
    yield executor
    executor.shutdown()


class TestLocalExecutor(StoppingExecutorContract):
    @staticmethod
    def make_executor() -> Executor:
        return LocalExecutor(2)

    @pytest.fixture
    def executor(self, two_processes: Executor) -> Executor:
        """The executor that the tests share."""
        return two_processes


class TestLoky(ProcessExecutorContract):
    loses_bystanders = True

    @staticmethod
    def make_executor() -> Executor:
        executor: Executor = loky.get_reusable_executor(max_workers=2)
        return executor

    @pytest.fixture
    def executor(self) -> Executor:
        """The executor that is reused, or a new one after its end."""
        return self.make_executor()


@pytest.fixture(scope="module")
def dask_client() -> Iterator[Client]:
    """A client of a cluster of two processes, which repeats no call."""
    without_repeats = {"distributed.scheduler.allowed-failures": 0}
    with (
        dask.config.set(without_repeats),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.mark.usefixtures("dask_client")
class TestDask(ProcessExecutorContract):
    owns_workers = False

    @staticmethod
    def make_executor() -> Executor:
        executor: Executor = Client.current().get_executor(pure=False)
        return executor


class Twice(InProcessExecutor):
    """Carries out every call twice, as after the death of a worker; the second outcome counts."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        super().submit(fn, *args, **options)
        return super().submit(fn, *args, **options)


def search(out: Path, executor: Executor) -> SearchResult:
    """A search of the small space with two arms and a polish."""
    small = space(
        "controls.arms={random = 1.0, scratch_compute = 1.0}",
        "polish={steps = 4, parts = 2, learning_rate = 0.01}",
        "pruning={tolerance = 0.0, reduction = 2}",
    )
    session = Session(small, images(), FakeTrainer(), out, trials=6, executor=executor)
    try:
        return loop.search(session)
    finally:
        executor.shutdown()


@pytest.mark.usefixtures("quick_sqlite")
@pytest.mark.parametrize(
    "executor",
    [lambda: ThreadPoolExecutor(1), lambda: ThreadPoolExecutor(3), Twice, lambda: LocalExecutor(2)],
    ids=["one thread", "three threads", "twice", "two processes"],
)
def test_a_run_does_not_depend_on_its_executor(
    tmp_path: Path, executor: Callable[[], FuturesExecutor]
) -> None:
    """The same trials, accuracies and files, wherever jobs run and however often."""
    here = search(tmp_path / "here", InProcessExecutor())
    there = search(tmp_path / "there", executor())
    assert {"COMPLETE", "PRUNED"} <= {record.state for record in here.trials}
    assert outcome(there) == outcome(here)
    files = [
        sorted(path.name for path in (tmp_path / run / "weights").iterdir())
        for run in ("here", "there")
    ]
    assert files[0] == files[1]
