"""Activation functions by name, in float64: the reference for every backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit, softmax

Float = NDArray[np.float64]
Function = Callable[[Float], Float]

# Klambauer et al., *Self-Normalizing Neural Networks* (arXiv:1706.02515).
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
LEAKY_RELU_SLOPE = 0.2


def _relu(x: Float) -> Float:
    return np.maximum(x, 0.0)


def _elu(x: Float) -> Float:
    return np.where(x > 0.0, x, np.expm1(np.minimum(x, 0.0)))


def _gelu_tanh(x: Float) -> Float:
    inner: Float = np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1.0 + np.tanh(inner))


@dataclass(frozen=True)
class ActivationFunction:
    """One function; ``idempotent`` if applying it twice equals applying it once.

    All but softmax are ``elementwise``: they treat each unit alone, as growth through them needs.
    """

    function: Function
    idempotent: bool = False
    elementwise: bool = True

    @property
    def keeps_zero(self) -> bool:
        """True if the function of 0 is exactly 0."""
        return self.elementwise and float(self.function(np.zeros(1))[0]) == 0.0


ACTIVATIONS: dict[str, ActivationFunction] = {
    "linear": ActivationFunction(lambda x: x, idempotent=True),
    "relu": ActivationFunction(_relu, idempotent=True),
    "relu6": ActivationFunction(lambda x: np.clip(x, 0.0, 6.0), idempotent=True),
    "leaky_relu": ActivationFunction(lambda x: np.where(x > 0.0, x, LEAKY_RELU_SLOPE * x)),
    "elu": ActivationFunction(_elu),
    "selu": ActivationFunction(
        lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0.0)))
    ),
    "gelu": ActivationFunction(lambda x: 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))),
    "gelu_tanh": ActivationFunction(_gelu_tanh),
    "silu": ActivationFunction(lambda x: x * expit(x)),
    "tanh": ActivationFunction(np.tanh),
    "sigmoid": ActivationFunction(expit),
    "hard_swish": ActivationFunction(lambda x: x * np.clip(x + 3.0, 0.0, 6.0) / 6.0),
    "softmax": ActivationFunction(lambda x: softmax(x, axis=-1), elementwise=False),
}
