"""The progress of a reproduction, measured in FLOPs and reported at every evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from growsearch.growth import Treatment
from growsearch.networks import Architecture
from growsearch.reproduction.experiments import TRAININGS, Experiment
from growsearch.training import Point


@dataclass(frozen=True)
class ReproductionProgress:
    """The progress of a reproduction: ``done`` of ``total``, in units of equal duration.

    ``milestone`` marks the end of a training, and the images found before the first one. A
    display without a bar prints the ``label`` of milestones only.
    """

    done: float
    total: float
    label: str
    milestone: bool = False


OnProgress = Callable[[ReproductionProgress], None]


class FlopsProgress:
    """Count the FLOPs done, so that a wide network's evaluations count for more.

    Parameters
    ----------
    repeats : int
        Seeds that are still to be trained.
    teacher : Architecture
    steps : tuple of int
        Updates after which every network is evaluated.
    on_progress : callable or None
        Called with each :class:`ReproductionProgress`.
    """

    def __init__(
        self,
        repeats: int,
        teacher: Architecture,
        steps: tuple[int, ...],
        on_progress: OnProgress | None,
    ) -> None:
        self._cost = {
            e.name: float((teacher if e.growth is None else e.growth.grown(teacher)).flops)
            for e, _ in TRAININGS
        }
        self._total = repeats * sum(self._cost[e.name] for e, _ in TRAININGS)
        self._done = 0.0
        self._steps = steps
        self._on_progress = on_progress

    def images(self, source: str) -> None:
        """Report the images that were found."""
        self._report(f"images: {source}", milestone=True)

    def evaluated(self, seed: int, experiment: Experiment, slots: Treatment, point: Point) -> None:
        """Report an evaluation; it counts for the updates before it."""
        self._done += self._cost[experiment.name] / len(self._steps)
        carried = ", slots carried" if slots == "carry" else ""
        label = f"seed {seed}: {experiment.name}{carried}, {point.step}: {point.accuracy:.4f}"
        self._report(label, milestone=point.step == self._steps[-1])

    def _report(self, label: str, *, milestone: bool) -> None:
        if self._on_progress is not None:
            done = min(self._done, self._total)
            self._on_progress(ReproductionProgress(done, self._total, label, milestone))
