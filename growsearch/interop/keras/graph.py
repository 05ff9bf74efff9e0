"""The calls of a Keras model, one after another: nested models are opened, names made unique."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from growsearch.errors import ArchitectureError
from growsearch.networks import INPUT
from growsearch.networks.node import is_name


@dataclass(frozen=True)
class Step:
    """One call of a Keras layer or operation.

    Parameters
    ----------
    name : str
        The name of its node: the layer's, unless another one has it.
    operation : keras.Operation
    args, kwargs
        Of the call; tensors are Keras' symbolic ones.
    tensors : tuple
        Those among the arguments, in their order.
    inputs : tuple of str
        The name of the node that each of the tensors comes from.
    outputs : tuple
        Keras' symbolic tensors.
    first : str
        The name of the first call of the same layer: this one's own, unless the layer is shared.
    is_shared : bool
        True if the layer is called more than once.
    """

    name: str
    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tensors: tuple[Any, ...]
    inputs: tuple[str, ...]
    outputs: tuple[Any, ...]
    first: str
    is_shared: bool


@dataclass(frozen=True)
class Graph:
    """A model's calls in topological order, and its ends.

    Parameters
    ----------
    steps : tuple of Step
    items : mapping
        Name -> (name of a step, number): the further outputs of layers that have several.
    inputs : tuple of (str, tensor)
        The name of each input's node; the first one's is INPUT.
    outputs : tuple of str
        The name of the node that each output comes from.
    takes, gives
        The structures of inputs and outputs, of Keras' symbolic tensors.
    origin
        Gives the ``id`` of the tensor that a tensor is, which nested models give another one.
    """

    steps: tuple[Step, ...]
    items: dict[str, tuple[str, int]]
    inputs: tuple[tuple[str, Any], ...]
    outputs: tuple[str, ...]
    takes: Any
    gives: Any
    origin: Callable[[Any], int]

    def values(self, given: Sequence[Any]) -> list[list[Any]]:
        """Return the outputs of every step, in evaluation mode, on the inputs as arrays."""
        import keras

        known = {
            id(tensor): keras.ops.convert_to_tensor(array, tensor.dtype)
            for (_, tensor), array in zip(self.inputs, given, strict=True)
        }

        def value(argument: Any) -> Any:
            is_tensor = isinstance(argument, keras.KerasTensor)
            return known[self.origin(argument)] if is_tensor else argument

        outputs = []
        for step in self.steps:
            args, kwargs = keras.tree.map_structure(value, (step.args, step.kwargs))
            if "training" in getattr(step.operation, "_call_context_args", ()):
                kwargs["training"] = False  # as a model tells its layers, whatever their default is
            outputs.append(list(keras.tree.flatten(step.operation(*args, **kwargs))))
            known |= zip(map(id, step.outputs), outputs[-1], strict=True)
        return outputs


@dataclass(frozen=True)
class _Called:
    """A call, before names are given."""

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tensors: tuple[Any, ...]
    outputs: tuple[Any, ...]
    prefix: str


def graph_of(model: Any) -> Graph:
    """Return the calls of a functional or Sequential model.

    Raises
    ------
    ArchitectureError
        When it is neither, is not built, or has a ``call`` of its own.
    """
    function = function_of(model)
    calls, same = _opened(function)

    def origin(tensor: Any) -> int:
        while id(tensor) in same:
            tensor = same[id(tensor)]
        return id(tensor)

    counts = Counter(id(call.operation) for call in calls)
    names = _Names()
    sources: dict[int, tuple[str, int]] = {}
    inputs = []
    for number, tensor in enumerate(function.inputs):
        name = INPUT if number == 0 else names.new(tensor.name, "", "input")
        sources[id(tensor)] = (name, 0)
        inputs.append((name, tensor))
    items: dict[str, tuple[str, int]] = {}

    def source(tensor: Any) -> str:
        name, output = sources[origin(tensor)]
        if output:
            item = f"{name}.{output}"
            items[item] = (name, output)
            return item
        return name

    steps: list[Step] = []
    firsts: dict[int, str] = {}
    for call in calls:
        operation = call.operation
        name = names.new(operation.name, call.prefix, type(operation).__name__.lower())
        first = firsts.setdefault(id(operation), name)
        sources |= {id(tensor): (name, number) for number, tensor in enumerate(call.outputs)}
        origins = tuple(source(tensor) for tensor in call.tensors)
        is_shared = counts[id(operation)] > 1
        steps.append(
            Step(
                *(name, operation, call.args, call.kwargs, call.tensors),
                *(origins, call.outputs, first, is_shared),
            )
        )
    outputs = tuple(map(source, function.outputs))
    structures = function._inputs_struct, function._outputs_struct
    return Graph(tuple(steps), items, tuple(inputs), outputs, *structures, origin)


class _Names:
    """The names of nodes: a layer's own, if it is free and can be one."""

    def __init__(self) -> None:
        self._taken = {INPUT}

    def new(self, name: str, prefix: str, otherwise: str) -> str:
        """Return a free name: ``name``, else with the names of the models that it is nested in."""
        wanted = name if is_name(name) else re.sub(r"[^A-Za-z0-9_.]+", "_", name).strip("_")
        stems = [stem for stem in (wanted, f"{prefix}{wanted}") if is_name(stem)] or [otherwise]
        free = (stem for stem in stems if stem not in self._taken)
        found = next(free, None)
        number = 2
        while found is None or found in self._taken:
            found, number = f"{stems[-1]}_{number}", number + 1
        self._taken.add(found)
        return found


