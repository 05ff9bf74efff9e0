"""Many workers: at most 3 % of a run for the driver, and .9 W workers' worth of jobs up to W = 16.

The second claim is for jobs of 10 s whose length varies by 10 % (standard deviation).

1. ``control``: searches whose jobs sleep, with a control for each candidate, in processes of this
   machine, in a Ray of this machine or in threads, with SQLite or PostgreSQL on this disk (both
   sync). Printed are jobs a second, the driver's processor time (threads of the engine in the
   driver's process included; with threads as workers, its main thread alone), the use of the
   workers (seconds slept, as a share of workers times time) from the first candidate to the last
   trial, with the first and the last jobs, in which workers are idle, and in the middle half of
   the trials, which the second claim is about; transactions of the database, reading ones
   included; and the memory that each worker has for itself, without TensorFlow. n = 1 run a row.
2. ``share``: the driver's processor time of 20 trials of the ``digits`` and ``mnist`` spaces with a
   control each, beside the seconds of their real trainings in ``--workers 0``.
3. ``simulation``: up to 1,000 workers, from the driver's milliseconds a trial (``--driver-ms``).
4. ``toy``: the speed-up of a greedy search by candidates side by side, that is, by
   ``--pending-trials`` (simulated, 60 seeds, medians).
5. ``real``: updates of 50 images a second of the same trials of the ``mnist`` space in one process
   with all threads (``--workers 0``) and in two (``--workers 2``), in turn; n = ``--rounds``.

The machine's load stands beside each measured row: on a busy machine only processor times count.

    python benchmarks/workers.py [--part control|share|simulation|toy|real] [--quick] [--data DIR]
        [--engines processes,ray,threads] [--databases sqlite,postgresql] [--workers 1,4,16]
        [--seconds 0.2,1,5] [--jobs 12] [--pending default,workers] [--profile FILE]
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from greedy_toy import search as toy_search
from machine import deviation, processor, versions
from postgresql import postgresql
from simulated_workers import Cost, use_of
from sleeping_trainer import SleepingTrainer

import growsearch as gs

MOST_OF_A_RUN, LEAST_USE = 0.03, 0.9
CLAIMED_WORKERS, CLAIMED_SECONDS = 16, 10.0  # the second claim: up to so many, jobs of so long
GOAL = 0.15  # of the toy: a serial search reaches it in 50 trials
SEEDS = 60


def load() -> str:
    """Return the number of processes that have wanted to run in the last minute."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


# --- 1. the control plane -------------------------------------------------------------------------


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

    @property
    def is_claimed(self) -> bool:
        """True if the second claim is about it."""
        in_claim = self.workers <= CLAIMED_WORKERS and self.seconds >= CLAIMED_SECONDS
        return in_claim and self.pending is None


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


def control(options: argparse.Namespace) -> bool:
    """Print a row a case; return True where the second claim holds in all rows that it is about."""
    names = ("engine", "database", "workers", "K", "job", "jobs", "jobs/s", "driver")
    more = (
        "driver's CPU a trial",
        "use",
        "in the middle half",
        "transactions a trial",
        "memory each",
    )
    print(f"\n| {' | '.join([*names, *more])} | Ray's own CPU a trial | load |")
    print("|---" * (len(names) + len(more) + 2) + "|")
    holds = True
    with postgresql() if "postgresql" in options.databases else nullcontext() as url:
        for engine, workers in itertools.product(options.engines, options.workers):
            with executor_named(engine, workers) as executor:
                for database, seconds, pending in itertools.product(
                    options.databases, options.seconds, options.pending
                ):
                    if database == "postgresql" and url is None:
                        print("PostgreSQL is not installed: /usr/lib/postgresql", file=sys.stderr)
                        continue
                    k = workers if pending == "workers" else None
                    case = Case(engine, database, workers, seconds, k, options.jobs)
                    storage = url if database == "postgresql" else None
                    gauge = measure(case, executor, storage, options.profile)
                    holds &= not case.is_claimed or gauge.steady >= LEAST_USE * workers
    return holds


# --- 2. the driver's share ------------------------------------------------------------------------


