"""Comparison of a study with the command: space, seed and images of a run never change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optuna.study import Study

from growsearch.datasets import Dataset
from growsearch.errors import RunError, SearchSpaceError
from growsearch.space import SearchSpace
from growsearch.study.attributes import (
    DataAttribute,
    LengthAttribute,
    SeedAttribute,
    SpaceAttribute,
    StartAttribute,
)


def record_or_compare(
    study: Study,
    space: SearchSpace,
    dataset: Dataset,
    seed: int,
    folder: Path,
    start: StartAttribute | None = None,
) -> None:
    """Store space, seed, data and given network of a new run; compare an old run's with these.

    Raises
    ------
    RunError
        When the run was started with another value; names the first that differs.
    """
    now = SpaceAttribute(value=_plain(space)), SeedAttribute(value=seed), _data(dataset)
    before = SpaceAttribute.read(study), SeedAttribute.read(study), DataAttribute.read(study)
    if before[0]:
        _refuse_other_start(folder, StartAttribute.read(study), start)
    if old_space := before[0]:
        # JSON has lists where a space has tuples.
        asked = json.loads(json.dumps(now[0].value))
        known = old_space.value if old_space.value == asked else _completed(old_space.value)
        _refuse_other(folder, known, asked, SpaceAttribute.attribute)
    if old_seed := before[1]:
        _refuse_other(folder, old_seed.value, seed, SeedAttribute.attribute)
    if (old_data := before[2]) and old_data.fingerprint != dataset.fingerprint:
        raise _other(folder, "other images")
    if before[0] is None:  # first: a run that has a space has all that it began with
        if start is not None:
            start.write(study)
        search = space.search
        LengthAttribute(trials=search.trials, time_budget=search.time_budget).write(study)
    for old, new in zip(before, now, strict=True):
        if old is None:  # a new run, or one that was killed between two of the attributes
            new.write(study)


def _refuse_other_start(
    folder: Path, old: StartAttribute | None, new: StartAttribute | None
) -> None:
    """Refuse another network than the one that the run was given; its path may differ."""
    if (None if old is None else old.sha256) != (None if new is None else new.sha256):
        names = ["a network of its own" if each is None else each.source for each in (old, new)]
        raise _other(folder, f"{names[0]}, not with {names[1]}")


def _data(dataset: Dataset) -> DataAttribute:
    return DataAttribute(
        name=dataset.name,
        source=dataset.source,
        stand_in=dataset.stand_in,
        fingerprint=dataset.fingerprint,
        class_names=dataset.class_names or (),
        paths=dataset.paths,
    )


def _refuse_other(folder: Path, old: Any, new: Any, name: str) -> None:
    """Refuse a value that is not the stored one, naming the first difference."""
    if old != new:
        raise _other(folder, _first_difference(old, new, name))


def _other(folder: Path, what: str) -> RunError:
    return RunError(
        f"{folder}: this run was started with {what}: expected the same command to go on "
        "with it; use another --out to start a new run"
    )


def _plain(space: SearchSpace) -> dict[str, Any]:
    """Return a space as plain values, without what may differ from session to session."""
    return space.model_dump(mode="json", exclude={"search": {"trials", "seed", "time_budget"}})


def _completed(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a stored space, with defaults for keys added since it was written."""
    try:
        return _plain(SearchSpace.parse(stored))
    except SearchSpaceError:
        return stored


def _first_difference(old: Any, new: Any, name: str) -> str:
    """Return the first key, in the order of the model, whose values differ, with both."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*new, *(key for key in old if key not in new)):
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{name}.{key}")
    return f"{name} = {old!r}, not {new!r}"
