"""The optimizers: one row each, of which everything else about an optimizer follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Optimizer:
    """Facts about an optimizer that do not depend on a framework.

    Parameters
    ----------
    degrees : mapping
        Name of each slot -> its degree in the gradient: how it scales when the gradient does.
    decay : float, optional
        Weight decay of a plan that names none; None where the optimizer has no weight decay.
    adaptive : bool
        True if steps are divided by the root of the mean squared gradient.
    """

    degrees: Mapping[str, int] = field(default_factory=dict)
    decay: float | None = None
    adaptive: bool = False


_ADAM = {"m": 1, "v": 2}

OPTIMIZERS: Mapping[str, Optimizer] = {
    "adam": Optimizer(_ADAM, adaptive=True),
    "adamw": Optimizer(_ADAM, decay=1e-2, adaptive=True),
    "momentum": Optimizer({"momentum": 1}, decay=0.0),
    "sgd": Optimizer(),
}
