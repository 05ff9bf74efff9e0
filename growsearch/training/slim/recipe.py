"""Recipe: the part of a plan that a graph is built for."""

from __future__ import annotations

from dataclasses import dataclass

from growsearch.training import TrainingPlan
from growsearch.training.slim.augment import active_steps


@dataclass(frozen=True)
class Recipe:
    """The part of a plan that a graph is built for; all amounts are fed.

    Each flag costs time also where its amount is 0.

    Parameters
    ----------
    optimizer : str
        A name in ``growsearch.networks.optimizers.OPTIMIZERS``.
    precision : "float32" or "bfloat16"
    decays : bool
        Whether kernels decay.
    averages : bool
        Whether the moving averages of the weights are kept.
    augmentations : tuple of str
        Names of the steps of ``growsearch.training.slim.augment`` that images go through.
    weighs : bool
        Whether losses are multiplied by the weights of classes.
    pixels : "float32" or "uint8"
        The type of the images that are fed: bytes are divided by 255 after they are gathered.
    """

    optimizer: str = "adam"
    precision: str = "float32"
    decays: bool = False
    averages: bool = False
    augmentations: tuple[str, ...] = ()
    weighs: bool = False
    pixels: str = "float32"

    @classmethod
    def of(cls, plan: TrainingPlan, precision: str, pixels: str = "float32") -> Recipe:
        """Return the recipe for a plan at a precision, on images of a type."""
        return cls(
            plan.optimizer,
            precision,
            decays=plan.decay > 0.0,
            averages=plan.ema > 0.0,
            augmentations=active_steps(plan.augmentation),
            weighs=plan.class_weight != "none",
            pixels=pixels,
        )
