"""Joins of branches in the tf-slim graph."""

from __future__ import annotations

import functools
from typing import Any

from growsearch.networks import layers as specs
from growsearch.training.slim.backend import tf
from growsearch.training.slim.builders.activations import activate
from growsearch.training.slim.builders.base import Mode, build


@build.register
def _(layer: specs.Add, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    is_alike = len({tuple(x.shape[1:]) for x in inputs}) == 1
    out = tf.add_n(inputs, name=name) if is_alike else functools.reduce(tf.add, inputs)
    return activate(layer.activation, out)


@build.register
def _(layer: specs.ScaledAdd, inputs: list[Any], name: str, mode: Mode) -> Any:
    del mode
    return tf.add(inputs[0], layer.scale * inputs[1], name=name)


@build.register
def _(layer: specs.Subtract, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, mode
    return tf.subtract(*inputs, name=name)


@build.register
def _(layer: specs.Multiply, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, name, mode
    return functools.reduce(tf.multiply, inputs)


@build.register
def _(layer: specs.Average, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, name, mode
    return functools.reduce(tf.add, inputs) / len(inputs)


@build.register
def _(layer: specs.Maximum, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, name, mode
    return functools.reduce(tf.maximum, inputs)


@build.register
def _(layer: specs.Minimum, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, name, mode
    return functools.reduce(tf.minimum, inputs)


@build.register
def _(layer: specs.Concat, inputs: list[Any], name: str, mode: Mode) -> Any:
    del layer, mode
    return tf.concat(inputs, axis=-1, name=name)
