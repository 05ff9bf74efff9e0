"""The five experiments, run: every training of every seed, stored seed by seed."""

from __future__ import annotations

import hashlib
import json
import platform
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from growsearch.datasets import Data, Dataset, load
from growsearch.errors import InvalidInputError, RunError, disk_error
from growsearch.growth import grow
from growsearch.machine import processor_name, processors
from growsearch.networks import Architecture, Network
from growsearch.networks.files import make_writable, write_atomically
from growsearch.reproduction.experiments import (
    ARCHITECTURE,
    BATCH_SIZE,
    EXPERIMENTS,
    LEARNING_RATE,
    Experiment,
    Slots,
)
from growsearch.reproduction.result import Curve, Repeat, Reproduction
from growsearch.training import Point, Trainer, TrainingPlan

FILE = "reproduction.json"


# What "MNIST as published" is, in numbers: the SHA-256 of t10k-images-idx3-ubyte, and how many
# images TensorFlow's reader left for training.
_TEST_IMAGES = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"


_TRAINING_IMAGES = 55_000


@dataclass(frozen=True)
class Progress:
    """How far a reproduction is: ``done`` of ``total``, in units of equal duration.

    ``milestone`` says that something has ended, for whoever shows no bar and prints a line at
    times: a training; or the search for images, which the label then names.
    """

    done: float
    total: float
    label: str
    milestone: bool = False


OnProgress = Callable[[Progress], None]


def evaluated_after(iterations: int, every: int = 100) -> tuple[int, ...]:
    """Return the updates after which to evaluate: 0, ``every``, … below ``iterations``.

    That is the original's loop. With no more than ``every`` iterations, the start and the end.

    Examples
    --------
    >>> evaluated_after(1000)
    (0, 100, 200, 300, 400, 500, 600, 700, 800, 900)
    >>> evaluated_after(40)
    (0, 40)
    """
    for name, value in (("iterations", iterations), ("every", every)):
        if value < 1:
            raise InvalidInputError(f"{name}: expected at least 1, got {value}")
    return tuple(range(0, iterations, every)) if iterations > every else (0, iterations)


def reproduce(
    *,
    trainer: Trainer | None = None,
    iterations: int = 1000,
    seeds: int = 3,
    data: Data | None = None,
    stand_in: str | None = "digits",
    every: int = 100,
    out: str | Path | None = None,
    on_progress: OnProgress | None = None,
) -> Reproduction:
    """Repeat the five published experiments with seeds 0, 1, …, and what we add to them.

    All students of a seed start from the same teacher and see the same images in the same order,
    another than the teacher's.

    Parameters
    ----------
    trainer : Trainer, optional
        :class:`growsearch.training.SlimTrainer` by default.
    iterations : int
        As the original counts them: evaluations at 0, ``every``, … below it; the students start
        from the teacher of the last one.
    seeds : int
        How many times everything is repeated.
    data, stand_in
        Of `growsearch.datasets.load`, for "mnist".
    every : int
        Updates between two evaluations.
    out : path, optional
        Folder of ``reproduction.json``, which is written after every seed. Seeds that it has from
        the same iterations and images are not repeated.
    on_progress : callable, optional
        Called at every evaluation.

    Returns
    -------
    Reproduction
        Of the seeds asked for; the file may know more.

    Raises
    ------
    InvalidInputError
        When a number makes no sense.
    RunError
        When ``out`` has another reproduction, or a damaged one: nothing is overwritten. Or when it
        cannot be written to, which is found before the first training.
    DataError
        When there are no images; see `growsearch.datasets.load`.
    """
    steps = evaluated_after(iterations, every)
    if seeds < 1:
        raise InvalidInputError(f"seeds: expected at least 1, got {seeds}")
    dataset = load("mnist", data, stand_in=stand_in)
    found = Reproduction(
        iterations,
        steps,
        dataset.source,
        dataset.stand_in,
        dataset.fingerprint,
        len(dataset.test),
        _caveats(dataset, steps),
    )
    path = None if out is None else Path(out) / FILE
    if path is not None:
        found = replace(found, repeats=_earlier(path, found))
    missing = [seed for seed in range(seeds) if seed not in found.seeds]
    if path is not None and missing:
        make_writable(path.parent)
    if trainer is None:
        from growsearch.training.slim import SlimTrainer

        trainer = SlimTrainer()
    report = _Report(len(missing), on_progress)
    report.images(dataset.source)
    for seed in missing:
        repeat = _repeat(seed, dataset, steps, trainer, report)
        found = replace(found, repeats=(*found.repeats, repeat))
        if path is not None:
            text = json.dumps(found.to_json(), indent=1, ensure_ascii=False)
            try:
                write_atomically(path, text.encode())
            except OSError as error:
                raise disk_error(error, path.parent) from None
    asked = sorted((r for r in found.repeats if r.seed < seeds), key=lambda repeat: repeat.seed)
    return replace(found, repeats=tuple(asked))


