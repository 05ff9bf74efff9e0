"""The lineage of a run's best network as the page tells it: step by step, with what changed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from growsearch.errors import RunError
from growsearch.page.changes import step_change
from growsearch.reports.times import moment
from growsearch.study.lineage import Ancestor, lineage_of
from growsearch.study.result import SearchResult


@dataclass(frozen=True)
class Step:
    """One growth of the lineage.

    Parameters
    ----------
    number : int
        Its place, from 1.
    trial : int
    growth, when, reason : str
    before, after : int
        Parameters of the network.
    lines : tuple of str
        What it changed.
    """

    number: int
    trial: int
    growth: str
    when: str
    reason: str
    before: int
    after: int
    lines: tuple[str, ...]


def lineage_of_best(result: SearchResult) -> tuple[tuple[Ancestor, ...], str]:
    """Return the networks from the first one to the best, and why some are missing, or "".

    A run of an earlier version may lack the description of its growths: then the best network
    stands alone.
    """
    best, first = result.best, result.teacher_architecture
    last = -1 if best.trial_number is None else best.trial_number
    alone = (Ancestor(best.network.architecture, best.trial_number),)
    if result.anytime is not None:
        every = result.anytime.lineage
        found = tuple(each for each in every if each.trial is None or each.trial <= last)
    elif first is None:
        return alone, "The first network of this run is not known."
    else:
        try:
            trials = result.study.get_trials(deepcopy=False)
            found = lineage_of(first, trials, best.trial_number)
        except RunError as error:
            return alone, f"The growths of this run cannot be followed: {error}."
    if found[-1].architecture != best.network.architecture:
        return alone, "The growths of this run do not lead to its best network."
    return found, ""


def steps(lineage: tuple[Ancestor, ...], result: SearchResult) -> tuple[Step, ...]:
    """Return the growths of a lineage, each with what it changed."""
    in_seconds = result.anytime is None or result.anytime.in_seconds
    reasons = {trial.number: trial.reason for trial in result.trials}
    made = []
    for number, (before, after) in enumerate(pairwise(lineage), 1):
        when = "" if after.elapsed is None else moment(after.elapsed, in_seconds=in_seconds)
        trial = -1 if after.trial is None else after.trial
        made.append(
            Step(
                number,
                trial,
                after.growth,
                when if in_seconds or not when else f"{when} updates",
                after.reason or reasons.get(trial, ""),
                before.architecture.parameters,
                after.architecture.parameters,
                step_change(before.architecture, after.architecture).lines,
            )
        )
    return tuple(made)