def function_of(model: Any) -> Any:
    """Return the functional model whose calls a model makes: its own, or a Sequential's.

    Raises
    ------
    ArchitectureError
        Says what the model is instead.
    """
    import keras

    kind = type(model).__name__
    if isinstance(model, keras.Model) and not _is_plain(model):
        raise ArchitectureError(
            f"model: expected a Sequential or functional Keras model, got {kind}, which has a "
            "call of its own: give keras.Model(inputs, outputs) of what it does"
        )
    if not is_graph(model):
        raise ArchitectureError(
            f"model: expected a Sequential or functional Keras model that is built, got {kind}: "
            "give it an Input"
        )
    inner = getattr(model, "_functional", None)
    return model if inner is None else inner


def is_graph(model: Any) -> bool:
    """Return whether a layer is a built model that does nothing but call its layers."""
    import keras

    if not isinstance(model, keras.Model) or not _is_plain(model):
        return False
    return bool(getattr(model, "built", False) and getattr(model, "inputs", None))


def _is_plain(model: Any) -> bool:
    """Return whether calling a model is Keras' own: that of a graph or of a sequence."""
    import keras
    from keras.src.models.functional import Functional

    own = type(model)
    if "call" in vars(model) or own.__call__ is not keras.Model.__call__:
        return False
    return own.call in (Functional.call, keras.Sequential.call)


def _opened(function: Any) -> tuple[list[_Called], dict[int, Any]]:
    """Return a model's calls, those of nested models in their places.

    Returns also the tensors that are one: those at the ends of nested models, by ``id``, with
    those of the calls around them.
    """
    counts = Counter(id(operation) for operation in _models_called(function))
    same: dict[int, Any] = {}

    def calls(function: Any, prefix: str, context: dict[str, Any]) -> Iterator[_Called]:
        for node in _nodes(function):
            operation, given, kwargs = node.operation, node.arguments, dict(node.arguments.kwargs)
            inner = _nested(node) if counts[id(operation)] == 1 else None
            if inner is not None:
                told = {**context, **{k: v for k, v in kwargs.items() if v is not None}}
                same.update(zip(map(id, inner.inputs), node.input_tensors, strict=True))
                same.update(zip(map(id, node.outputs), inner.outputs, strict=True))
                yield from calls(inner, f"{prefix}{operation.name}.", told)
                continue
            accepted = getattr(operation, "_call_context_args", ())
            told = {k: v for k, v in context.items() if k in accepted and k not in kwargs}
            tensors, outputs = tuple(node.input_tensors), tuple(node.outputs)
            arguments = tuple(given.args), {**told, **kwargs}
            yield _Called(operation, *arguments, tensors, outputs, prefix)

    return list(calls(function, "", {})), same


def _nodes(function: Any) -> Iterator[Any]:
    """Yield a functional model's calls in the order in which they are computed."""
    for depth in sorted(function._nodes_by_depth, reverse=True):
        yield from (node for node in function._nodes_by_depth[depth] if not node.is_input)


def _models_called(function: Any) -> Iterator[Any]:
    for node in _nodes(function):
        if (inner := _nested(node)) is not None:
            yield node.operation
            yield from _models_called(inner)


def _nested(node: Any) -> Any:
    """Return the functional model that a call runs, or None where it is not that alone."""
    import keras

    told = {name for name, value in node.arguments.kwargs.items() if value is not None}
    if not is_graph(node.operation) or told - {"training"}:
        return None
    function = function_of(node.operation)
    given = node.arguments.args[0] if len(node.arguments.args) == 1 else None
    listed = list(given) if isinstance(given, list | tuple) else [given]
    alike = len(listed) == len(function.inputs) and all(
        isinstance(one, keras.KerasTensor) and (one.shape, one.dtype) == (other.shape, other.dtype)
        for one, other in zip(listed, function.inputs, strict=True)
    )
    is_listed = isinstance(function._inputs_struct, list | tuple | keras.KerasTensor)
    return function if alike and is_listed else None
