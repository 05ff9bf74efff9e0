"""Acceleration: the compute that growing saves on the way to what training from scratch reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from growsearch.evidence.pairs import controls_of, pairs
from growsearch.evidence.statistics import Paired, paired
from growsearch.trials.arms import ARMS
from growsearch.trials.records import ArmResult, TrialRecord


@dataclass(frozen=True)
class Acceleration:
    """The saving of compute by a candidate and its ancestors, against an arm of equal compute.

    The saving of a pair is ``1 - lineage / control``, a fraction. The lineage's compute is that of
    all its ancestors' trainings and of the candidate's own training until it first has the accuracy
    that the control has at its end. The control's is that of its whole training.

    A candidate that never has the accuracy counts with its whole training, which is a lower bound
    of its compute: so with ``censored`` pairs the mean saving is an upper bound. A candidate that
    has the accuracy before its first update counts with all of its ancestry, which is an upper
    bound, since an ancestor may have had the accuracy earlier.

    Parameters
    ----------
    arm : str
        The control, whose training has the FLOPs of the lineage.
    pairs, censored : int
        Pairs whose FLOPs are known, and those of them in which the candidate never has the
        accuracy; a trial has one pair for each seed.
    flops, seconds : Paired
        Statistics of the savings, one value a trial, the mean over its seeds. Ahead: trials in
        which the lineage needs less than the control.
    """

    arm: str
    pairs: int
    censored: int
    flops: Paired
    seconds: Paired


@dataclass(frozen=True)
class _Saving:
    """The savings of one pair; None where a compute is not known."""

    flops: float | None
    seconds: float | None
    is_censored: bool


def accelerations(trials: Sequence[TrialRecord]) -> tuple[Acceleration, ...]:
    """Return the saving against each arm whose training has the FLOPs of the whole lineage."""
    arms = [a for a in controls_of(trials) if a in ARMS and ARMS[a].length == "lineage"]
    return tuple(each for arm in arms if (each := _acceleration(trials, arm)).pairs)


def _acceleration(trials: Sequence[TrialRecord], arm: str) -> Acceleration:
    by_trial = [
        [saving for pair in pairs(trial, arm) if (saving := _saving(trial, *pair)) is not None]
        for trial in trials
    ]
    counted = [each for group in by_trial for each in group if each.flops is not None]
    return Acceleration(
        arm,
        pairs=len(counted),
        censored=sum(each.is_censored for each in counted),
        flops=_over_trials([[each.flops for each in group] for group in by_trial]),
        seconds=_over_trials([[each.seconds for each in group] for group in by_trial]),
    )


def _saving(trial: TrialRecord, candidate: ArmResult, control: ArmResult) -> _Saving | None:
    """Return the savings of a pair; None if one of the two has no result."""
    if candidate.accuracy is None or control.accuracy is None or not candidate.curve:
        return None
    reached = candidate.cost_of(control.accuracy)
    _, seconds, flops = reached or (0.0, candidate.seconds, candidate.flops)
    return _Saving(
        _share_saved(trial.ancestry_flops, flops, control.flops),
        _share_saved(trial.ancestry_seconds, seconds, control.seconds),
        reached is None,
    )


def _share_saved(ancestry: float | None, own: float, control: float) -> float | None:
    if ancestry is None or not control > 0.0:
        return None
    return 1.0 - (ancestry + own) / control


def _over_trials(groups: Sequence[Sequence[float | None]]) -> Paired:
    known = [[each for each in group if each is not None] for group in groups]
    return paired([float(np.mean(group)) for group in known if group])
