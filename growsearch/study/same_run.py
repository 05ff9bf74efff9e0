"""Whether a run folder's study is that of the command: what a run works on never changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optuna.study import Study

from growsearch.datasets import Dataset
from growsearch.errors import RunError, SearchSpaceError
from growsearch.space import SearchSpace
from growsearch.study import study as state


def record_or_compare(
    study: Study, space: SearchSpace, dataset: Dataset, seed: int, folder: Path
) -> None:
    """Write down what a new run works on; hold an old run's against what is asked now.

    Raises
    ------
    RunError
        When the run was started with something else, and what.
    """
    now = {
        # The number of trials may grow from one session to the next; all else is the run.
        state.SPACE: _plain(space),
        state.SEED: seed,
        state.DATA: {
            "name": dataset.name,
            "source": dataset.source,
            "stand_in": dataset.stand_in,
            "fingerprint": dataset.fingerprint,
        },
    }
    before = {name: state.attribute(study, name) for name in now}
    if all(value is None for value in before.values()):
        for name, value in now.items():
            study.set_user_attr(name, value)
        return
    for name, value in now.items():
        old, new = before[name], json.loads(json.dumps(value))
        if name == state.SPACE and old is not None and old != new:
            old = _completed(old)
        if name == state.DATA:
            old = old.get("fingerprint") if old else None
            new = new["fingerprint"]
        if old is None:  # killed between two of the attributes
            study.set_user_attr(name, value)
        elif new != old:
            what = _first_difference(old, new, name)
            raise RunError(
                f"{folder}: this run was started with {what}: expected the same command to go on "
                "with it; use another --out to start a new run"
            )


def _plain(space: SearchSpace) -> dict[str, Any]:
    return space.model_dump(mode="json", exclude={"search": {"trials", "seed"}})


def _completed(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored space with the defaults of what it was written before there was."""
    try:
        return _plain(SearchSpace.parse(stored))
    except SearchSpaceError:
        return stored


def _first_difference(old: Any, new: Any, name: str) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*new, *(key for key in old if key not in new)):  # in the order of the model
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{name}.{key}")
    if name == state.DATA:
        return "other images"
    return f"{name} = {old!r}, not {new!r}"
