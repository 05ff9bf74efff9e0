"""One training of a reproduction as a value: the job that a worker gets, and its outcome."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from growsearch.growth import Treatment, grow
from growsearch.machine import processor_name, processors
from growsearch.networks import Network
from growsearch.reproduction.experiments import BY_NAME
from growsearch.reproduction.result import AccuracyCurve
from growsearch.training import Trainer, TrainingPlan
from growsearch.trials.job import First
from growsearch.trials.progress import OnPoint
from growsearch.trials.worker import WorkerContext


@dataclass(frozen=True)
class Trained:
    """The outcome of one training.

    Parameters
    ----------
    seed : int
    curve : AccuracyCurve
    seconds : float
        Wall-clock time of the training, evaluations included.
    environment : str
        The machine and the versions.
    teacher : str
        The SHA-256 of the seed's trained teacher: from it the network started, or it is it.
    """

    seed: int
    curve: AccuracyCurve
    seconds: float
    environment: str
    teacher: str

    @property
    def name(self) -> str:
        """The name of the training's job."""
        return name_of(self.seed, self.curve.experiment, self.curve.slots)


@dataclass(frozen=True)
class ExperimentJob:
    """One training of one experiment: all that a worker needs.

    Parameters
    ----------
    seed : int
    experiment : str
    slots : "reset" or "carry"
    parent : str or First
        The SHA-256 of the trained teacher, which is stored; or the teacher's specification.
    plan : TrainingPlan
    data : str
        The fingerprint of the images.
    """

    seed: int
    experiment: str
    slots: Treatment
    parent: str | First
    plan: TrainingPlan
    data: str

    @property
    def name(self) -> str:
        """The job's name, for displays and errors."""
        return name_of(self.seed, self.experiment, self.slots)

    def carry_out(self, context: WorkerContext, on_point: OnPoint) -> Trained:
        """Build the network, train it, and store it if it is the teacher.

        Every evaluation is on the test images, as the original's were.
        """
        context.check(self.data)
        initial, teacher_order, growth, order = map(
            int, np.random.SeedSequence(self.seed).generate_state(4)
        )
        began = time.perf_counter()
        if isinstance(self.parent, First):
            first = self.parent
            network = Network.initial(
                first.architecture, rng=initial, initializer=first.initializer
            )
        else:
            network = self._student(context.networks.get(self.parent), growth)
        result = context.trainer.train(
            network,
            context.images["train"],
            self.plan,
            evaluate_on=context.images["test"],
            seed=teacher_order if isinstance(self.parent, First) else order,
            on_evaluation=on_point,
        )
        accuracy = tuple(point.accuracy for point in result.curve)
        teacher = self.parent
        if isinstance(teacher, First):
            teacher = context.networks.put(result.network)
        return Trained(
            self.seed,
            AccuracyCurve(self.experiment, self.slots, accuracy),
            time.perf_counter() - began,
            environment(context.trainer),
            teacher,
        )

    def _student(self, teacher: Network, seed: int) -> Network:
        """Return the network with which the training starts.

        One generator seed for all students, so that both treatments get the same weights.
        """
        experiment = BY_NAME[self.experiment]
        if experiment.growth is not None:
            return grow(
                teacher, experiment.growth, rng=seed, fill=experiment.fill, slots=self.slots
            )
        if self.slots == "reset":
            return Network(teacher.architecture, teacher.weights)
        return teacher


def name_of(seed: int, experiment: str, slots: Treatment) -> str:
    """Name a training, for displays and errors.

    Examples
    --------
    >>> name_of(0, "wider", "carry")
    'seed 0: wider, slots carried'
    """
    return f"seed {seed}: {experiment}{', slots carried' if slots == 'carry' else ''}"


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
