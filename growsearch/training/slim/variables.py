"""Variables of the tf-slim graph: their names, precision and moving averages."""

from __future__ import annotations

from typing import Any

from growsearch.networks import Architecture
from growsearch.training.slim.backend import slim, tf, v1

# What slim calls the variables that the specifications name.
_SLIM_NAMES = {
    "kernel": "weights",
    "bias": "biases",
    "depthwise": "depthwise_weights",
    "pointwise": "pointwise_weights",
}
_AVERAGE = "average"  # "average/conv1/weights": no layer's variable has three parts


def layer_variable(
    layer: str,
    name: str,
    shape: tuple[int, ...],
    dtype: Any = tf.float32,
    *,
    trainable: bool = True,
) -> Any:
    """Return a variable of a layer, by the specification's name."""
    with v1.variable_scope(layer):
        return slim.model_variable(
            _SLIM_NAMES.get(name, name),
            shape,
            dtype,
            initializer=tf.zeros_initializer(),
            trainable=trainable,
        )


def scope_of(layer: str) -> str:
    """Return the scope of a layer's variables: its name, of which a slash makes no second scope.

    Examples
    --------
    >>> scope_of("backbone/conv1")
    'backbone>conv1'
    """
    return layer.replace("/", ">")


def cast_getter(getter: Any, name: str, *args: Any, dtype: Any = tf.float32, **options: Any) -> Any:
    """Return a float32 variable, cast to the precision of the layer.

    In a bfloat16 variable, updates below its resolution would be lost.
    """
    variable = getter(name, *args, dtype=tf.float32, **options)
    return variable if dtype == tf.float32 else tf.cast(variable, dtype)


def average_getter(getter: Any, name: str, *args: Any, **options: Any) -> Any:
    """Return the moving average of a variable; both exist afterwards."""
    getter(name, *args, **options)
    return getter(f"{_AVERAGE}/{name}", *args, **{**options, "trainable": False})


def model_variables(
    architecture: Architecture, *, averaged: bool = False
) -> dict[str, dict[str, Any]]:
    """Return the variables of an architecture's weights in the current graph, by layer and name.

    With ``averaged`` those of their moving averages.
    """
    # Asked for by name, not looked up among the graph's operations: those ignore case, and rename
    # the variables of "Conv1" beside "conv1".
    prefix = f"{_AVERAGE}/" if averaged else ""
    with v1.variable_scope("", use_resource=True, reuse=True):
        return {
            layer: {
                name: v1.get_variable(
                    f"{prefix}{scope_of(layer)}/{_SLIM_NAMES.get(name, name)}", weight.shape
                )
                for name, weight in weights.items()
            }
            for layer, weights in architecture.weights.items()
        }
