"""Optimizers of the tf-slim graph, with everything they remember in reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.training import DECAYS, TrainingPlan
from growsearch.training.slim.backend import tf, v1

BETA1, BETA2 = 0.9, 0.999


class Optimizer:
    """One of TensorFlow's optimizers, its slots by growsearch's names.

    Parameters
    ----------
    name : "adam", "adamw", "momentum" or "sgd"
        AdamW decays weights by learning rate times weight decay, apart from the gradient
        (Loshchilov and Hutter, arXiv:1711.05101); momentum is Nesterov's.
    decays : bool
        Whether kernels decay; AdamW's and momentum's can.
    """

    def __init__(self, name: str, *, decays: bool) -> None:
        self.name = name
        self._decays = decays and name in DECAYS
        self._rate: Any = None  # the current step's, as a tensor
        self._momentum = v1.placeholder(tf.float32, ())
        self._decay = v1.placeholder(tf.float32, ())
        # Adam's bias correction: beta1 and beta2 to the power of the next step.
        self.powers: dict[str, Any] = {}
        if name in ("adam", "adamw"):
            self._inner = v1.train.AdamOptimizer(lambda: self._rate, BETA1, BETA2)
        elif name == "momentum":
            self._inner = v1.train.MomentumOptimizer(
                lambda: self._rate, self._momentum, use_nesterov=True
            )
        else:
            self._inner = v1.train.GradientDescentOptimizer(lambda: self._rate)

    def minimize(self, loss: Any, variables: Sequence[Any], rate: Any) -> Any:
        """The operation of one update, which runs after the operations that ``loss`` waits for.

        Parameters
        ----------
        loss : float32 tensor
        variables : sequence of variables
            What to update.
        rate : float32 tensor
            The learning rate.
        """
        if not variables:  # such a network can still be evaluated
            return tf.no_op()
        self._rate = rate
        gradients = self._inner.compute_gradients(loss, list(variables))
        with tf.control_dependencies([gradient for gradient, _ in gradients]):
            decays = [
                v1.assign_sub(variable, rate * self._decay * variable)
                for _, variable in gradients
                if self._decays and len(variable.shape) > 1  # kernels
            ]
        with tf.control_dependencies(decays):
            update = self._inner.apply_gradients(gradients)
        if self.name in ("adam", "adamw"):
            accumulators = self._inner._get_beta_accumulators()  # TensorFlow offers no other way
            self.powers = dict(zip(("beta1_power", "beta2_power"), accumulators, strict=True))
        return update

    def slot(self, variable: Any, slot: str) -> Any:
        """The variable of a slot: "m" and "v" of Adam, "momentum"."""
        return self._inner.get_slot(variable, slot)

    def powers_after(self, step: int) -> dict[str, NDArray[np.float32]]:
        """The values of ``powers`` after ``step`` updates."""
        values = (BETA1 ** (step + 1), BETA2 ** (step + 1))
        return {
            name: np.array(value, np.float32)
            for name, value in zip(self.powers, values, strict=False)
        }

    def feed(self, plan: TrainingPlan) -> dict[Any, float]:
        """The values of the placeholders."""
        return {self._momentum: plan.momentum, self._decay: plan.decay}
