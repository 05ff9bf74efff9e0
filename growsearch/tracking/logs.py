"""The figures of a run and of its trials, as trackers log them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial

from growsearch.study.attributes import DataAttribute, SeedAttribute, SpaceAttribute
from growsearch.study.result import SearchResult
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.records import TrialRecord

Curve = tuple[tuple[int, float, float], ...]  # step, accuracy, loss
Value = str | int | float | bool


@dataclass(frozen=True)
class Point:
    """A figure of the run at one moment: at a number of trials, or of seconds or updates.

    Parameters
    ----------
    figure : str
    step : int
    value : float
    """

    figure: str
    step: int
    value: float


@dataclass(frozen=True)
class TrialLog:
    """The log of one trial.

    Parameters
    ----------
    number : int
    params : mapping
        The values that Optuna chose, the growth that they meant, and the parent.
    figures : mapping
        Figures at the end: accuracies of candidate and controls, gain, parameters, seconds.
    tags : mapping
        The state, the decision and its reason.
    curves : mapping
        Arm -> its learning curve.
    began, ended : datetime or None
    """

    number: int
    params: Mapping[str, Value]
    figures: Mapping[str, float]
    tags: Mapping[str, str]
    curves: Mapping[str, Curve] = field(default_factory=dict)
    began: datetime | None = None
    ended: datetime | None = None


def figure_of(metric: str) -> str:
    """Return the name of the figure that a run optimises.

    Examples
    --------
    >>> figure_of("f1_macro")
    'validation_f1_macro'
    """
    return f"validation_{metric}"


def trial_log(trial: FrozenTrial, record: TrialRecord, metric: str) -> TrialLog:
    """Return the log of a finished trial with all its controls."""
    figures: dict[str, float | None] = {
        figure_of(metric): record.validation_accuracy,
        "validation_loss": record.arms[CANDIDATE].loss if CANDIDATE in record.arms else None,
        "gain": record.gain,
        "loss_gain": record.loss_gain,
        "parameters": record.parameters or None,
        "flops": record.flops or None,
        "demand": record.demand,
        "seconds": record.seconds,
        "kept": float(record.kept),
    }
    for arm, result in record.arms.items():
        if arm != CANDIDATE:
            figures[f"{arm}_{figure_of(metric)}"] = result.accuracy
    parent = "teacher" if record.parent is None else str(record.parent)
    decision = "failed" if record.state == "FAIL" else "kept" if record.kept else "not kept"
    return TrialLog(
        number=trial.number,
        params={**trial.params, "growth": record.growth, "parent": parent},
        figures=finite(figures),
        tags={
            "state": record.state,
            "decision": decision,
            "reason": record.reason,
            "architecture": record.architecture,
        },
        curves={arm: result.curve for arm, result in record.arms.items() if result.curve},
        began=trial.datetime_start,
        ended=trial.datetime_complete,
    )


def run_params(study: Study) -> dict[str, Value]:
    """Return what a run began with: its search space by key, its seed, its images."""
    space, seed = SpaceAttribute.read(study), SeedAttribute.read(study)
    data = DataAttribute.read(study)
    found: dict[str, Value] = dict(_flat(space.value)) if space else {}
    if seed is not None:
        found["seed"] = seed.value
    if data is not None:
        found |= {"images": data.source, "stand_in": data.stand_in}
    return found


def result_figures(result: SearchResult) -> dict[str, float]:
    """Return the figures of a run at its end."""
    metric = result.metric
    return finite(
        {
            f"best_{figure_of(metric)}": result.best.validation_accuracy,
            "best_parameters": result.best.network.parameters,
            "best_flops": result.best.network.architecture.flops,
            f"held_out_{metric}": result.held_out_score,
            f"test_{metric}": result.test_score,
            "test_accuracy": result.test_accuracy,
            f"teacher_{figure_of(metric)}": result.teacher_accuracy,
            "teacher_test_accuracy": result.teacher_test_accuracy,
            "trials": len(result.trials),
            "seconds": sum(result.spent.values()),
        }
    )


def finite(figures: Mapping[str, float | None]) -> dict[str, float]:
    """Return the figures that are known and finite, as floats."""
    return {
        name: float(value)
        for name, value in figures.items()
        if value is not None and math.isfinite(value)
    }


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Value]]:
    """Yield the plain values of tables in tables, by their dotted names."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, str | int | float | bool):
            yield f"{before}{name}", value
        elif value is not None:
            yield f"{before}{name}", str(value)
