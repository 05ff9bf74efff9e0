"""The trials of a run as a table of pandas: one row a trial, all arms beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from growsearch.errors import InvalidInputError
from growsearch.trials.arms import CANDIDATE
from growsearch.trials.records import ArmResult, TrialRecord

if TYPE_CHECKING:
    from pandas import DataFrame

# The columns of a trial that do not depend on its arms, with their types in pandas.
_COLUMNS = {
    "state": "string",
    "kept": "bool",
    "parent": "Int64",
    "growth": "string",
    "operation": "string",
    "layer": "string",
    "layer_kind": "string",
    "old_size": "string",
    "new_size": "string",
    "learning_rate": "Float64",
    "architecture": "string",
    "parameters": "Int64",
    "flops": "Int64",
    "gain": "Float64",
    "loss_gain": "Float64",
    "elapsed": "Float64",
    "seconds": "Float64",
    "reason": "string",
}


def frame_of(trials: Sequence[TrialRecord], metric: str = "accuracy") -> DataFrame:
    """Return trials as a table, one row a trial.

    Parameters
    ----------
    trials : sequence of TrialRecord
    metric : str
        The metric of the run, which takes the place of "accuracy" in the names of columns.

    Returns
    -------
    pandas.DataFrame
        The index ``trial`` is the trial's number; ``parent`` is missing where that is the first
        network. Each arm has columns such as ``random_accuracy``, ``random_loss``,
        ``random_seconds``, ``random_flops`` and ``random_failure``, of the trial's own seeds; where
        seeds were repeated, ``random_accuracy_mean`` is the mean over all and ``random_seeds``
        their number. What an arm did not run in is missing.

    Raises
    ------
    InvalidInputError
        When pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise InvalidInputError(
            "frame: expected pandas to be installed: pip install 'growsearch[pandas]'"
        ) from None
    arms = dict.fromkeys((CANDIDATE, *(arm for trial in trials for arm in trial.arms)))
    repeated = any(trial.repeats for trial in trials)
    table: dict[str, Any] = {
        name: pd.array([getattr(trial, name) for trial in trials], dtype=kind)
        for name, kind in _COLUMNS.items()
    }
    for arm in arms:
        results = [trial.arms.get(arm) for trial in trials]
        for name, values in _of_arm(results, metric).items():
            kind = "string" if name == "failure" else "Float64"
            table[f"{arm}_{name}"] = pd.array(values, dtype=kind)
        if repeated:
            seeds = [_finished(trial, arm) for trial in trials]
            means = [sum(each) / len(each) if each else None for each in seeds]
            table[f"{arm}_{metric}_mean"] = pd.array(means, dtype="Float64")
            table[f"{arm}_seeds"] = pd.array([len(each) for each in seeds], dtype="Int64")
    index = pd.Index([trial.number for trial in trials], name="trial", dtype="int64")
    return pd.DataFrame(table, index=index)


def _of_arm(results: Sequence[ArmResult | None], metric: str) -> dict[str, list[Any]]:
    """Return the columns of an arm by name."""
    names = {metric: "accuracy", "loss": "loss", "seconds": "seconds", "flops": "flops"}
    names["failure"] = "failure"
    return {
        column: [None if each is None else getattr(each, name) for each in results]
        for column, name in names.items()
    }


def _finished(trial: TrialRecord, arm: str) -> list[float]:
    """Return the accuracies of an arm in a trial, one for each seed that it finished with."""
    values = (each.accuracy for each in trial.seeds_of(arm).values())
    return [value for value in values if value is not None]
