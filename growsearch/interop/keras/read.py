"""Keras models in: a network from a model that was built and trained elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from growsearch.checks import is_whole_number
from growsearch.errors import ArchitectureError
from growsearch.networks import INPUT, Architecture, Network, Node, layers
from growsearch.networks.layer import Layer

# Keras' name of an activation -> ours; the functions are the same.
_ACTIVATIONS = {
    "linear": "linear",
    "relu": "relu",
    "relu6": "relu6",
    "leaky_relu": "leaky_relu",
    "elu": "elu",
    "selu": "selu",
    "gelu": "gelu",
    "growsearch>gelu_tanh": "gelu_tanh",  # as registered by write.py
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "hard_silu": "hard_swish",
    "hard_swish": "hard_swish",
    "softmax": "softmax",
}
Config = Mapping[str, Any]


def from_keras(model: Any) -> Network:
    """Return a network with the architecture and weights of a Keras 3 model, which stays as it is.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, with one input and one output, channels last.

    Returns
    -------
    Network
        With the model's layer names; the input's is always "input". A softmax at its end stays in
        the architecture; training and logits are computed without it. Regularizers, constraints
        and frozen layers, which concern Keras' ``fit`` alone, are not taken over.

    Raises
    ------
    ArchitectureError
        Names the layer that is not supported, and why.

    Examples
    --------
    >>> grown = grow(from_keras(model), Widen("conv1", 64), rng=0)      # doctest: +SKIP
    >>> grown.to_keras().compile("adam", "sparse_categorical_crossentropy")  # doctest: +SKIP
    """
    if not getattr(model, "built", False) or not getattr(model, "inputs", None):
        raise ArchitectureError(
            "model: expected a Sequential or functional Keras model that is built, got "
            f"{type(model).__name__}: give it an Input"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ArchitectureError(
            f"model: expected one input and one output, got {len(model.inputs)} and "
            f"{len(model.outputs)}"
        )
    nodes: list[Node] = []
    renamed: dict[str, str] = {}
    for name, kind, config, inputs in _entries(model):
        if kind == "InputLayer":
            renamed[name] = INPUT
            continue
        sources = tuple(renamed[source] for source in inputs)
        if config.get("data_format", "channels_last") != "channels_last":
            raise ArchitectureError(f"{name}: expected channels last, got channels first")
        reader = READERS.get(kind)
        if reader is None:
            raise ArchitectureError(
                f"{name}: Keras' {kind} is not supported; supported are {', '.join(READERS)}"
            )
        try:
            nodes.append(Node(name, reader(config), sources))
        except (ValueError, TypeError, KeyError) as error:
            raise ArchitectureError(f"{name}: unsupported option of {kind}: {error}") from None
        renamed[name] = name
    shape = tuple(model.inputs[0].shape[1:])
    if None in shape:
        raise ArchitectureError(f"model: expected an input of known size, got {shape}")
    output = renamed[model.outputs[0]._keras_history.operation.name]
    if nodes and nodes[-1].name != output:
        nodes.sort(key=lambda node: node.name == output)  # the output last; the rest in order
    architecture = Architecture(tuple(map(int, shape)), tuple(nodes))
    weights = {
        layer: _weights(model.get_layer(layer), list(specs))
        for layer, specs in architecture.weights.items()
    }
    return Network(architecture, weights)


def _weights(layer: Any, names: list[str]) -> dict[str, Any]:
    arrays = layer.get_weights()
    if len(arrays) != len(names):  # adapters and quantisation add to them
        raise ArchitectureError(
            f"{layer.name}: expected the weights {', '.join(names)}, got {len(arrays)} arrays"
        )
    return dict(zip(names, arrays, strict=True))


def _entries(model: Any) -> list[tuple[str, str, Config, list[str]]]:
    """Return each layer's name, class, configuration, and the names of the layers it reads."""
    config = model.get_config()
    entries = []
    if type(model).__name__ == "Sequential":
        previous: list[str] = []
        for each in config["layers"]:
            name = each["config"]["name"]
            entries.append((name, each["class_name"], each["config"], previous))
            previous = [name]
        if entries and entries[0][1] != "InputLayer":
            entries.insert(0, (INPUT, "InputLayer", {}, []))
            name, kind, about, _ = entries[1]
            entries[1] = (name, kind, about, [INPUT])
        return entries
    for each in config["layers"]:
        calls = each["inbound_nodes"]
        if len(calls) > 1:
            raise ArchitectureError(f"{each['name']}: expected a layer used once, got a shared one")
        inputs = _histories(calls[0]["args"]) if calls else []
        entries.append((each["name"], each["class_name"], each["config"], inputs))
    return entries


def _histories(value: Any) -> list[str]:
    """Return the names of the layers that the arguments of a call come from."""
    if isinstance(value, list | tuple):
        return [name for each in value for name in _histories(each)]
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        return [value["config"]["keras_history"][0]]
    return []


