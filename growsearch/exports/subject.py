"""The network that is exported, and its origin: a run's best, that of a trial, or a file's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from growsearch.checks import expanded, whole_number
from growsearch.errors import InvalidInputError, NetworkFileError, RunError
from growsearch.interop.models import starting_network
from growsearch.interop.pixels import for_unit_pixels
from growsearch.networks import Network
from growsearch.networks.layers import KerasEnds
from growsearch.networks.store import NetworkStore
from growsearch.study.attributes import Candidate
from growsearch.study.networks import freed_of
from growsearch.study.open import WEIGHTS
from growsearch.study.result import SearchResult, load_result


@dataclass(frozen=True)
class Subject:
    """A network to export.

    Parameters
    ----------
    network : Network
        Takes images as floats from 0 to 1.
    name : str
        Of its file, unless another is asked for.
    source : str
        Its origin, for people.
    place : str or None
        The path of the run or file, as it was given; None without one.
    result : SearchResult or None
        The run that it is of.
    number : int or None
        The trial that grew it; None is the first network, or no run.
    validation_accuracy : float or None
        By the run's metric, on the images that it was chosen on.
    is_best : bool
        True of the network of the run.
    notes : tuple of str
    """

    network: Network
    name: str
    source: str
    place: str | None = None
    result: SearchResult | None = None
    number: int | None = None
    validation_accuracy: float | None = None
    is_best: bool = False
    notes: tuple[str, ...] = ()

    @property
    def lineage(self) -> tuple[str, ...]:
        """The growths from the first network to this one, in words; none without a run."""
        records = {} if self.result is None else {each.number: each for each in self.result.trials}
        found, number = list[str](), self.number
        while number is not None and number in records:  # a parent is an earlier trial: this ends
            record = records[number]
            accuracy = record.validation_accuracy
            reached = "" if accuracy is None else f", validation {accuracy:.4f}"
            found.append(f"trial {number}: {record.growth}{reached}")
            number = record.parent
        return tuple(reversed(found))


def subject_of(
    model: Any,
    *,
    trial: int | None = None,
    within: Mapping[str, float] | None = None,
    storage: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Subject:
    """Return the network of a run, of one of its trials, of a file or of a model in memory.

    Parameters
    ----------
    model : path, SearchResult, Network or Keras model
        A path is the folder of a run, or a file that ends in .keras, .h5 or .safetensors.
    trial : int, optional
        The trial of a run whose network is meant; the network of the run by default.
    within : mapping, optional
        Limits on demands: of a run that keeps a front, its most accurate network within them.
    storage : str, optional
        The storage URL of the run.
    custom_objects : mapping, optional
        Own classes and functions, by name, which a Keras file may use.

    Raises
    ------
    GrowsearchError
        When there is no such network.
    """
    place = str(model) if isinstance(model, str | os.PathLike) else None
    path = None if place is None else expanded(place)
    if path is not None and (path.is_dir() or not path.suffix):
        model = load_result(path, storage=storage)
    if within and trial is not None:
        raise InvalidInputError(f"within: expected none beside a trial, got trial {trial}")
    if isinstance(model, SearchResult):
        chosen, place = "best network", place or str(model.folder)
        if within:
            model = model.within(within)
            limits = ", ".join(f"{name}={limit:.15g}" for name, limit in within.items())
            chosen = f"most accurate network within {limits}"
        return _of_run(model, trial, place, chosen)
    if trial is not None:
        raise InvalidInputError(f"trial: expected none for a model that is no run, got {trial}")
    if within:
        raise InvalidInputError("within: expected none for a model that is no run")
    start = starting_network(model, custom_objects=custom_objects)
    network, of_output = _with_plain_output(start.network)
    network, of_pixels = for_unit_pixels(network)
    notes = tuple(f"{start.source}: {note}" for note in (of_output, of_pixels) if note)
    name = "network" if path is None else path.stem
    return Subject(network, name, start.source, place, notes=notes)


def _with_plain_output(network: Network) -> tuple[Network, str]:
    """Return a network whose only output is an array, where it stood in a dict; and a note."""
    ends = network.architecture.output
    if not isinstance(ends.layer, KerasEnds) or len(ends.inputs) != 1 or ends.layer.given == 0:
        return network, ""
    architecture = network.architecture.with_layers({ends.name: replace(ends.layer, gives="0")})
    note = "its output is an array, without a name, in this file"
    return replace(network, architecture=architecture), note


def _of_run(result: SearchResult, trial: int | None, place: str, chosen: str) -> Subject:
    name = result.folder.resolve().name
    if trial is None:
        best = result.best
        origin = "the first network" if best.trial_number is None else f"trial {best.trial_number}"
        trained_on = ", trained on at the end" if best.polished else ""
        return Subject(
            best.network.named(best.network.class_names or result.class_names),
            name,
            f"the {chosen} of {result.folder}, {origin}{trained_on}",
            place,
            result,
            best.trial_number,
            best.validation_accuracy,
            is_best=True,
        )
    number = whole_number("trial", trial, 0)
    records = {each.number: each for each in result.trials}
    kept = [each.number for each in result.trials if each.kept]
    if number not in records or not records[number].kept:
        listed = ", ".join(map(str, kept)) or "none"
        found = "its network was not kept" if number in records else "the run has no such trial"
        raise InvalidInputError(
            f"trial: expected a trial whose network was kept, of {listed}, got {number}: {found}"
        )
    study = result.study
    stored = Candidate.read(study.get_trials(deepcopy=False)[number]).sha256
    store = NetworkStore(Path(result.folder) / WEIGHTS)
    try:
        network = store.get(freed_of(study).stored(stored))
    except NetworkFileError as error:
        raise RunError(f"trial {number}: its network cannot be read: {error}") from None
    return Subject(
        network.named(network.class_names or result.class_names),
        f"{name}-trial-{number}",
        f"the network of trial {number} of {result.folder}",
        place,
        result,
        number,
        records[number].validation_accuracy,
    )
