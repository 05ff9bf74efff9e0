"""The progress of a reproduction, measured in FLOPs and reported at every evaluation."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from growsearch.execution.events import JobEvent, JobLost, NoWorker, Training
from growsearch.growth import Treatment
from growsearch.networks import Architecture
from growsearch.reproduction.experiments import TRAININGS, Experiment
from growsearch.reproduction.job import Trained, name_of


@dataclass(frozen=True)
class ReproductionProgress:
    """The progress of a reproduction: ``done`` of ``total``, in units of equal duration.

    ``milestone`` marks a training that is finished and stored, a lost worker, and the images found
    before the first training. A display without a bar prints the ``label`` of milestones only.
    """

    done: float
    total: float
    label: str
    milestone: bool = False


OnProgress = Callable[[ReproductionProgress], None]


class FlopsProgress:
    """Count the FLOPs done, so that a wide network's evaluations count for more.

    Of trainings beside each other, each is counted by how far it is. One that begins again, after
    its worker was lost, is counted anew.

    Parameters
    ----------
    missing : iterable of (seed, Experiment, slots)
        The trainings that are still to be made.
    teacher : Architecture
    steps : tuple of int
        Updates after which every network is evaluated.
    on_progress : callable or None
        Called with each :class:`ReproductionProgress`.
    """

    def __init__(
        self,
        missing: Iterable[tuple[int, Experiment, Treatment]],
        teacher: Architecture,
        steps: tuple[int, ...],
        on_progress: OnProgress | None,
    ) -> None:
        flops = {
            e.name: float((teacher if e.growth is None else e.growth.grown(teacher)).flops)
            for e, _ in TRAININGS
        }
        self._cost = {name_of(seed, e.name, slots): flops[e.name] for seed, e, slots in missing}
        self._done = dict.fromkeys(self._cost, 0.0)  # fractions
        self._steps = steps
        self._on_progress = on_progress

    def images(self, source: str) -> None:
        """Report the images that were found."""
        self._report(f"images: {source}", milestone=True)

    def heard(self, event: JobEvent) -> None:
        """Report an evaluation, which counts for the updates before it, or a lost worker.

        The last evaluation of a training is reported when the training is stored.
        """
        match event:
            case Training() if event.step < self._steps[-1]:
                passed = bisect_right(self._steps, event.step)
                self._count(event.what, passed / len(self._steps))
                self._report(f"{event.what}, {event.step}: {event.accuracy:.4f}")
            case JobLost():
                self._count(event.what, 0.0)
                self._report(f"{event.what}: {event.reason}; it begins again", milestone=True)
            case NoWorker():
                text = f"{event.what}: no worker for {event.seconds:.0f} s: {event.lacks}"
                self._report(text, milestone=True)

    def stored(self, trained: Trained) -> None:
        """Report a training that is finished and stored."""
        self._count(trained.name, 1.0)
        label = f"{trained.name}, {self._steps[-1]}: {trained.curve.accuracy[-1]:.4f}"
        self._report(label, milestone=True)

    def _count(self, name: str, done: float) -> None:
        if name in self._done:
            self._done[name] = done

    def _report(self, label: str, *, milestone: bool = False) -> None:
        if self._on_progress is not None:
            done = sum(self._done[name] * cost for name, cost in self._cost.items())
            total = sum(self._cost.values())
            self._on_progress(ReproductionProgress(min(done, total), total, label, milestone))
