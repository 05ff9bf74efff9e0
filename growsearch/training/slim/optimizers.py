"""Optimizers of the tf-slim graph, with their slots in reach: one builder an optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growsearch.networks.optimizers import OPTIMIZERS
from growsearch.training import TrainingPlan
from growsearch.training.slim.backend import tf, v1

BETA1, BETA2 = 0.9, 0.999

Rate = Callable[[], Any]  # gives the current step's learning rate, as a tensor


def _adam(rate: Rate, momentum: Any) -> Any:
    del momentum
    return v1.train.AdamOptimizer(rate, BETA1, BETA2)


def _momentum(rate: Rate, momentum: Any) -> Any:
    return v1.train.MomentumOptimizer(rate, momentum, use_nesterov=True)


def _sgd(rate: Rate, momentum: Any) -> Any:
    del momentum
    return v1.train.GradientDescentOptimizer(rate)


# GraphOptimizer adds the decay of kernels, by learning rate times weight decay and apart from the
# gradient (Loshchilov and Hutter, arXiv:1711.05101). So AdamW has the builder of Adam.
BUILDERS: Mapping[str, Callable[[Rate, Any], Any]] = {
    "adam": _adam,
    "adamw": _adam,
    "momentum": _momentum,
    "sgd": _sgd,
}


class GraphOptimizer:
    """One of TensorFlow's optimizers, its slots by growsearch's names.

    Parameters
    ----------
    name : str
        A name in ``growsearch.networks.optimizers.OPTIMIZERS``.
    decays : bool
        True if kernels decay; ignored where the optimizer has no weight decay.
    """

    def __init__(self, name: str, *, decays: bool) -> None:
        self.name = name
        self.slots = tuple(OPTIMIZERS[name].degrees)
        self._decays = decays and OPTIMIZERS[name].decay is not None
        self._rate: Any = None  # the current step's, as a tensor
        self._momentum = v1.placeholder(tf.float32, ())
        self._decay = v1.placeholder(tf.float32, ())
        # Adam's bias correction: beta1 and beta2 to the power of the next step.
        self.powers: dict[str, Any] = {}
        self._inner = BUILDERS[name](lambda: self._rate, self._momentum)

    def minimize(
        self, loss: Any, variables: Sequence[Any], kernels: Sequence[Any], rate: Any
    ) -> Any:
        """Return the operation of one update, which runs after those that ``loss`` waits for.

        Parameters
        ----------
        loss : float32 tensor
        variables : sequence of variables
            The trainable variables.
        kernels : sequence of variables
            Those of them that decay.
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
                for variable in (kernels if self._decays else ())
            ]
        with tf.control_dependencies(decays):
            update = self._inner.apply_gradients(gradients)
        if isinstance(self._inner, v1.train.AdamOptimizer):
            accumulators = self._inner._get_beta_accumulators()  # TensorFlow offers no other way
            self.powers = dict(zip(("beta1_power", "beta2_power"), accumulators, strict=True))
        return update

    def slot(self, variable: Any, slot: str) -> Any:
        """Return the variable of a slot: "m" and "v" of Adam, "momentum"."""
        return self._inner.get_slot(variable, slot)

    def powers_after(self, step: int) -> dict[str, NDArray[np.float32]]:
        """Return the values of ``powers`` after ``step`` updates."""
        values = (BETA1 ** (step + 1), BETA2 ** (step + 1))
        return {
            name: np.array(value, np.float32)
            for name, value in zip(self.powers, values, strict=False)
        }

    def feed(self, plan: TrainingPlan) -> dict[Any, float]:
        """Return the values of the placeholders."""
        return {self._momentum: plan.momentum, self._decay: plan.decay}