def share(options: argparse.Namespace) -> bool:
    """Compare the driver's processor time with the jobs' seconds of two shipped spaces."""
    holds = True
    trials, steps = (3, 5) if options.quick else (20, 80)
    for name in ("digits", "mnist"):
        plan = [] if name == "digits" and not options.quick else [f"training.steps={steps}"]
        plan += [f"training.evaluate_every={max(1, steps // 4)}"] if plan else []
        space = gs.SearchSpace.load(name, [*plan, "teacher.steps=20"])
        data = options.data if name == "mnist" else None
        with ThreadPoolExecutor(1) as apart, tempfile.TemporaryDirectory() as folder:
            gauge, all_of_it = Gauge(time.thread_time), Gauge(time.process_time)

            def on_event(event: Any, both: tuple[Gauge, Gauge] = (gauge, all_of_it)) -> None:
                for each in both:
                    each(event)

            gs.search(
                space,
                data=data,
                trials=trials,
                seed=0,
                out=Path(folder) / "run",
                workers=1,
                executor=apart,  # a thread: so the driver's is the main thread's time
                on_event=on_event,
            )
        jobs = gauge.wall - gauge.driver
        found = gauge.driver / jobs
        holds &= found <= MOST_OF_A_RUN
        print(
            f"   {name}: {gauge.trials} trials with a control each: jobs take "
            f"{jobs:.0f} s ({gauge.busy:.0f} s of it are updates, and "
            f"{all_of_it.driver - gauge.driver:.0f} s processor time), the driver "
            f"{gauge.driver:.2f} s of processor time, "
            f"{1000 * gauge.driver / gauge.trials:.0f} ms a trial: {found:.1%} (claim: "
            f"{MOST_OF_A_RUN:.0%}), n = 1, load {load()}",
            flush=True,
        )
    return holds


# --- 3. the simulation ----------------------------------------------------------------------------


