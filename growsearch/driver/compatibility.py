"""The check of a search space against the images, before the first training."""

from __future__ import annotations

from collections.abc import Mapping

from growsearch.datasets import Dataset, Split
from growsearch.errors import InvalidInputError
from growsearch.interop.models import StartingNetwork
from growsearch.space import SearchSpace
from growsearch.training import MeasuresSpeed, Trainer
from growsearch.trials.demands import DEMANDS
from growsearch.trials.metrics import one_class


def check_fits(space: SearchSpace, dataset: Dataset, start: StartingNetwork | None = None) -> None:
    """Refuse a space, or a network that is given, which does not fit the images.

    Raises
    ------
    InvalidInputError
        Names the key, what was expected and what came.
    """
    architecture = space.architecture
    whose, asked = f"the input shape of the space {space.name}", "teacher.architecture"
    if start is not None:
        whose, asked = f"the input shape of {start.source}", start.source
        _check_given(space, start)
    elif not space.teacher.steps:
        raise InvalidInputError(
            "teacher.steps: expected at least 1, as no network is given to start from, got 0"
        )
    if dataset.image_shape != architecture.input_shape:
        raise InvalidInputError(
            f"data: expected images of shape {architecture.input_shape}, {whose}, "
            f"got {dataset.image_shape}"
        )
    outputs = architecture.shapes[architecture.output.name]
    if outputs != (dataset.classes,):
        way_on = "" if start is None else _way_on(outputs, dataset.classes)
        raise InvalidInputError(
            f"{asked}: expected {dataset.classes} outputs, one a class of the data, got {outputs}"
            f"{way_on}"
        )
    plans = {"teacher": space.teacher.plan} if space.teacher.steps else {}
    plans["training"] = space.training.plan_at(space.choices.learning_rate[0])
    if space.polish is not None:
        plans |= {"polish": space.polish.plan, "polish.last": space.polish.last_plan}
    if space.trunk is not None and space.trunk.last is not None:
        plans["trunk.last"] = space.trunk.last.of(plans["training"])
    for section, plan in plans.items():
        if plan.batch_size > len(dataset.train):
            raise InvalidInputError(
                f"{section}.batch_size: expected at most {len(dataset.train):,}, the number of "
                f"training images, got {plan.batch_size:,}"
            )
        try:
            plan.augmentation.check_images(dataset.image_shape)
        except InvalidInputError as error:
            raise InvalidInputError(f"{section}.{error}") from None


def check_metric(space: SearchSpace, images: Mapping[str, Split]) -> None:
    """Refuse images on which the metric of a space is not defined.

    Parameters
    ----------
    space : SearchSpace
    images : mapping
        The splits by part; see ``growsearch.trials.worker.WorkerContext``.

    Raises
    ------
    InvalidInputError
        Names the part of the images.
    """
    if space.judge.metric != "auc":
        return
    for part, split in images.items():
        if part != "train" and len(set(split.labels.tolist())) < 2:
            raise InvalidInputError(
                f"judge.metric: auc: {part} images: {one_class(split.labels)}: use another metric"
            )


def check_demand(space: SearchSpace, trainer: Trainer) -> None:
    """Refuse a demand that cannot be known, of the first network or with the trainer.

    Raises
    ------
    GrowsearchError
        Names what is missing.
    """
    name = space.search.demand
    if name is None:
        return
    of = DEMANDS[name].of
    if of is not None:
        of(space.architecture)
    elif not isinstance(trainer, MeasuresSpeed):
        raise InvalidInputError(
            f"search.objective: {name}: expected a trainer that measures its speed "
            f"(MeasuresSpeed), got {type(trainer).__name__}: use parameters, flash_bytes or "
            "arena_bytes"
        )


def _way_on(outputs: tuple[int, ...], classes: int) -> str:
    """Return advice on a network that is given, with another number of outputs than classes."""
    if len(outputs) != 1:
        return ""
    (count,) = outputs
    if (count, classes) == (1, 2):
        return (
            ": two units with a softmax compute the same as one with a sigmoid, if the first has "
            "weights of 0"
        )
    if count < classes:
        return f": growsearch grow MODEL --add-classes {classes - count} gives it the others"
    return (
        ": for images of some of its classes name them all, gs.from_keras(path).named([…]), and "
        "save it as .safetensors"
    )


def _check_given(space: SearchSpace, start: StartingNetwork) -> None:
    """Refuse a network that is not the first one of the space, or that cannot be trained."""
    if start.network.architecture != space.architecture:
        raise InvalidInputError(
            f"teacher.architecture: expected that of the network that is given, "
            f"{start.network.architecture}, got {space.architecture}"
        )
    if not start.network.parameters:
        raise InvalidInputError(f"{start.source}: expected weights to train, got none")
