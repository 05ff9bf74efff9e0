"""Keras' activations and ours: compared as objects, never by name."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

# Our name -> Keras' names of the same function: in keras.activations, in keras.ops, in tf.nn.
# The arguments that a function has besides are at their defaults where it is passed as it is.
_NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "linear": (("linear",), (), ()),
    "relu": (("relu",), ("relu",), ("relu",)),
    "relu6": (("relu6",), ("relu6",), ("relu6",)),
    "leaky_relu": (("leaky_relu",), ("leaky_relu",), ("leaky_relu",)),
    "elu": (("elu",), ("elu",), ("elu",)),
    "selu": (("selu",), ("selu",), ("selu",)),
    "gelu": (("gelu",), (), ("gelu",)),
    "gelu_tanh": ((), ("gelu",), ()),  # keras.ops.gelu approximates unless it is told not to
    "silu": (("silu",), ("silu",), ("silu",)),
    "tanh": (("tanh",), ("tanh",), ("tanh",)),
    "sigmoid": (("sigmoid",), ("sigmoid",), ("sigmoid",)),
    "hard_swish": (("hard_silu",), ("hard_silu",), ()),
    "softplus": (("softplus",), ("softplus",), ("softplus",)),
    "softsign": (("softsign",), ("softsign",), ("softsign",)),
    "squareplus": (("squareplus",), ("squareplus",), ()),
    "mish": (("mish",), (), ()),
    "exponential": (("exponential",), ("exp",), ()),
    "celu": (("celu",), ("celu",), ()),
    "hard_sigmoid": (("hard_sigmoid",), ("hard_sigmoid",), ()),
    "hard_tanh": (("hard_tanh",), ("hard_tanh",), ()),
    "tanh_shrink": (("tanh_shrink",), ("tanh_shrink",), ()),
    "soft_shrink": (("soft_shrink",), ("soft_shrink",), ()),
    "hard_shrink": (("hard_shrink",), ("hard_shrink",), ()),
    "log_sigmoid": (("log_sigmoid",), ("log_sigmoid",), ()),
    "sparse_plus": (("sparse_plus",), ("sparse_plus",), ()),
    "sparse_sigmoid": (("sparse_sigmoid",), ("sparse_sigmoid",), ()),
    "softmax": (("softmax",), ("softmax",), ("softmax",)),
    "log_softmax": (("log_softmax",), ("log_softmax",), ("log_softmax",)),
}


def activation_of(function: Any) -> str:
    """Return our name of an activation, which is one of Keras' own objects.

    Raises
    ------
    ValueError
        For any other function, whatever its name is.
    """
    if function is None:
        return "linear"
    for known, name in _known():
        if known is function:
            return name
    named = getattr(function, "__name__", None) or type(function).__name__
    if any(known is function for known in _others()):
        raise ValueError(f"the activation {named}")
    raise ValueError(f"the activation {named}, which is not one of Keras'")


def keras_activation(name: str) -> Any:
    """Return Keras' object of our name of an activation."""
    import keras

    if name == "gelu_tanh":
        return gelu_tanh()
    return getattr(keras.activations, _NAMES[name][0][0])


@cache
def gelu_tanh() -> Any:
    """Return GELU by tanh, registered, so that Keras can save and load models with it."""
    import keras

    def gelu_tanh(x: Any) -> Any:
        return keras.activations.gelu(x, approximate=True)

    register = keras.saving.register_keras_serializable(package="growsearch", name="gelu_tanh")
    return register(gelu_tanh)


@cache
def _known() -> tuple[tuple[Any, str], ...]:
    import keras

    found = [(gelu_tanh(), "gelu_tanh")]
    tensorflow = sys.modules.get("tensorflow")  # its functions can be there if it is loaded
    for ours, (activations, operations, functions) in _NAMES.items():
        found += [(getattr(keras.activations, name), ours) for name in activations]
        found += [(getattr(keras.ops, name), ours) for name in operations]
        if tensorflow is not None:
            found += [(getattr(tensorflow.nn, name), ours) for name in functions]
    return tuple(found)


@cache
def _others() -> tuple[Any, ...]:
    import keras

    return tuple(getattr(keras.activations, name) for name in dir(keras.activations))
