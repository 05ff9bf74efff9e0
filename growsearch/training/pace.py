"""Pace of a training: its place in the plan, and the number of updates in one call."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from growsearch.training.plan import TrainingPlan

# A call makes updates of about 0.2 s, at most 200: Ctrl-C is handled only between calls.
CALL_SECONDS, CALL_STEPS = 0.2, 200


@dataclass
class PlanClock:
    """The place of a training in its plan: by updates, or by time in a plan with ``seconds``.

    A plan with a ``time_limit`` passes with the updates, and ends early where they take too long.

    Parameters
    ----------
    plan : TrainingPlan
    asked : float
        ``time.perf_counter()`` when the training was called.
    step_seconds : float
        Seconds an update in the last call; 0 before the first.
    """

    plan: TrainingPlan
    asked: float
    step_seconds: float = 0.0

    def _passed(self) -> float:
        return time.perf_counter() - self.asked

    @property
    def _limit(self) -> float | None:
        plan = self.plan
        limits = [each for each in (plan.seconds, plan.time_limit) if each is not None]
        return min(limits, default=None)

    def is_over(self, step: int) -> bool:
        """Return True if no update is left; with a limit of time, if less than half of one fits."""
        if self.plan.seconds is None and step >= self.plan.steps:
            return True
        limit = self._limit
        return limit is not None and self._passed() + 0.5 * self.step_seconds >= limit

    def at_most(self, count: int, step: int) -> int:
        """Return ``count``, or the number of updates that are left if it is smaller."""
        if self.plan.seconds is None:
            count = min(count, self.plan.steps - step)
        limit = self._limit
        if limit is None:
            return count
        if not self.step_seconds:
            return 1
        return max(1, min(count, round((limit - self._passed()) / self.step_seconds)))

    def positions(self, step: int, count: int) -> NDArray[np.float64]:
        """Return the positions of the next ``count`` updates in the schedule."""
        if self.plan.seconds is None:
            return self.plan.schedule_start + np.arange(step, step + count, dtype=np.float64)
        passed = self._passed() + self.step_seconds * np.arange(count)
        share = np.minimum(passed / self.plan.seconds, 1.0)
        return np.asarray(self.plan.schedule_start + self.plan.steps * share)


def pace_after(steps: int, seconds: float) -> int:
    """Return the number of updates in the next call, from the last; at most twice as many."""
    wanted = int(CALL_SECONDS * steps / max(seconds, 1e-6))
    return max(1, min(wanted, 2 * steps, CALL_STEPS))
