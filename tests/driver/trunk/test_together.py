"""Works side by side: their order, their outcomes, their errors, on every kind of executor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from growsearch.datasets import Split, StoredImages
from growsearch.driver.trunk.together import Work, carry_out_together
from growsearch.execution import InProcessExecutor
from growsearch.execution.dispatch import Dispatcher
from growsearch.execution.local import LocalExecutor
from growsearch.execution.time_limit import TimeLimit
from growsearch.networks.store import NetworkStore
from growsearch.testing.drifting_trainer import DriftingTrainer
from growsearch.trials.progress import OnPoint, ProgressFolder, Silent
from growsearch.trials.worker import WorkerContext, WorkerTracebackError
from tests.virtual_executor import VirtualExecutor, virtual

SECONDS = 60.0  # for what takes less than one


@dataclass(frozen=True)
class Echo:
    """A job whose outcome is its name."""

    name: str

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> str:
        """Return the name."""
        del context, on_point
        return self.name


@dataclass(frozen=True)
class Fault:
    """A job in which a bug is met."""

    name: str

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> str:
        """Raise an error that names the job."""
        del context, on_point
        raise ZeroDivisionError(self.name)


@dataclass(frozen=True)
class Meeting:
    """A job that ends when another one has begun."""

    name: str
    other: str
    folder: str

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> bool:
        """Write the own name, wait for the other's; return False if it does not come."""
        del context, on_point
        (Path(self.folder) / self.name).touch()
        until = time.monotonic() + SECONDS
        while not (Path(self.folder) / self.other).exists():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True


def context(folder: Path, *, is_stored: bool = False) -> WorkerContext:
    images = {
        part: Split(np.zeros((3, 4, 4, 1), np.float32), np.arange(3))
        for part in ("train", "selection", "test")
    }
    store = NetworkStore(folder / "weights")
    if not is_stored:
        return WorkerContext(DriftingTrainer(), images, store, "d" * 64, Silent())
    stored = StoredImages.write(folder / "data", images)
    reporter = ProgressFolder(folder / "jobs")
    return WorkerContext(DriftingTrainer(), stored, store, "d" * 64, reporter)


def dispatcher(executor: Any, known: WorkerContext) -> Dispatcher:
    return Dispatcher(
        executor,
        known,
        workers=executor.workers,
        time_limit=TimeLimit(None),
        on_event=lambda _: None,
    )


@contextmanager
def in_process(folder: Path) -> Iterator[Dispatcher]:
    """A dispatcher of one worker, this process."""
    with dispatcher(InProcessExecutor(), context(folder)).working(shuts_down=True) as found:
        yield found


@contextmanager
def in_processes(folder: Path) -> Iterator[Dispatcher]:
    """A dispatcher of two processes beside this one."""
    executor = LocalExecutor(2)
    try:
        yield dispatcher(executor, context(folder, is_stored=True))
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


Where = Callable[[Path], Any]
EVERYWHERE = pytest.mark.parametrize("where", [in_process, in_processes])


def echoes(name: str, count: int, found: list[str]) -> Work:
    """A work of several jobs; each outcome must be that of its own job."""
    for place in range(count):
        job = Echo(f"{name} {place}")
        outcome = yield job, "candidates"
        assert outcome == job.name
        found.append(outcome)


@EVERYWHERE
def test_works_of_different_lengths_are_carried_out_to_their_ends(
    where: Where, tmp_path: Path
) -> None:
    """Each is sent the outcomes of its own jobs, in its own order; one may have no job at all."""
    found: list[str] = []
    lengths = (3, 0, 1, 5)
    works = [echoes(f"work {place}", count, found) for place, count in enumerate(lengths)]
    with where(tmp_path) as dispatcher:
        carry_out_together(dispatcher, works)
        assert dispatcher.is_idle
    for place, count in enumerate(lengths):
        own = [name for name in found if name.startswith(f"work {place}")]
        assert own == [f"work {place} {each}" for each in range(count)]
    assert len(found) == sum(lengths)