def _activation(config: Config, key: str = "activation") -> str:
    name = config.get(key) or "linear"
    if isinstance(name, Mapping):
        if isinstance(name.get("config"), Mapping):
            raise ValueError(f"expected {name['class_name']} as a layer, not as an argument")
        name = name.get("config", name.get("class_name"))
    if name not in _ACTIVATIONS:
        raise ValueError(f"expected an activation among {', '.join(_ACTIVATIONS)}, got {name!r}")
    return _ACTIVATIONS[name]


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if is_whole_number(value) else (value[0], value[1])


def _last_axis(config: Config) -> None:
    axis = config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    # Keras writes the axis of channels as -1, or as its number for images or features.
    if axis not in (-1, 3):
        raise ValueError(f"expected the last axis, got {axis}")


def _window_of(config: Config) -> dict[str, Any]:
    """Return the options of convolutions of every kind."""
    return {
        "stride": _pair(config["strides"]),
        "padding": config["padding"],
        "activation": _activation(config),
        "use_bias": config["use_bias"],
    }


def _conv(config: Config) -> Layer:
    return layers.Conv(
        _pair(config["kernel_size"]),
        config["filters"],
        dilation=_pair(config["dilation_rate"]),
        groups=config["groups"],
        **_window_of(config),
    )


def _depthwise(config: Config) -> Layer:
    _no_dilation(config)
    return layers.DepthwiseConv(
        _pair(config["kernel_size"]),
        multiplier=config["depth_multiplier"],
        **_window_of(config),
    )


def _separable(config: Config) -> Layer:
    _no_dilation(config)
    return layers.SeparableConv(
        _pair(config["kernel_size"]),
        config["filters"],
        multiplier=config["depth_multiplier"],
        **_window_of(config),
    )


def _no_dilation(config: Config) -> None:
    if _pair(config["dilation_rate"]) != (1, 1):
        raise ValueError(f"expected no dilation, got {config['dilation_rate']}")


def _batch_norm(config: Config) -> Layer:
    _last_axis(config)
    return layers.BatchNorm(
        epsilon=config["epsilon"],
        momentum=config["momentum"],
        center=config["center"],
        scale=config["scale"],
    )


def _scaled(config: Config) -> None:
    """Refuse a norm along another axis than the last one, or without gamma or beta."""
    _last_axis(config)
    if not (config["center"] and config["scale"]):
        raise ValueError("expected center and scale")


def _layer_norm(config: Config) -> Layer:
    _scaled(config)
    return layers.LayerNorm(epsilon=config["epsilon"])


def _group_norm(config: Config) -> Layer:
    _scaled(config)
    return layers.GroupNorm(config["groups"], config["epsilon"])


def _pool(kind: type[layers.MaxPool] | type[layers.AvgPool]) -> Callable[[Config], Layer]:
    def read(config: Config) -> Layer:
        size = _pair(config["pool_size"])
        stride = _pair(config["strides"]) if config["strides"] else size
        return kind(size, None if stride == size else stride, config["padding"])

    return read


def _global_pool(kind: type[Layer]) -> Callable[[Config], Layer]:
    def read(config: Config) -> Layer:
        if config.get("keepdims"):
            raise ValueError("expected keepdims=False")
        return kind()

    return read


def _dropout(config: Config) -> Layer:
    if config.get("noise_shape"):
        raise ValueError(f"expected no noise_shape, got {config['noise_shape']}")
    return layers.Dropout(config["rate"])


def _relu(config: Config) -> Layer:
    if config.get("negative_slope") or config.get("threshold"):
        raise ValueError("expected no negative_slope and no threshold")
    if config.get("max_value") not in (None, 6, 6.0):
        raise ValueError(f"expected max_value None or 6, got {config['max_value']}")
    return layers.Activation("relu" if config.get("max_value") is None else "relu6")


def _leaky_relu(config: Config) -> Layer:
    return layers.Activation("leaky_relu", slope=float(config["negative_slope"]))


def _elu(config: Config) -> Layer:
    if config.get("alpha", 1.0) != 1.0:
        raise ValueError(f"expected alpha 1, got {config['alpha']}")
    return layers.Activation("elu")


def _softmax(config: Config) -> Layer:
    _last_axis(config)
    return layers.Activation("softmax")


def _zero_padding(config: Config) -> Layer:
    (top, bottom), (left, right) = config["padding"]
    return layers.ZeroPad(top, bottom, left, right)


def _concatenate(config: Config) -> Layer:
    _last_axis(config)
    return layers.Concat()


READERS: dict[str, Callable[[Config], Layer]] = {
    "Dense": lambda c: layers.Dense(c["units"], _activation(c), c["use_bias"]),
    "Conv2D": _conv,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv2D": _separable,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "MaxPooling2D": _pool(layers.MaxPool),
    "AveragePooling2D": _pool(layers.AvgPool),
    "GlobalAveragePooling2D": _global_pool(layers.GlobalAvgPool),
    "GlobalMaxPooling2D": _global_pool(layers.GlobalMaxPool),
    "ZeroPadding2D": _zero_padding,
    "Flatten": lambda _: layers.Flatten(),
    "Dropout": _dropout,
    "Activation": lambda c: layers.Activation(_activation(c)),
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "Softmax": _softmax,
    "Add": lambda _: layers.Add(),
    "Concatenate": _concatenate,
}
