"""A search whose jobs sleep, on the workers of an engine: what the driver and the workers do."""

from __future__ import annotations

import cProfile
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from sleeping_trainer import SleepingTrainer

import growsearch as gs


def load() -> str:
    """Return the number of processes that have wanted to run in the last minute."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


@dataclass
class Gauge:
    """The driver's times and the workers' seconds, from the first candidate to the last trial.

    Parameters
    ----------
    processor_time : callable
        The driver's, in seconds.
    """

    processor_time: Callable[[], float]
    transactions: int = 0
    trials: int = 0
    jobs: int = 0
    busy: float = 0.0
    finished: list[tuple[float, float]] = field(default_factory=list)  # time, seconds slept so far
    began: tuple[float, float, int] = (0.0, 0.0, 0)
    ended: tuple[float, float, int] = (0.0, 0.0, 0)

    def __call__(self, event: Any) -> None:
        """Take note of the teacher's end, and of each trial's."""
        from growsearch.driver.events import TeacherReady, TrialFinished

        if isinstance(event, TeacherReady):
            self.began = self._now()
        elif isinstance(event, TrialFinished):
            self.trials += 1
            self.jobs += len(event.record.arms)
            self.busy += event.record.seconds
            self.ended = self._now()
            self.finished.append((self.ended[0], self.busy))

    def _now(self) -> tuple[float, float, int]:
        return time.monotonic(), self.processor_time(), self.transactions

    @property
    def wall(self) -> float:
        """Seconds between the two."""
        return self.ended[0] - self.began[0]

    @property
    def driver(self) -> float:
        """The driver's processor time between the two, in seconds."""
        return self.ended[1] - self.began[1]

    @property
    def steady(self) -> float:
        """The mean number of workers in jobs, in the middle half of the trials."""
        (began, before), (ended, after) = (
            self.finished[len(self.finished) * quarter // 4] for quarter in (1, 3)
        )
        return (after - before) / (ended - began)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the transactions of all databases inside the block."""
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        def count(_connection: Any) -> None:
            self.transactions += 1

        event.listen(Engine, "commit", count)
        try:
            yield
        finally:
            event.remove(Engine, "commit", count)


def number_after(seconds: float) -> int:
    """Return the number of this process, after some sleep."""
    time.sleep(seconds)
    return os.getpid()


def started(executor: Any, workers: int) -> Any:
    """Return the executor when all its workers are there."""
    for wait in (0.5, 2.0, 5.0, 10.0):
        calls = [executor.submit(number_after, wait) for _ in range(workers)]
        if len({call.result() for call in calls}) == workers or isinstance(
            executor, ThreadPoolExecutor
        ):
            break
    return executor


@contextmanager
def executor_named(name: str, workers: int) -> Iterator[Any]:
    """Start the workers of an engine for the block."""
    if name == "threads":
        with ThreadPoolExecutor(workers) as threads:
            yield started(threads, workers)
    elif name == "processes":
        from growsearch.execution.local import LocalExecutor

        executor = LocalExecutor(workers, threads=1)
        try:
            yield started(executor, workers)
        finally:
            executor.shutdown()
    else:
        import ray

        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            address="local",
            num_cpus=workers,  # logical ones
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=200_000_000,
        )
        try:
            yield started(gs.RayExecutor(workers=workers), workers)
        finally:
            ray.shutdown()


@dataclass(frozen=True)
class Memory:
    """Megabytes of the workers' processes, each for itself, and the engine's own processor time."""

    each: list[float] = field(default_factory=list)
    engine: float = 0.0

    @classmethod
    def now(cls) -> Memory:
        """Look at all processes below this one."""
        each, engine = [], 0.0
        for process in psutil.Process().children(recursive=True):
            try:
                command = " ".join(process.cmdline())
                if "spawn_main" in command or command.startswith("ray::"):
                    each.append(process.memory_full_info().uss / 1e6)
                elif "ray" in command:
                    engine += sum(process.cpu_times()[:2])
            except psutil.Error:
                continue
        return cls(each, engine)


def sleeping_space() -> Any:
    """Return the space of the searches whose jobs sleep: ``digits``, with smaller networks."""
    return gs.SearchSpace.load(
        "digits",
        [
            "teacher.architecture=5x5x8(conv1)-pool1-5x5x8(conv2)-pool2-16(fc1)-10(fc2)",
            *("choices.log2_factor=[0.1, 0.5]", "limits.parameters=200_000"),
        ],
    )


@dataclass(frozen=True)
class Case:
    """A row of the first part."""

    engine: str
    database: str
    workers: int
    seconds: float
    pending: int | None
    jobs: int


def measure(case: Case, executor: Any, url: str | None, profile: Path | None) -> Gauge:
    """Search with the case's workers, and return what was measured."""
    trials = max(4, round(case.workers * case.jobs / 2))
    gauge = Gauge(time.thread_time if case.engine == "threads" else time.process_time)
    folder = Path(tempfile.mkdtemp(prefix="growsearch-workers-"))
    before = Memory.now()
    with gauge.counting(), cProfile.Profile() if profile else nullcontext() as profiler:
        result = gs.search(
            sleeping_space(),
            trials=trials,
            seed=0,
            out=folder / f"run{time.time_ns()}",
            trainer=SleepingTrainer(case.seconds),
            workers=case.workers,
            executor=executor,
            pending_trials=case.pending,
            storage=url,
            on_event=gauge,
        )
    if profile and profiler is not None:
        profiler.dump_stats(profile)
    assert len(result.trials) == trials
    after = Memory.now()
    window = result.study.user_attrs["pending_trials"]
    shutil.rmtree(folder)
    memory = f"{statistics.median(after.each):.0f} MB" if after.each else ""
    engine = 1000 * (after.engine - before.engine) / gauge.trials
    print(
        f"| {case.engine} | {case.database} | {case.workers} | {window} | {case.seconds:g} s | "
        f"{gauge.jobs} in {gauge.wall:.0f} s | {gauge.jobs / gauge.wall:.2f} | "
        f"{gauge.driver / gauge.wall:.1%} | {1000 * gauge.driver / gauge.trials:.0f} ms | "
        f"{gauge.busy / (case.workers * gauge.wall):.2f} | {gauge.steady / case.workers:.2f} | "
        f"{(gauge.ended[2] - gauge.began[2]) / gauge.trials:.0f} | {memory} | "
        f"{f'{engine:.0f} ms' if case.engine == 'ray' else ''} | {load()} |",
        flush=True,
    )
    return gauge
