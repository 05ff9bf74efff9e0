"""The time limit of a job: given, or ten times what the longest job so far explains."""

from __future__ import annotations

import math
from collections.abc import Iterable

from growsearch.trials.job import TrialJob
from growsearch.trials.worker import Job

_FACTOR, _LEAST = 10.0, 300.0  # the least limit is in seconds


class TimeLimit:
    """Learns how long jobs take, and says when one takes too long.

    Parameters
    ----------
    seconds : float or None
        The limit of every job, beside the time that its plan gives it; None is ten times the
        longest so far, at least 5 minutes. A job with more updates than any before may take longer
        in proportion.
    trained : iterable of (updates, seconds)
        Of the trainings of earlier sessions.

    Examples
    --------
    >>> limit = TimeLimit(None, [(100, 50.0)])
    >>> limit.longest * 10.0
    500.0
    """

    def __init__(self, seconds: float | None, trained: Iterable[tuple[int, float]] = ()) -> None:
        self._given = seconds
        self.longest = 0.0
        self._update = 0.0  # seconds of the slowest update
        self._has_trained = False
        for updates, took in trained:
            self._count(updates, took)
            self._has_trained = True

    def of(self, job: Job[object]) -> float:
        """Return the limit of a job in seconds; infinite while nothing explains its time."""
        if self._given is not None:
            return self._given + (_planned(job) if isinstance(job, TrialJob) else 0.0)
        # Measurements, such as that of the widths, tell nothing about the first training.
        if self.longest == 0.0 or (isinstance(job, TrialJob) and not self._has_trained):
            return math.inf
        explained = self.longest
        if isinstance(job, TrialJob):
            explained = max(explained, self._update * _updates(job), _planned(job))
        return max(_LEAST, _FACTOR * explained)

    def learn(self, job: Job[object], seconds: float) -> None:
        """Take note of a job that finished."""
        self._count(_updates(job) if isinstance(job, TrialJob) else 0, seconds)
        self._has_trained |= isinstance(job, TrialJob)

    def _count(self, updates: int, seconds: float) -> None:
        self.longest = max(self.longest, seconds)
        if updates:
            self._update = max(self._update, seconds / updates)


def _planned(job: TrialJob) -> float:
    """Return the seconds that the plan of a job gives it at most; 0 where it has updates alone."""
    return job.plan.seconds or job.plan.time_limit or 0.0


def _updates(job: TrialJob) -> int:
    """Return the updates of a job, with those of every rate of a tuned control."""
    if job.plan.seconds is not None:
        return 0
    return job.plan.steps * max(1, len(job.learning_rates))
