"""The outcome of a training as a value: a network and its curve, or a failure in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from growsearch.errors import DivergedError, OutOfMemoryError, TrainingFailedError
from growsearch.training import Point

# Errors that the trained network or its plan causes: they become a Failure.
TRAINING_FAILED = (TrainingFailedError, MemoryError)


@dataclass(frozen=True)
class Failure:
    """The reason why a training could not end.

    Parameters
    ----------
    kind : "diverged", "out of memory", "too slow", "too long", "lost" or "failed"
    reason : str
        In words, in one line.
    """

    kind: Literal["diverged", "out of memory", "too slow", "too long", "lost", "failed"]
    reason: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Return the failure that an exception of ``TRAINING_FAILED`` stands for."""
        reason = " ".join(str(error).split()) or "out of memory"
        if isinstance(error, MemoryError):
            return cls("out of memory", reason)
        return cls("diverged" if isinstance(error, DivergedError) else "failed", reason)

    def error(self, what: str = "") -> TrainingFailedError:
        """Return the exception with the reason, after the name of what failed."""
        kinds = {"diverged": DivergedError, "out of memory": OutOfMemoryError}
        return kinds.get(self.kind, TrainingFailedError)(
            f"{what}: {self.reason}" if what else self.reason
        )


@dataclass(frozen=True)
class TrialOutcome:
    """The outcome of a trial job; it can be pickled.

    Parameters
    ----------
    sha256 : str or None
        Of the trained network, if it was stored; of its averages in a plan with ``ema``.
    last : str or None
        Of the network of the last update, where trainings may go on from it.
    curve : tuple of Point
        From step 0, where the plan evaluates the start, to the last; empty if the training failed.
        In a run with another metric, its value takes the place of the accuracy.
    losses, shares : float32 array, shape (n,), or None
        Of the selection images at the last evaluation: their losses, and their shares of a metric
        other than accuracy.
    seconds : float
        Wall-clock time of the updates, without evaluations.
    images_per_second : float
    training_flops : float
        FLOPs of the forward and backward passes of all updates.
    precision : str or None
        Precision of the updates; None if the training failed before them.
    learning_rate : float
        Of a tuned control: the best of those that were tried.
    tried : tuple of (learning rate, accuracy or None)
        Of a tuned control.
    ended_early : bool
        True if the job's cutoffs ended the training before its plan did.
    failure : Failure or None
    """

    sha256: str | None = None
    last: str | None = None
    curve: tuple[Point, ...] = ()
    losses: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    shares: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    seconds: float = 0.0
    images_per_second: float = 0.0
    training_flops: float = 0.0
    precision: str | None = None
    learning_rate: float = 0.0
    tried: tuple[tuple[float, float | None], ...] = ()
    ended_early: bool = False
    failure: Failure | None = None

    @property
    def final(self) -> Point:
        """The last evaluation."""
        return self.curve[-1]

    @property
    def trained(self) -> tuple[Point, ...]:
        """The evaluations after the first update."""
        return tuple(point for point in self.curve if point.step)

    @property
    def accuracy(self) -> float | None:
        """The accuracy, or the run's metric, at the end; None if the training failed."""
        return None if self.failure is not None else self.final.accuracy
