"""Layers that only Keras computes: kept as its configuration and weights, and made again."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from growsearch.errors import ArchitectureError
from growsearch.interop.keras.graph import Step
from growsearch.interop.keras.own_objects import in_a_line, objects_for, put_keys
from growsearch.networks.layers import KerasLayer

_FLOATS = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64))


def keep(step: Step) -> KerasLayer:
    """Return the node of a call of a layer that only Keras computes.

    Raises
    ------
    ValueError
        Says why Keras could not make the layer again.
    """
    if not step.outputs:
        raise ValueError("it has no outputs")
    shape = json.dumps(known(step.outputs[0].shape[1:]))
    try:
        call = _encoded(step.args, step.kwargs)
    except Exception as error:  # whatever a class of one's own raises
        raise ValueError(f"its arguments: {in_a_line(error)}") from None
    if step.first != step.name:
        return KerasLayer(shape=shape, call=call, of=step.first)
    variables = getattr(step.operation, "weights", ())
    arrays = [
        [f"{number}_{_plain(variable.name)}", list(variable.shape), bool(variable.trainable)]
        for number, variable in enumerate(variables)
    ]
    return KerasLayer(
        shape=shape, layer=text_of(step.operation), call=call, arrays=json.dumps(arrays)
    )


def text_of(operation: Any) -> str:
    """Return Keras' configuration of a layer or operation as JSON text, without code.

    Raises
    ------
    ValueError
        When it has none, or has objects that it cannot be made of again.
    """
    import keras

    kind = type(operation).__name__
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of lambdas, which are not kept as code
            config = copy.copy(keras.saving.serialize_keras_object(operation))
    except Exception as error:  # whatever a get_config of one's own raises
        reason = in_a_line(error)
        raise ValueError(f"{kind} has no configuration (get_config): {reason}") from None
    config.pop("compile_config", None)
    try:
        put_keys(config, operation)
        return json.dumps(config, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{kind} is made of {error}") from None


def made(
    config: Any, name: str, custom_objects: Mapping[str, Any] | None, dtype: str | None
) -> Any:
    """Return the Keras layer of a configuration, under a name.

    Raises
    ------
    ArchitectureError
        Names the layer, and the objects that are not known or what Keras says.
    """
    import keras

    config = copy.deepcopy(config)
    if not isinstance(config, dict):
        raise ArchitectureError(f"{name}: expected Keras' configuration of a layer, got {config!r}")
    try:
        objects = objects_for(config, custom_objects)
    except ArchitectureError as error:
        raise ArchitectureError(f"{name}: {error}") from None
    if dtype is not None:
        _set_policy(config, dtype)
    if isinstance(config.get("config"), dict) and "name" in config["config"]:
        config["config"]["name"] = name
    try:
        with keras.saving.custom_object_scope(objects):
            layer = keras.saving.deserialize_keras_object(config, safe_mode=True)
    except Exception as error:  # from classes of Keras' or the user's
        reason = in_a_line(error)
        raise ArchitectureError(f"{name}: Keras cannot make the layer: {reason}") from None
    if not isinstance(layer, keras.Operation):
        raise ArchitectureError(f"{name}: expected a Keras layer, got {type(layer).__name__}")
    layer.name = name
    return layer


def called(layer: Any, node: KerasLayer, inputs: Sequence[Any]) -> list[Any]:
    """Return the outputs of a call of a layer, as a flat list.

    Raises
    ------
    ArchitectureError
        Names the layer, and says what is wrong with the arguments or what Keras says.
    """
    import keras

    try:
        args, kwargs = _decoded(node.arguments, inputs)
    except (TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
        raise ArchitectureError(
            f"{layer.name}: expected the arguments of a call: {error}"
        ) from None
    try:
        return list(keras.tree.flatten(layer(*args, **kwargs)))
    except Exception as error:  # from classes of Keras' or the user's
        reason = in_a_line(error)
        raise ArchitectureError(f"{layer.name}: Keras cannot call the layer: {reason}") from None


def set_arrays(layer: Any, arrays: Sequence[Any]) -> None:
    """Give a layer its weights, in their order."""
    variables = layer.weights
    if len(variables) != len(arrays):
        raise ArchitectureError(
            f"{layer.name}: expected {len(variables)} arrays of weights, got {len(arrays)}"
        )
    for variable, array in zip(variables, arrays, strict=True):
        if tuple(variable.shape) != np.shape(array):
            raise ArchitectureError(
                f"{layer.name}: expected weights of shape {tuple(variable.shape)}, "
                f"got {np.shape(array)}"
            )
        variable.assign(np.asarray(array).astype(str(variable.dtype)))
    for each in layer._flatten_layers():
        if hasattr(each, "finalize_state") and each.built:
            each.finalize_state()  # a Normalization's mean and variance follow its weights


def arrays_of(layer: Any) -> list[Any]:
    """Return a layer's weights as arrays of floating-point numbers, which hold them exactly."""
    arrays = [np.asarray(array) for array in layer.get_weights()]
    return [each if each.dtype in _FLOATS else each.astype(_wider(each.dtype)) for each in arrays]


