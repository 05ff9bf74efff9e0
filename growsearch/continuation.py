"""A search that goes on from the best network of a run, with new images, in a run of its own."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

from growsearch import datasets
from growsearch.api import search
from growsearch.errors import GrowsearchError, InvalidInputError, RunError
from growsearch.interop.models import StartingNetwork
from growsearch.networks.store import NetworkStore
from growsearch.space import AUTO, Override, SearchSpace, read_shipped
from growsearch.space.auto import following
from growsearch.study.attributes import LengthAttribute, SpaceAttribute, StartAttribute
from growsearch.study.networks import ancestry_flops
from growsearch.study.open import WEIGHTS, find
from growsearch.study.result import SearchResult, load_result
from growsearch.study.trunk import trunk_of

# Was growing needed? The same training without growth; and from random weights, all in all.
ARMS = {"continued": 0.5, "scratch_compute": 0.25}


def continue_search(
    run: str | Path,
    *,
    data: Any,
    out: str | Path | None = None,
    overrides: str | Override | Sequence[str | Override] = (),
    storage: str | None = None,
    skip_unreadable: bool = False,
    **options: Any,
) -> SearchResult:
    """Go on from the best network of a run with new images, in a run of its own.

    The network is the first one of the new run, whose space is the same with other controls. The
    arm "continued" tells what more training gives without growth. "scratch_compute" tells what the
    grown network gives that is trained from random weights on all these images, for the FLOPs of
    all trainings before, those of the first run included.

    Parameters
    ----------
    run : path
        The folder of the run whose network goes on; it stays as it is.
    data : path, arrays or Dataset, or a list of them
        The images of the new run. Those of a list are joined split by split: name the old images
        too, so that the network keeps what it knows.
    out : path, optional
        The new run folder; by default the first of ``<run>-2``, ``<run>-3``, … that is free, or
        that was begun with the same network.
    overrides : str, Override, or sequence of both
        Values that replace those of the space, as :meth:`growsearch.SearchSpace.load` takes them.
    storage : str, optional
        The storage URL of both runs, if it is not their folders'.
    skip_unreadable : bool
        Leave out pictures that cannot be read. Otherwise they are an error.
    **options
        Further arguments of :func:`growsearch.search`.

    Returns
    -------
    SearchResult
        That of the new run.

    Raises
    ------
    GrowsearchError
        For unusable input, before the first trial.

    Examples
    --------
    >>> continue_search("runs/shop", data=["may/", "june/"])  # doctest: +SKIP
    """
    options.setdefault("began", time.monotonic())  # a time budget includes the loading of images
    before = load_result(run, storage=storage)
    start = best_of(before)
    every = data if isinstance(data, list) else [data]
    if not every:
        raise InvalidInputError("data: expected the images of the new run, got none")
    pictures = datasets.pictures_for(start.network.architecture.input_shape)
    space = SearchSpace.of_values(
        _values_of(before),
        overrides,
        first=start.network.architecture,
        source=str(before.folder),
    )
    dataset = datasets.joined(
        [
            datasets.load(space.data, each, skip_unreadable=skip_unreadable, **pictures)
            for each in every
        ]
    )
    dataset = datasets.in_order(dataset, start.network.class_names)
    if out is None:
        named = start.named(dataset.class_names)  # as the search stores it
        out = _next_folder(before.folder, named.network.sha256, storage)
    return search(
        space,
        network=start,
        data=dataset,
        out=out,
        storage=storage,
        **options,
    )


def best_of(result: SearchResult) -> StartingNetwork:
    """Return the best network of a run as one to start from, with the FLOPs that it took.

    Those of a polish are not among them: a run does not store them.
    """
    best, trials = result.best, result.study.get_trials(deepcopy=False)
    trunk = trunk_of(result.study, trials)
    flops = (
        ancestry_flops(result.study, trials, best.trial_number)
        if trunk is None
        else trunk.training_flops
    )
    origin = "the first network" if best.trial_number is None else f"trial {best.trial_number}"
    return StartingNetwork(best.network, f"{result.folder}, {origin}", best.sha256, flops)


def _values_of(before: SearchResult) -> dict[str, Any]:
    """Return the plain values of the space in which a run goes on."""
    stored = SpaceAttribute.read(before.study)
    if stored is None:
        raise RunError(f"{before.folder}: expected a stored search space, got none")
    space = SearchSpace.parse(stored.value, source=str(before.folder))
    values = space.model_dump() | {"data": datasets.OWN, "stand_in": None}
    values["controls"]["arms"] = ARMS
    values["teacher"]["steps"] = 0  # the network is taken as it is
    values["search"] |= _lengths(before, space.name)
    if space.name == AUTO:
        best = before.best.network.architecture
        values["limits"] = following(values["limits"], space.architecture, best)
    return values


def _lengths(before: SearchResult, name: str) -> dict[str, Any]:
    """Return the keys of the space that say how long a run takes, which are stored beside it."""
    keys = ("trials", "time_budget")
    if (stored := LengthAttribute.read(before.study)) is not None:
        return {key: getattr(stored, key) for key in keys}
    if name not in (AUTO, *SearchSpace.shipped()):  # of an earlier version
        return {}
    section: dict[str, Any] = tomllib.loads(read_shipped(name))["search"]
    return {key: section[key] for key in keys if key in section}


def _next_folder(folder: Path, sha256: str, storage: str | None) -> Path:
    """Return the folder of a run that goes on: a free one, or that begun with the same network."""
    folder = folder.resolve()
    for number in count(2):
        found = folder.with_name(f"{folder.name}-{number}")
        is_there = NetworkStore(found / WEIGHTS).path(sha256).exists()
        if is_there or not found.exists() or sha256 == _start_of(found, storage):
            break
    return found


def _start_of(folder: Path, storage: str | None) -> str | None:
    """Return the SHA-256 of the network that a run was begun with; None where there is none."""
    try:
        start = StartAttribute.read(find(folder, storage)[0])  # whatever its networks are
    except GrowsearchError:
        return None
    return None if start is None else start.sha256
