"""The number of pending trials of a run, fixed when it is created."""

from __future__ import annotations

import math
from pathlib import Path

from optuna.study import Study

from growsearch.errors import RunError
from growsearch.space import SearchSpace
from growsearch.study.attributes import PendingTrialsAttribute, TeacherAttribute

MOST = 8  # beyond, a greedy search gains nothing by more: docs/operations.md


def window_of(
    study: Study, folder: Path, *, asked: int | None, workers: int, space: SearchSpace
) -> int:
    """Return how many candidates of a run may be pending; store it if the run is new.

    Parameters
    ----------
    study : optuna.Study
    folder : Path
        Of the run, for the error.
    asked : int or None
        None is what the run was begun with, or the default.
    workers : int
        Jobs at once, which the default follows.
    space : SearchSpace

    Raises
    ------
    RunError
        When the run was begun with another number.
    """
    known = PendingTrialsAttribute.read(study)
    if known is not None:
        if asked not in (None, known.value):
            raise RunError(
                f"{folder}: this run was started with {known.value} pending trials, not {asked}: "
                "expected the same command to go on with it; use another --out to start a new run"
            )
        return known.value
    is_old = TeacherAttribute.read(study) is not None  # begun before there was a window
    window = asked or (1 if is_old else default_window(workers, space))
    PendingTrialsAttribute(value=window).write(study)
    return window


def default_window(workers: int, space: SearchSpace) -> int:
    """Return as many candidates as keep the workers busy beside the controls; at most 8.

    A candidate beyond that gains no time, and grows from a parent that is older than need be.

    Parameters
    ----------
    workers : int
    space : SearchSpace

    Examples
    --------
    >>> space = SearchSpace.load("digits")
    >>> space.controls.arms, [default_window(workers, space) for workers in (0, 1, 2, 4, 64)]
    ({'random': 1.0}, [1, 1, 1, 2, 8])
    """
    if space.trunk is not None:  # the candidates of a campaign; the trunk has a worker of its own
        return max(space.trunk.candidates, min(MOST, workers - 1))
    return max(1, min(MOST, math.ceil(workers / trainings_of(space))))


def trainings_of(space: SearchSpace) -> float:
    """Return how many trainings a candidate has, its repeats and controls included, on average.

    Examples
    --------
    >>> controls = {"arms": {"random": 1.0, "scratch": 0.5}, "seeds": 2, "tuned": 3}
    >>> trainings_of(SearchSpace.load("digits").replace(controls=controls))
    11.0
    """
    controls = space.controls
    return controls.seeds * (1.0 + sum(controls.arms.values()) * controls.tuned)
