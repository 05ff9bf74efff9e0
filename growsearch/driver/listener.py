"""The listener to points of running trainings: it informs displays and asks the pruner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from growsearch.driver.events import OnEvent, Training
from growsearch.training import Point
from growsearch.trials.job import TrialJob
from growsearch.trials.worker import Job

Report = Callable[[Point], bool]


class PointListener:
    """The callback of an executor: called with a job and each point of its training's curve.

    Parameters
    ----------
    on_event : callable
        Called with the progress of each training.
    """

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._reports: dict[Job[Any], Report] = {}

    def __call__(self, job: Job[Any], point: Point) -> bool:
        """Tell of a point; return whether the training ends there."""
        steps = job.plan.steps if isinstance(job, TrialJob) else point.step
        self._on_event(Training(job.name, point.step, steps, point.accuracy))
        report = self._reports.get(job)
        return report is not None and report(point)

    @contextmanager
    def reporting(self, job: TrialJob, report: Report) -> Iterator[None]:
        """Call ``report`` too, inside the block, with each point of one job's curve."""
        self._reports[job] = report
        try:
            yield
        finally:
            del self._reports[job]
