"""The budget of a run, in trials and in seconds: how much is left, and when a search stops."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from optuna.study import Study
from optuna.trial import TrialState

from growsearch.driver.pending import trainings_of
from growsearch.driver.proposals import may_grow
from growsearch.space import SearchSpace
from growsearch.study.attributes import SpentAttribute, TeacherAttribute
from growsearch.study.optuna_private import is_stopped
from growsearch.study.run_state import RunState

PHASES = ("teacher", "trunk", "candidates", "controls", "polish", "test", "other")
_LAST_EVALUATIONS = 0.02  # of the time budget: for the test images


class Clock:
    """Measures the phases of a run, including those of its earlier sessions.

    Parameters
    ----------
    budget : float or None
        Seconds of the whole run; None is no limit.
    began : float
        When this session began, by ``time.monotonic``.
    before : mapping
        Phase -> seconds of the earlier sessions.

    Examples
    --------
    >>> clock = Clock(100.0, time.monotonic(), {"teacher": 30.0, "other": 10.0})
    >>> with clock.on("candidates"):
    ...     pass
    >>> round(clock.left), round(clock.spent()["teacher"])
    (60, 30)
    """

    def __init__(self, budget: float | None, began: float, before: Mapping[str, float]) -> None:
        self.budget = budget
        self._began = began
        self._before = {phase: float(before.get(phase, 0.0)) for phase in PHASES}
        self._now = dict.fromkeys(PHASES, 0.0)
        self._phases: tuple[str, ...] = ()
        self._since = began

    @contextmanager
    def on(self, *phases: str) -> Iterator[None]:
        """Count the block's time into phases, in equal parts; an inner block counts for itself."""
        before = self._switch(phases)
        try:
            yield
        finally:
            self._switch(before)

    def _switch(self, phases: tuple[str, ...]) -> tuple[str, ...]:
        """Begin to count into other phases; return those before."""
        self._now = self._counted()
        before, self._phases = self._phases, phases
        self._since = time.monotonic()
        return before

    def _counted(self) -> dict[str, float]:
        """Return the seconds of this session by phase, including the running phases."""
        counted = dict(self._now)
        for phase in self._phases:
            counted[phase] += (time.monotonic() - self._since) / len(self._phases)
        return counted

    @property
    def passed(self) -> float:
        """Seconds of the whole run so far."""
        return time.monotonic() - self._began + sum(self._before.values())

    @property
    def left(self) -> float:
        """Seconds that the budget leaves; infinite without one."""
        return float("inf") if self.budget is None else self.budget - self.passed

    def spent(self) -> dict[str, float]:
        """Return the seconds of the whole run by phase; "other" is the time outside all phases."""
        now = self._counted() | {"other": 0.0}
        now["other"] = time.monotonic() - self._began - sum(now.values())
        return {phase: round(self._before[phase] + now[phase], 3) for phase in PHASES}

    def write_spent(self, study: Study) -> None:
        """Store the seconds of the whole run by phase."""
        SpentAttribute(value=self.spent()).write(study)


@dataclass(frozen=True)
class Goal:
    """The number of trials to make in all, and how many were done when the session began."""

    trials: int
    done_before: int

    def __str__(self) -> str:
        if self.done_before > self.trials:
            return (
                f"earlier sessions finished {self.done_before} trials, more than the "
                f"{self.trials} asked for"
            )
        if self.trials == 0:
            return "no trials were asked for"
        all_of = f"all {self.trials} trials are" if self.trials != 1 else "the one trial is"
        earlier = ", by earlier sessions" if self.done_before >= self.trials else ""
        return f"{all_of} done{earlier}"


def reason_to_stop(
    state: RunState, goal: Goal, clock: Clock, space: SearchSpace, study: Study, workers: int
) -> str | None:
    """Return why no other trial is made, in words; None if there is to be one."""
    if (reason := reason_for_no_trial(state, goal, space, study)) is not None:
        return reason
    if clock.budget is None:
        return None
    room = clock.left - _reserved(space, clock.budget)
    if room < state.laps.longest:
        return f"the time budget of {clock.budget:g} s leaves no room for another trial"
    if _has_trained(state):
        return None
    others = math.ceil(trainings_of(space) - 1.0)
    seconds = _updates_of_trial(space, study) * (1 + math.ceil(others / max(1, workers)))
    if room < seconds:
        its, fewer = ("", "") if not others else (", with its controls,", ", or fewer controls")
        return (
            f"the time budget of {clock.budget:g} s leaves no room for a trial, whose "
            f"{space.training.steps} updates{its} take about {seconds:.0f} s: give more time, or "
            f"fewer training.steps{fewer}"
        )
    return None


def _has_trained(state: RunState) -> bool:
    """Return whether a trial told how long one takes: those that were refused took no time."""
    told = (TrialState.COMPLETE, TrialState.PRUNED)
    return any(trial.state in told for trial in state.trials)


def _updates_of_trial(space: SearchSpace, study: Study) -> float:
    """Return the seconds of a trial's updates, by those of the first network; 0 if unknown."""
    plan, first, teacher = space.training, space.teacher, TeacherAttribute.read(study)
    if teacher is None:
        return 0.0
    is_alike = (first.batch_size, first.precision) == (plan.batch_size, plan.precision)
    if teacher.images_per_second and is_alike:
        return plan.steps * plan.batch_size / teacher.images_per_second
    return plan.steps * teacher.step_seconds


def reason_for_no_trial(
    state: RunState, goal: Goal, space: SearchSpace, study: Study
) -> str | None:
    """Return why no other trial is made, whatever time is left; None if there may be one."""
    if len(state.placed) >= goal.trials:
        return str(goal)
    if is_stopped(study):
        return "a callback stopped it"
    if not any(may_grow(each.network.architecture, space) for each in state.parents):
        return "nothing is left to grow within the limits of the space"
    return None


def _reserved(space: SearchSpace, budget: float) -> float:
    """Return the seconds that no trial may use: for the polish, and for the last evaluations."""
    share = space.polish.share if space.polish else 0.0
    return max(share, _LAST_EVALUATIONS) * budget
