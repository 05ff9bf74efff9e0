"""Layers of Keras' that are ours: recognised by their exact class and the objects in them."""

from __future__ import annotations

from typing import Any

from growsearch.interop.keras import opaque
from growsearch.interop.keras.attributes import training_of
from growsearch.interop.keras.conversions import arrays_of, operation_reader, reader_of
from growsearch.interop.keras.conversions.conversion import Call, refuse
from growsearch.interop.keras.graph import Step
from growsearch.networks.layer import Layer, Shape


def native(step: Step) -> Layer:
    """Return our layer of a call of Keras'.

    Raises
    ------
    ValueError
        Says why there is none.
    """
    operation = step.operation
    if step.is_shared:
        refuse("it is called more than once")
    if len(step.outputs) != 1:
        refuse(f"it has {len(step.outputs)} outputs")
    if (of_calls := operation_reader(operation)) is not None:
        layer = of_calls(Call(operation, step.args, step.kwargs))
    elif (reader := reader_of(operation)) is not None:
        _check_call(step)
        layer = reader(operation)
    else:
        refuse(f"{type(operation).__name__} is not a layer of ours")
    shapes: list[Shape] = [tuple(tensor.shape[1:]) for tensor in step.tensors]
    expected, got = tuple(step.outputs[0].shape[1:]), layer.output_shape(*shapes)
    if got != expected:
        refuse(f"its output has the shape {expected}, ours {got}")
    named = {name: weight.shape for name, weight in layer.weights(*shapes).items()}
    arrays = [array.shape for array in arrays_in(operation)]
    if list(named.values()) != arrays:  # adapters and quantisation add to them
        refuse(f"expected the weights {named or 'none'}, got arrays of shape {arrays}")
    return layer


def arrays_in(operation: Any) -> list[Any]:
    """Return the arrays of a Keras layer in the order of ours; none of an operation's."""
    if not hasattr(operation, "get_weights"):
        return []
    own = arrays_of(operation)
    return opaque.arrays_of(operation) if own is None else list(own[0](operation).values())


def _check_call(step: Step) -> None:
    """Refuse a call with other arguments than its inputs."""
    import keras

    operation = step.operation
    if "call" in vars(operation):
        refuse("it has a call of its own")
    if getattr(operation, "data_format", None) not in (None, "channels_last"):
        refuse("expected channels last, got channels first")
    others = dict(step.kwargs)
    inputs: list[Any] = list(step.args) or [others.pop("inputs", None)]
    listed = list(inputs[0]) if isinstance(inputs[0], list | tuple) else [inputs[0]]
    if len(inputs) != 1 or not all(isinstance(each, keras.KerasTensor) for each in listed):
        refuse("it is called with more than its inputs")
    told = {name: value for name, value in others.items() if value is not None}
    told.pop("training", None)
    if training_of(step) not in (None, False) or told:
        named = ", ".join(f"{name}={value}" for name, value in others.items())
        refuse(f"it is called with {named}")
