"""The tf-slim graph of an architecture, from its layers."""

from __future__ import annotations

import warnings
from typing import Any

from growsearch.networks import INPUT, Architecture
from growsearch.networks import layers as specs
from growsearch.networks.layer import Layer
from growsearch.training.slim.backend import tf, v1
from growsearch.training.slim.builders import Mode, build
from growsearch.training.slim.variables import average_getter, cast_getter, scope_of

_BIAS_GRADIENT = "GrowsearchBiasAdd"


def build_logits(architecture: Architecture, images: Any, mode: Mode) -> Any:
    """Return the architecture's outputs; a second call shares the first one's variables.

    A softmax at the end is left out: the input of cross-entropy is the logits.

    Parameters
    ----------
    architecture : Architecture
    images : float32 tensor, shape (n, *input_shape)
    mode : Mode

    Returns
    -------
    float32 tensor, shape (n, *output_shape)
    """
    architecture.check_computable()
    tensors = {INPUT: tf.cast(images, mode.dtype)}
    scope = v1.variable_scope(
        "",
        use_resource=True,
        reuse=v1.AUTO_REUSE,
        custom_getter=average_getter if mode.averaged else cast_getter,
    )
    biases = v1.get_default_graph().gradient_override_map({"BiasAdd": _BIAS_GRADIENT})
    with scope, biases, warnings.catch_warnings():
        # tf-slim calls deprecated functions of TensorFlow; its users cannot change that.
        warnings.filterwarnings("ignore", r"`(layer\.apply|tf\.layers\.\w+)` is deprecated")
        delayed = pooled_first(architecture)
        for node in architecture.nodes:
            inputs = [tensors[name] for name in node.inputs]
            layer = node.layer
            if node is architecture.output:
                layer = _without_softmax(layer)
                inputs = [tf.cast(tensor, tf.float32) for tensor in inputs]
            if node.name in delayed:
                layer = layer.with_activation("linear")
            tensor = build(layer, inputs, scope_of(node.name), mode)
            if node.name in delayed.values():
                tensor = tf.nn.relu(tensor)
            tensors[node.name] = tensor
    return tensors[architecture.output.name]


def pooled_first(architecture: Architecture) -> dict[str, str]:
    """Return the layers whose ReLU moves behind the max pooling that follows, with that pooling.

    ReLU and maximum commute; behind a 2 x 2 pooling, ReLU and its gradient see a quarter of the
    values.
    """
    return {
        node.name: followers[0].name
        for node in architecture.nodes
        if (followers := architecture.consumers[node.name])
        and getattr(node.layer, "activation", None) == "relu"
        and len(followers) == 1
        and isinstance(followers[0].layer, specs.MaxPool)
    }


def _without_softmax(layer: Layer) -> Layer:
    is_softmax = getattr(layer, "activation", None) == "softmax"
    return layer.with_activation("linear") if is_softmax else layer


def _bias_gradient(operation: Any, gradient: Any) -> tuple[Any, Any]:
    """Return the gradient of a bias as a sum that does not lose small terms.

    TensorFlow's own sum is bfloat16 on a CPU, where a sum of ones ends at 256: of 100,000
    positions it loses 95 %.
    """
    if gradient.dtype == tf.float32:
        data_format = operation.get_attr("data_format")
        return gradient, tf.raw_ops.BiasAddGrad(out_backprop=gradient, data_format=data_format)
    return gradient, tf.reduce_sum(gradient, axis=list(range(len(gradient.shape) - 1)))


tf.RegisterGradient(_BIAS_GRADIENT)(_bias_gradient)
