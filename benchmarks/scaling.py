"""The cost of a trial: by parameters, by images, by earlier trials; memory stays flat.

Three runs of searches with tiny trainings, on images of noise in the shape of MNIST's, plotted:

- parameters: trials of networks with a dense layer of 64 to 4,096 units;
- images: the same trials, with 500 to 16,000 training images and half as many to validate on;
- trials so far: one run of 200 trials; seconds of each trial, and the process's memory (resident
  set) after it. The claim: the peak of the last third of the trials is at most 5 % above that of
  as many trials from the 20th on.

Every trial of the last run builds the graph of a new architecture, as any search does. A closed
graph leaves Python objects in cycles, which Python frees about every 30 trials: memory goes up and
down by 50 MB. Seconds are wall-clock time, with graphs, evaluation and database.

    python benchmarks/scaling.py [--trials 200] [--out runs/scaling] [--part costs|trials]
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import optuna
from machine import deviation, processor, versions

import growsearch as gs
from growsearch.datasets import Dataset, Split
from growsearch.driver.events import TeacherReady, TrialFinished

matplotlib.use("Agg")
from matplotlib import pyplot as plt

MOST_GROWTH = 1.05
WARM = 20  # trials, after which memory is to stay flat
UNITS = (64, 256, 1024, 4096)
IMAGES = (500, 2000, 8000, 16000)
N = 4  # trials of each size

TINY = [
    *("teacher.steps=5", "teacher.evaluate_every=5", "training.steps=5", "teacher.batch_size=32"),
    *("training.evaluate_every=5", "training.batch_size=32", "limits.width_multiple=1"),
    *("controls.arms=[]", "search.sampler='random'"),
]


def noise(images: int) -> Dataset:
    """Return random images in ten classes: the full computation, with nothing to learn."""
    rng = np.random.default_rng(0)
    sizes = (images, max(images // 2, 20), 20)
    train, validation, test = (
        Split(rng.random((n, 28, 28, 1), np.float32), np.arange(n) % 10) for n in sizes
    )
    return Dataset("noise", train, validation, test, source="noise", classes=10)


class Log:
    """Seconds, memory and parameters of each trial."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.parameters: list[int] = []
        self.megabytes: list[float] = []
        self._began = 0.0

    def __call__(self, event: Any) -> None:
        """Record the end of the teacher or of a trial."""
        if isinstance(event, TrialFinished):
            self.seconds.append(time.perf_counter() - self._began)
            self.parameters.append(event.record.parameters)
            self.megabytes.append(resident())
        if isinstance(event, TeacherReady | TrialFinished):
            self._began = time.perf_counter()


def resident() -> float:
    """Return the resident memory of the process in MB, as Linux reports it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def search(out: Path, overrides: Iterable[str], images: int, trials: int) -> Log:
    """Make a new run and return the log of its trials."""
    shutil.rmtree(out, ignore_errors=True)
    space = gs.SearchSpace.load("digits", [*TINY, *overrides])
    log = Log()
    gs.search(space, data=noise(images), trials=trials, seed=0, out=out, on_event=log)
    return log


def costs(out: Path, axes: Any) -> None:
    """Draw and print the cost by parameters and by images."""
    sized = []
    for units in UNITS:
        text = f"3x3x8(conv1)-pool1-{units}(fc1)-10(fc2)"
        limits = [f"limits.width={2 * units}", "limits.parameters=100_000_000"]
        widening = ["choices.operations=['widen']", "choices.log2_factor=[0.1, 0.2]"]
        overrides = [f"teacher.architecture={text}", *limits, *widening]
        log = search(out / f"units-{units}", overrides, 500, N)
        sized += list(zip(log.parameters, log.seconds, strict=True))
        _say(f"{units} units, {log.parameters[0]:,} parameters", log.seconds)
    axes[0].plot(*zip(*sorted(sized), strict=True), "o")
    axes[0].set(xlabel="parameters", ylabel="seconds a trial", xscale="log", ylim=(0, None))
    axes[0].set_title("500 images")
    shown = []
    for images in IMAGES:
        log = search(out / f"images-{images}", [], images, N)
        shown += [(images * 3 // 2, seconds) for seconds in log.seconds]
        _say(f"{images:,} training and {images // 2:,} validation images", log.seconds)
    axes[1].plot(*zip(*shown, strict=True), "o")
    axes[1].set(xlabel="images", ylabel="seconds a trial", ylim=(0, None))
    axes[1].set_title("the digits' teacher")


def _say(what: str, seconds: Iterable[float]) -> None:
    found = np.array(list(seconds))
    print(f"  {what}: {found.mean():.2f} ± {deviation(found):.2f} s a trial, n = {len(found)}")


def many(out: Path, trials: int, axes: Any) -> bool:
    """Draw cost and memory by the trials so far; return True where memory stays flat."""
    overrides = [
        "teacher.architecture=3x3x4(conv1)-pool1-16(fc1)-10(fc2)",
        *("choices.log2_factor=[0.1, 1.0]", "limits.parameters=200_000", "judge.margin=0.0"),
    ]
    log = search(out / "trials", overrides, 500, trials)
    numbers = np.arange(len(log.seconds))
    axes[0].plot(numbers, log.seconds, ".", markersize=4)
    axes[0].set(xlabel="trials so far", ylabel="seconds a trial", ylim=(0, None))
    axes[1].plot(numbers, log.megabytes)
    axes[1].axvline(WARM, color="0.7", linestyle=":")
    axes[1].set(xlabel="trials so far", ylabel="resident memory, MB", ylim=(0, None))
    tenth = max(1, len(numbers) // 10)
    early, late = log.seconds[:tenth], log.seconds[-tenth:]
    _say(f"the first {tenth} trials", early)
    _say(f"the last {tenth} trials", late)
    third = max(1, len(numbers) // 3)
    before, after = max(log.megabytes[WARM : WARM + third]), max(log.megabytes[-third:])
    print(
        f"  peak memory of trials {WARM} to {WARM + third}: {before:.0f} MB, of the last {third}: "
        f"{after:.0f} MB, {after / before - 1:+.1%}"
    )
    return after <= MOST_GROWTH * before


def main() -> int:
    """Print and draw the figures; return 0 where memory stayed flat, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("runs/scaling"))
    parser.add_argument("--part", choices=("costs", "trials"), help="both by default")
    options = parser.parse_args()
    if options.trials <= WARM:
        parser.error(f"--trials: expected more than {WARM}, after which memory is to be flat")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(f"{processor()}; {versions('numpy', 'optuna', 'tensorflow')}")
    panels = 2 if options.part else 4
    figure, axes = plt.subplots(1, panels, figsize=(3.8 * panels, 3.4), layout="constrained")
    is_flat = True
    if options.part != "trials":
        costs(options.out, axes)
    if options.part != "costs":
        is_flat = many(options.out, options.trials, axes[-2:])
        print(f"  memory is flat after trial {WARM}: {'holds' if is_flat else 'FAILS'}")
    picture = options.out / "scaling.png"
    figure.savefig(picture, dpi=120)
    print(f"plot: {picture}")
    return int(not is_flat)


if __name__ == "__main__":
    raise SystemExit(main())
