"""The five experiments of the original Net2Net repository, repeated, and what we add to them.

Source: https://github.com/paengs/Net2Net, main.py and README.md. A teacher is trained on MNIST;
four students start from it: wider and deeper by Net2Net, and both with random new weights instead.
As there: kernels truncated normal (0.1), biases 0.1, batches of 50, Adam at 1e-4, an optimizer
that starts anew with each student, accuracy on the *test* images every 100 iterations. We add a
column, each student once more with its optimizer's slots carried; and an arm, the teacher trained
on without growth, which tells what is growth's and what is only more training.

Known differences, all small: the original evaluates after update i + 1 and calls it iteration i,
here it is after i updates; it sums the loss over a batch, here it is the mean (Adam does not see
the scale); its random new layer is cut at two standard deviations, ours is not. The updates after
the last evaluation changed nothing that it printed or saved, and are left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from growsearch.datasets import Data, Dataset, load
from growsearch.errors import InvalidInputError, RunError, disk_error
from growsearch.growth import Deepen, Filling, Growth, Widen, grow
from growsearch.networks import Architecture, Network
from growsearch.networks.files import make_writable, write_atomically
from growsearch.trainers import Point, Trainer, TrainingPlan

ARCHITECTURE = "5x5x32(conv1)-pool1-5x5x64(conv2)-pool2-1024(fc1)-10(fc2)"
FILE = "reproduction.json"
BATCH_SIZE = 50
LEARNING_RATE = 1e-4

Slots = Literal["reset", "carry"]

# What "MNIST as published" is, in numbers: the SHA-256 of t10k-images-idx3-ubyte, and how many
# images TensorFlow's reader left for training.
_TEST_IMAGES = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
_TRAINING_IMAGES = 55_000


@dataclass(frozen=True)
class Experiment:
    """One of the five: how its network comes from the teacher, and what was published.

    Parameters
    ----------
    name, title : str
    published : mapping
        Iteration -> test accuracy, from the original's README.md.
    growth : Growth or None
        None is the teacher itself.
    fill : "net2net" or "random"
    continues : bool
        Starts from the trained teacher; else it is the teacher, from random weights.
    """

    name: str
    title: str
    published: Mapping[int, float]
    growth: Growth | None = None
    fill: Filling = "net2net"
    continues: bool = True

    @property
    def treatments(self) -> tuple[Slots, ...]:
        """What becomes of the slots: as in the original, and in the column of ours."""
        return ("reset", "carry") if self.continues else ("reset",)


def _published(*accuracies: float) -> Mapping[int, float]:
    return MappingProxyType({100 * (i + 1): each for i, each in enumerate(accuracies)})


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "teacher",
        "Teacher, from random weights",
        _published(0.8732, 0.9025, 0.9313, 0.9408, 0.9363, 0.9466, 0.9379, 0.9582, 0.9583),
        continues=False,
    ),
    Experiment(
        "wider",
        "Student, Net2Wider: conv1 from 32 to 128 filters",
        _published(0.9136, 0.9689, 0.9645, 0.9757, 0.9762, 0.9757, 0.9752, 0.9765, 0.9777),
        Widen("conv1", 128),
    ),
    Experiment(
        "random pad",
        "Its baseline, random pad: the 96 new filters random",
        _published(0.9255, 0.9361, 0.9418, 0.9551, 0.9608, 0.9653, 0.9677, 0.9659, 0.9690),
        Widen("conv1", 128),
        "random",
    ),
    Experiment(
        "deeper",
        "Student, Net2Deeper: an identity layer behind conv1",
        _published(0.9673, 0.9646, 0.9718, 0.9731, 0.9765, 0.9612, 0.9783, 0.9812, 0.9785),
        Deepen("conv1"),
    ),
    Experiment(
        "random init",
        "Its baseline, random init: the new layer random",
        _published(0.9057, 0.9059, 0.9446, 0.9489, 0.9541, 0.9581, 0.9607, 0.9499, 0.9663),
        Deepen("conv1"),
        "random",
    ),
    # Not one of the original's: what the students would have gained without any growth.
    Experiment("continued", "Control of ours: the teacher, trained on without growth", {}),
)


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


@dataclass(frozen=True)
class Curve:
    """Test accuracy at each evaluation of one training."""

    experiment: str
    slots: Slots
    accuracy: tuple[float, ...]


@dataclass(frozen=True)
class Repeat:
    """All experiments with one seed, what they took, and on which machine and versions."""

    seed: int
    curves: tuple[Curve, ...]
    seconds: float
    environment: str


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation over n seeds; one seed has no deviation."""

    mean: float
    std: float | None
    n: int


@dataclass(frozen=True)
class Row:
    """One iteration of one experiment, held against the published figure.

    ``difference`` is ours less the published one, both rounded to its four digits; None where
    nothing was published or nothing can be compared.
    """

    iteration: int
    accuracy: Spread
    carried: Spread | None
    published: float | None
    difference: float | None


