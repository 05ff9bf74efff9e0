"""The ends of a search space's first network, fitted to images: input shape and classes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

from growsearch.datasets import Dataset
from growsearch.errors import ArchitectureError, DataError, SearchSpaceError
from growsearch.networks import Architecture
from growsearch.space.files import AUTO
from growsearch.space.section import LARGEST_COUNT
from growsearch.space.space import SearchSpace

_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 64

WORTH_SAYING = 1.2
"""A first network that is larger by less does not raise the limits."""

LEAST_STEPS = 50
"""The first network of a trunk gets no fewer updates where larger images make them dearer."""


def has_shipped_ends(space: SearchSpace) -> bool:
    """Return whether the first network is that of a shipped space, so that its ends may change.

    Examples
    --------
    >>> has_shipped_ends(SearchSpace.load("net2net"))
    True
    >>> has_shipped_ends(SearchSpace.load("net2net", "teacher.input_shape=[32, 32, 3]"))
    False
    """
    return space.name in SearchSpace.shipped() and space.architecture == _shipped(space.name)


@cache
def _shipped(name: str) -> Architecture:
    """Return the first network of a shipped space, whose file is read once."""
    return SearchSpace.load(name).architecture


def fitted(
    space: SearchSpace, dataset: Dataset, *, is_given: bool = False
) -> tuple[SearchSpace, tuple[str, ...]]:
    """Return a shipped space for images of one's own: its ends follow them, and so does its name.

    Input shape and number of classes become those of the images; limits on parameters and FLOPs
    grow in proportion to the first network; batches become no larger than the training split, and
    the training before a trunk takes no longer than that of the space. A space that is not shipped,
    or whose own data set these are, is returned as it is.

    Parameters
    ----------
    space : SearchSpace
    dataset : Dataset
    is_given : bool
        True where the first network is the user's, whose ends stay: batches alone follow.

    Returns
    -------
    (space, notes) : SearchSpace, tuple of str
        Each note is a line that says what was changed.

    Raises
    ------
    SearchSpaceError
        When the first network cannot have such ends.
    DataError
        When the labels do not number at least two classes.
    """
    is_own = not dataset.stand_in and not (
        dataset.name in (space.data, space.name) and _fits(space.architecture, dataset)
    )
    if is_given and is_own and space.name in (AUTO, *SearchSpace.shipped()):
        batches, said = _batches(space, dataset)
        return (space.replace(**batches) if batches else space), said
    if is_given or not is_own or not has_shipped_ends(space):
        return space, ()
    before = space.architecture
    _check_classes(dataset)
    try:
        after = with_ends(before, dataset.image_shape, dataset.classes)
    except ArchitectureError as error:
        raise SearchSpaceError(
            f"search space {space.name}: expected images that its first network can take, got "
            f"{_times(dataset.image_shape)} ({error}): ask for another --image-size, or write a "
            "space of your own"
        ) from None
    notes, changes = [], dict[str, Any]()
    if after != before:
        changes["teacher"] = {
            "architecture": _as_text(after),
            "input_shape": list(after.input_shape),
        }
        notes.append(
            f"search space {space.name}: its first network takes {_times(after.input_shape)} "
            f"images and has {dataset.classes} outputs, as the images ask for"
        )
        dearer = after.flops / before.flops
        steps = max(LEAST_STEPS, round(space.teacher.steps / dearer))
        if space.trunk is not None and steps < space.teacher.steps:
            every = min(space.teacher.evaluate_every, steps)
            changes["teacher"] |= {"steps": steps, "evaluate_every": every}
            notes.append(f"teacher.steps = {steps}, as an update costs {dearer:.1f} times as much")
        limits = _limits(space, before, after)
        if limits:
            changes["limits"] = limits
            raised = ", ".join(
                f"limits.{key} = {'none' if value is None else f'{value:,}'}"
                for key, value in limits.items()
            )
            notes.append(f"raised in proportion to it: {raised}")
    batches, said = _batches(space, dataset)
    for section, change in batches.items():
        changes[section] = changes.get(section, {}) | change
    notes += said
    name = _NO_NAME.sub("_", dataset.name).lstrip("_.-")[:_LONGEST] or "images"
    return space.replace(name=name, **changes), tuple(notes)


def _check_classes(dataset: Dataset) -> None:
    """Refuse one class alone, and numbers with more gaps than there are images."""
    count = len(dataset.train)
    if dataset.classes < 2 or (dataset.class_names is None and dataset.classes > count):
        raise DataError(
            f"{dataset.source}: expected labels of at least 2 classes, numbered 0, 1, 2, …, got "
            f"{count:,} training images with labels up to {dataset.classes - 1:,}: number the "
            "classes so, and give images of each"
        )


def _fits(architecture: Architecture, dataset: Dataset) -> bool:
    """Return whether images have the ends of a first network: their own may have any name."""
    ends = architecture.input_shape, architecture.shapes[architecture.output.name]
    return ends == (dataset.image_shape, (dataset.classes,))


def _batches(space: SearchSpace, dataset: Dataset) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the batches that are larger than the training split, made smaller; and the notes."""
    changes, notes = dict[str, Any](), []
    for section in ("teacher", "training", "polish"):
        plan = getattr(space, section)
        if plan is not None and plan.batch_size > len(dataset.train):
            size = max(1, len(dataset.train) // 2)
            changes[section] = {"batch_size": size}
            notes.append(
                f"{section}.batch_size = {size}, as there are {len(dataset.train):,} training "
                "images"
            )
    return changes, tuple(notes)


def with_ends(
    architecture: Architecture, input_shape: tuple[int, ...], classes: int
) -> Architecture:
    """Return an architecture with another input shape, and another number of classes.

    Raises
    ------
    ArchitectureError
        When a layer does not fit such an input, or no layer decides the number of classes alone.

    Examples
    --------
    >>> str(with_ends(Architecture.parse("8(fc1)-10(fc2)", (4,)), (6,), 3))
    '8(fc1)-3(fc2)'
    """
    node = architecture.output
    while not node.layer.is_producer:
        if len(node.inputs) != 1 or node.inputs[0] not in architecture:
            raise ArchitectureError(f"{node.name}: expects one layer that decides the classes")
        node = architecture[node.inputs[0]]
    if architecture.shapes[architecture.output.name] != (classes,):
        if not node.layer.width_option:
            raise ArchitectureError(f"{node.name}: expects a layer whose width can change")
        changed: dict[str, Any] = {node.layer.width_option: classes}
        last = replace(node.layer, **changed)
        architecture = architecture.with_layers({node.name: last})
    return Architecture(tuple(input_shape), architecture.nodes)


def _as_text(architecture: Architecture) -> str:
    """Return an architecture as a space holds it: notation for a chain, JSON for a graph."""
    text = str(architecture)
    try:
        if Architecture.parse(text, architecture.input_shape) == architecture:
            return text
    except ArchitectureError:
        pass  # a graph, whose notation is for reading only
    return json.dumps(architecture.to_json())


def _limits(space: SearchSpace, before: Architecture, after: Architecture) -> dict[str, int | None]:
    """Return the limits that grow with the first network; None is none any more."""
    raised: dict[str, int | None] = {}
    for key in ("parameters", "flops"):
        limit, needed = getattr(space.limits, key), getattr(after, key)
        ratio = needed / getattr(before, key)
        if limit is not None and (ratio > WORTH_SAYING or needed > limit):
            raised[key] = (
                min(round(limit * ratio), LARGEST_COUNT) if needed < LARGEST_COUNT else None
            )
    return raised


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