def _repeat(
    seed: int, data: Dataset, steps: tuple[int, ...], trainer: Trainer, report: _Report
) -> Repeat:
    """Every experiment with one seed."""
    initial, teacher_order, growth, order = map(int, np.random.SeedSequence(seed).generate_state(4))
    plan = TrainingPlan(
        steps[-1], BATCH_SIZE, LEARNING_RATE, "adam", evaluate_every=steps[1] - steps[0]
    )
    began = time.perf_counter()
    architecture = Architecture.parse(ARCHITECTURE, data.image_shape)
    teacher = Network.initial(architecture, rng=initial, initializer="truncated_normal")
    curves = []
    for experiment, slots in _trainings():
        student = teacher
        if experiment.growth is not None:
            # The generator anew for every student: the two treatments get the same weights.
            student = grow(
                teacher, experiment.growth, rng=growth, fill=experiment.fill, slots=slots
            )
        elif slots == "reset":
            student = Network(teacher.architecture, teacher.weights)
        result = trainer.train(
            student,
            data.train,
            plan,
            evaluate_on=data.test,
            seed=order if experiment.continues else teacher_order,
            on_evaluation=partial(report.evaluated, seed, experiment, slots, steps),
        )
        curves.append(Curve(experiment.name, slots, tuple(p.accuracy for p in result.curve)))
        if not experiment.continues:
            teacher = result.network
    seconds = time.perf_counter() - began
    return Repeat(seed, tuple(curves), seconds, environment(trainer))


def _trainings() -> tuple[tuple[Experiment, Slots], ...]:
    return tuple((each, slots) for each in EXPERIMENTS for slots in each.treatments)


class _Report:
    """Counts the work done, in FLOPs, so that a wide network's evaluations count for more."""

    def __init__(self, repeats: int, tell: OnProgress | None) -> None:
        base = Architecture.parse(ARCHITECTURE)
        self._cost = {
            e.name: float((base if e.growth is None else e.growth.grown(base)).flops)
            for e in EXPERIMENTS
        }
        self._total = repeats * sum(self._cost[e.name] for e, _ in _trainings())
        self._done = 0.0
        self._tell = tell

    def images(self, source: str) -> None:
        self._say(f"images: {source}", milestone=True)

    def evaluated(
        self, seed: int, experiment: Experiment, slots: Slots, steps: tuple[int, ...], point: Point
    ) -> None:
        self._done += self._cost[experiment.name] / len(steps)
        carried = ", slots carried" if slots == "carry" else ""
        label = f"seed {seed}: {experiment.name}{carried}, {point.step}: {point.accuracy:.4f}"
        self._say(label, milestone=point.step == steps[-1])

    def _say(self, label: str, *, milestone: bool) -> None:
        if self._tell is not None:
            done = min(self._done, self._total)
            self._tell(Progress(done, self._total, label, milestone))


def _earlier(path: Path, now: Reproduction) -> tuple[Repeat, ...]:
    """Read the repeats that a file has of the same reproduction."""
    remedy = "name another folder, or move it away"
    try:
        then = Reproduction.from_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (InvalidInputError, OSError) as error:
        raise RunError(f"{path}: cannot be continued: {error}: {remedy}") from None
    for what, old, new in (
        ("iterations", then.iterations, now.iterations),
        ("evaluations", then.steps, now.steps),
        ("images", then.fingerprint[:12], now.fingerprint[:12]),
    ):
        if old != new:
            raise RunError(f"{path}: has another reproduction: {what} {old}, now {new}: {remedy}")
    return then.repeats


def _caveats(data: Dataset, steps: tuple[int, ...]) -> tuple[str, ...]:
    """Say what makes the published figures no measure for a run, if anything does."""
    caveats = []
    pixels = np.rint(data.test.images * 255).astype(np.uint8)
    header = struct.pack(">4I", 0x803, *pixels.shape[:3])
    if data.stand_in:
        caveats.append(f"the images stand in for MNIST: {data.source}")
    elif hashlib.sha256(header + pixels.tobytes()).hexdigest() != _TEST_IMAGES:
        caveats.append(f"the test images are not MNIST's: {data.source}")
    elif len(data.train) != _TRAINING_IMAGES:
        caveats.append(
            f"trained on {len(data.train):,} images, the original on {_TRAINING_IMAGES:,}"
        )
    last = max(EXPERIMENTS[0].published)
    if steps[-1] != last:
        caveats.append(
            f"the students' teacher has had {steps[-1]:,} updates, the original's {last:,}"
        )
    return tuple(caveats)


def environment(trainer: Trainer) -> str:
    """Name the machine and the versions, which decide the speed and the last bits of a result."""
    versions = [f"Python {platform.python_version()}"]
    for package in ("growsearch", "numpy", "tensorflow"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # run from its source
            continue
    return (
        f"{processor_name()}, {processors()} CPUs, {platform.system()}; "
        f"{type(trainer).__name__}; {', '.join(versions)}"
    )
