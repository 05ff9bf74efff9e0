"""The builder of a layer's part of the tf-slim graph, and the mode in which it is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from growsearch.networks.layer import Layer
from growsearch.training.slim.backend import tf


@dataclass(frozen=True)
class Mode:
    """Differences between training and evaluation.

    Parameters
    ----------
    training : bool
        Batch statistics and dropout, or moving statistics and none.
    seed : int64 tensor of shape (2,), optional
        For stateless dropout.
    dtype : TensorFlow type
        Precision of the layers. The output layer, and the statistics and parameters of
        normalisations, are float32 in any case; all weights are float32 variables.
    averaged : bool
        True if the moving averages of the weights take their place.
    updates : list
        Filled with the operations that update the moving statistics.
    """

    training: bool
    seed: Any = None
    dtype: Any = tf.float32
    averaged: bool = False
    updates: list[Any] = field(default_factory=list)


@singledispatch
def build(layer: Layer, inputs: list[Any], name: str, mode: Mode) -> Any:
    """Return one layer's output; a layer type without a builder is a TypeError."""
    del inputs, name, mode
    raise TypeError(f"the tf-slim graph has no builder for {type(layer).__name__}")
