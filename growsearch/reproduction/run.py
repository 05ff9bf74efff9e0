"""The reproduction as one call: data, trainer, workers and the folder put together."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from growsearch.atomic import make_writable
from growsearch.checks import expanded
from growsearch.datasets import Data, load
from growsearch.errors import DataError, InvalidInputError, disk_errors
from growsearch.execution import Executor
from growsearch.execution.local import check_main_guard
from growsearch.execution.workers import checked_workers
from growsearch.networks import Architecture
from growsearch.reproduction.caveats import caveats_of
from growsearch.reproduction.experiments import ARCHITECTURE
from growsearch.reproduction.finished import FILE, Finished
from growsearch.reproduction.progress import OnProgress
from growsearch.reproduction.result import Reproduction
from growsearch.reproduction.session import Session
from growsearch.study.lock import locked
from growsearch.training import Trainer, trainer_named

IMAGE_SHAPE, CLASSES = (28, 28, 1), 10


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
    workers: int | None = None,
    executor: Executor | None = None,
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
        Folder of ``reproduction.json``, which is written after every training. Trainings in that
        file, of the same iterations and images, are not repeated.
    workers : int, optional
        Trainings at once, each in a process of this machine; 0, the default, is this process. A
        script needs ``if __name__ == "__main__":`` around the call, since new processes import it.
    executor : concurrent.futures.Executor, optional
        Where trainings run instead, as in :func:`growsearch.search`; ``workers`` are then the
        trainings at once. ``out`` must be a folder that its workers share.
    on_progress : callable, optional
        Called with a ``ReproductionProgress`` at every evaluation.

    Returns
    -------
    Reproduction
        The seeds from 0 to ``seeds - 1``; the file may have more.

    Raises
    ------
    InvalidInputError
        When ``iterations``, ``every`` or ``seeds`` is below 1, or ``workers`` below 0.
    RunError
        When ``out`` has another reproduction, or a damaged one; the file is not overwritten. Also
        when ``out`` cannot be written to, before the first training, or another process works in
        it; or when the worker of a training was lost three times.
    DataError
        When there are no images; see :func:`growsearch.datasets.load`.
    """
    check_main_guard()
    steps = evaluated_after(iterations, every)
    if seeds < 1:
        raise InvalidInputError(f"seeds: expected at least 1, got {seeds}")
    workers = checked_workers(executor, workers)
    dataset = load("mnist", data, stand_in=stand_in)
    if dataset.image_shape != IMAGE_SHAPE or dataset.classes != CLASSES:
        shape = "x".join(map(str, dataset.image_shape))
        raise DataError(
            f"{dataset.source}: expected 28x28x1 images of 10 classes, got {shape} of "
            f"{dataset.classes}: the experiments need images like MNIST's"
        )
    nothing = Reproduction(
        iterations,
        steps,
        dataset.source,
        dataset.stand_in,
        dataset.fingerprint,
        len(dataset.test),
        caveats_of(dataset, steps),
    )
    session = Session(
        seeds=range(seeds),
        data=dataset,
        teacher=Architecture.parse(ARCHITECTURE, dataset.image_shape),
        steps=steps,
        trainer=trainer_named() if trainer is None else trainer,
        workers=workers,
        executor=executor,
        on_progress=on_progress,
    )
    out = None if out is None else expanded(out)
    finished = Finished(nothing) if out is None else Finished.read(out / FILE, nothing)
    if session.missing(finished):
        with _held(out) as folder:
            # Read when no other process writes it any more.
            finished = session.train(Finished.read(folder / FILE, nothing), folder)
    else:
        session.progress(finished)
    wanted = tuple(repeat for repeat in finished.reproduction.repeats if repeat.seed < seeds)
    return replace(finished.reproduction, repeats=wanted)


@contextmanager
def _held(out: Path | None) -> Iterator[Path]:
    """Hold the folder of a reproduction alone; one that ends with the block if there is none."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="growsearch-") as temporary:
            yield Path(temporary)
        return
    make_writable(out)
    with locked(out), disk_errors(out):
        yield out