def test_no_work_is_done_at_once(tmp_path: Path) -> None:
    """A campaign may be left without a candidate."""
    with in_process(tmp_path) as dispatcher:
        carry_out_together(dispatcher, [])
        carry_out_together(dispatcher, [echoes("work", 0, [])])
        assert dispatcher.is_idle


def test_one_worker_carries_out_earlier_works_first(tmp_path: Path) -> None:
    """The trunk, which is the first, is never kept waiting by a candidate."""
    found: list[str] = []
    with in_process(tmp_path) as dispatcher:
        carry_out_together(dispatcher, [echoes(f"{place}", 2, found) for place in range(3)])
    assert found == ["0 0", "0 1", "1 0", "1 1", "2 0", "2 1"]


def test_two_workers_carry_out_two_works_at_once(tmp_path: Path) -> None:
    """Each waits for the other to begin: one after the other they would not end."""
    found: list[bool] = []

    def meets(name: str, other: str) -> Work:
        found.append((yield Meeting(name, other, str(tmp_path)), "candidates"))

    with in_processes(tmp_path) as dispatcher:
        carry_out_together(dispatcher, [meets("one", "other"), meets("other", "one")])
    assert found == [True, True]


@EVERYWHERE
def test_an_error_is_raised_in_the_work_whose_job_met_it(where: Where, tmp_path: Path) -> None:
    """It may be caught there, and the work goes on; the others are not disturbed."""
    found: list[str] = []
    caught: list[ZeroDivisionError] = []

    def stumbles() -> Work:
        yield Echo("before"), "candidates"
        try:
            yield Fault("the fault"), "candidates"
        except ZeroDivisionError as error:
            caught.append(error)
        found.append((yield Echo("after"), "candidates"))

    def ends() -> Work:
        with pytest.raises(ZeroDivisionError, match="its last"):
            yield Fault("its last"), "candidates"

    with where(tmp_path) as dispatcher:
        works = [echoes("one", 3, found), stumbles(), ends(), echoes("other", 3, found)]
        carry_out_together(dispatcher, works)
    assert [str(error) for error in caught] == ["the fault"]
    assert (where is in_processes) == isinstance(caught[0].__cause__, WorkerTracebackError)
    assert sorted(found) == ["after", *(f"{name} {k}" for name in ("one", "other") for k in "012")]


@EVERYWHERE
def test_an_error_that_a_work_lets_pass_ends_all(where: Where, tmp_path: Path) -> None:
    """It reaches the caller, who cancels what runs."""
    with where(tmp_path) as dispatcher:
        works = [echoes("one", 2, []), (each for each in [(Fault("a bug"), "candidates")])]
        with pytest.raises(ZeroDivisionError, match="a bug"):
            carry_out_together(dispatcher, works)
        dispatcher.cancel()
        assert dispatcher.is_idle


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=6), st.integers(1, 4), st.integers(0, 2**32)
)
def test_in_any_order_of_ends_every_work_is_whole(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], workers: int, seed: int
) -> None:
    """With no more jobs at once than workers, and of each work one; of those that wait, the first.

    The jobs of a virtual executor end in a drawn order.
    """
    known = context(tmp_path_factory.getbasetemp())
    found: list[str] = []
    executor = VirtualExecutor(workers, Random(seed))
    with virtual(executor):
        works = [echoes(f"{place}", count, found) for place, count in enumerate(lengths)]
        carry_out_together(dispatcher(executor, known), works)
    expected = [f"{place} {k}" for place, count in enumerate(lengths) for k in range(count)]
    assert sorted(found) == sorted(expected)
    assert executor.largest <= min(workers, max(1, sum(count > 0 for count in lengths)))
    for place, count in enumerate(lengths):
        own = [name for name in executor.submitted if name.startswith(f"{place} ")]
        assert own == [f"{place} {k}" for k in range(count)]
    begun = [int(name.split()[0]) for name in executor.submitted if name.endswith(" 0")]
    assert begun == sorted(begun)
