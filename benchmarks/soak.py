"""An hour of search on two workers: memory, descriptors, threads and connections stay flat.

One search with real TensorFlow on the bundled digits, with a control for every candidate. No
candidate is ever kept, so that every trial grows the same network and builds the graphs of another
architecture, as in a long search. Every 20 seconds this script notes, of the driver and of its
workers: resident memory, open file descriptors, threads, and the driver's open connections to the
database. The claim: the median of the last quarter is at most 5 % above that of the second quarter
(memory of the workers), or equal (the others, give or take one). The driver may keep 30 kB for each
trial and its control: Optuna holds both studies in memory.

    python benchmarks/soak.py [--minutes 60] [--workers 2] [--out runs/soak]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
from machine import processor, versions

import growsearch as gs
from growsearch.driver.events import JobLost, TrialFinished

EVERY = 20.0  # seconds
MOST_GROWTH = 1.05
KEPT_A_TRIAL = 0.03  # MB
NEVER_KEPT = 10.0  # standard errors by which a candidate's loss would have to be lower
WHAT: tuple[tuple[str, Callable[[dict[str, Any]], float]], ...] = (
    ("driver, MB", lambda s: s["driver"]["memory"] / 1e6),
    ("workers, MB in all", lambda s: s["workers"]["memory"] / 1e6),
    ("driver, descriptors", lambda s: s["driver"]["descriptors"]),
    ("workers, descriptors in all", lambda s: s["workers"]["descriptors"]),
    ("driver, threads", lambda s: s["driver"]["threads"]),
    ("workers, threads in all", lambda s: s["workers"]["threads"]),
    ("workers, processes", lambda s: s["workers"]["processes"]),
    ("connections to the database", lambda s: s["connections"]),
)


def sample(driver: psutil.Process) -> dict[str, Any]:
    """Return memory, descriptors and threads of the driver and of its workers now."""
    found: dict[str, Any] = {}
    children = [each for each in driver.children(recursive=True) if "spawn_main" in command(each)]
    for name, processes in (("driver", [driver]), ("workers", children)):
        total = dict.fromkeys(("memory", "descriptors", "threads", "processes"), 0)
        for process in processes:
            try:
                with process.oneshot():
                    total["memory"] += process.memory_info().rss
                    total["descriptors"] += process.num_fds()
                    total["threads"] += process.num_threads()
                    total["processes"] += 1
            except psutil.NoSuchProcess:
                continue
        found[name] = total
    found["connections"] = sum(
        Path(each.path).name.startswith("study.db") for each in driver.open_files()
    )
    return found


def command(process: psutil.Process) -> str:
    """Return the command line of a process; nothing of one that has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def main() -> int:
    """Search, sample, print the quarters' medians; return 1 if something grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/soak"))
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = gs.SearchSpace.load("digits").replace(
        judge={"margin": NEVER_KEPT},
        search={"sampler": "random"},
        training={"steps": 20, "evaluate_every": 10},
    )
    samples: list[dict[str, Any]] = []
    done: list[int] = []
    lost: list[str] = []
    over = threading.Event()

    def watch() -> None:
        driver = psutil.Process()
        while not over.wait(EVERY):
            samples.append(sample(driver) | {"trials": len(done)})

    def on_event(event: Any) -> None:
        if isinstance(event, TrialFinished):
            done.append(event.record.number)
        elif isinstance(event, JobLost):
            lost.append(event.reason)

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    try:
        result = gs.search(
            space,
            trials=10**6,
            time_budget=60.0 * options.minutes,
            out=options.out,
            workers=options.workers,
            on_event=on_event,
        )
    finally:
        over.set()
        watcher.join()
    seconds = time.monotonic() - began
    (options.out / "samples.json").write_text(json.dumps(samples))
    busy = result.workers.busy / max(result.workers.available, 1e-9)
    print(f"{processor()}; {versions('growsearch', 'tensorflow', 'optuna')}")
    print(
        f"{seconds / 60:.1f} min, {options.workers} workers {100 * busy:.0f} % busy, "
        f"{len(result.trials)} trials with a control each, {len(lost)} workers lost; "
        f"the workers' libraries in the driver: {'tensorflow' in sys.modules}"
    )
    return report(samples)


def report(samples: list[dict[str, Any]]) -> int:
    """Print medians by quarter; return 1 if the last is above what the second allows."""
    quarters = np.array_split(np.arange(len(samples)), 4)
    print("| | " + " | ".join(f"quarter {n}" for n in (1, 2, 3, 4)) + " | flat |")
    print("|---|---|---|---|---|---|")
    failed = 0
    for name, of in WHAT:
        medians = [float(np.median([of(samples[i]) for i in quarter])) for quarter in quarters]
        if name == "driver, MB":
            counts = [
                float(np.median([samples[i]["trials"] for i in quarter])) for quarter in quarters
            ]
            allowed = medians[1] + KEPT_A_TRIAL * (counts[3] - counts[1])
        else:
            allowed = MOST_GROWTH * medians[1] if "MB" in name else medians[1] + 1
        flat = medians[3] <= allowed
        failed |= not flat
        cells = " | ".join(f"{each:,.0f}" for each in medians)
        print(f"| {name} | {cells} | {'yes' if flat else 'NO'} |")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
