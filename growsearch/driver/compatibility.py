"""The check of a search space against the images, before the first training."""

from __future__ import annotations

from collections.abc import Mapping

from growsearch.datasets import Dataset, Split
from growsearch.errors import InvalidInputError
from growsearch.space import SearchSpace
from growsearch.trials.metrics import one_class


def check_fits(space: SearchSpace, dataset: Dataset) -> None:
    """Refuse a space whose teacher or trainings do not fit the images.

    Raises
    ------
    InvalidInputError
        Names the key, what was expected and what came.
    """
    architecture = space.architecture
    if dataset.image_shape != architecture.input_shape:
        raise InvalidInputError(
            f"data: expected images of shape {architecture.input_shape}, the input shape of the "
            f"space {space.name}, got {dataset.image_shape}"
        )
    outputs = architecture.shapes[architecture.output.name]
    if outputs != (dataset.classes,):
        raise InvalidInputError(
            f"teacher.architecture: expected {dataset.classes} outputs, one a class of the data, "
            f"got {outputs}"
        )
    plans = {
        "teacher": space.teacher.plan,
        "training": space.training.plan_at(space.choices.learning_rate[0]),
    }
    if space.polish is not None:
        plans |= {"polish": space.polish.plan, "polish.last": space.polish.last_plan}
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
