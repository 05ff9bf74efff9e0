"""The trials of a run as the page shows them: rows of a table, and a panel for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from growsearch.reports.times import moment
from growsearch.reports.trials import sizes
from growsearch.study.result import SearchResult
from growsearch.trials.arms import ARMS, CANDIDATE
from growsearch.trials.records import ArmResult, TrialRecord

# Pixels of the curves in a panel: the whole, around them, and for the numbers on the left.
_WIDTH, _HEIGHT, _PAD, _LEFT = 320.0, 120.0, 8.0, 50.0
_OUTCOMES = {"FAIL": "failed", "PRUNED": "pruned"}


@dataclass(frozen=True)
class ArmRow:
    """One arm of a trial: the candidate or a control."""

    name: str
    question: str
    accuracy: float | None
    difference: float | None
    loss: float | None
    seconds: float
    failure: str | None
    points: str


@dataclass(frozen=True)
class Curves:
    """The learning curves of a trial as lines in pixels, with the ends of their axes."""

    width: float
    height: float
    left: float
    lowest: float
    highest: float
    updates: int


@dataclass(frozen=True)
class TrialView:
    """A trial as the page shows it.

    Parameters
    ----------
    number : int
    outcome : str
        "best", "kept", "not kept", "pruned" or "failed".
    sizes : str
        Operation, layer and sizes.
    record : TrialRecord
    when : str
        The moment of the decision, in a run with a trunk; else "".
    arms : tuple of ArmRow
    curves : Curves or None
    is_ancestor : bool
        True if the best network descends from it.
    """

    number: int
    outcome: str
    sizes: str
    record: TrialRecord
    when: str
    arms: tuple[ArmRow, ...]
    curves: Curves | None
    is_ancestor: bool


def views(result: SearchResult, ancestors: Sequence[int | None]) -> tuple[TrialView, ...]:
    """Return the trials of a run, in order.

    Parameters
    ----------
    result : SearchResult
    ancestors : sequence of int or None
        The trials that the best network descends from.
    """
    in_seconds = result.anytime is None or result.anytime.in_seconds
    return tuple(
        _view(trial, result.best.trial_number, in_seconds, trial.number in ancestors)
        for trial in result.trials
    )


def outcome_of(trial: TrialRecord, best: int | None) -> str:
    """Return the outcome of a trial in words."""
    if trial.number == best:
        return "best"
    return _OUTCOMES.get(trial.state) or ("kept" if trial.kept else "not kept")


def _view(trial: TrialRecord, best: int | None, in_seconds: bool, is_ancestor: bool) -> TrialView:
    elapsed = trial.elapsed
    when = "" if elapsed is None else moment(elapsed, in_seconds=in_seconds)
    if when and not in_seconds:
        when += " updates"
    curves = _curves(tuple(trial.arms.values()))
    return TrialView(
        trial.number,
        outcome_of(trial, best),
        sizes(trial) if trial.operation else trial.growth,
        trial,
        when,
        tuple(_arm(name, arm, trial, curves) for name, arm in trial.arms.items()),
        curves,
        is_ancestor,
    )


def _arm(name: str, arm: ArmResult, trial: TrialRecord, curves: Curves | None) -> ArmRow:
    candidate = trial.validation_accuracy
    difference = None
    if name != CANDIDATE and candidate is not None and arm.accuracy is not None:
        difference = candidate - arm.accuracy
    return ArmRow(
        name,
        ARMS[name].question if name in ARMS else "",
        arm.accuracy,
        difference,
        arm.loss,
        arm.seconds,
        arm.failure,
        "" if curves is None else _points(arm, curves),
    )


def _curves(arms: Sequence[ArmResult]) -> Curves | None:
    values = [accuracy for arm in arms for _, accuracy, _ in arm.curve]
    if len(values) < 2:
        return None
    updates = max(step for arm in arms for step, _, _ in arm.curve)
    return Curves(_WIDTH, _HEIGHT, _LEFT, min(values), max(values), updates)


def _points(arm: ArmResult, curves: Curves) -> str:
    """Return the points of a curve, as of SVG's polyline."""
    width, height = curves.width - curves.left - _PAD, curves.height - 2 * _PAD
    span = (curves.highest - curves.lowest) or 1.0
    return " ".join(
        f"{curves.left + width * step / max(curves.updates, 1):.1f},"
        f"{_PAD + height * (1.0 - (accuracy - curves.lowest) / span):.1f}"
        for step, accuracy, _ in arm.curve
    )
