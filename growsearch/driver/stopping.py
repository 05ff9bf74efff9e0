"""The end of a search: whether another trial is made, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass

from growsearch.driver.proposals import may_grow
from growsearch.driver.run import Run
from growsearch.space import SearchSpace
from growsearch.study.optuna_private import is_stopped
from growsearch.study.run_state import RunState

_LAST_EVALUATIONS = 0.02  # of the time budget: for the test images


@dataclass(frozen=True)
class Goal:
    """The number of trials to make in all, and how many were done when the session began."""

    trials: int
    done_before: int

    def __str__(self) -> str:
        if self.done_before > self.trials:
            return (
                f"{self.done_before} trials are done since an earlier session, more than the "
                f"{self.trials} asked for"
            )
        if self.trials == 0:
            return "no trials were asked for"
        all_of = f"all {self.trials} trials are" if self.trials != 1 else "the one trial is"
        earlier = " since an earlier session" if self.done_before >= self.trials else ""
        return f"{all_of} done{earlier}"


def reason_to_stop(run: Run, state: RunState, goal: Goal) -> str | None:
    """Return why no other trial is made, in words; None if there is to be one."""
    if len(state.counted) >= goal.trials:
        return str(goal)
    if is_stopped(run.study):
        return "a callback stopped it"
    if not may_grow(state.incumbent.network.architecture, run.space):
        return "nothing is left to grow within the limits of the space"
    budget = run.clock.budget
    if budget is not None and run.clock.left - state.laps.longest < _reserved(run.space, budget):
        return f"the time budget of {budget:g} s leaves no room for another trial"
    return None


def _reserved(space: SearchSpace, budget: float) -> float:
    """Return the seconds that no trial may use: for the polish, and for the last evaluations."""
    share = space.polish.share if space.polish else 0.0
    return max(share, _LAST_EVALUATIONS) * budget