def simulation(options: argparse.Namespace) -> bool:
    """Print the use of simulated workers."""
    cost = Cost.of_trial(options.driver_ms / 1000.0, running=options.look_us * 1e-6)
    print(
        f"\n3. simulated: {options.driver_ms:g} ms of the driver a trial with a control, "
        f"{options.look_us:g} µs for each running job whenever one ends, 30 jobs a worker, "
        "spread 10 %; K = half as many as workers"
    )
    jobs = (1.0, 3.0, 10.0, 60.0, 600.0)
    print("| workers | " + " | ".join(f"jobs of {each:g} s" for each in jobs) + " |")
    print("|---" * (len(jobs) + 1) + "|")
    for workers in (1, 4, 16, 64, 256, 1000):
        window = max(1, -(-workers // 2))
        found = [use_of(workers, each, cost=cost, window=window) for each in jobs]
        print(f"| {workers:,} | " + " | ".join(f"{each:.2f}" for each in found) + " |", flush=True)
    return True


# --- 4. candidates side by side -------------------------------------------------------------------


def toy(options: argparse.Namespace) -> bool:
    """Print the speed-up of a greedy search by candidates side by side."""
    seeds = range(6 if options.quick else SEEDS)

    def medians(workers: int, window: int, **how: Any) -> tuple[float, float]:
        found = [toy_search(workers, window, GOAL, seed, **how) for seed in seeds]
        return (
            statistics.median(each.seconds for each in found),
            statistics.median(each.trials for each in found),
        )

    print(
        f"\n4. a toy of a greedy search, simulated, {len(seeds)} seeds, medians: time to a quality "
        f"that a serial search reaches in {medians(1, 1, spread=0.1)[1]:.0f} trials"
    )
    heads = ("workers = K", "speed-up, spread 10 %", "speed-up, spread 40 %")
    more = ("as they end, 40 %", "1.5 times as many pending, 10 %", "trials needed")
    print(f"| {' | '.join([*heads, *more])} |\n" + "|---" * 6 + "|")
    serial = {spread: medians(1, 1, spread=spread)[0] for spread in (0.1, 0.4)}
    for workers in (1, 2, 4, 8, 16, 32, 64):
        ordered, trials = medians(workers, workers, spread=0.1)
        uneven = medians(workers, workers, spread=0.4)[0]
        ended = medians(workers, workers, spread=0.4, in_order=False)[0]
        ahead = medians(workers, -(-workers * 3 // 2), spread=0.1)[0]
        found = (serial[0.1] / ordered, serial[0.4] / uneven, serial[0.4] / ended)
        cells = " | ".join(f"{each:.1f}" for each in (*found, serial[0.1] / ahead))
        print(f"| {workers} | {cells} | {trials:.0f} |", flush=True)
    return True


# --- 5. real trainings ----------------------------------------------------------------------------


def real_run(workers: int, data: str, trials: int, steps: int) -> tuple[float, list[Any]]:
    """Search in this process; return the updates a second, and the trials' accuracies."""
    overrides = [f"training.steps={steps}", f"training.evaluate_every={max(1, steps // 4)}"]
    space = gs.SearchSpace.load("mnist", [*overrides, "teacher.steps=20"])
    gauge = Gauge(time.process_time)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        result = gs.search(
            space, data=data, trials=trials, seed=0, out=out, workers=workers, on_event=gauge
        )
    accuracies = [[arm.accuracy for arm in each.arms.values()] for each in result.trials]
    return gauge.jobs * steps / gauge.wall, accuracies


def real(options: argparse.Namespace) -> bool:
    """Compare one process with two, in turn; return True where all accuracies are the same."""
    trials, steps = (2, 8) if options.quick else (8, 200)
    speeds: dict[int, list[float]] = {0: [], 2: []}
    seen = []
    print(f"\n5. {trials} trials of mnist with a control each, {steps} updates of 50 images")
    for _ in range(2 if options.quick else options.rounds):
        for workers, found in speeds.items():
            # Each in a process of its own, so that none finds the graphs of another.
            with ProcessPoolExecutor(1, get_context("spawn")) as apart:
                speed, accuracies = apart.submit(
                    real_run, workers, options.data, trials, steps
                ).result()
            found.append(50 * speed)
            seen.append(accuracies)
            print(f"   --workers {workers}: {50 * speed:.0f} images/s, load {load()}", flush=True)
    ratios = np.array(speeds[2]) / np.array(speeds[0])
    is_same = all(each == seen[0] for each in seen)
    print(
        f"   two workers over one process: x{ratios.mean():.2f} ± {deviation(ratios):.2f}, "
        f"n = {len(ratios)}; the same accuracies: {is_same}"
    )
    return is_same


def main() -> int:
    """Print the parts; return 0 where all claims hold on this machine, else 1."""

    def words(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts: dict[str, Callable[[argparse.Namespace], bool]] = {
        **{"control": control, "share": share, "simulation": simulation},
        **{"toy": toy, "real": real},
    }
    parser.add_argument("--part", choices=parts, help="all by default; real only with --data")
    parser.add_argument("--quick", action="store_true", help="see that it works, in a minute")
    parser.add_argument("--data", help="MNIST; see growsearch run --help")
    parser.add_argument("--engines", type=words, default=["processes"])
    parser.add_argument("--databases", type=words, default=["sqlite"])
    parser.add_argument("--workers", type=words, default=["1", "4", "16", "64"])
    parser.add_argument("--seconds", type=words, default=["0.2", "1", "5"], help="of a job")
    parser.add_argument("--pending", type=words, default=["default"], help="default, workers")
    parser.add_argument("--jobs", type=int, default=12, help="for each worker")
    parser.add_argument("--rounds", type=int, default=3, help="of the real trainings")
    parser.add_argument("--driver-ms", type=float, default=60.0, help="a trial; for simulation")
    parser.add_argument("--look-us", type=float, default=30.0, help="a job; for simulation")
    parser.add_argument("--profile", type=Path, help="write the driver's profile of the last row")
    options = parser.parse_args()
    if options.quick:
        options.workers, options.seconds, options.jobs = ["2"], ["0.1"], 4
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options.workers = [int(each) for each in options.workers]
    options.seconds = [float(each) for each in options.seconds]
    print(f"{processor()}, load {load()}; {versions('growsearch', 'optuna', 'numpy', 'ray')}")
    chosen = [options.part] if options.part else [name for name in parts if name != "real"]
    if not options.part and options.data:
        chosen.append("real")
    holds = {name: parts[name](options) for name in chosen}
    for name, each in holds.items():
        print(f"{name}: {'holds' if each else 'FAILS'}")
    return int(not all(holds.values()))


if __name__ == "__main__":
    raise SystemExit(main())
