"""The images that an export is compared, measured and calibrated on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch import datasets
from growsearch.datasets import Dataset, Split, StoredImages
from growsearch.driver.holdout import hold_out
from growsearch.errors import DataError, GrowsearchError, InvalidInputError
from growsearch.execution.workers import IMAGES
from growsearch.exports.subject import Subject
from growsearch.space import SearchSpace
from growsearch.study.attributes import DataAttribute, SpaceAttribute
from growsearch.study.result import SearchResult

_COMPARED, _FEWEST, _FLOPS = 64, 4, 20e9  # images; FLOPs of the reference, which takes about 10 s
_CALIBRATED = 256
_MEASURED = 2500  # the held-out half of MNIST's validation images
_SAME = 1e-3  # of a step of bytes

# The part of the images -> its name for people; the first that is there is measured on.
_PARTS = {
    "held_out": "held-out validation images",
    "selection": "validation images that the network was chosen on",
    "validation": "validation images",
}


@dataclass(frozen=True)
class Images:
    """Images of a network's input shape.

    Parameters
    ----------
    compared : float32 array (n, *input_shape)
        Of images from 0 to 1.
    kind : str
        What they are: "held-out validation images", "random inputs", ….
    measured : Split or None
        Images with labels, of the same kind.
    calibration : float32 array or None
        Training images.
    about : str
        Where they came from, for people.
    class_names : tuple of str or None
    """

    compared: NDArray[np.float32]
    kind: str
    measured: Split | None = None
    calibration: NDArray[np.float32] | None = None
    about: str = ""
    class_names: tuple[str, ...] | None = None

    @property
    def are_real(self) -> bool:
        """True of images that were not drawn at random."""
        return self.measured is not None

    @property
    def are_bytes(self) -> bool:
        """True if the pixels are multiples of 1/255, as of images that were bytes."""
        steps = 255.0 * self.compared.astype(np.float64)
        return bool(np.abs(steps - np.rint(steps)).max() < _SAME)


def images_for(subject: Subject, data: Any = None, *, skip_unreadable: bool = False) -> Images:
    """Return images for a network: those that are named, else the run's, else random ones.

    Parameters
    ----------
    subject : Subject
    data : path, arrays or Dataset, optional
        As of :func:`growsearch.datasets.load`. The images of the run are found in its folder, or
        where they were found for the run.
    skip_unreadable : bool
        Leave out files of ``data`` that cannot be read.

    Raises
    ------
    InvalidInputError
        When images that are named do not fit the network.
    """
    architecture = subject.network.architecture
    count = int(np.clip(_FLOPS // max(architecture.flops, 1), _FEWEST, _COMPARED))
    parts, about = _parts(subject, data, skip_unreadable)
    if parts is None:
        drawn = np.random.default_rng(0).random((count, *architecture.input_shape), np.float32)
        if len(architecture.input_shape) == 3:
            drawn = (np.rint(255.0 * drawn) / 255.0).astype(np.float32)
        return Images(drawn, "random inputs", about=about)
    part = next(name for name in _PARTS if name in parts)
    split = parts[part]
    if (found := tuple(split.images.shape[1:])) != architecture.input_shape:
        raise InvalidInputError(
            f"data: expected images of shape {architecture.input_shape} for this network, "
            f"got {found}"
        )
    return Images(
        _some(split, count).images,
        _PARTS[part],
        _some(split, _MEASURED),
        _some(parts["train"], _CALIBRATED).images,
        about,
        split.class_names,
    )


def _some(split: Split, count: int) -> Split:
    """Return some of the images, drawn at random: they may stand in the order of their classes."""
    rows = np.random.default_rng(0).permutation(len(split))[:count]
    some = split.take(np.sort(rows))
    return Split(np.asarray(some.images), some.labels, split.class_names)


def _parts(
    subject: Subject, data: Any, skip_unreadable: bool
) -> tuple[Mapping[str, Split] | None, str]:
    """Return the images by part, and where they came from; None where there are none."""
    result, shape = subject.result, subject.network.architecture.input_shape
    if data is not None:
        pictures = datasets.pictures_for(shape)
        dataset = datasets.load(datasets.OWN, data, skip_unreadable=skip_unreadable, **pictures)
        dataset = datasets.in_order(dataset, subject.network.class_names)
        return _as_in_run(dataset, result) or _as_they_are(dataset), dataset.source
    if result is None:
        return None, "no images were named"
    about = DataAttribute.read(result.study)
    if about is None:
        return None, "the run does not say which images it had"
    stored = StoredImages(Path(result.folder) / IMAGES / about.fingerprint)
    with suppress(DataError, KeyError):
        return {part: stored[part] for part in ("train", _held_out_or_selection(stored))}, (
            about.source
        )
    with suppress(GrowsearchError):
        again = _found_again(result, about)
        if again is not None and (parts := _as_in_run(again, result)):
            return parts, about.source
    return None, f"the run's images are not reachable ({about.source}): --data names them"


def _held_out_or_selection(stored: Mapping[str, Split]) -> str:
    return "held_out" if "held_out" in stored else "selection"


def _found_again(result: SearchResult, about: DataAttribute) -> Dataset | None:
    """Load the images of a run from where it had them; nothing is downloaded."""
    space = _space_of(result)
    if about.name == "digits" or about.stand_in:
        return datasets.load("digits", seed=0)
    if space is None:
        return None
    pictures = datasets.pictures_for(space.architecture.input_shape)
    places = about.paths or (about.source,)
    found = [
        datasets.load(space.data, place, skip_unreadable=True, **pictures)
        for place in places
        if Path(place).exists()
    ]
    names = result.best.network.class_names
    return datasets.in_order(datasets.joined(found), names) if found else None


def _as_in_run(dataset: Dataset, result: SearchResult | None) -> Mapping[str, Split] | None:
    """Return the parts of a run's images, if these are the same images."""
    about = None if result is None else DataAttribute.read(result.study)
    space = None if result is None else _space_of(result)
    if about is None or space is None or about.fingerprint != dataset.fingerprint:
        return None
    selection, held_out = hold_out(dataset.validation, space.judge.held_out)
    parts = {"train": dataset.train, "selection": selection}
    if held_out is not None:
        parts["held_out"] = held_out
    return {part: split.named(dataset.class_names) for part, split in parts.items()}


def _as_they_are(dataset: Dataset) -> Mapping[str, Split]:
    parts = {"train": dataset.train, "validation": dataset.validation}
    return {part: split.named(dataset.class_names) for part, split in parts.items()}


def _space_of(result: SearchResult) -> SearchSpace | None:
    stored = SpaceAttribute.read(result.study)
    return None if stored is None else SearchSpace.parse(stored.value, source=str(result.folder))