def known(shape: Sequence[int | None]) -> list[int]:
    """Return a shape with 0 for sizes that are not known."""
    return [size or 0 for size in shape]


def _wider(dtype: Any) -> Any:
    return np.float32 if str(dtype) == "bfloat16" else np.float64


def _plain(name: str) -> str:
    return name.replace("/", ".")


def _set_policy(config: Any, dtype: str) -> None:
    """Put one precision in the places of every policy in a configuration."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            config["config"] = {"name": dtype}
        elif "float" in str(config.get("dtype")) and isinstance(config["dtype"], str):
            config["dtype"] = dtype
        for value in config.values():
            _set_policy(value, dtype)
    elif isinstance(config, list):
        for value in config:
            _set_policy(value, dtype)


def _encoded(args: Any, kwargs: Any) -> str:
    """Return the arguments of a call as JSON text, with numbers in the tensors' places."""
    import keras

    numbers = count()

    def encode(value: Any) -> Any:
        if isinstance(value, keras.KerasTensor):
            return {"tensor": next(numbers)}
        if isinstance(value, list | tuple):
            return {type(value).__name__: [encode(each) for each in value]}
        if isinstance(value, dict):
            return {"dict": [[key, encode(value[key])] for key in sorted(value)]}
        return {"value": keras.saving.serialize_keras_object(value)}

    given = {"args": [encode(each) for each in args], "kwargs": encode(dict(kwargs))}
    return json.dumps(given)


def _decoded(call: Any, inputs: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
    import keras

    def decode(value: Any) -> Any:
        match value:
            case {"tensor": int(number)}:
                return inputs[number]
            case {"list": list(each)}:
                return [decode(one) for one in each]
            case {"tuple": list(each)}:
                return tuple(decode(one) for one in each)
            case {"dict": list(each)}:
                return {key: decode(one) for key, one in each}
            case {"value": plain}:
                return keras.saving.deserialize_keras_object(plain, safe_mode=True)
        raise ValueError(f"got {str(value)[:60]}")

    kwargs = decode(call["kwargs"])
    return [decode(each) for each in call["args"]], kwargs


def filled(structure: Any, tensors: Sequence[Any]) -> Any:
    """Return a structure of lists and dictionaries with tensors in the places of their numbers."""
    if isinstance(structure, dict):
        return {key: filled(value, tensors) for key, value in structure.items()}
    if isinstance(structure, list):
        return [filled(value, tensors) for value in structure]
    if not 0 <= structure < len(tensors):
        raise ArchitectureError(f"ends: expected a number below {len(tensors)}, got {structure}")
    return tensors[structure]


def numbered(structure: Any) -> Any:
    """Return a structure of tensors with their numbers in their places."""
    import keras

    numbers = count()
    return keras.tree.map_structure(lambda _: next(numbers), structure)
