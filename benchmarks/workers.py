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
2. ``share``: the driver's processor time of 20 trials of the ``digits`` and ``net2net`` spaces with
   a control each, beside the seconds of their real trainings, one after the other. n = 1 run a
   space.
3. ``simulation``: up to 1,000 workers, from the driver's milliseconds a trial (``--driver-ms``,
   with those of the disk), for K as by default, half as many as workers, and as many.
4. ``toy``: the speed-up of a greedy search by candidates side by side, that is, by
   ``--pending-trials`` (simulated, 60 seeds, medians).
5. ``real``: updates of 50 images a second of the same trials of the ``net2net`` space in one
   process with all threads (``--workers 0``) and in two (``--workers 2``), in turn;
   n = ``--rounds``.

The machine's load stands beside each measured row: on a busy machine only processor times count.

    python benchmarks/workers.py [--part control|share|simulation|toy|real] [--quick] [--data DIR]
        [--engines processes,ray,threads] [--databases sqlite,postgresql] [--workers 1,4,16]
        [--seconds 0.2,1,5] [--jobs 12] [--pending default,workers] [--profile FILE]
        [--spaces digits,net2net] [--trials 20] [--driver-ms 100]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from control_plane import Case, Gauge, executor_named, load, measure
from greedy_toy import search as toy_search
from machine import deviation, processor, versions
from postgresql import postgresql
from simulated_workers import Cost, use_of

import growsearch as gs

MOST_OF_A_RUN, LEAST_USE = 0.03, 0.9
CLAIMED_WORKERS, CLAIMED_SECONDS = 16, 10.0  # the second claim: up to so many, jobs of so long
GOAL = 0.15  # of the toy: a serial search reaches it in 50 trials
SEEDS = 60


# --- 1. the control plane -------------------------------------------------------------------------


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
                    is_claimed = workers <= CLAIMED_WORKERS and seconds >= CLAIMED_SECONDS
                    holds &= not is_claimed or gauge.steady >= LEAST_USE * workers
    return holds


# --- 2. the driver's share ------------------------------------------------------------------------


def share(options: argparse.Namespace) -> bool:
    """Compare the driver's processor time with the jobs' seconds of two shipped spaces."""
    holds = True
    trials, steps = (3, 5) if options.quick else (options.trials, 80)
    for name in options.spaces:
        plan = [] if name == "digits" and not options.quick else [f"training.steps={steps}"]
        plan += [f"training.evaluate_every={max(1, steps // 4)}"] if plan else []
        space = gs.SearchSpace.load(name, [*plan, "teacher.steps=20"])
        data = options.data if name == "net2net" else None
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
    jobs = (1.0, 3.0, 10.0, 60.0, 600.0)
    print(
        f"\n3. simulated: {options.driver_ms:g} ms of the driver a trial with a control, "
        f"{options.look_us:g} µs for each running job whenever one ends, 30 jobs a worker, "
        "spread 10 %"
    )
    print("| workers | K | " + " | ".join(f"jobs of {each:g} s" for each in jobs) + " |")
    print("|---" * (len(jobs) + 2) + "|")
    for workers in (1, 4, 16, 64, 256, 1000):
        half = max(1, -(-workers // 2))
        for window in sorted({min(half, 8), half, workers}):  # the default; no slack; slack
            found = [use_of(workers, each, cost=cost, window=window) for each in jobs]
            cells = " | ".join(f"{each:.2f}" for each in found)
            print(f"| {workers:,} | {window:,} | {cells} |", flush=True)
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
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    overrides = [f"training.steps={steps}", f"training.evaluate_every={max(1, steps // 4)}"]
    space = gs.SearchSpace.load("net2net", [*overrides, "teacher.steps=20"])
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
    print(f"\n5. {trials} trials of net2net with a control each, {steps} updates of 50 images")
    for _ in range(1 if options.quick else options.rounds):
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
    parser.add_argument("--trials", type=int, default=20, help="of the driver's share")
    parser.add_argument("--spaces", type=words, default=["digits", "net2net"], help="of the same")
    parser.add_argument("--rounds", type=int, default=3, help="of the real trainings")
    parser.add_argument("--driver-ms", type=float, default=100.0, help="a trial; for simulation")
    parser.add_argument("--look-us", type=float, default=25.0, help="a job; for simulation")
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