@dataclass(frozen=True)
class Reproduction:
    """What a reproduction measured: test accuracies, as the original's were.

    Parameters
    ----------
    iterations : int
        As asked for; the original's were 1,000.
    steps : tuple of int
        Updates after which every network was evaluated.
    source : str
        Where the images came from.
    stand_in : bool
        Whether they stand in for MNIST.
    fingerprint : str
        Of the images.
    test_images : int
    caveats : tuple of str
        Why the published figures are no measure for these; empty if they are.
    repeats : tuple of Repeat
        One a seed.

    Raises
    ------
    InvalidInputError
        When a curve is missing, or not one accuracy a step.
    """

    iterations: int
    steps: tuple[int, ...]
    source: str
    stand_in: bool
    fingerprint: str
    test_images: int
    caveats: tuple[str, ...] = ()
    repeats: tuple[Repeat, ...] = ()

    def __post_init__(self) -> None:
        expected = {(e.name, slots) for e in EXPERIMENTS for slots in e.treatments}
        for repeat in self.repeats:
            if {(c.experiment, c.slots) for c in repeat.curves} != expected:
                raise InvalidInputError(
                    f"seed {repeat.seed}: expected the curves of all experiments"
                )
            for curve in repeat.curves:
                fits = len(curve.accuracy) == len(self.steps)
                if not fits or not all(0.0 <= value <= 1.0 for value in curve.accuracy):
                    raise InvalidInputError(
                        f"seed {repeat.seed}: {curve.experiment}: expected {len(self.steps)} "
                        f"accuracies from 0 to 1, got {curve.accuracy}"
                    )
        if len(set(self.seeds)) != len(self.seeds):
            raise InvalidInputError(f"seeds: expected each once, got {self.seeds}")

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the repeats."""
        return tuple(repeat.seed for repeat in self.repeats)

    @property
    def comparable(self) -> bool:
        """Whether the published figures are a measure for these."""
        return not self.caveats

    @property
    def seconds(self) -> float:
        """Wall-clock time of all repeats."""
        return sum(repeat.seconds for repeat in self.repeats)

    @property
    def environments(self) -> tuple[str, ...]:
        """The machines and versions that the repeats ran on, each once."""
        return tuple(dict.fromkeys(repeat.environment for repeat in self.repeats))

    def accuracies(self, experiment: str, slots: Slots = "reset") -> NDArray[np.float64]:
        """Test accuracies of one experiment, shape (seeds, steps)."""
        curves = [
            curve.accuracy
            for repeat in self.repeats
            for curve in repeat.curves
            if (curve.experiment, curve.slots) == (experiment, slots)
        ]
        return np.array(curves, np.float64).reshape(len(curves), len(self.steps))

    def rows(self, experiment: Experiment) -> tuple[Row, ...]:
        """One experiment beside its published figures, a row an evaluation."""
        ours = spreads(self.accuracies(experiment.name))
        carried: tuple[Spread | None, ...] = (None,) * len(ours)
        if "carry" in experiment.treatments:
            carried = spreads(self.accuracies(experiment.name, "carry"))
        rows = []
        for step, each, other in zip(self.steps, ours, carried, strict=bool(ours)):
            published = experiment.published.get(step)
            difference = None
            if published is not None and self.comparable:
                difference = round(round(each.mean, 4) - published, 4)
            rows.append(Row(step, each, other, published, difference))
        return tuple(rows)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values, with the rows of the five tables."""
        return {
            "measured_on": "test images, as the original's were",
            **asdict(self),
            "comparable": self.comparable,
            "experiments": [
                {"name": e.name, "title": e.title, "rows": [asdict(r) for r in self.rows(e)]}
                for e in EXPERIMENTS
            ],
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> Reproduction:
        """Read the text of what :meth:`to_json` gave, as untrusted input.

        Raises
        ------
        InvalidInputError
            If it is anything else; says where.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(Reproduction).validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise InvalidInputError(f"a reproduction: {where}: {first['msg']}") from None


def spreads(accuracies: NDArray[np.float64]) -> tuple[Spread, ...]:
    """Mean and deviation of each column of an array of shape (seeds, steps).

    Examples
    --------
    >>> spreads(np.array([[0.5], [0.7]]))[0].mean
    0.6
    """
    n = len(accuracies)
    if n == 0:
        return ()
    stds = accuracies.std(axis=0, ddof=1) if n > 1 else [None] * accuracies.shape[1]
    return tuple(
        Spread(float(mean), None if std is None else float(std), n)
        for mean, std in zip(accuracies.mean(axis=0), stds, strict=True)
    )


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
        from growsearch.training import SlimTrainer

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
    processor = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():  # Linux; platform knows no more than "x86_64" there
        named = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = named[0].partition(":")[2].strip() if named else processor
    versions = [f"Python {platform.python_version()}"]
    for package in ("growsearch", "numpy", "tensorflow"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # run from its source
            continue
    return (
        f"{processor or platform.machine()}, {os.cpu_count()} CPUs, {platform.system()}; "
        f"{type(trainer).__name__}; {', '.join(versions)}"
    )
