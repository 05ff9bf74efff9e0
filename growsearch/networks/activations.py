"""Activation functions by name, in float64: the reference for every backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit, log_softmax, softmax

Float = NDArray[np.float64]
Function = Callable[[Float], Float]

# Klambauer et al., *Self-Normalizing Neural Networks* (arXiv:1706.02515).
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
LEAKY_RELU_SLOPE = 0.2
SHRINKAGE = 0.5  # of soft_shrink and hard_shrink
_LARGEST_EXPONENT = 700.0  # exp of it is finite in float64


def _relu(x: Float) -> Float:
    return np.maximum(x, 0.0)


def _elu(x: Float) -> Float:
    return np.where(x > 0.0, x, np.expm1(np.minimum(x, 0.0)))


def _gelu_tanh(x: Float) -> Float:
    inner: Float = np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1.0 + np.tanh(inner))


def _softplus(x: Float) -> Float:
    return np.logaddexp(x, 0.0)


@dataclass(frozen=True)
class ActivationFunction:
    """One function; ``idempotent`` if applying it twice equals applying it once.

    The ``elementwise`` ones treat each unit alone, as growth through them needs.
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
    "softplus": ActivationFunction(_softplus),
    "softsign": ActivationFunction(lambda x: x / (1.0 + np.abs(x))),
    "squareplus": ActivationFunction(lambda x: 0.5 * (x + np.sqrt(x**2 + 4.0))),
    "mish": ActivationFunction(lambda x: x * np.tanh(_softplus(x))),
    "exponential": ActivationFunction(lambda x: np.exp(np.minimum(x, _LARGEST_EXPONENT))),
    "celu": ActivationFunction(_elu),  # of alpha 1, where the two are one
    "hard_sigmoid": ActivationFunction(lambda x: np.clip(x + 3.0, 0.0, 6.0) / 6.0),
    "hard_tanh": ActivationFunction(lambda x: np.clip(x, -1.0, 1.0), idempotent=True),
    "tanh_shrink": ActivationFunction(lambda x: x - np.tanh(x)),
    "soft_shrink": ActivationFunction(
        lambda x: np.sign(x) * np.maximum(np.abs(x) - SHRINKAGE, 0.0)
    ),
    "hard_shrink": ActivationFunction(
        lambda x: np.where(np.abs(x) > SHRINKAGE, x, 0.0), idempotent=True
    ),
    "log_sigmoid": ActivationFunction(lambda x: -_softplus(-x)),
    "sparse_plus": ActivationFunction(
        lambda x: np.where(x < 1.0, 0.25 * np.maximum(np.minimum(x, 1.0) + 1.0, 0.0) ** 2, x)
    ),
    "sparse_sigmoid": ActivationFunction(lambda x: 0.5 * np.clip(x + 1.0, 0.0, 2.0)),
    "softmax": ActivationFunction(lambda x: softmax(x, axis=-1), elementwise=False),
    "log_softmax": ActivationFunction(
        lambda x: log_softmax(x, axis=-1), idempotent=True, elementwise=False
    ),
}
