"""How many updates a call makes, and where in its plan a training is."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from growsearch.training.plan import TrainingPlan

# Updates run in one call, as many as take so long and at most so many: Python waits for the end of
# a call, and Ctrl-C with it.
CALL_SECONDS, CALL_STEPS = 0.2, 200


@dataclass
class PlanClock:
    """How far a training is in its plan: by updates, or by the time that has passed."""

    plan: TrainingPlan
    asked: float
    step_seconds: float = 0.0  # of the updates before

    def _passed(self) -> float:
        return time.perf_counter() - self.asked

    def is_over(self, step: int) -> bool:
        """Whether no update is left; with a time, when less than half of one fits."""
        if self.plan.seconds is None:
            return step >= self.plan.steps
        return self._passed() + 0.5 * self.step_seconds >= self.plan.seconds

    def at_most(self, count: int, step: int) -> int:
        """As many of the next updates as are left."""
        if self.plan.seconds is None:
            return min(count, self.plan.steps - step)
        if not self.step_seconds:
            return 1
        return max(1, min(count, round((self.plan.seconds - self._passed()) / self.step_seconds)))

    def positions(self, step: int, count: int) -> NDArray[np.float64]:
        """The next updates' positions in the schedule."""
        if self.plan.seconds is None:
            return self.plan.schedule_start + np.arange(step, step + count, dtype=np.float64)
        passed = self._passed() + self.step_seconds * np.arange(count)
        share = np.minimum(passed / self.plan.seconds, 1.0)
        return np.asarray(self.plan.schedule_start + self.plan.steps * share)


def pace_after(steps: int, seconds: float) -> int:
    """Updates in the next call, from how long the last took; at most twice as many as there."""
    wanted = int(CALL_SECONDS * steps / max(seconds, 1e-6))
    return max(1, min(wanted, 2 * steps, CALL_STEPS))
