"""The run of a reproduction: every training of every seed, stored seed by seed."""

from __future__ import annotations

import json
import platform
import time
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from growsearch.atomic import make_writable, write_atomically
from growsearch.checks import expanded
from growsearch.datasets import Data, Dataset, load
from growsearch.errors import InvalidInputError, RunError, disk_error
from growsearch.growth import grow
from growsearch.machine import processor_name, processors
from growsearch.networks import Architecture, Network
from growsearch.reproduction.caveats import caveats_of
from growsearch.reproduction.experiments import ARCHITECTURE, BATCH_SIZE, LEARNING_RATE, TRAININGS
from growsearch.reproduction.progress import FlopsProgress, OnProgress
from growsearch.reproduction.result import AccuracyCurve, Repeat, Reproduction
from growsearch.training import Trainer, TrainingPlan, trainer_named

FILE = "reproduction.json"


def evaluated_after(iterations: int, every: int = 100) -> tuple[int, ...]:
    """Return the updates after which to evaluate: 0, ``every``, … below ``iterations``.

    The original evaluates so. With at most ``every`` iterations they are the start and the end.

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
    """Reproduce the five published experiments, and one control of ours, with seeds 0, 1, ….

    All students of a seed start from the same teacher and see the same images in the same order,
    which differs from the teacher's.

    Parameters
    ----------
    trainer : Trainer, optional
        :class:`growsearch.training.slim.SlimTrainer` by default.
    iterations : int
        Iterations as the original counts them: evaluations are at 0, ``every``, … below this
        number, and the students start from the teacher at the last evaluation.
    seeds : int
        The number of repeats, each with another seed.
    data, stand_in
        See :func:`growsearch.datasets.load`; the data set is "mnist".
    every : int
        Updates between two evaluations.
    out : path, optional
        Folder of ``reproduction.json``, which is written after every seed. Seeds in that file,
        of the same iterations and images, are not trained again.
    on_progress : callable, optional
        Called with a ``ReproductionProgress`` at every evaluation.

    Returns
    -------
    Reproduction
        The seeds from 0 to ``seeds - 1``; the file may have more.

    Raises
    ------
    InvalidInputError
        When ``iterations``, ``every`` or ``seeds`` is below 1.
    RunError
        When ``out`` has another reproduction, or a damaged one; the file is not overwritten. Also
        when ``out`` cannot be written to, before the first training.
    DataError
        When there are no images; see :func:`growsearch.datasets.load`.
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
        caveats_of(dataset, steps),
    )
    path = None if out is None else expanded(out) / FILE
    if path is not None:
        found = replace(found, repeats=_earlier(path, found))
    missing = [seed for seed in range(seeds) if seed not in found.seeds]
    if path is not None and missing:
        make_writable(path.parent)
    if trainer is None:
        trainer = trainer_named()
    architecture = Architecture.parse(ARCHITECTURE, dataset.image_shape)
    progress = FlopsProgress(len(missing), architecture, steps, on_progress)
    progress.images(dataset.source)
    for seed in missing:
        repeat = _repeat(seed, architecture, dataset, steps, trainer, progress)
        found = replace(found, repeats=(*found.repeats, repeat))
        if path is not None:
            text = json.dumps(found.to_json(), indent=1, ensure_ascii=False)
            try:
                write_atomically(path, text.encode())
            except OSError as error:
                raise disk_error(error, path.parent) from None
    wanted = sorted((r for r in found.repeats if r.seed < seeds), key=lambda repeat: repeat.seed)
    return replace(found, repeats=tuple(wanted))


def _repeat(
    seed: int,
    architecture: Architecture,
    data: Dataset,
    steps: tuple[int, ...],
    trainer: Trainer,
    progress: FlopsProgress,
) -> Repeat:
    """Train every experiment with one seed."""
    initial, teacher_order, growth, order = map(int, np.random.SeedSequence(seed).generate_state(4))
    plan = TrainingPlan(
        steps[-1], BATCH_SIZE, LEARNING_RATE, "adam", evaluate_every=steps[1] - steps[0]
    )
    began = time.perf_counter()
    teacher = Network.initial(architecture, rng=initial, initializer="truncated_normal")
    curves = []
    for experiment, slots in TRAININGS:
        student = teacher
        if experiment.growth is not None:
            # One generator seed for all students, so that both treatments get the same weights.
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
            on_evaluation=partial(progress.evaluated, seed, experiment, slots),
        )
        curves.append(
            AccuracyCurve(experiment.name, slots, tuple(p.accuracy for p in result.curve))
        )
        if not experiment.continues:
            teacher = result.network
    seconds = time.perf_counter() - began
    return Repeat(seed, tuple(curves), seconds, environment(trainer))


def _earlier(path: Path, now: Reproduction) -> tuple[Repeat, ...]:
    """Read the repeats of the same reproduction from a file; none where there is no file."""
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
